"""What a lookup costs: three functions that count it, have some keys looked at, and know where a load begins.

They are made for one monitor, with all that they need at hand, since asking `self` for it takes a tenth of their time.
What takes the most is to set a context variable, so that is done once where a load begins, and once for an `in` that
finds its key.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from spendgate.caches.loading import KEY, NOTHING
from spendgate.clock import monotonic_ns

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

Mark = list[Any]
"""Its only element is the key whose presence was asked for, while its value was not; NOTHING where that has been done.
A context that is copied shares its mark with the copy: a key is taken out of it once, and no other one is put in."""
UNMARKED: Mark = [NOTHING]
"""The mark of every context that has nothing to read."""


class Looked(Protocol):
    """Is told that a key was looked up."""

    def __call__(self, key: object = NOTHING) -> None: ...


class Asked(Protocol):
    """Is told that somebody asked whether a key is there."""

    def __call__(self, key: object, found: bool) -> None: ...


class Lookups(NamedTuple):
    """The three functions; `CacheMonitor` says what they mean."""

    hit: Looked
    miss: Looked
    asked: Asked


def lookups(monitor: "CacheMonitor") -> Lookups:
    """Those of one monitor."""
    miss = _miss(monitor)
    return Lookups(_hit(monitor), miss, _asked(monitor, miss))


def _hit(monitor: "CacheMonitor") -> Looked:
    count, mask, look = monitor.hits.add, monitor.mask, monitor.look
    last_asked, mark = monitor.last_asked.get, monitor.last_asked.set

    def hit(key: object = NOTHING) -> None:
        marked = last_asked()
        if marked[0] is not NOTHING:
            if marked[0] is key or _equal(marked[0], key):
                marked[0] = NOTHING
                return
            mark(UNMARKED)
        count()
        try:
            if not hash(key) & mask[0]:
                look(key, True)
        except Exception:  # noqa: BLE001 - a key may do anything
            look(key, True)

    return hit


def _miss(monitor: "CacheMonitor") -> Looked:
    count, mask, look, begin = monitor.misses.add, monitor.mask, monitor.look, monitor.loading.set
    last_asked, mark = monitor.last_asked.get, monitor.last_asked.set

    def miss(key: object = NOTHING) -> None:
        count()
        try:
            if not hash(key) & mask[0]:
                look(key, False)
        except Exception:  # noqa: BLE001 - a key may do anything
            look(key, False)
        if last_asked()[0] is not NOTHING:
            mark(UNMARKED)
        begin([monotonic_ns(), 0, NOTHING])

    return miss


def _asked(monitor: "CacheMonitor", miss: Looked) -> Asked:
    count, mask, look, mark = monitor.hits.add, monitor.mask, monitor.look, monitor.last_asked.set
    loading: Any = monitor.loading.get

    def asked(key: object, found: bool) -> None:
        if not found:
            miss(key)
            loading()[KEY] = key
            return
        count()
        try:
            if not hash(key) & mask[0]:
                look(key, True)
        except Exception:  # noqa: BLE001 - a key may do anything
            look(key, True)
        mark([key])

    return asked


def _equal(one: object, key: object) -> bool:
    try:
        return bool(one == key)
    except Exception:  # noqa: BLE001 - keys that no cache would compare
        return False
