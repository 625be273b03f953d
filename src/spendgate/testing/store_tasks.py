"""The contract: budgets that calls bring along, the terms of tasks, and requests for a dearer model."""

from dataclasses import replace
from pathlib import Path

from spendgate.budgets import SENT_SPAN, TASK_SPAN, same_mark
from spendgate.clock import DAY, MINUTE, SECOND
from spendgate.errors import TaskError
from spendgate.ledger import HoldRequest, Outcome, Refused
from spendgate.taskterms import Escalation, TaskRules, TaskTerms
from spendgate.testing.fakeclock import START_AT
from spendgate.testing.store_setup import SOMEBODY, StoreSetup, ask, fails, held, limit, refused, told, weighs
from spendgate.windows import Rolling

RULES = TaskRules()
FIVE = frozenset({same_mark(5, 5 * MINUTE, 1, "abcdef12")})
"""The mark of one of at most five of the same request in five minutes."""


def retry(usd: int) -> HoldRequest:
    """A second attempt in the task `t`."""
    return ask(usd, task="t", attempt=2)


def wanted(**changes: object) -> Escalation:
    """A request of the task `t` for a dearer model, for ten minutes."""
    one = Escalation(0, "t", "", "opus", 100, "why", "me", START_AT, START_AT + 10 * MINUTE)
    return replace(one, **changes)  # type: ignore[arg-type]


