"""Responses: plain, streamed, in the background, compacted, and collected later.

A background response is billed once, when it is collected; until then its answers are `later`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from spendgate.wire import openai_input, openai_usage, sizing
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Request
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
from spendgate.wire.searches import MOST_SEARCHES
from spendgate.wire.unreadable import unless_unreadable

CREATED = re.compile(r"(?:^|/)responses(?P<compact>/compact)?/?$")
COLLECTED = re.compile(r"(?:^|/)responses/(?P<id>[^/]+)/?$")
CANCELLED = re.compile(r"(?:^|/)responses/(?P<id>[^/]+)/cancel/?$")

GOES_ON = frozenset({"queued", "in_progress"})
IMAGE_MODEL = "gpt-image-1"
"""What makes images where the tool names no model."""


class Responses:
    """The API of `responses`."""

    name: str = "openai.responses"

    def speaks(self, method: str, path: str) -> bool:
        if method == "POST":
            return bool(CREATED.search(path) or CANCELLED.search(path))
        return method == "GET" and COLLECTED.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        url = urlsplit(request.url)
        created = CREATED.search(url.path)
        if request.method.upper() == "GET" or created is None:
            return self._collects(provider, url.path, url.query)
        model, problem = model_name(body.get("model"))
        most = whole(body.get("max_output_tokens"))
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=_input(model, body),
            max_output_tokens=most,
            web_searches=_searches(body),
            service_tier=word(body.get("service_tier")),
            streams=body.get("stream") is True,
            later=body.get("background") is True,
            cap=() if created["compact"] else ("max_output_tokens",),
            problem=problem,
        )

    def _collects(self, provider: str, path: str, query: str) -> Asked:
        found = CANCELLED.search(path) or COLLECTED.search(path)
        earlier = word(unquote(found["id"])) if found else ""
        streams = parse_qs(query).get("stream", [""])[-1].lower() == "true"
        return Asked(self.name, provider, kind="collects", earlier=earlier, streams=streams)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "ResponsesReading":  # noqa: ARG002 - the protocol's
        return ResponsesReading(asked, id=asked.earlier)


def _input(model: str, body: Mapping[str, Any]) -> int | None:
    if any(body.get(name) for name in ("previous_response_id", "conversation", "prompt", "plugins", "preset")):
        return None
    shown = [body.get("instructions"), body.get("text")]
    return sizing.total(
        [
            openai_input.messages(model, body.get("input")),
            openai_input.content(model, shown),
            openai_input.tools(body.get("tools")),
        ]
    )


def _searches(body: Mapping[str, Any]) -> int:
    kinds = [table(tool).get("type") for tool in rows(body.get("tools"))]
    if not any(isinstance(kind, str) and "web_search" in kind for kind in kinds):
        return 0
    most = whole(body.get("max_tool_calls"))
    return MOST_SEARCHES if most is None else most


@dataclass(slots=True)
class ResponsesReading:
    """Reads a response, or the events of its stream, whose last one has the whole response again."""

    asked: Asked
    id: str = ""
    response: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    produced: int = 0
    thought: int = 0
    thinks: bool = False
    draws: bool = False
    searches: int = 0

    def document(self, data: Any, event: str = "") -> None:
        if not isinstance(data, dict):
            return
        kind = word(data.get("type")) or event
        response = data.get("response")
        if isinstance(response, dict):
            self._take(response)
        elif "output" in data or ("status" in data and "id" in data and "." not in kind):
            self._take(data)
        elif kind == "error" or data.get("error"):
            self.error = show(data.get("error") or data)
        else:
            self._event(kind, data)

    def _take(self, response: Mapping[str, Any]) -> None:
        self.response = response
        self.id = word(response.get("id")) or self.id

    def _event(self, kind: str, data: Mapping[str, Any]) -> None:
        item = table(data.get("item"))
        if kind.endswith("output_item.added"):
            self.thinks = self.thinks or item.get("type") == "reasoning"
            self.draws = self.draws or item.get("type") == "image_generation_call"
            self.produced += text_bytes(item.get("name"))
        elif kind.endswith("output_item.done"):
            self.searches += _is_search(item)
        if "delta" in data:
            size = text_bytes(data["delta"])
            self.produced += size
            self.thought += size if "reasoning_text" in kind else 0

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete), self.id)

    def _answer(self, complete: bool) -> Answer:
        status, usage = word(self.response.get("status")), self.response.get("usage")
        collected = self.asked.later or self.asked.kind == "collects"
        if isinstance(usage, dict) and usage and status not in GOES_ON:
            return self._billed(usage)
        if collected and (status in GOES_ON or not complete or not self.response):
            return Answer("later", id=self.id, reason="" if status in GOES_ON else "its answer did not come whole")
        if status in {"failed", "cancelled"} or self.error:
            fault = self.error or show(self.response.get("error") or status)
            return Answer("held", id=self.id, reason=f"it ended without its usage: {fault}")
        if status in GOES_ON or (self.asked.streams and not self.response):
            if not self.asked.streams:
                return Answer("later", id=self.id)
            return cut_short(
                self.asked,
                word(self.response.get("model")),
                self.produced,
                hidden=self.draws or (self.thinks and not self.thought),
                searches=self.searches,
                id=self.id,
                tier=self.response.get("service_tier"),
            )
        return Answer("unread", id=self.id, reason="it ended without saying what it used")

    def _billed(self, usage: Mapping[str, Any]) -> Answer:
        items = rows(self.response.get("output"))
        tools = table(self.response.get("tool_usage"))
        seen = sum(_is_search(table(item)) for item in items)
        searches = max(seen, self.searches, stated(table(tools.get("web_search")), "num_requests") or 0)
        tier = self.response.get("service_tier")
        bill = openai_usage.bill(self.asked, word(self.response.get("model")), usage, searches=searches, tier=tier)
        drawn = table(tools.get("image_gen"))
        if bill.cost is None and (stated(drawn, "total_tokens") or 0) > 0:
            return Answer("billed", (bill, self._drawn(drawn)), id=self.id)
        if bill.cost is None and any(table(item).get("type") == "image_generation_call" for item in items):
            return Answer("unread", id=self.id, reason="it made images, and does not say what they used")
        return Answer("billed", (bill,), id=self.id)

    def _drawn(self, usage: Mapping[str, Any]) -> Bill:
        """Images are billed by the model that made them."""
        tools = [table(tool) for tool in rows(self.response.get("tools"))]
        named = (word(tool.get("model")) for tool in tools if tool.get("type") == "image_generation")
        bill = openai_usage.bill(self.asked, next((name for name in named if name), IMAGE_MODEL), usage)
        return replace(bill, usage=openai_usage.with_text(bill.usage, usage))


def _is_search(item: Mapping[str, Any]) -> bool:
    """Whether an output item is a search of the web: opening a page and looking in it are not billed."""
    return item.get("type") == "web_search_call" and inside(item, "action", "type") in {None, "search"}
