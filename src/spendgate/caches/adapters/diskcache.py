"""`diskcache`: the `Cache` or `FanoutCache` itself, with what its `memoize` looks up through it."""

from collections.abc import Callable
from typing import Any

from diskcache import Cache, FanoutCache  # type: ignore[import-untyped]

from spendgate.caches.adapters.derived import derived, watched_in_place
from spendgate.caches.loading import NOTHING
from spendgate.caches.monitor import CacheMonitor


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it is another collection of `diskcache`."""
    return watch if isinstance(cache, Cache | FanoutCache) else None


def watch(monitor: CacheMonitor, cache: Any) -> Any:
    """The cache itself, watched from now on."""
    monitor.is_shared = True
    return watched_in_place(monitor, cache, _watched)


def _watched(monitor: CacheMonitor, bare: Any) -> type:
    methods = {**_lookups(monitor, bare), **_stores(monitor, bare)}
    if issubclass(bare, FanoutCache):  # which asks its shards; the other one asks itself
        methods |= _items(monitor, bare)
    return derived(monitor, bare, methods)


def _lookups(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def get(  # noqa: PLR0917 - as many as there
        self: Any,
        key: Any,
        default: Any = None,
        read: bool = False,
        expire_time: bool = False,
        tag: bool = False,
        retry: bool = False,
    ) -> Any:
        try:
            found = bare.get(self, key, NOTHING, read, expire_time, tag, retry)
        except Exception:
            monitor.error()
            raise
        if found is not NOTHING and not (isinstance(found, tuple) and found and found[0] is NOTHING):
            monitor.hit(key)
            return found
        monitor.miss(key)
        return default if found is NOTHING else (default, *found[1:])

    def __contains__(self: Any, key: Any) -> bool:
        found: bool = bare.__contains__(self, key)
        monitor.asked(key, found)
        return found

    return {"get": get, "__contains__": __contains__}


def _stores(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def storing(name: str) -> Callable[..., Any]:
        method = getattr(bare, name)

        def store(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
            found = _tried(monitor, method, self, key, *args, **kwargs)
            (monitor.added if name == "add" else monitor.set)(key)
            return found

        return store

    return {"set": storing("set"), "add": storing("add")}


def _items(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def __getitem__(self: Any, key: Any) -> Any:
        try:
            value = bare.__getitem__(self, key)
        except KeyError:
            monitor.miss(key)
            raise
        except Exception:
            monitor.error()
            raise
        monitor.hit(key)
        return value

    def __setitem__(self: Any, key: Any, value: Any) -> None:
        _tried(monitor, bare.__setitem__, self, key, value)
        monitor.set(key)

    return {"__getitem__": __getitem__, "__setitem__": __setitem__}


def _tried(monitor: CacheMonitor, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return method(*args, **kwargs)
    except Exception:
        monitor.error()
        monitor.loaded()
        raise
