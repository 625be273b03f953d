"""Whatever comes over the line: an exchange is read or said to be unread, and never raises."""

import gzip
import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.call import Call
from spendgate.wire import apis
from spendgate.wire.exchange import Answer, Asked, Bill, Reading, Request
from spendgate.wire.reading import answer_reader, understand
from tests.wire.speaking import OPENAI, asked, used, whole

CHAT = f"{OPENAI}/chat/completions"
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}
BODY = json.dumps({"model": "gpt-4o", "choices": [], "usage": USAGE}).encode()

URLS = [
    CHAT,
    f"{OPENAI}/completions",
    f"{OPENAI}/responses",
    f"{OPENAI}/responses/resp_1",
    f"{OPENAI}/responses/compact",
    f"{OPENAI}/embeddings",
    f"{OPENAI}/batches",
    f"{OPENAI}/batches/b",
    f"{OPENAI}/images",
    "https://api.cohere.com/v2/chat",
    "https://api.cohere.com/v1/chat",
    "https://api.cohere.com/v2/embed",
    "https://api.cohere.com/v2/rerank",
    "https://api.voyageai.com/v1/embeddings",
    "https://api.voyageai.com/v1/rerank",
    "https://api.voyageai.com/v1/multimodalembeddings",
    "http://localhost:11434/api/chat",
    "http://localhost:11434/api/embed",
    "https://api.anthropic.com/v1/messages",
    "https://api.anthropic.com/v1/messages/batches",
    "https://api.anthropic.com/v1/messages/batches/b/results",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash:generateContent",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-flash:batchGenerateContent",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001:batchEmbedContents",
    "https://generativelanguage.googleapis.com/v1beta/cachedContents",
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse",
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke",
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/cohere.embed-v4%3A0/invoke",
    "https://example.com/v1/chat/completions",
]
KINDS = ["application/json", "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream", "", "x"]

names = """model messages input prompt tools type content role text image_url url file file_data input_audio
data n best_of max_tokens max_completion_tokens max_output_tokens stream stream_options
include_usage background usage prompt_tokens completion_tokens input_tokens output_tokens
total_tokens cost choices delta message index finish_reason error response status output id item
action tool_usage web_search num_requests image_gen prompt_tokens_details cached_tokens
completion_tokens_details reasoning_tokens x_groq usage_breakdown models event_type billed_units
meta texts images inputs query documents service_tier system tool_choice metadata contents parts
generationConfig maxOutputTokens candidates usageMetadata promptTokenCount candidatesTokenCount
thoughtsTokenCount inlineData mimeType inferenceConfig maxTokens requests params result iterations
cache_creation server_tool_use request_counts completed is_byok cost_details"""
odd = (
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 7, 10**6, 10**15, 10**40, 0.5, -0.0, 1e300])
    | st.sampled_from(["", "x", "data:image/png;base64,AAAA", "https://a", "completed", "queued", "\ud800", "function"])
    | st.sampled_from(["message_start", "message_delta", "message", "response.completed", "succeeded", "web_search"])
)
bodies = st.recursive(
    odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names.split()), inner, max_size=6),
    max_leaves=25,
)
tables = st.dictionaries(st.sampled_from(names.split()), bodies, max_size=8)


requests = st.builds(
    Request,
    method=st.sampled_from(["POST", "POST", "POST", "GET", "post", "PUT"]),
    url=st.sampled_from(URLS),
    headers=st.just({}),
    body=tables.map(lambda body: json.dumps(body).encode()),
)


@given(
    request=requests,
    answers=st.lists(tables, max_size=4),
    head=st.tuples(st.sampled_from([200, 200, 200, 201, 302, 404, 429, 500, 504]), st.sampled_from(KINDS)),
    complete=st.booleans(),
    size=st.integers(1, 200),
)
def test_any_json_is_taken(
    request: Request, answers: list[Any], head: tuple[int, str], complete: bool, size: int
) -> None:
    """Fields of any type anywhere: what comes out is well-formed, and the same in any pieces."""
    what = understand(request)
    if what is None:
        assert "example.com" in request.url
        return
    check_asked(what)
    status, kind = head
    text = "".join(f"data: {json.dumps(one)}\n\n" for one in answers)
    if kind != "text/event-stream":
        text = "\n".join(map(json.dumps, answers))
    found = read(what, text.encode(), kind, size, status=status, complete=complete)
    assert found == read(what, text.encode(), kind, 1 << 20, status=status, complete=complete)
    check_answer(found)


