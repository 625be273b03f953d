"""One job: its retry budget and budget, the model it is held to, and the same request over and over."""

import asyncio
import hashlib
import threading
from contextlib import suppress
from contextvars import copy_context
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendgate import aio
from spendgate.clock import DAY, HOUR
from spendgate.errors import (
    AmountError,
    LoopError,
    PriceError,
    RefusedError,
    RetryBudgetError,
    SpendLimitError,
    StoreError,
    TaskError,
    TierLockedError,
)
from spendgate.gate import Gate
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.taskterms import TaskRules
from spendgate.testing import FakeClock
from tests.gate.conftest import MakeGate

HAIKU: dict[str, Any] = {"provider": "anthropic", "resource": "claude-haiku-4-5", "service": "research"}
SONNET = HAIKU | {"resource": "claude-sonnet-4-5"}
OPUS = HAIKU | {"resource": "claude-opus-4-6"}
SMALL = {"input_tokens": 1000, "max_output_tokens": 200}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def spend(gate: Gate, at_most: str, **stated: Any) -> None:
    gate.reserve(resource="clearbit.enrich", at_most=at_most, **stated).settle(cost=at_most)


def marks(gate: Gate) -> list[list[str]]:
    return [sorted(entry.marks) for entry in gate.store.entries()]


