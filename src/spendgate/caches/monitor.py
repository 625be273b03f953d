"""Counts what one cache does, at a fraction of a microsecond a lookup.

Nothing is written here: `flushing` takes the counts every few seconds. Keys are never kept: every so many lookups
one is handed to `look`, which keeps shapes and hashes.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from spendgate.cacheminutes import CacheMinute
from spendgate.caches.loading import BEGUN, COUNTED, ENDED, KEY, LAST, NOTHING, USD, Load, every, of, open_loads, put
from spendgate.caches.tally import Tally
from spendgate.clock import monotonic_ns
from spendgate.ledger import Entry

if TYPE_CHECKING:
    from spendgate.caches.flushing import CacheBook

BURST = 32
"""So many lookups after each flush have their keys looked at, and as many of those that miss."""
EVERY = 64
"""After them, one in so many: a slow cache is seen whole, and a fast one pays a sixty-fourth."""
FOLDED = 30
"""How many minutes are kept apart while the ledger is away; older ones are added together."""

Measure = Callable[[], tuple[int, int]]
Look = Callable[[object], object]


class CacheMonitor:
    """What one cache does, counted for one service and version. Threads, tasks and forked children may share it.

    `hit`, `miss`, `set`, `evict` and `error` say what happened; `gate.watch_cache` calls them for you. What goes wrong
    in here never reaches the cache. Nothing is lost between threads.

    Args:
        name: the cache's name in the ledger. Several caches may share one.
        service: for whom it is asked.
        version: of the program.
        miss_usd: nano-dollars that each miss costs; without it, what the gate's own calls cost while a miss loads.
        look: is handed keys, now and then, in whatever thread asked for them.
    """

    def __init__(
        self, name: str, *, service: str = "", version: str = "", miss_usd: int | None = None, look: Look | None = None
    ) -> None:
        self.name = name
        self.service = service
        self.version = version
        self.miss_usd = miss_usd
        self.look = look
        self.size = 0
        self.capacity = 0
        self.book: CacheBook | None = None
        """What the counts are taken for; it wakes the thread that takes them."""
        self.measures: list[Measure] = []
        """Asked at each flush for hits and evictions that were counted elsewhere since the last time."""
        self.hits, self.misses, self.sets, self.evictions, self.errors, self.mistaken = (Tally() for _ in range(6))
        self.due = [0, 0]
        """From which hit, and from which miss on, the next key is looked at."""
        self._burst = [0, 0]
        self._kinds: dict[object, type] = {}
        self._taken = [0] * 7
        self._pending: dict[int, CacheMinute] = {}
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._guard = threading.Lock()
        self._looking = threading.Lock()
        self._load_us = self._paid = 0

    def forked(self) -> None:
        """In a forked child: what the parent has counted and not written, the parent writes."""
        self._begin_anew()
        self._pending.clear()
        for measure in self.measures:
            measure()
        self._taken = self._totals()
        self.due[:] = [0, 0]

    def kind(self, of: object, make: Callable[[], type]) -> type:
        """The class of the watched caches of some kind, made when it is needed."""
        if of not in self._kinds:
            self._kinds[of] = make()
        return self._kinds[of]

    def hit(self, key: object = None) -> None:
        """The cache had what was asked for."""
        if open_loads.get() and self.counted(key):
            return
        number = self.hits.add()
        if number >= self.due[0]:
            self.sample(0, number, key)

    def miss(self, key: object = None) -> None:
        """The cache did not have it: what comes until `set` is the load, in this thread or task."""
        number = self.misses.add()
        if number >= self.due[1]:
            self.sample(1, number, key)
        put(open_loads.get(), self, [self, monotonic_ns(), 0, NOTHING, ""])

    def set(self, key: object = None) -> None:  # noqa: ARG002 - it is the cache that is loaded, whatever the key
        """Something was stored: what was loading here has ended."""
        self.sets.add()
        if open_loads.get():
            self.loaded()

    def evict(self, count: int = 1) -> None:
        """The cache let go of something to make room."""
        for _ in range(count):
            self.evictions.add()

    def error(self) -> None:
        """The cache failed: neither hit nor miss."""
        self.errors.add()

    def asked(self, key: object, found: bool) -> None:
        """Somebody asked whether a key is there: a lookup, and the same one if he asks for the value next."""
        loads = open_loads.get()
        if found:
            number = self.hits.add()
            if number >= self.due[0]:
                self.sample(0, number, key)
            load = [self, COUNTED, 0, key, ""]
        else:
            number = self.misses.add()
            if number >= self.due[1]:
                self.sample(1, number, key)
            load = [self, monotonic_ns(), 0, key, ""]
        if loads is None or loads[0] is self:
            open_loads.set(load)
        else:
            put(loads, self, load)

    def counted(self, key: object) -> bool:
        """Whether the lookup of a key was counted when somebody asked for its presence, a moment ago."""
        loads = open_loads.get()
        load = of(loads, self)
        if load is None or load[BEGUN] != COUNTED:
            return False
        put(loads, self, None)
        return load[KEY] is key or bool(load[KEY] == key)

    @property
    def is_loading(self) -> bool:
        """Whether a lookup of this cache has missed here, and nothing was stored since."""
        load = of(open_loads.get(), self)
        return load is not None and load[BEGUN] >= 0

    def found_after_all(self, key: object = None) -> None:
        """The last lookup here was no miss: what was found looked like nothing."""
        self.mistaken.add()
        put(open_loads.get(), self, None)
        self.hit(key)

    def loaded(self) -> None:
        """Ends what is loading here for this cache, if anything is."""
        loads = open_loads.get()
        load = of(loads, self)
        if load is not None and load[BEGUN] >= 0:
            self._end(load)
            put(loads, self, None if load[KEY] is NOTHING else [self, COUNTED, 0, load[KEY], ""])

    @contextmanager
    def load(self, key: object = None) -> Iterator[None]:
        """A block that loads what was not in the cache: a miss, timed, with all that is paid for inside."""
        number = self.misses.add()
        if number >= self.due[1]:
            self.sample(1, number, key)
        load: Load = [self, monotonic_ns(), 0, NOTHING, ""]
        before = open_loads.get()
        open_loads.set((*every(before), load))
        try:
            yield
        finally:
            self._end(load)
            open_loads.set(before)

    def _end(self, load: Load) -> None:
        with self._guard:
            self._load_us += (monotonic_ns() - load[BEGUN]) // 1000
            self._paid += load[USD]
            load[BEGUN] = ENDED

    def paid(self, load: Load, entry: Entry) -> None:
        """A call that was made for one of this cache's loads has ended; the same entry twice is once."""
        with self._guard:
            if load[BEGUN] == COUNTED or load[LAST] == entry.id:
                return
            load[LAST] = entry.id
            if load[BEGUN] == ENDED:
                self._paid += entry.weight.usd
            else:
                load[USD] += entry.weight.usd

    def sample(self, which: int, number: int, key: object) -> None:
        """Hands a key to `look`, unless another thread is about it, and says which one is next."""
        self._burst[which] += 1
        self.due[which] = number + (1 if self._burst[which] < BURST else EVERY)
        if self.book is not None:
            self.book.wake()
        if self.look is not None and self._looking.acquire(blocking=False):
            try:
                with suppress(Exception):  # a key may do anything when it is looked at
                    self.look(key)
            finally:
                self._looking.release()

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
        self._burst[:] = self.due[:] = [0, 0]
        hits += sum(one for one, _ in extra)
        evictions += sum(one for _, one in extra)
        cost = paid if self.miss_usd is None else misses * self.miss_usd
        counts = (hits, misses, sets, evictions, errors, load_us, cost)
        if any(counts):
            minute = CacheMinute(self.name, self.service, self.version, minute_at, *counts, self.size, self.capacity)
            known = self._pending.get(minute_at)
            self._pending[minute_at] = known.plus(minute) if known else minute
            self._fold()

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
