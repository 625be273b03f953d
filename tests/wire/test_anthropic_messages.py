"""Anthropic's messages: what is asked for, which models are billed for what, and streams that end early."""

import json
from typing import Any

import pytest

from spendgate.wire.exchange import Answer, Asked
from tests.wire.speaking import asked, streamed, used, whole

URL = "https://api.anthropic.com/v1/messages?beta=true"
HELLO: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}
USAGE = {"input_tokens": 10, "output_tokens": 5}
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/"
PIXEL = "R0lGODlhAQACAIAAAP///wAAACwAAAAAAQACAAACAkQBADs="


def message(usage: Any, model: str = "claude-sonnet-4-6", **more: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "model": model, "content": [], "usage": usage, **more}


def billed(usage: Any, **more: Any) -> Answer:
    return whole(asked(URL, HELLO), message(usage, **more))


def events(*inner: dict[str, Any], usage: Any = None, stop: str | None = "end_turn") -> list[dict[str, Any]]:
    """A stream: its start with a usage, what comes in between, and its end where there is one."""
    start = {
        "type": "message_start",
        "message": message({**USAGE, "output_tokens": 1}) if usage is None else message(usage),
    }
    end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 7}}
    return [start, *inner, *([end, {"type": "message_stop"}] if stop else [])]


def text(what: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": what}}


def block(kind: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **more}}


def stream_of(**more: Any) -> Asked:
    return asked(URL, {**HELLO, "stream": True, **more})


def test_a_request_says_what_it_can_cost() -> None:
    """Model, cap, service tier and stream are read; the input is bounded by the bytes of what is sent."""
    found = asked(URL, {**HELLO, "service_tier": "auto", "stream": True})
    assert (found.api, found.provider, found.model, found.kind) == (
        "anthropic.messages",
        "anthropic",
        "claude-sonnet-4-6",
        "paid",
    )
    assert (found.max_output_tokens, found.cap, found.usage_flag) == (100, ("max_tokens",), ())
    assert (found.service_tier, found.streams, found.input_tokens) == ("auto", True, found.input_tokens)
    assert found.input_tokens is not None
    assert len("hello") <= found.input_tokens < 50


@pytest.mark.parametrize(
    ("url", "provider", "model", "streams"),
    [
        (f"{VERTEX}claude-sonnet-4-5%4020250929:rawPredict", "google", "claude-sonnet-4-5@20250929", False),
        (f"{VERTEX}claude-haiku-4-5:streamRawPredict", "google", "claude-haiku-4-5", True),
        ("https://openrouter.ai/api/v1/messages", "openrouter", "claude-sonnet-4-6", False),
        ("https://x.services.ai.azure.com/anthropic/v1/messages", "azure", "claude-sonnet-4-6", False),
        ("https://api.deepseek.com/anthropic/v1/messages", "deepseek", "claude-sonnet-4-6", False),
    ],
)
def test_the_dialect_is_known_below_any_host(url: str, provider: str, model: str, streams: bool) -> None:
    """Vertex AI names the model in the path; everybody else in the body."""
    found = asked(url, HELLO)
    assert (found.api, found.provider, found.model, found.streams) == ("anthropic.messages", provider, model, streams)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com/v1/messages/count_tokens?beta=true",
        f"{VERTEX}count-tokens:rawPredict",
        "https://api.anthropic.com/v1/files",
        "https://api.anthropic.com/v1/skills",
        "https://api.anthropic.com/v1/messages/batches/msgbatch_1/cancel",
    ],
)
def test_what_is_not_billed_is_free(url: str) -> None:
    """Counting tokens, files, skills and cancelling a batch cost nothing."""
    found = asked(url, HELLO)
    assert (found.kind, whole(found, {"input_tokens": 9}).kind) == ("free", "free")


@pytest.mark.parametrize(
    "more",
    [
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}]}
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        {"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "t"}]},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-7"}]},
        {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]},
        {"mcp_servers": [{"type": "url", "url": "https://x"}]},
        {"container": {"skills": [{"type": "anthropic", "skill_id": "pptx"}]}},
        {"fallbacks": "default"},
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
    ],
)
def test_what_is_not_in_the_request_counts_as_the_context(more: dict[str, Any]) -> None:
    """References, and tools that Anthropic runs, leave the input open."""
    assert asked(URL, {**HELLO, **more}).input_tokens is None


