"""What answers bill, booked a moment after their callers have them: nobody waits for his own bookkeeping.

Until then the whole estimate is held, so a limit only errs on the safe side; and before a call is refused, all that is
in the backlog has been booked. A program that is killed in that moment leaves its reservations held: they lapse.

An answer may end in a finalizer, such as that of a stream that was dropped, and the collector runs wherever it likes:
also where its thread holds a lock that an executor needs. So `add` takes no lock at all.
"""

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue

from spendgate.clock import monotonic

log = logging.getLogger("spendgate")

QUIET_S = 0.005
"""How long nothing more must come before bookings are made: most calls leave that much time between them."""
LONGEST_S = 0.2
"""How long bookings wait where more come all the time."""
MOST = 1000
"""How many may wait, which takes a ledger that hangs; what one more would settle stays held, and counts whole."""


class Backlog:
    """Bookings of one gate that are still to be made, in their order. It is true while there are any."""

    def __init__(self, may_book: Callable[[], bool] = lambda: True) -> None:
        """`may_book` says whether this thread may ask the ledger now."""
        self._may_book = may_book
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        """In a forked child: what the parent has to book, the parent books."""
        self._added = 0
        self._works: deque[Callable[[], object]] = deque()
        self._is_coming = False
        self._booking = threading.RLock()
        self._is_booking = False
        self._hurry: SimpleQueue[None] = SimpleQueue()

    def __bool__(self) -> bool:
        return bool(self._works)

    def add(self, work: Callable[[], object], *, at_once: bool = False) -> None:
        """Leaves a booking to be made soon, or as soon as can be, in the caller's context. What it raises is logged."""
        if len(self._works) >= MOST:
            log.error("spendgate: more than %d bookings wait for the ledger; a call stays held, and counts whole", MOST)
            return
        self._works.append(partial(copy_context().run, work))
        self._added += 1
        if at_once:
            self._hurry.put(None)
        if _booker.is_ending:
            self.flush()
        elif not self._is_coming:
            self._is_coming = True
            _booker.wake(self)

    def flush(self) -> None:
        """Makes every booking that was left until now, before it returns.

        In a signal's handler that has interrupted a booking it makes none: they are left for later.
        """
        if not self._may_book():
            return
        with self._booking:
            if self._is_booking:  # a booking that looks at the ledger
                return
            self._is_booking = True
            try:
                while self._works:
                    _quietly(self._works[0])
                    self._works.popleft()
            finally:
                self._is_booking = False

    def soon(self) -> None:
        """Makes the bookings once no more come, or one is to be made at once."""
        until = monotonic() + LONGEST_S
        known = 0
        while known != self._added and monotonic() < until and not _booker.is_ending:
            known = self._added
            try:
                self._hurry.get(timeout=QUIET_S)
            except Empty:
                continue
            break
        while not self._hurry.empty():
            self._hurry.get_nowait()
        self._is_coming = False
        self.flush()


class Booker:
    """The thread that makes the bookings of every gate, begun when there are some; a new one after a fork.

    The end of a program does not wait for it, but books what it has left.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """As if nothing had been booked yet."""
        self.is_ending = False
        self._waiting: SimpleQueue[Backlog] = SimpleQueue()
        self._beginning = threading.Lock()

    def wake(self, backlog: Backlog) -> None:
        """Has a backlog booked soon. It waits for no lock that its own thread may hold."""
        self._waiting.put(backlog)
        if not self._beginning.acquire(blocking=False):  # it is never released: one thread is enough
            return
        try:
            threading.Thread(target=_serve, args=(self._waiting,), name="spendgate", daemon=True).start()
        except RuntimeError:  # the program is ending, and begins no more threads
            self.end()

    def end(self) -> None:
        """Books what is left; what comes from now on is booked by whoever adds it."""
        self.is_ending = True
        flush_all()


def flush_all() -> None:
    """Books what every gate of this process has left, for a process that is about to end without its usual steps."""
    for one in list(_all):
        one.flush()


def _serve(waiting: "SimpleQueue[Backlog]") -> None:
    while True:
        backlog = waiting.get()
        try:
            backlog.soon()
        except BaseException:
            log.exception("spendgate: bookings broke off; they go on with the next one")
        del backlog  # a gate that is dropped is not kept by a thread that waits


def _quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("spendgate: an answer could not be booked; the whole hold counts")


_all: "weakref.WeakSet[Backlog]" = weakref.WeakSet()
_booker = Booker()


def _after_fork() -> None:
    _booker.begin_anew()
    for one in list(_all):
        one._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

# The end of a program, and of a process of multiprocessing, which runs nothing of `atexit` but ends its threads: the
# hook is that of executors. Threads that outlive it book for themselves; what is left even then is booked at exit.
getattr(threading, "_register_atexit", atexit.register)(_booker.end)
atexit.register(flush_all)
