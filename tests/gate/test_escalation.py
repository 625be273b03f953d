"""A task that is held to a model asks a person for a dearer one."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendgate import aio
from spendgate.clock import HOUR, MINUTE
from spendgate.errors import (
    AmountError,
    EscalationError,
    PriceError,
    SpendLimitError,
    TaskError,
    TierLockedError,
)
from spendgate.gate import Gate
from spendgate.stores.sqlite import SqliteStore
from spendgate.taskterms import Escalation, TaskRules
from spendgate.testing import FakeClock
from tests.gate.conftest import MakeGate
from tests.gate.test_tasks import HAIKU, OPUS, SMALL, SONNET

TO: dict[str, Any] = {"to": "claude-sonnet-4-5", "budget": "1.00"}


class Waiting(FakeClock):
    """A clock on which something happens while somebody waits."""

    def __init__(self, start: int, meanwhile: Callable[[], object]) -> None:
        super().__init__(start)
        self.meanwhile = meanwhile
        self.waits = 0

    def sleep(self, span_s: float) -> None:
        super().sleep(span_s)
        self.waits += 1
        self.meanwhile()

    async def sleep_async(self, span_s: float) -> None:
        self.sleep(span_s)


def yes(_: Escalation) -> bool:
    """Says yes."""
    return True


def no(_: Escalation) -> bool:
    """Says no."""
    return False


def states(gate: Gate) -> list[str]:
    return [event.data["state"] for event in gate.store.events() if event.kind == "escalation"]


def test_an_approved_escalation_is_a_task_of_its_own(gate: Gate) -> None:
    """It has its own id and budget, is held to the model that was asked for, and leaves the first task as it was."""
    with gate.task("t", tier="claude-haiku-4-5", budget="0.50") as task:
        with gate.escalate(task, to="claude-sonnet-4-5", budget="0.05", reason="hard", approve=yes) as child:
            assert child.id == "t+1"
            gate.reserve(**SONNET, **SMALL).settle(cost="0.01")
            with pytest.raises(TierLockedError) as locked:
                gate.reserve(**OPUS, **SMALL)
            with pytest.raises(SpendLimitError) as refused:
                gate.reserve(**SONNET, at_most="0.041")
        gate.reserve(**HAIKU, **SMALL).settle(cost="0.001")
        with pytest.raises(TierLockedError):
            gate.reserve(**SONNET, **SMALL)
    assert (locked.value.task, locked.value.locked) == ("t+1", "claude-sonnet-4-5")
    assert (refused.value.scope, refused.value.amount) == ("task=t+1", Decimal("0.05"))
    assert [entry.call.task for entry in gate.store.entries()] == ["t+1", "t"]


def test_each_step_is_in_the_ledger(gate: Gate) -> None:
    """Who asked for what and why, who decided and when: the events say it all."""
    with gate.task("t") as task:
        gate.escalate(task, **TO, reason="hard", approve=yes)
    asked, approved = (event for event in gate.store.events() if event.kind == "escalation")
    assert (asked.scope, asked.data["to"], asked.data["budget"]) == ("t", "claude-sonnet-4-5", 1_000_000_000)
    assert (asked.data["state"], asked.data["reason"]) == ("asked", "hard")
    assert (approved.data["state"], approved.data["by"]) == ("approved", "the callback yes")


def test_a_person_says_yes_while_it_waits(make_gate: MakeGate, clock: FakeClock) -> None:
    """The caller waits, looking once a second, until another process has decided."""
    waiting = Waiting(clock.now(), lambda: waiting.waits == 5 and approve())
    gate = make_gate()
    gate.clock = waiting

    def approve() -> None:
        gate.store.decide_escalation(1, "approved", "boss", "fine", waiting.now())

    with gate.task("t") as task:
        assert gate.escalate(task, **TO).id == "t+1"
    assert waiting.waits == 5


@pytest.mark.parametrize("wait", [None, 60])
def test_a_person_says_no(make_gate: MakeGate, clock: FakeClock, wait: float | None) -> None:
    """The error says who, and why, and the task goes on as it was."""
    waiting = Waiting(clock.now(), lambda: gate.store.decide_escalation(1, "denied", "boss", "no money", waiting.now()))
    gate = make_gate()
    gate.clock = waiting
    with gate.task("t", tier="claude-haiku-4-5") as task:
        with pytest.raises(EscalationError, match="denied by boss: no money") as denied:
            gate.escalate(task, **TO, wait=wait)
        with pytest.raises(TierLockedError) as locked:
            gate.reserve(**SONNET, **SMALL)
    error = denied.value
    assert (error.task, error.escalation, error.state) == ("t", 1, "denied")
    assert (error.by, error.answer) == ("boss", "no money")
    assert locked.value.escalation is None


def test_nobody_decides(gate: Gate, clock: FakeClock) -> None:
    """When its time is up a request is void, and says so; nothing was spent."""
    before = clock.now()
    with gate.task("t") as task:
        with pytest.raises(EscalationError) as late:
            gate.escalate(task, **TO, expires=90)
        assert late.value.state == "expired"
        assert clock.now() - before == 90_000_000
        with pytest.raises(TaskError, match="nobody had decided in time"):
            gate.store.decide_escalation(1, "approved", "boss", "", clock.now())
    assert states(gate) == ["asked", "expired"]
    assert gate.store.totals().usd == 0


def test_what_waits_is_found_again(gate: Gate, clock: FakeClock) -> None:
    """A caller who does not wait so long asks again later: it is the same request, also after the yes."""
    with gate.task("t", tier="claude-haiku-4-5") as task:
        for _ in range(3):
            with pytest.raises(EscalationError, match="spendgate escalation approve 1") as waits:
                gate.escalate(task, **TO, wait=10)
            assert waits.value.state == "asked"
            with pytest.raises(TierLockedError, match="Escalation 1") as locked:
                gate.reserve(**SONNET, **SMALL)
            assert locked.value.escalation == 1
        gate.store.decide_escalation(1, "approved", "boss", "", clock.now())
        for _ in range(2):
            assert gate.escalate("t", **TO, wait=0).id == "t+1"
        assert gate.escalate(task, to="claude-sonnet-4-5", budget="2.00", approve=yes).id == "t+2"
    assert states(gate) == ["asked", "approved", "asked", "approved"]


def test_a_callback_decides(gate: Gate) -> None:
    """It is handed the request, is asked once, and its no is a no."""
    seen: list[Escalation] = []
    with gate.task("t") as task:
        with pytest.raises(EscalationError, match="denied by the callback no"):
            gate.escalate(task, **TO, approve=no)
        gate.escalate(task, **TO, reason="hard", approve=lambda one: not seen.append(one))
    (one,) = seen
    assert (one.task, one.to, one.budget, one.reason) == ("t", "claude-sonnet-4-5", 1_000_000_000, "hard")


def test_a_callback_that_fails_decides_nothing(gate: Gate) -> None:
    """What it raises reaches the caller, and the request still waits."""

    def broken(_: Escalation) -> bool:
        raise RuntimeError("broken")

    with gate.task("t") as task:
        with pytest.raises(RuntimeError, match="broken"):
            gate.escalate(task, **TO, approve=broken)
        assert gate.store.escalations()[0].state == "asked"


def test_an_ended_task_asks_for_nothing(gate: Gate, clock: FakeClock) -> None:
    """What it had asked for is void, an approval for it is an error, and it cannot ask again."""
    with pytest.raises(TaskError, match="nobody has begun it"):
        gate.escalate("t", **TO)
    with gate.task("t") as task, pytest.raises(EscalationError):
        gate.escalate(task, **TO, wait=0)
    with pytest.raises(TaskError, match="the task has ended"):
        gate.store.decide_escalation(1, "approved", "boss", "", clock.now())
    with pytest.raises(TaskError, match="it has ended"):
        gate.escalate("t", **TO)
    assert gate.store.task("t+1") is None


def test_a_task_that_ends_is_waited_for_no_longer(make_gate: MakeGate, clock: FakeClock) -> None:
    """Somebody ends the task while its request waits: the caller is told at once."""
    waiting = Waiting(clock.now(), lambda: gate.end_task("t"))
    gate = make_gate()
    gate.clock = waiting
    with gate.task("t") as task, pytest.raises(EscalationError, match="the task has ended"):
        gate.escalate(task, **TO)
    assert waiting.waits == 1


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"budget": 1.5}, AmountError),
        ({"budget": "-1"}, AmountError),
        ({"to": ""}, AmountError),
        ({"to": "a\nb"}, AmountError),
        ({"reason": "a\nb"}, AmountError),
        ({"to": "no-such-model"}, PriceError),
        ({"expires": 0}, AmountError),
        ({"expires": "soon"}, AmountError),
        ({"wait": -1}, AmountError),
    ],
)
def test_what_cannot_be_asked_is_an_error(gate: Gate, asked: dict[str, Any], error: type[Exception]) -> None:
    """Amounts, names and the model's price are looked at before anything is written."""
    with gate.task("t") as task, pytest.raises(error):
        gate.escalate(task, **(TO | asked))
    assert gate.store.escalations() == []


