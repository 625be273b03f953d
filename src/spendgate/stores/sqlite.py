"""The ledger in an SQLite file: many threads and processes of one machine, no server.

A booking takes a fair lock between threads and processes, then one SQLite transaction; after the commit the head of the
ledger is written beside it. Reads have a connection of their own and wait for no booking.

Files: `ledger.db` with SQLite's `-wal` and `-shm`, `.lock` and `.lock-queue` for the turn to write, `.head`.
"""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

from spendgate.clock import monotonic
from spendgate.errors import LostTailError, StoreError
from spendgate.freshness import Duplicates
from spendgate.ledger import Actor, Entry, Event, Sum, Totals
from spendgate.limits import MAX_SCOPES
from spendgate.stores import sqlite_reading as reading
from spendgate.stores.filelock import FairLock
from spendgate.stores.keeping import LedgerStore
from spendgate.stores.sqlite_link import Link
from spendgate.stores.sqlite_opening import FAULTS, connect, explain, prepare
from spendgate.stores.sqlite_tables import CHUNK, SqliteTables
from spendgate.stores.sqlite_tail import Tail
from spendgate.stores.tables import NEVER, Tables

P = ParamSpec("P")
T = TypeVar("T")

_stores: "weakref.WeakSet[SqliteStore]" = weakref.WeakSet()