@given(
    url=st.sampled_from(URLS), body=st.binary(max_size=80), answer=st.binary(max_size=80), kind=st.sampled_from(KINDS)
)
def test_any_bytes_are_taken(url: str, body: bytes, answer: bytes, kind: str) -> None:
    """What is no JSON at all is unread, and says so."""
    what = understand(Request("POST", url, {}, body))
    if what is not None:
        check_asked(what)
        check_answer(read(what, answer, kind, 7))


def read(what: Asked, body: bytes, kind: str, size: int, *, status: int = 200, complete: bool = True) -> Answer:
    reader = answer_reader(what, status, {"Content-Type": kind})
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    return reader.end(complete)


def check_asked(what: Asked) -> None:
    assert what.kind != "unread" or what.problem
    assert what.problem == "" or what.kind == "unread"
    assert what.answers >= 1
    assert what.web_searches >= 0
    assert what.input_tokens is None or what.input_tokens >= 0
    assert what.max_output_tokens is None or what.max_output_tokens >= 0
    assert Call(service="s", provider=what.provider, resource=what.model).model == what.model


def check_answer(answer: Answer) -> None:
    assert (answer.kind == "billed") == bool(answer.bills) or answer.kind == "unread"
    assert answer.reason or answer.kind not in {"unread", "held"}
    assert not answer.cut or answer.kind == "billed"
    for bill in answer.bills:
        assert Call(service="s", provider=bill.provider, resource=bill.model)
        assert bill.cost is None or bill.cost >= 0
        assert bill.usage.tokens or bill.cost or bill.usage.units or bill.usage.web_searches or answer.cut


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the request has no body, or one that is streamed"),
        (b"model=gpt-4o", "the body is no JSON"),
        (b'{"model": "gpt-4o"', "the body is no JSON"),
        (b'{"model": "\xff"}', "the body is no JSON"),
        (b'["gpt-4o"]', "the body is no JSON object"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"model": 7}', "the name of its model is no text"),
        (b'{"model": "' + b"m" * 10_000 + b'"}', "the name of its model has 10,000 characters, the most is 200"),
        (b'{"model": "a\\u0000b"}', "the name of its model has characters that cannot be printed"),
    ],
)
def test_a_request_that_is_not_understood_says_why(body: bytes, problem: str) -> None:
    """It is unread: held, counted whole, and said; an error in its answer still costs nothing."""
    what = understand(Request("POST", CHAT, {}, body))
    assert what is not None
    assert (what.kind, problem in what.problem) == ("unread", True)
    assert len(what.model) <= 200
    answer = whole(what, {"usage": USAGE})
    assert (answer.kind, answer.reason) == ("unread", what.problem)
    assert whole(what, {}, 400).kind == "free"


def test_a_form_names_its_model() -> None:
    """A transcription is not read, but its model is known."""
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    what = understand(Request("POST", f"{OPENAI}/audio/transcriptions", {}, form))
    assert what is not None
    assert (what.kind, what.model, what.problem) == (
        "unread",
        "whisper-1",
        "POST /v1/audio/transcriptions is not known",
    )


def test_a_host_that_is_not_known_is_not_paid() -> None:
    """Unless the wrapper of a client says whose it is."""
    request = Request("POST", "https://llm.example.com/v1/chat/completions", {}, json.dumps(HELLO).encode())
    assert understand(request) is None
    found = understand(request, default="mistral")
    assert found is not None
    assert (found.provider, found.kind) == ("mistral", "paid")
    assert understand(replace(request, url="https://api.openai.com/v1/chat/completions"), default="mistral") == replace(
        found, provider="openai", cap=("max_completion_tokens",)
    )


