"""A paid provider on this machine, for tests: it answers like OpenAI and Anthropic, and costs nothing.

>>> with serving() as provider:
...     provider.url.startswith("http://127.0.0.1:"), provider.requests
(True, [])
"""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the provider: names of headers are in lower case, a JSON body is read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class FakeProvider:
    """What the provider answers, and what reached it.

    Attributes:
        url: where it is. OpenAI's client takes `f"{url}/v1"`, Anthropic's `url` as `base_url`.
        requests: what reached it, in order.
        text: what its models say.
        input_tokens: what a model's answer bills for its input.
        output_tokens: what it bills for its output.
        answers: the JSON that other paths answer with, by path; `{}` where there is none.
    """

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    text: str = "hello"
    input_tokens: int = 10
    output_tokens: int = 3
    answers: dict[str, Any] = field(default_factory=dict)
    _failures: deque[int] = field(default_factory=deque)

    def fail(self, status: int, times: int = 1) -> None:
        """Answers the next requests with an error."""
        self._failures.extend([status] * times)

    @property
    def calls(self) -> int:
        """How many requests reached it."""
        return len(self.requests)

    def _answer(self, request: Received) -> tuple[int, Any]:
        self.requests.append(request)
        if self._failures:
            return self._failures.popleft(), {"error": {"type": "fake_error", "message": "as the test asked for"}}
        if request.path in self.answers:
            return 200, self.answers[request.path]
        body = request.body if isinstance(request.body, dict) else {}
        model = str(body.get("model", "fake-model"))
        if request.path == CHAT:
            return 200, self._chat(model, bool(body.get("stream")))
        if request.path == MESSAGES:
            return 200, self._message(model, bool(body.get("stream")))
        return 200, self._response(model) if request.path == RESPONSES else {}

    def _chat(self, model: str, stream: bool) -> Any:
        used = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }
        said = {"role": "assistant", "content": self.text}
        head = {"id": "chatcmpl-fake", "created": 1, "model": model}
        if not stream:
            choice = {"index": 0, "finish_reason": "stop", "message": said}
            return {**head, "object": "chat.completion", "choices": [choice], "usage": used}
        head["object"] = "chat.completion.chunk"
        return [
            {**head, "choices": [{"index": 0, "finish_reason": None, "delta": said}]},
            {**head, "choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]},
            {**head, "choices": [], "usage": used},
            "[DONE]",
        ]

    def _message(self, model: str, stream: bool) -> Any:
        used = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        message = {"id": "msg_fake", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}
        if not stream:
            said = [{"type": "text", "text": self.text}]
            return {**message, "content": said, "stop_reason": "end_turn", "usage": used}
        start: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": {**used, "output_tokens": 1}}
        text, ends = {"type": "text_delta", "text": self.text}, {"stop_reason": "end_turn", "stop_sequence": None}
        return [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": text},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ends, "usage": {"output_tokens": self.output_tokens}},
            {"type": "message_stop"},
        ]

    def _response(self, model: str) -> Any:
        said = {"type": "output_text", "text": self.text, "annotations": []}
        item = {"id": "msg_fake", "type": "message", "role": "assistant", "status": "completed", "content": [said]}
        used = {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        }
        head = {"id": "resp_fake", "object": "response", "created_at": 1, "status": "completed", "model": model}
        return {
            **head,
            "output": [item],
            "usage": used,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }


@contextmanager
def serving() -> Iterator[FakeProvider]:
    """A provider that runs until the block is left."""
    provider = FakeProvider()

    class Handler(_Handler):
        def handle_one(self) -> None:
            self.answer_with(provider)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_one)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits for the client's system

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def answer_with(self, provider: FakeProvider) -> None:
        """Answers one request."""
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.command, urlsplit(self.path).path, headers, _read(content))
        status, answer = provider._answer(request)
        is_stream = isinstance(answer, list) and request.path in (CHAT, MESSAGES)
        body = b"".join(map(_event, answer)) if is_stream else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body)


def _read(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def _event(data: Any) -> bytes:
    name = f"event: {data['type']}\n" if isinstance(data, dict) and "type" in data else ""
    return f"{name}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
