"""An event as a message: a subject and plain text for people, JSON for programs.

>>> data = {"unit": "usd", "window": "1h", "amount": 5_000_000_000, "spent": 4_980_000_000, "requested": 30_000_000}
>>> message = compose(Event(1_793_000_000_000_000, "blocked", "hourly", "service=research", data))
>>> message.subject
"spendgate: limit 'hourly' refuses calls of service=research"
>>> message.payload["at"], message.payload["data"]["spent"]
('2026-10-26T07:33:20Z', '4.98')
"""

from dataclasses import dataclass
from typing import Any

from spendgate.alerts.words import one_line, say_when, words
from spendgate.clock import moment
from spendgate.ledger import Event
from spendgate.limits import in_units
from spendgate.money import usd

_IN_UNIT = ("amount", "spent", "held", "requested")
_IN_NANOS = ("usd", "refused_usd")
_INSTANTS = ("since_at", "reset_at", "frees_at", "began_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Message:
    """One event, ready for every kind of sink. `at` is the event's instant; `payload` is plain JSON data."""

    kind: str
    limit: str
    scope: str
    at: int
    subject: str
    text: str
    payload: dict[str, Any]


def compose(event: Event) -> Message:
    """The message about an event. An event with unknown or missing data still makes one: silence would be worse."""
    headline, sentences = words(event)
    text = "\n".join([*sentences, f"When: {say_when(event.at)}."])
    subject = one_line(f"spendgate: {headline}")
    payload = {
        "spendgate": 1,
        "kind": event.kind,
        "at": _iso(event.at),
        "limit": event.limit,
        "scope": event.scope,
        "subject": subject,
        "text": text,
        "data": _readable(event.data),
    }
    return Message(event.kind, event.limit, event.scope, event.at, subject, text, payload)


def drill(now_at: int) -> Event:
    """The event that `spendgate notify test` sends."""
    return Event(now_at, "test")


def _iso(at: int) -> str:
    return moment(at).isoformat().replace("+00:00", "Z")


def _readable(data: dict[str, Any]) -> dict[str, Any]:
    """The event's data with amounts in units, as exact text, and instants as ISO 8601."""
    unit = str(data.get("unit", "usd"))
    return {name: _readable_value(name, value, unit) for name, value in data.items()}


def _readable_value(name: str, value: object, unit: str) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _IN_UNIT:
            return f"{in_units(value, unit):f}"
        if name in _IN_NANOS:
            return f"{usd(value):f}"
        if name in _INSTANTS:
            return _iso(value) if value else None
    return value if isinstance(value, str | int | None) else str(value)
