"""A provider on loopback, and gates in memory on a clock that stands still."""

from collections.abc import Callable, Iterator

import pytest

from spendgate.config import read
from spendgate.gate import Gate
from spendgate.ledger import Actor
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock
from tests.integrations.ledgers import CARDS
from tests.integrations.provider import Provider, running

MakeGate = Callable[..., Gate]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """It runs until the test is over."""
    with running() as found:
        yield found


@pytest.fixture
def make_gate() -> MakeGate:
    """Makes gates with a limit in dollars an hour, and whatever else a configuration says."""

    def make(usd: str = "5.00", more: str = "") -> Gate:
        settings = read(f'[[limits]]\nusd = "{usd}"\nwindow = "1h"\n{more}')
        clock, store = FakeClock(1_795_000_000_000_000), MemoryStore()
        store.apply_limits(settings.limits, "test", Actor(), clock.now())
        return Gate(store, clock=clock, prices=PriceBook(settings.prices))

    return make


@pytest.fixture
def gate(make_gate: MakeGate) -> Gate:
    """$5.00 an hour, and a rate card for `/v2/`."""
    return make_gate(more=CARDS)
