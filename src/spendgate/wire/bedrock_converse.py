"""Amazon Bedrock's Converse, whole or as an event stream, and its counting of tokens.

Guardrails are billed beside the model, by units that the price list does not have: they are not told here. Inference
that is optimised for latency costs more; nobody lists how much.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from spendgate.wire import bedrock_input, bedrock_models, sizing
from spendgate.wire.cut_short import EARLY, cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Request
from spendgate.wire.fields import inside, rows, show, table, text_bytes, whole, word
from spendgate.wire.free import Free
from spendgate.wire.searches import MOST_SEARCHES
from spendgate.wire.unreadable import unless_unreadable

CONVERSE = re.compile(r"(?:^|/)model/(?P<model>.+)/(?P<verb>converse|converse-stream)/?$")
COUNT_TOKENS = Free("bedrock.count_tokens", re.compile(r"(?:^|/)model/.+/count-tokens/?$"))
GUARDED = "guardrail_intervened"
SHOWS_REASONING = re.compile(r"claude-3|deepseek|qwen|gpt-oss|kimi|minimax")
"""Models whose stream shows all of their reasoning as text."""


@dataclass(frozen=True, slots=True)
class Converse:
    """The API of `converse` and `converse-stream`."""

    name: str = "bedrock.converse"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and CONVERSE.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        found = CONVERSE.search(urlsplit(request.url).path)
        model, problem = bedrock_models.named(found["model"] if found else "")
        tools = [table(table(tool).get("systemTool")).get("name") for tool in rows(inside(body, "toolConfig", "tools"))]
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=bedrock_input.tokens(model, body),
            max_output_tokens=whole(inside(body, "inferenceConfig", "maxTokens")),
            web_searches=MOST_SEARCHES if "nova_grounding" in tools else 0,
            service_tier=tier(body),
            streams=bool(found and found["verb"] == "converse-stream"),
            cap=("inferenceConfig", "maxTokens"),
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "ConverseReading":  # noqa: ARG002 - the protocol's
        return ConverseReading(asked)


def tier(source: Mapping[str, Any]) -> str:
    """The way of being served that a request or an answer names; empty where it names none.

    >>> tier({"serviceTier": {"type": "flex"}}), tier({"performanceConfig": {"latency": "optimized"}})
    ('flex', 'optimized')
    """
    if inside(source, "performanceConfig", "latency") == "optimized":
        return "optimized"
    return word(inside(source, "serviceTier", "type"))


@dataclass(slots=True)
class ConverseReading:
    """Reads an answer of Converse: one document, or the events of a stream by their names."""

    asked: Asked
    usage: dict[str, Any] | None = None
    routed: str = ""
    tier: str = ""
    error: str = ""
    stopped: bool = False
    refused: bool = False
    looped: bool = False
    produced: int = 0
    _reasoning: set[Any] = field(default_factory=set)

    def document(self, data: Any, event: str = "") -> None:
        found = table(data)
        if event.endswith("Exception") or event == "error":
            self.error = f"{event}: {show(found.get('message'))}"
        elif event == "contentBlockStart":
            kind = inside(found, "start", "toolUse", "type")
            self.looped = self.looped or kind == "server_tool_use"
            if inside(found, "start", "toolUse") is not None:
                self.produced += sizing.CALL_TOKENS + text_bytes([inside(found, "start", "toolUse", "name")])
        elif event == "contentBlockDelta":
            self._delta(whole(found.get("contentBlockIndex")), table(found.get("delta")))
        elif event == "messageStop":
            self._stopped(found)
        elif event in {"", "metadata"}:
            self._whole(found)

    def _stopped(self, found: Mapping[str, Any]) -> None:
        self.stopped = True
        self.refused = self.refused or found.get("stopReason") == GUARDED

    def _without_tokens(self) -> Answer:
        """A prompt that a guardrail stops never reaches the model, which bills nothing then."""
        if self.refused:
            return Answer("free", reason="a guardrail stopped it before the model read it")
        return Answer("unread", reason="its usage cannot be read: it states no tokens")

    def _whole(self, found: Mapping[str, Any]) -> None:
        """The answer, or the event that a stream ends with."""
        if "stopReason" in found:
            self._stopped(found)
        if isinstance(found.get("usage"), dict):
            self.usage = found["usage"]
        self.tier = tier(found) or self.tier
        invoked = word(inside(found, "trace", "promptRouter", "invokedModelId"))
        self.routed = bedrock_models.named(invoked)[0] if invoked else self.routed

    def _delta(self, index: Any, delta: Mapping[str, Any]) -> None:
        reasoning = table(delta.get("reasoningContent"))
        if reasoning.get("text"):
            self._reasoning.add(index)
        if reasoning.get("signature"):
            self._reasoning.discard(index)
        self.produced += text_bytes([delta.get("text"), delta.get("toolUse"), reasoning, delta.get("image")])

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete))

    def _answer(self, complete: bool) -> Answer:
        if self.usage is not None:
            usage = bedrock_models.usage(self.usage)
            if not usage.tokens:
                return self._without_tokens()
            model, served = self.routed or self.asked.model, self.tier or self.asked.service_tier
            bill = Bill(self.asked.provider, model, usage, batch=self.asked.batch, service_tier=served)
            return Answer("billed", (bill,))
        if self.error:
            return Answer("held", reason=f"an error came in place of its end: {self.error}")
        if not self.asked.streams or (complete and (self.stopped or not self.produced)):
            return Answer(
                "unread", reason="it does not say what it used" if complete else "it broke off before its end"
            )
        if self.looped:
            return Answer("unread", reason=f"{EARLY}, and what its tools had it read is not known")
        hidden = bool(self._reasoning) and SHOWS_REASONING.search(self.asked.model) is None
        produced = self.produced + sizing.ANSWER_TOKENS
        return cut_short(self.asked, self.asked.model, produced, hidden=hidden, tier=self.tier)