class SqliteStore(LedgerStore):
    """A ledger file. It is made, with its folder, where it does not exist; an older one is brought up to date.

    `synchronous` "normal" survives a crash or kill of any process; after a power cut the last bookings may be missing.
    "full" waits for the disk at each booking and survives the power cut too.

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
        self._closed = False
        self._accepting: Literal["", "limits", "charge"] = ""
        self._lock = FairLock(self.path.with_name(self.path.name + ".lock"))
        self._tail = Tail(self.path)
        self._writer = Link(self.path, self._prepare, timeout_s)
        self._reader = Link(self.path, lambda: SqliteTables(connect(self.path, synchronous, timeout_s)), timeout_s)
        _stores.add(self)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._exclusively(bool)
        except BaseException as fault:
            self.close()
            if isinstance(fault, OSError):
                raise StoreError(f"{self.path}: the ledger's folder cannot be made: {fault.strerror}") from fault
            raise

    def _prepare(self) -> SqliteTables:
        tables = SqliteTables(prepare(self.path, self.synchronous, self.timeout_s))
        try:
            self._tail.name(tables)
            tables.verify_counters()
        except BaseException:
            tables.connection.close()
            raise
        return tables

    @property
    def _tables(self) -> SqliteTables:
        """The open file; the bench watches it, and nobody else should."""
        return self._writer.tables()

    def _lost_tail(self, lost: LostTailError, now_at: int) -> None:
        if self.on_lost_tail != "charge":
            raise lost
        self._exclusively(self._charge_missing, now_at)

    def _write(self, work: Callable[[Tables], T]) -> T:
        return self._exclusively(self._transact, work)

    @property
    def in_midst(self) -> bool:
        """Whether this thread is in the midst of a booking, in which a signal's handler may have interrupted it."""
        return self._lock.mine

    def _exclusively(self, work: Callable[Concatenate[SqliteTables, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does something while no other thread or process writes."""
        if self._lock.mine:
            if self._accepting:
                return work(self._writer.tables(), *args, **kwargs)
            raise StoreError(f"{self.path}: this thread is in the midst of a booking. Nothing more was booked.")
        until = monotonic() + self.timeout_s
        try:
            if not self._lock.acquire(self.timeout_s):
                raise self._too_long()
            with self._writer.lock:
                if self._closed:
                    raise self._was_closed()
                if self._writer.moved():
                    self._writer.close()
                tables = self._writer.tables()
                tables.connection.set_busy_timeout(int((until - monotonic()) * 1000))
                return work(tables, *args, **kwargs)
        except FAULTS as fault:
            raise explain(fault, self.path, self.timeout_s) from fault
        finally:
            try:
                self._lock.release()
            except BaseException:  # an interrupt on the way there
                self._lock.release()
                raise

    def _transact(self, tables: SqliteTables, work: Callable[[Tables], T]) -> T:
        try:
            tables.begin()
            if self._accepting:
                self._tail.leap(tables)
            else:
                self._tail.verify(tables)
            result = work(tables)
            tables.commit()
        except BaseException:
            tables.rollback()
            raise
        if self._accepting != "limits":
            self._tail.write(tables, self._force)
        return result

    def _look(self, work: Callable[[SqliteTables], T]) -> T:
        """Reads on one snapshot, in turn with other reading threads of this process."""
        try:
            with self._reader.lock:
                if self._closed:
                    raise self._was_closed()
                if self._reader.moved():
                    self._reader.close()
                tables = self._reader.tables()
                tables.begin("DEFERRED")
                try:
                    return work(tables)
                finally:
                    tables.rollback()
        except FAULTS as fault:
            raise explain(fault, self.path, self.timeout_s) from fault

    def _read(self, work: Callable[[Tables], T]) -> T:
        return self._look(work)

    def _was_closed(self) -> StoreError:
        return StoreError(f"{self.path}: the ledger was closed. Nothing was booked.")

    def _too_long(self) -> StoreError:
        if self._closed:
            return self._was_closed()
        return StoreError(
            f"{self.path}: another process or thread has kept the ledger for more than {self.timeout_s:g} s. Nothing "
            "was booked. `spendgate doctor` says who has it open; `[store] timeout` sets how long to wait."
        )

    def fault(self) -> str:
        """Why the ledger refuses every booking, such as a lost tail; empty where it does not."""
        witness = self._tail.witness()
        return self._look(lambda tables: self._tail.problem(tables, witness))

    def accept_loss(self, usd: int | None, note: str, actor: Actor, now_at: int) -> int:
        """Goes on after a lost tail: charges `usd`, or what is known to be missing, to every limit in dollars.

        Returns:
            The nano-dollars charged.
        """
        return self._exclusively(self._accept, usd, note, actor, now_at)

    def _accept(self, tables: SqliteTables, usd: int | None, note: str, actor: Actor, now_at: int) -> int:
        """Limits first, then what is lost: the head file learns of it last, so a crash leaves the loss in sight."""
        tables.begin()
        missing, limits = self._tail.missing(tables), self._tail.lost_limits(tables.meta())
        tables.rollback()
        charged = missing if usd is None else usd
        try:
            if limits is not None:
                self._accepting = "limits"
                self.apply_limits(limits, "a program that had the ledger open", actor, now_at)
            self._accepting = "charge"
            self.charge_lost(charged, note, actor, now_at)
        finally:
            self._accepting = ""
        return charged

    def _charge_missing(self, tables: SqliteTables, now_at: int) -> None:
        """Accepts the loss by itself, unless another process has just done so."""
        tables.begin()
        try:
            self._tail.verify(tables)
        except LostTailError:
            if not self._tail.is_known:
                raise
        else:
            return
        finally:
            tables.rollback()
        self._accept(tables, None, "charged as configured", Actor(), now_at)

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        """Adds history, in pieces: a long import keeps no booking waiting, and can be taken up again."""
        added = known = 0
        left = iter(entries)
        while chunk := list(islice(left, CHUNK)):
            some, others = super().add_imported(chunk)
            added, known = added + some, known + others
        return added, known

    def compact(self, before_at: int, now_at: int) -> int:
        """Rolls entries that ended before an instant into daily sums, in pieces; how many. No total changes."""
        rolled = 0
        while some := super().compact(before_at, now_at):
            rolled += some
        return rolled

    def entry(self, hold_id: str) -> Entry | None:
        """One reservation, or None."""
        return self._look(lambda tables: reading.entry(tables, hold_id))

    def entries(self, since_at: int = 0, until_at: int = NEVER) -> Iterator[Entry]:
        """The entries held or imported in a stretch of time, imported ones first, a chunk at a time."""
        return reading.entries(self._look, since_at, until_at)

    def latest(self, service: str, provider: str, resource: str, most: int) -> list[Entry]:
        """Calls of one kind that were settled or lapsed, the latest first."""
        return self._look(lambda tables: reading.latest(tables, (service, provider, resource), most))

    def events(self, since_at: int = 0) -> Iterator[Event]:
        """The events, oldest first."""
        return iter(self._look(lambda tables: reading.events(tables, since_at)))

    def duplicates(self, since_at: int, until_at: int, top: int = 10) -> list[Duplicates]:
        """What was paid for again in a stretch of time, by service and resource, the dearest first."""
        return self._look(lambda tables: reading.duplicates(tables, since_at, until_at, top))

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
        witness = self._tail.witness()

        def look(tables: SqliteTables) -> list[str]:
            found = reading.check(tables, lambda meta: self._in_force(tables, meta))
            try:
                lost = self._tail.problem(tables, witness)
            except StoreError as fault:
                lost = str(fault)
            return [*([lost] if lost else []), *found]

        return self._look(look)

    def close(self) -> None:
        """Closes the file, once bookings and reads under way are done. A second close is fine."""
        self._closed = True
        self._lock.close(self.timeout_s)
        for link in (self._reader, self._writer):
            with link.lock:
                link.close()
        self._tail.close()

    def before_fork(self) -> None:
        """Closes the connections, so that the child inherits none."""
        self._lock.rest()
        self._reader.before_fork()
        self._writer.before_fork()

    def after_fork(self, in_child: bool) -> None:
        """Lets everybody go on; connections open again when they are needed."""
        self._writer.after_fork(in_child)
        self._reader.after_fork(in_child)
        if in_child:
            self._lock.forked()
            self._tail.close()


def _before_fork() -> None:
    for store in list(_stores):
        store.before_fork()


def _after_fork(in_child: bool) -> None:
    for store in list(_stores):
        store.after_fork(in_child)


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(in_child=False),
    after_in_child=lambda: _after_fork(in_child=True),
)
