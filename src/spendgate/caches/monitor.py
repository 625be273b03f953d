"""Counts what one cache does, at a fraction of a microsecond a lookup.

Nothing is written here: `flushing` takes the counts every few seconds. Keys are never kept: some are handed to `churn`,
which keeps shapes and hashes.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from spendgate.cacheminutes import CacheMinute
from spendgate.caches.loading import BEGUN, CALLED, ENDED, KEY, NOTHING, PAID, Load
from spendgate.caches.lookups import NEVER, Asked, Looked, Mark, lookups
from spendgate.caches.tally import Tally
from spendgate.clock import monotonic_ns
from spendgate.ledger import Entry

if TYPE_CHECKING:
    from spendgate.caches.flushing import CacheBook

FOLDED = 30
"""How many minutes are kept apart while the ledger is away; older ones are added together."""

Measure = Callable[[], tuple[int, int]]


class Looks(Protocol):
    """What looks at keys: at those whose hash has no bit in common with `mask`."""

    mask: int

    def look(self, key: object, at: int, hit: bool | None = None) -> None:
        """Takes a key that was looked up at an instant."""


class CacheMonitor:
    """What one cache does, counted for one service and version. Threads, tasks and forked children may share it.

    `hit`, `miss`, `set`, `evict` and `error` say what happened; `gate.watch_cache` calls them for you. What goes wrong
    in here never reaches the cache. Nothing is lost between threads.

    Args:
        name: the cache's name in the ledger. Several caches may share one.
        service: for whom it is asked.
        version: of the program.
        miss_usd: nano-dollars that each miss costs; without it, what the gate's own calls cost while a miss loads.
        churn: is handed keys, now and then, in whatever thread asked for them.
    """

    hit: Looked
    """The cache had what was asked for."""
    miss: Looked
    """The cache did not have it: what comes until `set` is the load, in this thread or task."""
    asked: Asked
    """Somebody asked whether a key is there: a lookup, and the same one if he asks for the value next."""

    def __init__(
        self,
        name: str,
        *,
        service: str = "",
        version: str = "",
        miss_usd: int | None = None,
        churn: Looks | None = None,
    ) -> None:
        self.name = name
        self.service = service
        self.version = version
        self.miss_usd = miss_usd
        self.churn = churn
        self.size = 0
        self.capacity = 0
        self.book: CacheBook | None = None
        """What the counts are taken for; it knows the time, and wakes the thread that takes them."""
        self.begun_at = 0
        """Since when it counts."""
        self.is_shared = False
        """Whether other processes ask the same cache, so that it is not empty when this one begins."""
        self.measures: list[Measure] = []
        """Asked at each flush for hits and evictions that were counted elsewhere since the last time."""
        self.hits, self.misses, self.sets, self.evictions, self.errors, self.mistaken = (Tally() for _ in range(6))
        self.mask = [0]
        """Which keys are looked at: those whose hash has none of these bits."""
        self.loading: ContextVar[Load | None] = ContextVar("spendgate_loading", default=None)
        """What this thread or task is loading."""
        self.last_asked: ContextVar[Mark] = ContextVar("spendgate_last_asked", default=NEVER)
        """Whose presence this thread or task has asked for."""
        self.hit, self.miss, self.asked = lookups(self)
        self._kinds: dict[object, type] = {}
        self._taken = [0] * 7
        self._sums = [0, 0, 0]
        self._judged = [0, 0, 0]
        self._pending: dict[int, CacheMinute] = {}
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._guard = threading.Lock()
        self._load_us = self._paid = 0

    def forked(self) -> None:
        """In a forked child: what the parent has counted and not written, the parent writes."""
        self._begin_anew()
        self._pending.clear()
        for measure in self.measures:
            measure()
        self._taken = self._totals()
        self.churn = self.churn and type(self.churn)()  # another thread may have been looking at a key
        self.mask[0] = 0

    def kind(self, of: object, make: Callable[[], type]) -> type:
        """The class of the watched caches of some kind, made when it is needed."""
        if of not in self._kinds:
            self._kinds[of] = make()
        return self._kinds[of]

    def set(self, key: object = NOTHING) -> None:  # noqa: ARG002 - it is the cache that is loaded, whatever the key
        """Something was stored: what was loading here has ended."""
        self.sets.add()
        self.loaded()

    def added(self, key: object = NOTHING) -> None:
        """Something was stored where nothing was: a value, or the lock under which one is paid for, which ends nothing.

        It is a lock where no call has been made yet for what is loading here.
        """
        load = self.loading.get()
        if load is None or len(load) > CALLED:
            self.set(key)
        else:
            self.sets.add()

    def evict(self, count: int = 1) -> None:
        """The cache let go of something to make room."""
        for _ in range(count):
            self.evictions.add()

    def error(self) -> None:
        """The cache failed: neither hit nor miss."""
        self.errors.add()

    @property
    def is_loading(self) -> bool:
        """Whether a lookup of this cache has missed here, and nothing was stored since."""
        load = self.loading.get()
        return load is not None and load[BEGUN] != ENDED

    def found_after_all(self, key: object = NOTHING) -> None:
        """The last lookup here was no miss: what was found looked like nothing."""
        self.mistaken.add()
        self.loading.set(None)
        self.hit(key)

    def loaded(self) -> None:
        """Ends what is loading here, if anything is. Who had asked whether the key is there may read it now."""
        load = self.loading.get()
        if load is not None:
            self._end(load)
            self.loading.set(None)
            if load[KEY] is not NOTHING:
                self.last_asked.set([load[KEY]])

    @contextmanager
    def load(self, key: object = NOTHING) -> Iterator[None]:
        """A block that loads what was not in the cache: a miss, timed, with all that is paid for inside."""
        before = self.loading.get()
        self.miss(key)
        load: Any = self.loading.get()
        try:
            yield
        finally:
            self._end(load)
            self.loading.set(before)

    def _end(self, load: Load) -> None:
        with self._guard:
            if load[BEGUN] == ENDED:  # it has ended by what was stored inside
                return
            self._load_us += (monotonic_ns() - load[BEGUN]) // 1000
            self._paid += load[PAID]
            load[BEGUN] = ENDED

    def paid(self, load: Load, entry: Entry) -> None:
        """A call that was made for one of this cache's loads has ended."""
        with self._guard:
            if load[BEGUN] == ENDED:
                self._paid += entry.weight.usd
            else:
                load[PAID] += entry.weight.usd

    def look(self, key: object, hit: bool) -> None:
        """Hands a key to `churn`, which says which ones are looked at from now on."""
        if key is NOTHING:
            return
        with suppress(Exception):  # a key may do anything
            if self.book is not None:
                self.book.wake()
                if self.churn is not None:
                    self.churn.look(key, self.book.clock.now(), hit)
        self.mask[0] = self.churn.mask if self.churn is not None else -1

    def _totals(self) -> list[int]:
        mistaken = self.mistaken.total()
        counted = [one.total() for one in (self.hits, self.misses, self.sets, self.evictions, self.errors)]
        counted[1] -= mistaken
        with self._guard:
            return [*counted, self._load_us, self._paid]

    def take(self, minute_at: int) -> None:
        """Adds what was counted since the last time to a minute. One thread at a time."""
        extra = [measure() for measure in self.measures]
        now = self._totals()
        hits, misses, sets, evictions, errors, load_us, paid = (a - b for a, b in zip(now, self._taken, strict=True))
        self._taken = now
        self.mask[0] = self.churn.mask if self.churn is not None else -1
        hits += sum(one for one, _ in extra)
        evictions += sum(one for _, one in extra)
        cost = paid if self.miss_usd is None else misses * self.miss_usd
        counts = (hits, misses, sets, evictions, errors, load_us, cost)
        self._sums = [a + b for a, b in zip(self._sums, (hits, misses, evictions), strict=True)]
        if any(counts):
            minute = CacheMinute(self.name, self.service, self.version, minute_at, *counts, self.size, self.capacity)
            known = self._pending.get(minute_at)
            self._pending[minute_at] = known.plus(minute) if known else minute
            self._fold()

    def since_last_asked(self) -> tuple[int, int, int]:
        """Hits, misses and evictions that were taken since this was last asked."""
        hits, misses, evictions = (a - b for a, b in zip(self._sums, self._judged, strict=True))
        self._judged = list(self._sums)
        return hits, misses, evictions

    def _fold(self) -> None:
        while len(self._pending) > FOLDED:
            oldest, second = sorted(self._pending)[:2]
            both = self._pending.pop(oldest).plus(self._pending[second])
            self._pending[second] = replace(both, minute_at=second)

    @property
    def pending(self) -> list[CacheMinute]:
        """What was taken and is not in the ledger yet."""
        return list(self._pending.values())

    def written(self) -> None:
        """What was pending is in the ledger."""
        self._pending.clear()
