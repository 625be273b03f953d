"""The faults that the ledger must never have: the model notices each of them."""

import pytest

from tests.mutants.every import EVERY
from tests.mutants.faults import NAMED, Fault
from tests.mutants.planting import hunt, planted


@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.name)
def test_the_model_notices(fault: Fault) -> None:
    """A fault planted in the heart of the ledger makes the model fail."""
    assert hunt(fault).by == "the model"


def test_every_fault_can_be_planted() -> None:
    """Each fault still names a piece of the sources, exactly once, and leaves a module that Python can read."""
    for fault in EVERY:
        compile(planted(fault), fault.path, "exec")


def test_the_right_sources_pass() -> None:
    """What is noticed is the fault, and not the way in which it is looked for."""
    harmless = Fault("nothing", "money.py", '"""Money as whole', '"""Money, as whole')
    assert not hunt(harmless, examples=50).caught
