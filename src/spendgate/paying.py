"""What `gate.paid` makes of a function: every call of it, or every run of a generator, is a paid call."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from spendgate import attribution
from spendgate.errors import RefusedError
from spendgate.policies import FALLBACK_FOR, may_fall_back
from spendgate.reserved import PaidCall

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Instead:
    """What becomes of a function's call that is refused: `way` says what is to be done, when it is."""

    resource: str
    way: Callable[[], str]
    fallback: Callable[..., Any] | None
    skip_value: Any = None

    def of(self, refusal: RefusedError) -> Callable[..., Any] | None:
        """What to call instead, with the same arguments; None where the call is skipped.

        Raises:
            RefusedError: neither.
        """
        way = self.way()
        if way == "skip":
            return None
        if way == "fallback" and self.fallback is not None and may_fall_back(refusal):
            return self.fallback
        raise refusal

    def standing_in(self) -> Any:
        """A block in which calls carry the resource that they stand in for."""
        return attribution.scope(tags={FALLBACK_FOR: self.resource})

    def check(self, is_plain: bool) -> None:
        """Looks at whether a generator was given a fallback.

        Raises:
            TypeError: it was.
        """
        if self.fallback is not None and not is_plain:
            raise TypeError("a generator has no fallback: catch the RefusedError where it is read")


def paid(
    function: Callable[P, R],
    start: Callable[[Any, Any], PaidCall],
    settle_from: Callable[[Any], Mapping[str, Any]] | None,
    instead: Instead,
) -> Callable[P, R]:
    """The function with a paid call around each run. `start` begins one, from the function's arguments.

    Raises:
        TypeError: it is asynchronous, or not a function yet.
    """
    _check_function(function)
    instead.check(not inspect.isgeneratorfunction(function))

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with ExitStack() as stack:
            try:
                call = stack.enter_context(start(args, kwargs))
            except RefusedError as refusal:
                other = instead.of(refusal)
                if other is None:
                    return instead.skip_value  # type: ignore[no-any-return]
            else:
                result = function(*args, **kwargs)
                if inspect.isawaitable(result):
                    call.void()
                    raise TypeError(f"{function!r} gives something to await: use a gate of spendgate.aio.open()")
                call.settle_from(settle_from, result)
                return result
        with instead.standing_in():
            return other(*args, **kwargs)  # type: ignore[no-any-return]

    @functools.wraps(function)
    def run_generator(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        with ExitStack() as stack:
            try:
                call = stack.enter_context(start(args, kwargs))
            except RefusedError as refusal:
                instead.of(refusal)
                return instead.skip_value  # type: ignore[no-any-return]
            result = yield from function(*args, **kwargs)  # type: ignore[misc]
            call.settle_from(settle_from, result)
            return result  # type: ignore[no-any-return]

    found: Any = run_generator if inspect.isgeneratorfunction(function) else run
    found.spendgate_resource = instead.resource
    return found  # type: ignore[no-any-return]


def _check_function(function: Callable[..., object]) -> None:
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise TypeError(f"{function!r} is no function yet: put the decorator below @staticmethod and @classmethod")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is asynchronous: use a gate of spendgate.aio.open()")
