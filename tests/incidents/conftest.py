"""A gate as `spendgate.toml` would make it, on a clock that the test moves, over each store there is."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spendgate.config import read
from spendgate.gate import Gate
from spendgate.ledger import Actor
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import FakeClock

USD = 1_000_000_000

MakeGate = Callable[[str, datetime], Gate]


@pytest.fixture(params=["memory", "sqlite"])
def make_gate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeGate]:
    """Makes a gate from a configuration and the instant at which its clock begins."""
    with ExitStack() as stack:

        def make(config: str, start: datetime) -> Gate:
            settings = read(config)
            clock = FakeClock(start)
            store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "ledger.db")
            stack.callback(store.close)
            store.apply_limits(settings.limits, "test", Actor(), clock.now())
            return Gate(store, clock=clock, prices=PriceBook(settings.prices))

        yield make


def at(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
