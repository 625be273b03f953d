"""The same gate, awaited: decisions run in a thread of their own, so that the event loop never waits for the ledger.

gate = spendgate.aio.open()
async with gate.call("clearbit.enrich", service="pipeline"):
    person = await fetch(record_id)
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack

from spendgate import aio_paying, aio_tasks, opening, reserved, tasks
from spendgate.aio_paying import Skipping
from spendgate.aio_tasks import Task
from spendgate.answers import Receipt, Status
from spendgate.calling import instead_of
from spendgate.clock import Clock
from spendgate.errors import ReservationStateError
from spendgate.escalating import Approve
from spendgate.gate import Gate as SyncGate
from spendgate.money import Amount
from spendgate.pricing.usage import Usage
from spendgate.stating import Stated, keyed
from spendgate.threads import Threads

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
C = TypeVar("C")

THREADS = 4
_threads = Threads(THREADS)


def open(path: Path | str | None = None, *, clock: Clock | None = None) -> "Gate":  # noqa: A001
    """An awaited gate from the nearest configuration: see `spendgate.open`, which raises the same errors."""
    return Gate(opening.open(path, clock=clock))


class Gate:
    """A `spendgate.Gate` whose every step is awaited. `gate` is the one underneath, which other threads may share."""

    def __init__(self, gate: SyncGate) -> None:
        self.gate = gate

    async def reserve(self, *, resource: str, **stated: Unpack[Stated]) -> "Reservation":
        """Sets money aside, or raises: see `spendgate.Gate.reserve`. Cancelled, it leaves nothing set aside."""
        asking = self.gate.asking(resource, stated)
        while True:
            found = await in_thread(asking.step, unwanted=_give_back)
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
        fallback: Callable[..., Awaitable[Any]] | None = None,
        skip_value: Any = None,
        **stated: Unpack[Stated],
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """Makes every call of a coroutine function, or every run of an asynchronous generator, a paid call.

        Takes what `spendgate.Gate.paid` takes; a `fallback` is a coroutine function too.
        """
        if fallback is not None and not inspect.iscoroutinefunction(fallback):
            raise TypeError(f"{fallback!r} is not asynchronous: use a gate of spendgate.open()")
        terms: dict[str, Any] = {"fallback": fallback, "gated": self.paid, "skip_value": skip_value}
        own, instead = instead_of(self.gate, resource, stated, **terms)

        def start(args: Any, kwargs: Any) -> PaidCall:
            return self.call(resource, **keyed(own, key_from, args, kwargs))

        return lambda function: aio_paying.paid(function, start, settle_from, instead)

    def scope(
        self,
        service: str = "",
        *,
        task: str = "",
        tags: Mapping[str, object] | None = None,
        key: str = "",
        fresh_for: str = "",
        **policy: Any,
    ) -> AbstractContextManager[None]:
        """Says for whom the calls inside a `with` block are made, and by which policy: see `spendgate.Gate.scope`."""
        return self.gate.scope(service, task=task, tags=tags, key=key, fresh_for=fresh_for, **policy)

    def skipping(self, key: str = "") -> "Skipping":
        """An `async with` block that ends quietly where a call in it is refused: see `spendgate.Gate.skipping`."""
        return Skipping(self.gate.skipping(key), in_thread)

    def task(
        self,
        task_id: str = "",
        *,
        retry_budget: Amount | None = None,
        budget: Amount | None = None,
        tier: str = "",
        tiers: Sequence[str] = (),
        token: str = "",
    ) -> Task:
        """An `async with` block around one job: see `spendgate.Gate.task`."""
        terms: dict[str, Any] = {"retry_budget": retry_budget, "budget": budget, "tier": tier, "tiers": tiers}
        return Task(self.gate.task(task_id, token=token, **terms), in_thread)

    async def end_task(self, task_id: str) -> None:
        """Ends a task: see `spendgate.Gate.end_task`."""
        await in_thread(functools.partial(self.gate.end_task, task_id))

    async def escalate(
        self,
        task: Task | tasks.Task | str,
        *,
        to: str,
        budget: Amount,
        reason: str = "",
        wait: float | None = None,
        expires: float | None = None,
        approve: Approve | None = None,
    ) -> Task:
        """Asks a person for a dearer model, and waits for the answer: see `spendgate.Gate.escalate`."""
        asked = {"to": to, "budget": budget, "reason": reason, "expires": expires, "approve": approve}
        return await aio_tasks.escalate(self.gate, in_thread, task, wait, asked)

    async def settle(
        self,
        hold_id: str,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Settles a reservation by its id: see `spendgate.Gate.settle`."""
        return await in_thread(functools.partial(self.gate.settle, hold_id, cost, usage=usage, units=units))

    async def void(self, hold_id: str) -> Receipt:
        """Ends a reservation by its id: see `spendgate.Gate.void`."""
        return await in_thread(functools.partial(self.gate.void, hold_id))

    async def once(self, action: str, key: str, within: str = "24h") -> bool:
        """True for exactly one caller within a span: see `spendgate.Gate.once`. Cancelled, it may have been taken."""
        return await in_thread(functools.partial(self.gate.once, action, key, within))

    async def processed(self, count: int, *, service: str = "") -> None:
        """Adds to the work done: see `spendgate.Gate.processed`."""
        await in_thread(functools.partial(self.gate.processed, count, service=service))

    def watch_cache(self, name: str, cache: C, *, miss_cost: Amount | None = None, service: str = "") -> C:
        """A cache like the one given, whose hits, misses and their cost are counted: see `spendgate.Gate.watch_cache`.

        Nothing is awaited for it: it counts in memory, and a thread of its own writes.
        """
        return self.gate.watch_cache(name, cache, miss_cost=miss_cost, service=service)

    def cache_monitor(self, name: str, *, miss_cost: Amount | None = None, service: str = "") -> "CacheMonitor":
        """Counts for a cache of any other kind: see `spendgate.Gate.cache_monitor`."""
        return self.gate.cache_monitor(name, miss_cost=miss_cost, service=service)

    async def flush_caches(self) -> None:
        """Writes what caches did until now: see `spendgate.Gate.flush_caches`."""
        await in_thread(self.gate.flush_caches)

    async def status(self) -> list[Status]:
        """How every limit stands: see `spendgate.Gate.status`."""
        return await in_thread(self.gate.status)

    async def close(self) -> None:
        """Lets go of the ledger; what is still held stays held."""
        await in_thread(self.gate.close)

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
        return await in_thread(functools.partial(self.reservation.settle, cost, usage=usage, units=units))

    async def void(self) -> Receipt:
        """Ends the reservation: the call was not made, or is known to cost nothing."""
        return await in_thread(self.reservation.void)


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
            await in_thread(functools.partial(self._block.__exit__, kind, fault, trace))

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
        return await in_thread(functools.partial(self._inside().settle, cost, usage=usage, units=units))

    async def void(self) -> Receipt:
        """Says that the call was not made, or is known to cost nothing."""
        return await in_thread(self._inside().void)

    async def settle_from(self, settle_from: Callable[[Any], Mapping[str, Any]] | None, result: object) -> None:
        """Settles with what a result says: see `spendgate.PaidCall.settle_from`."""
        await in_thread(functools.partial(self._inside().settle_from, settle_from, result))

    def _inside(self) -> reserved.PaidCall:
        if self._block is None:
            raise ReservationStateError("nothing is reserved yet: use the call inside its `async with` block")
        return self._block


