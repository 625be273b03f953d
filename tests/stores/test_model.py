"""Every store against a model that recomputes each sum from a list, on calls and instants drawn at the boundaries."""

import shutil
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spendgate.budgets import Budget, same_mark
from spendgate.call import Call
from spendgate.clock import DAY, HOUR, SECOND
from spendgate.errors import ReservationStateError
from spendgate.ledger import Actor, Breaker, Held, HoldRequest, Outcome, Refused, Store, Weight
from spendgate.limits import EVERY, OTHER, Limit, LimitSet
from spendgate.pricing.tariff import Step, Tariff
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.taskterms import TaskRules, TaskTerms
from spendgate.testing.fakeclock import START_AT
from spendgate.windows import Calendar, parse_window
from tests.stores.model import FREE_UNITS, LOOP_SPAN, PAUSE, UNIT_PRICE, Model, Reservation, slack, tariff_cost

pytestmark = pytest.mark.timeout(3600)

SOMEBODY = Actor("host", 1, "model")
TARIFF = Tariff("t", "calls", (Step(Decimal(FREE_UNITS), Decimal(0)), Step(None, Decimal(UNIT_PRICE).scaleb(-9))))


def _limit(name: str, unit: str, amount: int, window: str, **more: Any) -> Limit:
    return Limit(name, unit, amount, parse_window(window, more.pop("zone", "UTC")), **more)


LISTED = (
    _limit("each", "usd", 10, "10s", per=("service",), warn_at=(Decimal("0.5"), Decimal("0.8"))),
    _limit("all", "usd", 25, "60s"),
    _limit("twin", "usd", 20, "60s"),
    _limit("some", "usd", 7, "20s", match=(("resource", "x*"),)),
    _limit("calls", "calls", 6, "10s"),
    _limit("tokens", "tokens", 12, "day", zone="Europe/Berlin", per=("service",)),
    _limit("rows", "rows", 8, "1h"),
    _limit("watched", "usd", 5, "30s", at_limit="observe"),
    _limit("slow", "calls", 3, "20s", at_limit="throttle", throttle_every=PAUSE),
    _limit("paced", "usd", 40, "day", pace_from=Decimal("0.5")),
    _limit("long", "usd", 60, "24h", per=("service", "resource")),
)
TASKS: dict[str, tuple[int | None, int | None]] = {"t": (6, 20), "u": (4, None), "v": (None, 9)}
"""The tasks of the tests: a budget for retries, and one for all."""
REPEATS = _limit("same-request", "calls", 3, "20s")
FINGERPRINT = "abcdef12"
ATTEMPTS = [(task, attempt) for task in (*TASKS, "undeclared") for attempt in (1, 2)]
POOL = {limit.name: limit for limit in LISTED}
LIMITS = st.lists(
    st.tuples(st.sampled_from(sorted(POOL)), st.sampled_from((1, 1, 1, 2, 0))),
    min_size=1,
    max_size=4,
    unique_by=lambda chosen: chosen[0],
)


def _sized(limit: Limit, factor: int) -> Limit:
    return Limit.from_json({**limit.to_json(), "amount": limit.amount * factor})


