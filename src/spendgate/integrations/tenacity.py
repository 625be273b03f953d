"""tenacity: retries that are counted as attempts, draw on their task's retry budget, and never repeat a refusal.

from spendgate.integrations.tenacity import retry

with gate.task("research-123", retry_budget="0.25"):
    retry(stop=stop_after_attempt(5), wait=wait_exponential())(ask)("...")

`retry`, `Retrying` and `AsyncRetrying` are tenacity's own, with its arguments. Calls inside the second attempt say that
they are the second attempt, so the gate takes them from the retry budget, and refuses them once that is spent.
"""

import inspect
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any

import tenacity

from spendgate import attribution
from spendgate.errors import SpendgateError, StoreError
from spendgate.model_calls import refusal

_attempt: ContextVar[int] = ContextVar("spendgate_tenacity_attempt", default=1)


class retry_unless_refused(tenacity.retry_base):  # noqa: N801 - tenacity's way to name them
    """Retries as another predicate says, but nothing that the gate has refused: asking again at once will not help.

    A ledger that cannot be read is no refusal: that may pass.
    """

    def __init__(self, retry: Any = None) -> None:
        self.retry = tenacity.retry_if_exception_type() if retry is None else retry

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return not is_refused(retry_state) and bool(self.retry(retry_state))


class _AsyncRetryUnlessRefused(retry_unless_refused):
    """The same for a predicate that is awaited."""

    async def __call__(self, retry_state: tenacity.RetryCallState) -> bool:  # type: ignore[override]
        return not is_refused(retry_state) and bool(await self.retry(retry_state))  # type: ignore[misc]


def is_refused(retry_state: tenacity.RetryCallState) -> bool:
    """Whether an attempt failed because the gate refused it, whatever was made of the refusal on its way."""
    outcome = retry_state.outcome
    fault = outcome.exception() if outcome is not None and outcome.failed else None
    error = None if fault is None else refusal(fault)
    return isinstance(error, SpendgateError) and not isinstance(error, StoreError)


def retry(**arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for plain and coroutine functions, with the arguments of `tenacity.retry`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        kind = AsyncRetrying if inspect.iscoroutinefunction(function) else Retrying
        return kind(**arguments).wraps(function)

    return decorate


class _Counting:
    """What both kinds of retrying have in common: their arguments, and how a function learns its attempt."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        retry: Any = self.retry  # type: ignore[has-type]
        if not isinstance(retry, retry_unless_refused):
            awaited = inspect.iscoroutinefunction(retry) or inspect.iscoroutinefunction(type(retry).__call__)
            self.retry = _AsyncRetryUnlessRefused(retry) if awaited else retry_unless_refused(retry)
        self.before = _noting(self.before)  # type: ignore[has-type]


class Retrying(_Counting, tenacity.Retrying):  # type: ignore[misc]
    """tenacity's `Retrying`, counted."""

    def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        @wraps(fn)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with _scope(_attempt.get()):
                return fn(*args, **kwargs)

        return super().__call__(counted, *args, **kwargs)

    def __iter__(self) -> Generator[tenacity.AttemptManager, None, None]:
        for attempt in super().__iter__():
            yield _Attempt(attempt.retry_state)


class AsyncRetrying(_Counting, tenacity.AsyncRetrying):  # type: ignore[misc]
    """tenacity's `AsyncRetrying`, counted."""

    async def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        @wraps(fn)
        async def counted(*args: Any, **kwargs: Any) -> Any:
            with _scope(_attempt.get()):
                return await fn(*args, **kwargs)

        return await super().__call__(counted, *args, **kwargs)

    async def __anext__(self) -> tenacity.AttemptManager:
        return _Attempt((await super().__anext__()).retry_state)


class _Attempt(tenacity.AttemptManager):
    """One attempt of a `for` loop, inside which calls say which it is."""

    _inside: AbstractContextManager[None] | None = None

    def __enter__(self) -> None:
        self._inside = _scope(self.retry_state.attempt_number)
        self._inside.__enter__()
        super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._inside is not None:
            self._inside.__exit__(None, None, None)
        return super().__exit__(kind, fault, trace)


def _scope(attempt: int) -> AbstractContextManager[None]:
    """The attempt for calls inside, counted on from the one around all of them."""
    return attribution.scope(attempt=max(attribution.current().attempt, 1) + attempt - 1)


def _noting(before: Any) -> Any:
    """What tenacity calls before each attempt, in its thread or task: it notes the number for the function."""
    if getattr(before, "spendgate_notes", False):
        return before

    def note(retry_state: tenacity.RetryCallState) -> Any:
        _attempt.set(retry_state.attempt_number)
        return before(retry_state)

    note.spendgate_notes = True  # type: ignore[attr-defined]
    return note