def test_media_count_by_their_size_not_by_their_base64() -> None:
    """An image is a few tokens or thousands, by its pixels; a document of text its bytes."""

    def tokens(source: dict[str, Any], kind: str = "image") -> int:
        body = {**HELLO, "messages": [{"role": "user", "content": [{"type": kind, "source": source}]}]}
        return (asked(URL, body).input_tokens or 0) - (asked(URL, {**HELLO, "messages": []}).input_tokens or 0)

    small, unknown = tokens({"type": "base64", "data": PIXEL}), tokens({"type": "base64", "data": "A" * 400_000})
    assert small < 80
    assert 1_600 <= unknown < 1_700
    assert tokens({"type": "text", "data": "x" * 500}, "document") >= 500
    inner = {"type": "content", "content": [{"type": "text", "text": "x" * 300}]}
    assert tokens(inner, "document") >= 300


def test_searches_and_helpers_are_set_aside() -> None:
    """`max_uses` bounds searches; fallbacks and an advisor can write as much again as their own caps allow."""
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert asked(URL, {**HELLO, "tools": [{**search, "max_uses": 3}]}).web_searches == 3
    assert asked(URL, {**HELLO, "tools": [search]}).web_searches == 10
    fallbacks = [{"model": "a"}, {"model": "b", "max_tokens": 7}]
    assert asked(URL, {**HELLO, "fallbacks": fallbacks}).max_output_tokens == 100 + 100 + 7
    advisor = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-7", "max_uses": 2}
    assert asked(URL, {**HELLO, "tools": [{**advisor, "max_tokens": 50}]}).max_output_tokens == 200


def test_cache_tokens_are_added_to_the_input() -> None:
    """What was read from and written to a cache stands beside `input_tokens`, and is input as well."""
    usage = {
        "input_tokens": 3,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 12,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 8},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 6},
        "server_tool_use": {"web_search_requests": 2},
    }
    assert used(billed(usage)) == {
        "input_tokens": 35,
        "cache_read_tokens": 20,
        "cache_write_tokens": 4,
        "cache_write_1h_tokens": 8,
        "output_tokens": 9,
        "reasoning_tokens": 6,
        "web_searches": 2,
    }


