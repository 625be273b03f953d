"""`functools.lru_cache` and `cache`: a function like the one given, with a cache of its own.

A hit never leaves the C code: hits are read from `cache_info` when counts are written. Misses are seen in the function
that is cached, so each is timed from its first to its last instruction.
"""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from spendgate.caches.monitor import CacheMonitor

Cached = functools._lru_cache_wrapper


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it is something else of `functools`."""
    return watch if isinstance(cache, Cached) else None


def watch(monitor: CacheMonitor, cached: "Cached[Any]") -> "Cached[Any]":
    """The same function behind a new and empty cache of the same kind. The one given keeps its own."""
    function = cached.__wrapped__
    terms = cached.cache_parameters()
    counts = _Counts(monitor)

    @functools.lru_cache(maxsize=terms["maxsize"], typed=terms["typed"])
    @functools.wraps(function)
    def counting(*args: Any, **kwargs: Any) -> Any:
        with monitor.load((*args, *kwargs.items()) if kwargs else args[0] if len(args) == 1 else args):
            value = function(*args, **kwargs)
        counts.stored.add()
        return value

    functools.update_wrapper(counting, cached)
    counting.__wrapped__ = function
    counts.watch(counting)
    monitor.capacity = terms["maxsize"] or 0
    return counting


class _Counts:
    """What the C code has counted by itself since it was last asked."""

    def __init__(self, monitor: CacheMonitor) -> None:
        self.monitor = monitor
        self.stored = type(monitor.sets)()
        self._hits = self._evicted = self._cleared_hits = self._cleared = 0

    def watch(self, cached: "Cached[Any]") -> None:
        """Reads what it has counted from now on, for as long as there is such a function."""
        self._cached = weakref.ref(cached, self._gone)
        clear = cached.cache_clear

        def cache_clear() -> None:
            info = cached.cache_info()
            clear()
            self._cleared_hits += info.hits
            self._cleared += info.currsize

        cached.cache_clear = functools.update_wrapper(cache_clear, clear)  # type: ignore[method-assign]
        self.monitor.measures.append(self.measure)

    def _gone(self, _: object) -> None:
        if self.measure in self.monitor.measures:
            self.monitor.measures.remove(self.measure)

    def measure(self) -> tuple[int, int]:
        """Hits and evictions since the last time."""
        cached = self._cached()
        if cached is None:
            return 0, 0
        info = cached.cache_info()
        self.monitor.size = info.currsize
        hits = info.hits + self._cleared_hits
        evicted = max(self.stored.total() - info.currsize - self._cleared, self._evicted)
        found = hits - self._hits, evicted - self._evicted
        self._hits, self._evicted = hits, evicted
        return found
