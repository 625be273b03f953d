"""A provider on this machine, where the paid one would stand: it speaks OpenAI's and Anthropic's words, and counts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 200,
    "total_tokens": 1200,
    "prompt_tokens_details": {"cached_tokens": 400},
}
CLAUDE_USAGE = {
    "input_tokens": 600,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 100,
    "output_tokens": 200,
}
RESPONSE_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 400},
    "output_tokens": 200,
    "output_tokens_details": {"reasoning_tokens": 50},
    "total_tokens": 1200,
}


@dataclass
class Provider:
    """What was sent here, and what to answer: statuses in turn, then 200. `hang` does not answer until `release`."""

    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    statuses: list[int | str] = field(default_factory=list)
    states_usage: bool = True
    collected: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def models(self) -> list[str]:
        """The models that were asked for, in order."""
        return [body.get("model", "") for _, body in self.requests]

    def next(self, path: str, body: dict[str, Any]) -> int | str:
        """Notes a request, and says how to answer it."""
        with self._guard:
            self.requests.append((path, body))
            return self.statuses.pop(0) if self.statuses else 200


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    provider: Provider
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """Hands out a response that was made in the background."""
        self.provider.collected.append(self.path)
        self._json(200, response("gpt-4o-mini", "completed", self.provider.states_usage))

    def do_POST(self) -> None:
        """Answers as the script says."""
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        status = self.provider.next(self.path, body)
        if status == "hang":
            self.provider.released.wait(30)
            self.close_connection = True
        elif status == "drop":
            self._stream(body, cut=True)
        elif status != 200:
            self._json(int(status), {"type": "error", "error": {"type": "made_up", "message": f"made-up {status}"}})
        elif body.get("stream"):
            self._stream(body)
        else:
            self._json(200, self._answer(body))

    def _json(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        model, usage = body.get("model", ""), self.provider.states_usage
        if self.path.endswith("count_tokens"):
            return {"input_tokens": 7}
        if self.path.endswith("/embeddings"):
            rows = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            return {"object": "list", "model": model, "data": rows, "usage": {"prompt_tokens": 8, "total_tokens": 8}}
        if self.path.endswith("/messages"):
            return claude(model, [{"type": "text", "text": "hello"}], CLAUDE_USAGE, "end_turn")
        if self.path.endswith("/responses"):
            if body.get("background"):
                return response(model, "queued", usage) | {"background": True}
            return response(model, "completed", usage)
        message = {"role": "assistant", "content": "hello"}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return chat(model, "chat.completion", choices) | ({"usage": USAGE} if usage else {})

    def _stream(self, body: dict[str, Any], *, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        events = list(self._events(body))
        for name, data in events[: len(events) // 2] if cut else events:
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write(f"event: {name}\n".encode() * bool(name) + f"data: {text}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True

    def _events(self, body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        model = body.get("model", "")
        if self.path.endswith("/messages"):
            yield from claude_events(model, self.provider.states_usage)
        elif self.path.endswith("/responses"):
            yield from response_events(model, self.provider.states_usage)
        else:
            asked = (body.get("stream_options") or {}).get("include_usage")
            yield from chat_events(model, bool(asked) and self.provider.states_usage)


def chat(model: str, kind: str, choices: list[Any]) -> dict[str, Any]:
    """A chat completion, or a chunk of one."""
    return {"id": "chat-1", "object": kind, "created": 1, "model": model, "choices": choices}


def chat_events(model: str, usage: bool) -> Iterator[tuple[str, Any]]:
    """The events of a chat completion's stream."""
    for text in ("hel", "lo"):
        delta = {"role": "assistant", "content": text}
        yield "", chat(model, "chat.completion.chunk", [{"index": 0, "delta": delta, "finish_reason": None}])
    yield "", chat(model, "chat.completion.chunk", [{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if usage:
        yield "", chat(model, "chat.completion.chunk", []) | {"usage": USAGE}
    yield "", "[DONE]"


def claude(model: str, content: list[Any], usage: dict[str, int], stop: str | None) -> dict[str, Any]:
    """A message of Anthropic's."""
    message = {"id": "msg-1", "type": "message", "role": "assistant", "model": model, "content": content}
    return message | {"stop_reason": stop, "stop_sequence": None, "usage": usage}


def claude_events(model: str, usage: bool) -> Iterator[tuple[str, Any]]:
    """The events of a message's stream: its input first, its output last."""
    started = claude(model, [], {**CLAUDE_USAGE, "output_tokens": 1}, None)
    yield "message_start", {"type": "message_start", "message": started}
    block = {"type": "text", "text": ""}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    for text in ("hel", "lo"):
        delta = {"type": "text_delta", "text": text}
        yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    over = {"stop_reason": "end_turn", "stop_sequence": None}
    used = CLAUDE_USAGE if usage else {"output_tokens": 200}  # hosts that are only like Anthropic leave the input out
    yield "message_delta", {"type": "message_delta", "delta": over, "usage": used}
    yield "message_stop", {"type": "message_stop"}


def response(model: str, status: str, usage: bool) -> dict[str, Any]:
    """A response of OpenAI's API of that name."""
    text = {"type": "output_text", "text": "hello", "annotations": []}
    item = {"id": "m-1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    done = status == "completed"
    return {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": status,
        "output": [item] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSE_USAGE if done and usage else None,
    }


def response_events(model: str, usage: bool) -> Iterator[tuple[str, Any]]:
    """The events of a response's stream."""
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(model, "in_progress", usage)},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**response(model, "completed", usage)["output"][0], "content": []},
        },
        *(
            {
                "type": "response.output_text.delta",
                "item_id": "m-1",
                "output_index": 0,
                "content_index": 0,
                "delta": text,
                "logprobs": [],
            }
            for text in ("hel", "lo")
        ),
        {"type": "response.completed", "response": response(model, "completed", usage)},
    ]
    for number, event in enumerate(events):
        yield event["type"], {**event, "sequence_number": number}


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that go away are part of the tests."""


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider that listens until the block is left."""
    provider = Provider()
    handler = type("Handler", (Handler,), {"provider": provider})
    with _Server(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        provider.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield provider
        finally:
            provider.released.set()
            server.shutdown()
            thread.join()
