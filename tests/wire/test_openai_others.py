"""Embeddings and batches in OpenAI's dialect."""

from typing import Any

import pytest

from tests.wire.speaking import OPENAI, asked, used, whole

EMBED = f"{OPENAI}/embeddings"
BATCHES = f"{OPENAI}/batches"
USAGE = {
    "input_tokens": 900,
    "output_tokens": 100,
    "total_tokens": 1_000,
    "input_tokens_details": {"cached_tokens": 50},
}


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [("naïve", 6), (["ab", "c"], 3), ([1, 2, 3], 3), ([[1, 2], [3]], 3), ("", 0), ([], 0)],
)
def test_what_is_embedded_has_a_bound(texts: Any, tokens: int) -> None:
    """Texts count by their bytes, tokens by their number, and nothing is written."""
    found = asked(EMBED, {"model": "text-embedding-3-small", "input": texts})
    assert (found.api, found.max_output_tokens, found.cap) == ("openai.embeddings", 0, ())
    assert found.input_tokens is not None
    assert tokens <= found.input_tokens <= tokens + 16


def test_what_is_no_text_has_no_bound() -> None:
    """What cannot be measured may be as much as the model takes."""
    assert asked(EMBED, {"model": "m", "input": [{"image": "x"}]}).input_tokens is None


def test_embeddings_bill_their_input() -> None:
    """The prompt's tokens, or the total where only that is stated."""
    found = asked(EMBED, {"model": "text-embedding-3-small", "input": "hello"})
    for usage in ({"prompt_tokens": 4, "total_tokens": 4}, {"total_tokens": 4}):
        assert used(whole(found, {"model": "text-embedding-3-small", "usage": usage})) == {"input_tokens": 4}


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 0}, {"prompt_tokens": -1}, {"prompt_tokens": "4"}, 7])
def test_embeddings_without_sense_are_unread(usage: Any) -> None:
    """No tokens for a text that has some is no usage to believe."""
    answer = whole(asked(EMBED, {"model": "m", "input": "hello"}), {"usage": usage})
    assert (answer.kind, bool(answer.reason)) == ("unread", True)


def test_an_error_in_place_of_embeddings_is_held() -> None:
    """It may have been billed."""
    assert whole(asked(EMBED, {"model": "m", "input": "hello"}), {"error": {"message": "oh"}}).kind == "held"


def batch(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "batch_1", "object": "batch", "status": status, "input_file_id": "file-1", **more}


def test_a_batch_is_begun_and_billed_later() -> None:
    """What it reads stands in a file, so neither its input nor its model is known."""
    begun = asked(BATCHES, {"input_file_id": "file-1", "endpoint": "/v1/responses", "completion_window": "24h"})
    assert (begun.api, begun.kind, begun.later, begun.batch) == ("openai.batches", "paid", True, True)
    assert (begun.input_tokens, begun.model) == (None, "")
    answer = whole(begun, batch("validating"))
    assert (answer.kind, answer.id) == ("later", "batch_1")


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling"])
def test_a_batch_that_goes_on_is_later(status: str) -> None:
    """Asking after it bills nothing."""
    collects = asked(f"{BATCHES}/batch_1", method="GET")
    assert (collects.kind, collects.earlier) == ("collects", "batch_1")
    assert whole(collects, batch(status)).kind == "later"


@pytest.mark.parametrize("status", ["completed", "expired", "cancelled"])
def test_a_batch_that_ended_bills_its_usage(status: str) -> None:
    """At the price of batches, by the model that it names."""
    answer = whole(asked(f"{BATCHES}/batch_1", method="GET"), batch(status, model="gpt-5-mini", usage=USAGE))
    (bill,) = answer.bills
    assert (answer.kind, answer.id, bill.model, bill.batch) == ("billed", "batch_1", "gpt-5-mini", True)
    assert used(answer) == {"input_tokens": 900, "cache_read_tokens": 50, "output_tokens": 100}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"status": "completed"}, "unread"),
        ({"status": "completed", "usage": USAGE}, "unread"),
        ({"status": "completed", "usage": {"input_tokens": -1}, "model": "m"}, "unread"),
        ({"status": "completed", "usage": {"total_tokens": 0}, "model": "m"}, "unread"),
        ({"status": ["x"]}, "unread"),
        ({"status": "failed"}, "free"),
        ({"status": "expired", "request_counts": {"completed": 0}}, "free"),
        ({"status": "cancelled", "request_counts": {"completed": 3}}, "unread"),
        (
            {"status": "completed", "model": "m", "usage": {"total_tokens": 0}, "request_counts": {"completed": 0}},
            "free",
        ),
    ],
)
def test_a_batch_without_its_usage_says_why(more: dict[str, Any], kind: str) -> None:
    """What was never run is free; what does not say what it used, or by which model, is unread."""
    answer = whole(asked(f"{BATCHES}/batch_1", method="GET"), batch(**more))
    assert (answer.kind, bool(answer.reason)) == (kind, True)


def test_cancelling_a_batch_collects_it() -> None:
    """It goes on until its running requests are done."""
    cancels = asked(f"{BATCHES}/batch_1/cancel", method="POST")
    assert (cancels.kind, cancels.earlier) == ("collects", "batch_1")
    assert whole(cancels, batch("cancelling")).kind == "later"


def test_listing_batches_is_free() -> None:
    """A list bills nothing."""
    assert asked(BATCHES, method="GET").kind == "free"


def test_a_call_that_begins_names_the_model_of_its_session() -> None:
    """What is said over a live session is not seen here: it is held whole, by its model's price."""
    found = asked(f"{OPENAI}/live/sessions", {"session": {"model": "gpt-live-1"}, "transport": {"type": "webrtc"}})
    assert (found.kind, found.model) == ("unread", "gpt-live-1")
