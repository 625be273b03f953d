"""What a message says."""

import json

import pytest

from spendgate.alerts.message import compose, drill
from spendgate.alerts.routes import EVENT_KINDS
from spendgate.ledger import Event

AT = 1_793_000_000_000_000
SINCE = AT - 3_600_000_000


def test_a_blocked_scope_is_told_in_words() -> None:
    """A refusal's message names the limit, the scope, the amounts, the instant, and what to do."""
    data = {"unit": "usd", "window": "1h", "amount": 5_000_000_000, "spent": 4_980_000_000, "held": 15_000_000}
    event = Event(AT, "blocked", "hourly", "service=research", {**data, "requested": 30_000_000, "frees_at": AT})
    message = compose(event)
    assert message.subject == "spendgate: limit 'hourly' refuses calls of service=research"
    assert message.text.splitlines()[1] == (
        "It is $5.00 per 1h: $4.98 spent, $0.015 held by running calls. The refused call asked for $0.03."
    )
    assert "Enough frees at 2026-10-26 07:33:20 UTC." in message.text
    assert "spendgate report" in message.text
    assert message.payload["data"] == {
        "unit": "usd",
        "window": "1h",
        "amount": "5.00",
        "spent": "4.98",
        "held": "0.015",
        "requested": "0.03",
        "frees_at": "2026-10-26T07:33:20Z",
    }


def test_the_end_of_an_episode_says_what_was_refused() -> None:
    """When calls pass again, the message counts the calls and dollars refused since the episode began."""
    data = {"since_at": SINCE, "spent": 1, "refused_calls": 1412, "refused_usd": 87_310_000_000, "unit": "usd"}
    message = compose(Event(AT, "allowing", "hourly", "service=research", {**data, "window": "1h"}))
    assert "Refused since 2026-10-26 06:33:20 UTC: 1,412 calls that asked for $87.31 together." in message.text
    assert message.payload["data"]["refused_usd"] == "87.31"
    assert message.payload["data"]["refused_calls"] == 1412


def test_a_warning_counts_in_its_own_unit() -> None:
    """A warning of a call budget speaks of calls, not of dollars."""
    data = {"unit": "calls", "window": "day", "amount": 20_000, "spent": 16_000, "held": 3, "share": "0.8"}
    message = compose(Event(AT, "warned", "clearbit-daily", "", data))
    assert message.subject == "spendgate: limit 'clearbit-daily' is at 80% for all calls"
    assert "20,000 calls per day: 16,000 calls spent" in message.text


@pytest.mark.parametrize(("scope", "command"), [("*", "--all"), ("service=research", "service=research")])
def test_a_tripped_breaker_says_how_to_reset_it(scope: str, command: str) -> None:
    """The message about a breaker has the command that lets calls through again."""
    data = {"field": "service", "pattern": "research", "since_at": AT, "reason": "bad deploy", "reset_at": None}
    message = compose(Event(AT, "tripped", "", scope, data))
    assert "bad deploy" in message.text
    assert f"`spendgate breaker reset {command}`" in message.text


@pytest.mark.parametrize("kind", [*sorted(EVENT_KINDS), "test", "invented"])
@pytest.mark.parametrize(
    "data", [{}, {"unit": "usd", "share": None, "spent": "?", "reset_at": 0, "extra": [1, {2: 3}]}]
)
def test_every_event_makes_a_message(kind: str, data: dict[str, object]) -> None:
    """An event with missing or odd data still makes a message with a subject of one line and a JSON payload."""
    message = compose(Event(AT, kind, "hourly", "service=research", data))
    assert message.subject.isprintable()
    assert message.text
    assert json.loads(json.dumps(message.payload))["kind"] == kind


def test_a_subject_cannot_carry_headers() -> None:
    """Line breaks in a name do not reach the subject."""
    subject = compose(Event(AT, "blocked", "x\r\nBcc: all@example.com")).subject
    assert "\n" not in subject
    assert "\r" not in subject


def test_a_drill_says_that_nothing_happened() -> None:
    """The test message cannot be taken for an alarm."""
    message = compose(drill(AT))
    assert message.kind == "test"
    assert "Nothing has happened" in message.text
