"""Voyage's API: embeddings of texts, chunks and pictures, and reranking; all billed by `total_tokens`."""

import re
from collections.abc import Mapping
from typing import Any

from spendgate.wire import sizing
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, rows, table
from spendgate.wire.openai_embeddings import EACH_TOKENS, UsageReading, reads_only

SPOKEN = re.compile(r"(?:^|/)(?P<what>(?:multimodal|contextualized)?embeddings|rerank)/?$")

IMAGE_TOKENS = 28_572
"""A picture: at most 16 million pixels, a token for every 560 of them.

https://docs.voyageai.com/docs/multimodal-embeddings
"""


class Voyage:
    """The API of Voyage. It writes nothing."""

    name = "voyage"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and SPOKEN.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        return reads_only(self.name, provider, body, _tokens(body))

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "VoyageReading":  # noqa: ARG002 - the protocol's
        return VoyageReading(asked)


class VoyageReading(UsageReading):
    """Reads an answer of Voyage."""

    def answer(self, complete: bool) -> Answer:
        pixels = inside(self.seen, "usage", "video_pixels")
        if pixels and not inside(self.seen, "usage", "total_tokens"):
            return Answer("unread", reason="films are billed by their pixels")
        return UsageReading.answer(self, complete)


def _tokens(body: Mapping[str, Any]) -> int | None:
    if "query" in body:
        documents = rows(body.get("documents"))
        # The question is read again with every document.
        asked = (sizing.text(body.get("query")) + EACH_TOKENS) * max(1, len(documents))
        return asked + sizing.text(documents)
    found = sizing.text(body.get("input"))
    entries = rows(body.get("inputs"))
    for entry in entries:
        for part in rows(table(entry).get("content")) or rows(entry) or [entry]:
            kind = table(part).get("type")
            if isinstance(kind, str) and kind.startswith("image"):
                found += IMAGE_TOKENS
            elif isinstance(kind, str) and kind.startswith("video"):
                return None
            else:
                found += sizing.text(part)
    return found + EACH_TOKENS * (max(1, len(rows(body.get("input")))) + len(entries))
