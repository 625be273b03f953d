"""A store as everyone sees it, made of transactions over tables: `memory` and `sqlite` only add where rows live."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from spendgate.call import FIELDS, Call
from spendgate.clock import DAY, HOUR, MINUTE
from spendgate.errors import LostTailError, ReservationStateError
from spendgate.ledger import (
    Actor,
    Breaker,
    Entry,
    Event,
    Held,
    HoldRequest,
    LimitsVersion,
    Outcome,
    Refused,
    Settled,
    Standing,
    Weight,
)
from spendgate.limits import MAX_SCOPES, LimitSet
from spendgate.stores import counting, drawing, repeats
from spendgate.stores.breakers import read_breakers, write_breaker
from spendgate.stores.caches import CacheKeeping
from spendgate.stores.force import InForce, keyed
from spendgate.stores.noticing import FindingKeeping
from spendgate.stores.posting import Posting
from spendgate.stores.setback import BACK_TOLERANCE, clock_in
from spendgate.stores.standing import standings
from spendgate.stores.tables import Meta, Tables
from spendgate.stores.tasks import TaskKeeping
from spendgate.taskterms import TaskTerms
from spendgate.windows import MAX_SPAN

COMPACT_MARGIN = 40 * DAY
RECLAIM_EVERY = HOUR
"""How often a process lets go of the rows of budgets that weigh nothing any more."""

P = ParamSpec("P")
T = TypeVar("T")


class LedgerStore(TaskKeeping, FindingKeeping, CacheKeeping, ABC):
    """The bookings of `posting` as a store. Subclasses say how a transaction reads and writes tables."""

    def __init__(self, max_scopes: int = MAX_SCOPES) -> None:
        self.max_scopes = max_scopes
        self._force = InForce(0, LimitSet(()), {})
        self._reclaim_at = 0

    @abstractmethod
    def _write(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` in a transaction that nobody else writes in, and keeps all of it or nothing."""

    @abstractmethod
    def _read(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` on one unchanging view of the tables."""

    def _post(self, now_at: int, work: Callable[Concatenate[Posting, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def posted(tables: Tables) -> T:
            meta = tables.meta()
            force = self._in_force(tables, meta)
            at = clock_in(tables, meta, force, now_at, self.max_scopes)
            posting = Posting(tables, meta, force, at, self.max_scopes)
            result = work(posting, *args, **kwargs)
            if not 0 <= self._reclaim_at - at <= RECLAIM_EVERY:
                self._reclaim(posting)
            tables.put_meta(meta)
            return result

        try:
            return self._write(posted)
        except LostTailError as lost:
            self._lost_tail(lost, now_at)
        return self._write(posted)

    def _lost_tail(self, lost: LostTailError, now_at: int) -> None:  # noqa: ARG002 - charging for it takes an instant
        """What becomes of a booking in a ledger that has lost its tail: where nothing is raised, it is tried again."""
        raise lost

    def _in_force(self, tables: Tables, meta: Meta) -> InForce:
        """The limits that the ledger has in force, whatever this process was opened with.

        Threads read and write at once: `_force` is never read twice.
        """
        force = self._force
        if force.version != meta.limits_version:
            version = tables.limits_version(meta.limits_version)
            limits = version.limits if version else LimitSet(())
            self._force = force = InForce(meta.limits_version, limits, tables.limit_ids())
        return force

    def _reclaim(self, posting: Posting) -> None:
        """Not at a process's first booking: one that lives for a moment leaves it to others."""
        if self._reclaim_at:
            drawing.reclaim(posting)
            repeats.reclaim(posting)
        self._reclaim_at = posting.at + RECLAIM_EVERY

    def hold(self, request: HoldRequest, now_at: int) -> Held | Refused | Breaker | TaskTerms:
        """Reads every window that applies and sets the money aside, or sets nothing aside."""
        return self._post(now_at, Posting.hold, request)

    def settle(self, hold_id: str, outcome: Outcome, now_at: int) -> Settled:
        """Ends a reservation with what the call did cost. The same again is the same answer."""
        return self._post(now_at, _settle, hold_id, outcome)

    def void(self, hold_id: str, now_at: int) -> Settled:
        """Ends a reservation of a call that cost nothing. The same again is the same answer."""
        return self._post(now_at, lambda posting: posting.void(_known(posting.tables, hold_id)))

    def book(self, request: HoldRequest, now_at: int) -> Settled:
        """Books a call that was made without a reservation, whatever the limits say."""
        return self._post(now_at, Posting.book, request)

    def lapse_due(self, now_at: int) -> None:
        """Lets every reservation lapse whose time has come. Nothing depends on it: decisions see to it themselves."""
        self._post(now_at, Posting.lapse_due, 1 << 31)

    def standings(self, now_at: int) -> list[Standing]:
        """Every limit in every scope that has spent, held or refused something."""

        def look(tables: Tables) -> list[Standing]:
            meta = tables.meta()
            at = max(now_at, meta.latest_at) if now_at >= meta.latest_at - BACK_TOLERANCE else now_at
            return standings(tables, self._in_force(tables, meta), at)

        return self._read(look)

    def limits(self) -> LimitsVersion:
        """The limits in force."""

        def look(tables: Tables) -> LimitsVersion:
            found = tables.limits_version(tables.meta().limits_version)
            return found or LimitsVersion(0, 0, "", Actor(), LimitSet(()))

        return self._read(look)

    def limits_history(self) -> list[LimitsVersion]:
        """Every set of limits that ever was in force, oldest first."""
        return self._read(lambda tables: tables.limits_versions())

    def apply_limits(self, limits: LimitSet, source: str, actor: Actor, now_at: int) -> bool:
        """Puts a set of limits in force for every process. False where it already is."""
        if self.limits().version and self.limits().limits.says_the_same(limits):
            return False

        def apply(posting: Posting) -> bool:
            tables, meta = posting.tables, posting.meta
            current = tables.limits_version(meta.limits_version)
            if current is not None and current.limits.says_the_same(limits):
                return False
            meta.limits_version += 1
            meta.head += 1
            tables.add_limits_version(LimitsVersion(meta.limits_version, posting.at, source, actor, limits))
            self._renumber(posting, limits)
            data = {"version": meta.limits_version, "source": source, "host": actor.host, "pid": actor.pid}
            tables.add_event(Event(posting.at, "limits", data={**data, "program": actor.program}))
            return True

        return self._post(now_at, apply)

    def _renumber(self, posting: Posting, limits: LimitSet) -> None:
        """Gives new limits their rows, built from the entries, and takes them from those that are gone."""
        tables = posting.tables
        old = tables.limit_ids()
        keys = [key for key, _ in keyed(limits.limits)]
        top = max(old.values(), default=0)
        ids = {key: old.get(key, 0) or (top := top + 1) for key in keys}
        for key, limit_id in old.items():
            if key not in ids:
                tables.drop_counters(limit_id)
        tables.put_limit_ids(ids)
        force = InForce(posting.meta.limits_version, limits, ids)
        counting.carry_warnings(tables, posting.force, force)
        fresh = {limit_id for key, limit_id in ids.items() if key not in old}
        counting.rebuild(tables, force, fresh, posting.at, self.max_scopes)

    def breakers(self, now_at: int) -> tuple[Breaker, ...]:
        """The breakers that are tripped."""
        found = self._read(lambda tables: read_breakers(tables.meta().breakers))
        return tuple(one for one in found if one.reset_at is None or now_at < one.reset_at)

    def trip(self, breaker: Breaker, actor: Actor, now_at: int) -> Event:
        """Blocks every call that the breaker's pattern fits. Tripped again, it takes the new reason and time.

        Raises:
            ValueError: calls have no such field; nothing was tripped.
        """
        if breaker.field not in ("*", *FIELDS) and not breaker.field.startswith("tags."):
            raise ValueError(f"calls have no {breaker.field!r}: a breaker is for {', '.join(FIELDS)}, tags.NAME or *")

        def add(posting: Posting) -> Event:
            meta = posting.meta
            states = json.loads(meta.breakers) if meta.breakers else []
            states = [one for one in states if (one["field"], one["pattern"]) != (breaker.field, breaker.pattern)]
            tripped = replace(breaker, since_at=posting.at)
            meta.breakers = json.dumps([*states, write_breaker(tripped)])
            meta.head += 1
            data = {"reason": breaker.reason, "reset_at": breaker.reset_at, "host": actor.host, "pid": actor.pid}
            event = Event(posting.at, "tripped", "", str(breaker), {**data, "program": actor.program})
            posting.tables.add_event(event)
            return event

        return self._post(now_at, add)

    def reset(self, breaker_field: str, pattern: str, actor: Actor, now_at: int) -> tuple[Event, ...]:
        """Lets the calls through again; empty where nothing was tripped. `*` on `*` resets every breaker."""

        def clear(posting: Posting) -> tuple[Event, ...]:
            meta = posting.meta
            states = json.loads(meta.breakers) if meta.breakers else []
            every = (breaker_field, pattern) == ("*", "*")
            for state in list(states):
                if every or (state["field"], state["pattern"]) == (breaker_field, pattern):
                    states.remove(state)
                    posting.tell_reset(state, f"reset by {actor.program or actor.host or 'somebody'}")
            meta.breakers = json.dumps(states) if states else ""
            meta.head += 1
            return tuple(posting.events)

        return self._post(now_at, clear)

    def note(self, event: Event) -> Event:
        """Writes down what a program says has happened; the event as the ledger has it, with the instant it took."""

        def write(posting: Posting) -> Event:
            posting.meta.head += 1
            written = replace(event, at=posting.at)
            posting.tables.add_event(written)
            return written

        return self._post(event.at, write)

    def processed(self, service: str, count: int, now_at: int) -> None:
        """Adds to the work done by a service: what cost is compared with."""
        self._write(lambda tables: tables.add_work(service, now_at - now_at % MINUTE, count))

    def begin(self, work: str, hold_id: str, now_at: int) -> None:
        """Remembers under which name a provider knows the work of a reservation, until its bill is collected."""
        self._write(lambda tables: tables.put_begun(work, hold_id, now_at))

    def begun(self, work: str) -> str:
        """The reservation of a provider's work, from whatever process it was begun; empty where none is known."""
        return self._read(lambda tables: tables.begun(work))

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        """Adds history that counts in reports and never in windows: (added, already there, by `Entry.id`)."""
        return self._write(lambda tables: tables.add_imported(entries))

    def compact(self, before_at: int, now_at: int) -> int:
        """Rolls entries that ended before an instant into daily sums; how many. No total changes.

        Raises:
            ValueError: the instant is so late that windows may still need the entries; nothing was changed.
        """

        def roll(posting: Posting) -> int:
            needed = min((limit.window.starts_at(posting.at) for limit, _ in posting.force.rows), default=posting.at)
            if before_at > min(needed, posting.at) - COMPACT_MARGIN:
                raise ValueError("entries that windows may still need cannot be rolled up; keep at least 40 days more")
            posting.meta.head += 1
            drawing.reclaim(posting)
            drawing.forget_tasks(posting.tables, before_at)
            posting.tables.fold_cache_minutes(before_at)
            repeats.reclaim(posting)
            posting.tables.drop_findings(before_at)
            return posting.tables.compact(before_at)

        return self._post(now_at, roll)

    def charge_lost(self, usd: int, note: str, actor: Actor, now_at: int) -> None:
        """Books dollars that the ledger has lost sight of; they weigh on every limit in dollars, in all its scopes."""

        def charge(posting: Posting) -> None:
            meta = posting.meta
            request = HoldRequest(Call(), Weight(usd=usd), actor, marks=frozenset({"lost"}))
            entry = posting.book(request).entry
            meta.lost_until = max(meta.lost_until, posting.at + MAX_SPAN)
            data = {"usd": usd, "note": note, "entry": entry.id, "host": actor.host, "pid": actor.pid}
            posting.tables.add_event(Event(posting.at, "lost", data=data))

        self._post(now_at, charge)


def find(tables: Tables, hold_id: str) -> Entry | None:
    """A reservation by its id, or None."""
    seq, _, _ = hold_id.partition("-")
    entry = tables.entry(int(seq)) if seq.isascii() and seq.isdigit() and len(seq) < 19 else None
    return entry if entry is not None and entry.id == hold_id else None


def _settle(posting: Posting, hold_id: str, outcome: Outcome) -> Settled:
    return posting.settle(_known(posting.tables, hold_id), outcome)


def _known(tables: Tables, hold_id: str) -> Entry:
    entry = find(tables, hold_id)
    if entry is None:
        raise ReservationStateError(
            f"reservation {hold_id[:60]!r} is not known to this ledger: is it from another one? Nothing was changed."
        )
    return entry
