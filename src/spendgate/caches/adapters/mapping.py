"""`dict` and other mappings: a proxy around the one given. Both share the contents, and both may be used.

Lookups are `[key]`, `get` and `in`. `setdefault`, `pop` and `update` are none: who calls `setdefault` has the value at
hand. `popitem` is how a mapping makes room, so it counts as an eviction.
"""

import copy
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from wrapt import ObjectProxy

from spendgate.caches.loading import NOTHING
from spendgate.caches.monitor import CacheMonitor

_KNOWN = {None, "builtins", "collections", "collections.abc", "_collections_abc", "weakref", "cachetools"}
"""The modules whose `get` hands its default back untouched; what is built in says none."""


def watch(monitor: CacheMonitor, cache: Any) -> Any:
    """A proxy of the mapping that counts; the mapping stays as it is."""
    kind = type(cache)
    if getattr(kind, "_self_monitor", None) is monitor:
        return cache
    computes = hasattr(kind, "__missing__")
    is_plain = all(getattr(kind, name) is getattr(dict, name) for name in ("__getitem__", "get", "__contains__"))
    make = _of_dict if is_plain and not computes else _of_mapping
    return monitor.kind(make, lambda: make(monitor))(cache)


if TYPE_CHECKING:
    _Proxy = ObjectProxy[Any]
else:
    _Proxy = ObjectProxy  # older ones cannot be subscribed

_given: Callable[[Any], Any] = getattr(getattr(ObjectProxy, "__wrapped__", None), "__get__", attrgetter("__wrapped__"))
"""From a proxy to what it stands for: `wrapt`'s own descriptor, in half the time that looking for it by name takes."""


class _Watched(_Proxy):
    """What all of them do; subclasses look things up."""

    _self_monitor: CacheMonitor
    """Of the class: a name like this one is not the mapping's."""

    def __contains__(self, key: object) -> bool:
        monitor = self._self_monitor
        try:
            found = key in self.__wrapped__
        except Exception:
            monitor.error()
            raise
        monitor.asked(key, found)
        return found

    def __setitem__(self, key: object, value: object) -> None:
        monitor, cache = self._self_monitor, self.__wrapped__
        try:
            cache[key] = value
        except Exception:
            monitor.error()
            monitor.loaded()
            raise
        monitor.set(key)
        self._measure()

    def _measure(self) -> None:
        """What else than a dictionary may have to count to know how long it is."""
        if isinstance(self.__wrapped__, dict):
            self._self_monitor.size = len(self.__wrapped__)

    def __delitem__(self, key: object) -> None:
        del self.__wrapped__[key]
        self._measure()

    def setdefault(self, key: object, default: object = None) -> Any:
        monitor = self._self_monitor
        value = self.__wrapped__.setdefault(key, default)
        monitor.set(key) if value is default else monitor.loaded()
        self._measure()
        return value

    def update(self, *args: Any, **kwargs: Any) -> None:
        self.__wrapped__.update(*args, **kwargs)
        self._self_monitor.set()
        self._measure()

    def popitem(self, *args: Any, **kwargs: Any) -> Any:
        found = self.__wrapped__.popitem(*args, **kwargs)
        self._self_monitor.evict()
        self._measure()
        return found

    def __ior__(self, other: Any) -> Any:
        self.__wrapped__ |= other
        self._self_monitor.set()
        return self

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)


def _of_dict(monitor: CacheMonitor) -> type:
    """A proxy for dictionaries, which asks them as C code would."""
    hit, miss, asked, error = monitor.hit, monitor.miss, monitor.asked, monitor.error
    find, has = dict.get, dict.__contains__

    class WatchedDict(_Watched):
        _self_monitor = monitor

        def __getitem__(self, key: object) -> Any:
            try:
                value = find(_given(self), key, NOTHING)
            except Exception:
                error()
                raise
            if value is NOTHING:
                miss(key)
                raise KeyError(key)
            hit(key)
            return value

        def __contains__(self, key: object) -> bool:
            try:
                found = has(_given(self), key)
            except Exception:
                error()
                raise
            asked(key, found)
            return found

        def get(self, key: object, default: object = None, /) -> Any:
            try:
                value = find(_given(self), key, NOTHING)
            except Exception:
                error()
                raise
            if value is NOTHING:
                miss(key)
                return default
            hit(key)
            return value

    return WatchedDict


def _of_mapping(monitor: CacheMonitor) -> type:
    """A proxy for any other mapping: it is asked as its caller asks. What it computes for a missing key is a load."""

    class WatchedMapping(_Watched):
        _self_monitor = monitor

        def __getitem__(self, key: object) -> Any:
            cache = self.__wrapped__
            try:
                if hasattr(type(cache), "__missing__") and key not in cache:
                    with monitor.load(key):
                        return cache[key]
                value = cache[key]
            except KeyError:
                monitor.miss(key)
                raise
            except Exception:
                monitor.error()
                raise
            monitor.hit(key)
            return value

        def get(self, key: object, *args: Any, **kwargs: Any) -> Any:
            return watched_get(monitor, self.__wrapped__.get, key, args, kwargs)

    return WatchedMapping


def watched_get(monitor: CacheMonitor, get: Any, key: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Asks a mapping's `get`, and counts. One that is known tells what is missing from what was stored as None.

    Any other one is asked exactly as its caller asks, since it may do something with the default: there it is a miss if
    the default comes back.
    """
    default = args[0] if args else kwargs.get("default")
    is_known = len(args) <= 1 and not kwargs and getattr(get, "__module__", None) in _KNOWN
    try:
        value = get(key, NOTHING) if is_known else get(key, *args, **kwargs)
    except Exception:
        monitor.error()
        raise
    if value is (NOTHING if is_known else default):
        monitor.miss(key)
        return default
    monitor.hit(key)
    return value
