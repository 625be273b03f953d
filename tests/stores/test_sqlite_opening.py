"""What is opened as a ledger, what is refused, and what becomes of an older one."""

import stat
from pathlib import Path

import apsw
import pytest

from spendgate.cacheminutes import CacheMinute
from spendgate.errors import StoreError
from spendgate.ledger import Outcome
from spendgate.stores import sqlite_schema as schema
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.images import entries_of, standings_of
from tests.stores.faults.ledgers import CENT, ROOMY, SOMEBODY, begin, book, held


def test_files_and_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    """Every file of a ledger has mode 0600, and a folder made for it 0700."""
    path = tmp_path / "new" / "deeper" / "ledger.db"
    store = SqliteStore(path)
    held(store)
    files = {part.name: stat.S_IMODE(part.stat().st_mode) for part in path.parent.iterdir()}
    assert set(files) == {f"ledger.db{end}" for end in ("", "-wal", "-shm", ".lock", ".lock-queue", ".head")}
    assert set(files.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that is something else is refused and stays as it is."""
    path = tmp_path / "ledger.db"
    path.write_text("timestamp,service,cost\n" * 200)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"this is not a spendgate ledger\. It was not changed\. Name another file"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_another_applications_database_is_refused(tmp_path: Path) -> None:
    """Another application's database is refused and stays as it is, down to its journal mode."""
    path = tmp_path / "ledger.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (7)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"not a spendgate ledger\. It was not changed"):
        SqliteStore(path)
    assert path.read_bytes() == before
    assert not path.with_name("ledger.db-wal").exists()


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    """A ledger of a newer format is refused with the command that helps, and stays as it is."""
    path = tmp_path / "ledger.db"
    begin(path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", schema.VERSION + 1)
    connection.close()
    formats = rf"newer spendgate \(format {schema.VERSION + 1}, this one knows {schema.VERSION}\)"
    with pytest.raises(StoreError, match=f"{formats}.*pip install --upgrade"):
        SqliteStore(path)


def make_old(path: Path, new: Path) -> None:
    """A ledger of the first format with what a newer one holds."""
    connection = apsw.Connection(str(path))
    connection.execute(schema.MIGRATIONS[0])
    connection.execute("ATTACH ? AS new", (str(new),))
    for (table,) in list(connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")):
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM new.{table}")
    connection.execute("DETACH new")
    connection.pragma("application_id", schema.APPLICATION_ID)
    connection.pragma("user_version", 1)
    connection.pragma("journal_mode", "wal")
    connection.close()
    path.with_name(path.name + ".head").write_bytes(new.with_name(new.name + ".head").read_bytes())


def test_an_older_ledger_is_brought_up_to_date(tmp_path: Path) -> None:
    """A ledger of the first format is migrated in place, with all that it holds, and can do what is new."""
    new = tmp_path / "new.db"
    begin(new)
    store = SqliteStore(new)
    book(store, 20)
    expected = entries_of(store), standings_of(store), store.limits_history(), list(store.events())
    store.close()
    make_old(tmp_path / "old.db", new)
    old = SqliteStore(tmp_path / "old.db")
    assert old.fault() == ""
    assert old.check() == []
    assert (entries_of(old), standings_of(old), old.limits_history(), list(old.events())) == expected
    old.processed("pipeline", 3, START_AT)
    assert old.work(0, START_AT + 1)[0][2] == 3
    old.add_cache_minutes([CacheMinute("enrichment", "pipeline", "v7", START_AT, hits=3)], START_AT)
    assert old.cache_minutes(0, START_AT + 1)[0].hits == 3
    held(old)
    assert old.check() == []
    old.close()
    again = SqliteStore(tmp_path / "old.db")
    assert again._tables.connection.pragma("user_version") == schema.VERSION
    again.close()


def test_a_crash_while_migrating_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that does not come to its end leaves the older ledger as it was, to be migrated another time."""
    new = tmp_path / "new.db"
    begin(new)
    make_old(tmp_path / "old.db", new)
    with monkeypatch.context() as patch:
        patch.setattr(
            "spendgate.stores.sqlite_opening.MIGRATIONS", (*schema.MIGRATIONS[:1], "CREATE TABLE half (x); bad")
        )
        with pytest.raises(StoreError):
            SqliteStore(tmp_path / "old.db")
    store = SqliteStore(tmp_path / "old.db")
    assert store.check() == []
    held(store)
    store.close()


def test_a_crash_while_a_new_ledger_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger whose maker died between its name in the head file and its name in the file is whole."""

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "ledger.db"
    with monkeypatch.context() as patch:
        patch.setattr("spendgate.stores.sqlite_tables.SqliteTables.put_meta", crash)
        with pytest.raises(KeyboardInterrupt):
            SqliteStore(path)
    assert path.with_name("ledger.db.head").exists()
    store = SqliteStore(path)
    assert store.fault() == ""
    held(store)
    store.close()


def test_an_empty_ledger_beside_a_damaged_head_file_is_not_taken_for_new(tmp_path: Path) -> None:
    """A head file that cannot be read may be of a ledger that is gone: a new file beside it is refused."""
    path = tmp_path / "ledger.db"
    path.with_name("ledger.db.head").write_text("something else\n")
    store = SqliteStore(path)
    assert "missing or damaged" in store.fault()
    store.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A ledger below something that is no folder is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder cannot be made"):
        SqliteStore(tmp_path / "file" / "ledger.db")


def test_the_settings_of_the_file(tmp_path: Path) -> None:
    """A ledger writes a log ahead, waits for the disk as configured, and has small pages."""
    for synchronous, level in (("normal", 1), ("full", 2)):
        store = SqliteStore(tmp_path / "ledger.db", synchronous=synchronous)
        connection = store._tables.connection
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == level
        assert connection.pragma("page_size") == 2048
        store.close()


def test_a_long_import_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import is booked in pieces, so that it keeps nobody waiting; cut off and begun again, nothing counts twice."""
    monkeypatch.setattr("spendgate.stores.sqlite.CHUNK", 7)
    source = SqliteStore(tmp_path / "source.db")
    source.apply_limits(ROOMY, "proof", SOMEBODY, START_AT)
    book(source, 20)
    history = list(source.entries())
    store = SqliteStore(tmp_path / "ledger.db")

    def cut_off() -> object:
        yield from history[:12]
        raise OSError("the log ends here")

    with pytest.raises(OSError, match="ends here"):
        store.add_imported(cut_off())  # type: ignore[arg-type]
    assert store.add_imported(history) == (13, 7)
    assert [entry.id for entry in store.entries()] == [entry.id for entry in history]
    assert store.check() == []
    store.close()
    source.close()


def test_compaction_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old entries are rolled up a piece at a time, and no total changes."""
    monkeypatch.setattr("spendgate.stores.sqlite_tables.CHUNK", 7)
    store = SqliteStore(tmp_path / "ledger.db")
    book(store, 30)
    late = START_AT + 500 * 86_400_000_000
    for entry in list(store.entries()):
        if entry.state == "held":
            store.settle(entry.id, Outcome(usd=CENT), late)
    usd = store.totals().usd
    rolled = store.compact(START_AT + 86_400_000_000, late)
    assert rolled > 7
    assert store.totals().usd == usd
    assert store.check() == []
    store.close()
