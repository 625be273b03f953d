"""What is said of a settle that differs from the one before it."""

from decimal import Decimal

import pytest

from spendgate.errors import ReservationStateError
from spendgate.ledger import Outcome
from spendgate.pricing.tariff import Step, Tariff
from spendgate.stores.memory import MemoryStore
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import ask, held

FREE = Tariff("maps", "rows", (Step(Decimal(1000), Decimal(0)), Step(None, Decimal(1))))


@pytest.mark.parametrize(
    ("first", "again", "said"),
    [
        (Outcome(usd=3_000_000), Outcome(usd=2_000_000_000), "at $0.003 and cannot be settled again at $2.00:"),
        (Outcome(tokens=1200), Outcome(tokens=0), "at 1,200 tokens and cannot be settled again at 0 tokens:"),
        (
            Outcome(usd=1, units=(("gb", 2_500_000),)),
            Outcome(usd=10**9, calls=2, units=(("rows", 7_000_000),)),
            "at $0.000000001, 1 calls, 2.5 gb, 0 rows and cannot be settled again at $1.00, 2 calls, 0 gb, 7 rows:",
        ),
        (
            Outcome(tariff_units=5_000_000),
            Outcome(tariff_units=6_000_000),
            "at 5 rows and cannot be settled again at 6 rows:",
        ),
    ],
)
def test_another_settle_is_told_by_what_differs(first: Outcome, again: Outcome, said: str) -> None:
    """The error has both amounts, as people read them, and nothing that agrees."""
    store = MemoryStore()
    name = held(store.hold(ask(5, tariff=FREE, tariff_units=1_000_000), START_AT)).id
    store.settle(name, first, START_AT)
    with pytest.raises(ReservationStateError) as caught:
        store.settle(name, again, START_AT)
    assert f"{name} is already settled {said} a reservation ends once. Nothing was changed." in str(caught.value)
