"""A ledger that is deleted, replaced or damaged while it is open, and how to go on after a loss."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from spendgate.errors import LostTailError, ReservationStateError, StoreError
from spendgate.ledger import Outcome, Refused
from spendgate.stores.sqlite import SqliteStore
from spendgate.stores.sqlite_tables import SqliteTables
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.images import bytes_of, entries_of, image, said_by
from tests.stores.faults.ledgers import CENT, SOMEBODY, TEN_DOLLARS, USD, begin, book, cent, held
from tests.stores.faults.workers import overwrite, working

LATER = START_AT + 3_600_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A ledger with ten cents in it, of ten dollars that may be spent."""
    begin(tmp_path / "ledger.db", TEN_DOLLARS)
    found = SqliteStore(tmp_path / "ledger.db")
    for _ in range(10):
        found.settle(held(found), Outcome(usd=CENT), START_AT)
    yield found
    found.close()


def take_back(store: SqliteStore, folder: Path, *names: str) -> None:
    """Puts older files in the place of the ledger's, as restoring a backup does."""
    for name in names:
        part = store.path.with_name(name)
        part.unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, part)


def test_the_file_is_deleted_while_open(store: SqliteStore) -> None:
    """The next decision notices that the file is gone, and so does whoever opens the ledger then."""
    store.path.unlink()
    with pytest.raises(LostTailError, match=r"lost its last|not the ledger"):
        store.hold(cent(), LATER)
    assert "--accept-loss" in store.fault()
    again = SqliteStore(store.path)
    assert again.fault() == store.fault()
    again.close()


def test_the_log_is_deleted_while_open(store: SqliteStore) -> None:
    """Nothing is lost where the only process that has the ledger open can still write the log into the file."""
    store.path.with_name("ledger.db-wal").unlink()
    held(store, LATER)
    assert store.check() == []
    assert store.totals().usd == 11 * CENT


def test_the_log_is_deleted_while_two_have_it_open(store: SqliteStore) -> None:
    """While another process still has the log that was deleted nothing is booked; when it closes all is there again."""
    other = SqliteStore(store.path)
    held(other, LATER)
    store.path.with_name("ledger.db-wal").unlink()
    with suppress(StoreError):
        held(store, LATER)
    other.close()
    found = SqliteStore(store.path)
    assert found.fault() == ""
    assert found.check() == []
    assert found.totals().usd in {11 * CENT, 12 * CENT}
    found.close()


def test_the_head_file_is_deleted_while_open(store: SqliteStore) -> None:
    """Without its head file a ledger refuses, and says which file it misses."""
    store.path.with_name("ledger.db.head").unlink()
    with pytest.raises(LostTailError, match=r"ledger\.db\.head: the record .* is missing"):
        store.hold(cent(), LATER)
    assert len(store.check()) == 1


@pytest.mark.parametrize("names", [("ledger.db", "ledger.db-wal"), ("ledger.db", "ledger.db-wal", "ledger.db.head")])
def test_a_backup_is_restored_while_open(store: SqliteStore, tmp_path: Path, names: tuple[str, ...]) -> None:
    """A process notices that it has seen more than the file holds, even if the head file was restored as well."""
    old = image(store, tmp_path / "old")
    held(store, LATER)
    held(store, LATER)
    take_back(store, old.folder, *names)
    with pytest.raises(LostTailError, match="lost its last 2 writes"):
        store.hold(cent(), LATER)


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("names", [("ledger.db",), ("ledger.db", "ledger.db-wal")], ids="+".join)
def test_a_backup_is_copied_over_the_open_file(tmp_path: Path, names: tuple[str, ...], checkpoint: bool) -> None:
    """Older contents written into the very files that are open are noticed, or overwritten by what is newer."""
    begin(tmp_path / "ledger.db")
    store = SqliteStore(tmp_path / "ledger.db")
    book(store, 20)
    store._tables.connection.wal_checkpoint()
    old = image(store, tmp_path / "old")
    book(store, 20, first=20)
    if checkpoint:
        store._tables.connection.wal_checkpoint()
    whole = image(store, tmp_path / "whole")
    for name in names:  # another process writes: closing the ledger's file here would drop its locks
        subprocess.run(["cp", str(old.folder / name), str(tmp_path / name)], check=True)
    assert said_by(store, whole) or (checkpoint, names) == (False, ("ledger.db",))
    with suppress(StoreError):
        store.close()


