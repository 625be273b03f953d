"""Transcripts of Claude Code."""

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendgate.history import claude_code
from spendgate.history.claude_code import read
from spendgate.history.results import BrokenLine, ImportOptions
from spendgate.ledger import Entry
from spendgate.money import usd

OPTIONS = ImportOptions()


def line(
    message_id: str = "msg_1", usage: dict[str, Any] | None = None, model: str = "claude-haiku-4-5", **more: Any
) -> str:
    used = {"input_tokens": 100, "output_tokens": 10} if usage is None else usage
    message = {"id": message_id, "role": "assistant", "model": model, "usage": used}
    data = {"type": "assistant", "timestamp": "2026-10-26T07:33:20Z", "sessionId": "s-1", "message": message}
    return json.dumps(data | more)


def entries(lines: Iterable[str]) -> list[Entry]:
    found = list(read(lines, OPTIONS))
    assert all(isinstance(one, Entry) for one in found), found
    return found  # type: ignore[return-value]


def test_a_real_transcript_agrees_with_an_independent_sum(shared_data: Path) -> None:
    """Dollars and tokens of a recorded transcript are those that its lines add up to, cache tokens included."""
    path = shared_data / "history" / "claude_code_alpha.jsonl"
    lines = [json.loads(text, parse_float=Decimal) for text in path.read_text().splitlines()]
    counted = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    found = entries(path.read_text().splitlines())
    assert usd(sum(entry.weight.usd for entry in found)) == sum(data["costUSD"] for data in lines) == Decimal("1.02")
    tokens = sum(data["message"]["usage"][name] for data in lines for name in counted)
    assert sum(entry.weight.tokens for entry in found) == tokens == 995
    assert [entry.call.model for entry in found] == [data["message"]["model"] for data in lines]
    assert {(entry.call.service, entry.call.task) for entry in found} == {("claude-code", "session-alpha")}
    assert {entry.pricing.source for entry in found} == {"transcript"}


def test_a_real_transcript_without_its_costs_is_priced(shared_data: Path) -> None:
    """The same transcript without costs is priced token by token: plain, cached and written to the cache."""
    path = shared_data / "history" / "claude_code_alpha.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    found = entries(json.dumps({name: data[name] for name in data if name != "costUSD"}) for data in lines)
    sonnet = {"input_tokens": 3, "output_tokens": 15, "cache_read_input_tokens": Decimal("0.3")}
    sonnet["cache_creation_input_tokens"] = Decimal("3.75")
    for entry, data in [(found[0], lines[0]), (found[2], lines[2])]:
        expected = sum(Decimal(data["message"]["usage"][name]) * rate / 1_000_000 for name, rate in sonnet.items())
        assert usd(entry.weight.usd) == expected
        assert "priced" in entry.marks
    assert found[1].weight.usd > 0


def test_an_answer_on_several_lines_is_one_call() -> None:
    """Blocks and stream steps of one answer repeat its id with a growing usage: the largest counts, once."""
    steps = [
        line(usage={"input_tokens": 100, "output_tokens": 1}, requestId="req_1", uuid="a"),
        line("msg_2", requestId="req_2"),
        line(usage={"input_tokens": 100, "output_tokens": 90}, requestId="req_1", timestamp="2026-10-26T07:33:25Z"),
        line(usage={"input_tokens": 100, "output_tokens": 90}, timestamp="2026-10-26T07:33:26Z"),
        line(usage={"input_tokens": 100, "output_tokens": 5}, requestId="req_9"),
    ]
    first, second = entries(steps)
    assert (first.weight.tokens, second.weight.tokens) == (190, 110)
    assert first.held_at == second.held_at
    assert first.weight.usd == 100 * 1_000 + 90 * 5_000


