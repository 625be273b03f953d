"""A full disk, a read-only file, a process that keeps the ledger: an error in time, and then it goes on."""

import os
import resource
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import apsw
import pytest

from spendgate.errors import StoreError
from spendgate.ledger import Held, Outcome
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import CENT, begin, book, cent, held
from tests.stores.faults.workers import keep_lock, keep_writing, working

NOBODY = 65534


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A ledger with a few entries, and little patience."""
    begin(tmp_path / "ledger.db")
    found = SqliteStore(tmp_path / "ledger.db", timeout_s=0.3)
    book(found, 10)
    yield found
    found.close()


def fill_the_disk(pipe: Connection, path: Path) -> None:
    """Books until no file may grow any more, sends what then happens, gets room again, and books on."""
    store = SqliteStore(path)
    room = path.with_name("ledger.db-wal").stat().st_size + 20_000
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    found = []
    try:
        while True:
            found.append(held(store))
            store.settle(found[-1], Outcome(usd=CENT), START_AT)
    except StoreError as fault:
        pipe.send(str(fault))
    for _ in range(3):
        with pytest.raises(StoreError):
            store.settle(held(store), Outcome(usd=CENT), START_AT)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    found += [held(store) for _ in range(3)]
    pipe.send((found, store.check(), store.fault()))
    store.close()


def test_no_file_may_grow(tmp_path: Path) -> None:
    """Without room for another write there is an error that says so, nothing half-written, and with room it goes on."""
    begin(tmp_path / "ledger.db")
    with working(fill_the_disk, tmp_path / "ledger.db") as worker:
        assert "Check room and health of the disk" in worker.pipe.recv()
        found, problems, fault = worker.pipe.recv()
        assert (problems, fault) == ([], "")
        assert worker.join() == 0
    store = SqliteStore(tmp_path / "ledger.db")
    assert set(found) <= {entry.id for entry in store.entries()}
    assert store.check() == []
    store.close()


def test_the_disk_is_full(store: SqliteStore) -> None:
    """A full disk is told as one, nothing is half-written, and when there is room it goes on."""
    pages = store._tables.connection.pragma("page_count")
    store._tables.connection.pragma("max_page_count", pages)
    with pytest.raises(StoreError, match=r"the disk is full\. Nothing was booked; it goes on by itself"):
        book(store, 1000, first=10)
    assert store.check() == []
    store._tables.connection.pragma("max_page_count", 1 << 30)
    held(store)
    assert store.check() == []


def test_the_file_becomes_read_only(store: SqliteStore) -> None:
    """A file that can no longer be written is told as one, can still be read, and is written again when it can be."""
    store._tables.connection.pragma("query_only", True)
    with pytest.raises(StoreError, match=r"the file is read-only\. Nothing was booked"):
        store.hold(cent(), START_AT)
    assert store.totals().entries == 10
    store._tables.connection.pragma("query_only", False)
    held(store)
    assert store.check() == []


def as_nobody(pipe: Connection, folder: Path, modes: dict[str, int]) -> None:
    """Opens a ledger as somebody who may not write it, then as somebody who may."""
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    path = folder / "ledger.db"
    begin(path)
    before = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in modes}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    try:
        found = SqliteStore(path)
        try:
            held(found)
        finally:
            found.close()
    except StoreError as fault:
        pipe.send(str(fault))
    for name, mode in before.items():
        (folder / name).chmod(mode)
    store = SqliteStore(path)
    held(store)
    pipe.send(store.check())
    store.close()


@pytest.mark.parametrize(
    "modes",
    [{"ledger.db": 0o400}, {"ledger.db": 0o000}, {".": 0o500}, {"ledger.db.head": 0o400}, {"ledger.db.lock": 0o000}],
    ids=lambda modes: "+".join(f"{name}={mode:o}" for name, mode in modes.items()),
)
def test_files_that_may_not_be_written(modes: dict[str, int]) -> None:
    """A ledger that may not be written, or its folder or side files, books nothing, names a remedy, and goes on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ledger"
        folder.mkdir(mode=0o700)
        if os.getuid() == 0:  # whom modes do not stop
            Path(name).chmod(0o755)
            os.chown(folder, NOBODY, NOBODY)
        with working(as_nobody, folder, modes) as worker:
            assert "writable" in (said := worker.pipe.recv()) or "Check owner and mode" in said
            assert worker.pipe.recv() == []


