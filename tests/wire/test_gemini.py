"""Gemini: generating, embedding, caching and batches, on Google AI Studio and on Vertex AI."""

import json
from typing import Any

import pytest

from spendgate.wire.exchange import Answer, Asked
from spendgate.wire.reading import answer_reader
from tests.wire.speaking import asked, streamed, used, whole

STUDIO = "https://generativelanguage.googleapis.com/v1beta"
VERTEX = (
    "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1/publishers/google/models"
)
FLASH = f"{STUDIO}/models/gemini-2.5-flash:generateContent"
THREE = f"{STUDIO}/models/gemini-3-flash-preview:generateContent"
STREAM = f"{STUDIO}/models/gemini-2.0-flash:streamGenerateContent?alt=sse"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}


def chunk(text: str = "", finish: str | None = None, usage: Any = None, index: int = 0, **more: Any) -> dict[str, Any]:
    candidate = {"index": index, "content": {"parts": [{"text": text}]}, **({"finishReason": finish} if finish else {})}
    counted = {} if usage is None else {"usageMetadata": usage}
    return {"candidates": [candidate | more], "modelVersion": "gemini-2.0-flash", "responseId": "r1", **counted}


def answered(usage: Any, **more: Any) -> Answer:
    body = {"candidates": [{"finishReason": "STOP", **more}], "modelVersion": "gemini-2.5-flash"}
    return whole(asked(FLASH, HELLO), {**body, "usageMetadata": usage})


@pytest.mark.parametrize(
    ("url", "model", "streams"),
    [
        (FLASH, "gemini-2.5-flash", False),
        (STREAM, "gemini-2.0-flash", True),
        (f"{STUDIO}/models/gemini-2.0-flash:streamGenerateContent", "gemini-2.0-flash", True),
        (f"{STUDIO}/tunedModels/my-own:generateContent", "my-own", False),
        (f"{VERTEX}/gemini-2.5-pro:generateContent", "gemini-2.5-pro", False),
        ("https://aiplatform.googleapis.com/v1/publishers/google/models/g:streamGenerateContent", "g", True),
        (
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/7:generateContent",
            "7",
            False,
        ),
    ],
)
def test_the_model_stands_in_the_path(url: str, model: str, streams: bool) -> None:
    """Both of Google's APIs name the model and what it is to do in the path."""
    found = asked(url, HELLO)
    assert (found.api, found.provider, found.kind) == ("gemini.generate", "google", "paid")
    assert (found.model, found.streams) == (model, streams)


def test_a_request_says_what_it_can_cost() -> None:
    """Caps count for each candidate, in camel case or with underscores; the input is bounded by its bytes."""
    body = {**HELLO, "generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}}
    found = asked(FLASH, body)
    assert (found.max_output_tokens, found.answers, found.cap) == (100, 2, ("generationConfig", "maxOutputTokens"))
    assert found.input_tokens is not None
    assert 5 <= found.input_tokens < 60
    found = asked(FLASH, {**HELLO, "generation_config": {"max_output_tokens": 50}})
    assert (found.max_output_tokens, found.cap) == (50, ("generation_config", "max_output_tokens"))
    assert asked(FLASH, HELLO).max_output_tokens is None


@pytest.mark.parametrize(
    "more",
    [
        {"cachedContent": "cachedContents/1"},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"url_context": {}}]},
        {"tools": [{"codeExecution": {}}, {"functionDeclarations": []}]},
        {"tools": [{"fileSearch": {"fileSearchStoreNames": ["x"]}}]},
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://youtu.be/x"}}]}]},
        {"contents": [{"parts": [{"inlineData": {"mimeType": "application/zip", "data": "AAAA"}}]}]},
    ],
)
def test_what_is_not_in_the_request_counts_as_the_context(more: dict[str, Any]) -> None:
    """References, and tools that Google runs, leave the input open."""
    assert asked(FLASH, {**HELLO, **more}).input_tokens is None


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("image/png", 6_192, 6_300),
        ("audio/mp3", 3_200, 22_000),
        ("video/mp4", 30_000, 110_000),
        ("text/csv", 300_000, 310_000),
    ],
)
def test_media_count_by_their_kind(kind: str, least: int, most: int) -> None:
    """300 kB of an image, a sound, a film and a table: by tiles, seconds, frames and bytes."""
    part = {"inlineData": {"mimeType": kind, "data": "A" * 400_000}}
    found = asked(FLASH, {"contents": [{"parts": [part]}]}).input_tokens
    assert found is not None
    assert least <= found <= most


