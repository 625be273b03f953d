"""The faults that the ledger must never have: the model notices each of them."""

from pathlib import Path

import pytest

from tests.mutants.cache_faults import CACHES
from tests.mutants.faults import ALL, NAMED, Fault
from tests.mutants.finding_faults import FINDINGS
from tests.mutants.planting import hunt, plant


@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.name)
def test_the_model_notices(fault: Fault) -> None:
    """A fault planted in the heart of the ledger makes the model fail."""
    assert hunt(fault).by == "the model"


def test_every_fault_can_be_planted(tmp_path: Path) -> None:
    """Each fault still names a piece of the sources, exactly once, and leaves a module that Python can read."""
    for number, fault in enumerate((*ALL, *FINDINGS, *CACHES)):
        folder = plant(fault, tmp_path / str(number))
        compile((folder / "spendgate" / fault.path).read_text(encoding="utf-8"), fault.path, "exec")


def test_the_right_sources_pass() -> None:
    """What is noticed is the fault, and not the way in which it is looked for."""
    harmless = Fault("nothing", "money.py", '"""Money as whole', '"""Money, as whole')
    assert not hunt(harmless, examples=50).caught
