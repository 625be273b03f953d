"""One file per cache library, imported when a cache of that library is watched."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Watch = Callable[[Any, Any], Any]
"""From a monitor and a cache to the watched cache."""

_PACKAGES = {
    "cachetools": "cachetools",
    "diskcache": "diskcache",
    "django": "django",
    "flask_caching": "flask_caching",
    "functools": "functools",
    "redis": "redis",
    "valkey": "redis",
}
"""The adapter for classes of each package."""


def adapter_for(cache: object) -> Watch:
    """What watches a cache like this one: by the package of its class, or of a class that it is made from.

    Raises:
        TypeError: nothing is known of such caches.
    """
    for kind in type(cache).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in _PACKAGES:
            watch: Watch | None = _load(_PACKAGES[package]).watcher(cache)
            if watch is not None:
                return watch
    if callable(cache) and hasattr(cache, "cache") and hasattr(cache, "cache_key"):  # decorated by an older cachetools
        found: Watch = _load("cachetools").watch_function
        return found
    if isinstance(cache, Mapping):
        mapping: Watch = _load("mapping").watch
        return mapping
    raise TypeError(
        f"nothing is known of caches like {type(cache).__module__}.{type(cache).__qualname__}: "
        "gate.cache_monitor(name) counts for any cache that tells it of its hits and misses"
    )


def _load(name: str) -> Any:
    return import_module(f"spendgate.caches.adapters.{name}")
