"""The contract: a reservation is made once, ends once, and weighs what is held, then what it cost."""

from decimal import Decimal
from pathlib import Path

from spendgate.clock import HOUR, MINUTE, SECOND
from spendgate.errors import AmountError, ReservationStateError
from spendgate.ledger import LAPSE_AFTER, LAPSE_AFTER_BATCH, MAX_LAPSE_AFTER, HoldRequest, Outcome, Pricing, Weight
from spendgate.pricing.tariff import Step, Tariff
from spendgate.reservation import State
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, ask, fails, held, limit, refused, utc, weighs

FREE_THEN_FOUR = Tariff("api", "calls", (Step(Decimal(2), Decimal(0)), Step(None, Decimal("0.000000004"))))
"""Two calls a month are free, every further one costs 4 nano-dollars."""


class ReservationChecks(StoreSetup):
    """Hold, settle, void, lapse and book."""

    def test_a_hold_sets_money_aside(self, tmp_path: Path) -> None:
        """A hold that fits is answered with an id, and its weight is held from then on."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(7, tokens=5, rows=3), START_AT))
            entry = store.entry(answer.id)
            assert (answer.weight, answer.at) == (Weight(7, 1, 5, (("rows", 3),)), START_AT)
            assert entry is not None
            assert (entry.state, entry.reserved, entry.weight) == (State.HELD, answer.weight, answer.weight)
            assert (entry.held_at, entry.lapse_at, entry.actor) == (START_AT, START_AT + LAPSE_AFTER, SOMEBODY)
            assert weighs(store, START_AT) == (0, 7)
            assert store.totals().usd == 7

    def test_ids_are_never_given_twice(self, tmp_path: Path) -> None:
        """Every reservation has an id of its own, whatever happened to the ones before."""
        with self.opened(tmp_path) as store:
            ids = [held(store.hold(ask(1), START_AT)).id for _ in range(5)]
            store.void(ids[4], START_AT)
            ids.append(held(store.hold(ask(1), START_AT)).id)
            assert len(set(ids)) == 6

    def test_a_settle_books_the_cost(self, tmp_path: Path) -> None:
        """What was held becomes what it cost, and the rest is free again."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(10), START_AT))
            done = store.settle(answer.id, Outcome(usd=3, usage="{}", pricing=Pricing("card", "2026-01-01")), START_AT)
            assert (done.entry.state, done.entry.weight.usd, done.before.usd) == (State.SETTLED, 3, 10)
            assert (done.entry.usage, done.entry.pricing.source, done.entry.ended_at) == ("{}", "card", START_AT)
            assert store.entry(answer.id) == done.entry
            assert weighs(store, START_AT) == (3, 0)
            held(store.hold(ask(7), START_AT))

    def test_a_settle_without_figures_books_the_whole_hold(self, tmp_path: Path) -> None:
        """Usage that never arrives counts as everything that was held."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(6, tokens=4, rows=2), START_AT))
            assert store.settle(answer.id, Outcome(), START_AT).entry.weight == answer.weight
            assert weighs(store, START_AT) == (6, 0)

    def test_a_settle_may_correct_every_unit(self, tmp_path: Path) -> None:
        """Calls, tokens and other units are settled like dollars, and may be new ones."""
        limits = [limit(10, unit=unit, name=unit) for unit in ("usd", "calls", "tokens", "rows")]
        with self.opened(tmp_path, *limits) as store:
            answer = held(store.hold(ask(1, calls=1, tokens=0), START_AT))
            store.settle(answer.id, Outcome(usd=2, calls=3, tokens=4, units=(("rows", 5),)), START_AT)
            found = {one.limit.name: (one.spent, one.held) for one in store.standings(START_AT)}
            assert found == {"usd": (2, 0), "calls": (3, 0), "tokens": (4, 0), "rows": (5, 0)}

    def test_the_same_settle_again_is_the_same_answer(self, tmp_path: Path) -> None:
        """A settle that is repeated changes nothing and is answered alike."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(5, tokens=9), START_AT))
            first = store.settle(answer.id, Outcome(usd=3, tokens=2), START_AT)
            for again in (Outcome(usd=3, tokens=2), Outcome(usd=3)):
                later = store.settle(answer.id, again, START_AT + SECOND)
                assert (later.entry, later.before) == (first.entry, first.before)
            assert weighs(store, START_AT + SECOND) == (3, 0)
            assert store.totals().usd == 3

    def test_a_reservation_ends_once(self, tmp_path: Path) -> None:
        """A different settle, a void after a settle and a settle after a void are errors that change nothing."""
        with self.opened(tmp_path, limit(10)) as store:
            settled, voided = (held(store.hold(ask(4), START_AT)).id for _ in range(2))
            first = store.settle(settled, Outcome(usd=3), START_AT).entry
            second = store.void(voided, START_AT).entry
            for outcome in (Outcome(usd=4), Outcome(), Outcome(usd=3, tokens=1), Outcome(usd=3, calls=2)):
                with fails(ReservationStateError):
                    store.settle(settled, outcome, START_AT)
            for outcome in (Outcome(usd=4), Outcome(usd=0), Outcome()):
                with fails(ReservationStateError):
                    store.settle(voided, outcome, START_AT)
            with fails(ReservationStateError):
                store.void(settled, START_AT)
            assert (store.entry(settled), store.entry(voided)) == (first, second)
            assert weighs(store, START_AT) == (3, 0)

    def test_unknown_reservations_are_errors(self, tmp_path: Path) -> None:
        """An id that is not of this ledger is an error, also where its number is."""
        with self.opened(tmp_path) as store:
            answer = held(store.hold(ask(4), START_AT))
            for stranger in (
                "",
                "1",
                "x",
                answer.id + "0",
                answer.id.partition("-")[0] + "-00000000x",
                "9" * 30 + "-a",
            ):
                with fails(ReservationStateError):
                    store.settle(stranger, Outcome(usd=0), START_AT)
                with fails(ReservationStateError):
                    store.void(stranger, START_AT)
                assert store.entry(stranger) is None
            assert store.totals().usd == 4

    def test_a_void_gives_the_money_back_at_once(self, tmp_path: Path) -> None:
        """A voided reservation weighs nothing, and a second void is the same answer."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(10), START_AT))
            done = store.void(answer.id, START_AT)
            assert (done.entry.state, done.entry.weight, done.before.usd) == (State.VOIDED, Weight(), 10)
            assert store.void(answer.id, START_AT).entry == done.entry
            assert weighs(store, START_AT) == (0, 0)
            held(store.hold(ask(10), START_AT))

    def test_an_overrun_is_booked_in_full(self, tmp_path: Path) -> None:
        """A bill above the estimate counts in full, is marked, and leaves that much less room."""
        with self.opened(tmp_path, limit(10)) as store:
            done = store.settle(held(store.hold(ask(4), START_AT)).id, Outcome(usd=9), START_AT).entry
            assert done.weight.usd == 9
            assert "overrun" in done.marks
            assert weighs(store, START_AT) == (9, 0)
            refused(store.hold(ask(2), START_AT))
            assert (
                "overrun"
                not in store.settle(held(store.hold(ask(1), START_AT)).id, Outcome(usd=1), START_AT).entry.marks
            )
            assert [one.overrun_usd for one in store.sums((), 0, 1 << 62)] == [5]

    def test_held_money_counts_however_old(self, tmp_path: Path) -> None:
        """A reservation weighs in every current window for as long as it is held."""
        with self.opened(tmp_path, limit(10), limit(10, "day", name="day")) as store:
            answer = held(store.hold(ask(10, lapse_after=LAPSE_AFTER_BATCH), START_AT))
            for later in (HOUR, 5 * HOUR, LAPSE_AFTER_BATCH - 1):
                refused(store.hold(ask(1), START_AT + later))
            done = store.settle(answer.id, Outcome(), START_AT + LAPSE_AFTER_BATCH - 1).entry
            assert "late" not in done.marks
            refused(store.hold(ask(1), START_AT + LAPSE_AFTER_BATCH + HOUR - 2))

    def test_a_settled_cost_counts_from_its_settle(self, tmp_path: Path) -> None:
        """The window of a cost begins when it was settled, not when it was held."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(10), START_AT))
            store.settle(answer.id, Outcome(), START_AT + 10 * MINUTE)
            refused(store.hold(ask(1), START_AT + 70 * MINUTE - 1))
            held(store.hold(ask(1), START_AT + 71 * MINUTE))

    def test_a_lapsed_reservation_counts_as_spent(self, tmp_path: Path) -> None:
        """A worker that died keeps its weight: spent from the lapse on, for a whole window."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(10), START_AT))
            lapse_at = START_AT + LAPSE_AFTER
            assert weighs(store, lapse_at - 1) == (0, 10)
            refused(store.hold(ask(1), lapse_at))
            assert weighs(store, lapse_at) == (10, 0)
            entry = store.entry(answer.id)
            assert entry is not None
            assert (entry.state, entry.counted_at, entry.weight.usd) == (State.LAPSED, lapse_at, 10)
            refused(store.hold(ask(1), lapse_at + HOUR - 1))
            held(store.hold(ask(1), lapse_at + HOUR + MINUTE))

    def test_a_lapse_needs_no_janitor(self, tmp_path: Path) -> None:
        """Reservations whose lapse is long past weigh nothing in the next decision, however many they are."""
        with self.opened(tmp_path, limit(200), limit(150, "24h", name="day")) as store:
            for _ in range(150):
                held(store.hold(ask(1), START_AT))
            later = START_AT + LAPSE_AFTER + HOUR + MINUTE
            assert weighs(store, later) == (0, 0)
            assert weighs(store, later, name="day") == (150, 0)
            refused(store.hold(ask(1), later))
            held(store.hold(ask(150), later + 24 * HOUR))

    def test_a_late_settle_books_the_difference(self, tmp_path: Path) -> None:
        """A settle after the lapse corrects what the lapse booked, where it was booked, and says that it was late."""
        for cost in (0, 4, 10, 13):
            with self.opened(tmp_path / str(cost), limit(10)) as store:
                answer = held(store.hold(ask(10), START_AT))
                lapse_at = START_AT + LAPSE_AFTER
                refused(store.hold(ask(1), lapse_at + MINUTE))
                done = store.settle(answer.id, Outcome(usd=cost), lapse_at + 30 * MINUTE).entry
                assert (done.state, done.weight.usd, done.counted_at) == (State.SETTLED, cost, lapse_at)
                assert done.marks == {"late", "overrun"} if cost > 10 else {"late"}
                assert weighs(store, lapse_at + 30 * MINUTE) == (cost, 0)
                assert weighs(store, lapse_at + HOUR - 1) == (cost, 0)
                held(store.hold(ask(10), lapse_at + HOUR + MINUTE))
                assert store.totals().usd == cost + 10

    def test_a_settle_at_the_lapse_is_late(self, tmp_path: Path) -> None:
        """The instant of the lapse belongs to the lapse, the one before to the reservation."""
        with self.opened(tmp_path) as store:
            early, late = (held(store.hold(ask(1), START_AT)).id for _ in range(2))
            assert store.settle(early, Outcome(), START_AT + LAPSE_AFTER - 1).entry.marks == frozenset()
            done = store.settle(late, Outcome(), START_AT + LAPSE_AFTER).entry
            assert (done.marks, done.counted_at) == (frozenset({"late"}), START_AT + LAPSE_AFTER)

    def test_a_late_word_never_reopens_a_window(self, tmp_path: Path) -> None:
        """What is given back after its lapse has left the window makes no room for newer spending."""
        with self.opened(tmp_path, limit(10)) as store:
            lost, gone = (held(store.hold(ask(5), START_AT)).id for _ in range(2))
            later = START_AT + LAPSE_AFTER + HOUR + MINUTE
            store.settle(held(store.hold(ask(10), later)).id, Outcome(), later)
            store.settle(lost, Outcome(usd=0), later)
            store.void(gone, later)
            assert weighs(store, later) == (10, 0)
            refused(store.hold(ask(1), later))
            assert store.totals().usd == 10

    def test_a_late_void_gives_back_what_the_lapse_booked(self, tmp_path: Path) -> None:
        """A reservation voided after its lapse weighs nothing any more, and ends there."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(10), START_AT))
            later = START_AT + LAPSE_AFTER + MINUTE
            done = store.void(answer.id, later).entry
            assert (done.state, done.marks) == (State.VOIDED, frozenset({"late"}))
            held(store.hold(ask(10), later))
            with fails(ReservationStateError):
                store.settle(answer.id, Outcome(), later)

    def test_a_booking_counts_whatever_the_limits_say(self, tmp_path: Path) -> None:
        """A call made without a reservation is booked in full and leaves that much less room."""
        with self.opened(tmp_path, limit(10)) as store:
            done = store.book(ask(25, marks=frozenset({"unrecorded"})), START_AT).entry
            assert (done.state, done.weight.usd, done.counted_at) == (State.SETTLED, 25, START_AT)
            assert "unrecorded" in done.marks
            assert weighs(store, START_AT) == (25, 0)
            refused(store.hold(ask(1), START_AT))

    def test_what_cannot_be_an_amount_is_refused(self, tmp_path: Path) -> None:
        """Negative weights, costs and spans are errors; nothing is reserved or changed."""
        with self.opened(tmp_path, limit(10)) as store:
            answer = held(store.hold(ask(5), START_AT))
            bad = [ask(-1), ask(1, calls=-1), ask(1, tokens=-1), ask(1, rows=-1), ask(1, tariff_units=-1)]
            bad += [ask(1, lapse_after=0), ask(1, lapse_after=-1), ask(1, lapse_after=MAX_LAPSE_AFTER + 1)]
            for request in bad:
                with fails(AmountError):
                    store.hold(request, START_AT)
            for outcome in (Outcome(usd=-1), Outcome(calls=-1), Outcome(tokens=-1), Outcome(units=(("rows", -1),))):
                with fails(AmountError):
                    store.settle(answer.id, outcome, START_AT)
            assert store.totals().usd == 5
            assert weighs(store, START_AT) == (0, 5)

    def test_a_tariff_is_read_inside_the_hold(self, tmp_path: Path) -> None:
        """The position in a free tier moves with every hold, so that no two calls are the last free one."""
        with self.opened(tmp_path, limit(100)) as store:
            costs = [held(store.hold(_call(), START_AT)).weight.usd for _ in range(4)]
            assert costs == [0, 0, 4, 4]
            assert held(store.hold(_call(units=3, usd=1), START_AT)).weight.usd == 13

    def test_a_void_returns_its_place_in_the_tariff(self, tmp_path: Path) -> None:
        """What was not used of a free tier can be used by the next call."""
        with self.opened(tmp_path) as store:
            first = held(store.hold(_call(units=2), START_AT))
            store.void(first.id, START_AT)
            second = held(store.hold(_call(units=2), START_AT))
            assert second.weight.usd == 0
            store.settle(second.id, Outcome(tariff_units=1), START_AT)
            assert [held(store.hold(_call(), START_AT)).weight.usd for _ in range(2)] == [0, 4]

    def test_a_settle_that_fails_keeps_its_place_in_the_tariff(self, tmp_path: Path) -> None:
        """The word that comes after a void, or differs from the first one, takes no part of the free tier."""
        with self.opened(tmp_path) as store:
            voided, settled = (held(store.hold(_call(), START_AT)).id for _ in range(2))
            store.void(voided, START_AT)
            store.settle(settled, Outcome(), START_AT)
            for name in (voided, settled):
                with fails(ReservationStateError):
                    store.settle(name, Outcome(tariff_units=3), START_AT)
            assert [held(store.hold(_call(), START_AT)).weight.usd for _ in range(2)] == [0, 4]

    def test_a_refused_call_takes_no_place_in_the_tariff(self, tmp_path: Path) -> None:
        """Only what is admitted moves the position."""
        with self.opened(tmp_path, limit(3)) as store:
            held(store.hold(_call(units=2), START_AT))
            for _ in range(3):
                refused(store.hold(_call(), START_AT))
            with self.again(store) as other:
                assert refused((other or store).hold(_call(), START_AT)).requested == 4

    def test_a_tariff_starts_again_each_month(self, tmp_path: Path) -> None:
        """A new month in the tariff's zone brings its free tier; what is voided goes back to its own month."""
        with self.opened(tmp_path) as store:
            february, march = utc(2026, 2, 28, 23, 59, 59), utc(2026, 3, 1)
            first = held(store.hold(_call(units=2), february))
            assert held(store.hold(_call(), february)).weight.usd == 4
            assert held(store.hold(_call(units=2), march)).weight.usd == 0
            store.void(first.id, march)
            assert held(store.hold(_call(), march)).weight.usd == 4

    def test_a_tariff_comes_on_top_of_other_costs(self, tmp_path: Path) -> None:
        """A settle that tells only the units keeps the other dollars that were held; one that tells both books both."""
        with self.opened(tmp_path) as store:
            first, second = (held(store.hold(_call(units=3, usd=10), START_AT)).id for _ in range(2))
            only_units = Outcome(tariff_units=4)
            assert store.settle(first, only_units, START_AT).entry.weight.usd == 10 + 2 * 4
            assert store.settle(first, only_units, START_AT).entry.weight.usd == 10 + 2 * 4
            assert store.settle(second, Outcome(usd=7, tariff_units=1), START_AT).entry.weight.usd == 7 + 4

    def test_other_units_are_another_settle(self, tmp_path: Path) -> None:
        """Units that differ make a different settle, even where they cost the same."""
        with self.opened(tmp_path) as store:
            answer = held(store.hold(_call(units=2), START_AT))
            store.settle(answer.id, Outcome(tariff_units=1), START_AT)
            store.settle(answer.id, Outcome(tariff_units=1), START_AT)
            with fails(ReservationStateError):
                store.settle(answer.id, Outcome(tariff_units=2), START_AT)


def _call(units: int = 1, usd: int = 0) -> HoldRequest:
    return ask(usd, resource="api", tariff=FREE_THEN_FOUR, tariff_units=units)
