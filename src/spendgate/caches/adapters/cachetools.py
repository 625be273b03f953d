"""`cachetools`: the cache given is watched itself, and so is what its decorators have decorated with one.

Its class becomes one derived from its class, so a decorator that has the cache already, and a lock around it, work as
before. What one of its methods does by calling another is counted once: for as long as it does, the class is its own.
"""

from collections.abc import Callable, ItemsView, Iterator, ValuesView
from typing import Any

from cachetools import Cache

from spendgate.caches.adapters.derived import derived, watched_in_place
from spendgate.caches.adapters.mapping import watch as watch_mapping
from spendgate.caches.adapters.mapping import watched_get
from spendgate.caches.monitor import CacheMonitor

_size: Callable[[Any], int] = vars(Cache)["currsize"].fget
"""Asks a cache for its size without letting go of what has expired."""
_ABSTRACT = {"collections.abc", "_collections_abc"}


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it has no cache."""
    if isinstance(cache, Cache):
        return watch
    return watch_function if hasattr(cache, "cache") and callable(cache) else None


def watch(monitor: CacheMonitor, cache: Any) -> Any:
    """The cache itself, watched from now on."""
    watched_in_place(monitor, cache, _watched)
    monitor.capacity = int(cache.maxsize) if cache.maxsize < 1 << 62 else 0
    monitor.size = int(_size(cache))
    return cache


def watch_function(monitor: CacheMonitor, function: Any) -> Any:
    """The decorated function itself: its cache is watched from now on.

    Raises:
        TypeError: its cache is a mapping that nothing can be put in the place of.
    """
    cache = function.cache
    if isinstance(cache, Cache):
        watch(monitor, cache)
        return function
    try:
        function.cache = watch_mapping(monitor, cache)
    except AttributeError:
        raise TypeError(
            f"the {type(cache).__name__} behind {function!r} cannot be watched from here: hand its decorator a watched "
            "one, such as gate.watch_cache(name, {})"
        ) from None
    return function


def _watched(monitor: CacheMonitor, bare: Any) -> type:
    methods = {**_lookups(monitor, bare), **_changes(monitor, bare), **_views(bare)}
    if bare.__missing__ is not Cache.__missing__:
        methods |= _computed(monitor, bare)
    return derived(monitor, bare, methods)


def _bare(cache: Any) -> Any:
    """The class that a cache had before it was watched."""
    return next(kind for kind in type(cache).__mro__ if "_spendgate_monitor" not in vars(kind))


class _Items(ItemsView[Any, Any]):
    """Going through the contents is no lookup: whoever lists a cache asks for nothing that it could miss."""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        cache: Any = self._mapping  # type: ignore[attr-defined]
        bare = _bare(cache)
        for key in cache:
            yield key, bare.__getitem__(cache, key)


class _Values(ValuesView[Any]):
    """The same of values alone."""

    def __iter__(self) -> Iterator[Any]:
        cache: Any = self._mapping  # type: ignore[attr-defined]
        bare = _bare(cache)
        for key in cache:
            yield bare.__getitem__(cache, key)


def _views(bare: Any) -> dict[str, Any]:
    def items(self: Any) -> _Items:
        return _Items(self)

    def values(self: Any) -> _Values:
        return _Values(self)

    views: dict[str, Any] = {"items": items, "values": values}
    return {name: view for name, view in views.items() if getattr(bare, name).__module__ in _ABSTRACT}


def _as_bare(bare: Any, cache: Any, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs one of its methods while its class is its own."""
    kind = type(cache)
    cache.__class__ = bare
    try:
        return method(cache, *args, **kwargs)
    finally:
        cache.__class__ = kind


def _item(monitor: CacheMonitor, bare: Any) -> Callable[[Any, object], Any]:
    """What looks an item up. One of the library's own classes is asked first whether it is there, be it expired.

    That takes less time than a KeyError on its way through two more functions.
    """
    hit, miss, error, look_up, has = monitor.hit, monitor.miss, monitor.error, bare.__getitem__, Cache.__contains__
    is_own = look_up.__module__ != Cache.__module__

    def __getitem__(self: Any, key: object) -> Any:
        try:
            is_there = is_own or has(self, key)
            value = look_up(self, key) if is_there else None
        except KeyError:  # it has expired, or was evicted in between, and has been counted
            raise
        except Exception:
            error()
            raise
        if not is_there:
            miss(key)
            raise KeyError(key)
        hit(key)
        return value

    return __getitem__


def _get(monitor: CacheMonitor, bare: Any) -> Callable[..., Any]:
    """`get` as `cachetools` has it: the item, if it is there."""
    hit, miss, look_up, has = monitor.hit, monitor.miss, bare.__getitem__, bare.__contains__

    def get(self: Any, key: object, default: Any = None) -> Any:
        try:
            if not has(self, key):
                miss(key)
                return default
            value = look_up(self, key)
        except KeyError:  # it has expired in between, and was counted as missing
            return default
        except Exception:
            monitor.error()
            raise
        hit(key)
        return value

    return get


def _own_get(monitor: CacheMonitor, bare: Any) -> Callable[..., Any]:
    """`get` of a class that has its own."""

    def get(self: Any, key: object, *args: Any, **kwargs: Any) -> Any:
        def ask(*asked: Any, **named: Any) -> Any:
            return _as_bare(bare, self, bare.get, *asked, **named)

        ask.__module__ = bare.get.__module__
        return watched_get(monitor, ask, key, args, kwargs)

    return get


def _lookups(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    has, miss, asked = bare.__contains__, monitor.miss, monitor.asked

    def __missing__(self: Any, key: object) -> Any:  # noqa: ARG001 - a method
        miss(key)
        raise KeyError(key)

    def __contains__(self: Any, key: object) -> bool:
        found: bool = has(self, key)
        asked(key, found)
        return found

    is_plain = bare.get.__module__ == Cache.__module__ and bare.__missing__ is Cache.__missing__
    get = (_get if is_plain else _own_get)(monitor, bare)
    return {
        "__getitem__": _item(monitor, bare),
        "__missing__": __missing__,
        "get": get,
        "__contains__": __contains__,
    }


def _computed(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    """For a class that computes what it does not have: that is the load."""

    def __getitem__(self: Any, key: object) -> Any:
        if _as_bare(bare, self, bare.__contains__, key):
            value = bare.__getitem__(self, key)
            monitor.hit(key)
            return value
        with monitor.load(key):
            return bare.__getitem__(self, key)

    return {"__getitem__": __getitem__, "__missing__": bare.__missing__}


def _changes(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def __setitem__(self: Any, key: object, value: Any) -> None:
        try:
            bare.__setitem__(self, key, value)
        except Exception:
            monitor.error()
            monitor.loaded()
            raise
        monitor.set(key)
        monitor.size = int(_size(self))

    def setdefault(self: Any, key: object, default: Any = None) -> Any:
        had = bare.__contains__(self, key)
        before = _size(self)
        value = _as_bare(bare, self, bare.setdefault, key, default)
        monitor.loaded() if had else monitor.set(key)
        monitor.size = int(_size(self))
        monitor.evict(0 if had else max(before + 1 - monitor.size, 0))
        return value

    def popitem(self: Any) -> Any:
        found = _as_bare(bare, self, bare.popitem)
        monitor.evict()
        return found

    def pop(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _as_bare(bare, self, bare.pop, *args, **kwargs)

    def clear(self: Any) -> None:
        _as_bare(bare, self, bare.clear)
        monitor.size = 0

    return {"__setitem__": __setitem__, "setdefault": setdefault, "popitem": popitem, "pop": pop, "clear": clear}