def test_a_socket_is_not_a_question() -> None:
    """A WebSocket begins as a GET, and is paid for."""
    headed = Request("GET", f"{OPENAI}/realtime?model=gpt-realtime", {"upgrade": "websocket"})
    for request in (headed, Request("GET", "wss://api.openai.com/v1/realtime?model=gpt-realtime")):
        what = understand(request)
        assert what is not None
        assert what.kind == "unread"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(status, "free") for status in (301, 302, 304, 307, 308)],
        *[(status, "free") for status in (400, 401, 402, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 529)],
        *[(status, "held") for status in (100, 101, 408, 409, 418, 499, 501, 504, 520, 524, 599, 0)],
        *[(status, "billed") for status in (200, 201, 202)],
    ],
)
def test_the_status_decides_what_costs_nothing(status: int, kind: str) -> None:
    """What was refused or failed is free; a timeout and what nobody knows is held; the body decides the rest."""
    assert whole(asked(CHAT, HELLO), {"usage": USAGE}, status).kind == kind


def test_free_requests_have_free_answers() -> None:
    """Whatever the answer says."""
    what = asked(f"{OPENAI}/models", method="GET")
    for status in (200, 504):
        assert whole(what, {"usage": USAGE}, status).kind == "free"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        BODY[:-9],
        BODY + b"x",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b'{"usage": {"prompt_tokens": 1e999}}',
    ],
)
def test_an_answer_that_is_no_answer_is_unread(body: bytes) -> None:
    """The provider answered, and what it used cannot be read: the whole hold counts."""
    answer = read(asked(CHAT, HELLO), body, "application/json", 7)
    assert (answer.kind, answer.bills, bool(answer.reason)) == ("unread", (), True)


def test_an_answer_that_breaks_off_is_unread() -> None:
    """Half a document says nothing."""
    answer = read(asked(CHAT, HELLO), BODY[:20], "application/json", 7, complete=False)
    assert (answer.kind, answer.reason[:15]) == ("unread", "it broke off, a")


def test_the_length_that_a_header_states_does_not_matter() -> None:
    """What came is read, whatever `content-length` says of it."""
    for length in ("3", "999999", "-1", "many"):
        reader = answer_reader(asked(CHAT, HELLO), 200, {"content-length": length, "content-type": "application/json"})
        reader.feed(BODY)
        assert used(reader.end(True)) == {"input_tokens": 9, "output_tokens": 4}


def test_an_event_cut_in_a_character_is_read() -> None:
    """Pieces end where they like, also in the middle of a character, a line's end or an event."""
    what = asked(CHAT, {**HELLO, "stream": True})
    text = json.dumps({"choices": [{"index": 0, "delta": {"content": "日本語 🙂"}}]}, ensure_ascii=False)
    stream = f"data: {text}\r\n\r\n".encode()
    for size in range(1, 9):
        answer = read(what, stream, "text/event-stream", size, complete=False)
        assert answer.bills[0].usage.output_tokens == len("日本語 🙂".encode())


def test_a_packed_answer_is_read() -> None:
    """The bytes of the line are enough; what cannot be unpacked is said."""
    packed = gzip.compress(BODY)
    for encoding, body, kind in (
        ("gzip", packed, "billed"),
        ("gzip", packed[:-12], "unread"),
        ("gzip", packed[:12] + b"\xff" * 30, "unread"),
        ("compress", BODY, "unread"),
    ):
        reader = answer_reader(asked(CHAT, HELLO), 200, {"Content-Encoding": encoding})
        for at in range(0, len(body), 5):
            reader.feed(body[at : at + 5])
        answer = reader.end(True)
        assert (answer.kind, kind == "billed" or bool(answer.reason)) == (kind, True)


def test_an_answer_without_its_type_is_read() -> None:
    """The first byte tells a document from a stream."""
    plain, streaming = asked(CHAT, HELLO), asked(CHAT, {**HELLO, "stream": True})
    assert read(plain, b"\n" + BODY, "", 3).kind == "billed"
    assert read(streaming, b"\n: hi\n\ndata: " + BODY + b"\n\ndata: [DONE]\n\n", "", 3).kind == "billed"


