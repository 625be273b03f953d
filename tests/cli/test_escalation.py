"""`spendgate escalation`: a yes or a no for a task that asks for a dearer model."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from spendgate.errors import EscalationError
from spendgate.gate import Gate
from spendgate.tasks import Task
from tests.cli.conftest import CONFIG, Desk


@contextmanager
def running(desk: Desk, task: str = "t") -> Iterator[Gate]:
    """A program in the midst of a task."""
    with desk.gate() as gate, gate.task(task, tier="claude-haiku-4-5"):
        yield gate


def ask(gate: Gate, task: str = "t", **more: Any) -> None:
    """Asks for Sonnet and does not wait for the answer."""
    with pytest.raises(EscalationError, match="still waits"):
        gate.escalate(task, **({"to": "claude-sonnet-4-5", "budget": "1.00", "reason": "too hard", "wait": 0} | more))


def test_a_request_is_listed_and_approved(desk: Desk) -> None:
    """What waits is listed with who asks for what and why; approved, the program goes on in a task of its own."""
    with running(desk) as gate:
        ask(gate)
        (listed,) = desk.json("escalation", "list")["escalations"]
        assert (listed["id"], listed["task"], listed["to"]) == (1, "t", "claude-sonnet-4-5")
        assert (listed["budget"], listed["reason"], listed["state"]) == ("1.00", "too hard", "asked")
        assert listed["expires_at"] == "2026-03-02T13:00:00Z"
        shown = desk.ok("escalation", "list")
        assert "claude-sonnet-4-5" in shown
        assert "13:00:00 UTC (1h)" in shown
        said = desk.run("escalation", "approve", "1", "--reason", "go on").stderr
        assert said == "Approved: task t may spend $1.00 with claude-sonnet-4-5, as task t+1.\n"
        with gate.escalate("t", to="claude-sonnet-4-5", budget="1.00") as task:
            assert task.id == "t+1"
    assert desk.json("escalation", "list") == {"escalations": []}
    (done,) = desk.json("escalation", "list", "--all")["escalations"]
    assert (done["state"], done["answer"]) == ("approved", "go on")
    assert "on" in done["decided_by"]
    assert "approved" in desk.ok("escalation", "list", "--all", "--task", "t")


def test_a_request_is_denied(desk: Desk) -> None:
    """The program that asks again is told who said no, and why."""
    with running(desk) as gate:
        ask(gate)
        assert desk.json("escalation", "deny", "1", "--reason", "no money")["state"] == "denied"
        assert gate.store.task("t+1") is None
        assert "was denied already" in desk.fails("escalation", "approve", "1")


def test_a_program_that_waits_goes_on_at_once(desk: Desk) -> None:
    """A yes from another process reaches the program that waits for it."""
    with running(desk) as gate:
        asked, found = threading.Event(), []

        def sleep(span_s: float) -> None:
            asked.set()
            decided.wait()
            type(desk.clock).advance(desk.clock, span_s)

        decided = threading.Event()
        desk.clock.sleep = sleep  # type: ignore[method-assign]

        def wait() -> Task:
            found.append(gate.escalate("t", to="claude-sonnet-4-5", budget="1.00"))
            return found[0]

        waiting = threading.Thread(target=wait)
        waiting.start()
        asked.wait()
        desk.ok("escalation", "approve", "1")
        decided.set()
        waiting.join()
        assert found[0].id == "t+1"


def test_what_cannot_be_decided_is_said(desk: Desk) -> None:
    """Unknown, expired, and of a task that ended: each is an error that says so, and changes nothing."""
    assert "there is no escalation 7" in desk.fails("escalation", "approve", "7")
    with running(desk) as gate:
        ask(gate)
        desk.clock.advance(3600)
        assert "nobody had decided in time" in desk.fails("escalation", "approve", "1")
        ask(gate)
    assert "the task has ended" in desk.fails("escalation", "approve", "2")
    assert "is not in the range" in desk.fails("escalation", "deny", "0")
    (first, second) = desk.json("escalation", "list", "--all")["escalations"]
    assert (first["state"], second["state"]) == ("expired", "expired")


def test_nothing_was_asked(desk: Desk) -> None:
    """Without a ledger, and without requests, there is nothing to list."""
    assert "Nobody asks" in desk.run("escalation", "list").stderr
    assert "Nobody ever asked" in desk.run("escalation", "list", "--all").stderr
    assert desk.json("escalation", "list") == {"escalations": []}


def test_people_are_told_of_a_request(desk: Desk) -> None:
    """Whoever is told of escalations hears of the request, and of the decision, with what to do."""
    desk.configure(CONFIG + '[notify]\non = ["escalation"]\ncommand = ["sh", "-c", "cat >> told.jsonl"]\n')
    with running(desk) as gate:
        ask(gate)
        desk.ok("escalation", "approve", "1", "--reason", "fine")
    told = (desk.folder / "told.jsonl").read_text(encoding="utf-8")
    assert "spendgate escalation approve 1" in told
    assert "is approved" in told


def test_status_shows_the_budgets_of_tasks(desk: Desk) -> None:
    """The budgets of a running task, and a request that loops, stand below the limits."""
    with desk.gate() as gate, gate.task("t", retry_budget="0.25", budget="1.00"):
        for attempt in (1, 2):
            gate.reserve(resource="clearbit.enrich", at_most="0.10", attempt=attempt).settle(cost="0.10")
        for _ in range(10):
            gate.reserve(resource="clearbit.enrich", service="a", fingerprint="abcdef12" * 4).settle()
        with pytest.raises(Exception, match="looks like a loop"):
            gate.reserve(resource="clearbit.enrich", service="a", fingerprint="abcdef12" * 4)
        shown = desk.ok("status")
        assert "retry budget" in shown
        assert "task t" in shown
        assert "Blocked: a, request abcdef12abcd by same-request" in shown
        rows = desk.json("status", "--limit", "retry budget")["limits"]
        assert [(row["scope"], row["spent"], row["headroom"]) for row in rows] == [("task=t", "0.136", "0.114")]


def test_a_script_says_what_it_sends(desk: Desk) -> None:
    """From the shell too, the same request again in its task draws on the retry budget."""
    with desk.gate() as gate, gate.task("t", retry_budget="0.01"):
        call = ["hold", "--task", "t", "--at-most", "0.02", "--fingerprint", "abcdef12"]
        desk.ok(*call)
        assert "the retries of task 't' have a budget of $0.01" in desk.fails(*call, code=1)


def test_reports_tell_retries_apart(desk: Desk) -> None:
    """By attempt, a report says what first attempts and what retries have cost."""
    with desk.gate() as gate, gate.task("t", retry_budget="1.00"):
        for attempt in (1, 2, 3):
            gate.reserve(resource="clearbit.enrich", at_most="0.10", attempt=attempt).settle(cost="0.10")
    rows = desk.json("report", "--by", "task,attempt")["rows"]
    assert [(row["task"], row["attempt"], row["calls"], row["usd"]) for row in rows] == [
        ("t", "retry", 2, "0.20"),
        ("t", "first", 1, "0.10"),
    ]
