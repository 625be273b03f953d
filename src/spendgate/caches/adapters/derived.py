"""Classes derived from that of a cache, so that the cache itself, or a copy that shares its connections, is watched."""

import copyreg
from collections.abc import Callable, Mapping
from typing import Any

from spendgate.caches.monitor import CacheMonitor

_NEW: Any = vars(copyreg)["__newobj__"]
_MADE: Any = vars(copyreg)["_reconstructor"]


def derived(monitor: CacheMonitor, bare: Any, methods: Mapping[str, Any]) -> type:
    """A class with other methods and the same name; its objects are pickled as what they were before."""

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        found = bare.__reduce_ex__(self, protocol)
        if isinstance(found, str):
            return found
        function, args, *rest = found
        if function is _NEW and args == (kind,):  # which pickle only takes for an object of that very class
            return (_MADE, (bare, object, None), *rest)
        return (function, tuple(bare if one is kind else one for one in args), *rest)

    names: dict[str, Any] = {name: getattr(bare, name) for name in ("__module__", "__qualname__", "__doc__")}
    body = {**names, "__slots__": (), "_spendgate_monitor": monitor, "__reduce_ex__": __reduce_ex__, **methods}
    for name, method in methods.items():
        if method is not vars(bare).get(name):
            method.__qualname__ = f"{bare.__qualname__}.{name}"
    kind = type(bare.__name__, (bare,), body)
    return kind


def watched_in_place(monitor: CacheMonitor, cache: Any, make: Callable[[CacheMonitor, type], type]) -> Any:
    """The cache itself, with a class that was derived from its own; once is enough.

    Raises:
        TypeError: objects of its class cannot have another one.
    """
    kind = type(cache)
    if getattr(kind, "_spendgate_monitor", None) is not monitor:
        cache.__class__ = monitor.kind(kind, lambda: make(monitor, kind))
    return cache
