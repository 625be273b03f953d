"""What Mistral alone speaks: conversations, which its agents answer too, and moderation, which it bills.

What connectors (searches, documents) had the model read is stated beside the prompt, and is input too:
https://docs.mistral.ai/agents/connectors/websearch
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from spendgate.wire import openai_input, openai_usage, sizing
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import (
    inside,
    model_name,
    rows,
    show,
    stated,
    table,
    text_bytes,
    whole,
    word,
)
from spendgate.wire.openai_embeddings import EACH_TOKENS, UsageReading, reads_only
from spendgate.wire.searches import MOST_SEARCHES
from spendgate.wire.unreadable import unless_unreadable

SPOKEN = re.compile(r"(?:^|/)conversations(?P<old>/[^/]+(?:/restart)?)?/?$")
JUDGED = re.compile(r"(?:^|/)(?:chat/)?(?:moderations|classifications)/?$")

DRAWS = "image_generation"


class Conversations:
    """The API of `conversations`. What was said before, and what an agent was told, is not in the request."""

    name = "mistral.conversations"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and SPOKEN.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        found = SPOKEN.search(urlsplit(request.url).path)
        model, problem = model_name(body.get("model"))
        refers = bool(found and found["old"]) or bool(body.get("agent_id"))
        tools = rows(body.get("tools"))
        searches = any("web_search" in str(table(tool).get("type")) for tool in tools)
        shown = [openai_input.messages(model, body.get(name)) for name in ("inputs", "instructions")]
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=None if refers else sizing.total([*shown, openai_input.tools(tools)]),
            max_output_tokens=whole(inside(body, "completion_args", "max_tokens")),
            web_searches=MOST_SEARCHES if searches else 0,
            streams=body.get("stream") is True,
            cap=("completion_args", "max_tokens"),
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "ConversationReading":  # noqa: ARG002 - the protocol's
        return ConversationReading(asked)


class Moderations:
    """The API of `moderations` and `classifications`. They write nothing."""

    name = "mistral.moderations"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and JUDGED.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        judged = body.get("input")
        read = openai_input.content("", judged)
        return reads_only(self.name, provider, body, sizing.total([read, EACH_TOKENS * max(1, len(rows(judged)))]))

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> UsageReading:  # noqa: ARG002 - the protocol's
        return UsageReading(asked)


@dataclass(slots=True)
class ConversationReading:
    """Reads what a conversation was answered, whole or as a stream, whose last event states the usage."""

    asked: Asked
    model: str = ""
    id: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    worked: bool = False
    """Whether Mistral ran a tool: what the model then read is only stated at the end."""
    produced: int = 0

    def document(self, data: Any, event: str = "") -> None:
        found = table(data)
        kind = word(found.get("type")) or event
        self.id = word(found.get("conversation_id")) or self.id
        for part in (found, *map(table, rows(found.get("outputs")))):
            self.model = word(part.get("model")) or self.model
        if kind.endswith("error"):
            self.error = show(found.get("message") or found)
        elif kind.endswith(".delta"):
            self.produced += text_bytes([found.get("content"), found.get("name"), found.get("arguments")])
        self.worked = self.worked or kind.startswith("tool.execution")
        usage = found.get("usage")
        self.usage = usage if isinstance(usage, dict) else self.usage

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete), self.id)

    def _answer(self, complete: bool) -> Answer:
        used = table(self.usage.get("connectors"))
        if used.get(DRAWS):
            return Answer("unread", id=self.id, reason="it made images, which are billed one by one")
        if self.usage:
            searches = sum(stated(used, name) or 0 for name in used if "web_search" in name)
            return Answer(
                "billed", (openai_usage.bill(self.asked, self.model, self._source(), searches=searches),), self.id
            )
        if self.error:
            return Answer("held", id=self.id, reason=f"an error came in place of the usage: {self.error}")
        if complete or not self.asked.streams:
            return Answer("unread", id=self.id, reason="it does not say what it used")
        return cut_short(self.asked, self.model, self.produced, hidden=self.worked, id=self.id)

    def _source(self) -> Mapping[str, Any]:
        """The usage, with what connectors brought in as a part of the prompt."""
        brought = stated(self.usage, "connector_tokens") or 0
        return {**self.usage, "prompt_tokens": (stated(self.usage, "prompt_tokens") or 0) + brought}
