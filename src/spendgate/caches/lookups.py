"""What a lookup costs: three functions that count it, have some keys looked at, and know where a load begins.

They are made for one monitor, with all that they need at hand, since asking `self` for it takes a tenth of their time.
What takes the most is to set a context variable, so that is done once where a load begins, and else hardly ever.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from spendgate.caches.loading import KEY, NOTHING
from spendgate.clock import monotonic_ns

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

Mark = list[Any]
"""Its only element is the key whose presence was asked for, while its value was not; NOTHING where that has been done.
Contexts that are copies of one another may share a mark: a key is put into an empty one only, and taken out once. So a
key that one of them only asks for is one lookup with its reading in another, and a miss of another key in between does
not empty a mark: a hit too few now and then, where exactness would cost every miss 0.05 us, and `in` and `[]` 0.12."""
NEVER: Mark = [NOTHING]
"""The mark of a context that has asked for nothing yet: of many, so that nothing may be put into it."""


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
            mark([NOTHING])
        count()
        try:
            if not hash(key) & mask[0]:
                look(key, True)
        except Exception:  # noqa: BLE001 - a key may do anything
            look(key, True)

    return hit


def _miss(monitor: "CacheMonitor") -> Looked:
    count, mask, look, begin = monitor.misses.add, monitor.mask, monitor.look, monitor.loading.set

    def miss(key: object = NOTHING) -> None:
        count()
        try:
            if not hash(key) & mask[0]:
                look(key, False)
        except Exception:  # noqa: BLE001 - a key may do anything
            look(key, False)
        begin([monotonic_ns(), 0, NOTHING])

    return miss


def _asked(monitor: "CacheMonitor", miss: Looked) -> Asked:
    count, mask, look = monitor.hits.add, monitor.mask, monitor.look
    last_asked, mark = monitor.last_asked.get, monitor.last_asked.set
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
        marked = last_asked()
        if marked[0] is NOTHING and marked is not NEVER:
            marked[0] = key
        else:
            mark([key])

    return asked


def _equal(one: object, key: object) -> bool:
    try:
        return bool(one == key)
    except Exception:  # noqa: BLE001 - keys that no cache would compare
        return False
