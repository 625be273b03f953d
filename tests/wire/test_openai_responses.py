"""Responses: plain, streamed, in the background, collected, with tools that the provider runs."""

from typing import Any

import pytest

from spendgate.wire.exchange import Asked
from tests.wire.speaking import OPENAI, asked, streamed, used, whole

URL = f"{OPENAI}/responses"
HELLO: dict[str, Any] = {"model": "gpt-4.1", "input": "hello"}
USAGE = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}


def response(status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "model": "gpt-4.1-2025-04-14", "status": status, "output": [], **more}


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


def stream_of(**more: Any) -> Asked:
    return asked(URL, {**HELLO, "stream": True, **more})


def test_a_request_says_what_it_can_cost() -> None:
    """Model, cap, service tier and whether it streams are read; streams report usage unasked."""
    found = asked(URL, {**HELLO, "max_output_tokens": 50, "service_tier": "priority", "stream": True})
    assert (found.api, found.model, found.max_output_tokens, found.service_tier) == (
        "openai.responses",
        "gpt-4.1",
        50,
        "priority",
    )
    assert (found.streams, found.usage_flag, found.cap, found.later) == (True, (), ("max_output_tokens",), False)
    assert found.input_tokens is not None


def test_compaction_has_no_cap() -> None:
    """`compact` does not take one, and its answer names no model."""
    found = asked(f"{URL}/compact", HELLO)
    assert (found.api, found.cap, found.kind) == ("openai.responses", (), "paid")
    answer = whole(found, {"id": "resp_1", "object": "response.compaction", "output": [], "usage": USAGE})
    assert (answer.kind, answer.bills[0].model) == ("billed", "gpt-4.1")


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_0"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "mcp", "server_url": "https://example.com"}]},
        {"tools": ["what is this"]},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://example.com/a.pdf"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]},
    ],
)
def test_input_that_is_elsewhere_has_no_bound(more: dict[str, Any]) -> None:
    """Earlier turns, stored prompts, files, links and what the provider's own tools find may fill the context."""
    assert asked(URL, {**HELLO, **more}).input_tokens is None


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "name": "f", "parameters": {}}]},
        {"tools": [{"type": "custom", "name": "f"}], "instructions": "be brief"},
        {"input": [{"type": "function_call_output", "call_id": "1", "output": "42"}], "previous_response_id": None},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]},
        {"input": [{"type": "reasoning", "encrypted_content": "x" * 100, "summary": []}]},
    ],
)
def test_input_that_is_there_has_a_bound(more: dict[str, Any]) -> None:
    """What the request contains is measured."""
    assert asked(URL, {**HELLO, **more}).input_tokens is not None


def test_searches_of_the_web_are_set_aside_and_counted() -> None:
    """As many as the request allows at most; billed are searches, not the pages that were opened."""
    tools = [{"type": "web_search"}]
    assert asked(URL, {**HELLO, "tools": tools, "max_tool_calls": 3}).web_searches == 3
    assert asked(URL, {**HELLO, "tools": tools}).web_searches == 10
    kinds = ["search", "open_page", "find_in_page", None]
    items = [{"type": "web_search_call", "action": {"type": kind}} for kind in kinds] + [{"type": "message"}]
    found = asked(URL, {**HELLO, "tools": tools})
    assert used(whole(found, response(output=items, usage=USAGE)))["web_searches"] == 2
    more = {"web_search": {"num_requests": 5}}
    assert used(whole(found, response(output=items, usage=USAGE, tool_usage=more)))["web_searches"] == 5


def test_images_that_it_made_are_billed_by_the_model_that_made_them() -> None:
    """One call, two models; where the images' usage is not stated, nobody knows what they cost."""
    drawn = {"input_tokens": 30, "output_tokens": 1_056, "total_tokens": 1_086}
    tools = [{"type": "image_generation", "model": "gpt-image-1-mini"}]
    items = [{"type": "image_generation_call", "result": "AAAA"}]
    body = response(output=items, usage=USAGE, tools=tools, tool_usage={"image_gen": drawn})
    answer = whole(asked(URL, {**HELLO, "tools": tools}), body)
    assert [(bill.model, bill.usage.tokens) for bill in answer.bills] == [
        ("gpt-4.1-2025-04-14", 13),
        ("gpt-image-1-mini", 1_086),
    ]
    assert whole(asked(URL, HELLO), response(output=items, usage=USAGE)).kind == "unread"


@pytest.mark.parametrize("last", ["completed", "incomplete", "failed", "cancelled"])
def test_usage_on_any_last_event_counts(last: str) -> None:
    """However a response ended, what it states is billed."""
    body = [event("created", response=response("in_progress")), event(last, response=response(last, usage=USAGE))]
    answer = streamed(stream_of(), body)
    assert (answer.kind, answer.id, answer.cut) == ("billed", "resp_1", False)
    assert used(answer) == {"input_tokens": 9, "output_tokens": 4}


@pytest.mark.parametrize("last", ["failed", "cancelled"])
def test_a_failure_without_usage_is_held(last: str) -> None:
    """It may be billed or not."""
    assert whole(asked(URL, HELLO), response(last, error={"code": "server_error"})).kind == "held"
    assert streamed(stream_of(), [event(last, response=response(last))]).kind == "held"
    assert streamed(stream_of(), [{"type": "error", "message": "oh"}]).kind == "held"


