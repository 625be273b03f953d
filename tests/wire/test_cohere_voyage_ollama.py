"""APIs with words of their own: Cohere, Voyage, Ollama."""

import json
from decimal import Decimal
from typing import Any

import pytest

from spendgate.wire.reading import answer_reader
from tests.wire.speaking import asked, streamed, used, whole

COHERE = "https://api.cohere.com"
VOYAGE = "https://api.voyageai.com/v1"
BILLED = {"input_tokens": 5, "output_tokens": 7}


@pytest.mark.parametrize(
    ("version", "body", "answer"),
    [
        ("v2", {"messages": [{"role": "user", "content": "hi"}]}, {"usage": {"billed_units": BILLED}}),
        ("v1", {"message": "hi"}, {"meta": {"billed_units": BILLED, "tokens": {"input_tokens": 900}}}),
    ],
)
def test_cohere_bills_billed_units(version: str, body: dict[str, Any], answer: dict[str, Any]) -> None:
    """Tokens of Cohere's own templates are counted by it, and not billed."""
    found = asked(f"{COHERE}/{version}/chat", {"model": "command-a-03-2025", "max_tokens": 9, **body})
    assert (found.api, found.provider, found.max_output_tokens) == ("cohere.chat", "cohere", 9)
    assert found.input_tokens is not None
    assert used(whole(found, answer)) == BILLED


def test_cohere_streams_end_with_their_usage() -> None:
    """Version 2 sends events, version 1 lines."""
    found = asked(f"{COHERE}/v2/chat", {"model": "m", "messages": [], "stream": True})
    said = {"type": "content-delta", "delta": {"message": {"content": {"text": "naïve"}}}}
    last = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"billed_units": BILLED}}}
    assert used(streamed(found, [{"type": "message-start", "id": "1"}, said, last])) == BILLED
    cut = streamed(found, [said], complete=False)
    assert (cut.cut, cut.bills[0].usage.output_tokens) == (True, 6)
    failed = {"type": "message-end", "delta": {"finish_reason": "ERROR"}}
    assert streamed(found, [said, failed]).kind == "held"
    assert streamed(found, [said, {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}]).kind == "unread"
    reader = answer_reader(found, 200, {"content-type": "application/stream+json"})
    for line in (
        {"event_type": "text-generation", "text": "hi"},
        {"event_type": "stream-end", "response": {"meta": {"billed_units": BILLED}}},
    ):
        reader.feed(json.dumps(line).encode() + b"\n")
    assert used(reader.end(True)) == BILLED


def test_cohere_connectors_have_no_bound() -> None:
    """What a connector finds is read too."""
    body = {"model": "m", "message": "hi", "connectors": [{"id": "web-search"}]}
    assert asked(f"{COHERE}/v1/chat", body).input_tokens is None


def test_cohere_embeds_texts_and_images() -> None:
    """Tokens of images are billed beside those of texts; images that are billed one by one cannot be read."""
    found = asked(f"{COHERE}/v2/embed", {"model": "embed-v4.0", "texts": ["ab"], "images": ["data:image/png;base64,A"]})
    assert found.input_tokens is not None
    assert found.input_tokens > 10_000
    assert used(whole(found, {"meta": {"billed_units": {"input_tokens": 2, "image_tokens": 3}}})) == {"input_tokens": 5}
    assert whole(found, {"meta": {"billed_units": {"images": 1}}}).kind == "unread"


def test_cohere_reranks_by_search_units() -> None:
    """A search unit is what the price list calls a rerank search."""
    found = asked(f"{COHERE}/v2/rerank", {"model": "rerank-v3.5", "query": "a", "documents": ["b"]})
    answer = whole(found, {"results": [], "meta": {"billed_units": {"search_units": 2}}})
    assert answer.bills[0].usage.units == (("rerank_searches", Decimal(2)),)


@pytest.mark.parametrize("billed", [None, {}, {"input_tokens": 0}, {"input_tokens": -1}, {"input_tokens": "5"}, 3])
def test_cohere_without_sense_is_unread(billed: Any) -> None:
    """What is no count is not booked."""
    found = asked(f"{COHERE}/v2/chat", {"model": "m", "messages": []})
    answer = whole(found, {"usage": {"billed_units": billed}})
    assert (answer.kind, bool(answer.reason)) == ("unread", True)


