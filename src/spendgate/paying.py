"""What `gate.paid` makes of a function: every call of it, or every run of a generator, is a paid call."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from spendgate.reserved import PaidCall

P = ParamSpec("P")
R = TypeVar("R")


def paid(
    function: Callable[P, R],
    start: Callable[[Any, Any], PaidCall],
    settle_from: Callable[[Any], Mapping[str, Any]] | None,
) -> Callable[P, R]:
    """The function with a paid call around each run. `start` begins one, from the function's arguments.

    Raises:
        TypeError: it is asynchronous, or not a function yet.
    """
    _check_function(function)

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with start(args, kwargs) as call:
            result = function(*args, **kwargs)
            if inspect.isawaitable(result):
                call.void()
                raise TypeError(f"{function!r} gives something to await: use a gate of spendgate.aio.open()")
            call.settle_from(settle_from, result)
            return result

    @functools.wraps(function)
    def run_generator(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        with start(args, kwargs) as call:
            result = yield from function(*args, **kwargs)  # type: ignore[misc]
            call.settle_from(settle_from, result)
            return result  # type: ignore[no-any-return]

    return run_generator if inspect.isgeneratorfunction(function) else run  # type: ignore[return-value]


def _check_function(function: Callable[..., object]) -> None:
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise TypeError(f"{function!r} is no function yet: put the decorator below @staticmethod and @classmethod")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is asynchronous: use a gate of spendgate.aio.open()")
