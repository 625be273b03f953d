"""The contract: what happens once, findings, and answers that are paid for again."""

from dataclasses import replace
from pathlib import Path

from spendgate.call import Call
from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.errors import AmountError
from spendgate.findings import MAX_DATA, Finding
from spendgate.freshness import DUPLICATE, Repeated, fresh_mark
from spendgate.ledger import LAPSE_AFTER, HoldRequest, Outcome, Settled, Store, Weight
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, fails, held, told

CHURN = Finding("churn", "enrichment", "pipeline", version="v7", text="it cannot hit", usd=5, data={"lookups": 9812})
CENT = 10_000_000


def paying(key: str, span: int = DAY, service: str = "pipeline", **more: str) -> HoldRequest:
    """A call of one cent whose answer is good for a span."""
    fingerprint = more.pop("fingerprint", "")
    call = Call(service=service, resource=more.pop("resource", "clearbit.enrich"), key=key)
    mark = fresh_mark(call, fingerprint, span)
    return HoldRequest(
        call, Weight(usd=CENT, calls=1), SOMEBODY, marks=frozenset({mark} - {""}), fingerprint=fingerprint
    )


def pay(store: Store, at: int, key: str, span: int = DAY, **more: str) -> Settled:
    """Such a call, made and settled at an instant."""
    return store.settle(held(store.hold(paying(key, span, **more), at)).id, Outcome(), at)


def is_duplicate(settled: Settled) -> bool:
    """Whether a call was marked."""
    return DUPLICATE in settled.entry.marks


