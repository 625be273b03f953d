"""Amazon Bedrock's `invoke`, whole or as an event stream: each model takes and gives JSON of its own.

Claude, Nova and models of OpenAI's dialect state their usage in the body, Llama and Titan in fields of theirs. For all
the others, Bedrock counts in the headers of the answer, and in the last event of a stream.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from spendgate.pricing.usage import Usage
from spendgate.wire import anthropic_usage, bedrock_input, bedrock_models, media, openai_usage, sizing
from spendgate.wire.anthropic_messages import MessagesReading, ask
from spendgate.wire.bedrock_converse import tier
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Bill, Path, Request
from spendgate.wire.fields import inside, load, rows, show, stated, table, text_bytes, whole, word
from spendgate.wire.unreadable import unless_unreadable

INVOKE = re.compile(r"(?:^|/)model/(?P<model>.+)/(?P<verb>invoke|invoke-with-response-stream)/?$")
EMBEDS = re.compile(r"embed|rerank|marengo")

METRICS = "amazon-bedrock-invocationMetrics"
CAPS: tuple[Path, ...] = (
    ("max_tokens",),
    ("max_completion_tokens",),
    ("max_gen_len",),
    ("inferenceConfig", "maxTokens"),
    ("inferenceConfig", "max_new_tokens"),
    ("textGenerationConfig", "maxTokenCount"),
    ("maxTokens",),
)
"""Where a body can say how much may be written."""
FAMILIES: tuple[tuple[str, Path], ...] = (
    ("anthropic.", ("max_tokens",)),
    ("nova", ("inferenceConfig", "maxTokens")),
    ("meta.", ("max_gen_len",)),
    ("titan", ("textGenerationConfig", "maxTokenCount")),
    ("j2-", ("maxTokens",)),
)
"""Where it says so by the model's name; the others say `max_tokens`."""
NAMES_ELSEWHERE = re.compile(r"ur[il]s?$", re.IGNORECASE)
ELSEWHERE = ("s3://", "http://", "https://")


@dataclass(frozen=True, slots=True)
class Invoke:
    """The API of `invoke` and `invoke-with-response-stream`."""

    name: str = "bedrock.invoke"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and INVOKE.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        found = INVOKE.search(urlsplit(request.url).path)
        model, problem = bedrock_models.named(found["model"] if found else "")
        asked = _ask(self.name, provider, model, body)
        return replace(
            asked,
            kind="unread" if problem else "paid",
            streams=bool(found and found["verb"] != "invoke"),
            service_tier=asked.service_tier or _tier(request.headers),
            problem=problem,
        )

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "InvokeReading":
        return InvokeReading(asked, bedrock_models.counted(headers), _tier(headers))


def _ask(api: str, provider: str, model: str, body: Mapping[str, Any]) -> Asked:
    if "anthropic_version" in body:
        return ask(api, provider, model, body)
    if EMBEDS.search(model):
        return Asked(api, provider, model, input_tokens=_plain(body), max_output_tokens=0)
    nova = "messages" in body and "nova" in model
    cap = next((path for path in CAPS if inside(body, *path) is not None), ())
    return Asked(
        api=api,
        provider=provider,
        model=model,
        input_tokens=bedrock_input.tokens(model, body) if nova else _plain(body),
        max_output_tokens=whole(inside(body, *cap)) if cap else None,
        answers=max(1, whole(body.get("n")) or 1),
        service_tier=tier(body),
        cap=cap or next((path for name, path in FAMILIES if name in model), ("max_tokens",)),
    )


def _plain(body: Mapping[str, Any]) -> int | None:
    """A body of which only texts and images are understood; None where it refers to what it does not contain."""
    tokens = sizing.MESSAGE_TOKENS * (len(rows(body.get("messages"))) + 1) + sizing.TOOLS_TOKENS * bool(
        body.get("tools")
    )
    rest: list[tuple[str, Any]] = [("", body)]
    while rest:
        name, part = rest.pop()
        if isinstance(part, dict):
            tokens += sizing.text(dict.fromkeys(part))
            rest.extend(part.items())
        elif isinstance(part, list):
            tokens += 3 * len(part) + 2
            rest.extend((name, inner) for inner in part)
        elif isinstance(part, str) and part.startswith(ELSEWHERE) and NAMES_ELSEWHERE.search(name):
            return None
        elif isinstance(part, str) and (part.startswith("data:image/") or media.pixels(part) is not None):
            tokens += bedrock_input.OTHER_IMAGE
        else:
            tokens += sizing.text(part)
    return tokens


