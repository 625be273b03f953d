"""A gate over a ledger in memory, on a clock that stands still."""

from collections.abc import Callable
from typing import Any

import pytest

from spendgate.config import read
from spendgate.gate import Gate
from spendgate.ledger import Actor
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock

CONFIG = """
[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"
per = ["service"]
warn_at = [0.8]
[prices."clearbit.enrich"]
per_call = "0.004"
[prices."maps.geocode"]
per_call = "0.005"
free_calls_per_month = 2
[prices."mail.send"]
per_unit = { mails = "0.001" }
"""

MakeGate = Callable[..., Gate]


@pytest.fixture
def clock() -> FakeClock:
    """Noon, some day."""
    return FakeClock(1_795_000_000_000_000)


@pytest.fixture
def make_gate(clock: FakeClock) -> MakeGate:
    """Makes gates from a configuration; keyword arguments go to `Gate`."""

    def make(config: str = CONFIG, store: Any = None, **parts: Any) -> Gate:
        settings = read(config)
        store = store or MemoryStore()
        store.apply_limits(settings.limits, "test", Actor(), clock.now())
        return Gate(store, clock=clock, prices=PriceBook(settings.prices), **parts)

    return make


@pytest.fixture
def gate(make_gate: MakeGate) -> Gate:
    """$5.00 an hour for each service."""
    return make_gate()
