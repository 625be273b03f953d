"""Chat completions and legacy completions, as OpenAI and everybody after it speaks them below any path.

The last chunk of a stream states the usage when the request asked for it (`stream_options.include_usage`); Groq puts it
under `x_groq`, Perplexity states what there is so far in every chunk, and some state it before their last chunk.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import hosts, openai_input, openai_usage, sizing
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Path, Request
from spendgate.wire.fields import inside, model_name, rows, show, table, text_bytes, whole, word
from spendgate.wire.unreadable import unless_unreadable

SPOKEN = re.compile(r"(?:^|/)(?:(?P<chat>chat/completions|agents/completions)|(?:fim/)?completions)/?$")
PARTNER = re.compile(
    r"/publishers/(?!anthropic/|google/)[^/]+/models/(?P<model>[^/:]+):(?P<verb>(?:r|streamR)awPredict)$"
)
"""Where Vertex AI has the models of Mistral and others."""
DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")

NEW_CAP = frozenset({"openai", "azure", "groq", "cerebras", "openrouter", "x-ai", "github", "vercel", "snowflake"})
"""Providers that take `max_completion_tokens`, as OpenAI's reasoning models demand; the others take `max_tokens`."""
LEGACY_OUTPUT = 16
"""What a legacy completion of OpenAI writes at most when it names no cap."""
ALWAYS_STATE_USAGE = frozenset({"mistral", "perplexity", "fireworks"})
"""Providers whose streams report usage unasked. Mistral refused `stream_options` for long."""
LOOKS_UP = re.compile(r"-search-|:online$|^@preset/|(?:^|/)compound")
"""Models that read what the request does not contain: what they find, or prompts that are kept elsewhere."""
FETCHING = ("web_search_options", "plugins", "search_parameters", "agent_id", "preset")
"""Fields that have a model read what the request does not contain."""
SHOWN = ("response_format", "functions", "documents")
"""Fields that are shown to the model besides its messages and tools."""
SEARCHING = frozenset({"web_search_options", "search_parameters", "plugins"})
"""Fields that offer a search of the web."""
HIDES_REASONING = re.compile(
    r"(?:^|[/.])(?:o[1-9](?:-|$)|gpt-5(?:$|-(?!chat|search))|gemini-(?:2\.5-(?!flash-lite)|[3-9])|grok-4(?!.*non-reasoning))"
)
"""Models that think without showing it: of a stream that broke off, nobody knows how much they had thought."""


