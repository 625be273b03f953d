"""Ollama's own API: `chat`, `generate` and `embed`, streamed as JSON lines unless the request says otherwise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spendgate.pricing.usage import Usage
from spendgate.wire import openai_input, sizing
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
from spendgate.wire.unreadable import unless_unreadable

SPOKEN = re.compile(r"(?:^|/)api/(?P<what>chat|generate|embed|embeddings)/?$")


class Ollama:
    """The API of Ollama below `/api`."""

    name = "ollama"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and SPOKEN.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        model, problem = model_name(body.get("model"))
        embeds = "/api/embed" in request.url
        messages = [table(message) for message in rows(body.get("messages"))]
        read: list[Any] = [{**message, "images": None} for message in messages]
        read += [body.get(name) for name in ("prompt", "system", "suffix", "input", "format", "tools")]
        images = sum(len(rows(holder.get("images"))) for holder in (body, *messages))
        pictures = images * sizing.openai_image(model)
        kind: Any = "unread" if problem else "paid"
        most = 0 if embeds else whole(inside(body, "options", "num_predict"))
        tokens = sizing.total([openai_input.messages(model, read), pictures])
        streams = body.get("stream") is not False and not embeds
        cap = () if embeds else ("options", "num_predict")
        return Asked(self.name, provider, model, kind, tokens, most, streams=streams, cap=cap, problem=problem)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "OllamaReading":  # noqa: ARG002 - the protocol's
        return OllamaReading(asked)


@dataclass(slots=True)
class OllamaReading:
    """Reads an answer whose last line, or only one, states the counts."""

    asked: Asked
    model: str = ""
    last: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    produced: int = 0

    def document(self, data: Any, event: str = "") -> None:  # noqa: ARG002 - the protocol's
        source = table(data)
        self.model = word(source.get("model")) or self.model
        message = table(source.get("message"))
        said = [message.get(name) for name in ("content", "thinking", "tool_calls")]
        self.error = show(source["error"]) if source.get("error") else self.error
        self.produced += text_bytes([source.get("response"), source.get("thinking"), *said])
        if source.get("done") is True or "prompt_eval_count" in source:
            self.last = source

    def answer(self, complete: bool) -> Answer:  # noqa: ARG002 - its last line says whether it is whole
        return unless_unreadable(self._answer)

    def _answer(self) -> Answer:
        given, written = stated(self.last, "prompt_eval_count"), stated(self.last, "eval_count")
        if given is not None or written is not None:
            usage = Usage(input_tokens=given or 0, output_tokens=written or 0)
            return Answer("billed", (Bill(self.asked.provider, self.model or self.asked.model, usage),))
        if self.error:
            return Answer("held", reason=f"an error came in place of the usage: {self.error}")
        if self.last or not self.asked.streams:
            return Answer("unread", reason="it ended without saying what it used")
        return cut_short(self.asked, self.model, self.produced)
