"""A paid provider on loopback that answers by a script, and counts what reaches it.

It speaks OpenAI and Anthropic, and the dialects of `tests.integrations.dialects`.
"""

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integrations import dialects

OPENAI, ANTHROPIC = "/v1/chat/completions", "/v1/messages"
USED = {"input": 10, "output": 3}
"""The tokens that a whole answer bills, where a test does not say otherwise."""
FLOOD = 64 << 20
"""The bytes of a long stream."""


@dataclass
class Provider:
    """What the provider does, and what it has seen. `script` has a word for each request; the last one goes on.

    `ok` answers, `429` and `500` are such errors, `redirect` sends to `/v2/elsewhere`, `hang` reads the
    request and answers nothing until the test is over,
    `broken` ends the connection in the middle of its answer, `stall` leaves it open there until the test is over,
    `gzip` packs it, `flood` streams 64 MB.
    """

    script: Sequence[str] = ("ok",)
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    raw: Sequence[bytes] = ()
    """What it answers instead, in these pieces."""
    length: int | None = None
    """What it says of the length of a whole answer, where that is a lie."""
    used: dict[str, int] = field(default_factory=lambda: dict(USED))
    on_request: Callable[[], object] = lambda: None
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def word(self) -> str:
        """What to do with the request that came in last."""
        return self.script[min(len(self.seen), len(self.script)) - 1]


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that runs until the block is left."""
    provider = Provider()

    class Handler(_Handler):
        def do_POST(self) -> None:
            self.answer(provider)

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        provider.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client's system

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def answer(self, provider: Provider) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        provider.seen.append(body)
        provider.paths.append(self.path)
        provider.headers.append({name.lower(): value for name, value in self.headers.items()})
        provider.on_request()
        word = provider.word()
        if word == "hang":
            provider.over.wait(60)
            self.close_connection = True
        elif word == "redirect":
            self._send(307, b"", location="/v2/elsewhere")
        elif word in ("429", "500"):
            self._send(int(word), json.dumps({"error": {"type": "some_error", "message": "no"}}).encode())
        elif body.get("stream") or "stream" in self.path.lower():
            self._stream(list(provider.raw) or events(self.path, provider.used, word == "flood"), word)
            if word == "stall":
                provider.over.wait(60)
        else:
            content = b"".join(provider.raw) or json.dumps(document(self.path, provider.used)).encode()
            self._send(200, content, word, length=provider.length)

    def _send(self, status: int, content: bytes, word: str = "", location: str = "", length: int | None = None) -> None:
        broken = word == "broken"
        content = gzip.compress(content) if word == "gzip" else content
        self.send_response(status)
        if word == "gzip":
            self.send_header("content-encoding", "gzip")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content) if length is None else length))
        self.send_header("retry-after-ms", "1")
        if status in dialects.AWS_ERRORS:
            self.send_header("x-amzn-errortype", dialects.AWS_ERRORS[status])
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if broken else content)
        self.close_connection = broken or length is not None

    def _stream(self, chunks: list[bytes], word: str) -> None:
        broken = word in ("broken", "stall")
        packer = zlib.compressobj(wbits=31) if word == "gzip" else None
        if packer is not None:
            chunks = [packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH) for chunk in chunks] + [packer.flush()]
        self.send_response(200)
        self.send_header(
            "content-type", dialects.EVENT_STREAM if self.path.startswith("/model/") else "text/event-stream"
        )
        self.send_header("transfer-encoding", "chunked")
        if packer is not None:
            self.send_header("content-encoding", "gzip")
        self.end_headers()
        for chunk in chunks[: len(chunks) // 2] if broken else chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if not broken:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = broken


def document(path: str, used: dict[str, int]) -> dict[str, Any]:
    """A whole answer."""
    path = path.partition("?")[0]
    if "/converse" in path:
        return dialects.converse(used)
    if "enerateContent" in path:
        return dialects.generated(used)
    if path.endswith("/responses"):
        return dialects.response(used)
    if "/chat/completions" in path:
        message = {"role": "assistant", "content": "hi hi hi"}
        return {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": _openai_usage(used),
        }  # fmt: skip
    return {
        "id": "m1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": "hi hi hi"}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": used["input"], "output_tokens": used["output"]},
    }  # fmt: skip


def events(path: str, used: dict[str, int], flood: bool = False) -> list[bytes]:
    """The same answer as a stream of events; `flood` of OpenAI's until there are 64 MB."""
    path = path.partition("?")[0]
    if "/converse" in path:
        return dialects.converse_stream(used)
    if "enerateContent" in path:
        return dialects.generated_stream(used)
    if path.endswith("/responses"):
        return dialects.response_stream(used)
    if "/chat/completions" in path:
        data = [_chunk([{"index": 0, "delta": {"content": "hi "}, "finish_reason": None}]) for _ in range(3)]
        data.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        data.append(_chunk([]) | {"usage": _openai_usage(used)})
        if flood:
            data[0]["choices"][0]["delta"]["content"] = "hi " * 5_000
        sent = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in data] + [b"data: [DONE]\n\n"]
        return sent[:1] * (1 + FLOOD // len(sent[0]) if flood else 1) + sent[1:]
    begun = document(path, used) | {"content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": used["input"], "output_tokens": 1}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi "}}
    data = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[text] * 3,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": used["output"]}},
        {"type": "message_stop"},
    ]
    if path.endswith("/invoke-with-response-stream"):
        return dialects.invoke_stream(data, used)
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in data]


def _openai_usage(used: dict[str, int]) -> dict[str, int]:
    total = used["input"] + used["output"]
    return {"prompt_tokens": used["input"], "completion_tokens": used["output"], "total_tokens": total}


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06", "choices": choices,
    }  # fmt: skip
