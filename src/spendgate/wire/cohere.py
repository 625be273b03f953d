"""Cohere's own API: chat in both versions, embeddings and reranking.

Billed is what `billed_units` states, which leaves out what Cohere's own templates add (`tokens` counts those too):
https://docs.cohere.com/docs/how-does-cohere-pricing-work.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from spendgate.pricing.usage import Usage
from spendgate.wire import openai_input, sizing
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Request
from spendgate.wire.fields import UnreadableError, inside, model_name, rows, stated, table, text_bytes, whole, word
from spendgate.wire.openai_embeddings import reads_only
from spendgate.wire.unreadable import unless_unreadable

CHAT = re.compile(r"(?:^|/)(?:v[12]/chat|v1/generate)/?$")
EMBED = re.compile(r"(?:^|/)v[12]/embed/?$")
RERANK = re.compile(r"(?:^|/)v[12]/rerank/?$")

SEARCH_UNIT = "rerank_searches"
"""What genai-prices calls a search unit: a query with up to 100 documents."""
IMAGE_TOKENS = 10_000
"""An image to embed, beyond what Cohere's largest image of 2.4 megapixels comes to in patches of 28 pixels."""


class CohereChat:
    """The API of `v1/chat` and `v2/chat`, and of `v1/generate` before them."""

    name = "cohere.chat"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and CHAT.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        model, problem = model_name(body.get("model"))
        tools = openai_input.tools(body.get("tools")) if _named_by_type(body) else sizing.text(body.get("tools"))
        read = ["message", "messages", "chat_history", "preamble", "documents", "tool_results", "response_format"]
        answers = max(1, whole(body.get("num_generations")) or 1)
        most = whole(body.get("max_tokens"))
        shown = openai_input.messages(model, [body.get(name) for name in [*read, "prompt"]])
        refers = body.get("connectors") or body.get("conversation_id")
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=None if refers else sizing.total([shown, tools]),
            max_output_tokens=None if most is None else most * answers,
            answers=answers,
            streams=body.get("stream") is True,
            cap=("max_tokens",),
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "CohereReading":  # noqa: ARG002 - the protocol's
        return CohereReading(asked)


class CohereEmbed:
    """The API of `embed`. It writes nothing."""

    name = "cohere.embed"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and EMBED.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        texts, images = rows(body.get("texts")), rows(body.get("images"))
        inputs = rows(body.get("inputs"))
        parts = [part for entry in inputs for part in rows(table(entry).get("content"))]
        drawn = sum(table(part).get("type") == "image_url" for part in parts)
        written = [part for part in parts if table(part).get("type") != "image_url"]
        count = len(texts) + len(images) + len(inputs)
        tokens = sizing.text([texts, written]) + IMAGE_TOKENS * (len(images) + drawn) + sizing.MESSAGE_TOKENS * count
        return reads_only(self.name, provider, body, tokens)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "CohereReading":  # noqa: ARG002 - the protocol's
        return CohereReading(asked)


class CohereRerank:
    """The API of `rerank`, billed by search units."""

    name = "cohere.rerank"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and RERANK.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        return reads_only(self.name, provider, body, 0)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "CohereReading":  # noqa: ARG002 - the protocol's
        return CohereReading(asked)


def _named_by_type(body: Mapping[str, Any]) -> bool:
    """Whether tools are defined as in version 2, which is OpenAI's way."""
    return any("type" in table(tool) for tool in rows(body.get("tools")))


@dataclass(slots=True)
class CohereReading:
    """Reads an answer of any of these, whole or as a stream of either version."""

    asked: Asked
    id: str = ""
    billed: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = False
    error: str = ""
    produced: int = 0

    def document(self, data: Any, event: str = "") -> None:
        source = table(data)
        kind = word(source.get("type")) or word(source.get("event_type")) or event
        self.id = word(source.get("id")) or self.id
        for place in _places(source):
            billed = place.get("billed_units")
            if isinstance(billed, dict):
                self.billed = billed
        if kind in {"message-end", "stream-end"}:
            self.ended = True
            fault = inside(source, "delta", "error") or inside(source, "delta", "finish_reason")
            self.error = fault if isinstance(fault, str) and fault.startswith(("ERROR", "error")) else self.error
        elif kind in {"", "embeddings_floats", "embeddings_by_type"}:
            self.ended = True
        else:
            message = table(inside(source, "delta", "message"))
            calls = message.get("tool_calls")
            said = [message.get("content"), message.get("tool_plan"), inside(calls, "function") or calls]
            said.append(source.get("text") if kind == "text-generation" else None)
            self.produced += text_bytes(said)

    def answer(self, complete: bool) -> Answer:  # noqa: ARG002 - its end says whether it is whole
        if not self.billed:
            if self.error:
                return Answer("held", id=self.id, reason=f"an error came in place of the usage: {self.error}")
            if self.ended or not self.asked.streams:
                return Answer("unread", id=self.id, reason="it does not say what it used")
            return cut_short(self.asked, "", self.produced, id=self.id)
        return unless_unreadable(self._billed, self.id)

    def _billed(self) -> Answer:
        bill = Bill(self.asked.provider, self.asked.model, _usage(self.billed))
        return Answer("billed", (bill,), id=self.id)


def _places(source: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where the usage may stand: an answer or the end of a stream, version 2 or 1."""
    yield table(source.get("usage"))
    yield table(source.get("meta"))
    yield table(inside(source, "delta", "usage"))
    yield table(inside(source, "response", "meta"))


def _usage(billed: Mapping[str, Any]) -> Usage:
    """Tokens and search units.

    Raises:
        UnreadableError: a count is none, there are none, or images are billed one by one.
    """
    given = (stated(billed, "input_tokens") or 0) + (stated(billed, "image_tokens") or 0)
    written, searched = stated(billed, "output_tokens") or 0, stated(billed, "search_units") or 0
    if (stated(billed, "images") or 0) and not stated(billed, "image_tokens"):
        raise UnreadableError("images are billed one by one")
    if not (given or written or searched):
        raise UnreadableError("it states no tokens")
    units = ((SEARCH_UNIT, Decimal(searched)),) if searched else ()
    return Usage(input_tokens=given, output_tokens=written, units=units)