def test_the_folder_is_swapped_while_open(store: SqliteStore, tmp_path: Path) -> None:
    """Another ledger in the place of this one is not taken for it, and keeps its own log."""
    other = tmp_path / "other" / "ledger.db"
    begin(other)
    theirs = SqliteStore(other)
    held(theirs)
    found = image(theirs, tmp_path / "image")
    theirs.close()
    take_back(store, found.folder, "ledger.db", "ledger.db-wal", "ledger.db.head")
    with pytest.raises(LostTailError, match="not the ledger"):
        store.hold(cent(), LATER)
    store.close()
    again = SqliteStore(store.path)
    assert again.fault() == ""
    assert set(entries_of(again)) == set(found.entries)
    again.close()


def test_bits_flip_while_open(tmp_path: Path) -> None:
    """Bits that flip on disk under an open ledger are noticed there or by the next to open it, or harm nothing."""
    begin(tmp_path / "ledger.db")
    for position in range(0, 200_000, 9_001):
        folder = tmp_path / str(position)
        folder.mkdir()
        shutil.copyfile(tmp_path / "ledger.db", folder / "ledger.db")
        shutil.copyfile(tmp_path / "ledger.db.head", folder / "ledger.db.head")
        store = SqliteStore(folder / "ledger.db")
        book(store, 15)
        whole = image(store, folder / "whole")
        target = folder / ("ledger.db-wal" if position % 3 else "ledger.db")
        with working(overwrite, target, position % target.stat().st_size, 1 << position % 8) as worker:
            worker.pipe.recv()
        with suppress(StoreError):
            said = said_by(store, whole)
            store.close()
            again = SqliteStore(folder / "ledger.db")
            assert said or again.fault() or again.check() or set(whole.entries) <= set(entries_of(again))
            again.close()
        store.close()


def lose(store: SqliteStore, folder: Path, cents: int) -> list[str]:
    """Books so many cents and then puts the ledger back to before; the ids that are gone."""
    old = image(store, folder / "old")
    gone = [held(store, LATER) for _ in range(cents)]
    store.close()
    take_back(store, old.folder, "ledger.db", "ledger.db-wal")
    return gone


def test_a_loss_can_be_accepted(store: SqliteStore, tmp_path: Path) -> None:
    """Accepting a loss charges what is missing to the limits and gives no number twice; settling what is gone fails."""
    gone = lose(store, tmp_path, 5)
    again = SqliteStore(store.path)
    with pytest.raises(LostTailError, match="lost its last 5 writes"):
        again.hold(cent(), LATER)
    assert again.accept_loss(None, "disk replaced", SOMEBODY, LATER) == 5 * CENT
    assert again.fault() == ""
    assert again.check() == []
    (standing,) = again.standings(LATER)
    assert standing.spent == 15 * CENT
    new = held(again, LATER)
    assert int(new.partition("-")[0]) > max(int(one.partition("-")[0]) for one in gone)
    with pytest.raises(ReservationStateError, match="not known to this ledger"):
        again.settle(gone[0], Outcome(usd=CENT), LATER)
    (event,) = [event for event in again.events() if event.kind == "lost"]
    assert (event.data["usd"], event.data["note"]) == (5 * CENT, "disk replaced")
    again.close()


def test_a_loss_can_be_stated(store: SqliteStore, tmp_path: Path) -> None:
    """Who accepts a loss can say what it came to."""
    lose(store, tmp_path, 5)
    again = SqliteStore(store.path)
    assert again.accept_loss(3 * USD, "from the bill", SOMEBODY, LATER) == 3 * USD
    assert again.standings(LATER)[0].spent == 3 * USD + 10 * CENT
    again.close()


