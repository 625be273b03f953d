"""Anthropic's message batches: set aside when they are begun, billed when their results are fetched."""

import json
from typing import Any

import pytest

from spendgate.wire.exchange import Answer
from spendgate.wire.reading import answer_reader
from tests.wire.speaking import asked, whole

URL = "https://api.anthropic.com/v1/messages/batches"
RESULTS = f"{URL}/msgbatch_1/results"


def one(number: int, **more: Any) -> dict[str, Any]:
    params = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}], **more}
    return {"custom_id": f"r{number}", "params": params}


def result(kind: str = "succeeded", model: str = "claude-haiku-4-5-20251001", **usage: Any) -> dict[str, Any]:
    counts = {"input_tokens": 10, "output_tokens": 5, "service_tier": "batch", **usage}
    message = {"type": "message", "model": model, "usage": counts}
    return {"custom_id": "r", "result": {"type": kind, **({"message": message} if kind == "succeeded" else {})}}


def collected(*lines: Any, complete: bool = True, size: int = 7, kind: str = "application/x-jsonl") -> Answer:
    body = "\n".join(json.dumps(line) for line in lines).encode()
    reader = answer_reader(asked(RESULTS, method="GET"), 200, {"content-type": kind})
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    return reader.end(complete)


def test_a_batch_is_set_aside_whole() -> None:
    """Its requests are summed up, at the price of batches, and it is billed later."""
    single = asked("https://api.anthropic.com/v1/messages", one(1)["params"])
    found = asked(URL, {"requests": [one(1), one(2, max_tokens=70)]})
    assert (found.kind, found.batch, found.later, found.model) == ("paid", True, True, "claude-haiku-4-5")
    assert (found.max_output_tokens, found.answers) == (120, 2)
    assert found.input_tokens == 2 * (single.input_tokens or 0)
    assert whole(found, {"id": "msgbatch_1", "type": "message_batch"}) == Answer("later", id="msgbatch_1")
    assert whole(found, {"type": "message_batch"}).kind == "unread"


def test_one_open_request_leaves_the_batch_open() -> None:
    """Where one request can read as much as the model takes, so can the batch."""
    search = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    found = asked(URL, {"requests": [one(1), one(2, tools=search)]})
    assert (found.input_tokens, found.web_searches) == (None, 2)


@pytest.mark.parametrize("body", [{}, {"requests": []}, {"requests": 7}])
def test_a_batch_without_requests_is_unread(body: Any) -> None:
    """Nobody can say what it will cost."""
    assert asked(URL, body).kind == "unread"


def test_results_bill_each_model_once() -> None:
    """All answers of a model together, for the call that began the batch; what failed is not billed."""
    lines = [
        result(service_tier="batch"),
        result(cache_read_input_tokens=3),
        result(model="claude-opus-4-7"),
        result("errored"),
        result("expired"),
    ]
    for kind in ("application/x-jsonl", "application/binary"):
        answer = collected(*lines, kind=kind)
        assert (answer.kind, answer.id) == ("billed", "msgbatch_1")
        assert {bill.service_tier for bill in answer.bills} == {""}
        assert [(bill.model, bill.batch, bill.usage.to_json()) for bill in answer.bills] == [
            ("claude-haiku-4-5-20251001", True, {"input_tokens": 23, "cache_read_tokens": 3, "output_tokens": 10}),
            ("claude-opus-4-7", True, {"input_tokens": 10, "output_tokens": 5}),
        ]


def test_a_batch_of_failures_is_free() -> None:
    """Requests that failed, expired or were cancelled are not billed."""
    answer = collected(result("errored"), result("canceled"))
    assert (answer.kind, answer.id) == ("free", "msgbatch_1")


def test_results_that_break_off_are_fetched_again() -> None:
    """Half of the results is no bill."""
    assert collected(result(), complete=False).kind == "later"


@pytest.mark.parametrize("line", [result(input_tokens=-1), {"custom_id": "r"}, {"result": {"type": "new"}}, 7])
def test_one_unreadable_result_makes_the_batch_unread(line: Any) -> None:
    """What it used cannot be said, so the whole hold counts."""
    answer = collected(result(), line)
    assert (answer.kind, bool(answer.reason)) == ("unread", True)


def test_asking_after_a_batch_is_free() -> None:
    """Its state, the list of batches and its end cost nothing."""
    for method, url in [("GET", URL), ("GET", f"{URL}/msgbatch_1"), ("DELETE", f"{URL}/msgbatch_1")]:
        assert asked(url, method=method).kind == "free"
    assert asked(f"{URL}/msgbatch_1/cancel", {}).kind == "free"


def test_results_that_are_not_there_yet_are_later() -> None:
    """An error in place of the results says nothing about the bill."""
    reader = answer_reader(asked(RESULTS, method="GET"), 404, {})
    assert (reader.end(True).kind, reader.end(True).id) == ("later", "msgbatch_1")
