"""Gemini: `generateContent`, whole or as a stream, embeddings and caches, on Google AI Studio and on Vertex AI."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from spendgate.errors import AmountError
from spendgate.pricing.usage import Usage
from spendgate.wire import gemini_input, gemini_usage, media, sizing
from spendgate.wire.cut_short import EARLY, cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Request
from spendgate.wire.fields import inside, model_name, rows, show, stated, table, text_bytes, whole, word
from spendgate.wire.gemini_usage import Grounding
from spendgate.wire.unreadable import unless_unreadable

VERBS = r"generateContent|streamGenerateContent|embedContent|batchEmbedContents|predict"
PAID = re.compile(rf"(?:^|/)(?:models|tunedModels|endpoints|dynamic)/(?P<model>[^/:]+):(?P<verb>{VERBS})$")
CACHE = re.compile(r"(?:^|/)cachedContents/?$")
INDEXED = re.compile(r":(?:uploadToFileSearchStore|importFile)$")
FREE = re.compile(
    r":(?:countTokens|computeTokens)$|(?:^|/)(?:cachedContents/[^/]+|files(?::register)?|fileSearchStores|auth_tokens)/?$"
    r"|(?:^|/)batches/[^/]+:cancel$"
)

IMAGE_TOKENS = 2_520
"""An image in the answer: 1,290 by Gemini 2.5, up to 2,520 by others: https://ai.google.dev/gemini-api/docs/pricing"""
SPEECH_BYTES = 1_000
"""Bytes of sound in the answer for a token: 25 tokens a second, of 48,000 bytes."""
HIDES_THOUGHTS = re.compile(r"gemini-(?:2\.5-(?!flash-lite|.*image)|[3-9]|\d\d)|gemini-(?:pro|flash)-latest")
"""Models that think without showing it."""
DRAWS = re.compile(r"image|banana|omni")
"""Models that answer with pictures or films, which cost more than text."""


@dataclass(frozen=True, slots=True)
class Generate:
    """The API of `generateContent`, of embeddings, and of `cachedContents`, which are billed when they are made."""

    name: str = "gemini.generate"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and bool(PAID.search(path) or CACHE.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        found = PAID.search(urlsplit(request.url).path)
        if found is None:
            return self._cache(provider, body)
        model, problem = model_name(unquote(found["model"]))
        if found["verb"] in {"generateContent", "streamGenerateContent"}:
            asked = generation(self.name, provider, model, body)
            return replace(
                asked,
                kind="unread" if problem else "paid",
                streams=found["verb"] == "streamGenerateContent",
                service_tier=asked.service_tier or word(request.headers.get("x-vertex-ai-llm-shared-request-type")),
                problem=problem,
            )
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=embedded(model, body),
            max_output_tokens=0,
            problem=problem,
        )

    def _cache(self, provider: str, body: Mapping[str, Any]) -> Asked:
        """What is kept is read once, at the price of input. Keeping it is billed by the hour: that is not told."""
        model, problem = model_name(str(body.get("model") or "").rpartition("/")[2])
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=gemini_input.tokens(model, body),
            max_output_tokens=0,
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "GenerateReading":  # noqa: ARG002 - the protocol's
        return GenerateReading(asked)


