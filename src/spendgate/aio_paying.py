"""What the awaited `gate.paid` makes of a function, and the block that a refusal ends, awaited."""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar

from spendgate import refusing
from spendgate.errors import RefusedError
from spendgate.paying import Instead

P = ParamSpec("P")
R = TypeVar("R")


class Run(Protocol):
    """Runs a step in a thread of the gate's own."""

    async def __call__(self, work: Callable[[], Any], /) -> Any: ...


def paid(
    function: Callable[P, Awaitable[R]],
    start: Callable[[Any, Any], Any],
    settle_from: Callable[[Any], Mapping[str, Any]] | None,
    instead: Instead,
) -> Callable[P, Awaitable[R]]:
    """The function with a paid call around each run: see `spendgate.paying.paid`.

    Raises:
        TypeError: it is not asynchronous.
    """
    if inspect.isasyncgenfunction(function):
        instead.check(False)
        return _paid_generator(function, start, instead)  # type: ignore[no-any-return]
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function!r} is not asynchronous: use a gate of spendgate.open()")

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        async with AsyncExitStack() as stack:
            try:
                call = await stack.enter_async_context(start(args, kwargs))
            except RefusedError as refusal:
                other = instead.of(refusal)
                if other is None:
                    return instead.skip_value  # type: ignore[no-any-return]
            else:
                result = await function(*args, **kwargs)
                await call.settle_from(settle_from, result)
                return result
        with instead.standing_in():
            return await other(*args, **kwargs)  # type: ignore[no-any-return]

    run.spendgate_resource = instead.resource  # type: ignore[attr-defined]
    return run


def _paid_generator(function: Any, start: Callable[[Any, Any], Any], instead: Instead) -> Any:
    """An asynchronous generator function whose every run is a paid call; what is sent and thrown reaches it."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(start(args, kwargs))
            except RefusedError as refusal:
                instead.of(refusal)
                return
            items = await stack.enter_async_context(aclosing(function(*args, **kwargs)))
            step = items.__anext__()
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as fault:  # noqa: BLE001 - it is the generator's to handle
                    step = items.athrow(fault)
                else:
                    step = items.asend(sent)

    return run


class Skipping:
    """An `async with` block around the work on one record: see `spendgate.Gate.skipping`."""

    def __init__(self, block: refusing.Skipping, run: Run) -> None:
        self._block = block
        self._run = run

    @property
    def refusal(self) -> RefusedError | None:
        """The refusal that ended the block, or None."""
        return self._block.refusal

    @property
    def is_skipped(self) -> bool:
        """Whether a refusal ended the block."""
        return self._block.is_skipped

    async def __aenter__(self) -> Self:
        self._block.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> bool:
        self._block.leave()
        if not isinstance(fault, RefusedError):
            return False
        return bool(await self._run(functools.partial(self._block.ends_quietly, fault)))
