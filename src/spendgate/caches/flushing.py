"""Writes the counts of all caches to their ledgers, every few seconds and at exit, from one thread.

A ledger that is away keeps nobody waiting: counts stay in memory, bounded, until it is back. A program that is killed
loses what it has counted since the last flush, and nothing is written twice.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress

from spendgate.cacheminutes import CacheMinute, minute_of
from spendgate.caches.loading import MissCosts
from spendgate.caches.monitor import CacheMonitor
from spendgate.clock import Clock
from spendgate.errors import StoreError
from spendgate.ledger import Store

log = logging.getLogger("spendgate")

FLUSH_S = 2.0
"""How often counts are written, in seconds."""
EXIT_S = 5.0
"""How long the end of a program waits for a flush under way."""

After = Callable[[list[CacheMonitor], int], object]


class CacheBook:
    """The monitors of one gate, by name and service, and the ledger that their counts go to: none for one that is off.

    A monitor knows its book, so that counts are written for as long as there is a cache, whatever became of the gate.
    """

    def __init__(self, store: Store, clock: Clock, *, is_off: bool = False) -> None:
        self.store = store
        self.clock = clock
        self.after: After | None = None
        """Called after each flush, with the monitors and the instant; it looks for findings."""
        self._monitors: dict[tuple[str, str], CacheMonitor] = {}
        self.costs = MissCosts(self._monitors)
        self._is_away = False
        self._is_closed = is_off
        self._begin_anew()
        _books.add(self)

    def _begin_anew(self) -> None:
        self._flushing = threading.RLock()

    def forked(self) -> None:
        """In a forked child: what the parent has to write, the parent writes."""
        self._begin_anew()
        for monitor in self._monitors.values():
            monitor.forked()

    @property
    def is_polled(self) -> bool:
        """Whether any cache counts by itself, so that a process which only hits it would never call us."""
        return any(monitor.measures for monitor in self._monitors.values())

    def monitor(self, name: str, service: str, make: Callable[[], CacheMonitor]) -> CacheMonitor:
        """The monitor of that name for a service; made where there is none yet."""
        with self._flushing:
            found = self._monitors.get((name, service))
            if found is None:
                found = self._monitors[name, service] = make()
                found.book, found.begun_at = self, self.clock.now()
        self.wake()
        return found

    def wake(self) -> None:
        """Called now and then by whoever counts: after a fork there is no thread until then."""
        if not _flusher.is_running:
            _flusher.begin()

    def monitors(self) -> list[CacheMonitor]:
        """All of them."""
        return list(self._monitors.values())

    def flush(self) -> None:
        """Writes what was counted since the last time. Where the ledger is away, it is kept for the next."""
        with self._flushing:
            if self._is_closed:
                return
            now_at = self.clock.now()
            for monitor in self.monitors():
                monitor.take(minute_of(now_at))
            written = [one for monitor in self.monitors() for one in monitor.pending]
            if written and not self._write(written, now_at):
                return
            for monitor in self.monitors():
                monitor.written()
            if self.after is not None:
                try:
                    self.after(self.monitors(), now_at)
                except Exception:
                    log.exception("spendgate: caches could not be judged; they are counted all the same")

    def _write(self, minutes: Iterable[CacheMinute], now_at: int) -> bool:
        try:
            self.store.add_cache_minutes(minutes, now_at)
        except StoreError as fault:
            if not self._is_away:
                log.warning("spendgate: what caches did is kept in memory, the ledger cannot be written: %s", fault)
            self._is_away = True
            return False
        if self._is_away:
            log.warning("spendgate: the ledger is back; what caches did meanwhile is in it")
        self._is_away = False
        return True

    def close(self) -> None:
        """Writes what is left; from now on nothing more."""
        self.flush()
        self._is_closed = True


_books: "weakref.WeakSet[CacheBook]" = weakref.WeakSet()


class _Flusher:
    """The one thread. It is begun when the first cache is watched, and again in a child that uses one."""

    def __init__(self) -> None:
        self.is_running = False
        self._registered = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begins the thread, and arranges for the end of the program."""
        with self._guard:
            if self.is_running:
                return
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name="spendgate-caches", daemon=True)
            with suppress(RuntimeError):  # the program is ending; the last flush is still to come
                self._thread.start()
            self.is_running = True
            if not self._registered:
                self._registered = True
                atexit.register(self.end)
                from multiprocessing import util

                util.register_after_fork(self, _Flusher.in_worker)
                self.in_worker()

    def in_worker(self) -> None:
        """A child of `multiprocessing` ends without `atexit`, but not without this."""
        from multiprocessing import util

        util.Finalize(None, self.end, exitpriority=0)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(FLUSH_S):
            flush_all()

    def end(self) -> None:
        """Writes what is left."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(EXIT_S)
        flush_all()

    def forked(self) -> None:
        """In a forked child: the thread has stayed behind."""
        was_running = self.is_running
        self.is_running = False
        self._begin_anew()
        for book in list(_books):
            book.forked()
        if was_running and any(book.is_polled for book in list(_books)):
            self.begin()


def flush_all() -> None:
    """Writes what was counted in this process, to whatever ledgers."""
    for book in list(_books):
        try:
            book.flush()
        except Exception:
            log.exception("spendgate: what caches did could not be written")


_flusher = _Flusher()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_flusher.forked)
