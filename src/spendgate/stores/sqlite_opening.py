"""Making, opening and migrating a ledger file, and saying in words what SQLite found wrong."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import apsw

from spendgate.errors import StoreError
from spendgate.stores.sqlite_rows import sealed
from spendgate.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS, VERSION
from spendgate.stores.tables import NEVER

_PAGE = 2048
"""Bytes of a page in a new file: a booking changes a few bytes in each of four or five, and writes them whole."""
_LOG_PAGES = 4000
"""The log goes into the file when it has so many pages, 8 MB; fewer would wait for the disk more often."""


def prepare(path: Path, synchronous: str, timeout_s: float) -> apsw.Connection:
    """A connection to a ledger of this version; the file is made, or brought up to date, where needed.

    Raises:
        StoreError: the file is no ledger, or of a newer version; it was not changed.
        apsw.Error: SQLite could not read or write it.
    """
    _make(path)
    for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if part.exists() and not os.access(part, os.W_OK):  # SQLite would make a log that nobody can write afterwards
            raise PermissionError(errno.EACCES, "it is read-only", str(part))
    connection = connect(path, synchronous, timeout_s)
    try:
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path, synchronous: str, timeout_s: float) -> apsw.Connection:
    """A connection to a ledger that exists.

    Raises:
        StoreError: the file is no ledger, or of a newer version; it was not changed.
        apsw.Error: SQLite could not read it.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(int(timeout_s * 1000))
        _recognise(connection, path)
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Makes an empty file that only its owner may read. An existing one is never opened here: closing it would let
    go of the locks that SQLite holds on it elsewhere in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


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
            f"{path}: this ledger was written by a newer spendgate (format {version}, this one knows {VERSION}). "
            "It was not changed. Upgrade with `pip install --upgrade spendgate`."
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
            row = sealed("meta", (1, 0, 0, 0, 0, NEVER, 0, "", ""))
            connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


FAULTS = (apsw.Error, OSError, UnicodeDecodeError)
"""What a ledger's file can answer with, instead of rows."""

_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "the disk is full. Nothing was booked; it goes on by itself when there is room"),
    (apsw.NotADBError, "this is not a spendgate ledger. It was not changed. Name another file in `[store] url`"),
    (apsw.CorruptError, "the file is damaged. Nothing was booked. Run `spendgate doctor`, then restore a backup"),
    (UnicodeDecodeError, "the file is damaged. Nothing was booked. Run `spendgate doctor`, then restore a backup"),
    (apsw.ReadOnlyError, "the file is read-only. Nothing was booked. Make it and its folder writable"),
    (apsw.PermissionsError, "the file may not be used by this user. Nothing was booked. Check owner and mode"),
    (PermissionError, "its files may not be used by this user. Nothing was booked. Check owner and mode"),
    (apsw.CantOpenError, "the file cannot be opened. Nothing was booked. Check that its folder exists and is writable"),
    (apsw.IOError, "the disk failed to read or write. Nothing was booked. Check room and health of the disk"),
)


def explain(fault: Exception, path: Path, timeout_s: float) -> StoreError:
    """A fault of SQLite or the system as an error that says what to do."""
    if isinstance(fault, apsw.BusyError):
        return StoreError(
            f"{path}: another program has kept the file locked for more than {timeout_s:g} s. Nothing was booked. "
            f"`spendgate doctor` says more; `[store] timeout` sets how long to wait ({fault})."
        )
    for kind, remedy in _REMEDIES:
        if isinstance(fault, kind):
            return StoreError(f"{path}: {remedy} ({fault}).")
    return StoreError(
        f"{path}: the ledger cannot be read or written ({type(fault).__name__}: {fault}). Nothing was booked."
    )