class Ledgers(RuleBasedStateMachine):
    """One ledger, asked through one or two handles in turn, beside its model."""

    open_store: Callable[[Path], Store]
    shared = False

    @initialize(limits=LIMITS, handles=st.integers(1, 2))
    def start(self, limits: list[tuple[str, int]], handles: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spendgate-model-"))
        self.handles = [type(self).open_store(self.folder) for _ in range(handles if self.shared else 1)]
        self.turn = 0
        self.model = Model(tasks=TASKS)
        for name, (retries, budget) in TASKS.items():
            self.handles[0].open_task(TaskTerms(name, retries, budget), TaskRules(), START_AT)
        self.now = START_AT
        self.frees: list[int] = []
        self.outcomes: dict[str, Outcome] = {}
        self.change_limits(limits)

    def teardown(self) -> None:
        for store in getattr(self, "handles", []):
            store.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @property
    def store(self) -> Store:
        self.turn += 1
        return self.handles[self.turn % len(self.handles)]

    @rule(limits=LIMITS)
    def change_limits(self, limits: list[tuple[str, int]]) -> None:
        """Other limits, and other amounts for those there are; the same in another order are the same."""
        chosen = tuple(_sized(POOL[name], factor) for name, factor in limits)
        is_new = set(chosen) != set(self.model.limits)
        if is_new:
            self.model.decide_at(self.now)
        assert self.store.apply_limits(LimitSet(chosen), "model", SOMEBODY, self.now) == is_new
        chosen = chosen if is_new else self.model.limits
        names = {limit.name for limit in chosen}
        self.model.next_at = {key: value for key, value in self.model.next_at.items() if key[0] in names}
        self.model.limits = chosen
        assert self.store.limits().limits.limits == chosen

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """A call that takes exactly what is left somewhere, or one part more or less, or a small amount; or several."""
        self._ask(data, data.draw(st.sampled_from((2, 7, 30)), label="lapse"), data.draw(st.sampled_from((1, 1, 4))))

    def _ask(self, data: st.DataObject, lapse_s: int, times: int = 1) -> None:
        at = self.model.decide_at(self.now)
        self.model.lapse(at)
        request = self._request(data, at, lapse_s)
        for _ in range(times):
            self._hold(request, at)

    def _hold(self, request: HoldRequest, at: int) -> None:
        weight = self._weight(request, at)
        is_retry = self._is_retry(request, at)
        loop = self._loops(request, at)
        answer = self.store.hold(request, self.now)
        if isinstance(answer, Refused):
            is_retry = answer.limit.name == "retry budget" if is_retry is None else is_retry
            if answer.limit.name == REPEATS.name:
                assert loop is not False, "it was no loop"
                loop = True
            self._tried(request, at, loop)
            self._refused(answer, request, weight, at, self._budgets(request, is_retry))
            return
        assert isinstance(answer, Held)
        assert answer.at == at
        assert _by_unit(answer.weight) == weight
        assert is_retry in (None, "retry" in answer.marks)
        budgets = self._budgets(request, "retry" in answer.marks)
        one = Reservation(answer.id, request.call, at, at + request.lapse_after, weight, dict(weight), counted_at=at)
        one.budgets, one.requests, one.fingerprint = budgets, _requests(request), request.fingerprint
        if request.tariff:
            one.priced, one.units, one.position = True, request.tariff_units, self.model.position(at)
        if request.enforce:
            assert not loop, "a loop was let through"
            self._admitted(one, weight, at)
        else:
            self._tried(request, at, loop)
        self.model.reservations.append(one)

    def _loops(self, request: HoldRequest, at: int) -> bool | None:
        """Whether a request is refused as a loop; None where it may be either way."""
        scope, requests = _repeated(request), _requests(request)
        return self.model.loops(REPEATS, scope, requests, at) if requests else False

    def _tried(self, request: HoldRequest, at: int, loop: bool | None) -> None:
        if loop is not False:
            self.model.tried(_repeated(request), at, surely=bool(loop))

    def _is_retry(self, request: HoldRequest, at: int) -> bool | None:
        """Whether a request is a retry; None in the moment in which it may be told either way."""
        if request.call.attempt > 1:
            return True
        retries, _ = TASKS.get(request.call.task, (None, None))
        return False if retries is None else self.model.was_sent(request.call.task, request.fingerprint, at)

    def _budgets(self, request: HoldRequest, is_retry: bool) -> tuple[tuple[Limit, str], ...]:
        """What a request draws on beside the limits, with the scope of each."""
        task, found = request.call.task, []
        retries, budget = TASKS.get(task, (None, None))
        if is_retry and retries is not None:
            found.append((_limit("retry budget", "usd", retries, "30d"), f"task={task}"))
        if budget is not None:
            found.append((_limit("task budget", "usd", budget, "30d"), f"task={task}"))
        if _requests(request):
            found.append((REPEATS, _repeated(request)))
        return tuple(found)

    def _admitted(self, one: Reservation, weight: dict[str, int], at: int) -> None:
        """I1: at every admission settled + held + new <= limit."""
        for limit, scope in (*self.model.scopes(one.call), *one.budgets):
            parts = one.requests if limit is REPEATS else weight.get(limit.unit, 0)
            over = parts and self.model.used(limit, scope, at) + parts > limit.amount
            assert not over or limit.at_limit != "refuse", f"{limit.name} in {scope!r} is overrun"
            if over and limit.at_limit == "throttle":
                key = (limit.name, scope)
                assert at >= min(self.model.next_at.get(key, 0), at + limit.throttle_every), "the pause was not kept"
                self.model.next_at[key] = at + limit.throttle_every

    def _refused(
        self,
        answer: Refused,
        request: HoldRequest,
        weight: dict[str, int],
        at: int,
        budgets: tuple[tuple[Limit, str], ...],
    ) -> None:
        """I1: nothing is refused that fits, to within a bucket; and what a refusal says is true."""
        limit, scope, parts = answer.limit, answer.scope, weight[answer.limit.unit]
        if isinstance(limit, Budget):
            ((limit, scope),) = [(one, own) for one, own in budgets if (one.name, own) == (limit.name, scope)]
            parts = _requests(request) if limit is REPEATS else parts
            assert answer.limit.amount == limit.amount
        assert request.enforce
        assert (limit, scope) in (*self.model.scopes(request.call), *budgets)
        assert answer.requested == parts > 0
        assert limit.at_limit != "observe"
        assert answer.held == self.model.held(limit, scope, at)
        exact = self.model.spent(limit, scope, at)
        assert exact <= answer.spent <= self.model.spent(limit, scope, at, slack(limit))
        if answer.frees_at is not None:
            self.frees.append(answer.frees_at)
        if limit.name == "paced" and answer.reason:
            assert self.model.used_at_most(limit, scope, at) + parts > limit.amount // 2
            assert answer.frees_at is not None
            assert at < answer.frees_at <= limit.window.leaves_at(limit.window.bucket(at))
            return
        if limit is REPEATS:
            assert answer.frees_at is not None
            assert at + LOOP_SPAN <= answer.frees_at <= at + LOOP_SPAN + LOOP_SPAN // 100
            return
        assert self.model.used_at_most(limit, scope, at) + parts > limit.amount, "it would have fitted"
        if limit.at_limit == "throttle":
            assert answer.frees_at is not None
            assert at < answer.frees_at <= at + limit.throttle_every
        elif parts > limit.amount:
            assert (answer.frees_at, answer.retry_after) == (None, None)
        elif answer.frees_at is not None:
            self._frees(limit, scope, parts, at, answer.frees_at)

    def _frees(self, limit: Limit, scope: str, parts: int, at: int, frees_at: int) -> None:
        held = self.model.held(limit, scope, at)
        still = [one for one in self.model.reservations if one.state != "held"]
        later = Model(still, self.model.limits)
        assert later.spent(limit, scope, frees_at) + held + parts <= limit.amount
        assert later.spent(limit, scope, frees_at - 1, slack(limit)) + held + parts > limit.amount

    @rule(data=st.data(), usd=st.integers(0, 30))
    def book(self, data: st.DataObject, usd: int) -> None:
        """A call that was made without asking counts like any other."""
        at = self.model.decide_at(self.now)
        self.model.lapse(at)
        call = self._call(data)
        request = HoldRequest(call, Weight(usd, 1), SOMEBODY)
        weight = self._weight(request, at)
        entry = self.store.book(request, self.now).entry
        one = Reservation(entry.id, call, at, entry.lapse_at, weight, weight, "settled", at)
        one.budgets = self._budgets(request, call.attempt > 1)
        self.model.reservations.append(one)

    @precondition(lambda self: any(not one.lost for one in self.model.reservations))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """The call did cost as much as was held, or less, or more, in time or late, and perhaps it is told twice."""
        one = self._pick(data)
        if one.state == "held" and one.lapse_at - 1 > self.now and data.draw(st.booleans(), label="at the lapse"):
            self.now = one.lapse_at + data.draw(st.sampled_from((-1, 0, 1)), label="beside")
        at = self.model.decide_at(self.now)
        asked = one.reserved["usd"]
        choice = data.draw(st.sampled_from((None, asked, asked + 1, max(asked - 1, 0), 0, 2 * asked)), label="cost")
        tokens = data.draw(st.sampled_from((None, None, 0, 5)), label="tokens")
        rows = data.draw(st.sampled_from((None, None, 0, 3)), label="rows")
        units = data.draw(st.sampled_from((None, 0, 1, 3)), label="units") if one.priced else None
        outcome = Outcome(
            usd=choice, tokens=tokens, units=None if rows is None else (("rows", rows),), tariff_units=units
        )
        if one.state in ("settled", "voided"):
            self._again(one, outcome)
            return
        weight = dict(one.reserved)
        if choice is not None:
            weight["usd"] = choice
        if units is not None:
            rest = weight["usd"] if choice is not None else asked - tariff_cost(one.position, one.units)
            weight["usd"] = rest + tariff_cost(one.position, units)
        weight |= {name: value for name, value in (("tokens", tokens), ("rows", rows)) if value is not None}
        late = one.state == "lapsed" or at >= one.lapse_at
        entry = self.store.settle(one.id, outcome, self.now).entry
        self.model.end(one, "settled", weight, at)
        one.units = one.units if units is None else units
        self.outcomes[one.id] = outcome
        assert ("late" in entry.marks) == late
        assert ("overrun" in entry.marks) == (one.overrun > 0)

    def _again(self, one: Reservation, outcome: Outcome) -> None:
        """I2: it ended once. The same settle is the same answer, another one is an error, and nothing changes."""
        before = self.store.entry(one.id)
        first = self.outcomes.get(one.id)
        if one.state == "settled" and first is not None:
            assert self.store.settle(one.id, first, self.now).entry == self.store.entry(one.id)
        else:
            _fails(lambda: self.store.settle(one.id, outcome, self.now), one.state == "voided")
        if one.state == "settled":
            _fails(lambda: self.store.settle(one.id, Outcome(usd=one.weight["usd"] + 1), self.now), True)
            _fails(lambda: self.store.void(one.id, self.now), True)
        else:
            self.store.void(one.id, self.now)
        after = self.store.entry(one.id)
        assert before is not None
        assert after is not None
        assert (before.state, before.weight) == (after.state, after.weight)
        self._write(self.now)

    @precondition(lambda self: any(not one.lost for one in self.model.reservations))
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        """The call did not cost anything."""
        one = self._pick(data)
        at = self.model.decide_at(self.now)
        if one.state in ("settled", "voided"):
            self._again(one, Outcome())
            return
        self.store.void(one.id, self.now)
        self.model.end(one, "voided", {"usd": 0}, at)

    @rule(data=st.data())
    def wait(self, data: st.DataObject) -> None:
        """Time passes, to an instant at which something happens, or the one before or after."""
        instants = sorted(at for at in self._instants() if at > self.now)
        near = [self.now + step for step in (1, SECOND, 4 * SECOND)]
        self.now = data.draw(st.sampled_from([*near, *instants]), label="now")

    @rule(data=st.data(), spans=st.permutations((2, 7, 30)))
    def lapse_in_turn(self, data: st.DataObject, spans: list[int]) -> None:
        """Reservations of several spans lapse one after the other, with a call at each lapse."""
        start_at = self.now = max(self.now, self.model.latest_at)
        for span, passed in zip(spans, (0, 0, 2), strict=True):
            self.now = start_at + passed * SECOND
            self._ask(data, span)
        for passed in (7, 30):
            self.now = start_at + passed * SECOND
            self._ask(data, 30)
            self.the_entries_agree()

    @rule(data=st.data(), usd=st.integers(1, 9), beside=st.sampled_from((-1, 0, 1)))
    def leave(self, data: st.DataObject, usd: int, beside: int) -> None:
        """A cost of a bucket's last instant is about to leave a window, leaves it, or has just left."""
        windows = [limit.window for limit in self.model.limits if not isinstance(limit.window, Calendar)]
        if windows:
            window = data.draw(st.sampled_from(windows), label="window")
            at = max(self.now, self.model.latest_at)
            self.now = (at // window.width + 1) * window.width - 1
            self.book(data, usd)
            self.now += window.span + beside

    @rule(back=st.sampled_from((1, SECOND, 5 * SECOND)))
    def lag(self, back: int) -> None:
        """This process's clock is a little behind."""
        self.now = self.model.latest_at - back

    @rule(data=st.data())
    def set_back(self, data: st.DataObject) -> None:
        """I8: a clock that jumps back never reopens a window."""
        latest_at = self.model.latest_at
        before = self._all_used(latest_at)
        ends = {one.counted_at - 1 for one in self.model.reservations[-6:]}
        steps = {5 * SECOND + 1, *(latest_at - at for at in ends if latest_at - at > 5 * SECOND)}
        far = (8 * SECOND, 61 * SECOND, 2 * HOUR, 2 * DAY, 40 * DAY)
        self.now = latest_at - data.draw(st.sampled_from(sorted(steps)) | st.sampled_from(far), label="back")
        self._write(self.now)
        self.model.decide_at(self.now)
        after = self._all_used(self.now)
        assert all(after.get(key, 0) >= used for key, used in before.items())

    @rule(ahead=st.sampled_from((HOUR, DAY, 400 * DAY)))
    def set_forward(self, ahead: int) -> None:
        """A clock that is far ahead; sooner or later somebody may set it back."""
        self.now = self.model.latest_at + ahead

    @rule(usd=st.integers(1, 4))
    def lose(self, usd: int) -> None:
        """Dollars that the ledger lost sight of weigh on every scope."""
        at = self.model.decide_at(self.now)
        self.model.lapse(at)
        self.store.accept_loss(usd, "model", SOMEBODY, self.now)
        entry = list(self.store.entries())[-1]
        weight = {"usd": usd}
        self.model.reservations.append(
            Reservation(entry.id, Call(), at, entry.lapse_at, weight, weight, "settled", at, lost=True)
        )

    @rule()
    def trip(self) -> None:
        """A breaker that fits nothing changes nothing."""
        at = self.model.decide_at(self.now)
        self.store.trip(Breaker("service", "nobody", 0, "why", at + SECOND), SOMEBODY, self.now)

    @invariant()
    def the_rows_agree(self) -> None:
        """I13: buckets are the sums of their entries."""
        if hasattr(self, "model"):
            assert self.store.check() == []
            assert self.store.totals().usd == self.model.total()

    @invariant()
    def the_entries_agree(self) -> None:
        """I2, I3: each reservation stands where the model has it, and weighs what it must."""
        for one in getattr(self, "model", Model()).reservations:
            entry = self.store.entry(one.id)
            assert entry is not None
            assert (entry.state.value, entry.held_at, entry.lapse_at) == (one.state, one.held_at, one.lapse_at)
            assert _by_unit(entry.weight) == {"calls": 0, "tokens": 0, "rows": 0, **one.weight}
            assert one.state == "held" or entry.counted_at == one.counted_at

    @invariant()
    def the_standings_agree(self) -> None:
        """What is spent and held is what the definitions say, to within a bucket and never less."""
        if not hasattr(self, "model"):
            return
        model, at = self.model, max(self.now, self.model.latest_at)
        seen = {(one.limit, one.scope): one for one in self.store.standings(self.now)}
        for limit in model.limits:
            for scope in {scope for one in model.reservations for own, scope in model.scopes(one.call) if own == limit}:
                found = seen.get((limit, scope))
                spent, held = (found.spent, found.held) if found else (0, 0)
                assert held == model.held(limit, scope, at)
                if found or not any(one.lost for one in model.reservations):
                    assert model.spent(limit, scope, at) <= spent <= model.spent(limit, scope, at, slack(limit))
        named = {(one.limit.name, one.scope): one for one in self.store.standings(self.now)}
        for limit, scope in {row for one in model.reservations for row in one.budgets if row[0] is not REPEATS}:
            budget = named.get((limit.name, scope))
            spent, held = (budget.spent, budget.held) if budget else (0, 0)
            assert held == model.held(limit, scope, at)
            assert model.spent(limit, scope, at) <= spent <= model.spent(limit, scope, at, slack(limit))

    def _write(self, at: int) -> None:
        """Lets the ledger see the clock."""
        self.store.reset("service", "nobody at all", SOMEBODY, at)

    def _all_used(self, at: int) -> dict[tuple[str, str], int]:
        return {(one.limit.name, one.scope): one.spent + one.held for one in self.store.standings(at)}

    def _pick(self, data: st.DataObject) -> Reservation:
        last = [one for one in self.model.reservations if not one.lost][-8:]
        return last[data.draw(st.integers(0, len(last) - 1), label="which")]

    def _call(self, data: st.DataObject) -> Call:
        service, resource = data.draw(st.sampled_from((("a", "x1"), ("a", "y"), ("b", "x1"), ("", "y"))), label="call")
        task, attempt = data.draw(st.sampled_from((("", 1), ("", 2), *ATTEMPTS)), label="task")
        return Call(service=service, resource=resource, task=task, attempt=attempt)

    def _request(self, data: st.DataObject, at: int, lapse_s: int) -> HoldRequest:
        call = self._call(data)
        weight = {
            "usd": data.draw(st.integers(0, 6), label="usd"),
            "calls": data.draw(st.sampled_from((1, 1, 0)), label="calls"),
            "tokens": data.draw(st.sampled_from((0, 0, 2)), label="tokens"),
            "rows": data.draw(st.sampled_from((0, 0, 1)), label="rows"),
        }
        tariff = data.draw(st.sampled_from((None, None, TARIFF)), label="tariff")
        repeats = data.draw(st.sampled_from((0, 0, 1, 2)), label="repeats")
        marks = frozenset({same_mark(3, 20 * SECOND, repeats, FINGERPRINT)} if repeats else ())
        fingerprint = data.draw(st.sampled_from(("", "", FINGERPRINT, "12abcdef")), label="fingerprint")
        blank = HoldRequest(call, Weight(), marks=marks, fingerprint=fingerprint)
        budgets = self._budgets(blank, bool(self._is_retry(blank, at)))
        aims = [*self.model.scopes(call), *(row for row in budgets if row[0] is not REPEATS)]
        if aims and data.draw(st.booleans(), label="aimed"):
            limit, scope = aims[data.draw(st.integers(0, len(aims) - 1), label="at")]
            room = limit.amount - self.model.used(limit, scope, at)
            weight[limit.unit] = max(room + data.draw(st.sampled_from((0, 0, 1, -1)), label="beside"), 0)
        units = (("rows", weight["rows"]),) if weight["rows"] else ()
        return HoldRequest(
            call,
            Weight(weight["usd"], weight["calls"], weight["tokens"], units),
            SOMEBODY,
            tariff=tariff,
            tariff_units=data.draw(st.integers(1, 3), label="units") if tariff else 0,
            lapse_after=lapse_s * SECOND,
            enforce=data.draw(st.sampled_from((True, True, True, False)), label="enforce"),
            marks=marks,
            fingerprint=fingerprint,
        )

    def _weight(self, request: HoldRequest, at: int) -> dict[str, int]:
        weight = _by_unit(request.weight)
        if request.tariff:
            weight["usd"] += tariff_cost(self.model.position(at), request.tariff_units)
        return weight

    def _instants(self) -> set[int]:
        """Where something leaves a window or a bucket, lapses or frees."""
        edges = set(self.frees[-4:])
        for one in self.model.reservations[-6:]:
            edges.add(one.lapse_at)
            for limit in self.model.limits:
                if isinstance(limit.window, Calendar):
                    edges.add(limit.window.leaves_at(limit.window.bucket(self.now)))
                    continue
                for at in (one.counted_at, one.lapse_at, self.now):
                    bucket_end = (at // limit.window.width + 1) * limit.window.width
                    edges |= {at + limit.window.span, bucket_end, bucket_end + limit.window.span - 1}
        return {edge + beside for edge in edges for beside in (-1, 0, 1)}


def _repeated(request: HoldRequest) -> str:
    """The scope in which a request is counted with the same ones."""
    return f"service={request.call.service},request={FINGERPRINT},most=3"


def _requests(request: HoldRequest) -> int:
    """As how many of the same request one counts."""
    return sum(int(mark.split(":")[2]) for mark in request.marks if mark.startswith("same:"))


def _by_unit(weight: Weight) -> dict[str, int]:
    return {"usd": weight.usd, "calls": weight.calls, "tokens": weight.tokens, "rows": weight.of("rows")}


def _fails(work: Callable[[], object], must: bool) -> None:
    try:
        work()
    except ReservationStateError:
        return
    assert not must, "a reservation ended twice"


class MemoryLedgers(Ledgers):
    """The reference."""

    open_store = staticmethod(lambda folder: MemoryStore())  # type: ignore[assignment]


class SqliteLedgers(Ledgers):
    """A file, through one handle or through two that do not know of each other."""

    open_store = staticmethod(lambda folder: SqliteStore(folder / "ledger.db"))  # type: ignore[assignment]
    shared = True


class CrowdedLedgers(MemoryLedgers):
    """More scopes than are kept apart: those counted together may be refused early, and are never admitted late."""

    open_store = staticmethod(lambda folder: MemoryStore(max_scopes=2))  # type: ignore[assignment]

    def _refused(self, answer: Refused, *asked: Any) -> None:
        if answer.scope != OTHER:
            super()._refused(answer, *asked)

    def _all_used(self, at: int) -> dict[tuple[str, str], int]:
        """A clock set back counts anew, which may part or join scopes: what has none is compared."""
        used = super()._all_used(at)
        return {key: parts for key, parts in used.items() if not key[1] or key[0].endswith("budget")}

    @invariant()
    def the_standings_agree(self) -> None:
        """Every limit has few scopes, and all that it holds is in one of them."""
        if not hasattr(self, "model"):
            return
        at = max(self.now, self.model.latest_at)
        found = self.store.standings(self.now)
        for limit in self.model.limits:
            scopes = {
                scope for one in self.model.reservations for own, scope in self.model.scopes(one.call) if own == limit
            }
            assert sum(one.held for one in found if one.limit == limit) == sum(
                self.model.held(limit, scope, at) for scope in scopes
            )
            assert len({one.scope for one in found if one.limit == limit} - {OTHER, EVERY}) <= 2


EXAMPLES = settings().max_examples  # of the profile in force: `make test-long` looks twenty times as far
LOOSE = {"stateful_step_count": 30, "suppress_health_check": list(HealthCheck)}

TestMemoryLedger = MemoryLedgers.TestCase
TestMemoryLedger.settings = settings(max_examples=2 * EXAMPLES, **LOOSE)
TestCrowdedLedger = CrowdedLedgers.TestCase
TestCrowdedLedger.settings = settings(max_examples=EXAMPLES, **LOOSE)
TestSqliteLedger = SqliteLedgers.TestCase
TestSqliteLedger.settings = settings(max_examples=EXAMPLES, **LOOSE)
