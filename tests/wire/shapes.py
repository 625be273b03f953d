"""Exchanges in the shapes that providers document, written small: what was asked, what came back, what it bills.

Whole answers are JSON; a list is a stream of server-sent events. `bills` are (model, usage, cost in nano-dollars).
"""

import json
from dataclasses import dataclass, field
from typing import Any

from spendgate.wire.exchange import Request
from tests.wire.frames import event
from tests.wire.recordings import Exchange

Bills = list[tuple[str, dict[str, int], int | None]]

HI = [{"role": "user", "content": "hi there"}]
PARTS = [{"parts": [{"text": "hi there"}]}]


@dataclass(frozen=True)
class Shape:
    """One exchange, and what has to come out of it."""

    name: str
    url: str
    sent: Any
    got: Any
    kind: str = "billed"
    bills: Bills = field(default_factory=list)
    method: str = "POST"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def exchange(self) -> Exchange:
        body = (
            b"" if self.sent is None else self.sent if isinstance(self.sent, bytes) else json.dumps(self.sent).encode()
        )
        kind, answer = _answer(self.got)
        headers = {"content-type": kind, **self.headers}
        return Exchange(self.name, Request(self.method, self.url, {}, body), self.status, headers, answer)


def _answer(got: Any) -> tuple[str, bytes]:
    if isinstance(got, bytes):
        return "application/json", got
    if isinstance(got, list) and got and isinstance(got[0], tuple):
        return "application/vnd.amazon.eventstream", b"".join(event(name, body) for name, body in got)
    if isinstance(got, list):
        texts = (one if isinstance(one, str) else f"data: {json.dumps(one)}\n\n" for one in got)
        return "text/event-stream", "".join(texts).encode()
    return "application/json", json.dumps(got).encode()


def ask(model: str, **more: Any) -> dict[str, Any]:
    """A request of chat."""
    return {"model": model, "messages": HI, **more}


def spent(given: int, written: int, **more: Any) -> dict[str, Any]:
    """The usage of chat."""
    return {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written, **more}


def chat(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of chat."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}
    return {"id": "c1", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage, **more}


def piece(model: str, usage: Any = None, *, end: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a streamed chat."""
    return {"model": model, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": end}], **more} | (
        {"usage": usage} if usage else {}
    )


def counted(given: int, written: int, **more: Any) -> dict[str, Any]:
    """The usage of a response."""
    return {"input_tokens": given, "output_tokens": written, "total_tokens": given + written, **more}


def response(model: str, usage: Any, output: Any = (), **more: Any) -> dict[str, Any]:
    """A response."""
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
    done = {"id": "resp_1", "object": "response", "status": "completed", "service_tier": "default"}
    return {**done, "model": model, "output": list(output) or [said], "usage": usage, **more}


def message(model: str, given: int, written: int, **more: Any) -> dict[str, Any]:
    """An answer of Anthropic."""
    usage = {"input_tokens": given, "output_tokens": written, "service_tier": "standard", **more}
    content = [{"type": "text", "text": "hello"}]
    kind = {"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn"}
    return {**kind, "model": model, "content": content, "usage": usage}


def generated(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of Gemini."""
    content = {"role": "model", "parts": [{"text": "hello"}]}
    candidate = {"content": content, "finishReason": "STOP", "index": 0, **more}
    return {"candidates": [candidate], "modelVersion": model, "usageMetadata": usage, "responseId": "r1"}


def tokens(given: int, written: int, **more: int) -> dict[str, int]:
    """What comes out of it: the usage as plain data."""
    return {"input_tokens": given, "output_tokens": written, **more}
