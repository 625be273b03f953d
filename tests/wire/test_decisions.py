"""Models that answer typed questions, and hosts whose answers name another model than the one that was asked for."""

from typing import Any

import pytest

from tests.wire.speaking import OPENAI, asked, streamed, used, whole

DECISIONS = f"{OPENAI}/decisions"
SYSTEM_ONE = "https://api.typesafe.ai/v1/systemone"
DATABRICKS = "https://dbc-1.cloud.databricks.com/serving-endpoints/chat/completions"
ASKED = [{"type": "predicate", "name": "late", "instructions": "Is it about a delay?"}]
HELLO = [{"role": "user", "content": "hello"}]


def test_decisions_write_nothing_and_have_prices_of_their_own() -> None:
    """OpenAI's decisions are held by their own list; what is read has a bound, what is written none to pay for."""
    what = asked(DECISIONS, {"model": "gpt-6-luna", "input": "Where is it?", "questions": ASKED})
    assert (what.provider, what.model, what.max_output_tokens, what.cap) == ("openai-decisions", "gpt-6-luna", 0, ())
    elsewhere = asked("https://openrouter.ai/api/v1/decisions", {"model": "typesafe/jev-1.13", "input": "x"})
    assert (elsewhere.provider, elsewhere.kind) == ("openrouter", "paid")


@pytest.mark.parametrize("count", [1, 2, 40])
def test_every_question_adds_to_what_is_read(count: int) -> None:
    """About 170 tokens stand around the first question of a short request, as recorded ones state."""
    what = asked(DECISIONS, {"model": "gpt-6-luna", "input": "Where is it?", "questions": ASKED * count})
    by_name = {f"q{number}": ASKED[0] for number in range(count)}
    same = asked(SYSTEM_ONE, {"model": "jev-latest", "state": {"said": "Where is it?"}, "questions": by_name})
    for found in (what, same):
        assert found.input_tokens is not None
        assert 170 + 100 * count < found.input_tokens < 600 + 300 * count


def test_questions_about_a_picture_elsewhere_have_no_bound() -> None:
    """A picture behind a URL can be as much as the model takes."""
    shown = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]
    assert asked(DECISIONS, {"model": "gpt-6-luna", "input": shown, "questions": ASKED}).input_tokens is None


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -1}, {"input_tokens": 0, "output_tokens": 0}])
def test_decisions_that_do_not_say_what_they_read_are_unread(usage: Any) -> None:
    """The whole hold counts, and the reason is said."""
    what = asked(SYSTEM_ONE, {"model": "jev-latest", "state": "x", "questions": {}})
    answer = whole(what, {"model": "jev-1.13.0", "usage": usage})
    assert (answer.kind, bool(answer.reason)) == ("unread", True)


def test_a_stream_that_states_only_its_input_is_billed_for_what_it_wrote() -> None:
    """Databricks repeats the prompt's tokens with each piece and leaves the output open until the end."""
    what = asked(DATABRICKS, {"model": "databricks-glm-5-2", "messages": HELLO, "stream": True})
    usage = {"prompt_tokens": 11, "completion_tokens": None, "total_tokens": None}
    pieces = [{"model": "glm", "choices": [{"index": 0, "delta": {"content": "four"}}], "usage": usage}] * 3
    answer = streamed(what, pieces, complete=False)
    assert (answer.cut, answer.bills[0].model) == (True, "databricks-glm-5-2")
    assert used(answer) == {"input_tokens": 11, "output_tokens": 12}


def test_an_answer_tells_what_an_unread_request_used() -> None:
    """A body that the caller streams is not seen; a whole answer states it all, and one cut off or nameless nothing."""
    what = asked(f"{OPENAI}/chat/completions")
    stated = {"model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    assert used(whole(what, stated)) == {"input_tokens": 9, "output_tokens": 2}
    piece = {**stated, "choices": [{"index": 0, "delta": {"content": "x"}}]}
    ended = {**stated, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    assert used(streamed(what, [piece, ended, "[DONE]"])) == {"input_tokens": 9, "output_tokens": 2}
    for answer in (streamed(what, [piece], complete=False), whole(what, {**stated, "model": None}), whole(what, {})):
        assert (answer.kind, answer.reason) == ("unread", what.problem)
