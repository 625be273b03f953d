"""What limits would have done to recorded calls: the calls go through a ledger in memory, on the log's own time.

Each call is asked for at the instant at which it was made, with what it did cost. A refused call costs nothing, and
whatever it led to is not undone: a loop that was refused in the log's first hour is still in its last.

>>> from spendgate.call import Call
>>> from spendgate.clock import HOUR, MINUTE
>>> from spendgate.history.past import past_call, stated
>>> from spendgate.limits import Limit
>>> from spendgate.pricing.usage import Usage
>>> from spendgate.windows import parse_window
>>> calls = [past_call(str(n), Call("research"), n * MINUTE, Usage(), stated(2, "log")) for n in range(1, 5)]
>>> found = replay(calls, LimitSet((Limit("hourly", "usd", 5, parse_window("1h", "UTC")),)), MINUTE)
>>> found.calls, found.usd, found.refused_calls, found.refused_usd
(4, 8, 2, 4)
>>> [(trip.limit, trip.at // MINUTE, trip.refused_calls) for trip in found.trips]
[('hourly', 3, 2)]
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from spendgate.admission import Counter
from spendgate.ledger import Actor, Entry, Event, Held, HoldRequest, Outcome
from spendgate.limits import LimitSet
from spendgate.reservation import State
from spendgate.stores.memory import MemoryStore, MemoryTables

TELL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Trip:
    """One time that a limit would have refused calls of a scope: from when to when, and what.

    `until_at` is None where it still did at the end of the log. A call that two limits refuse counts in both. With
    `observed`, the limit only reports: the calls would have passed.
    """

    limit: str
    scope: str
    at: int
    until_at: int | None
    refused_calls: int
    refused_usd: int
    observed: bool = False


@dataclass(slots=True)
class Stretch:
    """What was spent in a stretch of time from `at` on, and what of it would have passed; nano-dollars."""

    at: int
    usd: int = 0
    passed_usd: int = 0


@dataclass(slots=True)
class Replay:
    """What the log has, and what limits would have done to it. Amounts are in nano-dollars."""

    calls: int = 0
    usd: int = 0
    refused_calls: int = 0
    refused_usd: int = 0
    first_at: int = 0
    last_at: int = 0
    trips: list[Trip] = field(default_factory=list)
    warnings: list[Event] = field(default_factory=list)
    stretches: dict[int, Stretch] = field(default_factory=dict)

    @property
    def passed_calls(self) -> int:
        """The calls that would have been sent."""
        return self.calls - self.refused_calls

    @property
    def passed_usd(self) -> int:
        """What would have been spent."""
        return self.usd - self.refused_usd


def replay(
    entries: Iterable[Entry], limits: LimitSet, every: int, progress: Callable[[Replay], None] | None = None
) -> Replay:
    """Runs calls, in the order of time, through limits.

    Args:
        entries: the calls, sorted by `held_at` (see `spendgate.history.in_order`).
        limits: what would have been in force.
        every: the length of the stretches that spending is summed by, in microseconds.
        progress: called now and then with what there is so far.
    """
    found = Replay()
    store = _PassingStore()
    store.apply_limits(limits, "replay", Actor(), 0)
    for entry in entries:
        _ask(store, entry, found, every)
        if progress is not None and found.calls % TELL_EVERY == 0:
            progress(found)
    found.trips = _trips(store)
    found.warnings = [event for event in store.events() if event.kind == "warned"]
    return found


def _ask(store: MemoryStore, entry: Entry, found: Replay, every: int) -> None:
    at, cost = entry.held_at, entry.weight.usd
    answer = store.hold(HoldRequest(entry.call, entry.weight, entry.actor, entry.pricing), at)
    stretch = found.stretches.setdefault(at - at % every, Stretch(at - at % every))
    stretch.usd += cost
    found.first_at = found.first_at or at
    found.last_at = at
    found.calls += 1
    found.usd += cost
    if isinstance(answer, Held):
        stretch.passed_usd += cost
        store.settle(answer.id, Outcome(), at)
    else:
        found.refused_calls += 1
        found.refused_usd += cost


def _trips(store: "_PassingStore") -> list[Trip]:
    """The episodes of refusals that the ledger has told, and those that are not over."""
    running: dict[tuple[str, str], Trip] = {}
    over: list[Trip] = []
    for event in store.events():
        key = (event.limit, event.scope)
        if event.kind in ("blocked", "observed"):
            running[key] = Trip(*key, event.at, None, 0, 0, event.kind == "observed")
        elif event.kind == "allowing":
            refused = {name: event.data[name] for name in ("refused_calls", "refused_usd")}
            over.append(replace(running.pop(key), until_at=event.at, **refused))
    for key, counter in store.counters():
        if trip := running.pop(key, None):
            over.append(replace(trip, refused_calls=counter.refused_calls, refused_usd=counter.refused_usd))
    return sorted(over, key=lambda trip: (trip.at, trip.limit, trip.scope))


class _PassingTables(MemoryTables):
    """Rows that are let go when a call has ended: windows go by their counters, and nobody asks for entries.

    Counters are handed out themselves, not as copies: here nobody else reads them in the meantime.
    """

    def counter(self, limit_id: int, scope: str) -> Counter | None:
        return self._counters.get(limit_id, {}).get(scope)

    def put_counter(self, limit_id: int, scope: str, counter: Counter) -> None:
        self._counters.setdefault(limit_id, {})[scope] = counter

    def update(self, entry: Entry) -> None:
        super().update(entry)
        if entry.state is not State.HELD:
            del self.entries[entry.seq]


class _PassingStore(MemoryStore):
    """A ledger whose size does not grow with the log."""

    def __init__(self) -> None:
        super().__init__()
        self._tables = _PassingTables()

    def counters(self) -> Iterator[tuple[tuple[str, str], Counter]]:
        """Every counter, by the name of its limit and its scope."""
        for limit, limit_id in self._force.rows:
            for scope, counter in self._tables.counters(limit_id):
                yield (limit.name, scope), counter