def test_a_crash_while_a_loss_is_accepted(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss is accepted and charged in one step: a crash before its end leaves the ledger refusing as before."""

    def crash(tables: SqliteTables) -> None:
        raise KeyboardInterrupt

    lose(store, tmp_path, 5)
    again = SqliteStore(store.path)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteTables, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            again.accept_loss(None, "first try", SOMEBODY, LATER)
    with pytest.raises(LostTailError, match="lost its last 5 writes"):
        again.hold(cent(), LATER)
    assert again.accept_loss(None, "second try", SOMEBODY, LATER) == 5 * CENT
    again.close()


def test_without_its_head_file_numbers_leap(store: SqliteStore) -> None:
    """Where nobody knows how many writes there were, the numbers go on far beyond."""
    head = store.totals().head
    store.path.with_name("ledger.db.head").unlink()
    assert store.accept_loss(None, "deleted by mistake", SOMEBODY, LATER) == 0
    assert store.totals().head > head + 1000
    assert store.fault() == ""
    held(store, LATER)


def test_a_loss_is_charged_by_itself(store: SqliteStore, tmp_path: Path) -> None:
    """With `on_lost_tail = "charge"` the next decision charges what is missing and goes on, once for all processes."""
    lose(store, tmp_path, 5)
    one, two = (SqliteStore(store.path, on_lost_tail="charge") for _ in range(2))
    assert isinstance(one.hold(cent(usd=10 * USD - 15 * CENT + 1), LATER), Refused)
    held(two, LATER, usd=10 * USD - 15 * CENT)
    assert len([event for event in two.events() if event.kind == "lost"]) == 1
    assert one.check() == []
    one.close()
    two.close()


def test_what_nobody_knows_is_not_charged_by_itself(store: SqliteStore) -> None:
    """Without a head file there is no difference to charge: the ledger refuses, whatever is configured."""
    store.close()
    store.path.with_name("ledger.db.head").unlink()
    again = SqliteStore(store.path, on_lost_tail="charge")
    with pytest.raises(LostTailError, match="missing"):
        again.hold(cent(), LATER)
    again.close()


def test_a_deleted_ledger_keeps_its_limits(store: SqliteStore) -> None:
    """A process that charges the loss of a whole ledger puts the limits that it knew back in force first."""
    running = SqliteStore(store.path, on_lost_tail="charge")
    bystander = SqliteStore(store.path)
    held(running, LATER)
    held(bystander, LATER)
    for part in store.path.parent.glob("ledger.db*"):
        if not part.name.endswith(".head") and ".lock" not in part.name:
            part.unlink()
    assert isinstance(running.hold(cent(usd=10 * USD - 12 * CENT + 1), LATER), Refused)
    held(running, LATER, usd=10 * USD - 12 * CENT)
    assert isinstance(bystander.hold(cent(), LATER), Refused)
    assert running.check() == []
    running.close()
    bystander.close()


def test_a_ledger_that_forgot_its_limits_refuses(store: SqliteStore) -> None:
    """A process that knows of limits does not take a ledger without any for one that allows everything."""
    for part in store.path.parent.glob("ledger.db*"):
        if ".lock" not in part.name:
            part.unlink()
    other = SqliteStore(store.path)
    assert other.fault() == ""
    held(other, LATER, usd=50 * USD)
    with pytest.raises(LostTailError):
        store.hold(cent(), LATER)
    other.close()


def test_a_head_file_that_fell_behind_catches_up(store: SqliteStore) -> None:
    """A crash between commit and head file leaves the ledger ahead; the next booking sets that right."""
    head = store.path.with_name("ledger.db.head")
    before = bytes_of(head)
    held(store, LATER)
    head.write_bytes(before)
    assert store.fault() == ""
    held(store, LATER)
    assert int(head.read_text().split()[1]) == store.totals().head
