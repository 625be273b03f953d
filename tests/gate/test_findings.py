"""Findings that a program writes down: told once, by whoever was first."""

from typing import Any

import pytest

from spendgate.alerts.message import compose
from spendgate.errors import AmountError
from spendgate.findings import KINDS, Finding
from spendgate.ledger import Event
from spendgate.stores.memory import MemoryStore
from tests.gate.conftest import MakeGate

CHURN = Finding("churn", "enrichment", "pipeline", version="v7", text="it cannot hit", usd=212_000_000_000)


class Ear:
    """Hears what is told."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def entry(self, _: Any) -> None:
        """Calls are none of its business."""

    def events(self, events: tuple[Event, ...]) -> None:
        self.heard += events

    def close(self) -> None:
        """Nothing to let go of."""


def test_two_gates_tell_one_finding_once(make_gate: MakeGate) -> None:
    """Two programs that notice the same thing have one finding: its beginning is told once, and so is its end."""
    store, one, other = MemoryStore(), Ear(), Ear()
    first, second = make_gate(store=store, listeners=(one,)), make_gate(store=store, listeners=(other,))
    begun = first.begin_finding(CHURN)
    assert second.begin_finding(CHURN) == begun
    assert [event.kind for event in one.heard] == ["finding"]
    assert list(store.events())[-1] == one.heard[0]
    assert second.update_finding(begun.id, usd=300_000_000_000) is not None
    ended = second.end_finding(begun.id)
    assert ended is not None
    assert first.end_finding(begun.id) == ended
    assert [event.data["state"] for event in (*one.heard, *other.heard)] == ["began", "ended"]
    assert first.findings(running_only=True) == []
    assert first.findings() == [ended]


def test_a_dismissal_is_told_once(make_gate: MakeGate) -> None:
    """What one program dismisses is dismissed for all: people are told who said so and why, and of its end."""
    store, one, other = MemoryStore(), Ear(), Ear()
    first, second = make_gate(store=store, listeners=(one,)), make_gate(store=store, listeners=(other,))
    begun = first.begin_finding(CHURN)
    known = second.dismiss_finding(begun.id, "the old search")
    assert known is not None
    assert known.dismissed_at == second.clock.now()
    assert first.dismiss_finding(begun.id) == known
    assert first.dismiss_finding(12345) is None
    assert [event.data["state"] for event in (*one.heard, *other.heard)] == ["began", "dismissed"]
    message = compose(other.heard[0])
    assert message.subject.startswith(f"spendgate: finding {begun.id} was dismissed: the keys of cache 'enrichment'")
    assert f"{known.data['dismissed_by']} dismissed it: the old search. It has cost $212.00 so far" in message.text
    second.end_finding(begun.id)
    assert other.heard[-1].data["state"] == "ended"


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_says_what_it_is_about(make_gate: MakeGate, kind: Any) -> None:
    """Beginning and end of every kind of finding make a message with the verdict, the cost and the version."""
    ear = Ear()
    gate = make_gate(listeners=(ear,))
    begun = gate.begin_finding(
        Finding(kind, "enrichment", "pipeline", version="v7", text="it is so", usd=2_500_000_000)
    )
    gate.end_finding(begun.id)
    began, ended = (compose(event) for event in ear.heard)
    assert "enrichment" in began.subject
    assert "for pipeline" in began.subject
    assert "it is so." in began.text
    assert "$2.50" in began.text
    assert "version v7" in began.text
    assert "it is over that" in ended.subject
    assert "It has cost $2.50" in ended.text
    assert (began.payload["data"]["usd"], began.payload["data"]["ended_at"]) == ("2.50", None)


@pytest.mark.parametrize(
    "faulty",
    [
        {"kind": "chrun"},
        {"subject": ""},
        {"subject": "two\nlines"},
        {"service": "x" * 201},
        {"text": "x" * 2001},
        {"usd": -1},
        {"usd": True},
        {"usd": 1.5},
        {"data": {"x": object()}},
        {"data": {"x": float("nan")}},
        {"data": {"x": "y" * 30_000}},
    ],
)
def test_a_finding_is_read_strictly(faulty: dict[str, Any]) -> None:
    """What could not be kept or shown is an error when it is made."""
    with pytest.raises(AmountError):
        Finding(**{"kind": "churn", "subject": "enrichment", **faulty})
