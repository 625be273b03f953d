"""What answers bill, booked a moment after their callers have them: nobody waits for his own bookkeeping.

Until then the whole estimate is held, so a limit only errs on the safe side; and before a call is refused, all that is
in the backlog has been booked. A program that is killed in that moment leaves its reservations held: they lapse.
"""

import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial

from spendgate.clock import monotonic
from spendgate.threads import Threads

log = logging.getLogger("spendgate")

QUIET_S = 0.005
"""How long nothing more must come before bookings are made: most calls leave that much time between them."""
LONGEST_S = 0.2
"""How long bookings wait where more come all the time."""
MOST = 1000
"""How many may wait, which takes a ledger that hangs; what one more would settle stays held, and counts whole."""

_threads = Threads(1)
_all: "weakref.WeakSet[Backlog]" = weakref.WeakSet()


class Backlog:
    """Bookings of one gate that are still to be made, in their order. It is true while there are any."""

    def __init__(self) -> None:
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        """In a forked child: what the parent has to book, the parent books."""
        self._added = 0
        self._works: deque[Callable[[], object]] = deque()
        self._is_coming = False
        self._booking = threading.RLock()
        self._is_booking = False
        self._hurry = threading.Event()

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
            self._hurry.set()
        if not self._is_coming:
            self._is_coming = True
            try:
                _threads.submit(self._soon)
            except RuntimeError:  # the program is ending, and begins no more threads
                self._is_coming = False
                self.flush()

    def flush(self) -> None:
        """Makes every booking that was left until now, before it returns."""
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

    def _soon(self) -> None:
        until = monotonic() + LONGEST_S
        known = 0
        while known != self._added and monotonic() < until:
            known = self._added
            if self._hurry.wait(QUIET_S):
                break
        self._hurry.clear()
        self._is_coming = False
        self.flush()


def _quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("spendgate: an answer could not be booked; the whole hold counts")


def _after_fork() -> None:
    for one in list(_all):
        one._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