def test_cache_writes_of_unknown_life_follow_the_others() -> None:
    """A later event of a stream states only their sum: then the rest lasts as long as the ones that are known."""
    plain = used(billed({**USAGE, "cache_creation_input_tokens": 9}))
    assert plain == {"input_tokens": 19, "cache_write_tokens": 9, "output_tokens": 5}
    start = {**USAGE, "cache_creation_input_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 4}}
    stream = events(usage=start)
    stream[-2]["usage"] = {"output_tokens": 7, "cache_creation_input_tokens": 9}
    assert used(streamed(stream_of(), stream))["cache_write_1h_tokens"] == 9


def test_an_advisor_is_billed_beside_the_model_that_asked_it() -> None:
    """The input at the top is only that of the first round: each model is billed for its own rounds."""
    usage = {
        "input_tokens": 412,
        "output_tokens": 89 + 442,
        "iterations": [
            {"type": "message", "input_tokens": 412, "output_tokens": 89},
            {"type": "advisor_message", "model": "claude-opus-4-7", "input_tokens": 823, "output_tokens": 1612},
            {"type": "message", "input_tokens": 1348, "cache_read_input_tokens": 412, "output_tokens": 442},
        ],
    }
    answer = billed(usage)
    assert [(bill.model, bill.usage.to_json()) for bill in answer.bills] == [
        ("claude-sonnet-4-6", {"input_tokens": 412 + 1348 + 412, "cache_read_tokens": 412, "output_tokens": 531}),
        ("claude-opus-4-7", {"input_tokens": 823, "output_tokens": 1612}),
    ]


def test_a_compaction_is_billed_on_top() -> None:
    """Its tokens are not in the counts at the top."""
    usage = {
        "input_tokens": 23_000,
        "output_tokens": 1_000,
        "iterations": [
            {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
            {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
        ],
    }
    assert used(billed(usage)) == {"input_tokens": 203_000, "output_tokens": 4_500}


def test_a_declined_attempt_is_billed_at_its_own_model() -> None:
    """With a fallback each attempt names its model, and the answer is the last one's."""
    usage = {
        "input_tokens": 50,
        "output_tokens": 20,
        "iterations": [
            {"type": "message", "model": "claude-fable-5-2", "input_tokens": 40, "output_tokens": 1},
            {"type": "fallback_message", "model": "claude-opus-5", "input_tokens": 50, "output_tokens": 20},
        ],
    }
    answer = billed(usage, model="claude-opus-5")
    assert [(bill.model, bill.usage.tokens) for bill in answer.bills] == [
        ("claude-opus-5", 70),
        ("claude-fable-5-2", 41),
    ]


def test_tool_rounds_are_not_billed_twice() -> None:
    """Where the counts at the top are the sum of all rounds, they are billed as they are, under the dated name too."""
    rounds = [{"type": "message", "model": "claude-sonnet-4-6-20260203", "input_tokens": 5, "output_tokens": 2}] * 2
    assert used(billed({"input_tokens": 10, "output_tokens": 4, "iterations": rounds})) == {
        "input_tokens": 10,
        "output_tokens": 4,
    }


def test_the_tier_that_served_is_billed() -> None:
    """Batch, priority and the fast mode cost differently; the answer tells, else the request."""
    assert billed({**USAGE, "service_tier": "priority"}).bills[0].service_tier == "priority"
    assert billed({**USAGE, "service_tier": "standard", "speed": "fast"}).bills[0].service_tier == "fast"
    assert billed({**USAGE, "service_tier": "batch"}).bills[0].batch
    fast = asked(URL, {**HELLO, "speed": "fast"})
    assert (fast.service_tier, whole(fast, message(USAGE)).bills[0].service_tier) == ("fast", "fast")


def test_a_cost_that_is_stated_is_kept() -> None:
    """OpenRouter says what a message cost."""
    answer = whole(asked("https://openrouter.ai/api/v1/messages", HELLO), message({**USAGE, "cost": 0.0125}))
    assert answer.bills[0].cost == 12_500_000


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "10",
        {"input_tokens": 10},
        {"output_tokens": 10},
        {"input_tokens": -1, "output_tokens": 2},
        {"input_tokens": True, "output_tokens": 2},
        {"input_tokens": 1.5, "output_tokens": 2},
        {"input_tokens": "10", "output_tokens": 2},
        {"input_tokens": 10**30, "output_tokens": 2},
        {"input_tokens": 0, "output_tokens": 0},
        {**USAGE, "cache_read_input_tokens": -5},
        {**USAGE, "iterations": [{"type": "advisor_message", "input_tokens": {}, "output_tokens": 1}]},
        {**USAGE, "server_tool_use": {"web_search_requests": -1}},
    ],
)
def test_usage_that_makes_no_sense_is_unread(usage: Any) -> None:
    """Missing, negative, absurd or no number: the whole hold counts, and the answer says why."""
    answer = billed(usage)
    assert (answer.kind, answer.bills, bool(answer.reason)) == ("unread", (), True)


@pytest.mark.parametrize("body", [[], "text", 7, None, {"type": "message"}, {"usage": USAGE, "model": 5, "type": []}])
def test_odd_documents_do_no_harm(body: Any) -> None:
    """Whatever stands in an answer, it is billed or unread."""
    assert whole(asked(URL, HELLO), body).kind in {"billed", "unread"}


def test_a_refusal_without_any_token_is_free() -> None:
    """Nothing was read and nothing written."""
    answer = billed({"input_tokens": 0, "output_tokens": 0}, stop_reason="refusal")
    assert (answer.kind, bool(answer.reason)) == ("free", True)


def test_a_stream_is_billed_by_its_last_usage() -> None:
    """The counts of the end are cumulative; what it leaves out stands at the start."""
    assert used(streamed(stream_of(), events(block("text"), text("hi")))) == {"input_tokens": 10, "output_tokens": 7}
    stream = events()
    stream[-2]["usage"] = {"input_tokens": 30, "output_tokens": 9, "cache_read_input_tokens": 2}
    assert used(streamed(stream_of(), stream)) == {"input_tokens": 32, "cache_read_tokens": 2, "output_tokens": 9}


def test_a_stream_that_breaks_off_is_billed_for_what_it_showed() -> None:
    """The input is known from its start; the output is at most a token a byte, never below what was stated."""
    for complete in (False, True):
        answer = streamed(stream_of(), events(text("héllo"), stop=None), complete=complete)
        assert (answer.kind, answer.cut, used(answer)) == ("billed", True, {"input_tokens": 10, "output_tokens": 6})
    stated = events(text("a"), usage={"input_tokens": 10, "output_tokens": 40, "cache_read_input_tokens": 5}, stop=None)
    answer = streamed(stream_of(), stated, complete=False)
    assert used(answer) == {"input_tokens": 15, "cache_read_tokens": 5, "output_tokens": 40}


def test_tool_calls_and_thoughts_count_in_a_broken_stream() -> None:
    """JSON of tools, redacted thoughts and signatures, which hold the whole of a thought, count by their bytes."""
    inner = [
        block("thinking", 0, thinking="", signature=""),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "so"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x" * 100}},
        block("redacted_thinking", 1, data="y" * 50),
        block("tool_use", 2, id="toolu_1", name="f", input={}),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1'}},
    ]
    answer = streamed(stream_of(), events(*inner, stop=None), complete=False)
    assert used(answer)["output_tokens"] == 2 + 100 + 50 + 7


def test_a_stream_that_breaks_off_in_a_hidden_thought_is_unread() -> None:
    """Only a summary of it is shown: how much was thought is not known, unless the model shows all of it."""
    inner = [
        block("thinking", 0, thinking=""),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "so"}},
    ]
    assert streamed(stream_of(), events(*inner, stop=None), complete=False).kind == "unread"
    old = events(*inner, stop=None)
    old[0]["message"]["model"] = "claude-3-7-sonnet-20250219"
    assert streamed(stream_of(), old, complete=False).kind == "billed"


