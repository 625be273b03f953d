"""The contract: clocks that are wrong. Going back reopens no window, going forward holds no money for ever."""

from decimal import Decimal
from pathlib import Path

from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.errors import ReservationStateError
from spendgate.ledger import LAPSE_AFTER, Breaker, Outcome
from spendgate.pricing.tariff import Step, Tariff
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_limiting import spend
from spendgate.testing.store_setup import (
    SOMEBODY,
    StoreSetup,
    ask,
    blocked,
    fails,
    held,
    limit,
    refused,
    told,
    utc,
    weighs,
)
from spendgate.testing.store_versions import put

FREE_THEN_FOUR = Tariff("api", "calls", (Step(Decimal(2), Decimal(0)), Step(None, Decimal("0.000000004"))))


class ClockChecks(StoreSetup):
    """Clocks that jump, and money that was lost sight of."""

    def test_a_small_step_back_is_waited_out(self, tmp_path: Path) -> None:
        """Clocks of several processes may differ by a little: decisions are made at the latest instant seen."""
        with self.opened(tmp_path, limit(10)) as store:
            spend(store, 5, START_AT)
            for back in (1, SECOND, 5 * SECOND):
                answer = held(store.hold(ask(1), START_AT - back))
                assert answer.at == START_AT
                assert weighs(store, START_AT - back)[0] == 5
            assert told(store, "clock") == []
            assert store.totals().latest_at == START_AT

    def test_a_clock_set_back_reopens_no_window(self, tmp_path: Path) -> None:
        """What was spent at instants that are now in the future counts from now on, in every window."""
        for back in (5 * SECOND + 1, MINUTE, 20 * MINUTE, HOUR, DAY, 40 * DAY):
            limits = (limit(10), limit(20, "24h", name="rolling"), limit(20, "day", name="day"))
            with self.opened(tmp_path / str(back), *limits) as store:
                spend(store, 4, START_AT)
                spend(store, 5, START_AT)
                now = START_AT - back
                refused(store.hold(ask(2), now))
                held(store.hold(ask(1), now))
                refused(store.hold(ask(2), now + HOUR - 1))
                for name in ("rolling", "day"):
                    assert sum(weighs(store, now, name=name)) == 10
                assert len(told(store, "clock")) == 1

    def test_a_clock_set_back_holds_nothing_for_ever(self, tmp_path: Path) -> None:
        """What a clock a year ahead has booked leaves the window one window after it was corrected."""
        with self.opened(tmp_path, limit(10)) as store:
            wrong = START_AT + 365 * DAY
            spend(store, 5, wrong)
            answer = held(store.hold(ask(5), wrong + 1))
            refused(store.hold(ask(1), START_AT))
            entry = store.entry(answer.id)
            assert entry is not None
            assert (entry.held_at, entry.lapse_at) == (START_AT, START_AT + LAPSE_AFTER)
            refused(store.hold(ask(6), START_AT + LAPSE_AFTER + HOUR - 1))
            held(store.hold(ask(10), START_AT + LAPSE_AFTER + HOUR + MINUTE))

    def test_a_clock_that_jumps_forward_frees_as_if_time_had_passed(self, tmp_path: Path) -> None:
        """A jump ahead lapses what was held; corrected, what was spent before counts again."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(4), START_AT))
            spend(store, 6, START_AT)
            held(store.hold(ask(10), START_AT + 3 * HOUR))
            store.settle(answer.id, Outcome(), START_AT + 3 * HOUR)
            assert sum(weighs(store, START_AT + 3 * HOUR)) == 10
            refused(store.hold(ask(1), START_AT + MINUTE))
            assert sum(weighs(store, START_AT + MINUTE)) == 20
            held(store.hold(ask(10), START_AT + MINUTE + 2 * HOUR))

    def test_a_failed_word_leaves_the_clock_as_it_is(self, tmp_path: Path) -> None:
        """A settle that is an error, on a clock set back, does not set it back twice."""
        slow = limit(0, unit="calls", at_limit="throttle", throttle_every=30 * MINUTE)
        with self.opened(tmp_path, slow) as store:
            held(store.hold(ask(), START_AT))
            for _ in range(3):
                with fails(ReservationStateError):
                    store.settle("77-abc", Outcome(), START_AT - 20 * MINUTE)
            refused(store.hold(ask(), START_AT - 20 * MINUTE))
            assert len(told(store, "clock")) == 1

    def test_a_throttle_survives_a_clock_set_back(self, tmp_path: Path) -> None:
        """A pause is waited out on a corrected clock too, and is never longer than the pause itself."""
        slow = limit(0, unit="calls", at_limit="throttle", throttle_every=30 * MINUTE)
        with self.opened(tmp_path, slow) as store:
            held(store.hold(ask(), START_AT))
            store.book(ask(calls=0), START_AT + 30 * HOUR)
            refused(store.hold(ask(), START_AT + MINUTE))
            assert refused(store.hold(ask(), START_AT - 40 * DAY)).frees_at == START_AT - 40 * DAY + 30 * MINUTE

    def test_a_crowd_that_comes_back_takes_nobodys_place(self, tmp_path: Path) -> None:
        """Where a clock set back brings back more scopes than are kept apart, a blocked scope gets no fresh budget."""
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            for number in range(self.max_scopes):
                spend(store, 1, START_AT, service=f"s{number}")
            spend(store, 10, START_AT + 2 * HOUR, service="late")
            refused(store.hold(ask(1, service="late"), START_AT + 2 * HOUR))
            refused(store.hold(ask(1, service="late"), START_AT + MINUTE))

    def test_a_pace_ends_with_its_period(self, tmp_path: Path) -> None:
        """A pause that a clock set in the wrong day does not outlast the right one."""
        with self.opened(tmp_path, limit(40, "day", pace_from="0.5")) as store:
            midnight = utc(2026, 3, 3)
            spend(store, 20, midnight)
            spend(store, 4, midnight)
            assert refused(store.hold(ask(6), midnight - 10 * SECOND)).frees_at == midnight
            spend(store, 20, midnight)
            held(store.hold(ask(6), midnight))

    def test_a_tariff_survives_a_clock_set_back(self, tmp_path: Path) -> None:
        """Places taken in a free tier by a clock in the wrong month are places in the right one."""
        with self.opened(tmp_path) as store:
            wrong, right = utc(2026, 4, 1), utc(2026, 3, 31)
            request = ask(resource="api", tariff=FREE_THEN_FOUR, tariff_units=1)
            held(store.hold(request, right - HOUR))
            first = held(store.hold(request, wrong))
            assert held(store.hold(request, right)).weight.usd == 4
            store.void(first.id, right)
            assert [held(store.hold(request, right)).weight.usd for _ in range(2)] == [4, 4]
            assert [held(store.hold(request, wrong)).weight.usd for _ in range(3)] == [0, 0, 4]

    def test_a_breaker_survives_a_clock_set_back(self, tmp_path: Path) -> None:
        """A breaker tripped for half an hour by a clock a year ahead blocks for half an hour after its correction."""
        with self.opened(tmp_path) as store:
            wrong = START_AT + 365 * DAY
            store.trip(Breaker("service", "research", 0, "why", wrong + 30 * MINUTE), SOMEBODY, wrong)
            answer = blocked(store.hold(ask(1), START_AT))
            assert (answer.since_at, answer.reset_at) == (START_AT, START_AT + 30 * MINUTE)
            blocked(store.hold(ask(1), START_AT + 30 * MINUTE - 1))
            held(store.hold(ask(1), START_AT + 30 * MINUTE))

    def test_what_was_lost_is_charged_to_every_limit(self, tmp_path: Path) -> None:
        """Dollars that the ledger lost sight of weigh on all scopes of all limits in dollars, for a whole window."""
        limits = [limit(10, per=("service",)), limit(20, "24h", name="total"), limit(1, unit="rows", name="rows")]
        with self.opened(tmp_path, *limits) as store:
            assert store.accept_loss(7, "a test", SOMEBODY, START_AT) == 7
            no = refused(store.hold(ask(4), START_AT))
            assert (no.limit.name, no.spent) == ("limit", 7)
            held(store.hold(ask(3), START_AT))
            held(store.hold(ask(3, service="new"), START_AT + HOUR - 1))
            refused(store.hold(ask(1, service="new"), START_AT + HOUR - 1))
            held(store.hold(ask(3, service="new"), START_AT + HOUR + MINUTE))
            assert weighs(store, START_AT + HOUR, name="total")[0] >= 7
            assert [event.data["usd"] for event in told(store, "lost")] == [7]
            assert store.fault() == ""

    def test_what_was_lost_outlasts_changes(self, tmp_path: Path) -> None:
        """Limits that come later, and clocks that jump and are corrected, do not forget the charge."""
        with self.opened(tmp_path) as store:
            store.accept_loss(7, "a test", SOMEBODY, START_AT)
            put(store, START_AT + 2 * HOUR, limit(10, "24h", per=("service",)))
            refused(store.hold(ask(4), START_AT + 2 * HOUR))
            held(store.hold(ask(4), START_AT + 30 * HOUR))
            refused(store.hold(ask(4, service="x"), START_AT + 2 * HOUR))

    def test_the_charge_stays_beside_the_scopes(self, tmp_path: Path) -> None:
        """A charge for what was lost weighs on every scope, also when a limit's rows are built anew."""
        with self.opened(tmp_path) as store:
            for number in range(self.max_scopes + 2):
                held(store.hold(ask(1, service=f"s{number}"), START_AT))
            store.accept_loss(7, "a test", SOMEBODY, START_AT)
            put(store, START_AT, limit(10, per=("service",)))
            assert weighs(store, START_AT, "*") == (7, 0)
            refused(store.hold(ask(3, service="s0"), START_AT))
            frees_at = refused(store.hold(ask(3, service="s0"), START_AT)).frees_at
            assert frees_at is not None
            held(store.hold(ask(3, service="s0"), frees_at))
