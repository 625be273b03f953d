"""The contract: limits are in force for everyone at once, and what was spent before counts under them."""

from pathlib import Path

from spendgate.clock import HOUR, MINUTE, SECOND
from spendgate.ledger import LAPSE_AFTER_BATCH, Actor, Outcome, Store
from spendgate.limits import Limit, LimitSet
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, ask, held, limit, refused, told, weighs


def put(store: Store, at: int, *limits: Limit) -> bool:
    """Puts limits in force."""
    return store.apply_limits(LimitSet(limits), "contract", SOMEBODY, at)


class VersionChecks(StoreSetup):
    """Limits that change while money is held and spent."""

    def test_without_limits_everything_passes(self, tmp_path: Path) -> None:
        """A store without limits admits everything and books it."""
        with self.opened(tmp_path) as store:
            held(store.hold(ask(10**15), START_AT))
            assert store.limits().limits == LimitSet(())
            assert store.standings(START_AT) == []

    def test_limits_are_versioned(self, tmp_path: Path) -> None:
        """A new set is a new version that names who put it in force; the same set again is none."""
        with self.opened(tmp_path) as store:
            one, two = limit(10), limit(20)
            assert put(store, START_AT, one)
            assert not put(store, START_AT + 1, one)
            assert store.apply_limits(LimitSet((two,)), "file", Actor("h", 3, "p"), START_AT + 2)
            now = store.limits()
            assert (now.limits, now.source, now.actor, now.at) == (
                LimitSet((two,)),
                "file",
                Actor("h", 3, "p"),
                START_AT + 2,
            )
            assert [version.limits.limits for version in store.limits_history()] == [(one,), (two,)]
            assert [version.version for version in store.limits_history()] == [1, 2]
            assert [(event.at, event.data["source"]) for event in told(store, "limits")] == [
                (START_AT, "contract"),
                (START_AT + 2, "file"),
            ]

    def test_the_order_of_limits_is_no_change(self, tmp_path: Path) -> None:
        """The same limits in another order, or one of them stated twice, are the set that is in force already."""
        one, two = limit(10), limit(20, "24h", name="day", match=(("service", "a"), ("task", "b")))
        with self.opened(tmp_path, one, two) as store:
            swapped = limit(20, "24h", name="day", match=(("task", "b"), ("service", "a")))
            assert not put(store, START_AT + 1, swapped, one)
            assert not put(store, START_AT + 1, two, one, two)
            assert store.limits().limits.limits == (one, two)
            assert [version.version for version in store.limits_history()] == [1]
            assert put(store, START_AT + 1, two)

    def test_a_limit_survives_the_ledger(self, tmp_path: Path) -> None:
        """Every part of a limit comes back from the ledger as it was put in."""
        one = limit(
            10, "month", unit="rows", zone="Asia/Beirut", match=(("model", "a*"), ("tags.x", "[ab]")),
            per=("task", "tags.customer"), warn_at="0.5 0.8", at_limit="throttle", throttle_every=7, pace_from="0.25",
        )  # fmt: skip
        with self.opened(tmp_path, one) as store:
            assert store.limits().limits.limits == (one,)

    def test_lowering_a_limit_counts_at_once(self, tmp_path: Path) -> None:
        """A limit lowered below what is spent refuses the next call; raised again, it admits it."""
        with self.opened(tmp_path, limit(10)) as store:
            store.settle(held(store.hold(ask(8), START_AT)).id, Outcome(), START_AT)
            put(store, START_AT, limit(5))
            no = refused(store.hold(ask(1), START_AT))
            assert (no.spent, no.limit.amount) == (8, 5)
            put(store, START_AT, limit(9))
            held(store.hold(ask(1), START_AT))

    def test_a_new_limit_knows_what_was_spent(self, tmp_path: Path) -> None:
        """The rows of a new limit are built from the entries before its first decision: settled, held and lapsed."""
        with self.opened(tmp_path) as store:
            store.settle(held(store.hold(ask(100), START_AT - 3 * HOUR)).id, Outcome(), START_AT - 3 * HOUR)
            held(store.hold(ask(20), START_AT - 2 * HOUR))
            store.settle(held(store.hold(ask(5), START_AT)).id, Outcome(usd=3), START_AT)
            held(store.hold(ask(2, lapse_after=LAPSE_AFTER_BATCH), START_AT - MINUTE))
            store.void(held(store.hold(ask(50), START_AT)).id, START_AT)
            put(store, START_AT + MINUTE, limit(10), limit(40, "24h", per=("service",), name="day"))
            refused(store.hold(ask(6), START_AT + MINUTE))
            assert weighs(store, START_AT + MINUTE) == (3, 2)
            assert weighs(store, START_AT + MINUTE, "service=research", "day") == (123, 2)
            held(store.hold(ask(5, service="new"), START_AT + MINUTE))

    def test_reservations_outlive_a_change_of_limits(self, tmp_path: Path) -> None:
        """What was held before a change is settled, voided and lapsed under the limits that came after."""
        with self.opened(tmp_path, limit(100, name="old")) as store:
            ids = [held(store.hold(ask(10), START_AT)).id for _ in range(3)]
            put(store, START_AT, limit(100, "24h", name="new"), limit(100, per=("service",), name="each"))
            assert weighs(store, START_AT, name="new") == (0, 30)
            store.settle(ids[0], Outcome(usd=4), START_AT)
            store.void(ids[1], START_AT)
            assert weighs(store, START_AT, name="new") == (4, 10)
            assert weighs(store, START_AT, "service=research", "each") == (4, 10)
            put(store, START_AT, limit(100, name="old"))
            held(store.hold(ask(1), START_AT + HOUR - 1))
            assert weighs(store, START_AT + HOUR - 1, name="old") == (14, 1)

    def test_limits_that_count_alike_stay_apart(self, tmp_path: Path) -> None:
        """Several limits may count the same calls, one of them may go, and a limit that is stated twice is one."""
        with self.opened(tmp_path, limit(10), limit(20, name="second"), limit(10)) as store:
            answer = held(store.hold(ask(6), START_AT))
            assert {one.held for one in store.standings(START_AT)} == {6}
            store.settle(answer.id, Outcome(), START_AT)
            assert {(one.spent, one.held) for one in store.standings(START_AT)} == {(6, 0)}
            refused(store.hold(ask(5), START_AT))
            put(store, START_AT, limit(20, name="second"))
            held(store.hold(ask(5), START_AT))
            assert weighs(store, START_AT, name="second") == (6, 5)

    def test_a_second_handle_follows(self, tmp_path: Path) -> None:
        """Whoever has the ledger open decides by the newest limits, and sees what the others spent."""
        with self.opened(tmp_path, limit(10)) as store, self.again(store) as other:
            if other is None:
                return
            held(store.hold(ask(6), START_AT))
            refused(other.hold(ask(5), START_AT))
            put(other, START_AT, limit(3, unit="calls"))
            held(store.hold(ask(500), START_AT))
            held(other.hold(ask(500), START_AT))
            refused(store.hold(ask(1), START_AT))
            assert store.limits() == other.limits()
            assert store.standings(START_AT) == other.standings(START_AT)

    def test_what_was_answered_is_kept(self, tmp_path: Path) -> None:
        """Another handle finds every reservation, event, limit, breaker and sum as they were."""
        with self.opened(tmp_path, limit(10, warn_at="0.5")) as store, self.again(store) as other:
            if other is None:
                return
            settled, voided, open_ = (held(store.hold(ask(3, tags=(("a", "b"),)), START_AT)).id for _ in range(3))
            store.settle(settled, Outcome(usd=2, usage='{"x": 1}', list_usd=9), START_AT + SECOND)
            store.void(voided, START_AT + SECOND)
            refused(store.hold(ask(9), START_AT + SECOND))
            store.processed("research", 5, START_AT)
            for hold_id in (settled, voided, open_):
                assert other.entry(hold_id) == store.entry(hold_id) != None  # noqa: E711
            assert list(other.entries()) == list(store.entries())
            assert list(other.events()) == list(store.events())
            assert other.totals() == store.totals()
            assert other.work(0, 1 << 62) == [("research", START_AT, 5)]
            assert other.settle(open_, Outcome(), START_AT + SECOND).entry == store.entry(open_)
            assert other.check() == []
