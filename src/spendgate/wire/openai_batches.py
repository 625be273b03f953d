"""Batches: begun with a file of requests, billed when their end is collected, at the price of batches.

The model stands in the file, not in the request. What a batch used is read from the batch itself, never from the files
of its results: those can be fetched by anybody at any time, or not at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import openai_usage
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, table, whole, word
from spendgate.wire.unreadable import unless_unreadable

CREATED = re.compile(r"(?:^|/)(?<!messages/)batches/?$")
COLLECTED = re.compile(r"(?:^|/)(?<!messages/)batches/(?P<id>[^/]+)(?:/cancel)?/?$")

GOES_ON = frozenset({"validating", "in_progress", "finalizing", "cancelling"})


class Batches:
    """The API of `batches`."""

    name: str = "openai.batches"

    def speaks(self, method: str, path: str) -> bool:
        if method == "GET":
            return COLLECTED.search(path) is not None and not path.rstrip("/").endswith("/cancel")
        return method == "POST" and bool(CREATED.search(path) or COLLECTED.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        path = urlsplit(request.url).path
        found = COLLECTED.search(path)
        if found:
            earlier = word(unquote(found["id"]))
            return Asked(self.name, provider, kind="collects", batch=True, earlier=earlier)
        return Asked(self.name, provider, word(body.get("model")), batch=True, later=True)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "BatchReading":  # noqa: ARG002 - the protocol's
        return BatchReading(asked)


@dataclass(slots=True)
class BatchReading:
    """Reads a batch, as it is answered when it is begun, asked after or cancelled."""

    asked: Asked
    batch: Mapping[str, Any] = field(default_factory=dict)

    def document(self, data: Any, event: str = "") -> None:  # noqa: ARG002 - the protocol's
        self.batch = table(data)

    def answer(self, complete: bool) -> Answer:  # noqa: ARG002 - the protocol's
        id_ = word(self.batch.get("id")) or self.asked.earlier
        status, usage = word(self.batch.get("status")), self.batch.get("usage")
        if status in GOES_ON:
            return Answer("later", id=id_)
        if status == "failed":
            return Answer("free", id=id_, reason="its file was refused before any request was made")
        if isinstance(usage, dict) and usage:
            return self._billed(id_, usage)
        if status in {"expired", "cancelled"} and whole(inside(self.batch, "request_counts", "completed")) == 0:
            return Answer("free", id=id_, reason=f"it was {status} before any request was made")
        reason = f"a batch that is {status or 'in no known state'} does not say what it used"
        return Answer("unread", id=id_, reason=reason)

    def _billed(self, id_: str, usage: Mapping[str, Any]) -> Answer:
        model = word(self.batch.get("model")) or self.asked.model
        if not model:
            return Answer("unread", id=id_, reason="the batch does not name the model that it used")
        if usage.get("total_tokens") == 0 and whole(inside(self.batch, "request_counts", "completed")) == 0:
            return Answer("free", id=id_, reason="none of its requests was answered")
        return unless_unreadable(lambda: Answer("billed", (openai_usage.bill(self.asked, model, usage),), id_), id_)