def test_a_process_is_halted_with_the_ledger_in_its_hands(store: SqliteStore) -> None:
    """A process that hangs in mid-booking costs others their patience, which the error names, and no more."""
    with working(keep_writing, store.path) as worker:
        assert worker.pipe.recv() == "writing"
        worker.stop()
        for _ in range(3):
            with pytest.raises(StoreError, match=r"has kept the ledger for more than 0\.3 s\. Nothing was booked"):
                store.hold(cent(), START_AT)
        assert store.totals().entries == 10
        worker.go_on()
        worker.pipe.send("end")
        assert worker.pipe.recv() == "done"
        held(store)
    assert store.check() == []


def test_a_halted_process_is_killed(store: SqliteStore) -> None:
    """When the process that hangs is killed, the next in line gets the ledger."""
    with working(keep_writing, store.path) as worker:
        worker.pipe.recv()
        worker.stop()
        with pytest.raises(StoreError):
            store.hold(cent(), START_AT)
        worker.kill()
        held(store)
    assert store.check() == []


def test_the_lock_file_alone_is_kept(store: SqliteStore) -> None:
    """Whoever keeps the lock file keeps the ledger."""
    with working(keep_lock, store.path.with_name("ledger.db.lock")) as worker:
        worker.pipe.recv()
        with pytest.raises(StoreError, match=r"more than 0\.3 s"):
            store.hold(cent(), START_AT)
        worker.pipe.send("let go")
        assert worker.pipe.recv() == "free"
        held(store)


def keep_database(pipe: Connection, path: Path) -> None:
    """Another program, with a transaction of its own on the file."""
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN IMMEDIATE")
    pipe.send("begun")
    pipe.recv()
    connection.execute("ROLLBACK")
    pipe.send("ended")


def test_another_program_keeps_the_file(store: SqliteStore) -> None:
    """A program that knows nothing of our lock is waited for no longer than any other."""
    with working(keep_database, store.path) as worker:
        worker.pipe.recv()
        with pytest.raises(StoreError, match=r"another program has kept the file locked for more than 0\.3 s"):
            store.hold(cent(), START_AT)
        worker.pipe.send("end")
        worker.pipe.recv()
        held(store)


def test_a_thread_keeps_the_ledger(store: SqliteStore) -> None:
    """The patience is the same for a thread of one's own process."""
    assert store._lock.acquire(1)
    found: list[Callable[[], object]] = []

    def run() -> None:
        with pytest.raises(StoreError, match=r"more than 0\.3 s"):
            store.hold(cent(), START_AT)
        found.append(run)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    store._lock.release()
    assert found == [run]
    held(store)


def test_a_booking_within_a_booking(store: SqliteStore) -> None:
    """A booking that starts in the midst of another of its own thread is refused, and the first one is kept."""
    found = []

    def work(_: object) -> None:
        with pytest.raises(StoreError, match="in the midst of a booking"):
            store.hold(cent(), START_AT)
        found.append(store.totals().entries)

    store._write(work)
    assert found == [10]
    held(store)


@pytest.mark.parametrize("close_first", [True, False])
def test_a_closed_ledger_is_told_as_one(store: SqliteStore, close_first: bool) -> None:
    """A ledger that was closed books nothing and says so; closing it again is fine."""
    other = SqliteStore(store.path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.hold(cent(), START_AT)
    with pytest.raises(StoreError, match="was closed"):
        store.totals()
    assert isinstance(other.hold(cent(), START_AT), Held)
    other.close()


def test_a_failed_import_leaves_no_trace(store: SqliteStore) -> None:
    """What a transaction that was undone had made up is forgotten with it."""

    def fail(tables: object) -> None:
        store._tables.insert(next(iter(store.entries())))

    with pytest.raises(StoreError):
        store._write(fail)
    first = held(store)
    again = SqliteStore(store.path)
    found = again.entry(first)
    assert found is not None
    assert found.actor.program == "proof"
    assert again.check() == []
    again.close()
