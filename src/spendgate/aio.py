"""The same gate, awaited: decisions run in a thread of their own, so that the event loop never waits for the ledger.

gate = spendgate.aio.open()
async with gate.call("clearbit.enrich", service="pipeline"):
    person = await fetch(record_id)
"""

import asyncio
import functools
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack

from spendgate import opening, reserved
from spendgate.answers import Receipt, Status
from spendgate.clock import Clock
from spendgate.errors import ReservationStateError
from spendgate.estimating import Stated, keyed
from spendgate.gate import Gate as SyncGate
from spendgate.money import Amount
from spendgate.pricing.usage import Usage

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

THREADS = 4
_pools: dict[int, ThreadPoolExecutor] = {}


def open(path: Path | str | None = None, *, clock: Clock | None = None) -> "Gate":  # noqa: A001
    """An awaited gate from the nearest configuration: see `spendgate.open`, which raises the same errors."""
    return Gate(opening.open(path, clock=clock))


class Gate:
    """A `spendgate.Gate` whose every step is awaited. `gate` is the one underneath, which other threads may share."""

    def __init__(self, gate: SyncGate) -> None:
        self.gate = gate

    async def reserve(self, *, resource: str, **stated: Unpack[Stated]) -> "Reservation":
        """Sets money aside, or raises: see `spendgate.Gate.reserve`. Cancelled, it leaves nothing set aside."""
        ask = self.gate.ask(resource, stated)
        deadline_at = self.gate.deadline(stated)
        while True:
            attempt = functools.partial(self.gate.attempt, ask, deadline_at)
            found = await _in_thread(attempt, unwanted=_give_back)
            if isinstance(found, reserved.Reservation):
                return Reservation(found)
            await self.gate.clock.sleep_async(found)

    def call(self, resource: str, **stated: Unpack[Stated]) -> "PaidCall":
        """An `async with` block around a paid call: see `spendgate.Gate.call`."""
        return PaidCall(lambda: self.reserve(resource=resource, **stated))

    def paid(
        self,
        resource: str,
        *,
        key_from: Callable[..., object] | None = None,
        settle_from: Callable[[Any], Mapping[str, Any]] | None = None,
        **stated: Unpack[Stated],
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """Makes every call of a coroutine function, or every run of an asynchronous generator, a paid call."""

        def wrap(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
            def start(args: Any, kwargs: Any) -> PaidCall:
                return self.call(resource, **keyed(stated, key_from, args, kwargs))

            @functools.wraps(function)
            async def run(*args: P.args, **kwargs: P.kwargs) -> R:
                async with start(args, kwargs) as call:
                    result = await function(*args, **kwargs)
                    if settle_from is not None:
                        await call.settle(**settle_from(result))
                    return result

            @functools.wraps(function)
            async def run_generator(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Any]:
                async with start(args, kwargs):
                    async for item in function(*args, **kwargs):  # type: ignore[attr-defined]
                        yield item

            if inspect.isasyncgenfunction(function):
                return run_generator  # type: ignore[return-value]
            if not inspect.iscoroutinefunction(function):
                raise TypeError(f"{function!r} is not asynchronous: use a gate of spendgate.open()")
            return run

        return wrap

    def scope(
        self, service: str = "", *, task: str = "", tags: Mapping[str, object] | None = None
    ) -> AbstractContextManager[None]:
        """Says for whom the calls inside a `with` block are made."""
        return self.gate.scope(service, task=task, tags=tags)

    async def settle(
        self,
        hold_id: str,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Settles a reservation by its id: see `spendgate.Gate.settle`."""
        return await _in_thread(functools.partial(self.gate.settle, hold_id, cost, usage=usage, units=units))

    async def void(self, hold_id: str) -> Receipt:
        """Ends a reservation by its id: see `spendgate.Gate.void`."""
        return await _in_thread(functools.partial(self.gate.void, hold_id))

    async def processed(self, count: int, *, service: str = "") -> None:
        """Adds to the work done: see `spendgate.Gate.processed`."""
        await _in_thread(functools.partial(self.gate.processed, count, service=service))

    async def status(self) -> list[Status]:
        """How every limit stands: see `spendgate.Gate.status`."""
        return await _in_thread(self.gate.status)

    async def close(self) -> None:
        """Lets go of the ledger; what is still held stays held."""
        await _in_thread(self.gate.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Reservation:
    """Money set aside for one call: see `spendgate.Reservation`, which is `reservation` here."""

    def __init__(self, reservation: reserved.Reservation) -> None:
        self.reservation = reservation
        self.id = reservation.id
        self.call = reservation.call
        self.at_most = reservation.at_most

    async def settle(
        self,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Ends the reservation with what the call did cost: see `spendgate.Reservation.settle`."""
        return await _in_thread(functools.partial(self.reservation.settle, cost, usage=usage, units=units))

    async def void(self) -> Receipt:
        """Ends the reservation: the call was not made, or is known to cost nothing."""
        return await _in_thread(self.reservation.void)


class PaidCall:
    """An `async with` block around one paid call; left like `spendgate.PaidCall`, which decides here too."""

    def __init__(self, reserve: Callable[[], Awaitable[Reservation]]) -> None:
        self._reserve = reserve
        self._block: reserved.PaidCall | None = None

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise ReservationStateError("a call's block is entered once: write gate.call(...) anew for each call")
        found = (await self._reserve()).reservation
        self._block = reserved.PaidCall(lambda: found)
        self._block.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._block is not None:
            await _in_thread(functools.partial(self._block.__exit__, kind, fault, trace))

    @property
    def id(self) -> str:
        """The reservation's id."""
        return self._inside().id

    async def settle(
        self,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Says what the call did cost: see `spendgate.Reservation.settle`."""
        return await _in_thread(functools.partial(self._inside().settle, cost, usage=usage, units=units))

    async def void(self) -> Receipt:
        """Says that the call was not made, or is known to cost nothing."""
        return await _in_thread(self._inside().void)

    def _inside(self) -> reserved.PaidCall:
        if self._block is None:
            raise ReservationStateError("nothing is reserved yet: use the call inside its `async with` block")
        return self._block


async def _in_thread(work: Callable[[], T], unwanted: Callable[[T], object] | None = None) -> T:
    """Runs a step in the gate's threads. A step once begun is finished, also when its caller is cancelled: then
    `unwanted` gets what nobody is there to take.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(_pool(), copy_context().run, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(functools.partial(_hand_over, unwanted))
        raise


def _hand_over(unwanted: Callable[[T], object] | None, future: "asyncio.Future[T]") -> None:
    if not future.cancelled() and future.exception() is None and unwanted is not None:
        _pool().submit(unwanted, future.result())


def _give_back(found: "reserved.Reservation | float") -> None:
    """Voids a reservation whose caller was cancelled before it got it: nothing was sent."""
    if isinstance(found, reserved.Reservation):
        found.void()


def _pool() -> ThreadPoolExecutor:
    """The gate's own threads, so that a full default executor cannot hold up a decision; new ones after a fork."""
    pid = os.getpid()
    if pid not in _pools:
        _pools.clear()
        _pools[pid] = ThreadPoolExecutor(THREADS, "spendgate")
    return _pools[pid]