class _Step(Generic[T]):
    """A step in one of the gate's threads. Once begun it is finished, also when its caller is cancelled: then
    `unwanted` gets, in that thread, what nobody is there to take.
    """

    def __init__(self, work: Callable[[], T], unwanted: Callable[[T], object] | None) -> None:
        self._work = work
        self._unwanted = unwanted
        self._guard = threading.Lock()
        self._results: list[T] = []
        self._left = False

    def run(self) -> T:
        """Does the work."""
        result = self._work()
        with self._guard:
            self._results.append(result)
            left = self._left
        if left and self._unwanted is not None:
            self._unwanted(result)
        return result

    def leave(self) -> None:
        """Nobody will take the result."""
        with self._guard:
            self._left = True
            results = list(self._results)
        if results and self._unwanted is not None:
            _threads.submit(functools.partial(self._unwanted, results[0]))


async def in_thread(work: Callable[[], T], unwanted: Callable[[T], object] | None = None) -> T:
    """Runs a step in the gate's threads, with the caller's context. Once begun it is finished, also when cancelled."""
    step = _Step(work, unwanted)
    future = asyncio.get_running_loop().run_in_executor(_threads.pool(), copy_context().run, step.run)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        step.leave()
        raise


def _give_back(found: "reserved.Reservation | float") -> None:
    """Voids a reservation whose caller was cancelled before it got it: nothing was sent."""
    if isinstance(found, reserved.Reservation):
        found.void()