def _tier(headers: Mapping[str, str]) -> str:
    if headers.get("x-amzn-bedrock-performanceconfig-latency") == "optimized":
        return "optimized"
    return word(headers.get("x-amzn-bedrock-service-tier"))


@dataclass(slots=True)
class InvokeReading:
    """Reads the answer of a model that was invoked. Claude's is Anthropic's own, under the name that was asked for."""

    asked: Asked
    counted: dict[str, int]
    tier: str = ""
    last: dict[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    produced: int = 0
    claude: MessagesReading | None = None

    def document(self, data: Any, event: str = "") -> None:
        if event.endswith("Exception") or event == "error":
            self.error = f"{event}: {show(table(data).get('message'))}"
            return
        found = table(_unwrapped(data) if event == "chunk" else data)
        self.metrics = table(found.get(METRICS)) or self.metrics
        is_claude = "anthropic" in self.asked.model or found.get("type") in {"message", "message_start"}
        if self.claude is None and is_claude:
            self.claude = MessagesReading(replace(self.asked, service_tier=self.tier), own_model=True)
        if self.claude is not None:
            self.claude.document(found)
            return
        self.produced += text_bytes(found)
        self.last.update((name, value) for name, value in found.items() if value is not None)

    def answer(self, complete: bool) -> Answer:
        return unless_unreadable(lambda: self._answer(complete))

    def _answer(self, complete: bool) -> Answer:
        if self.claude is not None:
            self.claude.error = self.claude.error or self.error
            answer = self.claude.answer(complete)
            if answer.kind in {"billed", "free"} and not answer.cut:
                return answer
            usage = next(self._by_bedrock(), None)
            return answer if usage is None else self._billed(usage)
        usage = next(self._stated(), None)
        if usage is not None and (complete or self.metrics or not self.asked.streams):
            return self._billed(usage)
        if self.error:
            return Answer("held", reason=f"an error came in place of its end: {self.error}")
        if complete or not self.asked.streams:
            reason = "it does not say what it used" if complete else "it broke off before its end"
            return Answer("unread", reason=reason)
        written, given = (usage.output_tokens, usage.input_tokens) if usage else (0, None)
        produced = max(written, self.produced)
        return cut_short(self.asked, self.asked.model, produced, input_tokens=given, tier=self.tier)

    def _billed(self, usage: Usage) -> Answer:
        if not usage.tokens:
            return Answer("unread", reason="its usage cannot be read: it states no tokens")
        served = self.tier or tier(self.last) or self.asked.service_tier
        return Answer("billed", (Bill(self.asked.provider, self.asked.model, usage, service_tier=served),))

    def _stated(self) -> Iterator[Usage]:
        """What the body says, then what Bedrock counted: the first that can be read counts."""
        usage = table(self.last.get("usage") or inside(self.last, "metadata", "usage"))
        if "inputTokens" in usage:
            yield bedrock_models.usage(usage, writes=self._writes)
        elif "prompt_tokens" in usage:
            yield openai_usage.read(self.asked.provider, usage)
        elif "input_tokens" in usage:
            yield anthropic_usage.usage(anthropic_usage.counts(usage))
        yield from self._by_bedrock()
        prompt = stated(self.last, "prompt_token_count", "inputTextTokenCount")
        if prompt is not None:
            results = [stated(table(one), "tokenCount") for one in rows(self.last.get("results"))]
            written = stated(self.last, "generation_token_count", "totalOutputTextTokenCount")
            if written is None and results and None not in results:
                written = sum(count or 0 for count in results)
            if written is not None or not self._writes:
                yield Usage(input_tokens=prompt, output_tokens=written or 0)

    @property
    def _writes(self) -> bool:
        return self.asked.max_output_tokens != 0

    def _by_bedrock(self) -> Iterator[Usage]:
        """Bedrock's own counts, from the last event of a stream or the headers."""
        for found in (self.metrics, self.counted):
            if found:
                yield bedrock_models.usage(found, writes=self._writes)


def _unwrapped(data: Any) -> Any:
    """What a chunk of a stream carries, in base64."""
    text = table(data).get("bytes")
    if not isinstance(text, str):
        return data
    try:
        return load(base64.b64decode(text))
    except ValueError:
        return None
