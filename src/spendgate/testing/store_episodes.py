"""The contract: what people are told, once each, and the breakers that they trip by hand."""

from pathlib import Path

from spendgate.clock import HOUR, MINUTE, SECOND
from spendgate.ledger import Breaker, Outcome, Settled
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
    standing,
    told,
)
from spendgate.testing.store_versions import put

EVERYTHING = Breaker("*", "*", 0, "kill switch")


class EpisodeChecks(StoreSetup):
    """Warnings, episodes of refusals, breakers."""

    def test_a_warning_fires_once(self, tmp_path: Path) -> None:
        """Each threshold warns once per scope when it is reached, not at every call beyond it."""
        with self.opened(tmp_path, limit(100, warn_at="0.5 0.8", per=("service",))) as store:
            held(store.hold(ask(49), START_AT))
            assert told(store, "warned") == []
            answer = held(store.hold(ask(1), START_AT))
            assert [(event.kind, event.data["share"]) for event in answer.events] == [("warned", "0.5")]
            for _ in range(10):
                held(store.hold(ask(4), START_AT))
            held(store.hold(ask(60, service="other"), START_AT))
            found = [(event.scope, event.data["share"]) for event in told(store, "warned")]
            research, other = "service=research", "service=other"
            assert found == [(research, "0.5"), (research, "0.8"), (other, "0.5")]

    def test_a_warning_fires_again_after_a_lull(self, tmp_path: Path) -> None:
        """A warning is re-armed below nine tenths of its threshold, not just below it."""
        for rest, warnings in ((49, 1), (45, 1), (44, 2)):
            with self.opened(tmp_path / str(rest), limit(100, warn_at="0.5")) as store:
                store.settle(held(store.hold(ask(50), START_AT)).id, Outcome(usd=rest), START_AT)
                held(store.hold(ask(10), START_AT))
                assert len(told(store, "warned")) == warnings

    def test_a_warning_fires_in_each_window(self, tmp_path: Path) -> None:
        """A window that has emptied warns again, also where one call fills it at once."""
        with self.opened(tmp_path, limit(100, "1h", warn_at="0.8")) as store:
            for hour in (0, 2, 4):
                spend(store, 90, START_AT + hour * HOUR)
            assert len(told(store, "warned")) == 3

    def test_thresholds_are_exact(self, tmp_path: Path) -> None:
        """A threshold of a small number is reached when the share is, neither earlier nor never."""
        for amount, reached_by in ((1, 1), (2, 2), (3, 3), (10, 8), (0, None)):
            with self.opened(tmp_path / str(amount), limit(amount, unit="calls", warn_at="0.8")) as store:
                for number in range(1, amount + 1):
                    held(store.hold(ask(), START_AT))
                    assert len(told(store, "warned")) == (reached_by is not None and number >= reached_by)

    def test_equal_thresholds_warn_once(self, tmp_path: Path) -> None:
        """A share that is stated twice is one threshold."""
        with self.opened(tmp_path, limit(10, warn_at="0.8 0.8 0.80")) as store:
            held(store.hold(ask(10), START_AT))
            assert len(told(store, "warned")) == 1

    def test_changed_thresholds_warn_by_themselves(self, tmp_path: Path) -> None:
        """A threshold that is new warns, whatever those before it had told; one that stays does not warn again."""
        with self.opened(tmp_path, limit(100, warn_at="0.2 0.5")) as store:
            held(store.hold(ask(60), START_AT))
            put(store, START_AT, limit(100, warn_at="0.5 0.8"))
            held(store.hold(ask(15), START_AT))
            held(store.hold(ask(10), START_AT))
            assert [event.data["share"] for event in told(store, "warned")] == ["0.2", "0.5", "0.8"]

    def test_a_lowered_limit_warns_of_what_was_spent(self, tmp_path: Path) -> None:
        """The next call tells first what stood before it came, then what becomes of itself."""
        with self.opened(tmp_path, limit(100, warn_at="0.5")) as store:
            held(store.hold(ask(40), START_AT))
            put(store, START_AT, limit(50, warn_at="0.5", at_limit="observe"))
            events = held(store.hold(ask(30), START_AT)).events
            assert [(event.kind, event.data["held"]) for event in events] == [("warned", 40), ("observed", 40)]

    def test_an_episode_is_told_once(self, tmp_path: Path) -> None:
        """The first refusal is an event and those after it are counted; the end says how many calls and dollars."""
        with self.opened(tmp_path, limit(100, per=("service",))) as store:
            spend(store, 95, START_AT)
            first = refused(store.hold(ask(10), START_AT + SECOND))
            assert [event.kind for event in first.events] == ["blocked"]
            for _ in range(4):
                assert refused(store.hold(ask(20), START_AT + MINUTE)).events == ()
            found = standing(store, START_AT + MINUTE, "service=research")
            assert found is not None
            assert (found.blocked_at, found.refused_calls, found.refused_usd) == (START_AT + SECOND, 5, 90)
            held(store.hold(ask(1), START_AT + MINUTE))
            assert told(store, "allowing") == []
            held(store.hold(ask(1), START_AT + 2 * HOUR))
            (event,) = told(store, "allowing")
            assert (event.limit, event.scope) == ("limit", "service=research")
            assert (event.data["refused_calls"], event.data["refused_usd"]) == (5, 90)
            assert event.data["since_at"] == START_AT + SECOND
            (event,) = told(store, "blocked")
            assert (event.at, event.data["spent"], event.data["held"]) == (START_AT + SECOND, 95, 0)

    def test_each_episode_is_told(self, tmp_path: Path) -> None:
        """A window that has emptied ends the episode, also where one call fills it again at once."""
        with self.opened(tmp_path, limit(100)) as store:
            for hour in (0, 2, 4):
                spend(store, 100, START_AT + hour * HOUR)
                refused(store.hold(ask(1), START_AT + hour * HOUR))
                refused(store.hold(ask(1), START_AT + hour * HOUR))
            assert [event.kind for event in told(store, "blocked", "allowing")] == ["blocked", "allowing"] * 2 + [
                "blocked"
            ]

    def test_what_is_blocked_is_derived(self, tmp_path: Path) -> None:
        """An episode refuses nothing by itself: what fits passes, and an emptied window does not stand as blocked."""
        with self.opened(tmp_path, limit(100)) as store:
            spend(store, 95, START_AT)
            refused(store.hold(ask(6), START_AT))
            held(store.hold(ask(5), START_AT))
            later = standing(store, START_AT + 2 * HOUR)
            assert later is None or later.blocked_at == 0

    def test_a_call_that_never_fits_stands_as_blocked(self, tmp_path: Path) -> None:
        """Where every call is too large the scope stands as blocked; not when one gets through, nor a window later."""
        with self.opened(tmp_path, limit(100)) as store:
            refused(store.hold(ask(101), START_AT))
            found = standing(store, START_AT + HOUR - 1)
            assert found is not None
            assert (found.blocked_at, found.refused_calls, found.refused_usd) == (START_AT, 1, 101)
            assert standing(store, START_AT + 2 * HOUR) is None
            held(store.hold(ask(1), START_AT + MINUTE))
            found = standing(store, START_AT + MINUTE)
            assert found is not None
            assert (found.blocked_at, found.refused_calls) == (0, 0)

    def test_waiting_for_ones_pace_is_no_episode(self, tmp_path: Path) -> None:
        """A paced limit has room left: a call that must wait its turn wakes nobody."""
        with self.opened(tmp_path, limit(10, "day", unit="calls", pace_from="0.1")) as store:
            at = START_AT
            held(store.hold(ask(), at))
            for _ in range(4):
                held(store.hold(ask(), at))
                assert "observed" in held(store.hold(ask(enforce=False), at)).marks
                at = refused(store.hold(ask(), at)).frees_at or 0
            assert told(store, "blocked", "allowing", "observed") == []

    def test_calls_too_large_for_the_rest_are_one_episode(self, tmp_path: Path) -> None:
        """Where small calls pass and large ones do not, that is told once; when there is no room at all, once more."""
        with self.opened(tmp_path, limit(100, warn_at="0.5")) as store:
            spend(store, 30, START_AT)
            for _ in range(5):
                refused(store.hold(ask(80), START_AT))
                store.void(held(store.hold(ask(1), START_AT)).id, START_AT)
            assert [event.kind for event in told(store, "blocked", "allowing")] == ["blocked"]
            last = held(store.hold(ask(70), START_AT)).id
            refused(store.hold(ask(1), START_AT))
            refused(store.hold(ask(80), START_AT))
            store.void(last, START_AT)
            found = told(store, "blocked", "allowing")
            assert [event.kind for event in found] == ["blocked", "allowing", "blocked", "allowing"]
            assert [event.data["refused_calls"] for event in told(store, "allowing")] == [5, 2]
            refused(store.hold(ask(80), START_AT + 1))
            held(store.hold(ask(1), START_AT + 2 * HOUR))
            assert [event.kind for event in told(store, "blocked", "allowing")][4:] == ["blocked", "allowing"]

    def test_enforcing_after_observing_is_told(self, tmp_path: Path) -> None:
        """When observed refusals become real ones, that is told, though the scope was over its limit all along."""
        with self.opened(tmp_path, limit(10)) as store:
            held(store.hold(ask(20, enforce=False), START_AT))
            held(store.hold(ask(20, enforce=False), START_AT))
            refused(store.hold(ask(1), START_AT))
            refused(store.hold(ask(1), START_AT))
            held(store.hold(ask(1, enforce=False), START_AT))
            assert [event.kind for event in told(store, "observed", "blocked")] == ["observed", "blocked"]

    def test_a_tripped_breaker_blocks_its_calls(self, tmp_path: Path) -> None:
        """Everything that fits the breaker's pattern is refused, free calls too, and everything else passes."""
        with self.opened(tmp_path, limit(10)) as store:
            event = store.trip(Breaker("service", "res*", 0, "looping"), SOMEBODY, START_AT)
            assert (event.kind, event.scope, event.data["reason"]) == ("tripped", "service=res*", "looping")
            for usd in (0, 1, 1000):
                found = blocked(store.hold(ask(usd), START_AT + 1))
                assert (str(found), found.since_at, found.reason) == ("service=res*", START_AT, "looping")
            held(store.hold(ask(1, service="other"), START_AT))
            held(store.hold(ask(1, enforce=False), START_AT))
            assert isinstance(store.book(ask(1), START_AT), Settled)
            assert [str(one) for one in store.breakers(START_AT + 1)] == ["service=res*"]
            assert store.totals().usd == 3

    def test_a_reset_lets_calls_through(self, tmp_path: Path) -> None:
        """A reset ends the block at once and says what was refused; a second one has nothing to do."""
        with self.opened(tmp_path) as store:
            store.trip(Breaker("task", "t1", 0, "why"), SOMEBODY, START_AT)
            for _ in range(3):
                blocked(store.hold(ask(7, task="t1"), START_AT))
            (event,) = store.reset("task", "t1", SOMEBODY, START_AT + 5)
            assert (event.kind, event.at, event.data["refused_calls"], event.data["refused_usd"]) == (
                "reset",
                START_AT + 5,
                3,
                21,
            )
            held(store.hold(ask(7, task="t1"), START_AT + 5))
            assert store.reset("task", "t1", SOMEBODY, START_AT) == ()
            assert store.breakers(START_AT) == ()

    def test_a_breaker_may_reset_itself(self, tmp_path: Path) -> None:
        """A breaker with an end blocks up to it and not at it, and its end is an event."""
        with self.opened(tmp_path) as store:
            until = START_AT + 30 * MINUTE
            store.trip(Breaker("resource", "clearbit.*", 0, "why", until), SOMEBODY, START_AT)
            request = ask(resource="clearbit.enrich")
            assert blocked(store.hold(request, until - 1)).reset_at == until
            assert len(store.breakers(until - 1)) == 1
            assert store.breakers(until) == ()
            answer = held(store.hold(request, until))
            assert [event.kind for event in answer.events] == ["reset"]
            assert [event.data["refused_calls"] for event in told(store, "reset")] == [1]

    def test_the_kill_switch_stops_everything(self, tmp_path: Path) -> None:
        """The breaker for all blocks every call, and its reset resets every other breaker too."""
        with self.opened(tmp_path) as store:
            store.trip(Breaker("tags.customer", "acme", 0, "one"), SOMEBODY, START_AT)
            store.trip(EVERYTHING, SOMEBODY, START_AT)
            blocked(store.hold(ask(0, service=""), START_AT))
            assert str(store.breakers(START_AT)[1]) == "*"
            assert len(store.reset("*", "*", SOMEBODY, START_AT)) == 2
            held(store.hold(ask(1, tags=(("customer", "acme"),)), START_AT))

    def test_a_breaker_tripped_again_is_one_breaker(self, tmp_path: Path) -> None:
        """Tripping the same pattern again takes the new reason and end."""
        with self.opened(tmp_path) as store:
            store.trip(Breaker("service", "a", 0, "first"), SOMEBODY, START_AT)
            store.trip(Breaker("service", "a", 0, "second", START_AT + HOUR), SOMEBODY, START_AT + 1)
            assert store.breakers(START_AT + 1) == (Breaker("service", "a", START_AT + 1, "second", START_AT + HOUR),)

    def test_a_breaker_that_can_fit_nothing_is_an_error(self, tmp_path: Path) -> None:
        """A slip in the field of a breaker is an error when it is tripped, not at every call afterwards."""
        with self.opened(tmp_path) as store:
            with fails(ValueError):
                store.trip(Breaker("servce", "a", 0, "slip"), SOMEBODY, START_AT)
            held(store.hold(ask(1), START_AT))
