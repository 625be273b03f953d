"""What a miss sets off: from the lookup that missed, in this thread or asyncio task, to the value that is stored.

Paid calls that are held in between are what the miss costs. A load is a list, which is made in a third of the time that
an object of a class takes; a context holds None, its only load, or a tuple of several, the innermost last.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from spendgate.ledger import Entry, Event

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

Load = list[Any]
OWNER, BEGUN, PAID, KEY, MARKED = range(5)
"""The places of a load: its monitor; when it began, in nanoseconds that only grow, or one of the two below; what
its calls did cost so far, in nano-dollars; the key, but only where no more than `in` was asked; and, for as long as it
takes, another key that `in` has found meanwhile."""
ENDED, COUNTED = -1, -2
"""No load any more; and no load at all, but a mark: the lookup of KEY has been counted, the next one is the same."""
MOST_HELD = 4096
"""Of so many calls that have not settled yet it is known for which miss they are made."""
NOTHING: Any = object()
"""A key that equals none."""

Open = Load | tuple[Load, ...] | None

open_loads: ContextVar[Open] = ContextVar("spendgate_loads", default=None)
"""What this thread or task is loading, and for which caches."""


def every(found: Open) -> tuple[Load, ...]:
    """The loads of a context, the innermost last."""
    return found if isinstance(found, tuple) else (found,) if found else ()


def of(found: Open, monitor: "CacheMonitor") -> Load | None:
    """The innermost load or mark of one cache."""
    if isinstance(found, list):
        return found if found[OWNER] is monitor else None
    return next((load for load in reversed(found or ()) if load[OWNER] is monitor), None)


def put(found: Open, monitor: "CacheMonitor", load: Load | None) -> None:
    """Makes a load the innermost of this context, and the only one of its cache; or leaves that cache none."""
    if found is None or found[0] is monitor:
        open_loads.set(load)
        return
    now = [one for one in every(found) if one[OWNER] is not monitor]
    if load is not None:
        now.append(load)
    open_loads.set(tuple(now) if len(now) > 1 else now[0] if now else None)


class MissCosts:
    """Listens to the gate: a call that is held while a miss loads is what the miss costs, whenever it settles.

    One that is never settled is forgotten, in time.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[Load, ...]] = {}

    def held(self, hold_id: str) -> None:
        """A call is about to be made here: for the innermost load of each cache."""
        loads = every(open_loads.get())
        if loads:
            self._held[hold_id] = tuple({load[OWNER]: load for load in loads}.values())
            if len(self._held) > MOST_HELD:
                for old in list(self._held)[: MOST_HELD // 2]:
                    self._held.pop(old, None)

    def entry(self, entry: Entry) -> None:
        """A call ended, here or elsewhere."""
        for load in self._held.pop(entry.id, ()):
            load[OWNER].paid(load, entry)

    def events(self, events: tuple[Event, ...]) -> None:
        """Changes of state cost nothing."""

    def close(self) -> None:
        """Nothing is kept."""
