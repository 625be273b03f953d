"""A gate over a ledger in memory, and a provider on this machine."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from spendgate.config import read
from spendgate.gate import Gate
from spendgate.ledger import Actor, Entry
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock
from tests.integrations.frameworks.provider import Provider, serving

CONFIG = '[[limits]]\nname = "hourly"\nusd = "{usd}"\nwindow = "1h"\n'

T = TypeVar("T")
MakeGate = Callable[..., Gate]


@pytest.fixture
def clock() -> FakeClock:
    """Noon, some day."""
    return FakeClock(1_795_000_000_000_000)


@pytest.fixture
def make_gate(clock: FakeClock) -> MakeGate:
    """Makes gates with so many dollars an hour."""

    def make(usd: str = "5.00", config: str = "", **parts: Any) -> Gate:
        settings = read(CONFIG.format(usd=usd) + config)
        store = MemoryStore()
        store.apply_limits(settings.limits, "test", Actor(), clock.now())
        return Gate(store, clock=clock, prices=PriceBook(settings.prices), **parts)

    return make


@pytest.fixture
def gate(make_gate: MakeGate) -> Gate:
    """$5.00 an hour."""
    return make_gate()


@pytest.fixture
def tight(make_gate: MakeGate) -> Gate:
    """A gate that refuses every call that costs anything."""
    return make_gate("0.00000001")


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Where the paid provider would stand."""
    with serving() as found:
        yield found


def entries(gate: Gate) -> list[Entry]:
    """What the ledger has, in order."""
    gate.backlog.flush()
    return list(gate.store.entries())


def states(gate: Gate) -> list[str]:
    """How the ledger's entries stand, in order."""
    return [entry.state.value for entry in entries(gate)]


def attempts(gate: Gate) -> list[int]:
    """Which attempts the ledger has, in order."""
    return [entry.call.attempt for entry in entries(gate)]


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs a coroutine function in a loop of its own."""

    async def main() -> T:
        return await work()

    return asyncio.run(main())
