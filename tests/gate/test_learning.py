"""Estimates that are learned from what a service's calls of a model have written before."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spendgate
from spendgate import aio
from spendgate.errors import SpendLimitError, StoreError
from spendgate.gate import Gate
from spendgate.learning import HISTORY, MOST, REFRESH, UNKNOWN, Learned, quantile
from spendgate.ledger import Entry
from spendgate.policies import ServiceRules, Services
from spendgate.reservation import State
from spendgate.testing import FakeClock
from tests.gate.conftest import MakeGate

LEARNS = Services({"research": ServiceRules(learns=True)})
ROOMY = '[[limits]]\nusd = "5000"\nwindow = "30d"'
MODEL: dict[str, Any] = {"provider": "openai", "resource": "gpt-4o", "service": "research"}
ASK: dict[str, Any] = {**MODEL, "input_tokens": 1000, "max_output_tokens": 16_000}
"""$2.50 and $10.00 a million tokens: a quarter of a cent in, 16 cents out."""
INPUT = Decimal("0.0025")


def history(gate: Gate, outputs: list[int], **stated: Any) -> None:
    """Calls that wrote so much."""
    for output in outputs:
        gate.reserve(**{**ASK, **stated}).settle(usage={"input_tokens": 10, "output_tokens": output})


def last(gate: Gate) -> Entry:
    return list(gate.store.entries())[-1]


def dollars(output: int) -> Decimal:
    """What so much output costs at most, with the input of `ASK`."""
    return INPUT + Decimal(output) / 100_000


@pytest.mark.parametrize(("calls", "learned"), [(HISTORY - 1, False), (HISTORY, True)])
@pytest.mark.parametrize("awaited", [False, True])
def test_enough_history_lowers_the_estimate(make_gate: MakeGate, calls: int, learned: bool, awaited: bool) -> None:
    """From 200 calls on, output is estimated at what 99 in 100 have written; with one call less, at its cap."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [*range(1, calls + 1)])
    gate._learned = Learned()
    hold = asyncio.run(aio.Gate(gate).reserve(**ASK)).reservation if awaited else gate.reserve(**ASK)
    assert hold.at_most == (dollars(HISTORY - 1) if learned else dollars(16_000))
    assert any(mark.startswith("learned:") for mark in last(gate).marks) is learned


