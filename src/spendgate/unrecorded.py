"""Calls that were let through while the ledger was away, kept in memory until they can be booked.

What is kept is lost with the process; that is the price of `unavailable = "allow"`, and it is said in the log.
"""

import itertools
import logging
import os
import threading
import weakref
from collections import deque
from dataclasses import replace

from spendgate.errors import StoreError
from spendgate.ledger import HoldRequest, Store, Weight

log = logging.getLogger("spendgate")

MOST = 10_000
"""How many calls are kept; one more is counted and said, and not booked."""

_all: "weakref.WeakSet[Unrecorded]" = weakref.WeakSet()


class Unrecorded:
    """The calls of one gate that its ledger does not know. `calls` counts them, `dropped` those beyond `MOST`."""

    def __init__(self) -> None:
        self.calls = 0
        self.dropped = 0
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        """In a forked child: what the parent let through, the parent books."""
        self._tokens = itertools.count(1)
        self._running: dict[int, HoldRequest] = {}
        self._ended: deque[HoldRequest] = deque()
        self._guard = threading.Lock()
        self._booking = threading.Lock()

    def begin(self, request: HoldRequest) -> int:
        """A call was let through; the token by which its end is told."""
        with self._guard:
            self.calls += 1
            token = next(self._tokens)
            self._running[token] = replace(request, marks=request.marks | {"unrecorded"})
        return token

    def end(self, token: int, weight: Weight | None) -> None:
        """A call has ended: it weighs so much, or nothing."""
        with self._guard:
            request = self._running.pop(token, None)
            if request is None or weight is None:
                return
            if len(self._ended) < MOST:
                self._ended.append(replace(request, weight=weight, tariff=None, tariff_units=0))
                return
            self.dropped += 1
        log.error("spendgate: %d calls were let through that will not be booked", self.dropped)

    def book(self, store: Store, now_at: int) -> None:
        """Books what has ended, if the ledger is back.

        Raises:
            StoreError: it is not; what is not booked yet is kept.
        """
        if not self._ended or not self._booking.acquire(blocking=False):
            return
        try:
            while self._ended:
                store.book(self._ended[0], now_at)
                self._ended.popleft()
        finally:
            self._booking.release()

    def close(self, store: Store, now_at: int) -> None:
        """Books everything, calls still running at all that was set aside; says what cannot be booked."""
        for token, request in list(self._running.items()):
            self.end(token, request.weight)
        try:
            self.book(store, now_at)
        except StoreError as fault:
            log.warning("spendgate: %d calls that were let through are not in the ledger: %s", len(self._ended), fault)


def _after_fork() -> None:
    for one in list(_all):
        one._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
