"""Making, opening and migrating a ledger file, and saying in words what SQLite found wrong."""

import os
from pathlib import Path

import apsw

from spendgate.errors import StoreError
from spendgate.stores.sqlite_rows import checksum
from spendgate.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS, VERSION
from spendgate.stores.tables import NEVER

_BUSY_MS = 10_000


def prepare(path: Path, synchronous: str, timeout_s: float) -> apsw.Connection:
    """A connection to a ledger of this version; the file is made, or brought up to date, where needed.

    Raises:
        StoreError: the file is no ledger, or of a newer version; it was not changed.
        apsw.Error: SQLite could not read or write it.
    """
    _make(path)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(min(int(timeout_s * 1000), _BUSY_MS))
        _recognise(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA cell_size_check = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Makes an empty file that only its owner may read. An existing one is never opened here: closing it would let
    go of the locks that SQLite holds on it elsewhere in this process.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass


def _recognise(connection: apsw.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").get
    version = connection.execute("PRAGMA user_version").get
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if not empty and application != APPLICATION_ID:
        raise StoreError(
            f"{path}: this is an SQLite database, but not a spendgate ledger. It was not changed. "
            "Name another file in `[store] url`."
        )
    if version > VERSION:
        raise StoreError(
            f"{path}: this ledger was written by a newer spendgate (format {version}, this one knows {VERSION}). It was "
            "not changed. Upgrade with `pip install --upgrade spendgate`."
        )


def _migrate(connection: apsw.Connection) -> None:
    if connection.execute("PRAGMA user_version").get == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").get
        for step in MIGRATIONS[version:]:
            connection.execute(step)
        if version == 0:
            row = (0, 0, 0, 0, NEVER, "", 0, "")
            connection.execute(
                "INSERT INTO meta (id, head, total, latest_at, limits_version, next_lapse_at, breakers, lost_until, "
                "ledger, chk) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, checksum(row)),
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "the disk is full. Nothing was booked; it goes on by itself when there is room"),
    (apsw.NotADBError, "this is not a spendgate ledger. It was not changed. Name another file in `[store] url`"),
    (apsw.CorruptError, "the file is damaged. Nothing was booked. Run `spendgate doctor`, then restore a backup"),
    (apsw.ReadOnlyError, "the file is read-only. Nothing was booked. Make it and its folder writable"),
    (apsw.PermissionsError, "the file may not be used by this user. Nothing was booked. Check owner and mode"),
    (apsw.CantOpenError, "the file cannot be opened. Nothing was booked. Check that its folder exists and is writable"),
    (apsw.BusyError, "another program keeps the file locked. Nothing was booked. `spendgate doctor` says more"),
    (apsw.IOError, "the disk failed to read or write. Nothing was booked. Check room and health of the disk"),
)


def explain(fault: Exception, path: Path) -> StoreError:
    """A fault of SQLite or the system as an error that says what to do."""
    for kind, remedy in _REMEDIES:
        if isinstance(fault, kind):
            return StoreError(f"{path}: {remedy} ({fault}).")
    return StoreError(f"{path}: the ledger cannot be read or written ({type(fault).__name__}: {fault}). Nothing was booked.")