@given(st.lists(st.integers(0, 10**6), min_size=HISTORY, max_size=MOST))
def test_at_most_one_in_a_hundred_lies_above_the_quantile(outputs: list[int]) -> None:
    """What was learned covers at least 99 of 100 calls, and is never more than the longest of them."""
    found = quantile(outputs)
    assert found is not None
    assert sum(output > found for output in outputs) * 100 <= len(outputs)
    assert found <= max(outputs)
    assert quantile([*outputs, *[UNKNOWN] * (len(outputs) // 50 + 2)]) is None


def test_nobody_learns_who_was_not_told_to(make_gate: MakeGate) -> None:
    """Other services, other models, stated amounts and smaller caps are estimated as always."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [100] * HISTORY, service="nightly")
    history(gate, [100] * HISTORY)
    gate._learned = Learned()
    assert gate.reserve(**ASK).at_most == dollars(100)
    assert gate.reserve(**{**ASK, "service": "nightly"}).at_most == dollars(16_000)
    assert gate.reserve(**{**ASK, "resource": "gpt-4o-2024-08-06"}).at_most == dollars(16_000)
    assert gate.reserve(**{**ASK, "max_output_tokens": 99}).at_most == dollars(99)
    assert gate.reserve(**{**ASK, "max_output_tokens": 100}).at_most == dollars(100)
    assert gate.reserve(**ASK, at_most="1.00").at_most == 1


def test_an_estimate_covers_the_input_of_its_request(make_gate: MakeGate) -> None:
    """Input counts as stated, however little such calls were sent before."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [0] * HISTORY)
    gate._learned = Learned()
    assert gate.reserve(**{**ASK, "input_tokens": 100_000}).at_most == Decimal("0.25")


def test_what_is_learned_is_enforced_to_the_nano_dollar(make_gate: MakeGate) -> None:
    """A call fits where exactly what was learned is left, and is refused with a nano-dollar less."""
    for left, fits in ((dollars(100), True), (dollars(100) - Decimal("0.000000001"), False)):
        gate = make_gate(ROOMY, services=LEARNS)
        history(gate, [100] * HISTORY)
        gate._learned = Learned()
        spent = sum(entry.weight.usd for entry in gate.store.entries())
        gate.reserve(resource="api", at_most="4000").settle(cost=Decimal(5000) - Decimal(spent).scaleb(-9) - left)
        if fits:
            gate.reserve(**ASK)
        else:
            with pytest.raises(SpendLimitError):
                gate.reserve(**ASK)


def test_a_longer_answer_is_an_overrun(make_gate: MakeGate) -> None:
    """What was written beyond the estimate is booked in full and marked."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [100] * HISTORY)
    gate._learned = Learned()
    receipt = gate.reserve(**ASK).settle(usage={"input_tokens": 1000, "output_tokens": 5000})
    assert (receipt.reserved, receipt.cost, receipt.overrun) == (dollars(100), dollars(5000), True)


@pytest.mark.parametrize("by_id", [False, True])
def test_missing_usage_counts_as_the_most_it_can_be(make_gate: MakeGate, by_id: bool) -> None:
    """A call that reports nothing costs what its cap allows, not the little that was set aside."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [100] * HISTORY)
    gate._learned = Learned()
    hold = gate.reserve(**ASK)
    receipt = gate.settle(hold.id) if by_id else hold.settle()
    assert (receipt.cost, receipt.overrun) == (dollars(16_000), True)
    assert hold.settle() == receipt
    assert last(gate).weight.tokens == 17_000


def test_calls_without_usage_are_no_short_calls(make_gate: MakeGate, clock: FakeClock) -> None:
    """Answers that counted whole, or never came, make the estimate grow to the cap; broken streams are left out."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [100] * HISTORY)
    for _ in range(3):
        gate.reserve(**ASK).settle()
    gate._learned = Learned()
    assert gate.reserve(**ASK).at_most == dollars(16_000)

    other = make_gate(ROOMY, services=LEARNS)
    history(other, [100] * HISTORY)
    for _ in range(3):
        other.reserve(**ASK)
    clock.advance(20 * 60)
    other.reserve(resource="api", at_most="0.01")
    assert [entry.state for entry in other.store.latest("research", "openai", "gpt-4o", 3)] == [State.LAPSED] * 3
    assert other.reserve(**ASK).at_most == dollars(16_000)


def test_the_ledger_is_asked_now_and_then(
    make_gate: MakeGate, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look for each service and model in ten minutes, however many calls; and again when the clock is set back."""
    gate = make_gate(ROOMY, services=LEARNS)
    looks: list[tuple[Any, ...]] = []
    latest = gate.store.latest

    def counted(*kind: Any) -> Any:
        looks.append(kind)
        return latest(*kind)

    monkeypatch.setattr(gate.store, "latest", counted)
    history(gate, [100] * (HISTORY + 5))
    assert looks == [("research", "openai", "gpt-4o", MOST)]
    clock.advance(REFRESH / 10**6 - 1)
    assert gate.reserve(**ASK).at_most == dollars(16_000)
    clock.advance(1)
    assert gate.reserve(**ASK).at_most == dollars(100)
    assert len(looks) == 2
    clock.jump(clock.now() - 2 * REFRESH)
    gate.reserve(**ASK)
    assert len(looks) == 3


def test_memory_is_bounded(make_gate: MakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of models without end only so many are remembered."""
    monkeypatch.setattr("spendgate.learning.REMEMBERED", 3)
    gate = make_gate(ROOMY, services=LEARNS)
    for number in range(10):
        gate.reserve(**{**ASK, "resource": f"gpt-4o-2024-08-{number:02}", "at_most": "1"})
        gate.reserve(**{**ASK, "resource": ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "o1"][number % 5]})
    assert len(gate._learned._known) <= 3


def test_a_ledger_that_cannot_be_read_teaches_nothing(make_gate: MakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where history cannot be read, the most that a call can cost is set aside."""
    gate = make_gate(ROOMY, services=LEARNS)
    history(gate, [100] * HISTORY)
    gate._learned = Learned()

    def away(*_: object) -> Any:
        raise StoreError("away")

    monkeypatch.setattr(gate.store, "latest", away)
    assert gate.reserve(**ASK).at_most == dollars(16_000)


def test_another_process_learns_from_the_same_ledger(tmp_path: Path) -> None:
    """What one program's calls have written lowers the estimates of the next one, by the configuration alone."""
    file = tmp_path / "spendgate.toml"
    file.write_text(f'[services."re*"]\nestimate = "learned"\n{ROOMY}')
    with spendgate.open(file) as gate:
        history(gate, [100] * HISTORY)
    with spendgate.open(file) as gate:
        assert gate.reserve(**ASK).at_most == dollars(100)
        assert gate.store.check() == []
