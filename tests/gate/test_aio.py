"""The awaited gate: the same decisions, and a cancelled caller leaves nothing behind."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from spendgate import aio
from spendgate.errors import SpendLimitError
from spendgate.ledger import Held
from spendgate.reservation import State
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock
from tests.gate.conftest import MakeGate


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine function in a loop of its own."""

    async def main() -> None:
        await work()

    asyncio.run(main())


def test_a_block_is_settled_or_stays_held_as_in_the_plain_gate(make_gate: MakeGate) -> None:
    """Left normally it is settled, left by an exception it stays held, and what is said inside counts."""
    gate = aio.Gate(make_gate())

    async def work() -> None:
        async with gate.call("clearbit.enrich"):
            pass
        with pytest.raises(KeyError):
            async with gate.call("clearbit.enrich"):
                raise KeyError
        async with gate.call("clearbit.enrich") as call:
            receipt = await call.settle(cost="0.002")
            assert receipt.id == call.id
        async with gate.call("clearbit.enrich") as call:
            await call.void()

    run(work)
    states = [entry.state for entry in gate.gate.store.entries()]
    assert states == [State.SETTLED, State.HELD, State.SETTLED, State.VOIDED]


def test_coroutines_and_asynchronous_generators_can_be_paid(make_gate: MakeGate) -> None:
    """The decorator awaits the function, and settles a generator that is read to its end."""
    gate = aio.Gate(make_gate())

    @gate.paid("clearbit.enrich", key_from=lambda n: n, settle_from=lambda found: {"cost": found})
    async def enrich(n: int) -> str:
        return f"0.00{n}"

    @gate.paid("clearbit.enrich")  # type: ignore[arg-type]
    async def rows(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i

    async def work() -> None:
        assert await enrich(7) == "0.007"
        assert [row async for row in rows(3)] == [0, 1, 2]  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match=r"spendgate\.open"):
            gate.paid("x")(lambda: None)  # type: ignore[arg-type, return-value]

    run(work)
    assert [entry.weight.usd for entry in gate.gate.store.entries()] == [7_000_000, 4_000_000]


def test_fifty_tasks_share_one_limit(make_gate: MakeGate) -> None:
    """Fifty tasks at once with $1.00 calls and $5.00 to spend: exactly five get through."""
    gate = aio.Gate(make_gate())

    async def one() -> bool:
        try:
            await gate.reserve(resource="x", at_most=1)
        except SpendLimitError:
            return False
        return True

    async def work() -> None:
        assert sum(await asyncio.gather(*(one() for _ in range(50)))) == 5

    run(work)


class SlowStore(MemoryStore):
    """Holds when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def hold(self, request: Any, now_at: int) -> Any:
        self.reached.set()
        self.go_on.wait(10)
        answer = super().hold(request, now_at)
        assert isinstance(answer, Held)
        return answer


def test_a_caller_cancelled_while_reserving_leaves_nothing_held(make_gate: MakeGate) -> None:
    """The hold was made but never handed over: nothing was sent, so it is voided."""
    store = SlowStore()
    gate = aio.Gate(make_gate(store=store))
    voided = threading.Event()
    void = store.void
    store.void = lambda *given: (void(*given), voided.set())[0]  # type: ignore[method-assign, func-returns-value]

    async def work() -> None:
        task = asyncio.create_task(gate.reserve(resource="x", at_most=1))
        await asyncio.to_thread(store.reached.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.go_on.set()
        assert await asyncio.to_thread(voided.wait, 10)

    run(work)
    assert [entry.state for entry in store.entries()] == [State.VOIDED]


def test_a_caller_cancelled_in_its_block_stays_held(make_gate: MakeGate) -> None:
    """Cancelled while the provider works: billed or not, nobody knows."""
    gate = aio.Gate(make_gate())

    async def work() -> None:
        inside = asyncio.Event()

        async def call() -> None:
            async with gate.call("clearbit.enrich"):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work)
    assert [entry.state for entry in gate.gate.store.entries()] == [State.HELD]


def test_waiting_does_not_block_the_loop(make_gate: MakeGate, clock: FakeClock) -> None:
    """A waiting call sleeps on the clock's awaited sleep, and goes when its turn has come."""
    gate = aio.Gate(
        make_gate('[[limits]]\ncalls = 1\nwindow = "day"\nat_limit = "throttle"\nthrottle_to = "10/min"\n', None)
    )

    async def work() -> None:
        for _ in range(3):
            await gate.reserve(resource="x", at_most=0, wait=60)

    started_at = clock.now()
    run(work)
    assert clock.now() - started_at == 6_000_000


def test_scope_status_work_and_ids_are_there_too(make_gate: MakeGate) -> None:
    """What the plain gate can do, the awaited one can."""
    gate = aio.Gate(make_gate())

    async def work() -> None:
        async with gate:
            with gate.scope("research", tags={"a": 1}):
                held = await gate.reserve(resource="x", at_most=2)
                await gate.processed(2)
            assert (held.at_most, held.call.service) == (Decimal(2), "research")
            assert (await gate.settle(held.id, "1.5")).cost == Decimal("1.5")
            other = await gate.reserve(resource="x", at_most=2)
            assert (await gate.void(other.id)).cost == 0
            third = await gate.reserve(resource="x", at_most=2)
            assert (await third.settle(cost=1)).cost == 1
            fourth = await gate.reserve(resource="x", at_most=2)
            await fourth.void()
            assert {s.scope: s.spent for s in await gate.status()} == {
                "service=research": Decimal("1.5"),
                "service=": Decimal(1),
            }

    run(work)


def test_what_is_sent_and_thrown_reaches_a_paid_generator(make_gate: MakeGate) -> None:
    """An asynchronous generator behind the decorator behaves as it does without."""
    gate = aio.Gate(make_gate())

    @gate.paid("clearbit.enrich")  # type: ignore[arg-type]
    async def talk() -> AsyncIterator[str]:
        try:
            heard = yield "ready"  # type: ignore[misc]
            yield f"received {heard}"
        except ValueError:
            yield "handled"

    async def work() -> None:
        one: Any = talk()
        assert await anext(one) == "ready"
        assert await one.asend("hello") == "received hello"
        assert await one.athrow(ValueError()) == "handled"
        assert [item async for item in one] == []
        early: Any = talk()
        await anext(early)
        await early.aclose()

    run(work)
    assert [entry.state for entry in gate.gate.store.entries()] == [State.SETTLED, State.HELD]


def test_a_reservation_nobody_waits_for_is_given_back_after_the_loop_has_ended(make_gate: MakeGate) -> None:
    """The thread that made the hold voids it: the event loop may be gone by then."""
    store = SlowStore()
    gate = aio.Gate(make_gate(store=store))
    voided = threading.Event()
    void = store.void
    store.void = lambda *given: (void(*given), voided.set())[0]  # type: ignore[method-assign, func-returns-value]

    async def work() -> None:
        task = asyncio.create_task(gate.reserve(resource="x", at_most=1))
        await asyncio.to_thread(store.reached.wait, 10)
        task.cancel()

    run(work)
    store.go_on.set()
    assert voided.wait(10)
    assert [entry.state for entry in store.entries()] == [State.VOIDED]