class FindingChecks(StoreSetup):
    """Once, findings and duplicates."""

    def test_once_is_true_once_within_its_span(self, tmp_path: Path) -> None:
        """The first caller is told so, nobody else until the span ends, and at that instant one more."""
        with self.opened(tmp_path) as store:
            for start in (START_AT, START_AT + HOUR):
                assert store.once("digest", HOUR, start)
                assert not store.once("digest", HOUR, start)
                assert not store.once("digest", HOUR, start + HOUR - 1)
            assert store.once("another", HOUR, START_AT + HOUR)

    def test_the_span_with_which_it_was_taken_holds(self, tmp_path: Path) -> None:
        """Another span that somebody states later neither frees nor prolongs what was taken."""
        with self.opened(tmp_path) as store:
            assert store.once("digest", HOUR, START_AT)
            assert not store.once("digest", SECOND, START_AT + MINUTE)
            assert store.once("digest", DAY, START_AT + HOUR)
            assert not store.once("digest", HOUR, START_AT + HOUR + DAY - 1)

    def test_every_handle_knows_what_happened(self, tmp_path: Path) -> None:
        """What one process has done, no other does again."""
        with self.opened(tmp_path) as store, self.again(store) as other:
            if other is None:
                return
            assert store.once("digest", HOUR, START_AT)
            assert not other.once("digest", HOUR, START_AT)
            assert other.once("digest", HOUR, START_AT + HOUR)
            assert not store.once("digest", HOUR, START_AT + HOUR)

    def test_a_clock_set_back_frees_nothing_and_keeps_nothing_for_ever(self, tmp_path: Path) -> None:
        """What was taken by a clock that was ahead stays taken, for a whole span from the correction and no longer."""
        with self.opened(tmp_path) as store:
            assert store.once("before", HOUR, START_AT)
            for number in range(40):
                assert store.once(f"ahead {number}", HOUR, START_AT + 20 * HOUR)
            assert not store.once("ahead 8", HOUR, START_AT + MINUTE)
            assert not store.once("before", HOUR, START_AT + HOUR - 1)
            assert not store.once("ahead 8", HOUR, START_AT + MINUTE + HOUR - 1)
            assert store.once("before", HOUR, START_AT + HOUR + MINUTE)
            assert store.once("ahead 8", HOUR, START_AT + HOUR + MINUTE)

    def test_a_clock_that_trembles_frees_nothing(self, tmp_path: Path) -> None:
        """Within the few seconds by which clocks differ, nothing is taken twice."""
        with self.opened(tmp_path) as store:
            assert store.once("digest", HOUR, START_AT + 3 * SECOND)
            assert not store.once("digest", HOUR, START_AT)
            assert not store.once("digest", HOUR, START_AT + HOUR + SECOND)
            assert store.once("digest", HOUR, START_AT + HOUR + 3 * SECOND)

    def test_what_is_over_is_forgotten(self, tmp_path: Path) -> None:
        """Rows do not pile up: what is taken makes room by forgetting what is over, and only that."""
        with self.opened(tmp_path) as store:
            assert store.once("long", 300 * DAY, START_AT)
            for number in range(200):
                assert store.once(f"digest {number}", MINUTE, START_AT + number * MINUTE)
            assert not store.once("long", 300 * DAY, START_AT + DAY)

    def test_a_finding_is_one_per_episode(self, tmp_path: Path) -> None:
        """Whoever notices what runs already gets that finding, as it is; one event was written, at its beginning."""
        with self.opened(tmp_path) as store, self.again(store) as other:
            first = store.begin_finding(CHURN, START_AT)
            assert (first.began_at, first.ended_at, first.is_news) == (START_AT, 0, True)
            again = (other or store).begin_finding(replace(CHURN, text="other words", usd=9), START_AT + 1)
            assert (again, again.is_news) == (first, False)
            for unlike in (replace(CHURN, service="x"), replace(CHURN, subject="x"), replace(CHURN, kind="misses")):
                assert store.begin_finding(unlike, START_AT + 1).is_news
            assert len(store.findings()) == 4
            event = told(store, "finding")[0]
            assert (event.scope, event.data["state"], event.data["finding"]) == ("enrichment", "began", "churn")
            assert (event.data["service"], event.data["version"], event.data["usd"]) == ("pipeline", "v7", 5)

    def test_a_finding_ends_once(self, tmp_path: Path) -> None:
        """An end is told once; afterwards nothing changes it, and the same again is a finding of its own."""
        with self.opened(tmp_path) as store:
            first = store.begin_finding(CHURN, START_AT)
            updated = store.update_finding(first.id, START_AT + 1, usd=8, text="worse", data={"lookups": 10_000})
            assert updated == replace(first, usd=8, text="worse", data={"lookups": 10_000})
            ended = store.end_finding(first.id, START_AT + HOUR)
            assert ended == replace(updated, ended_at=START_AT + HOUR)
            assert ended.is_news
            again = store.end_finding(first.id, START_AT + DAY)
            assert again == ended
            assert not again.is_news
            assert store.update_finding(first.id, START_AT + DAY, usd=99) == ended
            assert [event.data["state"] for event in told(store, "finding")] == ["began", "ended"]
            second = store.begin_finding(CHURN, START_AT + DAY)
            assert second.is_news
            assert second.id != first.id
            assert store.end_finding(12345, START_AT) is None
            assert store.update_finding(12345, START_AT, usd=1) is None

    def test_a_finding_that_was_dismissed_runs_on(self, tmp_path: Path) -> None:
        """It is told once, the same thing is no new finding, what is said of it later leaves that, and it ends."""
        with self.opened(tmp_path) as store, self.again(store) as other:
            first = store.begin_finding(CHURN, START_AT)
            known = store.dismiss_finding(first.id, START_AT + HOUR, by="anna", reason="it is meant")
            dismissal = {"dismissed_at": START_AT + HOUR, "dismissed_by": "anna", "reason": "it is meant"}
            assert known == replace(first, data={"lookups": 9812, **dismissal})
            assert (known.is_news, known.is_running, known.dismissed_at) == (True, True, START_AT + HOUR)
            again = (other or store).dismiss_finding(first.id, START_AT + DAY, by="bert")
            assert again == known
            assert not again.is_news
            assert store.begin_finding(CHURN, START_AT + DAY) == known
            said = store.update_finding(first.id, START_AT + DAY, usd=9, data={"lookups": 1, "dismissed_at": 0})
            assert said == replace(known, usd=9, data={"lookups": 1, **dismissal})
            assert store.findings(running_only=True) == [said]
            ended = store.end_finding(first.id, START_AT + 2 * DAY)
            assert ended == replace(said, ended_at=START_AT + 2 * DAY)
            events = told(store, "finding")
            assert [event.data["state"] for event in events] == ["began", "dismissed", "ended"]
            assert {name: events[1].data[name] for name in dismissal} == dismissal
            second = store.begin_finding(replace(CHURN, data=ended.data), START_AT + 3 * DAY)
            assert (second.is_news, second.dismissed_at) == (True, 0)

    def test_only_what_runs_can_be_dismissed(self, tmp_path: Path) -> None:
        """A finding that is over is left as it is, one that nobody knows is None, and a reason is one line."""
        with self.opened(tmp_path) as store:
            first = store.begin_finding(CHURN, START_AT)
            for reason in ("two\nlines", "x" * 201):
                with fails(AmountError):
                    store.dismiss_finding(first.id, START_AT, by="anna", reason=reason)
            assert store.findings() == [first]
            over = store.end_finding(first.id, START_AT + HOUR)
            found = store.dismiss_finding(first.id, START_AT + DAY, by="anna")
            assert found is not None
            assert (found, found.is_news) == (over, False)
            assert store.dismiss_finding(12345, START_AT, by="anna") is None
            assert [event.data["state"] for event in told(store, "finding")] == ["began", "ended"]

    def test_a_finding_that_says_all_it_may_can_be_dismissed(self, tmp_path: Path) -> None:
        """What says that it was dismissed takes no room from what its data says, neither then nor later."""
        full = {"keys": "k" * (MAX_DATA - len('{"keys": ""}'))}
        with self.opened(tmp_path) as store:
            first = store.begin_finding(replace(CHURN, data=full), START_AT)
            known = store.dismiss_finding(first.id, START_AT, by="anna", reason="it is meant")
            assert known is not None
            assert known.dismissed_at == START_AT
            said = store.update_finding(first.id, START_AT, data={"keys": full["keys"][::-1]})
            assert said == known

    def test_duplicates_that_were_dismissed_go_on_being_counted(self, tmp_path: Path) -> None:
        """A finding of duplicates says after it was dismissed what they have cost by now, and that it was dismissed."""
        with self.opened(tmp_path) as store:
            for number in range(21):
                pay(store, START_AT + number, "4711")
            (found,) = store.findings(running_only=True)
            known = store.dismiss_finding(found.id, START_AT + HOUR, by="anna")
            assert known is not None
            assert known.data["duplicates"] == 20
            assert pay(store, START_AT + HOUR, "4711").events == ()
            (found,) = store.findings(running_only=True)
            assert (found.usd, found.data["duplicates"], found.dismissed_at) == (21 * CENT, 21, START_AT + HOUR)

    def test_findings_are_found_by_when_they_ran(self, tmp_path: Path) -> None:
        """Those that run are always there, those that are over from their end on backwards."""
        with self.opened(tmp_path) as store:
            old = store.begin_finding(replace(CHURN, subject="old", began_at=START_AT - HOUR), START_AT)
            assert old.began_at == START_AT - HOUR
            over = store.end_finding(old.id, START_AT + HOUR)
            runs = store.begin_finding(CHURN, START_AT + 2 * HOUR)
            assert store.findings() == store.findings(START_AT + HOUR) == [over, runs]
            assert store.findings(START_AT + HOUR + 1) == [runs]
            assert store.findings(running_only=True) == [runs]

    def test_a_finding_of_tomorrow_is_dated_back(self, tmp_path: Path) -> None:
        """A clock that was ahead leaves no finding that begins, or was dismissed, later than now."""
        with self.opened(tmp_path) as store:
            first = store.begin_finding(CHURN, START_AT + DAY)
            store.dismiss_finding(first.id, START_AT + DAY, by="anna")
            store.once("digest", HOUR, START_AT)
            assert [(one.began_at, one.dismissed_at) for one in store.findings()] == [(START_AT, START_AT)]

    def test_what_is_paid_for_again_is_marked(self, tmp_path: Path) -> None:
        """A call made while the answer to its key was fresh is a duplicate; exactly when that ends it is none."""
        with self.opened(tmp_path) as store:
            assert not is_duplicate(pay(store, START_AT, "4711"))
            assert is_duplicate(pay(store, START_AT + HOUR, "4711"))
            assert is_duplicate(pay(store, START_AT + HOUR + DAY - 1, "4711"))
            assert not is_duplicate(pay(store, START_AT + HOUR + DAY - 1 + DAY, "4711"))
            slow = held(store.hold(paying("4711"), START_AT + 4 * DAY - 1)).id
            assert not is_duplicate(store.settle(slow, Outcome(), START_AT + 4 * DAY - 1))
            slow = held(store.hold(paying("4711"), START_AT + 5 * DAY - 2)).id
            assert is_duplicate(store.settle(slow, Outcome(), START_AT + 5 * DAY + MINUTE))
            for unlike in ({"service": "x"}, {"resource": "x"}):
                assert not is_duplicate(pay(store, START_AT + HOUR, "4711", DAY, **unlike))
            assert not is_duplicate(pay(store, START_AT + HOUR, "4712"))
            assert not is_duplicate(pay(store, START_AT + HOUR, "4711", span=0))

    def test_only_an_answer_makes_a_duplicate(self, tmp_path: Path) -> None:
        """A call that is held, voided or lapsed gave no answer, so the next one is no duplicate."""
        with self.opened(tmp_path) as store:
            store.void(held(store.hold(paying("voided"), START_AT)).id, START_AT)
            assert not is_duplicate(pay(store, START_AT + 1, "voided"))
            late = held(store.hold(paying("lapsed"), START_AT)).id
            assert not is_duplicate(pay(store, START_AT + LAPSE_AFTER + 1, "lapsed"))
            assert is_duplicate(store.settle(late, Outcome(), START_AT + HOUR))
            first, second = (held(store.hold(paying("both"), START_AT + HOUR)).id for _ in range(2))
            assert not is_duplicate(store.settle(first, Outcome(), START_AT + HOUR))
            assert is_duplicate(store.settle(second, Outcome(), START_AT + HOUR))
            assert is_duplicate(store.settle(second, Outcome(), START_AT + HOUR))

    def test_duplicates_are_priced(self, tmp_path: Path) -> None:
        """What was paid for again is summed by service and resource, with the dearest keys, each as it was stated."""
        with self.opened(tmp_path) as store:
            for count, key in ((14, "4711"), (3, "4712"), (1, "4713")):
                for number in range(count):
                    pay(store, START_AT + number, key)
            for number in range(2):
                pay(store, START_AT + number, "", fingerprint="ab12cd34ef567890", resource="m")
            first, second = store.duplicates(START_AT, START_AT + HOUR)
            assert (first.service, first.resource) == ("pipeline", "clearbit.enrich")
            assert (first.keys, first.calls, first.duplicates, first.usd) == (2, 17, 15, 15 * CENT)
            assert first.dearest == (Repeated("4711", 14, 13, 13 * CENT), Repeated("4712", 3, 2, 2 * CENT))
            assert (second.resource, second.duplicates) == ("m", 1)
            assert second.dearest[0].key.startswith("request ")
            assert store.duplicates(START_AT, START_AT + HOUR, top=1)[0].dearest == first.dearest[:1]
            assert store.duplicates(START_AT + HOUR, START_AT + DAY) == []

    def test_many_duplicates_are_a_finding(self, tmp_path: Path) -> None:
        """Twenty duplicates are a finding and nineteen are none; its cost goes on, and other answers end it."""
        with self.opened(tmp_path) as store:
            pay(store, START_AT, "4711")
            for number in range(1, 20):
                assert pay(store, START_AT + number, "4711").events == ()
            (event,) = pay(store, START_AT + 20, "4711").events
            assert (event.kind, event.scope, event.data["state"]) == ("finding", "clearbit.enrich", "began")
            assert pay(store, START_AT + 21, "4711").events == ()
            (found,) = store.findings(running_only=True)
            assert (found.kind, found.service, found.usd) == ("duplicates", "pipeline", 21 * CENT)
            assert (found.data["duplicates"], found.data["calls"]) == (21, 21)
            for number in range(179):
                assert pay(store, START_AT + MINUTE, f"healthy {number}").events == ()
            (event,) = pay(store, START_AT + MINUTE, "the last").events
            assert event.data["state"] == "ended"
            (found,) = store.findings()
            assert (found.ended_at, found.data["calls"]) == (START_AT + MINUTE, 201)

    def test_a_finding_of_duplicates_begins_with_a_version(self, tmp_path: Path) -> None:
        """It names the version that settled the duplicate with which it began, and keeps that."""
        with self.opened(tmp_path) as store:
            for number in range(25):
                hold_id = held(store.hold(paying("4711"), START_AT + number)).id
                store.settle(hold_id, Outcome(version=f"v{number}"), START_AT + number)
            (found,) = store.findings(running_only=True)
            assert (found.version, found.data["duplicates"]) == ("v20", 24)
            assert told(store, "finding")[0].data["version"] == "v20"

    def test_few_duplicates_among_many_calls_are_no_finding(self, tmp_path: Path) -> None:
        """One call in twenty that asks again is how caches expire: nobody is told."""
        with self.opened(tmp_path) as store:
            for number in range(1000):
                pay(store, START_AT + number, "again" if number % 20 == 0 else f"new {number}")
            assert sum(one.duplicates for one in store.duplicates(0, START_AT + HOUR)) == 49
            assert store.findings() == []

    def test_a_quiet_streak_is_over(self, tmp_path: Path) -> None:
        """After six hours without a duplicate the finding has ended, and what comes then counts from nothing."""
        with self.opened(tmp_path) as store:
            for number in range(21):
                pay(store, START_AT + number, "4711", span=30 * DAY)
            last_at = START_AT + 20
            assert pay(store, last_at + 6 * HOUR - 1, "new").events == ()
            (event,) = pay(store, last_at + 6 * HOUR, "4711", span=30 * DAY).events
            assert (event.data["state"], event.data["ended_at"]) == ("ended", last_at + 6 * HOUR)
            assert store.findings(running_only=True) == []

    def test_old_findings_go_with_old_entries(self, tmp_path: Path) -> None:
        """Compacting forgets the findings that ended before, and keeps what runs."""
        with self.opened(tmp_path) as store:
            old = store.begin_finding(replace(CHURN, subject="old"), START_AT)
            store.end_finding(old.id, START_AT + 1)
            runs = store.begin_finding(CHURN, START_AT)
            store.compact(START_AT + DAY, START_AT + 60 * DAY)
            assert store.findings() == [runs]