def test_a_whole_answer_without_usage_is_unread() -> None:
    """A response that completed and says nothing counts as the whole hold."""
    for answer in (
        whole(asked(URL, HELLO), response()),
        streamed(stream_of(), [event("completed", response=response())]),
    ):
        assert (answer.kind, answer.reason) == ("unread", "it ended without saying what it used")


def test_a_dropped_stream_bills_what_was_produced() -> None:
    """All of the input, and at most a token for each byte of what was written, with the searches that were made."""
    body = [
        event("created", response=response("in_progress")),
        event("output_item.added", item={"type": "function_call", "name": "look"}),
        event("function_call_arguments.delta", delta='{"a"'),
        event("output_item.done", item={"type": "web_search_call", "action": {"type": "search"}}),
        event("output_text.delta", delta="naïve"),
    ]
    for complete in (False, True):
        answer = streamed(stream_of(), body, complete=complete)
        assert (answer.kind, answer.cut, answer.bills[0].model) == ("billed", True, "gpt-4.1-2025-04-14")
        produced = len("look") + len('{"a"') + len("naïve".encode())
        expected = {"input_tokens": stream_of().input_tokens, "output_tokens": produced, "web_searches": 1}
        assert used(answer) == expected


@pytest.mark.parametrize("kind", ["reasoning", "image_generation_call"])
def test_a_dropped_stream_that_hid_part_of_its_work_is_unread(kind: str) -> None:
    """Reasoning and images are not in the stream, so nobody knows how much of them there was."""
    body = [event("output_item.added", item={"type": kind}), event("output_text.delta", delta="hi")]
    assert streamed(stream_of(), body, complete=False).kind == "unread"


def test_reasoning_that_is_shown_counts() -> None:
    """Open models show their reasoning in full."""
    body = [event("output_item.added", item={"type": "reasoning"}), event("reasoning_text.delta", delta="hmm")]
    answer = streamed(stream_of(), body, complete=False)
    assert (answer.cut, answer.bills[0].usage.output_tokens) == (True, 3)


def test_a_background_response_is_billed_when_it_is_collected() -> None:
    """The first answer has its id; asking after it says *later* until it has ended."""
    begun = asked(URL, {**HELLO, "background": True})
    answer = whole(begun, response("queued", usage=None))
    assert (begun.later, answer.kind, answer.id, answer.bills) == (True, "later", "resp_1", ())
    collects = asked(f"{URL}/resp_1?stream=false", method="GET")
    assert (collects.kind, collects.earlier, collects.streams) == ("collects", "resp_1", False)
    assert whole(collects, response("in_progress")).kind == "later"
    assert whole(collects, response("in_progress", usage=USAGE)).kind == "later"
    answer = whole(collects, response(usage=USAGE))
    assert (answer.kind, answer.id, used(answer)) == ("billed", "resp_1", {"input_tokens": 9, "output_tokens": 4})


def test_a_background_response_that_streams_may_be_billed_at_once() -> None:
    """Its stream ends with the usage; when it breaks off, the work goes on."""
    begun = stream_of(background=True)
    body = [event("created", response=response("queued")), event("output_text.delta", delta="hi")]
    last = event("completed", response=response(usage=USAGE))
    assert streamed(begun, [*body, last]).kind == "billed"
    answer = streamed(begun, body, complete=False)
    assert (answer.kind, answer.id) == ("later", "resp_1")


def test_a_stream_that_collects_is_read_like_any_other() -> None:
    """`GET` with `stream=true` gives the same events again."""
    collects = asked(f"{URL}/resp_1?starting_after=3&stream=true", method="get")
    assert (collects.kind, collects.streams) == ("collects", True)
    assert streamed(collects, [event("completed", response=response(usage=USAGE))]).kind == "billed"
    answer = streamed(collects, [event("output_text.delta", delta="hi")], complete=False)
    assert (answer.kind, answer.id) == ("later", "resp_1")


@pytest.mark.parametrize("status", [404, 429, 500, 504])
def test_asking_in_vain_says_nothing_about_the_earlier_call(status: int) -> None:
    """An error while collecting does not free what is held."""
    answer = whole(asked(f"{URL}/resp_1", method="GET"), {"error": {}}, status)
    assert (answer.kind, answer.id) == ("later", "resp_1")


def test_cancelling_collects() -> None:
    """What a cancelled response used is billed if it is stated, and held if not."""
    cancels = asked(f"{URL}/resp_1/cancel", {})
    assert (cancels.kind, cancels.earlier) == ("collects", "resp_1")
    assert whole(cancels, response("cancelled", usage=USAGE)).kind == "billed"
    assert whole(cancels, response("cancelled")).kind == "held"


@pytest.mark.parametrize("path", ["resp_1/input_items", "?limit=3"])
def test_other_questions_are_free(path: str) -> None:
    """Lists cost nothing."""
    assert asked(f"{URL}/{path}".replace("/?", "?"), method="GET").kind == "free"


def test_counting_input_and_deleting_is_free() -> None:
    """Neither runs a model."""
    assert asked(f"{URL}/input_tokens", HELLO).kind == "free"
    assert asked(f"{URL}/resp_1", method="DELETE").kind == "free"