def test_the_configuration_says_how_long(make_gate: MakeGate, clock: FakeClock) -> None:
    """Where the caller does not say, a request waits as long as the configuration says."""
    gate = make_gate(rules=TaskRules(escalation_expires=7 * MINUTE))
    with gate.task("t") as task, pytest.raises(EscalationError):
        gate.escalate(task, **TO, wait=0)
    assert gate.store.escalations()[0].expires_at == clock.now() + 7 * MINUTE
    assert TaskRules().escalation_expires == HOUR


def test_an_approval_outlives_the_program(tmp_path: Path, make_gate: MakeGate, clock: FakeClock) -> None:
    """A job that is started again finds the approval, and what was spent of its budget."""
    for run in range(2):
        gate = make_gate(store=SqliteStore(tmp_path / "ledger.db"))
        task = gate.task("t").__enter__()
        child = gate.escalate(task, to="claude-sonnet-4-5", budget="0.02", approve=yes if run == 0 else None)
        child.__enter__()
        gate.reserve(**SONNET, at_most="0.01").settle(cost="0.01")
        child.leave()
        task.leave()
        gate.close()
    gate = make_gate(store=SqliteStore(tmp_path / "ledger.db"))
    with gate.task("t") as again:
        child = gate.escalate(again, to="claude-sonnet-4-5", budget="0.02", wait=0)
        with child, pytest.raises(SpendLimitError):
            gate.reserve(**SONNET, at_most="0.01")
    assert gate.store.check() == []
    gate.close()


def test_it_is_awaited(make_gate: MakeGate, clock: FakeClock) -> None:
    """The same without holding up the event loop: a yes, and a no."""
    waiting = Waiting(clock.now(), lambda: waiting.waits == 3 and decide())
    gate = make_gate()
    gate.clock = waiting
    awaited = aio.Gate(gate)

    def decide() -> None:
        gate.store.decide_escalation(1, "approved", "boss", "", waiting.now())

    async def main() -> None:
        async with awaited.task("t", tier="claude-haiku-4-5") as task:
            async with await awaited.escalate(task, **TO) as child:
                assert child.id == "t+1"
                await (await awaited.reserve(**SONNET, **SMALL)).settle(cost="0.01")
            with pytest.raises(EscalationError):
                await awaited.escalate("t", to="claude-opus-4-6", budget="1.00", approve=no)

    asyncio.run(main())
    assert states(gate) == ["asked", "approved", "asked", "denied"]