def test_thoughts_are_output_and_tools_bring_input() -> None:
    """Candidates leave out thoughts; the prompt leaves out what tools brought in, and includes what was cached."""
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "toolUsePromptTokenCount": 30,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 157,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"modality": "AUDIO", "tokenCount": 20}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
        "serviceTier": "priority",
    }
    answer = answered(usage)
    assert used(answer) == {
        "input_tokens": 130,
        "cache_read_tokens": 60,
        "output_tokens": 27,
        "reasoning_tokens": 7,
        "input_audio_tokens": 20,
        "cache_audio_read_tokens": 15,
        "output_audio_tokens": 5,
    }
    assert answer.bills[0].service_tier == "priority"


def test_what_only_the_total_has_is_output() -> None:
    """Tokens that are in no other count were billed all the same."""
    assert used(answered({"promptTokenCount": 10, "totalTokenCount": 25})) == {"input_tokens": 10, "output_tokens": 15}


def test_vertex_names_the_tier_in_its_own_way() -> None:
    """`trafficType` tells priority and flex apart from what costs the list price."""
    tiers = [
        answered({**USAGE, "trafficType": kind}).bills[0].service_tier
        for kind in ("ON_DEMAND", "ON_DEMAND_PRIORITY", "ON_DEMAND_FLEX", "PROVISIONED_THROUGHPUT")
    ]
    assert tiers == ["", "priority", "flex", ""]


@pytest.mark.parametrize(
    ("url", "grounding", "searches"),
    [
        (FLASH, {"webSearchQueries": ["a", "b"], "groundingChunks": [{"web": {"uri": "https://x"}}]}, 1),
        (FLASH, {"webSearchQueries": ["a", "b"]}, 0),
        (FLASH, {"groundingChunks": [{"maps": {"uri": "https://x"}}]}, 1),
        (THREE, {"webSearchQueries": ["a", "", "b", "a", " "]}, 2),
        (THREE, {"webSearchQueries": ["a"], "imageSearchQueries": ["c"]}, 2),
        (THREE, {"groundingChunks": [{"maps": {}}]}, 0),
        (THREE, {"groundingChunks": [{"maps": {"uri": "https://x"}}]}, 1),
        (THREE, {"groundingChunks": [{"retrievedContext": {"uri": "x"}}]}, 0),
        (THREE, {"webSearchQueries": "a", "groundingChunks": 7}, 0),
    ],
)
def test_searches_are_billed_by_the_model_generation(url: str, grounding: Any, searches: int) -> None:
    """Gemini 3 bills each different query, older models a prompt that cites the web."""
    body = {"candidates": [{"finishReason": "STOP", "groundingMetadata": grounding}], "usageMetadata": USAGE}
    assert whole(asked(url, HELLO), body).bills[0].usage.web_searches == searches


def test_searches_are_set_aside() -> None:
    """One for the older models, several for the newer ones."""
    tools = {"tools": [{"google_search": {}}]}
    assert [asked(url, {**HELLO, **tools}).web_searches for url in (FLASH, THREE)] == [1, 10]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        7,
        {"thoughtsTokenCount": 5},
        {"promptTokenCount": -1},
        {"promptTokenCount": "10"},
        {"promptTokenCount": 10, "candidatesTokenCount": 1e30},
        {"promptTokenCount": 1, "cachedContentTokenCount": 9},
        {"promptTokenCount": 0, "totalTokenCount": 0},
        {"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}]},
    ],
)
def test_usage_that_makes_no_sense_is_unread(usage: Any) -> None:
    """Missing, negative, absurd or no number: the whole hold counts, and the answer says why."""
    answer = answered(usage)
    assert (answer.kind, answer.bills, bool(answer.reason)) == ("unread", (), True)


