"""A lock between threads and processes that is handed on fairly and can be waited for with a time limit.

Threads of this process stand in a line. Whoever is first in it takes a `flock` on a file of its own: the kernel lets go
of that when a process dies, and closing other descriptors of the ledger does not. Two files make a turnstile: who wants
the lock passes the queue file and keeps it until the lock is his, so a process that lets go and comes straight back
cannot overtake the one that has been waiting.
"""

import fcntl
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import get_ident

from spendgate.clock import SystemClock, monotonic

_BURST = 8
"""How often a process hands the lock on among its own threads before others get it: each change of process costs."""
_NOW = fcntl.LOCK_EX | fcntl.LOCK_NB
_POLL_S = 0.001


class Line:
    """Threads in the order in which they came; the first has the turn. Not re-entrant.

    Leaving is always right, whether the thread has the turn, waits for it or neither: interrupts come at any step.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._first = 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    @property
    def mine(self) -> bool:
        """Whether this thread has the turn."""
        return self._first == get_ident()

    def enter(self, timeout_s: float) -> bool:
        """Takes the turn; False where it did not come within `timeout_s` seconds, and the thread has left again."""
        me = get_ident()
        with self._guard:
            if not self._first:
                self._first = me
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        if turn.acquire(timeout=max(timeout_s, 0)):
            return True
        with self._guard:
            came_after_all = self._first == me
            self._drop(me)
        return came_after_all

    def leave(self, last: Callable[[], None]) -> None:
        """Gives the turn to the next thread, or gives up waiting for it. Where nobody is next, `last` is done first."""
        me = get_ident()
        with self._guard:
            if self._first != me:
                self._drop(me)
            elif self._waiting:
                self._first, turn = self._waiting.popleft()
                turn.release()
            else:
                last()
                self._first = 0

    def _drop(self, me: int) -> None:
        if self._waiting:
            self._waiting = deque(pair for pair in self._waiting if pair[0] != me)


class FairLock:
    """Excludes other threads and other processes while held. It opens its files when it is first asked."""

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(path.name + "-queue"))
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._line = Line()
        self._inside: set[int] = set()
        self._lock = self._queue = -1
        self._waiter: _Waiter | None = None
        self._held = False
        self._in_a_row = 0

    @property
    def mine(self) -> bool:
        """Whether this thread has the lock, waits for it, or is about to let go of it.

        A signal's handler that interrupts it there must not ask as well: it would wait for the thread that it keeps.
        """
        return get_ident() in self._inside

    def acquire(self, timeout_s: float) -> bool:
        """Takes the lock; False where somebody else kept it for all of `timeout_s` seconds, or it was closed.

        Raises:
            OSError: the lock's files cannot be opened or locked.
            RuntimeError: this thread has the lock already, or waits for it; nothing is changed.
        """
        me = get_ident()
        if me in self._inside:
            raise RuntimeError("this thread has the lock already, or waits for it")
        until, got = monotonic() + timeout_s, False
        try:
            self._inside.add(me)
            got = self._line.enter(timeout_s) and not self._closed and self._take(until)
        finally:
            if not got:
                self.release()
        return got

    def release(self) -> None:
        """Hands the lock on. Does nothing where this thread neither has it nor waits for it."""
        self._line.leave(self._let_go)
        self._inside.discard(get_ident())

    def _let_go(self) -> None:
        if self._held or (self._lock >= 0 and (self._waiter is None or self._waiter.idle)):
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._held = False

    def _take(self, until: float) -> bool:
        if self._held:  # by the thread before this one
            self._in_a_row += 1
            if self._in_a_row < _BURST:
                return True
            self._let_go()
        if self._queue < 0:
            self._open()
        self._in_a_row = 0
        self._held = self._try() or self._wait(until)
        return self._held

    def _open(self) -> None:
        if self._lock < 0:
            self._lock = os.open(self._paths[0], os.O_RDWR | os.O_CREAT, 0o600)
        self._queue = os.open(self._paths[1], os.O_RDWR | os.O_CREAT, 0o600)

    def _try(self) -> bool:
        if self._waiter is not None and not self._waiter.idle:
            return False
        try:
            fcntl.flock(self._queue, _NOW)
            fcntl.flock(self._lock, _NOW)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
        return True

    def _wait(self, until: float) -> bool:
        if self._waiter is None:
            try:
                self._waiter = _Waiter(self._queue, self._lock)
            except RuntimeError:  # an interpreter that shuts down starts no more threads
                while not (got := self._try()) and monotonic() < until:
                    SystemClock().sleep(_POLL_S)
                return got
        return self._waiter.wait(until - monotonic())

    def rest(self) -> None:
        """Ends the waiting thread where nobody needs it, so that a fork finds one thread less; it comes back."""
        if self._waiter is not None and not self.mine and self._line.enter(0):
            if self._waiter.idle:
                self._waiter.stop()
                self._waiter.join()
                self._waiter = None
            self._line.leave(self._let_go)

    def forked(self) -> None:
        """In a forked child: lets go of the parent's files without touching its lock, and starts anew."""
        self._close_files()
        if self._waiter is not None:
            self._waiter.close_files()
        self._forget()

    def close(self, timeout_s: float = 0) -> None:
        """Closes the files, as soon as no thread of this process has the lock, or leaves that to the garbage collector.

        Whoever is waiting is told that he does not get it.
        """
        self._closed = True
        if not self.mine and self._line.enter(timeout_s):
            self._let_go()
            self._close_files()
            if self._waiter is not None:
                self._waiter.stop()
                self._waiter = None
            self._line.leave(self._let_go)

    def _close_files(self) -> None:
        for file in (self._lock, self._queue):
            if file >= 0:
                os.close(file)
        self._lock = self._queue = -1

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()


