"""The same request, again and again: what one process has sent, so that only repetitions ask the ledger.

The first time that a process sends a request costs nothing and is not counted. From the second time on each is counted
in the ledger, where all processes meet, and the second one counts for the first as well. So one process is counted
exactly, and N processes that share a loop send at most N requests more than the limit says.
"""

import os
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass

from spendgate.budgets import same_mark

REMEMBERED = 4096
"""How many requests are remembered; of more, the one that was not sent for the longest time is forgotten."""

Key = tuple[str, str]

_all: "weakref.WeakSet[Sights]" = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Sight:
    """One sending of a request. It counts for `requests`, itself included; 0 where it is not counted yet."""

    key: Key
    requests: int = 0
    mark: str = ""


NOTHING = Sight(("", ""))
"""What is not looked at."""


@dataclass(slots=True)
class _Seen:
    at: int
    uncounted: int


class Sights:
    """What one gate has seen: for each service and request when last, and how often without being counted."""

    def __init__(self, most: int, within: int) -> None:
        self.most = most
        self.within = within
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        self._guard = threading.RLock()  # a signal's handler may make a call as well
        self._seen: OrderedDict[Key, _Seen] = OrderedDict()

    def look(self, service: str, fingerprint: str, now_at: int) -> Sight:
        """A request is about to be sent. What is not sent after all has to be taken back with `undo`."""
        if not fingerprint or not self.most:
            return NOTHING
        key = (service, fingerprint)
        with self._guard:
            seen = self._seen.pop(key, None)
            if seen is None or now_at - seen.at >= self.within:
                self._seen[key] = _Seen(now_at, uncounted=1)
                if len(self._seen) > REMEMBERED:
                    self._seen.popitem(last=False)
                return Sight(key)
            requests = 1 + seen.uncounted
            self._seen[key] = _Seen(max(now_at, seen.at), uncounted=0)
        return Sight(key, requests, same_mark(self.most, self.within, requests, fingerprint))

    def undo(self, sight: Sight) -> None:
        """The request was not sent."""
        with self._guard:
            seen = self._seen.get(sight.key)
            if seen is None:
                return
            if sight.requests:
                seen.uncounted += sight.requests - 1
            elif seen.uncounted:
                del self._seen[sight.key]


def _after_fork() -> None:
    for one in list(_all):
        one._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