def test_a_blocked_prompt_is_billed_for_its_input() -> None:
    """It was read, and no candidate came of it."""
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    assert used(whole(asked(FLASH, HELLO), body)) == {"input_tokens": 9}
    assert used(streamed(asked(STREAM, HELLO), [body], complete=False)) == {"input_tokens": 9}


def stream() -> list[dict[str, Any]]:
    first = {"promptTokenCount": 15, "totalTokenCount": 15, "cachedContentTokenCount": 3}
    return [
        chunk("The", usage=first),
        chunk(" end", usage=first),
        chunk(".", "STOP", {**USAGE, "promptTokenCount": 13, "totalTokenCount": 17}),
    ]


def test_a_stream_is_billed_by_its_last_usage() -> None:
    """Each chunk states what there is so far; the last one counts, with what it leaves out from those before."""
    answer = streamed(asked(STREAM, HELLO), stream())
    assert used(answer) == {"input_tokens": 13, "cache_read_tokens": 3, "output_tokens": 4}
    assert (answer.kind, answer.cut, answer.id) == ("billed", False, "r1")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 1000])
def test_an_array_is_read_like_a_stream(size: int) -> None:
    """Without `alt=sse` the chunks come as one JSON array, in pieces of any size."""
    what = asked(f"{STUDIO}/models/gemini-2.0-flash:streamGenerateContent", HELLO)
    body = json.dumps(stream(), indent=1).encode()
    reader = answer_reader(what, 200, {"content-type": "application/json; charset=UTF-8"})
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    assert reader.end(True) == streamed(asked(STREAM, HELLO), stream())


def cut(*chunks: dict[str, Any], url: str = STREAM, what: Asked | None = None) -> Answer:
    return streamed(what or asked(url, HELLO), chunks, complete=False)


def test_a_stream_that_breaks_off_is_billed_for_what_it_showed() -> None:
    """The input is what was stated of it; the output at most a token a byte, never below what was stated."""
    answer = cut(*stream()[:2])
    assert (answer.kind, answer.cut) == ("billed", True)
    assert used(answer) == {"input_tokens": 15, "cache_read_tokens": 3, "output_tokens": 7}
    assert (
        used(cut(chunk("a", usage={**USAGE, "candidatesTokenCount": 50, "totalTokenCount": 60})))["output_tokens"] == 50
    )
    what = asked(STREAM, HELLO)
    assert used(cut(chunk("abc"), what=what)) == {"input_tokens": what.input_tokens, "output_tokens": 3}


def test_a_stream_that_breaks_off_in_hidden_thoughts_is_unread() -> None:
    """Gemini 2.5 and later think unseen; what they thought is known once a chunk has counted it."""
    url = f"{STUDIO}/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    plain = chunk("abc", usage={"promptTokenCount": 10, "totalTokenCount": 10})
    plain["modelVersion"] = "gemini-2.5-flash"
    assert cut(plain, url=url).kind == "unread"
    plain["usageMetadata"] |= {"thoughtsTokenCount": 90, "totalTokenCount": 100}
    assert used(cut(plain, url=url)) == {"input_tokens": 10, "output_tokens": 93, "reasoning_tokens": 90}


def test_pictures_in_a_broken_stream_do_not_count_by_their_base64() -> None:
    """A picture is a few thousand tokens, a second of speech some dozens, whatever their bytes."""

    def tokens(kind: str) -> int:
        part = {"inlineData": {"mimeType": kind, "data": "A" * 400_000}}
        one = {"candidates": [{"content": {"parts": [part]}}], "usageMetadata": {"promptTokenCount": 1}}
        return int(used(cut(one))["output_tokens"])

    assert [tokens("image/png"), tokens("audio/L16;rate=24000")] == [2_520, 300]


def test_several_candidates_end_one_by_one() -> None:
    """A stream has ended when each of its candidates has."""
    last = {**USAGE, "candidatesTokenCount": 2}
    both = [chunk("a", "STOP", last), chunk("b", "STOP", USAGE, index=1)]
    assert not cut(*both).cut
    assert cut(both[0], chunk("b", index=1)).cut