def test_the_same_transcript_has_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids depend on the answer alone, so that a repeated or resumed transcript adds nothing, even a very long one."""
    steps = [line(f"msg_{number}") for number in range(50)]
    first = {entry.id for entry in entries(steps)}
    monkeypatch.setattr(claude_code, "PENDING", 3)
    resumed = [json.dumps(json.loads(step) | {"sessionId": "s-2"}) for step in reversed(steps)]
    assert {entry.id for entry in entries(resumed)} == first
    assert len(first) == 50


def test_lines_without_ids_are_calls_of_their_own() -> None:
    """Old transcripts name no message: the request, the line, or what it says tells answers apart."""
    bare = json.loads(line())
    del bare["message"]["id"]
    lines = [bare | {"requestId": "r-1"}, bare | {"requestId": "r-1"}, bare | {"uuid": "u-1"}, bare]
    lines.append(bare | {"timestamp": "2026-10-26T07:33:21Z"})
    assert len(entries(json.dumps(one) for one in lines)) == 4


def test_cache_writes_cost_what_their_lifetime_costs() -> None:
    """Five-minute writes cost 1.25 times the input, one-hour writes twice; an undivided write is a five-minute one."""
    divided = {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000}
    usages: list[dict[str, Any]] = [
        {"cache_creation_input_tokens": 3000, "cache_creation": divided},
        {"cache_creation_input_tokens": 3000},
        {"cache_creation_input_tokens": 3500, "cache_creation": divided},
        {"cache_creation_input_tokens": 0, "cache_creation": divided},
    ]
    costs = [entries([line(usage=usage)])[0].weight.usd for usage in usages]
    assert costs == [1250 * 1000 + 2000 * 2000, 1250 * 3000, 1250 * 1500 + 2000 * 2000, 1250 * 1000 + 2000 * 2000]


def test_fast_answers_and_searches_cost_more() -> None:
    """The fast mode and web searches are part of the price."""
    used = {"input_tokens": 1000, "output_tokens": 1000}
    plain, fast, searching = (
        entries([line(usage=used | extra, model="claude-opus-4-8")])[0].weight.usd
        for extra in ({}, {"speed": "fast"}, {"server_tool_use": {"web_search_requests": 2}})
    )
    assert fast > plain
    assert searching >= plain + 2 * 10_000_000


def test_other_models_within_an_answer_are_calls_of_their_own() -> None:
    """An adviser asked on the way is booked under its own model; compactions of the context belong to the answer."""
    iterations = [
        {"type": "message", "input_tokens": 100, "output_tokens": 10},
        {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 100},
        {"type": "compaction", "input_tokens": 50, "output_tokens": 5},
    ]
    usage = {"input_tokens": 100, "output_tokens": 10, "iterations": iterations}
    adviser, own = entries([line(usage=usage), line(usage=usage)])
    assert (adviser.call.model, adviser.weight.tokens) == ("claude-opus-4-8", 1100)
    assert (own.call.model, own.weight.tokens) == ("claude-haiku-4-5", 165)
    assert adviser.id != own.id


def test_a_sub_agents_answers_count() -> None:
    """An answer that a progress line carries for a sub-agent is a call, and the same one as in the agent's own file."""
    inner = json.loads(line("msg_9"))
    del inner["sessionId"]
    progress = {"type": "progress", "sessionId": "s-1", "timestamp": "2026-10-26T07:33:29Z", "data": {"message": inner}}
    (entry,) = entries([json.dumps(progress), line("msg_9", isSidechain=True)])
    assert entry.call.task == "s-1"


def test_what_no_model_answered_is_left_out() -> None:
    """Messages of people, summaries, errors of the API and synthetic answers are no paid calls."""
    lines = [
        json.dumps({"type": "user", "sessionId": "s-1", "message": {"role": "user", "content": "hi"}}),
        json.dumps({"type": "summary", "summary": "x", "leafUuid": "u"}),
        json.dumps({"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}),
        line("msg_1", isApiErrorMessage=True),
        line("msg_2", model="<synthetic>"),
        line("msg_3"),
    ]
    assert len(entries(lines)) == 1


def test_the_project_is_a_tag() -> None:
    """The working folder is the tag `project`, its end where it is long, whatever signs are in it."""
    (entry,) = entries([line(cwd="/home/me/" + "x" * 300 + "\n/app")])
    assert entry.call.field("tags.project").endswith("x?/app")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (line(usage={"input_tokens": -1}), "input_tokens"),
        (line(usage={"input_tokens": True}), "input_tokens"),
        (line(model=""), "names no model"),
        (line(timestamp="soon"), "ISO 8601"),
        (line(costUSD=-1), "negative"),
        (json.dumps({"type": "assistant", "message": {"role": "assistant", "model": "m"}}), "without usage"),
    ],
)
def test_an_answer_that_cannot_be_counted_is_named(text: str, problem: str) -> None:
    """An answer whose usage, model, time or cost cannot be read is a broken line, and the next is read."""
    broken, good = sorted(read([text, line("msg_2")], OPTIONS), key=lambda found: isinstance(found, Entry))
    assert isinstance(broken, BrokenLine)
    assert broken.line == 1
    assert problem in broken.problem
    assert isinstance(good, Entry)
