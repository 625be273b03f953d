"""The worked example of ARCHITECTURE.md, played in figures."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from spendgate.config import read
from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.opening import gate_for
from spendgate.reserved import Reservation
from spendgate.testing import FakeClock
from tests.conftest import ROOT

CONFIG = """
[store]
url = "memory:"

[[limits]]
usd = "0.10"
window = "1h"
per = ["service"]
"""
CALL = {"service": "research", "resource": "api"}
Then = Callable[[Gate, Reservation, FakeClock], object]


def lapse(gate: Gate, _: Reservation, clock: FakeClock) -> None:
    """Fifteen minutes pass without a word, and another call is asked for."""
    clock.advance(15 * 60)
    gate.reserve(**CALL, at_most="0").void()


def settle_late(gate: Gate, hold: Reservation, clock: FakeClock) -> None:
    """The word comes after the lapse."""
    lapse(gate, hold, clock)
    assert hold.settle("0.003").late


STEPS: dict[str, Then] = {
    "it is held": lambda *_: None,
    "**settled**": lambda _, hold, __: hold.settle("0.003"),
    "or **voided**": lambda _, hold, __: hold.void(),
    "or **lapsed**": lapse,
    "lapsed, and then": settle_late,
    "or settled with 2.5": lambda _, hold, __: hold.settle("0.025"),
}


def documented(step: str) -> list[Decimal]:
    """What is held, spent and left after a step, as the page says."""
    (row,) = [
        line for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines() if line.startswith(f"| {step}")
    ]
    return [Decimal(cell.strip().removeprefix("$")) for cell in row.split("|")[2:5]]


@pytest.mark.parametrize("step", STEPS)
def test_each_step_counts_as_the_page_says(step: str) -> None:
    """What is held, spent and left after each step is what ARCHITECTURE.md shows."""
    clock = FakeClock()
    with gate_for(read(CONFIG), clock) as gate:
        STEPS[step](gate, gate.reserve(**CALL, at_most="0.02"), clock)
        stands = [[one.held, one.spent, one.headroom] for one in gate.status()]
    assert documented(step) == (stands[0] if stands else [0, 0, Decimal("0.10")])


def test_nine_cents_fit_after_the_settle_only() -> None:
    """A call of 9 cents is refused while 2 cents are held or lapsed, and passes once they were 0.3."""
    clock = FakeClock()
    with gate_for(read(CONFIG), clock) as gate:
        hold = gate.reserve(**CALL, at_most="0.02")
        with pytest.raises(SpendLimitError):
            gate.reserve(**CALL, at_most="0.09")
        lapse(gate, hold, clock)
        with pytest.raises(SpendLimitError):
            gate.reserve(**CALL, at_most="0.09")
        hold.settle("0.003")
        gate.reserve(**CALL, at_most="0.09")
