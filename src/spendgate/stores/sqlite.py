"""The ledger in an SQLite file: many threads and processes of one machine, no server.

A booking takes the process's mutex, then a fair lock between processes, then one SQLite transaction; after the commit
the head of the ledger is written beside it. Reads take a snapshot and wait for nobody.

Files: `ledger.db` with SQLite's `-wal` and `-shm`, `.lock` and `.lock-queue` for the turn to write, `.head`.
"""

import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import apsw

from spendgate.errors import LostTailError, StoreError
from spendgate.ledger import Actor, Entry, Event, Sum, Totals
from spendgate.limits import MAX_SCOPES
from spendgate.stores import sqlite_reading as reading
from spendgate.stores.filelock import FairLock
from spendgate.stores.headfile import Head, HeadFile
from spendgate.stores.keeping import LedgerStore
from spendgate.stores.posting import Posting
from spendgate.stores.sqlite_opening import explain, prepare
from spendgate.stores.sqlite_tables import SqliteTables
from spendgate.stores.tables import NEVER, Tables

T = TypeVar("T")

_open_stores: "weakref.WeakSet[SqliteStore]" = weakref.WeakSet()
_left_behind: list[object] = []
"""Connections that a forked child inherited. SQLite forbids to use or to close them there."""


class SqliteStore(LedgerStore):
    """A ledger file. It is made, with its folder, where it does not exist; an older one is brought up to date.

    `synchronous` "normal" survives a crash or kill of any process; after a power cut the last bookings may be missing,
    which the head file then tells. "full" waits for the disk at each booking and survives the power cut too.

    Raises:
        StoreError: the file cannot be opened, is no ledger, or was written by a newer spendgate; it was not changed.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        synchronous: Literal["normal", "full"] = "normal",
        timeout_s: float = 5.0,
        on_lost_tail: Literal["refuse", "charge"] = "refuse",
        max_scopes: int = MAX_SCOPES,
    ) -> None:
        super().__init__(max_scopes)
        self.path = Path(path).absolute()
        self.synchronous = synchronous
        self.timeout_s = timeout_s
        self.on_lost_tail = on_lost_tail
        self._accepting = False
        self._closed = False
        self._open()
        _open_stores.add(self)

    def _open(self) -> None:
        self._mutex = threading.RLock()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FairLock(self.path.with_name(self.path.name + ".lock"))
        except OSError as fault:
            raise StoreError(f"{self.path}: the ledger's folder cannot be written: {fault.strerror}") from fault
        self._head = HeadFile(self.path.with_name(self.path.name + ".head"))
        if not self._lock.acquire(self.timeout_s):
            raise self._too_long()
        try:
            self._connect()
        except (apsw.Error, OSError) as fault:
            raise explain(fault, self.path) from fault
        finally:
            self._lock.release()

    def _connect(self) -> None:
        known = self._head.read()
        connection = prepare(self.path, self.synchronous, self.timeout_s)
        self._tables = SqliteTables(connection)
        meta = self._tables.meta()
        if not self._tables.ledger and known is None:
            self._tables.ledger = secrets.token_hex(8)
            self._tables.put_meta(meta)
            self._head.write(Head(self._tables.ledger, meta.head, meta.total))
        self._tables.verify_counters()
        self._inode = os.stat(self.path).st_ino

    def _too_long(self) -> StoreError:
        return StoreError(
            f"{self.path}: another process or thread has kept the ledger for more than {self.timeout_s:g} s. Nothing was "
            "booked. `spendgate doctor` says who has it open; `[store] timeout` sets how long to wait."
        )

    def _post(self, now_at: int, work: Callable[[Posting], T]) -> T:
        try:
            return super()._post(now_at, work)
        except LostTailError:
            if self.on_lost_tail != "charge" or self._head.read() is None:
                raise
        self.accept_loss(None, "charged as configured", Actor(), now_at)
        return super()._post(now_at, work)

    def _write(self, work: Callable[[Tables], T]) -> T:
        if not self._mutex.acquire(timeout=self.timeout_s):
            raise self._too_long()
        try:
            self._check_open()
            if not self._lock.acquire(self.timeout_s):
                raise self._too_long()
            try:
                return self._transact(work)
            except (apsw.Error, OSError) as fault:
                raise explain(fault, self.path) from fault
            finally:
                self._lock.release()
        finally:
            self._mutex.release()

    def _transact(self, work: Callable[[Tables], T]) -> T:
        tables = self._tables
        tables.begin()
        try:
            if problem := self._lost():
                raise LostTailError(problem)
            result = work(tables)
            tables.commit()
        except BaseException:
            tables.rollback()
            raise
        if tables.written is not None:
            self._head.write(Head(tables.ledger, tables.written.head, tables.written.total))
        return result

    def _read(self, work: Callable[[Tables], T]) -> T:
        """Reads on one snapshot, in turn with the other threads of this process."""
        if not self._mutex.acquire(timeout=self.timeout_s):
            raise self._too_long()
        try:
            self._check_open()
            self._tables.begin("DEFERRED")
            try:
                return work(self._tables)
            finally:
                self._tables.rollback()
        except apsw.Error as fault:
            raise explain(fault, self.path) from fault
        finally:
            self._mutex.release()

    def _look(self, work: Callable[[SqliteTables], T]) -> T:
        return self._read(lambda _: work(self._tables))

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path}: the ledger was closed. Nothing was booked.")

    def _lost(self) -> str:
        """Why this file is not all of the ledger, or empty."""
        if self._accepting:
            return ""
        meta, known = self._tables.meta(), self._head.read()
        remedy = "Restore the newest files, or go on with `spendgate doctor --accept-loss`."
        if self._moved():
            return f"{self.path}: the file was deleted or replaced while it was open. Open it again; then: {remedy}"
        if known is None:
            return f"{self._head.path}: the record of how far the ledger had come is missing or damaged. {remedy}"
        if known.ledger != self._tables.ledger:
            return f"{self.path}: this is not the ledger that {self._head.path.name} was written for. {remedy}"
        if known.head > meta.head:
            return f"{self.path}: the ledger has lost its last {known.head - meta.head:,} writes. {remedy}"
        return ""

    def _moved(self) -> bool:
        try:
            return os.stat(self.path).st_ino != self._inode
        except OSError:
            return True

    def fault(self) -> str:
        """Why the ledger refuses every booking, such as a lost tail; empty where it does not."""
        return self._look(lambda _: self._lost())

    def accept_loss(self, usd: int | None, note: str, actor: Actor, now_at: int) -> int:
        """Goes on after a lost tail: charges `usd`, or what is known to be missing, to every limit in dollars.

        Returns:
            The nano-dollars charged.

        Raises:
            StoreError: the file was replaced while open; open it again first. Nothing was charged.
        """
        if self._moved():
            raise StoreError(f"{self.path}: the file was deleted or replaced while it was open. Open it again first.")
        with self._mutex:
            known = self._head.read()
            self._accepting = True
            try:
                missing = self._look(lambda tables: max(known.total - tables.meta().total, 0) if known else 0)
                charged = missing if usd is None else usd
                self._write(lambda tables: self._catch_up(known, tables))
                self.charge_lost(charged, note, actor, now_at)
            finally:
                self._accepting = False
        return charged

    def _catch_up(self, known: Head | None, tables: Tables) -> None:
        """Takes the ledger's head beyond what was lost, so that no number is given twice."""
        meta = tables.meta()
        meta.head = max(meta.head, known.head if known else 0) + 1
        self._tables.ledger = self._tables.ledger or secrets.token_hex(8)
        tables.put_meta(meta)

    def entry(self, hold_id: str) -> Entry | None:
        """One reservation, or None."""
        return self._look(lambda tables: reading.entry(tables, hold_id))

    def entries(self, since_at: int = 0, until_at: int = NEVER) -> Iterator[Entry]:
        """The entries held or imported in a stretch of time, imported ones first, a chunk at a time."""
        return reading.entries(self._look, since_at, until_at)

    def events(self, since_at: int = 0) -> Iterator[Event]:
        """The events, oldest first."""
        return iter(self._look(lambda tables: reading.events(tables, since_at)))

    def sums(self, by: Sequence[str], since_at: int, until_at: int, every: int = 0) -> Iterator[Sum]:
        """Entries summed by fields and, with `every`, by stretches of that many microseconds."""
        return iter(self._look(lambda tables: reading.sums(tables, by, since_at, until_at, every)))

    def work(self, since_at: int, until_at: int) -> list[tuple[str, int, int]]:
        """(service, minute as an instant, count) of the work done."""
        return self._look(lambda tables: reading.work(tables, since_at, until_at))

    def totals(self) -> Totals:
        """Head, running total, latest instant and number of entries."""
        return self._look(reading.totals)

    def check(self) -> list[str]:
        """What is wrong with the ledger, in words: SQLite's own check, checksums, sums, buckets. Takes its time."""

        def look(tables: SqliteTables) -> list[str]:
            lost = self._lost()
            return [*([lost] if lost else []), *reading.check(tables, self._in_force(tables, tables.meta()))]

        return self._look(look)

    def close(self) -> None:
        """Closes the file. A second close is fine."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._tables.connection.close()
                self._lock.close()
                self._head.close()

    def _forked(self) -> None:
        """In a forked child: leaves the parent's connection and locks alone and opens its own when first asked."""
        if not self._closed:
            _left_behind.append(self._tables)
            self._lock.close()
            self._head.close()
            self._mutex = threading.RLock()
            self._open()


def _after_fork() -> None:
    for store in list(_open_stores):
        store._forked()  # noqa: SLF001


os.register_at_fork(after_in_child=_after_fork)
