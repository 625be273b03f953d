"""Mistral's conversations and its moderation."""

import pytest

from tests.wire.speaking import asked, streamed, used, whole

CONVERSATIONS = "https://api.mistral.ai/v1/conversations"
HELLO = {"model": "mistral-medium-latest", "inputs": "hello"}
USAGE = {"prompt_tokens": 188, "completion_tokens": 55, "total_tokens": 7355, "connector_tokens": 7112}
SAID = {"type": "message.output.delta", "model": "mistral-medium-2505", "content": "hello"}


def test_a_conversation_asks_for_a_model_and_a_cap() -> None:
    """What was said before, what an agent was told and what a connector finds is not in the request."""
    plain = asked(CONVERSATIONS, {**HELLO, "completion_args": {"max_tokens": 50}})
    assert (plain.model, plain.kind, plain.max_output_tokens) == ("mistral-medium-latest", "paid", 50)
    assert plain.input_tokens is not None
    assert plain.cap == ("completion_args", "max_tokens")
    for url, body in (
        (f"{CONVERSATIONS}/conv_1", HELLO),
        (f"{CONVERSATIONS}/conv_1/restart", HELLO),
        (CONVERSATIONS, {"agent_id": "ag_1", "inputs": "hello"}),
        (CONVERSATIONS, {**HELLO, "tools": [{"type": "web_search"}]}),
    ):
        assert asked(url, body).input_tokens is None
    assert asked(CONVERSATIONS, {**HELLO, "tools": [{"type": "web_search_premium"}]}).web_searches == 10
    assert asked(CONVERSATIONS, {**HELLO, "model": 7}).kind == "unread"
    assert asked(f"{CONVERSATIONS}/conv_1/history", method="GET").kind == "free"


def test_what_connectors_brought_is_input() -> None:
    """It is stated beside the prompt; their searches are billed one by one."""
    outputs = [{"type": "tool.execution"}, {"type": "message.output", "model": "mistral-medium-2505"}]
    answer = whole(
        asked(CONVERSATIONS, HELLO),
        {"conversation_id": "conv_1", "outputs": outputs, "usage": {**USAGE, "connectors": {"web_search": 2}}},
    )
    assert used(answer) == {"input_tokens": 7300, "output_tokens": 55, "web_searches": 2}
    assert (answer.id, answer.bills[0].model) == ("conv_1", "mistral-medium-2505")


def test_images_of_a_connector_make_it_unread() -> None:
    """They are billed one by one, and have no price in tokens."""
    answer = whole(asked(CONVERSATIONS, HELLO), {"usage": {**USAGE, "connectors": {"image_generation": 1}}})
    assert (answer.kind, answer.reason) == ("unread", "it made images, which are billed one by one")


def test_a_streamed_conversation_states_its_usage_at_its_end() -> None:
    """Until then it is billed for what was shown, unless a tool ran; an error leaves it held."""
    what = asked(CONVERSATIONS, {**HELLO, "stream": True})
    start = {"type": "conversation.response.started", "conversation_id": "conv_1"}
    end = {"type": "conversation.response.done", "usage": USAGE}
    assert used(streamed(what, [start, SAID, end])) == {"input_tokens": 7300, "output_tokens": 55}
    cut = streamed(what, [start, SAID], complete=False)
    assert (cut.cut, cut.bills[0].usage.output_tokens, cut.bills[0].model) == (True, 5, "mistral-medium-2505")
    ran = streamed(what, [start, {"type": "tool.execution.started", "name": "web_search"}, SAID], complete=False)
    assert ran.kind == "unread"
    fault = {"type": "conversation.response.error", "message": "internal", "code": 500}
    assert streamed(what, [start, SAID, fault]).kind == "held"
    assert streamed(what, [start, SAID]).kind == "unread"


@pytest.mark.parametrize("usage", [{"prompt_tokens": -1}, {"prompt_tokens": 1, "connector_tokens": "x"}])
def test_counts_of_a_conversation_that_are_none_make_it_unread(usage: dict[str, object]) -> None:
    """And the reason says so."""
    answer = whole(asked(CONVERSATIONS, HELLO), {"usage": usage})
    assert (answer.kind, "usage cannot be read" in answer.reason) == ("unread", True)


@pytest.mark.parametrize("path", ["moderations", "chat/moderations", "classifications", "chat/classifications"])
def test_moderation_is_billed_by_what_it_read(path: str) -> None:
    """It writes nothing."""
    what = asked(f"https://api.mistral.ai/v1/{path}", {"model": "mistral-moderation-latest", "input": ["a", "bc"]})
    assert (what.kind, what.max_output_tokens) == ("paid", 0)
    assert what.input_tokens is not None
    assert what.input_tokens >= 3
    answer = whole(what, {"model": "mistral-moderation-2411", "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    assert used(answer) == {"input_tokens": 4}