def test_a_large_answer_is_read_and_a_larger_one_given_up() -> None:
    """50 MB are read; beyond the limit nothing is kept, and the whole hold counts."""
    reader = answer_reader(asked(CHAT, HELLO), 200, {"content-type": "application/json"})
    reader.feed(b'{"choices": [{"message": {"content": "')
    for _ in range(50):
        reader.feed(b"x" * 1_000_000)
    reader.feed(b'"}}], "usage": ' + json.dumps(USAGE).encode() + b"}")
    assert used(reader.end(True)) == {"input_tokens": 9, "output_tokens": 4}
    reader = answer_reader(asked(CHAT, HELLO), 200, {"content-type": "application/json"})
    for _ in range(70):
        reader.feed(b"x" * 1_000_000)
    answer = reader.end(True)
    assert (answer.kind, answer.reason) == ("unread", "it is longer than 64 MiB")


def test_an_event_that_is_too_long_makes_a_stream_unread() -> None:
    """The usage may have been in it; where the usage came all the same, it counts."""
    what = asked(CHAT, {**HELLO, "stream": True})
    long = b"data: " + b"x" * (9 << 20) + b"\n\n"
    answer = read(what, long, "text/event-stream", 1 << 20)
    assert (answer.kind, answer.reason) == ("unread", "one of its events is longer than 8 MiB")
    after = b"data: " + BODY + b"\n\ndata: [DONE]\n\n" + long
    assert read(what, after, "text/event-stream", 1 << 20).kind == "billed"


def test_a_long_stream_is_not_kept() -> None:
    """However long a stream is, a reader holds no more than an event of it."""
    reader = answer_reader(asked(CHAT, {**HELLO, "stream": True}), 200, {"content-type": "text/event-stream"})
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "' + b"x" * 10_000 + b'"}}]}\n\n'
    reader.feed(event)
    tracemalloc.start()
    for _ in range(500):
        reader.feed(event)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000
    assert peak < 1_000_000
    assert reader.end(False).bills[0].usage.output_tokens == 501 * 10_000


def test_a_request_of_50_mb_is_understood() -> None:
    """It is measured like any other."""
    what = asked(CHAT, {**HELLO, "messages": [{"role": "user", "content": "x" * 50_000_000}]})
    assert what.input_tokens is not None
    assert what.input_tokens >= 50_000_000


def test_the_end_is_the_same_when_asked_again() -> None:
    """A reader that has ended stays at its answer."""
    reader = answer_reader(asked(CHAT, HELLO), 200, {"content-type": "application/json"})
    reader.feed(BODY)
    first = reader.end(True)
    reader.feed(b"more")
    assert reader.end(False) is first


class Broken:
    """An API that fails wherever it can."""

    name = "broken"

    def __init__(self, where: str) -> None:
        self.where = where

    def speaks(self, method: str, path: str) -> bool:
        return True

    def asked(self, provider: str, request: Request, body: Any) -> Asked:
        self._fail("asked")
        return Asked("broken", provider)

    def reading(self, asked: Asked, headers: Any) -> Reading:
        self._fail("reading")
        return self

    def document(self, data: Any, event: str = "") -> None:
        self._fail("document")

    def answer(self, complete: bool) -> Answer:
        self._fail("answer")
        return Answer("billed", (Bill("openai", "gpt-4o", cost=1),))

    def _fail(self, where: str) -> None:
        if where == self.where:
            raise KeyError("our own mistake")


@pytest.mark.parametrize("where", ["asked", "reading", "document", "answer"])
def test_a_mistake_of_ours_is_not_the_callers(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When our reading fails, the caller's call goes on, and the whole hold counts."""
    monkeypatch.setattr(apis, "SHARED", (Broken(where),))
    monkeypatch.setattr(apis, "find", apis.find.__wrapped__)
    what = asked(CHAT, HELLO)
    answer = whole(what, {"usage": USAGE})
    assert (answer.kind, "could not be read: KeyError" in answer.reason) == ("unread", True)
