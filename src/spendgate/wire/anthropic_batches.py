"""Anthropic's message batches: begun with all their requests, billed when their results are collected.

The results are the only place where the usage stands. A batch whose results nobody fetches counts whole when its hold
lapses. Requests that failed, expired or were cancelled are not billed.
https://platform.claude.com/docs/en/build-with-claude/batch-processing
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import anthropic_usage, batch_parts
from spendgate.wire.anthropic_messages import ask
from spendgate.wire.batch_parts import Sums
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, rows, show, table, word

CREATED = re.compile(r"(?:^|/)messages/batches/?$")
RESULTS = re.compile(r"(?:^|/)messages/batches/(?P<id>[^/]+)/results/?$")
MANAGED = re.compile(r"(?:^|/)messages/batches/[^/]+(?:/cancel)?/?$")

UNBILLED = frozenset({"errored", "canceled", "expired"})


@dataclass(frozen=True, slots=True)
class MessageBatches:
    """The API of `messages/batches`."""

    name: str = "anthropic.batches"

    def speaks(self, method: str, path: str) -> bool:
        if method == "POST":
            return bool(CREATED.search(path) or MANAGED.search(path))
        return method == "GET" and bool(RESULTS.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        path = urlsplit(request.url).path
        results = RESULTS.search(path)
        if results:
            return Asked(self.name, provider, kind="collects", earlier=word(unquote(results["id"])), batch=True)
        if not CREATED.search(path):
            return Asked(self.name, provider, kind="free")
        return self._begun(provider, rows(body.get("requests")))

    def _begun(self, provider: str, requests: list[Any]) -> Asked:
        """All requests together. Where they name several models, the first stands for all of them."""
        each = [table(inside(one, "params")) for one in requests]
        asked = [ask(self.name, provider, body.get("model"), body) for body in each]
        problem = next((one.problem for one in asked if one.problem), "" if asked else "the batch has no requests")
        return batch_parts.begun(self.name, provider, asked[0].model if asked else "", asked, problem)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "BatchReading":  # noqa: ARG002 - the protocol's
        return BatchReading(asked)


@dataclass(slots=True)
class BatchReading:
    """Reads a batch that was begun, or its results, a line at a time."""

    asked: Asked
    id: str = ""
    lines: int = 0
    problem: str = ""
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = Sums(self.asked.provider)

    def document(self, data: Any, event: str = "") -> None:  # noqa: ARG002 - the protocol's
        found = table(data)
        if self.asked.later:
            self.id = word(found.get("id"))
            return
        self.lines += 1
        result = table(found.get("result"))
        kind = result.get("type")
        if kind == "succeeded":
            self._succeeded(table(result.get("message")))
        elif kind not in UNBILLED:
            self.problem = self.problem or f"one of its results is {show(kind)}"

    def _succeeded(self, message: Mapping[str, Any]) -> None:
        try:
            for bill in anthropic_usage.bills(self.asked, word(message.get("model")), table(message.get("usage"))):
                self.sums.add(bill)
        except ValueError as fault:  # of its counts, or of their sums
            self.problem = self.problem or f"the usage of one of its results cannot be read: {fault}"

    def answer(self, complete: bool) -> Answer:
        if self.asked.later:
            return Answer("later", id=self.id) if self.id else Answer("unread", reason="the batch has no id")
        earlier = self.asked.earlier
        if not complete:
            return Answer("later", id=earlier, reason="its results broke off; they can be fetched again")
        if self.problem or not self.lines:
            return Answer("unread", id=earlier, reason=self.problem or "it has no results")
        found = self.sums.bills()
        if not found:
            return Answer("free", id=earlier, reason="none of its requests was answered")
        return Answer("billed", found, id=earlier)
