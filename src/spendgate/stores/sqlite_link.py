"""Connections to a ledger file that no fork carries over, and that notice when the file is no longer the same.

SQLite's locks belong to a process. A connection that a forked child inherits believes in locks that only the parent
has, and so does any other connection of the child to that file, since SQLite shares what it knows of a file. When the
parent closes it takes the log for unused and removes it under the child, with all that the child books from then on.
So a connection is closed before a fork, and parent and child each open their own when they next need one.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

from spendgate.errors import StoreError
from spendgate.stores.sqlite_tables import SqliteTables

_NOWHERE = (0, 0)
_stranded: set[tuple[int, int]] = set()
"""The files (device, inode) that this process has inherited an open connection to."""


class Link:
    """A connection, opened when it is first needed. It is used by one thread at a time, the one that has `lock`."""

    def __init__(self, path: Path, opened: Callable[[], SqliteTables], patience_s: float) -> None:
        self.lock = threading.RLock()
        self._path = str(path)
        self._log = f"{path}-wal"
        self._opened = opened
        self._patience_s = patience_s
        self._tables: SqliteTables | None = None
        self._files = (_NOWHERE, _NOWHERE)
        self._pid = 0
        self._parked = False

    def tables(self) -> SqliteTables:
        """The tables of the open file.

        Raises:
            StoreError: this process inherited a connection by a fork that could not be prepared for.
        """
        if self._tables is not None and self._pid == os.getpid():
            return self._tables
        if self._tables is not None:
            self._strand()
        if _place(self._path) in _stranded:
            raise StoreError(
                f"{self._path}: this process was forked while the ledger was in use, by a server that does not tell "
                "Python or amid a long read. Nothing was booked. Open the ledger in each worker, after the fork."
            )
        self._tables, self._pid = self._opened(), os.getpid()
        self._files = (_place(self._path), _place(self._log))
        return self._tables

    def moved(self) -> bool:
        """Whether the file or its log was deleted or replaced since it was opened."""
        if self._tables is None:
            return False
        try:  # in each booking, so no function of its own does it
            file, log = os.stat(self._path), os.stat(self._log)  # noqa: PTH116 - three times as fast
        except OSError:
            return True
        return self._files != ((file.st_dev, file.st_ino), (log.st_dev, log.st_ino))

    def close(self) -> None:
        """Closes the connection. Where the file was replaced meanwhile, the new one's log stays as it is."""
        tables, self._tables = self._tables, None
        if tables is not None:
            if self._files[0] != _place(self._path):
                tables.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            tables.connection.close()

    def before_fork(self) -> None:
        """Closes the connection, once nobody uses it; keeps others from opening it until the fork is done."""
        self._parked = self.lock.acquire(timeout=self._patience_s)
        if self._parked and self._tables is not None and not self._tables.connection.in_transaction:
            self._tables.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._tables.connection.close()
            self._tables = None

    def after_fork(self, in_child: bool) -> None:
        """Lets the threads go on; in the child a connection that could not be closed is left alone for ever."""
        if in_child:
            self.lock = threading.RLock()
            if self._tables is not None:
                self._strand()
        elif self._parked:
            self.lock.release()
        self._parked = False

    def _strand(self) -> None:
        """Keeps an inherited connection and its cursor from ever being closed: the files are the parent's."""
        import ctypes

        if self._tables is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._tables))
            _stranded.add(self._files[0])
        self._tables = None


def _place(path: str) -> tuple[int, int]:
    """Which file (device, inode) has this name now."""
    try:
        found = os.stat(path)  # noqa: PTH116 - three times as fast as a path
    except OSError:
        return _NOWHERE
    return found.st_dev, found.st_ino
