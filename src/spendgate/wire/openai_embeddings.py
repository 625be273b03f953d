"""Embeddings, as OpenAI and everybody after it speaks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import hosts, openai_input, openai_usage
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import model_name, show, table, word
from spendgate.wire.openai_chat import DEPLOYMENT
from spendgate.wire.unreadable import unless_unreadable

SPOKEN = re.compile(r"(?:^|/)embeddings/?$")
EACH_TOKENS = 8
"""What stands around each text: most models put a token before it and one after it."""


class Embeddings:
    """The API of `embeddings`. It writes nothing, so its output is capped at 0 tokens."""

    name: str = "openai.embeddings"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and SPOKEN.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        deployment = DEPLOYMENT.search(urlsplit(request.url).path)
        model, problem = model_name(body.get("model") or (unquote(deployment[1]) if deployment else None))
        texts = openai_input.ids(body.get("input") or "")
        return Asked(
            api=self.name,
            provider=provider,
            model=model,
            kind="unread" if problem else "paid",
            input_tokens=texts and texts[1] + EACH_TOKENS * texts[0],
            max_output_tokens=0,
            service_tier=word(body.get("service_tier")),
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "UsageReading":
        provider = hosts.routed(headers.get("x-inference-provider", "")) if asked.provider == "huggingface" else ""
        return UsageReading(asked, provider)


def reads_only(api: str, provider: str, body: Mapping[str, Any], tokens: int | None) -> Asked:
    """A request whose answer writes nothing: an embedding, a ranking, a verdict on a text."""
    model, problem = model_name(body.get("model"))
    kind: Any = "unread" if problem else "paid"
    return Asked(api, provider, model, kind, tokens, max_output_tokens=0, problem=problem)


@dataclass(slots=True)
class UsageReading:
    """Reads answers that are one document with a `usage` in OpenAI's words."""

    asked: Asked
    provider: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)

    def document(self, data: Any, event: str = "") -> None:  # noqa: ARG002 - the protocol's
        self.seen = table(data)

    def answer(self, complete: bool) -> Answer:  # noqa: ARG002 - the protocol's
        usage = self.seen.get("usage")
        if self.seen.get("error") and not usage:
            return Answer("held", reason=f"an error came in place of the usage: {show(self.seen['error'])}")
        if not isinstance(usage, dict) or not usage:
            return Answer("unread", reason="it does not say what it used")
        return unless_unreadable(lambda: self._billed(usage))

    def _billed(self, usage: Mapping[str, Any]) -> Answer:
        bill = openai_usage.bill(self.asked, word(self.seen.get("model")), usage, provider=self.provider)
        return Answer("billed", (bill,))
