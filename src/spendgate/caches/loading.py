"""What a miss sets off: from the lookup that missed, in this thread or asyncio task, to the value that is stored.

Paid calls that settle in between are what the miss cost. A load is a list, which is made in a third of the time that an
object of a class takes; a context holds None, its only load, or a tuple of several, the innermost last.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from spendgate.ledger import Entry, Event

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

Load = list[Any]
OWNER, BEGUN, PAID, KEY = range(4)
"""The places of a load: its monitor; when it began, in nanoseconds that only grow, or one of the two below; what each
of its calls did cost, in nano-dollars, None for no calls; and the key, but only where no more than `in` was asked."""
ENDED, COUNTED = -1, -2
"""No load any more; and no load at all, but a mark: the lookup of KEY has been counted, the next one is the same."""
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
    """Listens to the gate: what a call did cost is what the misses cost for which it was made."""

    def entry(self, entry: Entry) -> None:
        """A call ended, here or, later, on behalf of here."""
        for load in {load[OWNER]: load for load in every(open_loads.get())}.values():
            load[OWNER].paid(load, entry)

    def events(self, events: tuple[Event, ...]) -> None:
        """Changes of state cost nothing."""

    def close(self) -> None:
        """Nothing is kept."""
