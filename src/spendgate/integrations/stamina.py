"""stamina: retries that are counted as attempts, draw on their task's retry budget, and never repeat a refusal.

from spendgate.integrations.stamina import retry

@retry(on=httpx.HTTPError, attempts=5)
def ask(question): ...

`retry` and `retry_context` take stamina's arguments. Calls inside the second attempt say that they are the second
attempt, so the gate takes them from the retry budget, and refuses them once that is spent. With stamina's own
decorators `on=unless_refused(...)` keeps refusals from being repeated; what they repeat is not counted.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any

import stamina

from spendgate import attribution
from spendgate.errors import SpendgateError, StoreError
from spendgate.model_calls import refusal

On = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], Any]


def unless_refused(on: On) -> Callable[[Exception], Any]:
    """A hook for stamina's `on=`: what `on` says, but never a retry of what the gate has refused.

    A ledger that cannot be read is no refusal: that may pass.
    """

    def hook(fault: Exception) -> Any:
        error = refusal(fault)
        if isinstance(error, SpendgateError) and not isinstance(error, StoreError):
            return False
        if isinstance(on, type | tuple):
            return isinstance(fault, on)
        return on(fault)

    return hook


def retry(*, on: On, **arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for plain and coroutine functions, with the arguments of `stamina.retry`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            for attempt in retry_context(on, **arguments):
                with attempt:
                    return function(*args, **kwargs)
            raise AssertionError("stamina ended without a result")

        @wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            async for attempt in retry_context(on, **arguments):
                with attempt:
                    return await function(*args, **kwargs)
            raise AssertionError("stamina ended without a result")

        return run_async if inspect.iscoroutinefunction(function) else run

    return decorate


class retry_context:  # noqa: N801 - stamina's name for it
    """What `stamina.retry_context` gives, plain or awaited, with its arguments; each attempt says which it is."""

    def __init__(self, on: On, **arguments: Any) -> None:
        self._context = stamina.retry_context(unless_refused(on), **arguments)

    def __iter__(self) -> Iterator["Attempt"]:
        for attempt in self._context:
            yield Attempt(attempt)

    async def __aiter__(self) -> AsyncIterator["Attempt"]:
        async for attempt in self._context:
            yield Attempt(attempt)


class Attempt:
    """One attempt: a `with` block, inside which calls say which it is. `num` and `next_wait` are stamina's."""

    def __init__(self, attempt: stamina.Attempt) -> None:
        self._attempt = attempt
        self._inside: AbstractContextManager[None] | None = None

    @property
    def num(self) -> int:
        """The number of the attempt, from 1 on."""
        return self._attempt.num

    @property
    def next_wait(self) -> float:
        """Seconds until the next attempt at least, if this one fails."""
        return self._attempt.next_wait

    def __enter__(self) -> None:
        self._inside = attribution.scope(attempt=max(attribution.current().attempt, 1) + self.num - 1)
        self._inside.__enter__()
        self._attempt.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._inside is not None:
            self._inside.__exit__(None, None, None)
        return self._attempt.__exit__(kind, fault, trace)
