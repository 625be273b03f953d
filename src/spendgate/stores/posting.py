"""The bookings of one transaction: hold, settle, void and lapse, the same for every store.

Read `Posting.hold` top to bottom: it is the one atomic step that everything else may rely on.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from spendgate.admission import FITS, Counter, Verdict, judge
from spendgate.budgets import drawn
from spendgate.clock import SECOND
from spendgate.errors import ReservationStateError
from spendgate.ledger import (
    Breaker,
    Entry,
    Held,
    HoldRequest,
    Outcome,
    Refused,
    Settled,
    Weight,
)
from spendgate.limits import EVERY, OTHER, Limit
from spendgate.reservation import State, after
from spendgate.stores import counting, drawing, repeats
from spendgate.stores.breakers import blocks, read_breaker
from spendgate.stores.changing import changed
from spendgate.stores.force import InForce, Row
from spendgate.stores.tables import NEVER, Meta, Tables
from spendgate.stores.telling import Telling
from spendgate.stores.weighing import brought, by_unit, check_request, check_weight, settled_twice, settled_weight
from spendgate.taskterms import TaskTerms

LAPSE_BATCH = 64
"""How many due reservations a decision lets lapse on its way; before it refuses, it sees to all of them."""
HELD_RETRY = SECOND
"""How long to wait before asking again where held money fills the window."""


@dataclass(slots=True)
class _Judged:
    limit: Limit
    limit_id: int
    scope: str
    counter: Counter
    parts: int
    extra: int
    verdict: Verdict


class Posting(Telling):
    """What one transaction books at one instant."""

    def __init__(self, tables: Tables, meta: Meta, force: InForce, at: int, max_scopes: int) -> None:
        self.tables = tables
        self.at = at
        self.events = []
        self.meta = meta
        self.force = force
        self.max_scopes = max_scopes
        self._others: tuple[int, ...] = ()

    def hold(self, request: HoldRequest) -> Held | Refused | Breaker | TaskTerms:
        """Sets money aside, or says why not."""
        weight, position = self._weigh(request)
        self.lapse_due(LAPSE_BATCH)
        if self.meta.breakers:
            breaker = self._tripped(request)
            if breaker is not None and request.enforce:
                return breaker
        terms = drawing.terms_of(self.tables, request.call, self.at) if request.call.task else None
        if terms is not None and request.call.model and request.compared != terms.lock:
            return terms
        if terms is not None or request.call.attempt > 1:
            request = drawing.with_budgets(self.tables, request, terms, self.at)
        judged, against = self._judge_fairly(request, weight)
        if against and request.enforce:
            return self._refusal(against[0]) if request.tentative else self._refuse(against, weight)
        entry = self._enter(request, weight, position, judged)
        if terms is not None:
            drawing.lock_tier(self.tables, request.call, terms)
        return Held(entry.id, weight, self.at, entry.marks, tuple(self.events))

    def book(self, request: HoldRequest) -> Settled:
        """Books a call that has already cost its weight, whatever the limits say."""
        weight, position = self._weigh(request)
        self.lapse_due(LAPSE_BATCH)
        request = drawing.with_budgets(
            self.tables, request, drawing.terms_of(self.tables, request.call, self.at), self.at
        )
        judged, _ = self._judge_fairly(request, weight)
        entry = self._enter(replace(request, enforce=False), weight, position, judged)
        return self.settle(entry, Outcome())

    def settle(self, entry: Entry, outcome: Outcome) -> Settled:
        """Ends a reservation with what the call did cost."""
        weight = check_weight(settled_weight(entry, outcome))
        entry = self._lapsed_if_due(entry)
        if entry.state is State.SETTLED:
            return self._settled_again(entry, weight, outcome)
        state = after(entry.state, "settle", entry.id)
        used = entry.tariff_units if outcome.tariff_units is None else outcome.tariff_units
        self._move_tariff(entry, used - entry.tariff_units)
        marks = repeats.marked(self, self.meta, entry, weight, entry.marks | outcome.marks, version=outcome.version)
        changes = {
            "state": state,
            "marks": marks | {"overrun"} if weight.usd > entry.reserved.usd else marks,
            "tariff_units": used,
            "usage": outcome.usage or entry.usage,
            "list_usd": entry.list_usd if outcome.list_usd is None else outcome.list_usd,
            "pricing": outcome.pricing or entry.pricing,
        }
        return self._ended(entry, weight, changes)

    def _settled_again(self, entry: Entry, weight: Weight, outcome: Outcome) -> Settled:
        """The same answer to the same settle."""
        if weight == entry.weight and outcome.tariff_units in (None, entry.tariff_units):
            return Settled(entry, entry.reserved)
        raise ReservationStateError(settled_twice(entry, weight, outcome))

    def void(self, entry: Entry) -> Settled:
        """Ends a reservation of a call that cost nothing."""
        entry = self._lapsed_if_due(entry)
        if entry.state is State.VOIDED:
            return Settled(entry, entry.reserved)
        state = after(entry.state, "void", entry.id)
        self._move_tariff(entry, -entry.tariff_units)
        return self._ended(entry, Weight(), {"state": state, "tariff_units": 0})

    def lapse_due(self, most: int) -> bool:
        """Lets up to `most` reservations lapse whose time has come; whether there were any."""
        if self.at < self.meta.next_lapse_at:
            return False
        due = self.tables.due(self.at, most)
        for entry in due:
            self._lapse(entry)
        self.meta.next_lapse_at = self.tables.next_lapse()
        return bool(due)

    def _lapsed_if_due(self, entry: Entry) -> Entry:
        return self._lapse(entry) if entry.state is State.HELD and self.at >= entry.lapse_at else entry

    def _lapse(self, entry: Entry) -> Entry:
        changes = {"state": after(entry.state, "lapse"), "ended_at": entry.lapse_at}
        return self._booked(entry, entry.weight, entry.lapse_at, changes).entry

    def _ended(self, entry: Entry, weight: Weight, changes: dict[str, Any]) -> Settled:
        """Books an end: late words count where the lapse was booked."""
        late = entry.state is State.LAPSED
        if late:
            changes["marks"] = changes.get("marks", entry.marks) | {"late"}
        changes["ended_at"] = self.at
        return self._booked(entry, weight, entry.counted_at if late else self.at, changes)

    def _booked(self, entry: Entry, weight: Weight, counted_at: int, changes: dict[str, Any]) -> Settled:
        """Moves an entry's weight from where it was to where it is, in every window, and writes what has changed."""
        self._others = entry.others
        held, is_void = entry.state is State.HELD, changes["state"] is State.VOIDED
        rows: Iterable[Row] = self.force.applying(entry.call, "lost" in entry.marks)
        if entry.marks:
            rows = (*rows, *drawn(entry.call, entry.marks))
        weighed, weighs = by_unit(entry.weight), by_unit(weight)
        for limit, limit_id, own_scope in rows:
            if limit_id > 0:
                before, now = weighed.get(limit.unit, 0), weighs.get(limit.unit, 0)
            else:
                before, now = brought(limit, entry.weight), brought(limit, weight, is_void)
            if before == 0 and now == 0:
                continue
            scope = OTHER if limit_id in entry.others else own_scope
            counter = self.tables.counter(limit_id, scope)
            if counter is None or self.at >= counter.stands_until:
                scope, counter = self._open(limit, limit_id, scope, counter, known=before != 0 or scope == OTHER)
            if not held and limit.window.bucket(counted_at) < counter.oldest:
                continue
            if counter.warned or counter.blocked_at or counter.settled + counter.held >= limit.warns_from:
                self.tell_state(limit, scope, counter)
            if held:
                counter.held -= before
                before = 0
            counting.add(self.tables, limit, limit_id, scope, counter, parts=now - before, at=counted_at)
            if counter.warned or counter.blocked_at or counter.settled + counter.held >= limit.warns_from:
                self.tell_state(limit, scope, counter)
            self.tables.put_counter(limit_id, scope, counter)
        meta = self.meta
        meta.total += weight.usd - entry.weight.usd
        meta.head += 1
        changes |= {"weight": weight, "counted_at": counted_at}
        changes |= {"others": self._others, "rev": meta.head, "total": meta.total}
        done = changed(entry, changes)
        self.tables.update(done)
        return Settled(done, entry.reserved, tuple(self.events))

    def _weigh(self, request: HoldRequest) -> tuple[Weight, int]:
        """The request's weight with what its tariff charges at this month's position, and that position."""
        check_request(request)
        tariff = request.tariff
        if tariff is None:
            return request.weight, 0
        position = self.tables.tariff_used(tariff.name, tariff.window.bucket(self.at))
        usd = request.weight.usd + tariff.cost(position, request.tariff_units)
        return replace(request.weight, usd=usd), position

    def _move_tariff(self, entry: Entry, parts: int) -> None:
        if entry.tariff is None or parts == 0:
            return
        period = entry.tariff.window.bucket(entry.held_at)
        used = self.tables.tariff_used(entry.tariff.name, period)
        self.tables.put_tariff_used(entry.tariff.name, period, max(used + parts, 0))

    def _judge_fairly(self, request: HoldRequest, weight: Weight) -> tuple[list[_Judged], list[_Judged]]:
        """What every limit says, and those that say no; before one says more than yes, all that is due has lapsed."""
        judged, all_fit = self._judge(request, weight)
        if all_fit:
            return judged, []
        if self.lapse_due(NEVER):
            judged, _ = self._judge(request, weight)
        return judged, [one for one in judged if one.verdict.kind != "fits"]

    def _judge(self, request: HoldRequest, weight: Weight) -> tuple[list[_Judged], bool]:
        judged, all_fit = [], True
        self._others = ()
        any_lost = self.at < self.meta.lost_until
        rows: Iterable[Row] = self.force.applying(request.call, "lost" in request.marks)
        if request.marks:
            rows = (*rows, *drawn(request.call, request.marks))
        weighs = by_unit(weight)
        for limit, limit_id, own_scope in rows:
            parts = weighs.get(limit.unit, 0) if limit_id > 0 else brought(limit, weight)
            if parts == 0:
                continue
            scope, counter = own_scope, self.tables.counter(limit_id, own_scope)
            if counter is None or self.at >= counter.stands_until:
                scope, counter = self._open(limit, limit_id, own_scope, counter)
            extra = self._lost(limit, limit_id) if any_lost else 0
            verdict = (judge if limit_id > 0 else drawing.judge_brought)(limit, counter, parts, self.at, extra)
            judged.append(_Judged(limit, limit_id, scope, counter, parts, extra, verdict))
            all_fit = all_fit and verdict is FITS
        return judged, all_fit

    def _counter(self, limit: Limit, limit_id: int, scope: str) -> Counter | None:
        """A scope's counter, moved on to this instant; None where it has none yet."""
        counter = self.tables.counter(limit_id, scope)
        if counter is not None and self.at >= counter.stands_until:
            counting.advance(self.tables, limit, limit_id, scope, counter, at=self.at)
        return counter

    def _open(
        self, limit: Limit, limit_id: int, scope: str, counter: Counter | None, known: bool = False
    ) -> tuple[str, Counter]:
        """A scope with its counter, moved on to this instant or new where there is none.

        It is `other` where a new one would be one too many, unless something is `known` to count in this scope.
        """
        if counter is not None:
            counting.advance(self.tables, limit, limit_id, scope, counter, at=self.at)
            return scope, counter
        if not known and limit.per and scope != EVERY and self._is_full(limit, limit_id):
            self._others = (*self._others, limit_id)
            scope, counter = OTHER, self._counter(limit, limit_id, OTHER)
        return scope, counter or Counter(oldest=limit.window.oldest(self.at))

    def _is_full(self, limit: Limit, limit_id: int) -> bool:
        """Whether a new scope must go to the others. While those weigh it must: it may be one of them."""
        tables = self.tables
        if tables.count_counters(limit_id) < self.max_scopes and tables.counter(limit_id, OTHER) is None:
            return False
        if limit.amount:
            for scope, counter in tables.reclaim_counters(limit_id, limit.window.oldest(self.at)):
                counter.settled = 0
                self.tell_state(limit, scope, counter)
        return tables.count_counters(limit_id) >= self.max_scopes or tables.counter(limit_id, OTHER) is not None

    def _lost(self, limit: Limit, limit_id: int) -> int:
        counter = self._counter(limit, limit_id, EVERY) if limit.per and limit.unit == "usd" else None
        return counter.used if counter else 0

    def _enter(self, request: HoldRequest, weight: Weight, position: int, judged: list[_Judged]) -> Entry:
        marks = set(request.marks)
        self._take(judged, weight, marks)
        self.meta.head += 1
        self.meta.total += weight.usd
        lapse_at = self.at + request.lapse_after
        self.meta.next_lapse_at = min(self.meta.next_lapse_at, lapse_at)
        seq = self.meta.head
        entry = Entry(
            seq=seq,
            id=f"{seq}-{random.getrandbits(32):08x}",
            state=State.HELD,
            call=request.call,
            held_at=self.at,
            lapse_at=lapse_at,
            counted_at=self.at,
            reserved=weight,
            weight=weight,
            actor=request.actor,
            pricing=request.pricing,
            tariff=request.tariff,
            tariff_units=request.tariff_units,
            tariff_position=position,
            marks=frozenset(marks),
            others=self._others,
            rev=seq,
            total=self.meta.total,
        )
        self.tables.insert(entry)
        if entry.tariff is not None:
            self._move_tariff(entry, entry.tariff_units)
        return entry

    def _take(self, judged: list[_Judged], weight: Weight, marks: set[str]) -> None:
        """Adds a call's weight to the counters, and what is to be said of that to the marks of its entry."""
        for one in judged:
            limit, scope, counter = one.limit, one.scope, one.counter
            if counter.warned or counter.blocked_at or counter.settled + counter.held >= limit.warns_from:
                self.tell_state(limit, scope, counter)
            if one.verdict is not FITS:
                self._note(one, weight, marks)
            counter.held += one.parts
            if counter.warned or counter.blocked_at or counter.settled + counter.held >= limit.warns_from:
                self.tell_state(limit, scope, counter)
            self.tables.put_counter(one.limit_id, scope, counter)

    def _note(self, one: _Judged, weight: Weight, marks: set[str]) -> None:
        """Keeps what a verdict says beyond yes, of a call that goes through."""
        verdict = one.verdict
        if verdict.mark:
            marks.add(verdict.mark)
        if verdict.kind != "fits":
            marks.add("observed")
        if verdict.used_up:
            self.tell_refusal(one.limit, one.scope, one.counter, "observed", parts=one.parts, usd=weight.usd)
        self._pause(one)

    def _pause(self, one: _Judged) -> None:
        if one.verdict.next_at is not None:
            one.counter.next_at = one.verdict.next_at

    def _refuse(self, against: list[_Judged], weight: Weight) -> Refused:
        """Refuses by the limit that keeps the call waiting longest, and counts what was refused."""
        refusals = []
        for one in against:
            self._pause(one)
            if one.verdict.used_up:
                self.tell_refusal(one.limit, one.scope, one.counter, "blocked", parts=one.parts, usd=weight.usd)
            self.tables.put_counter(one.limit_id, one.scope, one.counter)
            refusals.append(self._refusal(one))
        worst = max(refusals, key=lambda refused: NEVER if refused.retry_after is None else refused.retry_after)
        return replace(worst, events=tuple(self.events))

    def _refusal(self, one: _Judged) -> Refused:
        takes_turns = one.verdict.kind == "wait"
        if takes_turns or one.verdict.wait_until:
            frees: int | None = one.verdict.wait_until
            wait: int | None = one.verdict.wait_until - self.at
        else:
            needed = one.counter.used + one.extra + one.parts - one.limit.amount
            scopes = (one.scope, EVERY) if one.extra else (one.scope,)
            frees = counting.frees_at(self.tables, one.limit, one.limit_id, scopes, needed)
            if one.parts > one.limit.amount:
                frees = wait = None
            elif frees is None or one.counter.held >= needed:
                wait = HELD_RETRY
            else:
                wait = frees - self.at
        spent = one.counter.settled + one.extra
        return Refused(
            limit=one.limit,
            scope=one.scope,
            spent=spent,
            held=one.counter.held,
            requested=one.parts,
            frees_at=frees,
            retry_after=wait,
            reason=one.verdict.reason,
            takes_turns=takes_turns,
        )

    def _tripped(self, request: HoldRequest) -> Breaker | None:
        """The first breaker that blocks the call; those whose time has come are reset."""
        states = json.loads(self.meta.breakers)
        blocking = None
        for state in list(states):
            if state["reset_at"] is not None and self.at >= state["reset_at"]:
                states.remove(state)
                self.tell_reset(state, "its time was up")
            elif blocking is None and blocks(read_breaker(state), request.call):
                blocking = read_breaker(state)
                state["refused_calls"] += 1
                state["refused_usd"] += request.weight.usd
        self.meta.breakers = json.dumps(states) if states else ""
        return blocking
