"""What a miss sets off: from the lookup that missed, in this thread or asyncio task, to the value that is stored.

Paid calls that are held in between are what the miss costs. A load is a list, which is made in a third of the time that
an object of a class takes. Each monitor has a context variable of its own for them, so that a lookup is as cheap while
other caches load.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spendgate.ledger import Entry, Event

if TYPE_CHECKING:
    from spendgate.caches.monitor import CacheMonitor

Load = list[Any]
BEGUN, PAID, KEY, CALLED = range(4)
"""The places of a load: when it began, in nanoseconds that only grow, or ENDED; what its calls did cost so far, in
nano-dollars; the key, but only where no more than `in` was asked, else NOTHING; and a mark, once a call is made."""
ENDED = -1
"""No load any more."""
MOST_HELD = 4096
"""Of so many calls that have not settled yet it is known for which miss they are made."""
NOTHING: Any = object()
"""A key that equals none."""


class MissCosts:
    """Listens to the gate: a call that is held while a miss loads is what the miss costs, whenever it settles.

    One that is never settled is forgotten, in time.

    Args:
        monitors: of the gate's caches, whatever it calls them.
    """

    def __init__(self, monitors: "Mapping[Any, CacheMonitor]") -> None:
        self._monitors = monitors
        self._held: dict[str, tuple[tuple[CacheMonitor, Load], ...]] = {}

    def held(self, hold_id: str) -> None:
        """A call is about to be made here: for what each cache is loading."""
        loads = tuple((one, load) for one in list(self._monitors.values()) if (load := one.loading.get()) is not None)
        if loads:
            self._held[hold_id] = loads
            for _, load in loads:
                load[CALLED:] = [True]
            if len(self._held) > MOST_HELD:
                for old in list(self._held)[: MOST_HELD // 2]:
                    self._held.pop(old, None)

    def entry(self, entry: Entry) -> None:
        """A call ended, here or elsewhere."""
        for monitor, load in self._held.pop(entry.id, ()):
            monitor.paid(load, entry)

    def events(self, events: tuple[Event, ...]) -> None:
        """Changes of state cost nothing."""

    def close(self) -> None:
        """Nothing is kept."""