def test_cohere_tools_of_both_versions_are_measured() -> None:
    """Version 2 defines tools as OpenAI does, version 1 in a way of its own."""
    new = {"type": "function", "function": {"name": "f"}}
    old = {"name": "f", "description": "d", "parameter_definitions": {}}
    for version, tool in (("v2", new), ("v1", old)):
        assert asked(f"{COHERE}/{version}/chat", {"model": "m", "tools": [tool]}).input_tokens is not None


@pytest.mark.parametrize(
    ("path", "body", "least"),
    [
        ("embeddings", {"input": ["ab", "c"]}, 3),
        ("embeddings", {"input": "abc"}, 3),
        ("contextualizedembeddings", {"inputs": [["ab", "c"], ["d"]]}, 4),
        ("multimodalembeddings", {"inputs": [{"content": [{"type": "image_url", "image_url": "x"}]}]}, 28_572),
        ("rerank", {"query": "abc", "documents": ["d", "e"]}, 8),
    ],
)
def test_voyage_bills_total_tokens(path: str, body: dict[str, Any], least: int) -> None:
    """Texts by their bytes, pictures by their most pixels, a question once for every document."""
    found = asked(f"{VOYAGE}/{path}", {"model": "voyage-3.5", **body})
    assert (found.api, found.provider, found.max_output_tokens) == ("voyage", "voyageai", 0)
    assert found.input_tokens is not None
    assert least <= found.input_tokens
    assert used(whole(found, {"usage": {"total_tokens": 8}})) == {"input_tokens": 8}


def test_voyage_films_have_no_bound() -> None:
    """How long a film is cannot be seen; where only its pixels are stated, it cannot be read."""
    body = {"model": "m", "inputs": [{"content": [{"type": "video_url", "video_url": "x"}]}]}
    found = asked(f"{VOYAGE}/multimodalembeddings", body)
    assert found.input_tokens is None
    assert whole(found, {"usage": {"video_pixels": 9}}).kind == "unread"


def test_ollama_states_its_counts_in_the_last_line() -> None:
    """Lines are streamed unless the request says otherwise; the last one has the counts."""
    url = "http://localhost:11434/api/chat"
    found = asked(url, {"model": "qwen3", "messages": [{"role": "user", "content": "hi", "images": ["AAAA"]}]})
    assert (found.api, found.provider, found.streams) == ("ollama", "ollama", True)
    assert found.cap == ("options", "num_predict")
    reader = answer_reader(found, 200, {"content-type": "application/x-ndjson"})
    reader.feed(b'{"model": "qwen3", "message": {"role": "assistant", "content": "naive"}, "done": false}\n')
    cut = answer_reader(found, 200, {"content-type": "application/x-ndjson"})
    cut.feed(b'{"model": "qwen3", "message": {"role": "assistant", "content": "naive"}, "done": false}\n')
    reader.feed(b'{"model": "qwen3", "done": true, "prompt_eval_count": 26, "eval_count": 9}\n')
    assert used(reader.end(True)) == {"input_tokens": 26, "output_tokens": 9}
    answer = cut.end(False)
    assert (answer.cut, answer.bills[0].usage.output_tokens) == (True, 5)


def test_ollama_embeds_and_fails_in_words_of_its_own() -> None:
    """Embeddings write nothing; an error in a stream is held; an end without counts is unread."""
    found = asked("http://127.0.0.1:11434/api/embed", {"model": "m", "input": ["a"]})
    assert (found.max_output_tokens, found.streams, found.cap) == (0, False, ())
    assert used(whole(found, {"embeddings": [], "prompt_eval_count": 3})) == {"input_tokens": 3}
    plain = asked("http://localhost:11434/api/generate", {"model": "m", "prompt": "a", "stream": False})
    assert whole(plain, {"error": "oh"}).kind == "held"
    assert whole(plain, {"done": True}).kind == "unread"
    assert whole(plain, {"done": True, "eval_count": -1}).kind == "unread"