class TaskChecks(StoreSetup):
    """Tasks, and what is counted beside the limits."""

    def test_terms_are_those_that_were_stated_first(self, tmp_path: Path) -> None:
        """A task keeps its first terms for every handle; other ones are an error, and those left out are taken."""
        first = TaskTerms("t", 25, 100, tier="haiku", ladder=("*haiku*", "*opus*"))
        with self.opened(tmp_path) as store:
            assert store.task("t") is None
            terms, began = store.open_task(first, RULES, START_AT)
            assert (terms, began) == (replace(first, opened_at=START_AT, seen_at=START_AT), True)
            with self.again(store) as other:
                for handle in (store, other or store):
                    assert handle.open_task(TaskTerms("t"), TaskRules(retry_budget=7), START_AT) == (terms, False)
                    for wrong in (26, 24, 0):
                        with fails(TaskError):
                            handle.open_task(TaskTerms("t", wrong), RULES, START_AT)
                    for terms_ in ({"budget": 99}, {"tier": "opus"}, {"ladder": ("*opus*",)}):
                        with fails(TaskError):
                            handle.open_task(TaskTerms("t", **terms_), RULES, START_AT)
                    assert handle.task("t") == terms

    def test_rules_complete_the_terms(self, tmp_path: Path) -> None:
        """What a task does not state comes from the configuration of whoever begins it; a stated tier has no ladder."""
        rules = TaskRules(retry_budget=7, tiers=("*a*", "*b*"))
        with self.opened(tmp_path) as store:
            terms, _ = store.open_task(TaskTerms("t"), rules, START_AT)
            assert (terms.retry_budget, terms.ladder) == (7, ("*a*", "*b*"))
            terms, _ = store.open_task(TaskTerms("u", 0, tier="a"), rules, START_AT)
            assert (terms.retry_budget, terms.ladder) == (0, ())

    def test_a_budget_counts_to_its_last_bucket_after_the_clock_was_set_back(self, tmp_path: Path) -> None:
        """What is older than a budget's span by less than a bucket counts before the clock is set back and after."""
        window = Rolling(TASK_SPAN)
        spent_at = (START_AT // window.width + 1) * window.width
        late_at = spent_at + TASK_SPAN + window.width // 2
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", budget=10), RULES, spent_at)
            store.settle(held(store.hold(ask(10, task="t"), spent_at)).id, Outcome(usd=10), spent_at)
            refused(store.hold(ask(1, task="t"), late_at))
            held(store.hold(ask(1), late_at + MINUTE))
            refused(store.hold(ask(1, task="t"), late_at))
            assert store.check() == []

    def test_an_ended_task_begins_again_with_what_it_has_spent(self, tmp_path: Path) -> None:
        """Its end is noted once, and gives no budget back."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", budget=10), RULES, START_AT)
            held(store.hold(ask(10, task="t"), START_AT))
            for at in (START_AT + 1, START_AT + 2):
                ended = store.end_task("t", at)
                assert ended is not None
                assert ended.ended_at == START_AT + 1
            refused(store.hold(ask(1, task="t"), START_AT + 2))
            terms, began = store.open_task(TaskTerms("t", budget=10), RULES, START_AT + 3)
            assert (terms.ended_at, began) == (0, True)
            refused(store.hold(ask(1, task="t"), START_AT + 3))
            assert store.end_task("nobody", START_AT) is None

    def test_exactly_what_is_left_of_a_budget_fits(self, tmp_path: Path) -> None:
        """In the budgets of a task and of its retries, and in a loop's count, the rest is admitted, and no more."""
        with self.opened(tmp_path, limit(1000)) as store:
            store.open_task(TaskTerms("t", retry_budget=10, budget=30), RULES, START_AT)
            store.settle(held(store.hold(retry(6), START_AT)).id, Outcome(usd=4), START_AT)
            held(store.hold(retry(4), START_AT))
            no = refused(store.hold(retry(3), START_AT))
            assert (no.limit.name, no.spent, no.held, no.requested) == ("retry budget", 4, 4, 3)
            held(store.hold(retry(2), START_AT))
            refused(store.hold(retry(1), START_AT))
            held(store.hold(ask(20, task="t"), START_AT))
            no = refused(store.hold(ask(1, task="t"), START_AT))
            assert (no.limit.name, no.scope, no.held) == ("task budget", "task=t", 26)
            for _ in range(5):
                held(store.hold(ask(1, marks=FIVE), START_AT))
            assert refused(store.hold(ask(1, marks=FIVE), START_AT)).limit.name == "same-request"
            assert weighs(store, START_AT) == (4, 31)

    def test_budgets_settle_void_and_lapse(self, tmp_path: Path) -> None:
        """A retry weighs what it cost, nothing where it was not made, and everything where nobody tells; also late."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=10), RULES, START_AT)
            store.void(held(store.hold(retry(10), START_AT)).id, START_AT)
            store.settle(held(store.hold(retry(10), START_AT)).id, Outcome(usd=1), START_AT)
            late = held(store.hold(replace(retry(9), lapse_after=SECOND), START_AT))
            at = START_AT + 2 * SECOND
            no = refused(store.hold(retry(1), at))
            assert (no.spent, no.held) == (10, 0)
            store.settle(late.id, Outcome(usd=3), at)
            held(store.hold(retry(6), at))
            refused(store.hold(retry(1), at))
            assert weighs(store, at, "task=t", "retry budget") == (4, 6)

    def test_an_overrun_counts_under_a_budget(self, tmp_path: Path) -> None:
        """A bill above the estimate is booked in full, so the next retry is refused."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=10), RULES, START_AT)
            store.settle(held(store.hold(retry(1), START_AT)).id, Outcome(usd=11), START_AT)
            no = refused(store.hold(retry(1), START_AT))
            assert no.spent == 11

    def test_a_booked_call_weighs_on_its_task(self, tmp_path: Path) -> None:
        """What was made without asking counts under the budgets of its task."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=10, budget=10), RULES, START_AT)
            store.book(retry(10), START_AT)
            refused(store.hold(retry(1), START_AT))
            refused(store.hold(ask(1, task="t"), START_AT))

    def test_the_same_request_again_is_a_retry(self, tmp_path: Path) -> None:
        """Within its task and a day, for every handle; voided it was not sent."""
        same = ask(4, task="t", fingerprint="abcdef12")
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=4), RULES, START_AT)
            store.void(held(store.hold(same, START_AT)).id, START_AT)
            assert "retry" not in held(store.hold(same, START_AT)).marks
            with self.again(store) as other:
                assert "retry" in held((other or store).hold(same, START_AT)).marks
            refused(store.hold(same, START_AT))
            held(store.hold(ask(4, task="u", fingerprint="abcdef12"), START_AT))
            held(store.hold(ask(4, task="t", fingerprint="12abcdef"), START_AT))
            at = START_AT + SENT_SPAN + SENT_SPAN // 50
            assert "retry" not in held(store.hold(replace(same, weight=same.weight), at)).marks

    def test_a_loop_is_counted_by_requests(self, tmp_path: Path) -> None:
        """However many calls one is billed as, and whatever it costs, it is one; one that counts for two is two."""
        two = frozenset({same_mark(5, 5 * MINUTE, 2, "abcdef12")})
        with self.opened(tmp_path) as store:
            held(store.hold(ask(9, calls=100, marks=two), START_AT))
            store.settle(held(store.hold(ask(9, marks=FIVE), START_AT)).id, Outcome(usd=0, calls=7), START_AT)
            store.void(held(store.hold(ask(9, marks=FIVE), START_AT)).id, START_AT)
            held(store.hold(ask(0, calls=0, marks=FIVE), START_AT))
            held(store.hold(ask(0, calls=0, marks=FIVE), START_AT))
            no = refused(store.hold(ask(0, calls=0, marks=FIVE), START_AT))
            assert (no.spent, no.held) == (1, 4)

    def test_a_loop_has_its_own_window(self, tmp_path: Path) -> None:
        """Counts of other lengths of time are kept apart, and each leaves when it says."""
        one = frozenset({same_mark(1, MINUTE, 1, "abcdef12")})
        with self.opened(tmp_path) as store:
            for marks in (one, FIVE):
                store.settle(held(store.hold(ask(1, marks=marks), START_AT)).id, Outcome(), START_AT)
            held(store.hold(ask(1, marks=one), START_AT + MINUTE + MINUTE // 100))
            held(store.hold(ask(1, marks=FIVE), START_AT + MINUTE))

    def test_a_loop_is_blocked_until_it_is_left_alone(self, tmp_path: Path) -> None:
        """Each refusal begins the wait anew; left alone for a window, the request passes when it was said."""
        one = frozenset({same_mark(1, MINUTE, 1, "abcdef12")})
        with self.opened(tmp_path) as store:
            store.settle(held(store.hold(ask(1, marks=one), START_AT)).id, Outcome(), START_AT)
            at, no = START_AT, refused(store.hold(ask(1, marks=one), START_AT))
            for seconds in (50, 105, 150):
                at = START_AT + seconds * SECOND
                no = refused(store.hold(ask(1, marks=one), at))
                assert no.frees_at is not None
                assert at + MINUTE <= no.frees_at <= at + MINUTE + MINUTE // 100
                (row,) = [row for row in store.standings(at) if row.limit.name == "same-request"]
                assert row.frees_at == no.frees_at
                store.compact(at - 400 * DAY, at)
            assert len(told(store, "blocked")) == 1
            with self.again(store) as other:
                last = refused((other or store).hold(ask(1, marks=one), (no.frees_at or 0) - 1)).frees_at
            assert last is not None
            held(store.hold(ask(1, marks=one), last))
            assert told(store, "allowing")[0].data["refused_calls"] == 5

    def test_a_clock_set_back_ends_a_block_in_time(self, tmp_path: Path) -> None:
        """A loop that was blocked by a clock far ahead is blocked for no longer than a window from now."""
        one = frozenset({same_mark(1, MINUTE, 1, "abcdef12")})
        with self.opened(tmp_path) as store:
            at = START_AT + DAY
            held(store.hold(ask(1, marks=one, lapse_after=SECOND), at))
            refused(store.hold(ask(1, marks=one), at))
            (row,) = [row for row in store.standings(START_AT) if row.limit.name == "same-request"]
            store.processed("a", 1, START_AT)
            store.reset("service", "nobody", SOMEBODY, START_AT)
            (row,) = [row for row in store.standings(START_AT) if row.limit.name == "same-request"]
            assert row.frees_at is not None
            assert row.frees_at <= START_AT + MINUTE + MINUTE // 100
            held(store.hold(ask(1, marks=one), START_AT + 2 * MINUTE))

    def test_budgets_are_one_step_with_the_limits(self, tmp_path: Path) -> None:
        """Where a limit refuses no budget has taken anything, and where a budget does no limit has."""
        with self.opened(tmp_path, limit(10)) as store:
            store.open_task(TaskTerms("t", retry_budget=8), RULES, START_AT)
            assert refused(store.hold(retry(11), START_AT)).limit.name == "limit"
            assert refused(store.hold(retry(9), START_AT)).limit.name == "retry budget"
            held(store.hold(retry(8), START_AT))
            assert weighs(store, START_AT) == (0, 8)

    def test_crowds_of_tasks_have_budgets_of_their_own(self, tmp_path: Path) -> None:
        """However many tasks and requests there are, none is counted with the others, and none is refused for them."""
        with self.opened(tmp_path) as store:
            for number in range(min(self.max_scopes, 50) + 10):
                name = f"t{number}"
                store.open_task(TaskTerms(name, budget=1), RULES, START_AT)
                held(store.hold(ask(1, task=name), START_AT))
                assert refused(store.hold(ask(1, task=name), START_AT)).scope == f"task={name}"

    def test_a_clock_set_back_keeps_the_budgets(self, tmp_path: Path) -> None:
        """Budgets that are counted anew from the entries are what they were."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=10), RULES, START_AT)
            at = START_AT + DAY
            store.settle(held(store.hold(replace(retry(4), marks=FIVE), at)).id, Outcome(), at)
            held(store.hold(replace(retry(4), fingerprint="abcdef12"), at))
            for _ in range(4):
                held(store.hold(ask(1, marks=FIVE), at))
            back = at - 30 * SECOND
            no = refused(store.hold(retry(3), back))
            assert (no.spent, no.held) == (4, 4)
            refused(store.hold(ask(1, marks=FIVE), back))
            assert "retry" in held(store.hold(ask(2, task="t", fingerprint="abcdef12"), back)).marks
            assert store.check() == []

    def test_other_limits_leave_budgets_alone(self, tmp_path: Path) -> None:
        """A changed set of limits changes nothing about tasks."""
        with self.opened(tmp_path, limit(10)) as store:
            store.open_task(TaskTerms("t", retry_budget=5), RULES, START_AT)
            held(store.hold(retry(5), START_AT))
            store.apply_limits(type(store.limits().limits)((limit(20, "2h"),)), "other", SOMEBODY, START_AT)
            refused(store.hold(retry(1), START_AT))
            assert weighs(store, START_AT, "task=t", "retry budget") == (0, 5)

    def test_idle_rows_are_let_go(self, tmp_path: Path) -> None:
        """Compacting forgets tasks that nobody has named, and keeps those that somebody has."""
        with self.opened(tmp_path) as store:
            for name in ("old", "new"):
                store.open_task(TaskTerms(name, budget=5), RULES, START_AT)
                store.settle(held(store.hold(ask(5, task=name), START_AT)).id, Outcome(), START_AT)
            at = START_AT + TASK_SPAN + 15 * DAY
            held(store.hold(ask(2, task="new"), at))
            store.compact(at - 41 * DAY, at)
            assert store.task("old") is None
            assert store.task("new") is not None
            held(store.hold(ask(50, task="old"), at))
            refused(store.hold(ask(4, task="new"), at))

    def test_a_spent_budget_is_one_episode(self, tmp_path: Path) -> None:
        """However many retries are refused, it is told once, with the kind of budget."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=5), RULES, START_AT)
            held(store.hold(retry(5), START_AT))
            for _ in range(7):
                refused(store.hold(retry(1), START_AT))
            (event,) = told(store, "blocked")
            assert (event.limit, event.scope, event.data["budget"]) == ("retry budget", "task=t", "retry")
            (row,) = [one for one in store.standings(START_AT) if one.scope == "task=t"]
            assert (row.held, row.refused_calls) == (5, 7)

    def test_sums_tell_retries_apart(self, tmp_path: Path) -> None:
        """By attempt, sums say what retries have cost, whether their task has a budget for them or not."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", retry_budget=10), RULES, START_AT)
            for request in (ask(1, task="t"), retry(2), ask(4), ask(8, attempt=3)):
                held(store.hold(request, START_AT))
            found = {one.fields: one.usd for one in store.sums(("attempt", "task"), 0, START_AT + 1)}
            assert found == {("first", "t"): 1, ("retry", "t"): 2, ("first", ""): 4, ("retry", ""): 8}

    def test_a_model_is_compared_before_it_is_admitted(self, tmp_path: Path) -> None:
        """A model's call in a task that was compared with nothing, or with another tier, is answered with the terms."""
        call = ask(1, task="t", provider="anthropic", resource="haiku")
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", ladder=("*",)), RULES, START_AT)
            terms = store.hold(call, START_AT)
            assert isinstance(terms, TaskTerms)
            held(store.hold(replace(call, compared=terms.lock), START_AT))
            locked = store.task("t")
            assert locked is not None
            assert locked.lock == ("anthropic", "haiku", ("*",))
            assert store.hold(replace(call, compared=terms.lock), START_AT) == locked
            held(store.hold(ask(1, task="t"), START_AT))
            assert store.totals().entries == 2

    def test_a_refused_call_locks_nothing(self, tmp_path: Path) -> None:
        """Only what was admitted says what a task is held to."""
        call = ask(6, task="t", provider="anthropic", resource="opus")
        with self.opened(tmp_path, limit(5)) as store:
            store.open_task(TaskTerms("t"), RULES, START_AT)
            assert isinstance(store.hold(call, START_AT), Refused)
            terms = store.task("t")
            assert terms is not None
            assert terms.tier == ""

    def test_a_request_is_asked_once(self, tmp_path: Path) -> None:
        """The same request is found again while it waits or its task goes on; another one has a number of its own."""
        with self.opened(tmp_path) as store:
            with fails(TaskError):
                store.ask_escalation(wanted(), START_AT)
            store.open_task(TaskTerms("t"), RULES, START_AT)
            one = store.ask_escalation(wanted(), START_AT)
            assert (one.state, one.child, one.expires_at) == ("asked", "t+1", START_AT + 10 * MINUTE)
            assert store.ask_escalation(wanted(reason="again"), START_AT + 1) == one
            other = store.ask_escalation(wanted(budget=101), START_AT)
            assert (other.id, other.child) == (one.id + 1, "t+2")
            approved = store.decide_escalation(one.id, "approved", "boss", "fine", START_AT + 2)
            assert store.ask_escalation(wanted(), START_AT + 3) == approved
            store.end_task("t+1", START_AT + 4)
            assert store.ask_escalation(wanted(), START_AT + 5).child == "t+3"
            assert [found.id for found in store.escalations("t")] == [1, 2, 3]
            assert store.escalations("other") == []

    def test_an_approved_request_is_a_task_of_its_own(self, tmp_path: Path) -> None:
        """It has the budget and the model that were asked for, and each step is in the ledger with who took it."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", tier="haiku"), RULES, START_AT)
            one = store.ask_escalation(wanted(), START_AT)
            with self.again(store) as other:
                done = (other or store).decide_escalation(one.id, "approved", "boss", "fine", START_AT + 1)
            assert (done.state, done.decided_by, done.answer, done.decided_at) == (
                "approved",
                "boss",
                "fine",
                START_AT + 1,
            )
            child = store.task("t+1")
            assert child is not None
            assert (child.budget, child.tier, child.parent) == (100, "opus", "t")
            assert [event.data["state"] for event in told(store, "escalation")] == ["asked", "approved"]
            assert told(store, "escalation")[-1].data["by"] == "boss"

    def test_a_request_is_decided_once(self, tmp_path: Path) -> None:
        """Decided, expired, of an ended task, or unknown: another decision is an error, and changes nothing."""
        with self.opened(tmp_path) as store:
            for name in ("t", "u", "v"):
                store.open_task(TaskTerms(name), RULES, START_AT)
            denied = store.ask_escalation(wanted(), START_AT)
            store.decide_escalation(denied.id, "denied", "boss", "no", START_AT)
            late = store.ask_escalation(wanted(task="u"), START_AT)
            ended = store.ask_escalation(wanted(task="v"), START_AT)
            store.end_task("v", START_AT + 1)
            for number, at in (
                (denied.id, START_AT),
                (ended.id, START_AT + 2),  # before the next one's time makes all of them expire
                (late.id, late.expires_at),
                (99, START_AT),
            ):
                for verdict in ("approved", "denied"):
                    with fails(TaskError):
                        store.decide_escalation(number, verdict, "other", "", at)
            assert [one.state for one in store.escalations()] == ["denied", "expired", "expired"]
            assert [store.task(name) for name in ("t+1", "u+1", "v+1")] == [None, None, None]
            states = sorted((event.scope, event.data["state"]) for event in told(store, "escalation"))
            assert [state for _, state in states] == ["asked", "denied", "asked", "expired", "asked", "expired"]

    def test_what_has_not_expired_waits(self, tmp_path: Path) -> None:
        """Only its own time ends a request: asked whether it has expired a moment before, it still waits."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t"), RULES, START_AT)
            one = store.ask_escalation(wanted(), START_AT)
            assert store.decide_escalation(one.id, "expired", "", "", one.expires_at - 1).state == "asked"
            assert one.state_at(one.expires_at - 1) == "asked"
            assert store.decide_escalation(one.id, "expired", "", "", one.expires_at).state == "expired"

    def test_tasks_outlive_their_handle(self, tmp_path: Path) -> None:
        """Another handle on the same ledger knows terms, budgets and requests."""
        with self.opened(tmp_path) as store:
            store.open_task(TaskTerms("t", 5, 10, "anthropic", "haiku", ("*haiku*",)), RULES, START_AT)
            held(store.hold(retry(5), START_AT))
            one = store.ask_escalation(wanted(), START_AT)
            with self.again(store) as other:
                if other is not None:
                    assert other.task("t") == store.task("t")
                    assert other.escalations() == [one]
                    refused(other.hold(retry(1), START_AT))
