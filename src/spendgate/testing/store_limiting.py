"""The contract: what limits admit and refuse, by unit, scope, window and kind."""

from pathlib import Path
from typing import Any

from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.ledger import Outcome, Store
from spendgate.limits import LimitSet
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, ask, held, limit, refused, standing, told, utc, weighs


def spend(store: Store, usd: int, at: int, **more: Any) -> None:
    """Books a call that cost so much at an instant."""
    store.settle(held(store.hold(ask(usd, **more), at)).id, Outcome(), at)


class LimitChecks(StoreSetup):
    """Limits over one call, over several scopes, over time."""

    def test_exactly_what_is_left_fits(self, tmp_path: Path) -> None:
        """In every unit a call that takes exactly the rest is admitted, and one part more is refused."""
        for unit in ("usd", "calls", "tokens", "rows"):
            with self.opened(tmp_path / unit, limit(10, unit=unit)) as store:
                first = {"calls": 0, unit: 4}
                store.settle(held(store.hold(ask(**first), START_AT)).id, Outcome(), START_AT)
                held(store.hold(ask(**first), START_AT))
                no = refused(store.hold(ask(**{"calls": 0, unit: 3}), START_AT))
                assert (no.spent, no.held, no.requested) == (4, 4, 3)
                held(store.hold(ask(**{"calls": 0, unit: 2}), START_AT))
                refused(store.hold(ask(**{"calls": 0, unit: 1}), START_AT))

    def test_a_tentative_refusal_leaves_no_trace(self, tmp_path: Path) -> None:
        """Tentatively asked, what does not fit is refused and neither counted nor told; what fits is held."""
        with self.opened(tmp_path, limit(10), limit(0, unit="rows", name="throttled")) as store:
            spend(store, 4, START_AT)
            before = (store.standings(START_AT), told(store))
            refused(store.hold(ask(7, tentative=True), START_AT))
            assert (store.standings(START_AT), told(store)) == before
            held(store.hold(ask(6, tentative=True), START_AT))

    def test_the_window_ends_where_it_says(self, tmp_path: Path) -> None:
        """A cost counts for the whole window and not a hundredth longer."""
        for window, span in (("1m", MINUTE), ("1h", HOUR), ("24h", DAY), ("7d", 7 * DAY)):
            for at in {START_AT, START_AT + 599_999, START_AT + span // 100 - 1}:
                with self.opened(tmp_path / f"{window}-{at}", limit(10, window)) as store:
                    spend(store, 10, at)
                    refused(store.hold(ask(1), at + span - 1))
                    held(store.hold(ask(10), at + span + span // 100))

    def test_zero_means_nothing(self, tmp_path: Path) -> None:
        """Under a limit of zero nothing may be spent, and what costs nothing passes."""
        with self.opened(tmp_path, limit(0)) as store:
            refused(store.hold(ask(1), START_AT))
            held(store.hold(ask(0), START_AT))
            assert weighs(store, START_AT) == (0, 0)

    def test_what_costs_nothing_passes_a_full_limit(self, tmp_path: Path) -> None:
        """A call without weight in a limit's unit is never refused by it."""
        with self.opened(tmp_path, limit(5), limit(0, unit="rows", name="rows")) as store:
            store.book(ask(50), START_AT)
            held(store.hold(ask(0), START_AT))

    def test_each_scope_has_a_budget(self, tmp_path: Path) -> None:
        """Fields named by `per` split a limit; a call that does not name them has a scope of its own."""
        with self.opened(tmp_path, limit(10, per=("service", "tags.customer"))) as store:
            calls = [
                ask(10, service="a", tags=(("customer", "x"),)),
                ask(10, service="b", tags=(("customer", "x"),)),
                ask(10, service="a", tags=(("customer", "y,service=b"),)),
                ask(10, service="a"),
                ask(10, service=""),
            ]
            for call in calls:
                held(store.hold(call, START_AT))
            for call in calls:
                refused(store.hold(call, START_AT))
            assert len({one.scope for one in store.standings(START_AT)}) == len(calls)

    def test_a_limit_chooses_its_calls(self, tmp_path: Path) -> None:
        """Every glob of `match` must fit the call, or the limit does not see it."""
        chosen = limit(10, match=(("resource", "clearbit.*"), ("service", "pipe?ine"), ("tags.env", "prod")))
        with self.opened(tmp_path, chosen) as store:
            fits: dict[str, Any] = {"resource": "clearbit.enrich", "service": "pipeline", "tags": (("env", "prod"),)}
            strangers: list[dict[str, Any]] = [{"resource": "clearbit"}, {"service": "Pipeline"}, {"tags": ()}]
            for stranger in [*strangers, {"tags": (("env", "p"),)}]:
                held(store.hold(ask(1000, **(fits | stranger)), START_AT))
            held(store.hold(ask(10, **fits), START_AT))
            refused(store.hold(ask(1, **fits), START_AT))

    def test_nothing_is_half_taken(self, tmp_path: Path) -> None:
        """Where one limit of several refuses, none has taken anything."""
        limits = [limit(100), limit(50, per=("service",), name="each"), limit(2, unit="calls", name="calls")]
        limits.append(limit(30, "day", match=(("resource", "r*"),), name="some"))
        with self.opened(tmp_path, *limits) as store:
            held(store.hold(ask(20, resource="r1"), START_AT))
            before = (store.totals().usd, [weighs(store, START_AT, name=one.name) for one in limits])
            assert refused(store.hold(ask(11, resource="r1"), START_AT)).limit.name == "some"
            assert refused(store.hold(ask(31), START_AT)).limit.name == "each"
            assert refused(store.hold(ask(81, service="other"), START_AT)).limit.name in ("limit", "each")
            assert refused(store.hold(ask(1, calls=2), START_AT)).limit.name == "calls"
            assert (store.totals().usd, [weighs(store, START_AT, name=one.name) for one in limits]) == before
            assert weighs(store, START_AT, "service=other", "each") == (0, 0)

    def test_a_refusal_explains_itself(self, tmp_path: Path) -> None:
        """A refusal says which limit and scope, what is spent, held and requested, and when enough frees."""
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            spend(store, 3, START_AT)
            spend(store, 5, START_AT + 10 * MINUTE)
            held(store.hold(ask(1), START_AT + 10 * MINUTE))
            no = refused(store.hold(ask(4), START_AT + 20 * MINUTE))
            assert (no.limit.name, no.scope) == ("limit", "service=research")
            assert (no.spent, no.held, no.requested) == (8, 1, 4)
            assert no.frees_at is not None
            assert START_AT + HOUR <= no.frees_at <= START_AT + HOUR + HOUR // 100
            assert no.retry_after == no.frees_at - START_AT - 20 * MINUTE
            last = refused(store.hold(ask(9), START_AT + 20 * MINUTE)).frees_at
            assert last is not None
            assert START_AT + 70 * MINUTE <= last <= START_AT + 70 * MINUTE + HOUR // 100

    def test_enough_frees_when_it_is_said(self, tmp_path: Path) -> None:
        """At the instant that a refusal names the call fits, and not one microsecond before."""
        for window in ("1h", "day"):
            with self.opened(tmp_path / window, limit(10, window)) as store:
                for minute in range(10):
                    spend(store, 1, START_AT + minute * MINUTE)
                frees_at = refused(store.hold(ask(4), START_AT + 11 * MINUTE)).frees_at
                assert frees_at is not None
                refused(store.hold(ask(4), frees_at - 1))
                held(store.hold(ask(4), frees_at))

    def test_money_still_held_frees_soon(self, tmp_path: Path) -> None:
        """Where calls still running fill the window nobody can say when, so the advice is to ask again shortly."""
        with self.opened(tmp_path, limit(10)) as store:
            held(store.hold(ask(8), START_AT))
            no = refused(store.hold(ask(3), START_AT))
            assert no.frees_at is None
            assert no.retry_after is not None
            assert 0 < no.retry_after <= MINUTE

    def test_what_never_fits_never_frees(self, tmp_path: Path) -> None:
        """For a call larger than the whole limit no wait can help, and the refusal says so."""
        with self.opened(tmp_path, limit(10)) as store:
            spend(store, 5, START_AT)
            no = refused(store.hold(ask(11), START_AT))
            assert (no.frees_at, no.retry_after) == (None, None)

    def test_the_longest_wait_is_told(self, tmp_path: Path) -> None:
        """Where several limits refuse, the answer is the one that keeps the call waiting longest."""
        limits = [limit(10, name="hour"), limit(10, "24h", name="day"), limit(10, unit="tokens", name="tokens")]
        with self.opened(tmp_path, *limits) as store:
            spend(store, 10, START_AT)
            held(store.hold(ask(0, tokens=10), START_AT))
            no = refused(store.hold(ask(1, tokens=1), START_AT))
            assert (no.limit.name, no.frees_at) == ("day", refused(store.hold(ask(1), START_AT)).frees_at)
            assert refused(store.hold(ask(1, tokens=11), START_AT)).limit.name == "tokens"

    def test_calendar_windows_end_with_their_period(self, tmp_path: Path) -> None:
        """A day, week or month ends at midnight in its zone, also where clocks change, and begins empty."""
        cases = [
            ("day", "UTC", utc(2026, 3, 2), utc(2026, 3, 3)),
            ("day", "Asia/Tokyo", utc(2026, 3, 1, 15), utc(2026, 3, 2, 15)),
            ("day", "Europe/Berlin", utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
            ("day", "Europe/Berlin", utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
            ("day", "America/Santiago", utc(2026, 9, 6, 4), utc(2026, 9, 7, 3)),
            ("week", "UTC", utc(2026, 3, 2), utc(2026, 3, 9)),
            ("month", "America/New_York", utc(2026, 3, 1, 5), utc(2026, 4, 1, 4)),
            ("month", "UTC", utc(2028, 2, 1), utc(2028, 3, 1)),
        ]
        for number, (window, zone, start_at, end_at) in enumerate(cases):
            with self.opened(tmp_path / str(number)) as store:
                spend(store, 7, start_at - 1)
                store.apply_limits(LimitSet((limit(10, window, zone=zone),)), "contract", SOMEBODY, start_at - 1)
                refused(store.hold(ask(4), start_at - 1))
                spend(store, 4, start_at)
                spend(store, 6, end_at - 1)
                assert refused(store.hold(ask(1), end_at - 1)).frees_at == end_at
                held(store.hold(ask(10), end_at))

    def test_a_throttled_limit_goes_on_slowly(self, tmp_path: Path) -> None:
        """Beyond a budget of calls one call per pause goes through, marked as throttled."""
        slow = limit(2, unit="calls", at_limit="throttle", throttle_every=6 * SECOND)
        with self.opened(tmp_path, slow) as store:
            for _ in range(2):
                assert held(store.hold(ask(), START_AT)).marks == frozenset()
            assert held(store.hold(ask(), START_AT)).marks == {"throttled"}
            no = refused(store.hold(ask(), START_AT + SECOND))
            assert (no.frees_at, no.retry_after) == (START_AT + 6 * SECOND, 5 * SECOND)
            refused(store.hold(ask(), START_AT + 6 * SECOND - 1))
            held(store.hold(ask(), START_AT + 6 * SECOND))
            refused(store.hold(ask(), START_AT + 12 * SECOND - 1))
            assert weighs(store, START_AT + 6 * SECOND) == (0, 4)

    def test_pacing_spreads_the_rest(self, tmp_path: Path) -> None:
        """From its share on, a calendar budget is admitted no faster than what is left divided by the time left."""
        midnight = utc(2026, 3, 2)
        with self.opened(tmp_path, limit(10, "day", unit="calls", pace_from="0.5")) as store:
            for _ in range(5):
                held(store.hold(ask(), midnight))
            held(store.hold(ask(), midnight))
            no = refused(store.hold(ask(), midnight))
            assert (no.frees_at, no.retry_after) == (midnight + DAY // 5, DAY // 5)
            assert no.reason
            refused(store.hold(ask(), midnight + DAY // 5 - 1))
            for share in range(1, 5):
                held(store.hold(ask(), midnight + share * DAY // 5))
                refused(store.hold(ask(), midnight + share * DAY // 5))
            held(store.hold(ask(), midnight + DAY))
            held(store.hold(ask(), midnight + DAY))

    def test_observing_never_refuses(self, tmp_path: Path) -> None:
        """A limit that observes admits everything, marks what it would have refused, and says so once."""
        with self.opened(tmp_path, limit(10, at_limit="observe")) as store:
            assert held(store.hold(ask(10), START_AT)).marks == frozenset()
            for _ in range(3):
                assert held(store.hold(ask(5), START_AT)).marks == {"observed"}
            assert weighs(store, START_AT) == (0, 25)
            (event,) = told(store, "observed", "blocked")
            assert (event.kind, event.limit) == ("observed", "limit")
            found = standing(store, START_AT)
            assert found is not None
            assert (found.refused_calls, found.refused_usd, found.headroom) == (3, 15, 0)

    def test_an_observed_gate_never_refuses(self, tmp_path: Path) -> None:
        """A request that is not to be enforced passes every limit, and is marked where it would have been refused."""
        slow = limit(0, unit="calls", at_limit="throttle", throttle_every=DAY, name="slow")
        with self.opened(tmp_path, limit(10), slow) as store:
            assert "observed" not in held(store.hold(ask(5, enforce=False), START_AT)).marks
            assert "observed" in held(store.hold(ask(6, enforce=False), START_AT)).marks
            assert weighs(store, START_AT) == (0, 11)
            refused(store.hold(ask(1), START_AT))

    def test_scopes_beyond_the_most_count_together(self, tmp_path: Path) -> None:
        """Past the most scopes that a limit keeps apart, the others share one budget and never get a fresh one."""
        most = self.max_scopes
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            for number in range(most):
                held(store.hold(ask(1, service=f"s{number}"), START_AT))
            late = [held(store.hold(ask(4, service=name), START_AT)).id for name in ("x", "y")]
            assert refused(store.hold(ask(4, service="z"), START_AT)).scope == "other"
            assert weighs(store, START_AT, "other") == (0, 8)
            held(store.hold(ask(9, service="s0"), START_AT))
            store.settle(late[0], Outcome(usd=2), START_AT)
            store.void(late[1], START_AT)
            assert weighs(store, START_AT, "other") == (2, 0)

    def test_a_scope_counted_with_the_others_gets_no_second_budget(self, tmp_path: Path) -> None:
        """When scopes fall idle, one that was counted among the others stays there while that still weighs."""
        most = self.max_scopes
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            for number in range(most):
                spend(store, 1, START_AT - 50 * MINUTE, service=f"s{number}")
            spend(store, 10, START_AT, service="x")
            assert refused(store.hold(ask(1, service="x"), START_AT + HOUR - 1)).scope == "other"
            held(store.hold(ask(10, service="x"), START_AT + 2 * HOUR))

    def test_idle_scopes_make_room(self, tmp_path: Path) -> None:
        """Scopes that weigh nothing any more are forgotten when others need their place, their episodes with them."""
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            for number in range(self.max_scopes):
                spend(store, 10, START_AT, service=f"s{number}")
                refused(store.hold(ask(1, service=f"s{number}"), START_AT))
            later = START_AT + 2 * HOUR
            for number in range(3):
                held(store.hold(ask(10, service=f"new{number}"), later))
                assert weighs(store, later, f"service=new{number}") == (0, 10)
            assert {event.scope for event in told(store, "allowing")} >= {"service=s0", "service=s1"}

    def test_units_that_appear_late_stay_bounded(self, tmp_path: Path) -> None:
        """A unit that only the settle knows opens no more scopes than there may be."""
        with self.opened(tmp_path, limit(1000, unit="tokens", per=("service",))) as store:
            for number in range(self.max_scopes + 5):
                answer = held(store.hold(ask(1, service=f"s{number}"), START_AT))
                store.settle(answer.id, Outcome(tokens=1), START_AT)
            found = store.standings(START_AT)
            assert sum(one.spent for one in found) == self.max_scopes + 5
            assert len(found) <= self.max_scopes + 1