@dataclass(frozen=True, slots=True)
class Manage:
    """What Google does not bill: counting tokens, files, settings. Indexing a file bills tokens that nobody states."""

    name: str = "gemini.manage"

    def speaks(self, method: str, path: str) -> bool:
        return method in {"POST", "PATCH", "PUT"} and bool(FREE.search(path) or INDEXED.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        parts = urlsplit(request.url)
        begins = request.headers.get("x-goog-upload-command") == "start" and "upload_id" not in parse_qs(parts.query)
        if INDEXED.search(parts.path) and not begins:
            problem = "indexing a file for searches bills embeddings, and nobody says how many tokens"
            return Asked(self.name, provider, kind="unread", problem=problem)
        return Asked(self.name, provider, kind="free")

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "GenerateReading":  # noqa: ARG002 - the protocol's
        return GenerateReading(asked)


def generation(api: str, provider: str, model: str, body: Mapping[str, Any]) -> Asked:
    """What a body of `generateContent` asks of a model."""
    path, most, answers = gemini_input.cap(body)
    return Asked(
        api=api,
        provider=provider,
        model=model,
        input_tokens=gemini_input.tokens(model, body),
        max_output_tokens=None if most is None else most * answers,
        answers=answers,
        web_searches=gemini_input.searches(model, body),
        service_tier=word(gemini_input.get(body, "serviceTier")).lower(),
        cap=path,
    )


def embedded(model: str, body: Mapping[str, Any]) -> int | None:
    """The most tokens that are embedded: one content, the contents of several requests, or instances on Vertex AI."""
    requests = [table(one) for one in rows(body.get("requests"))] or [body]
    found = [gemini_input.contents(model, one["content"]) for one in requests if "content" in one]
    instances = rows(body.get("instances"))
    if instances or not found:
        plain = bool(instances) and all(isinstance(inside(one, "content"), str) for one in instances)
        found.append(sizing.text(instances) if plain else None)
    return sizing.total(found)


@dataclass(slots=True)
class GenerateReading:
    """Reads what a model generated, whole, as a stream or as an array; also embeddings and a cache that was made."""

    asked: Asked
    model: str = ""
    id: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    grounding: Grounding = field(default_factory=Grounding)
    error: str = ""
    blocked: bool = False
    embedded: int | None = None
    produced: int = 0
    _open: dict[Any, bool] = field(default_factory=dict)

    def document(self, data: Any, event: str = "") -> None:
        if isinstance(data, list):
            for chunk in data:
                self.document(chunk, event)
        if not isinstance(data, dict):
            return
        if "error" in data:
            self.error = show(data["error"])
        self.model = word(data.get("modelVersion")) or self.model
        self.id = word(data.get("responseId") or data.get("name")) or self.id
        self.blocked = self.blocked or bool(inside(data, "promptFeedback", "blockReason"))
        for candidate in rows(data.get("candidates")):
            self._candidate(table(candidate))
        self._embedded(rows(data.get("predictions")))
        usage = data.get("usageMetadata")
        if isinstance(usage, dict):
            self.usage = gemini_usage.merged(self.usage, usage)

    def _candidate(self, candidate: Mapping[str, Any]) -> None:
        self.grounding.add(candidate.get("groundingMetadata"))
        for part in rows(inside(candidate, "content", "parts")):
            self.produced += _weight(table(part))
        index = whole(candidate.get("index")) or 0
        self._open[index] = self._open.get(index, True) and not candidate.get("finishReason")

    def _embedded(self, predictions: list[Any]) -> None:
        """Vertex AI states the tokens of each text that was embedded."""
        counts = [whole(inside(one, "embeddings", "statistics", "token_count")) for one in predictions]
        if counts:
            self.embedded = None if None in counts else sum(count or 0 for count in counts)

    @property
    def ended(self) -> bool:
        """Whether everything that was asked for has come."""
        return not self.asked.streams or self.blocked or (bool(self._open) and not any(self._open.values()))

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete), self.id)

    def _answer(self, complete: bool) -> Answer:
        searches = self.grounding.searches(self._name)
        whole_stream = complete and stated(self.usage, "candidatesTokenCount") is not None
        if self.usage and (self.ended or whole_stream):
            writes = bool(self.asked.cap)
            usage = self._read(searches) if writes else gemini_usage.given(self.usage)
            return Answer("billed", (self._bill(usage),), id=self.id)
        if self.embedded is not None:
            return Answer("billed", (self._bill(Usage(input_tokens=self.embedded)),), id=self.id)
        if self.error:
            return Answer("held", id=self.id, reason=f"an error came in place of its end: {self.error}")
        if not self.asked.streams or (complete and (self.ended or not self._open)):
            return Answer("unread", id=self.id, reason="it does not say what it used" if complete else "it broke off")
        return self._cut(searches)

    def _cut(self, searches: int) -> Answer:
        """What was produced until the stream ended early. Thoughts are not shown, only counted once they are over.

        What Google's own tools had the model read is counted at the end.
        """
        thoughts = stated(self.usage, "thoughtsTokenCount")
        if self.asked.input_tokens is None and self.usage:
            return Answer("unread", id=self.id, reason=f"{EARLY}, and all that it read is not known")
        hidden = thoughts is None and HIDES_THOUGHTS.search(self._name) is not None
        if hidden or not self.usage:
            model, given = self.model, stated(self.usage, "promptTokenCount")
            return cut_short(self.asked, model, self.produced, input_tokens=given, hidden=hidden, id=self.id)
        usage = self._read(searches)
        written = max(usage.output_tokens, self.produced + (thoughts or 0))
        bill = self._bill(replace(usage, output_tokens=written))
        return Answer("billed", (bill,), id=self.id, reason=EARLY, cut=True)

    @property
    def _name(self) -> str:
        return self.model or self.asked.model

    def _read(self, searches: int) -> Usage:
        return gemini_usage.read(self.usage, searches, draws=DRAWS.search(self._name) is not None)

    def _bill(self, usage: Usage) -> Bill:
        if not (usage.tokens or usage.web_searches):
            raise AmountError("tokens", 0, "it states none")
        tier = gemini_usage.tier(self.usage) or self.asked.service_tier
        model = self.model.rpartition("/")[2] or self.asked.model
        return Bill(self.asked.provider, model, usage, batch=self.asked.batch, service_tier=tier)


def _weight(part: Mapping[str, Any]) -> int:
    """The most tokens that a part of an answer can be."""
    inline = table(part.get("inlineData"))
    data = inline.get("data")
    if not isinstance(data, str):
        beside = {name: value for name, value in part.items() if name not in {"text", "thought"}}
        return text_bytes(part.get("text")) + (sizing.text(beside) if beside else 0)
    kind = str(inline.get("mimeType"))
    if kind.startswith("image/"):
        return IMAGE_TOKENS
    return -(-media.bytes_in(data) // SPEECH_BYTES) if kind.startswith("audio/") else media.bytes_in(data)
