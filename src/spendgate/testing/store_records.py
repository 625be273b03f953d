"""The contract: what reports read. Sums agree with the entries, history stays out of windows, nothing gets lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from spendgate.call import Call
from spendgate.clock import DAY, HOUR, MINUTE
from spendgate.ledger import LAPSE_AFTER, Entry, Event, Outcome, Store, Sum, Weight
from spendgate.limits import LimitSet
from spendgate.reservation import State
from spendgate.stores.summing import sum_entries
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_limiting import spend
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, ask, fails, held, limit, refused, standing, told, weighs

ALWAYS = 1 << 62
GROUPS = ((), ("service",), ("resource", "service"), ("provider",), ("task", "service", "provider", "resource"))
FALLEN = ("fallback_for", "resource")
"""What daily sums do not keep apart."""


def imported(number: int, usd: int, at: int, service: str = "research") -> Entry:
    """A call out of an old log."""
    return Entry(
        seq=0, id=f"log:{number}", state=State.SETTLED, call=Call(service=service, resource="old"), held_at=at,
        lapse_at=at, counted_at=at, ended_at=at, reserved=Weight(usd, 1, 5), weight=Weight(usd, 1, 5),
        marks=frozenset({"imported"}),
    )  # fmt: skip


def story(store: Store, at: int) -> None:
    """Some of everything: held, settled, overrun, voided, lapsed and late, over three services and three days."""
    for day in range(3):
        for number, service in enumerate(("a", "b", "research")):
            now = at + day * DAY + number * HOUR
            calls: dict[str, Any] = {"service": service, "resource": f"r{number}", "task": f"t{day}"}
            calls["provider"] = "p" * (number % 2)
            calls["tags"] = (("customer", 'fallback_for"'), ("fallback_for", 'x"y')) if number == 2 else (("a", "b"),)
            ids = [held(store.hold(ask(10 + number, tokens=day, **calls), now + n)).id for n in range(5)]
            store.settle(ids[0], Outcome(usd=3, list_usd=30), now + MINUTE)
            store.settle(ids[1], Outcome(usd=50), now + MINUTE)
            store.void(ids[2], now + MINUTE)
            store.settle(ids[3], Outcome(usd=1), now + LAPSE_AFTER + MINUTE)


class RecordChecks(StoreSetup):
    """Entries, events, sums, history, work done, compaction."""

    def test_entries_come_back_in_order(self, tmp_path: Path) -> None:
        """Entries are numbered as they came, and a stretch of time chooses among them by when they were held."""
        with self.opened(tmp_path) as store:
            ids = [held(store.hold(ask(number), START_AT + number)).id for number in range(6)]
            assert [entry.id for entry in store.entries()] == ids
            assert [entry.seq for entry in store.entries()] == sorted(entry.seq for entry in store.entries())
            assert [entry.weight.usd for entry in store.entries(START_AT + 2, START_AT + 4)] == [2, 3]

    def test_a_providers_work_is_found_again(self, tmp_path: Path) -> None:
        """The name of a provider's work leads to its reservation; the last word counts, and an unknown name to none."""
        with self.opened(tmp_path) as store:
            first, second = (held(store.hold(ask(5), START_AT)).id for _ in range(2))
            assert store.begun("openai:resp_1") == ""
            store.begin("openai:resp_1", first, START_AT)
            store.begin("openai:resp_2", second, START_AT)
            assert (store.begun("openai:resp_1"), store.begun("openai:resp_2")) == (first, second)
            store.begin("openai:resp_1", second, START_AT)
            assert store.begun("openai:resp_1") == second

    def test_running_totals_follow_every_write(self, tmp_path: Path) -> None:
        """Each write moves the head and the running total, and the entry keeps both."""
        with self.opened(tmp_path) as store:
            first, second = (held(store.hold(ask(5), START_AT)).id for _ in range(2))
            one = store.settle(first, Outcome(usd=2), START_AT).entry
            two = store.void(second, START_AT).entry
            assert (one.total, two.total) == (7, 2)
            assert one.rev < two.rev
            totals = store.totals()
            assert (totals.usd, totals.entries, totals.latest_at) == (2, 2, START_AT)
            assert totals.head >= two.rev

    def test_sums_add_up(self, tmp_path: Path) -> None:
        """Sums by any fields, over any stretch, are those that the entries give."""
        with self.opened(tmp_path, limit(10**9)) as store:
            story(store, START_AT)
            store.add_imported(imported(n, 7 * n, START_AT - n * HOUR, "ab"[n % 2]) for n in range(50))
            entries = list(store.entries())
            for by in (*GROUPS, FALLEN):
                for since, until in ((0, ALWAYS), (START_AT, START_AT + DAY), (START_AT - HOUR, START_AT + 1)):
                    for every in (0, HOUR, DAY):
                        expected = sum_entries(entries, (), by, since, until, every=every)
                        assert _sorted(store.sums(by, since, until, every)) == _sorted(expected)
            (total,) = store.sums((), 0, ALWAYS)
            assert total.usd == sum(e.weight.usd for e in entries) == store.totals().usd + total.imported_usd
            assert total.held_usd == sum(e.weight.usd for e in entries if e.state is State.HELD)

    def test_a_lapse_may_be_years_of_entries_ago(self, tmp_path: Path) -> None:
        """Sums over a stretch of time find what was held before it and ended in it."""
        with self.opened(tmp_path) as store:
            answer = held(store.hold(ask(9, lapse_after=6 * DAY), START_AT))
            for number in range(20):
                spend(store, 1, START_AT + number * HOUR)
            store.settle(answer.id, Outcome(), START_AT + 5 * DAY)
            assert [one.usd for one in store.sums((), START_AT + 4 * DAY, ALWAYS)] == [9]

    def test_history_never_counts_in_windows(self, tmp_path: Path) -> None:
        """Imported calls are in entries and sums, once each, and in no limit, old or new."""
        with self.opened(tmp_path, limit(10)) as store:
            calls = [imported(number, 1000, START_AT - number) for number in range(3)]
            assert store.add_imported(calls) == (3, 0)
            assert store.add_imported([*calls, imported(9, 1, START_AT)]) == (1, 3)
            held(store.hold(ask(10), START_AT))
            assert weighs(store, START_AT) == (0, 10)
            assert store.totals().usd == 10
            assert sorted(entry.id for entry in store.entries() if "imported" in entry.marks) == [
                "log:0", "log:1", "log:2", "log:9",
            ]  # fmt: skip
            assert [one.imported_usd for one in store.sums((), 0, ALWAYS)] == [3001]

    def test_events_are_kept_in_order(self, tmp_path: Path) -> None:
        """Events come back oldest first, from an instant on, with what they said."""
        with self.opened(tmp_path, limit(10, warn_at="0.5")) as store:
            held(store.hold(ask(6), START_AT + 1))
            refused(store.hold(ask(6), START_AT + 2))
            assert [event.kind for event in store.events()] == ["limits", "warned", "blocked"]
            assert [event.kind for event in store.events(START_AT + 2)] == ["blocked"]
            (event,) = told(store, "warned")
            assert (event.at, event.limit, event.data["held"], event.data["amount"]) == (START_AT + 1, "limit", 6, 10)

    def test_the_latest_calls_of_a_kind_are_found(self, tmp_path: Path) -> None:
        """Settled and lapsed calls of a service and model come back, the latest first, and no more than asked for."""
        with self.opened(tmp_path) as store:
            calls: dict[str, Any] = {"provider": "p", "resource": "r"}
            ids = [held(store.hold(ask(9, **calls), START_AT + n)).id for n in range(5)]
            for other in ({"service": "x"}, {"provider": "x"}, {"resource": "x"}):
                spend_id = held(store.hold(ask(9, **{**calls, **other}), START_AT)).id
                store.settle(spend_id, Outcome(usd=1), START_AT)
            store.settle(ids[0], Outcome(usd=1, usage="{}"), START_AT)
            store.void(ids[1], START_AT)
            store.settle(ids[2], Outcome(usd=3), START_AT)
            held(store.hold(ask(1), START_AT + LAPSE_AFTER + 3))
            assert [entry.id for entry in store.latest("research", "p", "r", 9)] == [ids[3], ids[2], ids[0]]
            assert [entry.weight.usd for entry in store.latest("research", "p", "r", 2)] == [9, 3]
            assert store.latest("research", "p", "", 9) == []

    def test_what_a_program_says_has_happened_is_an_event(self, tmp_path: Path) -> None:
        """A noted event is kept in its order and seen by every handle; it never takes an instant before the last."""
        with self.opened(tmp_path) as store:
            held(store.hold(ask(6), START_AT + 5))
            before = store.totals().head
            noted = store.note(Event(START_AT + 3, "skipped", "hourly", "service=a", {"key": "4711", "usd": 5}))
            assert noted == Event(START_AT + 5, "skipped", "hourly", "service=a", {"key": "4711", "usd": 5})
            assert store.totals().head > before
            with self.again(store) as other:
                assert told(other or store, "skipped") == [noted]

    def test_work_done_is_counted_by_the_minute(self, tmp_path: Path) -> None:
        """Work adds up per service and minute, and costs nothing."""
        with self.opened(tmp_path) as store:
            for service, count, at in (("a", 2, 0), ("a", 3, MINUTE - 1), ("b", 1, 0), ("a", 4, MINUTE)):
                store.processed(service, count, START_AT + at)
            assert store.work(0, ALWAYS) == [("a", START_AT, 5), ("a", START_AT + MINUTE, 4), ("b", START_AT, 1)]
            assert store.work(START_AT + MINUTE, ALWAYS) == [("a", START_AT + MINUTE, 4)]
            assert store.work(0, START_AT) == []
            assert store.totals().usd == 0

    def test_compacting_changes_no_total(self, tmp_path: Path) -> None:
        """Old entries become daily sums: fewer entries, the same money in every sum of whole days and every window."""
        with self.opened(tmp_path, limit(10**9), limit(10**9, "7d", per=("service",), name="week")) as store:
            story(store, START_AT)
            later = START_AT + 60 * DAY
            open_ = held(store.hold(ask(5), later)).id
            held(store.hold(ask(5), later + 1))
            before, standings = _summed(store), store.standings(later + 1)
            entries = store.totals().entries
            gone = store.compact(START_AT + 2 * DAY, later + 1)
            assert gone > 0
            assert store.totals().entries == entries - gone
            assert store.totals().usd == before[0][0].usd
            assert (_summed(store), store.standings(later + 1)) == (before, standings)
            assert store.compact(START_AT + 2 * DAY, later + 1) == 0
            store.settle(open_, Outcome(), later + 2)
            assert store.compact(START_AT + 10 * DAY, later + 2) > 0
            story(store, later + DAY)

    def test_compacting_keeps_what_windows_need(self, tmp_path: Path) -> None:
        """Entries that a window may still need are not rolled up, and neither is what is held."""
        with self.opened(tmp_path, limit(10, "24h")) as store:
            spend(store, 6, START_AT)
            with fails(ValueError):
                store.compact(START_AT + 1, START_AT + 2)
            assert store.totals().entries == 1
            refused(store.hold(ask(5), START_AT + HOUR))

    def test_compacting_keeps_what_the_longest_window_needs(self, tmp_path: Path) -> None:
        """The longest window in force bounds what may be rolled up, as long as it needs the entries, and no longer."""
        with self.opened(tmp_path, limit(10, "24h"), limit(10, "90d", name="long"), limit(10, "1h")) as store:
            spend(store, 4, START_AT)
            spend(store, 3, START_AT + 100 * DAY)
            spend(store, 1, later := START_AT + 131 * DAY)
            for days in (2, 40, 60, 90, 130):
                with fails(ValueError):
                    store.compact(START_AT + days * DAY, later)
            assert store.totals().entries == 3
            assert store.compact(START_AT + HOUR, later) == 1
            assert weighs(store, later, name="long") == (4, 0)
            anew = limit(10, "90d", per=("service",), name="anew")
            store.apply_limits(LimitSet((anew,)), "contract", SOMEBODY, later)
            assert weighs(store, later, "service=research", "anew") == (4, 0)

    def test_standings_say_what_the_next_decision_sees(self, tmp_path: Path) -> None:
        """Spent, held and headroom are those of a decision at that instant, though nothing has been booked since."""
        with self.opened(tmp_path, limit(10, per=("service",))) as store:
            spend(store, 3, START_AT)
            held(store.hold(ask(4), START_AT))
            for later, expected in (
                (0, (3, 4)),
                (LAPSE_AFTER - 1, (3, 4)),
                (LAPSE_AFTER, (7, 0)),
                (HOUR - 1, (7, 0)),
                (HOUR + MINUTE, (4, 0)),
                (LAPSE_AFTER + HOUR - 1, (4, 0)),
                (LAPSE_AFTER + HOUR + MINUTE, (0, 0)),
            ):
                assert weighs(store, START_AT + later, "service=research") == expected
            found = standing(store, START_AT + LAPSE_AFTER, "service=research")
            assert found is not None
            assert (found.headroom, found.frees_at) == (3, refused(store.hold(ask(4), START_AT + LAPSE_AFTER)).frees_at)

    def test_a_closed_store_may_be_closed_again(self, tmp_path: Path) -> None:
        """A second close is fine."""
        store = self.make_store(tmp_path)
        store.close()
        store.close()


def _sorted(sums: object) -> list[Sum]:
    return sorted(sums, key=lambda one: (one.fields, one.at))  # type: ignore[call-overload,no-any-return]


def _summed(store: Store) -> list[list[Sum]]:
    """Every sum that compaction must not change; which groups of nothing there are does not count."""
    found = [_sorted(store.sums(by, 0, ALWAYS, every)) for by in GROUPS for every in (0, DAY)]
    empty = replace(found[0][0], calls=0, usd=0, tokens=0, held_usd=0, list_usd=0, overrun_usd=0, imported_usd=0)
    return [
        [one for one in group if replace(one, fields=(), at=0) != replace(empty, fields=(), at=0)] for group in found
    ]
