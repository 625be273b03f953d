"""An interrupt at any step of a booking leaves the ledger as it was or with the whole booking, and free for others."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from spendgate.ledger import Outcome
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import CENT, begin, cent, held

STORES = str(Path("spendgate", "stores"))


class InterruptAt:
    """Raises `KeyboardInterrupt` after so many steps of the stores, where Python looks for interrupts itself.

    That is where a function begins, and where a call of something written in C has returned.
    """

    def __init__(self, step: int) -> None:
        self.left = step
        self.where = ""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if event in {"call", "c_return"} and STORES in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno} {event}"
                raise KeyboardInterrupt


def interrupted(step: int, work: Callable[[], object]) -> str:
    """Where the work was interrupted, or empty if it came to its end first."""
    interrupt = InterruptAt(step)
    sys.setprofile(interrupt)
    try:
        work()
    except KeyboardInterrupt:
        return interrupt.where
    finally:
        sys.setprofile(None)
    return ""


@pytest.mark.parametrize("action", ["hold", "settle"])
def test_an_interrupt_at_any_step(tmp_path: Path, action: str) -> None:
    """Wherever a booking is interrupted, others can book at once, and so can this store; no row is half-written."""
    path = tmp_path / "ledger.db"
    begin(path)
    store, other = SqliteStore(path), SqliteStore(path, timeout_s=2)
    step = 0
    while True:
        step += 1
        first = held(store)

        def work(first: str = first) -> object:
            if action == "hold":
                return store.hold(cent(), START_AT)
            return store.settle(first, Outcome(usd=CENT), START_AT)

        if not interrupted(step, work):
            break
        held(other)
        store.settle(first, Outcome(usd=CENT), START_AT)
        if step % 25 == 0:
            assert store.check() == []
    assert step > 100
    assert other.check() == []
    assert store.fault() == ""
    store.close()
    other.close()