def test_a_stream_that_breaks_off_after_a_tool_of_anthropic_is_unread() -> None:
    """What the model read again is only stated at the end."""
    inner = [block("server_tool_use", 0, id="s", name="web_search", input={}), text("x", 1)]
    assert streamed(stream_of(), events(*inner, stop=None), complete=False).kind == "unread"


def test_a_stream_without_a_start_counts_what_was_asked() -> None:
    """Before anything came, the input is what could be read at most."""
    what = stream_of()
    answer = streamed(what, [{"type": "ping"}], complete=False)
    assert (answer.kind, used(answer)) == ("billed", {"input_tokens": what.input_tokens})
    assert streamed(what, [{"type": "ping"}], complete=True).kind == "unread"


def test_an_error_in_mid_stream_is_held() -> None:
    """It may be billed or not. After the end it changes nothing."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    answer = streamed(stream_of(), [*events(text("a"), stop=None), error])
    assert (answer.kind, "overloaded_error" in answer.reason) == ("held", True)
    assert streamed(stream_of(), [*events(), error]).kind == "billed"


def test_an_answer_that_breaks_off_whole_is_unread() -> None:
    """Without a stream everything was written before the first byte came: the whole hold counts."""
    from spendgate.wire.reading import answer_reader

    reader = answer_reader(asked(URL, HELLO), 200, {"content-type": "application/json"})
    reader.feed(json.dumps(message(USAGE)).encode()[:-5])
    assert reader.end(False).kind == "unread"


def test_the_legacy_completion_is_unread() -> None:
    """Its answers never said what they used."""
    body = {"model": "claude-2.1", "prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": 10}
    what = asked("https://api.anthropic.com/v1/complete", body)
    assert (what.kind, what.max_output_tokens, what.cap) == ("paid", 10, ("max_tokens_to_sample",))
    assert whole(what, {"type": "completion", "completion": " hi", "stop_reason": "stop_sequence"}).kind == "unread"


def test_a_name_that_cannot_be_one_is_unread() -> None:
    """A model of 10,000 characters, with line breaks or no text is not asked for at any price."""
    for model in ("x" * 10_000, "a\nb", 7, ["m"]):
        found = asked(URL, {**HELLO, "model": model})
        assert (found.kind, bool(found.problem)) == ("unread", True)