class Chat:
    """The API of `chat/completions`, and of `completions` before it."""

    name: str = "openai.chat"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and bool(SPOKEN.search(path) or PARTNER.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        place = _place(urlsplit(request.url).path)
        model, problem = model_name(body.get("model") or place.model)
        if provider == "huggingface" and ":" in model:
            provider = hosts.routed(model.rpartition(":")[2])
        answers = max(1, whole(body.get("n")) or 1)
        if place.is_chat:
            tokens = _chat_input(model, body)
        else:
            prompts = openai_input.ids(body.get("prompt") or "")
            answers = max(answers, whole(body.get("best_of")) or 1) * (prompts[0] if prompts else 1)
            tokens = prompts and prompts[1] + sizing.text(body.get("suffix"))
        cap, most = _cap(provider, place.is_chat, body)
        flag: Path = ()
        streams = body.get("stream") is True or place.streams
        unasked = place.is_partners or provider in ALWAYS_STATE_USAGE
        if streams and not unasked and inside(body, "stream_options", "include_usage") is None:
            flag = ("stream_options", "include_usage")
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=tokens,
            max_output_tokens=None if most is None else most * answers,
            answers=answers,
            web_searches=_searches(model, body) * answers,
            service_tier=word(body.get("service_tier")),
            streams=streams,
            cap=cap,
            usage_flag=flag,
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "ChatReading":
        served_by = hosts.routed(headers.get("x-inference-provider", "")) if asked.provider == "huggingface" else ""
        return ChatReading(replace(asked, provider=served_by or asked.provider))


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says: whether it is of chat, which model it names, whether it is Vertex AI's for a partner's model.

    `streams` is whether its verb asks for a stream.
    """

    is_chat: bool
    model: str | None
    is_partners: bool
    streams: bool


@lru_cache(maxsize=1024)
def _place(path: str) -> Place:
    partner, spoken = PARTNER.search(path), SPOKEN.search(path)
    named = partner or DEPLOYMENT.search(path)
    return Place(
        is_chat=spoken is None or spoken["chat"] is not None,
        model=unquote(named[1]) if named else None,
        is_partners=partner is not None,
        streams=partner is not None and partner["verb"] == "streamRawPredict",
    )


def _chat_input(model: str, body: Mapping[str, Any]) -> int | None:
    if any(map(body.get, FETCHING)) or LOOKS_UP.search(model):
        return None
    shown = list(filter(None, map(body.get, SHOWN)))
    asked = openai_input.messages(model, body.get("messages"))
    return sizing.total([asked, openai_input.tools(body.get("tools")), sizing.text(shown or None)])


def _cap(provider: str, is_chat: bool, body: Mapping[str, Any]) -> tuple[Path, int | None]:
    """Where the most output of one answer is said, and how much that is."""
    new, old = whole(body.get("max_completion_tokens")), whole(body.get("max_tokens"))
    if new is not None:
        return ("max_completion_tokens",), max(new, old or 0)
    if old is not None:
        return ("max_tokens",), old
    if not is_chat:
        return ("max_tokens",), LEGACY_OUTPUT if provider in {"openai", "azure"} else None
    return ("max_completion_tokens" if provider in NEW_CAP else "max_tokens",), None


def _searches(model: str, body: Mapping[str, Any]) -> int:
    """Models made for searching do so once an answer; where a search is offered as an option, it may be used once."""
    if "-search-" in model or model.endswith(":online"):
        return 1
    if not SEARCHING.isdisjoint(body) and any(body.get(name) is not None for name in SEARCHING):
        return 1
    for tool in rows(body.get("tools")):
        kind = word(table(tool).get("type"))
        if "web_search" in (word(inside(tool, "function", "name")) if kind == "builtin_function" else kind):
            return 1
    return 0


@dataclass(slots=True)
class ChatReading:
    """Reads an answer of either kind, whole or as a stream."""

    asked: Asked
    model: str = ""
    id: str = ""
    tier: Any = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    parts: list[Any] = field(default_factory=list)
    error: str = ""
    done: bool = False
    hidden: bool = False
    produced: int = 0
    _open: dict[Any, bool] = field(default_factory=dict)

    def document(self, data: Any, event: str = "") -> None:
        if data == "[DONE]":
            self.done = True
        if not isinstance(data, dict):
            return
        self.model = word(data.get("model")) or self.model
        self.id = word(data.get("id")) or self.id
        self.tier = data.get("service_tier") or self.tier
        if data.get("error") or event == "error":
            self.error = show(data.get("error") or data)
        breakdown = data.get("usage_breakdown") or inside(data, "x_groq", "usage_breakdown")
        self.parts = rows(table(breakdown).get("models")) or self.parts
        for choice in rows(data.get("choices")):
            self._choice(table(choice))
        usage = data.get("usage") or inside(data, "x_groq", "usage")
        if isinstance(usage, dict):
            self.usage = usage
            if any(usage.get(name) is not None for name in ("completion_tokens", "total_tokens")):
                self.produced = 0  # Databricks states the input alone until the end
        elif usage is not None:
            self.usage = {"prompt_tokens": usage}

    def _choice(self, choice: Mapping[str, Any]) -> None:
        if "message" in choice:
            self.done = True
        delta = table(choice.get("delta"))
        reasoning = delta.get("reasoning") or delta.get("reasoning_content") or delta.get("reasoning_details")
        calls = [table(call).get("function") or table(call).get("custom") for call in rows(delta.get("tool_calls"))]
        shown = [choice.get("text"), delta.get("content"), reasoning, delta.get("refusal"), delta.get("function_call")]
        self.produced += text_bytes(shown) + text_bytes(calls)
        self.hidden = self.hidden or bool(delta.get("audio"))
        index = whole(choice.get("index"))
        self._open[index] = self._open.get(index, True) and not choice.get("finish_reason")

    @property
    def ended(self) -> bool:
        """Whether everything that was asked for has come."""
        return self.done or not self.asked.streams or (bool(self._open) and not any(self._open.values()))

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete), self.id)

    def _answer(self, complete: bool) -> Answer:
        if self.usage:
            bill = openai_usage.bill(self.asked, self.model, self.usage, searches=self._searched(), tier=self.tier)
            if self.ended or self.error:
                return Answer("billed", self._by_model() or (bill,), id=self.id)
            more = bill.usage.output_tokens + self.produced
            return Answer("billed", (replace(bill, usage=replace(bill.usage, output_tokens=more)),), self.id, cut=True)
        if self.error:
            return Answer("held", id=self.id, reason=f"an error came in place of the usage: {self.error}")
        if self.done or (self.ended and complete):
            return Answer("unread", id=self.id, reason="it ended without saying what it used")
        hidden = self.hidden or HIDES_REASONING.search(self.model or self.asked.model) is not None
        return cut_short(self.asked, self.model, self.produced, hidden=hidden, id=self.id, tier=self.tier)

    def _by_model(self) -> tuple[Bill, ...]:
        """Groq's compound systems use several models, and state what each of them did."""
        each = [(word(table(one).get("model")), table(table(one).get("usage"))) for one in self.parts]
        return tuple(openai_usage.bill(self.asked, model, usage, tier=self.tier) for model, usage in each if model)

    def _searched(self) -> int:
        return self.asked.web_searches if "-search-" in self.asked.model else 0
