"""The ledgers that are measured on, and what is measured on them."""

from pathlib import Path

import pytest

from bench.bookings import DOORS, capture, in_turns, instant_of, replay
from bench.jsonl import generate
from bench.ledgers import COST, REQUEST, Shelf
from spendgate.clock import HOUR, SECOND, SystemClock
from spendgate.ledger import Held
from spendgate.stores.sqlite import SqliteStore


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Ledgers shared by the tests of this module."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


def test_a_generated_ledger_is_a_ledger(shelf: Shelf) -> None:
    """Checksums, totals, counters and buckets of a generated ledger agree, as if a gate had written it."""
    store = SqliteStore(shelf.ledger(300).copy("looked-at").path)
    try:
        assert store.check() == []
        totals = store.totals()
        assert (totals.entries, totals.head, totals.usd) == (300, 601, 300 * COST)
        standings = store.standings(SystemClock().now())
        assert [(one.limit.name, one.spent) for one in standings][1:] == [
            ("six-hourly", 300 * COST),
            ("daily", 300 * COST),
            ("total", 300 * COST),
        ]
        assert isinstance(store.hold(REQUEST, totals.latest_at), Held)
    finally:
        store.close()


@pytest.mark.parametrize("door", DOORS)
def test_the_bare_side_writes_the_same_rows(door: str, shelf: Shelf) -> None:
    """The captured statements, run bare, leave a ledger that checks out and stands where ours stands."""
    opened, _ = DOORS[door]
    ours = shelf.ledger(300).copy("ours")
    bare = SqliteStore(shelf.ledger(300).copy("bare").path)
    batches = capture(opened(ours), 5, 3)
    seen = SqliteStore(ours.path)
    try:
        for statements in batches:
            replay(bare._tables.connection, statements)
        assert bare.totals() == seen.totals()
        assert bare.totals().entries == 315
        assert bare.check() == []
        assert list(bare.entries()) == list(seen.entries())
    finally:
        bare.close()
        seen.close()


def test_pairs_follow_each_other() -> None:
    """A pair is held after the one before it was settled, so that no instant goes back."""
    assert instant_of(0, 1) - instant_of(0, 0) == 2 * instant_of(0, 0)


def test_the_log_adds_up_what_its_windows_hold(tmp_path: Path) -> None:
    """The log beside us counts its windows right: it refuses once a service has spent its limit."""
    log = generate(tmp_path / "calls.jsonl", 10)
    now_at = SystemClock().now()
    assert log.fits("pipeline", now_at)
    with log.path.open("a", encoding="utf-8") as file:
        file.write(log.path.read_text(encoding="utf-8").splitlines()[-1].replace("0.0031", "6000.0") + "\n")
    assert not log.fits("pipeline", now_at)
    assert log.fits("research", now_at)
    assert log.fits("pipeline", now_at + HOUR + SECOND)


def test_the_bare_side_reads_what_it_writes(shelf: Shelf) -> None:
    """Handles that take turns remember nothing of use, so each of their transactions reads the rows it decides by."""
    (statements,) = capture(in_turns(shelf.ledger(300).copy("turns")), 5, 1)
    begins = [index for index, (sql, _, _) in enumerate(statements) if sql.startswith("BEGIN")]
    for first, last in zip(begins, [*begins[1:], len(statements)], strict=True):
        reads = " ".join(sql for sql, _, reads in statements[first:last] if reads)
        assert " meta" in reads
        assert " counters" in reads