def test_an_error_in_mid_stream_is_held() -> None:
    """It may be billed or not."""
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    answer = streamed(asked(STREAM, HELLO), [chunk("a"), error])
    assert (answer.kind, "overloaded" in answer.reason) == ("held", True)


@pytest.mark.parametrize(
    "body",
    [
        [],
        [7],
        "x",
        None,
        {"candidates": {}},
        {"candidates": [[]]},
        {"usageMetadata": {"promptTokenCount": 3}, "candidates": [{"content": {"parts": [4, {"text": []}]}}]},
    ],
)
def test_odd_documents_do_no_harm(body: Any) -> None:
    """Whatever stands in an answer, it is billed or unread."""
    assert whole(asked(FLASH, HELLO), body).kind in {"billed", "unread"}


def test_embeddings_are_input_alone() -> None:
    """By their usage, or on Vertex AI by the counts of each text; where nobody counts, the whole hold stays."""
    one = {"content": {"parts": [{"text": "hello"}]}, "model": "models/gemini-embedding-001"}
    url = f"{STUDIO}/models/gemini-embedding-001"
    single, many = asked(f"{url}:embedContent", one), asked(f"{url}:batchEmbedContents", {"requests": [one, one]})
    assert (single.max_output_tokens, many.input_tokens) == (0, 2 * (single.input_tokens or 0))
    assert whole(single, {"embedding": {"values": [0.1]}}).kind == "unread"
    assert used(whole(many, {"embeddings": [], "usageMetadata": {"promptTokenCount": 6}})) == {"input_tokens": 6}
    vertex = asked(f"{VERTEX}/gemini-embedding-001:predict", {"instances": [{"content": "hello"}, {"content": "you"}]})
    counted = [{"embeddings": {"values": [], "statistics": {"token_count": n}}} for n in (1, 2)]
    assert vertex.input_tokens is not None
    assert used(whole(vertex, {"predictions": counted})) == {"input_tokens": 3}
    assert whole(vertex, {"predictions": [*counted, {}]}).kind == "unread"


def test_a_picture_model_is_unread() -> None:
    """Pictures are billed one by one, which no tokens tell."""
    what = asked(f"{VERTEX}/imagen-4.0-generate-001:predict", {"instances": [{"prompt": "a cat"}]})
    assert (what.kind, what.input_tokens) == ("paid", None)
    assert whole(what, {"predictions": [{"bytesBase64Encoded": "AAAA"}]}).kind == "unread"


def test_a_cache_is_billed_when_it_is_made() -> None:
    """Its tokens are read once; changing and deleting it is free."""
    what = asked(f"{STUDIO}/cachedContents", {**HELLO, "model": "models/gemini-2.5-flash"})
    assert (what.kind, what.model, what.max_output_tokens) == ("paid", "gemini-2.5-flash", 0)
    made = {"name": "cachedContents/1", "model": "models/gemini-2.5-flash", "usageMetadata": {"totalTokenCount": 3512}}
    assert used(whole(what, made)) == {"input_tokens": 3512}
    assert asked(f"{STUDIO}/cachedContents/1", {}, method="PATCH").kind == "free"
    assert asked(f"{STUDIO}/cachedContents/1", method="DELETE").kind == "free"


@pytest.mark.parametrize(
    "path",
    ["models/gemini-2.5-flash:countTokens", "fileSearchStores", "auth_tokens", "batches/1:cancel", "files:register"],
)
def test_what_is_not_billed_is_free(path: str) -> None:
    """Counting tokens and managing what lies with Google costs nothing."""
    assert asked(f"{STUDIO}/{path}", {}).kind == "free"


def test_indexing_a_file_says_that_its_price_is_not_known() -> None:
    """Files for searches are embedded, and nobody says how many tokens that were."""
    found = asked(f"{STUDIO}/fileSearchStores/s:importFile", {"fileName": "files/1"})
    assert (found.kind, "embeddings" in found.problem) == ("unread", True)


BATCH = f"{STUDIO}/models/gemini-2.5-flash:batchGenerateContent"


def collected(url: str, *documents: Any, complete: bool = True, kind: str = "application/json") -> Answer:
    reader = answer_reader(asked(url, method="GET"), 200, {"content-type": kind})
    reader.feed("\n".join(map(json.dumps, documents)).encode())
    return reader.end(complete)


