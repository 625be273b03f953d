"""Findings, duplicates and what happens once, in a file that many processes share."""

import re
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import apsw
import pytest

from spendgate.errors import StoreError
from spendgate.findings import Finding
from spendgate.stores import sqlite_schema as schema
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_findings import is_duplicate, pay
from tests.stores.faults.ledgers import held
from tests.stores.faults.workers import FORKED, Worker, in_threads, working

THREADS, EACH = 8, 5
CHURN = Finding("churn", "enrichment", "pipeline", text="it cannot hit")


def pay_again(pipe: Connection, path: Path) -> None:
    """Pays for the same answer from many threads, and notices churn in each; sends the duplicates and the news."""
    store = SqliteStore(path, timeout_s=60)
    pipe.send("ready")
    pipe.recv()

    def work() -> int:
        again = sum(is_duplicate(pay(store, START_AT, "4711")) for _ in range(EACH))
        return again + 1000 * store.begin_finding(CHURN, START_AT).is_news

    found = in_threads(THREADS, work)
    store.close()
    pipe.send(found)


def test_processes_share_one_finding(tmp_path: Path) -> None:
    """Four processes pay for one answer 160 times: one payment was the first, and each finding begins once."""
    path = tmp_path / "ledger.db"
    SqliteStore(path).close()
    workers = [Worker(FORKED, pay_again, path) for _ in range(4)]
    for worker in workers:
        assert worker.pipe.recv() == "ready"
    for worker in workers:
        worker.pipe.send("go")
    found = sum(worker.pipe.recv() for worker in workers)
    for worker in workers:
        worker.join()
        worker.pipe.close()
    assert (found // 1000, found % 1000) == (1, 4 * THREADS * EACH - 1)
    store = SqliteStore(path)
    assert sorted(one.kind for one in store.findings(running_only=True)) == ["churn", "duplicates"]
    assert [event.data["state"] for event in store.events() if event.kind == "finding"] == ["began"] * 2
    (sums,) = store.duplicates(0, 1 << 62)
    duplicates = next(one for one in store.findings() if one.kind == "duplicates")
    assert (sums.duplicates, sums.usd) == (duplicates.data["duplicates"], duplicates.usd)
    assert store.check() == []
    store.close()


def pay_for_ever(pipe: Connection, path: Path) -> None:
    """Pays for the same answer until it is killed; says so only when the store has returned."""
    store = SqliteStore(path, timeout_s=60)
    while True:
        pay(store, START_AT, "4711")
        pipe.send("paid")


@pytest.mark.parametrize("after", [3, 25])
def test_a_kill_leaves_marks_and_finding_in_step(tmp_path: Path, after: int) -> None:
    """Wherever a process dies, what is marked in entries, counted in the streak and said by the finding agrees."""
    path = tmp_path / "ledger.db"
    SqliteStore(path).close()
    with working(pay_for_ever, path) as worker:
        for _ in range(after):
            worker.pipe.recv()
    store = SqliteStore(path)
    for _ in range(20):
        pay(store, START_AT, "4711")
    marked = sum(map(is_duplicate_entry, store.entries()))
    (finding,) = store.findings(running_only=True)
    assert marked >= after + 19
    assert finding.data["duplicates"] == marked
    assert store.check() == []
    store.close()


def is_duplicate_entry(entry: object) -> bool:
    """Whether an entry is marked."""
    return "duplicate" in getattr(entry, "marks", ())


def test_a_ledger_of_format_three_is_brought_up_to_date(tmp_path: Path) -> None:
    """A file that knows no findings is migrated in place, and knows them then."""
    path = tmp_path / "ledger.db"
    store = SqliteStore(path)
    kept = held(store)
    store.close()
    connection = apsw.Connection(str(path))
    for table in re.findall(r"CREATE TABLE (\w+)", "".join(schema.MIGRATIONS[3:])):
        connection.execute(f"DROP TABLE {table}")
    connection.pragma("user_version", 3)
    connection.close()
    store = SqliteStore(path)
    assert store._tables.connection.pragma("user_version") == schema.VERSION
    assert store.entry(kept) is not None
    assert store.once("digest", 1000, START_AT)
    assert store.begin_finding(CHURN, START_AT).is_news
    assert store.check() == []
    store.close()


@pytest.mark.parametrize(
    "harm",
    ["once SET until_at = 1", "streaks SET usd = 7", "findings SET usd = 7", "findings SET text = 'all is well'"],
)
def test_a_changed_row_is_noticed(tmp_path: Path, harm: str) -> None:
    """A row that is not what was written is an error where it is read, and the doctor names its table."""
    path = tmp_path / "ledger.db"
    store = SqliteStore(path)
    for _ in range(21):
        pay(store, START_AT, "4711")
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute(f"UPDATE {harm}")
    connection.close()
    store = SqliteStore(path)
    assert harm.partition(" ")[0] in store.check()[0]
    read = store.findings if harm.startswith("findings") else partial(pay, store, START_AT, "4711")
    with pytest.raises(StoreError, match="damaged"):
        read()
    store.close()
