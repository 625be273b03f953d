"""`spendgate breaker`: calls blocked by hand."""

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Desk


def test_trip_and_reset(desk: Desk) -> None:
    """A tripped service is refused everything until it is reset, and the reset says what was refused."""
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    refused = desk.fails("hold", "--service", "research", "--at-most", "0.02", code=1)
    assert "looping" in refused
    assert "spendgate breaker reset service=research" in refused
    desk.ok("hold", "--service", "nightly", "--at-most", "0.02")
    assert "It refused 1 call, $0.02." in desk.run("breaker", "reset", "service=research").stderr
    desk.ok("hold", "--service", "research", "--at-most", "0.02")


def test_all_is_the_kill_switch(desk: Desk) -> None:
    """--all refuses every call of every service."""
    desk.ok("breaker", "trip", "--all", "--reason", "stop")
    assert "breaker reset --all" in desk.fails("hold", "--service", "x", "--at-most", "0", code=1)
    desk.ok("breaker", "reset", "--all")
    desk.ok("hold", "--service", "x", "--at-most", "0")


def test_a_breaker_ends_by_itself(desk: Desk) -> None:
    """With --for it lets calls through again when the time is up."""
    found = desk.json("breaker", "trip", "research", "--reason", "cool down", "--for", "30m")
    assert found["reset_at"] == "2026-03-02T12:30:00Z"
    desk.clock.advance(29 * 60)
    desk.fails("hold", "--service", "research", "--at-most", "0.02", code=1)
    desk.clock.advance(61)
    desk.ok("hold", "--service", "research", "--at-most", "0.02")
    assert desk.json("breaker", "list") == {"breakers": []}


def test_a_second_trip_says_what_it_replaces(desk: Desk) -> None:
    """A breaker tripped again takes the new end, and says which end and which count are gone."""
    assert desk.json("breaker", "trip", "research", "--reason", "first", "--for", "1m")["replaced"] is None
    desk.fails("hold", "--service", "research", "--at-most", "0.02", code=1)
    said = desk.run("breaker", "trip", "research", "--reason", "again").stderr
    assert "refused until it is reset" in said
    assert "replaces the trip of 12:00:00 UTC (first), until 12:01:00 UTC, which had refused 1 call, $0.02" in said
    assert desk.json("breaker", "trip", "research", "--reason", "third")["replaced"]["reason"] == "again"


def test_globs_over_any_field(desk: Desk) -> None:
    """A scope may be a glob over a field that limits can match, tags included."""
    desk.ok("breaker", "trip", "model=*opus*", "--reason", "dear")
    opus = ["--provider", "anthropic", "--resource", "claude-opus-4-6"]
    desk.fails("hold", "--service", "x", *opus, "--at-most", "0.1", code=1)
    desk.ok("hold", "--service", "x", "--resource", "opus-api", "--at-most", "0.1")
    desk.ok("breaker", "trip", "tags.customer=acme", "--reason", "unpaid")
    desk.fails("hold", "--service", "x", "--tag", "customer=acme", "--at-most", "0.1", code=1)


def test_the_list_says_who_and_how_much(desk: Desk) -> None:
    """Each tripped breaker shows since when, by whom, why, and what it has refused."""
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    for _ in range(2):
        desk.fails("hold", "--service", "research", "--at-most", "0.02", code=1)
    (one,) = desk.json("breaker", "list")["breakers"]
    assert one["by"].startswith(Path(sys.argv[0]).name)
    assert {**one, "by": ""} == {
        "scope": "service=research",
        "since": "2026-03-02T12:00:00Z",
        "reset_at": None,
        "reason": "looping",
        "by": "",
        "refused_calls": 2,
        "refused_usd": "0.04",
    }
    assert "2 calls, $0.04" in desk.ok("breaker", "list")


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["research", "--all"],
        ["modle=x"],
        ["tags.=x"],
        ["model="],
        ["research", "--for", "soon"],
        ["research", "--for", "0s"],
    ],
)
def test_a_scope_that_cannot_be_meant(desk: Desk, args: list[str]) -> None:
    """A misspelt scope or span is exit code 2, and nothing is tripped."""
    desk.fails("breaker", "trip", "--reason", "x", *args)
    assert desk.json("breaker", "list") == {"breakers": []}


def test_a_trip_needs_a_reason(desk: Desk) -> None:
    """Whoever is refused is told why, so there must be a reason."""
    assert "--reason" in desk.fails("breaker", "trip", "research")


def test_resetting_nothing(desk: Desk) -> None:
    """A reset that finds nothing tripped says so with exit code 1."""
    assert "Nothing is tripped for service=research" in desk.fails("breaker", "reset", "research", code=1)


def test_a_trip_tells_people_at_once(desk: Desk) -> None:
    """A route hears of a trip by hand before the command ends."""
    told = desk.folder / "told"
    desk.configure(f'{CONFIG}\n[notify]\ncommand = ["sh", "-c", "cat > {told}"]\n')
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    assert "looping" in told.read_text(encoding="utf-8")


def test_a_trip_is_mirrored(desk: Desk) -> None:
    """The mirror has the event."""
    desk.configure(f'{CONFIG}\n[mirror]\ndir = "log"\n')
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    assert "looping" in (desk.folder / "log" / "2026-03-02.jsonl").read_text(encoding="utf-8")
