"""What people are told of tasks: models that a tier refused, and requests that an ended task voids."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import spendgate
from spendgate import aio
from spendgate.errors import EscalationError, StoreError, TierLockedError
from spendgate.gate import Gate
from spendgate.ledger import Event
from tests.gate.conftest import MakeGate
from tests.gate.test_tasks import HAIKU, OPUS, SMALL, SONNET


class Hearing:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    def entry(self, entry: object) -> None: ...

    def events(self, events: tuple[Event, ...]) -> None:
        self.told += events

    def close(self) -> None: ...


def locked(gate: Gate) -> list[Event]:
    return [event for event in gate.store.events() if event.kind == "locked"]


def test_a_model_that_a_tier_refuses_is_an_event(make_gate: MakeGate) -> None:
    """Once for each task and model, however often it is tried, with who was held to what."""
    hearing = Hearing()
    gate = make_gate(listeners=(hearing,))
    for task in ("t-1", "t-2"):
        with gate.task(task, tier="claude-haiku-4-5"):
            for call in (SONNET, OPUS, SONNET):
                with pytest.raises(TierLockedError):
                    gate.reserve(**call, **SMALL)
    assert [(event.scope, event.data["requested"]) for event in locked(gate)] == [
        ("t-1", "claude-sonnet-4-5"),
        ("t-1", "claude-opus-4-6"),
        ("t-2", "claude-sonnet-4-5"),
        ("t-2", "claude-opus-4-6"),
    ]
    assert locked(gate)[0].data["locked"] == "claude-haiku-4-5"
    assert [event for event in hearing.told if event.kind == "locked"] == locked(gate)


def test_a_tier_refuses_without_the_ledger_too(make_gate: MakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written down is refused all the same."""

    def away(_: Event) -> Event:
        raise StoreError("away")

    gate = make_gate()
    monkeypatch.setattr(gate.store, "note", away)
    with gate.task("t-1", tier="claude-haiku-4-5"), pytest.raises(TierLockedError):
        gate.reserve(**OPUS, **SMALL)


@pytest.mark.parametrize("awaited", [False, True])
def test_what_an_ended_task_voids_is_told(make_gate: MakeGate, awaited: bool) -> None:
    """Whoever was asked for a yes is told that the question is void; of other tasks nothing is said."""
    hearing = Hearing()
    gate = make_gate(listeners=(hearing,))
    terms: Any = {"to": "claude-sonnet-4-5", "budget": "1.00", "wait": 0}
    for task in ("t-1", "t-2"):
        gate.task(task, tier="claude-haiku-4-5").begin()
        with pytest.raises(EscalationError):
            gate.escalate(task, **terms)
    if awaited:
        asyncio.run(aio.Gate(gate).end_task("t-1"))
    else:
        gate.end_task("t-1")
    found = [(event.scope, event.data["state"]) for event in hearing.told if event.kind == "escalation"]
    assert found == [("t-1", "asked"), ("t-2", "asked"), ("t-1", "expired")]
    gate.end_task("t-1")
    assert len([event for event in hearing.told if event.kind == "escalation"]) == 3


def test_a_route_hears_of_a_voided_request(tmp_path: Path) -> None:
    """The message says which request of which task is void, and why."""
    config = tmp_path / "spendgate.toml"
    config.write_text(
        '[[limits]]\nusd = "5.00"\nwindow = "1h"\n'
        f'[notify]\ncommand = ["sh", "-c", "cat >> {tmp_path}/told; echo >> {tmp_path}/told"]\n'
    )
    with spendgate.open(config) as gate, gate.task("t-1", tier="claude-haiku-4-5"), pytest.raises(EscalationError):
        gate.escalate("t-1", to="claude-sonnet-4-5", budget="1.00", wait=0)
    messages = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines() if line]
    assert [message["data"]["state"] for message in messages] == ["asked", "expired"]
    assert "the task has ended" in messages[1]["text"]


@pytest.mark.parametrize(("searches", "refused"), [(0, False), (1, True)])
def test_searches_of_the_web_count_when_models_are_compared(make_gate: MakeGate, searches: int, refused: bool) -> None:
    """A model whose searches are dearer stands above one with the same prices of tokens."""
    gate = make_gate(
        '[[limits]]\nusd = "5.00"\nwindow = "1h"\n'
        '[prices."anthropic:plain"]\ninput = "1"\noutput = "5"\nweb_search = "0.01"\n'
        '[prices."anthropic:searching"]\ninput = "1"\noutput = "5"\nweb_search = "0.010000001"\n'
    )
    with gate.task("t-1", tier="plain"):
        call = {**HAIKU, **SMALL, "resource": "searching", "web_searches": searches}
        if refused:
            with pytest.raises(TierLockedError):
                gate.reserve(**call)
        else:
            gate.reserve(**call)