class _Waiter:
    """Waits in a thread of its own, since `flock` knows no time limit. It is only asked where the lock is taken.

    It has descriptors of its own to the same open files: a lock taken on one is given back on the other, and the files
    stay open while the thread is in the kernel, whoever closes the lock meanwhile.
    """

    def __init__(self, queue: int, lock: int) -> None:
        self._files = (os.dup(queue), os.dup(lock))
        self._news = threading.Condition(threading.Lock())
        self._wanted = self._got = self._asking = self._ended = False
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="spendgate-lock", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self.close_files()
            raise

    @property
    def idle(self) -> bool:
        """Whether nobody is waiting, and the thread has let go of what it was asked for."""
        return not (self._wanted or self._asking or self._got)

    def wait(self, timeout_s: float) -> bool:
        """Takes the lock, or gives up after `timeout_s` seconds; then the thread lets go of it as soon as it has it."""
        try:
            with self._news:
                self._wanted = True
                self._news.notify_all()
                self._news.wait_for(lambda: self._got or self._fault, max(timeout_s, 0))
                if self._fault is not None:
                    raise self._fault
                return self._got
        finally:
            with self._news:
                self._wanted = self._got = False
                self._fault = None

    def stop(self) -> None:
        """Ends the thread: at once where it is idle, else when the kernel gives it the lock."""
        with self._news:
            self._ended = True
            self._news.notify_all()

    def join(self) -> None:
        """Waits for the end of a thread that was idle when it was stopped."""
        self._thread.join()

    def close_files(self) -> None:
        """Closes the descriptors of a thread that is no more."""
        for file in self._files:
            os.close(file)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._wanted or self._ended)
                if self._ended:
                    break
                self._asking = True
            self._ask()
        self.close_files()

    def _ask(self) -> None:
        queue, lock = self._files
        fault = None
        try:
            fcntl.flock(queue, fcntl.LOCK_EX)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            finally:
                fcntl.flock(queue, fcntl.LOCK_UN)
        except OSError as refused:
            fault = refused
        with self._news:
            self._asking = False
            if self._wanted and not self._ended:
                self._got, self._fault = fault is None, fault
                self._wanted = False
                self._news.notify_all()
            elif fault is None:
                fcntl.flock(lock, fcntl.LOCK_UN)
