"""Many threads of many processes on one ledger file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spendgate.ledger import Held, Outcome, Refused
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.conftest import ROOT
from tests.stores.faults.ledgers import CENT, TEN_DOLLARS, begin, cent, held
from tests.stores.faults.workers import FORKED, SPAWNED, Worker, in_threads, spend_in_threads

PROCESSES, THREADS, ATTEMPTS = 4, 32, 10


def admitted_by(path: Path, context: Any) -> int:
    """How many calls of a cent all the processes together get through $10.00."""
    begin(path, TEN_DOLLARS)
    workers = [Worker(context, spend_in_threads, path, THREADS, ATTEMPTS) for _ in range(PROCESSES)]
    try:
        assert [worker.pipe.recv() for worker in workers] == ["ready"] * PROCESSES
        for worker in workers:
            worker.pipe.send("go")
        return sum(worker.pipe.recv() for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.pipe.close()


def assert_exactly_a_thousand(path: Path, context: Any) -> None:
    assert PROCESSES * THREADS * ATTEMPTS > 1000
    assert admitted_by(path, context) == 1000
    store = SqliteStore(path)
    try:
        assert store.check() == []
        assert store.totals().usd == 1000 * CENT
        assert isinstance(store.hold(cent(usd=1), START_AT), Refused)
    finally:
        store.close()


@pytest.mark.parametrize("repeat", range(2))
def test_ten_dollars_are_a_thousand_cents(tmp_path: Path, repeat: int) -> None:
    """128 threads of 4 processes get exactly 1,000 calls of a cent through a limit of $10.00."""
    assert_exactly_a_thousand(tmp_path / "ledger.db", FORKED)


def test_ten_dollars_are_a_thousand_cents_to_spawned_processes(tmp_path: Path) -> None:
    """Processes that start from nothing share the limit as forked ones do."""
    assert_exactly_a_thousand(tmp_path / "ledger.db", SPAWNED)


@pytest.mark.long
@pytest.mark.parametrize("repeat", range(20))
def test_ten_dollars_are_always_a_thousand_cents(tmp_path: Path, repeat: int) -> None:
    """However often it is tried, exactly 1,000 calls get through."""
    assert_exactly_a_thousand(tmp_path / "ledger.db", FORKED)


SCENARIOS = [
    "parent_closes_first",
    "both_go_on",
    "child_leaves_without_closing",
    "fork_within_a_transaction",
    "fork_within_a_read",
    "fork_while_waiting",
    "fork_of_a_fork",
    "child_never_asks",
    "four_children",
    "fork_unknown_to_python",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fork_loses_nothing(tmp_path: Path, scenario: str) -> None:
    """Whenever a process forks and whoever closes first, both sides' bookings are in the ledger, and it is sound."""
    path = tmp_path / "ledger.db"
    begin(path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.stores.faults.forking", scenario, str(path)],
        capture_output=True, text=True, cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    expected = json.loads(done.stdout)
    store = SqliteStore(path)
    try:
        assert store.fault() == ""
        assert store.check() == []
        assert sorted(entry.id for entry in store.entries()) == sorted(expected)
    finally:
        store.close()


def test_two_stores_on_one_file(tmp_path: Path) -> None:
    """Two stores of one process exclude each other like two processes, and see each other's bookings."""
    path = tmp_path / "ledger.db"
    begin(path, TEN_DOLLARS)
    stores = [SqliteStore(path, timeout_s=60) for _ in range(2)]

    def spend() -> int:
        return sum(isinstance(stores[n % 2].hold(cent(), START_AT), Held) for n in range(150))

    try:
        assert in_threads(8, spend) == 1000
        assert stores[0].check() == stores[1].check() == []
        assert stores[0].totals() == stores[1].totals()
    finally:
        stores[0].close()
    try:
        assert isinstance(stores[1].hold(cent(), START_AT), Refused)
    finally:
        stores[1].close()


def test_what_another_store_did_is_never_overlooked(tmp_path: Path) -> None:
    """What a store remembers of its rows is worth nothing once somebody else has written."""
    path = tmp_path / "ledger.db"
    begin(path, TEN_DOLLARS)
    one, two = SqliteStore(path), SqliteStore(path)
    try:
        mine = held(one, usd=4 * CENT)
        two.settle(mine, Outcome(usd=CENT), START_AT)
        assert one.settle(mine, Outcome(usd=CENT), START_AT).entry.weight.usd == CENT
        assert isinstance(two.hold(cent(usd=998 * CENT), START_AT), Held)
        assert isinstance(one.hold(cent(), START_AT), Held)
        assert isinstance(one.hold(cent(usd=1), START_AT), Refused)
        assert one.check() == []
    finally:
        one.close()
        two.close()
