"""Django's caches: `django.core.cache.cache`, `caches[name]`, or a backend. A proxy around the one given.

Only who asks through the proxy is counted: hand it to the code that caches, or keep it in a module of your own.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wrapt import ObjectProxy

from spendgate.caches.loading import NOTHING
from spendgate.caches.monitor import CacheMonitor


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it is something else of Django's."""
    return watch if all(hasattr(cache, name) for name in ("get_or_set", "touch", "aget")) else None


def watch(monitor: CacheMonitor, cache: Any) -> Any:
    """A proxy that counts; the cache given stays as it is."""
    monitor.is_shared = True  # but for the one in the process's memory, which says nothing of it
    proxy = WatchedDjangoCache(cache)
    proxy._self_monitor = monitor
    return proxy


if TYPE_CHECKING:
    _Proxy = ObjectProxy[Any]
else:
    _Proxy = ObjectProxy


class WatchedDjangoCache(_Proxy):
    """The methods that look something up, or store it."""

    _self_monitor: CacheMonitor

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        with _Watching(self._self_monitor):
            return self._found(key, self.__wrapped__.get(key, NOTHING, version=version), default)

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        with _Watching(self._self_monitor):
            return self._found(key, await self.__wrapped__.aget(key, NOTHING, version=version), default)

    def _found(self, key: Any, value: Any, default: Any) -> Any:
        if value is NOTHING:
            self._self_monitor.miss(key)
            return default
        self._self_monitor.hit(key)
        return value

    def get_many(self, keys: Iterable[Any], version: Any = None) -> Any:
        wanted = list(keys)
        with _Watching(self._self_monitor):
            return self._found_many(wanted, self.__wrapped__.get_many(wanted, version=version))

    async def aget_many(self, keys: Iterable[Any], version: Any = None) -> Any:
        wanted = list(keys)
        with _Watching(self._self_monitor):
            return self._found_many(wanted, await self.__wrapped__.aget_many(wanted, version=version))

    def _found_many(self, keys: list[Any], found: Mapping[Any, Any]) -> Mapping[Any, Any]:
        for key in keys:
            (self._self_monitor.hit if key in found else self._self_monitor.miss)(key)
        return found

    def get_or_set(self, key: Any, default: Any, *args: Any, **kwargs: Any) -> Any:
        load = _Loading(self._self_monitor, key, default)
        with _Watching(self._self_monitor):
            return load.ended(self.__wrapped__.get_or_set(key, load, *args, **kwargs))

    async def aget_or_set(self, key: Any, default: Any, *args: Any, **kwargs: Any) -> Any:
        load = _Loading(self._self_monitor, key, default)
        with _Watching(self._self_monitor):
            return load.ended(await self.__wrapped__.aget_or_set(key, load, *args, **kwargs))

    def has_key(self, key: Any, version: Any = None) -> Any:
        with _Watching(self._self_monitor):
            return self._asked(key, self.__wrapped__.has_key(key, version=version))

    async def ahas_key(self, key: Any, version: Any = None) -> Any:
        with _Watching(self._self_monitor):
            return self._asked(key, await self.__wrapped__.ahas_key(key, version=version))

    def __contains__(self, key: Any) -> bool:
        with _Watching(self._self_monitor):
            return bool(self._asked(key, key in self.__wrapped__))

    def _asked(self, key: Any, found: Any) -> Any:
        self._self_monitor.asked(key, bool(found))
        return found

    def set(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=1):
            return self.__wrapped__.set(key, *args, **kwargs)

    async def aset(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=1):
            return await self.__wrapped__.aset(key, *args, **kwargs)

    def add(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=1, adds=True):
            return self.__wrapped__.add(key, *args, **kwargs)

    async def aadd(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=1, adds=True):
            return await self.__wrapped__.aadd(key, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=len(data)):
            return self.__wrapped__.set_many(data, *args, **kwargs)

    async def aset_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        with _Watching(self._self_monitor, stores=len(data)):
            return await self.__wrapped__.aset_many(data, *args, **kwargs)


class _Watching:
    """A block in which the cache is asked: an exception is an error of it, and what it stores is a load's end."""

    __slots__ = ("_monitor", "_stored", "_stores")

    def __init__(self, monitor: CacheMonitor, stores: int = 0, *, adds: bool = False) -> None:
        self._monitor = monitor
        self._stores = stores
        self._stored = monitor.added if adds else monitor.set

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Exception):
            self._monitor.error()
            self._monitor.loaded()
        for _number in range(self._stores if kind is None else 0):
            self._stored()


class _Loading:
    """Stands in for the default of `get_or_set`: it is called where the key is missing."""

    def __init__(self, monitor: CacheMonitor, key: Any, default: Any) -> None:
        self._monitor = monitor
        self._key = key
        self._default = default
        self._was_called = False

    def __call__(self) -> Any:
        self._was_called = True
        with self._monitor.load(self._key):
            return self._default() if callable(self._default) else self._default

    def ended(self, value: Any) -> Any:
        """Counts what it came to, and hands the value on."""
        if self._was_called:
            self._monitor.sets.add()
        else:
            self._monitor.hit(self._key)
        return value
