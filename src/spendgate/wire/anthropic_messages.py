"""Anthropic's messages, wherever they are spoken: below any path that ends in `/v1/messages`, and on Vertex AI.

Amazon Bedrock wraps the same answers in another protocol: see `bedrock_invoke`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import anthropic_input, anthropic_usage, sizing
from spendgate.wire.cut_short import EARLY, cut_short
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, model_name, show, stated, table, text_bytes, whole, word
from spendgate.wire.free import Free
from spendgate.wire.unreadable import unless_unreadable

MESSAGES = re.compile(r"(?:^|/)messages/?$")
COMPLETE = re.compile(r"(?:^|/)complete/?$")
COUNT = re.compile(r"(?:^|/)(?:messages/count_tokens|publishers/anthropic/models/count-tokens:rawPredict)/?$")
COUNT_TOKENS = Free("anthropic.count_tokens", COUNT)
VERTEX = re.compile(r"/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>rawPredict|streamRawPredict)$")

SHOWS_THINKING = re.compile(r"claude-3")
"""Models whose stream shows all their thinking. The others show a summary; the signature at its end holds the whole."""


@dataclass(frozen=True, slots=True)
class Messages:
    """The API of `messages`; also that of the legacy `complete`, whose answers do not say what they used."""

    name: str = "anthropic.messages"

    def speaks(self, method: str, path: str) -> bool:
        if method != "POST" or COUNT.search(path) or "/threads/" in path:
            return False
        return any(pattern.search(path) for pattern in (MESSAGES, COMPLETE, VERTEX))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        found = VERTEX.search(urlsplit(request.url).path)
        asked = ask(self.name, provider, unquote(found["model"]) if found else body.get("model"), body)
        return replace(asked, streams=asked.streams or bool(found and found["verb"] == "streamRawPredict"))

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "MessagesReading":  # noqa: ARG002 - the protocol's
        return MessagesReading(asked, own_model=asked.provider == "aws")


def ask(api: str, provider: str, model: Any, body: Mapping[str, Any]) -> Asked:
    """What a body in Anthropic's dialect asks for, of a model that stands in it or in the path."""
    name, problem = model_name(model)
    return Asked(
        api=api,
        provider=provider,
        model=name,
        kind="unread" if problem else "paid",
        input_tokens=anthropic_input.tokens(name, body),
        max_output_tokens=anthropic_input.output(body),
        web_searches=anthropic_input.searches(body),
        service_tier="fast" if body.get("speed") == "fast" else word(body.get("service_tier")),
        streams=body.get("stream") is True,
        cap=("max_tokens_to_sample",) if "max_tokens_to_sample" in body else ("max_tokens",),
        problem=problem,
    )


@dataclass(slots=True)
class MessagesReading:
    """Reads a message, whole or as a stream.

    With `own_model` it is billed under the name that it was asked for, as on Bedrock, where that tells the region.
    """

    asked: Asked
    own_model: bool = False
    model: str = ""
    id: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    stop: str = ""
    started: bool = False
    ended: bool = False
    produced: int = 0
    looped: bool = False
    """Whether Anthropic ran a tool: what the model then read again is only stated at the end."""
    _thinking: set[Any] = field(default_factory=set)

    def document(self, data: Any, event: str = "") -> None:
        if not isinstance(data, dict):
            return
        kind = data.get("type")
        if kind == "error" or event == "error" or (kind is None and "error" in data):
            self.error = show(data.get("error") or data)
        elif kind == "message_start":
            self._message(table(data.get("message")))
        elif kind == "message_delta":
            self._stopped(inside(data, "delta", "stop_reason"))
            self._used(data.get("usage"))
        elif kind == "message_stop":
            self.ended = True
        elif kind == "content_block_start":
            self._block(data.get("index"), table(data.get("content_block")))
        elif kind == "content_block_delta":
            self._delta(data.get("index"), table(data.get("delta")))
        elif kind == "message" or "usage" in data or "completion" in data:
            self._message(data)
            self.ended = True

    def _message(self, message: Mapping[str, Any]) -> None:
        self.started = True
        self.model = word(message.get("model")) or self.model
        self.id = word(message.get("id")) or self.id
        self._used(message.get("usage"))
        self._stopped(message.get("stop_reason"))

    def _stopped(self, reason: Any) -> None:
        self.stop = word(reason) or self.stop

    def _used(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.usage = anthropic_usage.merged(self.usage, usage)

    def _block(self, index: Any, block: Mapping[str, Any]) -> None:
        kind = block.get("type")
        self.looped = self.looped or kind in {"server_tool_use", "mcp_tool_use", "compaction"}
        if kind == "thinking":
            self._thinking.add(whole(index))
        if str(kind).endswith("tool_use"):
            self.produced += sizing.CALL_TOKENS + text_bytes(block.get("name"))
        if not str(kind).endswith("_result"):
            self.produced += text_bytes([block.get(name) for name in ("text", "thinking", "data", "input", "content")])

    def _delta(self, index: Any, delta: Mapping[str, Any]) -> None:
        if delta.get("signature"):
            self._thinking.discard(whole(index))
        self.produced += text_bytes([part for name, part in delta.items() if name not in {"type", "citation"}])

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete), self.id)

    def _answer(self, complete: bool) -> Answer:
        if self.ended or self.stop:
            return self._billed()
        if self.error:
            return Answer("held", id=self.id, reason=f"an error came in place of its end: {self.error}")
        if not self.asked.streams or (complete and not self.started):
            reason = "it has no message" if complete else "it broke off before its end"
            return Answer("unread", id=self.id, reason=reason)
        return self._cut()

    def _billed(self) -> Answer:
        if not self.usage:
            return Answer("unread", id=self.id, reason="it does not say what it used")
        found = anthropic_usage.bills(self.asked, self._billed_model(), self.usage)
        if found:
            return Answer("billed", found, id=self.id)
        if self.stop == "refusal":
            return Answer("free", id=self.id, reason="it was refused before it read or wrote a token")
        return Answer("unread", id=self.id, reason="its usage cannot be read: it states no tokens")

    def _cut(self) -> Answer:
        """What was produced until the stream ended early; the input is stated at its start."""
        if self.looped:
            return Answer("unread", id=self.id, reason=f"{EARLY}, and what its tools had it read is not known")
        hidden = bool(self._thinking) and SHOWS_THINKING.search(self.model or self.asked.model) is None
        if hidden or stated(self.usage, "input_tokens") is None:
            return cut_short(self.asked, self._billed_model(), self.produced, hidden=hidden, id=self.id)
        written = max(stated(self.usage, "output_tokens") or 0, self.produced + sizing.ANSWER_TOKENS)
        found = anthropic_usage.bills(self.asked, self._billed_model(), self.usage | {"output_tokens": written})
        return Answer("billed", found, id=self.id, reason=EARLY, cut=True)

    def _billed_model(self) -> str:
        return self.asked.model if self.own_model and self.asked.model else self.model
