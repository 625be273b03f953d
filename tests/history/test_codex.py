"""Transcripts of Codex."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendgate.history.codex import read
from spendgate.history.results import BrokenLine, ImportOptions
from spendgate.ledger import Entry
from spendgate.money import usd

OPTIONS = ImportOptions()
NAMES = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


def event(second: float, kind: str, **payload: Any) -> str:
    stamp = f"2026-10-26T07:{int(second) // 60:02d}:{second % 60:06.3f}Z"
    return json.dumps({"timestamp": stamp, "type": kind, "payload": payload})


def context(second: float, model: str = "gpt-5.2-codex", **more: Any) -> str:
    return event(second, "turn_context", model=model, **more)


def tokens(second: float, last: tuple[int, ...] | None, total: tuple[int, ...] | None, **more: Any) -> str:
    info: dict[str, Any] = dict(more)
    if last is not None:
        info["last_token_usage"] = dict(zip(NAMES, last, strict=True))
    if total is not None:
        info["total_token_usage"] = dict(zip(NAMES, total, strict=True))
    return event(second, "event_msg", type="token_count", info=info)


def entries(lines: list[str]) -> list[Entry]:
    found = list(read(lines, OPTIONS))
    assert all(isinstance(one, Entry) for one in found), found
    return found  # type: ignore[return-value]


def test_a_real_transcript_agrees_with_an_independent_sum(shared_data: Path) -> None:
    """Tokens and dollars of a recorded transcript are those that its events add up to."""
    path = shared_data / "history" / "codex_alpha.jsonl"
    events = [json.loads(text)["payload"]["info"] for text in path.read_text().splitlines() if "token_count" in text]
    found = entries(path.read_text().splitlines())
    total = events[-1]["total_token_usage"]
    assert sum(entry.weight.tokens for entry in found) == total["input_tokens"] + total["output_tokens"] == 3925
    assert [entry.call.model for entry in found] == ["gpt-5.2-codex", "gpt-5.3-codex"]
    for entry, used in zip(found, (one["last_token_usage"] for one in events), strict=True):
        plain = used["input_tokens"] - used["cached_input_tokens"]
        cost = plain * Decimal("1.75") + used["cached_input_tokens"] * Decimal("0.175") + used["output_tokens"] * 14
        assert usd(entry.weight.usd) == cost / 1_000_000
        assert entry.call.provider == "openai"
        assert "priced" in entry.marks


def test_an_event_written_twice_is_one_call() -> None:
    """An event whose total has not moved reports nothing new."""
    first, second = (100, 0, 10, 0), (300, 100, 30, 5)
    lines = [
        context(0),
        tokens(10, first, first),
        tokens(11, first, first),
        tokens(20, (200, 100, 20, 5), second),
        tokens(21, (200, 100, 20, 5), second),
        event(22, "event_msg", type="token_count", info=None),
    ]
    assert [entry.weight.tokens for entry in entries(lines)] == [110, 220]


def test_totals_alone_are_enough() -> None:
    """Where only running totals are written, a call is the difference; after a new start it is the total itself."""
    lines = [
        context(0),
        tokens(10, None, (1000, 100, 200, 20)),
        tokens(20, None, (1600, 300, 450, 40)),
        tokens(30, None, (50, 0, 5, 0)),
    ]
    assert [entry.weight.tokens for entry in entries(lines)] == [1200, 850, 55]
    assert json.loads(entries(lines)[1].usage) == {
        "input_tokens": 600,
        "cache_read_tokens": 200,
        "output_tokens": 250,
        "reasoning_tokens": 20,
    }


def test_the_model_is_that_of_the_turn() -> None:
    """Each call has the model named last before it, unless its event names one itself."""
    lines = [
        event(0, "session_meta", id="s-1", cwd="/home/me/app"),
        context(0, "gpt-5.2-codex"),
        tokens(10, (1, 0, 1, 0), (1, 0, 1, 0)),
        context(11, "gpt-5.3-codex"),
        tokens(20, (2, 0, 1, 0), (3, 0, 2, 0)),
        tokens(30, (3, 0, 1, 0), (6, 0, 3, 0), model="gpt-5.2"),
    ]
    found = entries(lines)
    assert [entry.call.model for entry in found] == ["gpt-5.2-codex", "gpt-5.3-codex", "gpt-5.2"]
    assert {(entry.call.service, entry.call.task) for entry in found} == {("codex", "s-1")}
    assert found[0].call.field("tags.project") == "/home/me/app"


def test_a_call_of_no_named_model_is_unpriced_not_free() -> None:
    """Usage before any model was named is kept and marked: its price is not known."""
    (entry,) = entries([tokens(10, (1000, 0, 10, 0), (1000, 0, 10, 0))])
    assert entry.call.model == "unknown"
    assert "unpriced" in entry.marks


PARENT = [
    event(0, "session_meta", id="parent"),
    context(1),
    tokens(10, (100, 0, 10, 0), (100, 0, 10, 0)),
    tokens(20, (200, 0, 20, 0), (300, 0, 30, 0)),
]


@pytest.mark.parametrize(
    "origin",
    [
        {"forked_from_id": "parent"},
        {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "parent"}}}},
    ],
)
def test_what_a_fork_copied_from_its_parent_is_not_paid_again(origin: dict[str, Any]) -> None:
    """A fork begins with its parent's events, stamped anew within moments; only what comes after a pause is its own."""
    fork = [
        event(60, "session_meta", id="child", **origin),
        event(60.001, "session_meta", id="parent"),
        context(60.002),
        tokens(60.003, (100, 0, 10, 0), (100, 0, 10, 0)),
        tokens(60.02, (200, 0, 20, 0), (300, 0, 30, 0)),
        event(63, "event_msg", type="user_message"),
        tokens(63.5, (200, 0, 20, 0), (300, 0, 30, 0)),
        tokens(70, (400, 0, 40, 0), (700, 0, 70, 0)),
    ]
    (own,) = entries(fork)
    assert own.weight.tokens == 440
    assert own.call.task == "child"


def test_a_copy_with_its_own_timestamps_is_the_same_calls() -> None:
    """A copied session that kept its timestamps has the ids of the original."""
    copy = [event(0, "session_meta", id="copy"), *PARENT[1:]]
    assert [entry.id for entry in entries(copy)] == [entry.id for entry in entries(PARENT)]


def test_a_faster_tier_costs_more() -> None:
    """A turn that was served faster is priced so."""
    used = (1000, 0, 1000, 0)
    plain, fast = (
        entries([context(0, **more), tokens(10, used, used)])[0].weight.usd
        for more in ({}, {"service_tier": "priority"})
    )
    assert fast > plain


@pytest.mark.parametrize(
    ("last", "problem"),
    [((-1, 0, 0, 0), "input_tokens"), ((1, 2, 0, 0), "cache_read"), ((1, 0, 1, 2), "reasoning_tokens")],
)
def test_an_event_that_cannot_be_counted_is_named(last: tuple[int, ...], problem: str) -> None:
    """Counts that cannot be are a broken line, and the next event is read."""
    lines = [context(0), tokens(10, last, None), tokens(20, (5, 0, 5, 0), None)]
    broken, good = read(lines, OPTIONS)
    assert isinstance(broken, BrokenLine)
    assert (broken.line, problem in broken.problem) == (2, True)
    assert isinstance(good, Entry)