class TestRetries:
    """Attempts after the first draw on the task's retry budget."""

    def test_retries_are_budgeted_in_dollars(self, gate: Gate) -> None:
        """Retries pass up to exactly the budget, a nano-dollar more is refused, and first attempts go on."""
        with gate.task("t", retry_budget="0.25"):
            spend(gate, "1.00")
            spend(gate, "0.20", attempt=2)
            spend(gate, "0.05", attempt=3)
            with pytest.raises(RetryBudgetError, match="Stop retrying") as refused:
                spend(gate, "0.000000001", attempt=4)
            spend(gate, "1.00")
        error = refused.value
        assert isinstance(error, RefusedError)
        assert (error.task, error.budget, error.spent, error.held) == ("t", Decimal("0.25"), Decimal("0.25"), 0)
        assert error.requested == Decimal("0.000000001")
        assert gate.store.totals().usd == 2_250_000_000
        assert gate.store.check() == []

    def test_a_retry_is_settled_under_its_budget(self, gate: Gate) -> None:
        """What a retry did cost counts, not what was set aside for it; one that was not made costs nothing."""
        with gate.task("t", retry_budget="0.10"):
            for _ in range(4):
                gate.reserve(resource="clearbit.enrich", at_most="0.07", attempt=2).settle(cost="0.01")
            gate.reserve(resource="clearbit.enrich", at_most="0.06", attempt=2).void()
            gate.reserve(resource="clearbit.enrich", at_most="0.06", attempt=2)
            with pytest.raises(RetryBudgetError) as refused:
                gate.reserve(resource="clearbit.enrich", at_most="0.01", attempt=2)
            assert (refused.value.spent, refused.value.held) == (Decimal("0.04"), Decimal("0.06"))

    def test_a_retry_that_lapses_counts_as_spent(self, gate: Gate, clock: FakeClock) -> None:
        """A retry whose end nobody tells keeps its weight in the budget."""
        with gate.task("t", retry_budget="0.10"):
            gate.reserve(resource="clearbit.enrich", at_most="0.10", attempt=2)
            clock.advance(3600)
            with pytest.raises(RetryBudgetError) as refused:
                gate.reserve(resource="clearbit.enrich", at_most="0.01", attempt=2)
            assert (refused.value.spent, refused.value.held) == (Decimal("0.10"), 0)

    def test_the_same_request_again_is_a_retry(self, gate: Gate) -> None:
        """The second sight of a fingerprint within a task draws on the retry budget, another request does not."""
        with gate.task("t", retry_budget="0.004"):
            for text in ("a", "b", "a"):
                spend(gate, "0.004", fingerprint=digest(text))
            with pytest.raises(RetryBudgetError):
                spend(gate, "0.004", fingerprint=digest("b"))
            spend(gate, "0.004", fingerprint=digest("c"))
        with gate.task("other", retry_budget="0"):
            spend(gate, "0.004", fingerprint=digest("a"))
        assert ["retry" in entry.marks for entry in gate.store.entries()] == [False, False, True, False, False]

    def test_a_request_that_was_not_sent_is_not_seen(self, gate: Gate) -> None:
        """A voided reservation leaves its request new, and so does one that was refused."""
        with gate.task("t", retry_budget="0", budget="0.01"):
            gate.reserve(resource="clearbit.enrich", at_most="0.01", fingerprint=digest("a")).void()
            with pytest.raises(SpendLimitError):
                spend(gate, "0.02", fingerprint=digest("a"))
            spend(gate, "0.01", fingerprint=digest("a"))

    def test_a_restarted_program_has_seen_it(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """Requests are remembered in the ledger: a job that crashes and begins again pays for it as retries."""
        for run in range(4):
            gate = make_gate(store=SqliteStore(tmp_path / "ledger.db"))
            with gate.task("t", retry_budget="0.008"):
                if run < 3:
                    spend(gate, "0.004", fingerprint=digest("a"))
                else:
                    with pytest.raises(RetryBudgetError):
                        spend(gate, "0.004", fingerprint=digest("a"))
            assert gate.store.check() == []
            gate.close()

    def test_a_fingerprint_is_forgotten_after_a_day(self, gate: Gate, clock: FakeClock) -> None:
        """What was sent more than a day ago is sent anew."""
        with gate.task("t", retry_budget="0"):
            spend(gate, "0.004", fingerprint=digest("a"))
            clock.advance(DAY / 1e6 * 1.02)
            spend(gate, "0.004", fingerprint=digest("a"))

    def test_without_a_retry_budget_retries_are_only_marked(self, gate: Gate) -> None:
        """An attempt after the first is marked as a retry, in a task or not, and nothing else changes."""
        spend(gate, "0.01", attempt=2)
        with gate.task("t"):
            spend(gate, "0.01", attempt=3)
        assert marks(gate) == [["retry"], ["retry"]]

    def test_nobody_has_to_be_inside_the_block(self, gate: Gate) -> None:
        """A call that names the task has its budgets, wherever it is made."""
        with gate.task("t", retry_budget="0"):
            pass
        with pytest.raises(RetryBudgetError):
            spend(gate, "0.01", attempt=2, task="t")
        spend(gate, "0.01", attempt=2, task="another")

    def test_what_has_no_price_is_refused_under_a_budget(self, make_gate: MakeGate) -> None:
        """A call that nobody can price is not let through a budget in dollars as if it were free."""
        gate = make_gate("")
        gate.reserve(resource="unknown.api")
        with gate.task("t", budget="1.00"), pytest.raises(PriceError):
            gate.reserve(resource="unknown.api")

    def test_observed_calls_are_not_refused(self, make_gate: MakeGate) -> None:
        """In observe mode a spent budget, a locked tier and a loop are recorded, and everything passes."""
        gate = make_gate(mode="observe")
        with gate.task("t", retry_budget="0.001", tier="claude-haiku-4-5"):
            for _ in range(12):
                gate.reserve(**OPUS, **SMALL, attempt=2, fingerprint=digest("a"))
        assert all("observed" in entry.marks for entry in gate.store.entries())
        assert gate.store.check() == []

    def test_a_gate_that_is_off_knows_no_tasks(self, make_gate: MakeGate) -> None:
        """Switched off, the gate lets everything pass and writes nothing down."""
        gate = make_gate(mode="off")
        with gate.task("t", retry_budget="0", tier="claude-haiku-4-5") as task:
            gate.reserve(**OPUS, attempt=9)
            with gate.escalate(task, to="claude-opus-4-6", budget="1.00") as dearer:
                gate.reserve(**OPUS)
            assert dearer.id == "t+0"
            task.end()
        assert gate.store.task("t") is None


class TestTerms:
    """Who begins a task has said its terms."""

    def test_a_task_has_a_budget(self, gate: Gate) -> None:
        """A task never spends more than its budget, which is told like any limit."""
        with gate.task("t", budget="0.10"):
            spend(gate, "0.10")
            with pytest.raises(SpendLimitError) as refused:
                spend(gate, "0.000000001")
        assert (refused.value.limit, refused.value.scope) == ("task budget", "task=t")
        spend(gate, "0.10")

    def test_begun_again_it_goes_on(self, gate: Gate, clock: FakeClock) -> None:
        """A task that ended keeps its terms and what it has spent: there is no fresh budget in a loop around it."""
        for _ in range(3):
            with gate.task("t", budget="0.10", retry_budget="0.02"):
                spend(gate, "0.03", attempt=1)
            clock.advance(60)
        with gate.task("t"), pytest.raises(SpendLimitError):
            spend(gate, "0.03")

    @pytest.mark.parametrize(
        ("first", "then", "both"),
        [
            ({"retry_budget": "0.25"}, {"retry_budget": "0.50"}, ("$0.25", "$0.50")),
            ({}, {"retry_budget": "0.50"}, ("none", "$0.50")),
            ({"budget": 1}, {"budget": 2}, ("$1.00", "$2.00")),
            ({"tier": "claude-haiku-4-5"}, {"tier": "claude-opus-4-6"}, ("claude-haiku-4-5", "claude-opus-4-6")),
            ({"tiers": ["*a*"]}, {"tiers": ["*b*"]}, ("*a*", "*b*")),
        ],
    )
    def test_other_terms_are_an_error_that_says_both(
        self, gate: Gate, first: dict[str, Any], then: dict[str, Any], both: tuple[str, str]
    ) -> None:
        """A task that is entered with other terms is an error, and keeps those it has."""
        with gate.task("t", **first):
            before = gate.store.task("t")
            with pytest.raises(TaskError) as error, gate.task("t", **then):
                pass
            with gate.task("t", **first), gate.task("t"):
                pass
        assert all(text in str(error.value) for text in both)
        assert before is not None
        assert gate.store.task("t") is not None

    def test_the_configuration_says_what_the_program_does_not(self, make_gate: MakeGate) -> None:
        """Defaults hold for tasks that state nothing, and give way to what is stated."""
        gate = make_gate(rules=TaskRules(retry_budget=7, tiers=("*haiku*", "*opus*")))
        with gate.task("plain"), gate.task("stated", retry_budget="0.25", tier="claude-opus-4-6"):
            plain, stated = gate.store.task("plain"), gate.store.task("stated")
        assert plain is not None
        assert stated is not None
        assert (plain.retry_budget, plain.ladder) == (7, ("*haiku*", "*opus*"))
        assert (stated.retry_budget, stated.ladder) == (250_000_000, ())

    @pytest.mark.parametrize(
        "stated",
        [
            {"retry_budget": 0.25},
            {"budget": "-1"},
            {"budget": "NaN"},
            {"tier": "x" * 201},
            {"tiers": ["a\nb"]},
            {"tiers": [""]},
            {"tiers": "*haiku*"},
            {"tier": "gpt-5", "tiers": ["*haiku*"]},
        ],
    )
    def test_what_cannot_be_terms_is_an_error(self, gate: Gate, stated: dict[str, Any]) -> None:
        """Amounts and names are checked before anything is written."""
        with pytest.raises(AmountError):
            gate.task("t", **stated)
        for name in ("", "a\nb", "x" * 201):
            with pytest.raises(AmountError):
                gate.task(name)

    def test_the_innermost_task_counts(self, gate: Gate) -> None:
        """Tasks nest like scopes: the call belongs to the innermost, and after it to the outer one again."""
        with gate.task("outer"):
            with gate.task("inner"):
                spend(gate, "0.01")
            spend(gate, "0.01")
        spend(gate, "0.01")
        assert [entry.call.task for entry in gate.store.entries()] == ["inner", "outer", ""]

    def test_a_block_is_entered_once(self, gate: Gate) -> None:
        """One `with` for one task object; another thread takes a token."""
        with gate.task("t") as task, pytest.raises(TaskError, match="entered already"):
            task.__enter__()

    def test_it_ends_where_it_began(self, gate: Gate) -> None:
        """The block that began a task ends it, one inside it does not, and `end_task` does so at any time."""
        with gate.task("t"):
            with gate.task("t"):
                pass
            terms = gate.store.task("t")
            assert terms is not None
            assert terms.ended_at == 0
        ended = gate.store.task("t")
        assert ended is not None
        assert ended.ended_at == gate.clock.now()
        gate.end_task("nobody")

    def test_status_shows_the_budgets_in_use(self, gate: Gate) -> None:
        """While a task runs, what is left of its budgets stands in the status; afterwards it does not."""
        with gate.task("t", retry_budget="0.25", budget="1.00"):
            spend(gate, "0.10", attempt=2)
            rows = {one.limit: one for one in gate.status() if one.scope == "task=t"}
            assert rows["retry budget"].headroom == Decimal("0.15")
            assert rows["task budget"].headroom == Decimal("0.90")
        assert not [one for one in gate.status() if one.scope == "task=t"]

    def test_a_ledger_that_is_away(self, make_gate: MakeGate) -> None:
        """Without the ledger a task is refused, or begins without it where calls pass without it."""

        class Away(MemoryStore):
            away = False

            def _write(self, work: Any) -> Any:
                if self.away:
                    raise StoreError("away")
                return super()._write(work)

        store = Away()
        gate = make_gate(store=store, unavailable="allow")
        strict = make_gate(store=store)
        with gate.task("t"):
            pass
        store.away = True
        with gate.task("u", retry_budget="0.25"):
            spend(gate, "0.01")
        with pytest.raises(StoreError), strict.task("u"):
            pass
        store.away = False


class TestTokens:
    """A task goes where its calls go."""

    def test_a_token_enters_the_task_elsewhere(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """Another process with the token draws on the same budgets, for the same service and tags."""
        here, there = (make_gate(store=SqliteStore(tmp_path / "ledger.db")) for _ in range(2))
        with here.scope("research", tags={"customer": "acme"}), here.task("t", retry_budget="0.02") as task:
            spend(here, "0.01", attempt=2)
            with there.task(token=task.token):
                spend(there, "0.01", attempt=2)
                with pytest.raises(RetryBudgetError):
                    spend(there, "0.01", attempt=2)
        with there.task(token=task.token), pytest.raises(RetryBudgetError):
            spend(there, "0.01", attempt=2)
        last = list(here.store.entries())[-1]
        assert (last.call.service, last.call.task, last.call.tags) == ("research", "t", (("customer", "acme"),))
        here.close()
        there.close()

    def test_a_token_does_not_end_the_task(self, gate: Gate) -> None:
        """Who enters by a token leaves the task running."""
        with gate.task("t") as task:
            with gate.task(token=task.token):
                pass
            terms = gate.store.task("t")
            assert terms is not None
            assert not terms.ended_at

    def test_what_is_no_token_is_an_error(self, gate: Gate, make_gate: MakeGate) -> None:
        """Garbage, a token of another ledger, and terms beside a token are refused."""
        for garbage in ("nonsense", "e30=", "W10=", "\N{SNOWMAN}"):
            with pytest.raises(TaskError, match="no token"):
                gate.task(token=garbage)
        token = gate.task("t").token
        with pytest.raises(TaskError, match="nobody has begun it"), make_gate().task(token=token):
            pass
        with pytest.raises(TaskError, match="beside"):
            gate.task("t", token=token)

    def test_threads_take_the_task_along(self, gate: Gate) -> None:
        """A thread that is started in a copy of the context makes its calls within the task."""
        with gate.task("t", retry_budget="0.01"):
            context = copy_context()
            thread = threading.Thread(target=context.run, args=(spend, gate, "0.01"), kwargs={"attempt": 2})
            thread.start()
            thread.join()
            with pytest.raises(RetryBudgetError):
                spend(gate, "0.01", attempt=2)

    def test_fifty_threads_share_a_retry_budget(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """However many retry at once, no more than the budget passes."""
        gate = make_gate(store=SqliteStore(tmp_path / "ledger.db"))
        passed: list[bool] = []

        def retry() -> None:
            try:
                spend(gate, "0.01", attempt=2, task="t")
                passed.append(True)
            except RetryBudgetError:
                passed.append(False)

        with gate.task("t", retry_budget="0.20"):
            threads = [threading.Thread(target=retry) for _ in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert passed.count(True) == 20
        gate.close()


class TestAwaited:
    """The same, awaited."""

    def test_tasks_are_awaited(self, gate: Gate) -> None:
        """An asyncio task has its own innermost task, and budgets hold over all of them."""
        awaited = aio.Gate(gate)

        async def job(name: str) -> str:
            async with awaited.task(name, retry_budget="0.01", tier="claude-haiku-4-5") as task:
                assert task.terms.retry_budget == 10_000_000
                hold = await awaited.reserve(resource="clearbit.enrich", at_most="0.01", attempt=2)
                await hold.settle(cost="0.01")
                with pytest.raises(RetryBudgetError):
                    await awaited.reserve(resource="clearbit.enrich", at_most="0.01", attempt=2)
                with pytest.raises(TierLockedError):
                    await awaited.reserve(**OPUS, **SMALL)
                return task.token

        async def main() -> None:
            tokens = await asyncio.gather(*(job(f"t{number}") for number in range(5)))
            async with awaited.task(token=tokens[0]) as task:
                assert task.id == "t0"
                await task.end()
            await awaited.end_task("t1")

        asyncio.run(main())
        assert {entry.call.task for entry in gate.store.entries()} == {f"t{number}" for number in range(5)}


class TestTiers:
    """No call of a task is dearer than the model it is held to."""

    def test_a_dearer_model_is_refused_before_anything_is_sent(self, gate: Gate) -> None:
        """A request whose estimate exceeds that of the same request at the locked model is refused."""
        with gate.task("t", tier="claude-haiku-4-5"):
            gate.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError, match="is held to claude-haiku-4-5") as refused:
                gate.reserve(**SONNET, **SMALL)
            assert len(list(gate.store.entries())) == 1
        error = refused.value
        assert (error.task, error.locked, error.requested) == ("t", "claude-haiku-4-5", "claude-sonnet-4-5")
        assert error.escalation is None

    def test_equal_and_cheaper_pass(self, gate: Gate) -> None:
        """The locked model itself, one of the same price, and a cheaper one pass."""
        with gate.task("t", tier="claude-sonnet-4-5"):
            gate.reserve(**SONNET, **SMALL)
            gate.reserve(**(HAIKU | {"resource": "claude-sonnet-4-6"}), **SMALL)
            gate.reserve(**HAIKU, **SMALL)
            gate.reserve(provider="openai", resource="gpt-5-nano", **SMALL)

    def test_a_stated_at_most_hides_nothing(self, gate: Gate) -> None:
        """The models are compared by their prices, whatever the caller says that the call costs at most."""
        with gate.task("t", tier="claude-haiku-4-5"), pytest.raises(TierLockedError):
            gate.reserve(**OPUS, at_most="0.0001")

    def test_the_size_of_the_context_is_no_excuse(self, gate: Gate) -> None:
        """Where tokens are not stated, both models are estimated with the same."""
        smaller = HAIKU | {"resource": "claude-opus-4-5"}
        with gate.task("t", tier="claude-sonnet-4-5"):
            assert gate.prices.price("anthropic", "claude-opus-4-5", gate.clock.now()).context_window == 200_000
            with pytest.raises(TierLockedError):
                gate.reserve(**smaller)

    def test_the_first_model_admitted_is_the_tier(self, gate: Gate) -> None:
        """Without a stated tier the first admitted call says it; one that was refused does not."""
        with gate.task("t", budget="1.00"):
            with pytest.raises(SpendLimitError):
                gate.reserve(**OPUS)
            gate.reserve(resource="clearbit.enrich", at_most="0.01")
            gate.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError):
                gate.reserve(**OPUS, **SMALL)
        terms = gate.store.task("t")
        assert terms is not None
        assert (terms.provider, terms.tier) == ("anthropic", "claude-haiku-4-5")

    def test_the_first_of_two_processes_says_it(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """Both have read the task without a tier; the one that is admitted first holds the other to it."""
        one, two = (make_gate(store=SqliteStore(tmp_path / "ledger.db")) for _ in range(2))
        with one.task("t"), two.task("t"):
            one.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError):
                two.reserve(**OPUS, **SMALL)
            two.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError):
                one.reserve(**OPUS, **SMALL)
        one.close()
        two.close()

    def test_a_call_that_only_names_the_task_is_held_to_it(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """A program that knows nothing of the task but its name is held to its tier as well."""
        one, two = (make_gate(store=SqliteStore(tmp_path / "ledger.db")) for _ in range(2))
        with one.task("t", tier="claude-haiku-4-5"), pytest.raises(TierLockedError):
            two.reserve(**OPUS, **SMALL, task="t")
        one.close()
        two.close()

    def test_a_ladder_decides_by_names(self, gate: Gate) -> None:
        """On a ladder a higher rung is refused, whatever it costs, and so is a model on no rung."""
        ladder = ["*haiku*", "*sonnet*", "*opus*"]
        with gate.task("t", tiers=ladder):
            with pytest.raises(TierLockedError, match="no rung"):
                gate.reserve(provider="openai", resource="gpt-5", **SMALL)
            gate.reserve(**SONNET, **SMALL)
            gate.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError, match="higher rung"):
                gate.reserve(**OPUS, **SMALL)
        with gate.task("u", tiers=ladder, tier="claude-opus-4-6"):
            gate.reserve(**SONNET, **SMALL)

    def test_an_unpriced_tier_is_said(self, gate: Gate) -> None:
        """Where a model has no price nobody can say which is dearer: an error, and nothing is sent."""
        with gate.task("t", tier="no-such-model"), pytest.raises(PriceError, match="held to a model without a price"):
            gate.reserve(**HAIKU, **SMALL)
        with gate.task("u", tier="claude-haiku-4-5"), pytest.raises(PriceError):
            gate.reserve(provider="anthropic", resource="no-such-model", at_most="0.01")
        assert not list(gate.store.entries())

    def test_a_tier_may_name_its_provider(self, gate: Gate) -> None:
        """`provider:model` is understood, for names that several have."""
        with gate.task("t", tier="anthropic:claude-haiku-4-5"):
            gate.reserve(**HAIKU, **SMALL)
            with pytest.raises(TierLockedError):
                gate.reserve(provider="openai", resource="gpt-5", **SMALL)


class TestLoops:
    """The same request, again and again, with or without a task."""

    def test_the_eleventh_is_refused(self, gate: Gate, clock: FakeClock) -> None:
        """Ten of the same request pass in five minutes, one more does not, others go on, and left alone so does it."""
        for _ in range(10):
            spend(gate, "0.001", service="a", fingerprint=digest("x"))
            clock.advance(1)
        with pytest.raises(LoopError, match="looks like a loop") as refused:
            spend(gate, "0.001", service="a", fingerprint=digest("x"))
        spend(gate, "0.001", service="a", fingerprint=digest("y"))
        spend(gate, "0.001", service="b", fingerprint=digest("x"))
        error = refused.value
        assert (error.service, error.count, error.window_s) == ("a", 10, 300)
        assert error.frees_at is not None
        clock.jump(error.frees_at)
        spend(gate, "0.001", service="a", fingerprint=digest("x"))
        assert gate.store.check() == []

    def test_one_episode_is_one_event(self, gate: Gate, clock: FakeClock) -> None:
        """However often a loop is refused, people are told once, and once more when it is over."""
        for _ in range(40):
            with suppress(LoopError):
                spend(gate, "0.001", service="a", fingerprint=digest("x"))
        (event,) = (event for event in gate.store.events() if event.kind == "blocked")
        assert (event.limit, event.data["budget"], event.data["spent"]) == ("same-request", "same", 10)
        (row,) = (one for one in gate.status() if one.limit == "same-request")
        assert row.refused_calls == 30
        clock.advance(2 * HOUR / 1e6)
        assert not [one for one in gate.status() if one.limit == "same-request"]
        for _ in range(3):
            spend(gate, "0.001", service="a", fingerprint=digest("x"))
        assert [event.kind for event in gate.store.events()][-1] == "allowing"

    def test_a_request_now_and_then_costs_nothing_extra(self, gate: Gate, clock: FakeClock) -> None:
        """What a process sends for the first time in five minutes is not counted at all."""
        for _ in range(30):
            spend(gate, "0.001", fingerprint=digest("x"))
            clock.advance(300)
        assert marks(gate) == [[]] * 30

    def test_a_loop_that_goes_on_stays_blocked(self, gate: Gate, clock: FakeClock) -> None:
        """For as long as it is tried, not one more is let through."""
        sent = 0
        for _ in range(1000):
            try:
                spend(gate, "0.001", fingerprint=digest("x"))
                sent += 1
            except LoopError:
                pass
            clock.advance(20)
        assert sent == 10
        clock.advance(304)
        spend(gate, "0.001", fingerprint=digest("x"))

    def test_processes_count_together(self, tmp_path: Path, make_gate: MakeGate) -> None:
        """Three processes in one loop send at most three more than one would."""
        gates = [make_gate(store=SqliteStore(tmp_path / "ledger.db")) for _ in range(3)]
        sent = 0
        for turn in range(60):
            try:
                spend(gates[turn % 3], "0.001", fingerprint=digest("x"))
                sent += 1
            except LoopError:
                pass
        assert 10 <= sent <= 13
        for gate in gates:
            gate.close()

    def test_what_was_not_sent_is_not_counted(self, gate: Gate) -> None:
        """Refusals by a limit and voided reservations are no sights of a request."""
        for _ in range(20):
            with pytest.raises(SpendLimitError):
                spend(gate, "6.00", fingerprint=digest("x"))
            gate.reserve(resource="clearbit.enrich", fingerprint=digest("x")).void()
        for _ in range(9):
            spend(gate, "0.001", fingerprint=digest("x"))

    def test_waiting_is_no_cure(self, gate: Gate, clock: FakeClock) -> None:
        """A caller who would wait for room is told at once: a loop is not to go on more slowly."""
        for _ in range(10):
            spend(gate, "0.001", fingerprint=digest("x"))
        before = clock.now()
        with pytest.raises(LoopError):
            spend(gate, "0.001", fingerprint=digest("x"), wait=600)
        assert clock.now() == before

    def test_fifty_threads_at_once(self, gate: Gate) -> None:
        """However many threads send the same request at once, ten pass."""
        passed: list[bool] = []

        def send() -> None:
            try:
                spend(gate, "0.001", fingerprint=digest("x"))
                passed.append(True)
            except LoopError:
                passed.append(False)

        threads = [threading.Thread(target=send) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert passed.count(True) == 10

    def test_it_is_configured(self, make_gate: MakeGate) -> None:
        """Another number holds, and 0 counts nothing."""
        gate = make_gate(rules=TaskRules(same_request=2))
        for _ in range(2):
            spend(gate, "0.001", fingerprint=digest("x"))
        with pytest.raises(LoopError):
            spend(gate, "0.001", fingerprint=digest("x"))
        gate = make_gate(rules=TaskRules(same_request=0))
        for _ in range(50):
            spend(gate, "0.001", fingerprint=digest("x"))

    def test_a_fingerprint_is_a_digest(self, gate: Gate) -> None:
        """Anything else is an error; upper and lower case are the same."""
        for wrong in ("x", "abc", 7, "z" * 32, "a" * 300, "abcdef12\n"):
            with pytest.raises(AmountError):
                spend(gate, "0.001", fingerprint=wrong)
        for _ in range(5):
            spend(gate, "0.001", fingerprint="ABCDEF12")
            spend(gate, "0.001", fingerprint="abcdef12")
        with pytest.raises(LoopError):
            spend(gate, "0.001", fingerprint="abcdef12")