def test_a_batch_is_set_aside_whole() -> None:
    """Its requests are summed up; those in a file are not known."""
    one = {"request": {**HELLO, "generationConfig": {"maxOutputTokens": 50}}, "metadata": {"key": "1"}}
    found = asked(BATCH, {"batch": {"inputConfig": {"requests": {"requests": [one, one]}}}})
    assert (found.kind, found.batch, found.later, found.max_output_tokens) == ("paid", True, True, 100)
    assert found.input_tokens == 2 * (asked(FLASH, one["request"]).input_tokens or 0)
    assert whole(found, {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_PENDING"}}).id == "batches/b1"
    found = asked(BATCH, {"batch": {"input_config": {"file_name": "files/1"}}})
    assert (found.input_tokens, found.max_output_tokens) == (None, None)


def test_a_batch_is_billed_when_its_answers_come() -> None:
    """They stand in the batch, or in the file that is named after it."""
    response = {"candidates": [{"finishReason": "STOP"}], "modelVersion": "gemini-2.5-flash", "usageMetadata": USAGE}
    inline = {
        "inlinedResponses": {
            "inlinedResponses": [{"response": response}, {"error": {"code": 3}}, {"response": response}]
        }
    }
    done = {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_SUCCEEDED"}, "done": True, "response": inline}
    answer = collected(f"{STUDIO}/batches/b1", done)
    assert (answer.id, answer.bills[0].batch, used(answer)) == (
        "batches/b1",
        True,
        {"input_tokens": 20, "output_tokens": 8},
    )
    lines = [{"key": "1", "response": response}, {"key": "2", "error": {"code": 3}}]
    url = "https://generativelanguage.googleapis.com/download/v1beta/files/batch-b1:download?alt=media"
    answer = collected(url, *lines, kind="application/octet-stream")
    assert (answer.id, used(answer)) == ("batches/b1", {"input_tokens": 10, "output_tokens": 4})
    assert collected(url, *lines, complete=False, kind="application/octet-stream").kind == "later"


@pytest.mark.parametrize(
    ("state", "more", "kind"),
    [
        ("RUNNING", {}, "later"),
        ("SUCCEEDED", {"response": {"responsesFile": "files/batch-b1"}}, "later"),
        ("SUCCEEDED", {}, "unread"),
        ("FAILED", {"error": {"code": 3}}, "free"),
        ("CANCELLED", {}, "free"),
        (
            "EXPIRED",
            {"metadata": {"state": "BATCH_STATE_EXPIRED", "batchStats": {"successfulRequestCount": "2"}}},
            "unread",
        ),
        ("SUCCEEDED", {"response": {"inlinedResponses": {"inlinedResponses": [{"error": {}}]}}}, "free"),
        ("SUCCEEDED", {"response": {"inlinedResponses": {"inlinedResponses": [{"response": {}}]}}}, "unread"),
    ],
)
def test_a_batch_without_answers_says_what_becomes_of_it(state: str, more: dict[str, Any], kind: str) -> None:
    """It goes on, its answers are elsewhere, it was not run, or nobody knows."""
    batch = {"name": "batches/b1", "metadata": {"state": f"BATCH_STATE_{state}"}, "done": state != "RUNNING", **more}
    assert collected(f"{STUDIO}/batches/b1", batch).kind == kind


def test_jobs_of_vertex_count_whole() -> None:
    """Their results lie in storage that is not seen."""
    url = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/batchPredictionJobs"
    begun = asked(url, {"model": "publishers/google/models/gemini-2.5-flash"})
    assert (begun.model, begun.later, begun.input_tokens) == ("gemini-2.5-flash", True, None)
    later = whole(begun, {"name": "projects/1/locations/l/batchPredictionJobs/7"})
    assert (later.kind, later.id) == ("later", asked(f"{url}/7", method="GET").earlier)
    assert collected(f"{url}/7", {"name": "x", "state": "JOB_STATE_RUNNING"}).kind == "later"
    assert collected(f"{url}/7", {"name": "x", "state": "JOB_STATE_SUCCEEDED"}).kind == "unread"
