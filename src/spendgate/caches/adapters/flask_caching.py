"""Flask-Caching: the extension object itself, with all that its decorators and templates look up through it.

A cached None that `cache_none` asks for again is a hit. The versions that `memoize` keeps for its own use do not count.
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask_caching import Cache

from spendgate.caches.adapters.derived import derived, watched_in_place
from spendgate.caches.monitor import CacheMonitor

_VERSION = "_memver"


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it is something else of Flask-Caching."""
    return watch if isinstance(cache, Cache) else None


def watch(monitor: CacheMonitor, cache: Any) -> Any:
    """The extension itself, watched from now on; it may get its application later."""
    monitor.is_shared = True  # most of its backends are
    return watched_in_place(monitor, cache, _watched)


def _watched(monitor: CacheMonitor, bare: Any) -> type:
    return derived(monitor, bare, {**_lookups(monitor, bare), **_stores(monitor, bare)})


def _lookups(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def get(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        value = _asked(monitor, bare.get, self, key, *args, **kwargs)
        (monitor.miss if value is None else monitor.hit)(key)
        return value

    def has(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        found = _asked(monitor, bare.has, self, key, *args, **kwargs)
        if not monitor.is_loading:
            monitor.asked(key, bool(found))
        elif found:
            monitor.found_after_all(key)
        return found

    def get_many(self: Any, *keys: Any, **kwargs: Any) -> Any:
        values = _asked(monitor, bare.get_many, self, *keys, **kwargs)
        for key, value in zip(keys, values, strict=False):
            if not _is_version(key):
                (monitor.miss if value is None else monitor.hit)(key)
        return values

    def get_dict(self: Any, *keys: Any, **kwargs: Any) -> Any:
        found = _asked(monitor, bare.get_dict, self, *keys, **kwargs)
        for key in keys:
            (monitor.miss if found.get(key) is None else monitor.hit)(key)
        return found

    return {"get": get, "has": has, "get_many": get_many, "get_dict": get_dict}


def _stores(monitor: CacheMonitor, bare: Any) -> dict[str, Any]:
    def set(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A001 - what it is called there
        return _stored(monitor, (key,), monitor.set, bare.set, self, key, *args, **kwargs)

    def add(self: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        return _stored(monitor, (key,), monitor.added, bare.add, self, key, *args, **kwargs)

    def set_many(self: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
        return _stored(monitor, list(values), monitor.set, bare.set_many, self, values, *args, **kwargs)

    return {"set": set, "add": add, "set_many": set_many}


def _asked(monitor: CacheMonitor, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return method(*args, **kwargs)
    except Exception:
        monitor.error()
        raise


def _stored(
    monitor: CacheMonitor,
    keys: Iterable[Any],
    tell: Callable[[Any], None],
    method: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    try:
        found = method(*args, **kwargs)
    except Exception:
        monitor.error()
        monitor.loaded()
        raise
    for key in keys:
        if not _is_version(key):
            tell(key)
    return found


def _is_version(key: object) -> bool:
    return isinstance(key, str) and key.endswith(_VERSION)
