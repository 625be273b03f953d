"""OpenTelemetry: spans of paid calls, and calls of others as their spans tell of them.

install(gate)                                              # our own spans, one for each call that ended
provider.add_span_processor(GenAIProcessor(gate))          # books calls that never asked the gate

Spans have names and counts alone: never a prompt, never a completion. A call that the gate has admitted is not booked a
second time for the span that somebody else makes of it: that span is marked with `spendgate.reservation`.
"""

import copy
import json
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from opentelemetry import trace

from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing
from spendgate.ledger import Entry, Event
from spendgate.model_calls import begin, billed, provider_id
from spendgate.money import usd
from spendgate.pricing.usage import Usage
from spendgate.reserved import Reservation
from spendgate.stating import Ask
from spendgate.wire import statuses
from spendgate.wire.exchange import Answer, Asked
from spendgate.wire.fields import whole, word

try:
    _SpanProcessor: Any = import_module("opentelemetry.sdk.trace").SpanProcessor
except ImportError:  # our own spans need no SDK
    _SpanProcessor = object

log = logging.getLogger("spendgate")

RESERVATION = "spendgate.reservation"
"""The attribute that marks a span of a call which the gate has in its ledger already."""
SYSTEMS = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "x-ai": "x_ai",
}
"""What OpenTelemetry calls the providers that genai-prices has other names for."""
OPERATIONS = frozenset({"", "chat", "completion", "text_completion", "generate_content", "embeddings"})
"""Operations that are calls of a model; agents, tools and workflows sum up what others say as well."""
FREE = re.compile(
    r"RateLimit|Authentication|Permission|BadRequest|NotFound|InternalServer|Overloaded|Unavailable|Connect(?:Error|Timeout)"
)
"""Kinds of errors that cost nothing, where a span has no status."""
REMEMBERED = 10_000


def install(gate: Gate, tracer_provider: Any = None) -> Callable[[], None]:
    """Makes a span of each call that ends, and marks the spans that others make around calls of this gate.

    Args:
        gate: whose calls.
        tracer_provider: where spans go; the global one where it is None.

    Returns:
        What undoes it.
    """
    listener, attempt = SpanListener(tracer_provider), gate.attempt

    def marked(ask: Ask, deadline_at: int) -> Reservation | float:
        found = attempt(ask, deadline_at)
        if isinstance(found, Reservation):
            _mark(trace.get_current_span(), found.id)
        return found

    def undo() -> None:
        gate.backlog.flush()
        gate.listeners = tuple(one for one in gate.listeners if one is not listener)
        if vars(gate).get("attempt") is marked:
            del gate.attempt

    gate.listeners = (*gate.listeners, listener)
    gate.attempt = marked  # type: ignore[method-assign]
    return undo


class SpanListener:
    """Makes a span of each reservation that ends, from when it was held until then. A listener of `Gate`."""

    def __init__(self, tracer_provider: Any = None) -> None:
        self._tracer = trace.get_tracer("spendgate", tracer_provider=tracer_provider)

    def entry(self, entry: Entry) -> None:
        """A reservation ended."""
        call = entry.call
        operation = _operation(entry) if call.model else ""
        span = self._tracer.start_span(
            f"{operation} {call.resource}".strip(),
            kind=trace.SpanKind.CLIENT,
            attributes=_attributes(entry, operation),
            start_time=entry.held_at * 1000,
        )
        span.end(max(entry.ended_at, entry.held_at) * 1000)

    def events(self, events: tuple[Event, ...]) -> None:
        """States are told elsewhere."""

    def close(self) -> None:
        """Nothing is kept here."""


class GenAIProcessor(_SpanProcessor):  # type: ignore[misc]
    """Books calls of models that never asked the gate, by the GenAI spans that tell of them.

    They count in every limit from when their span ended, and are refused by none: add the gate where the calls are made
    to have them refused. Bookings run in a thread of their own; a ledger that is away is said in the log.
    """

    def __init__(self, gate: Gate) -> None:
        self._observing = copy.copy(gate)
        self._observing.mode = "observe" if gate.mode == "enforce" else gate.mode
        self._observing.listeners = tuple(one for one in gate.listeners if not isinstance(one, SpanListener))
        self._worker = ThreadPoolExecutor(1, "spendgate-spans")
        self._last: Future[None] | None = None
        self._told: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._guard = threading.Lock()

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - the processor's protocol
        """Marks a span that begins while a call of the gate's is being sent."""
        if is_passing():
            span.set_attribute(RESERVATION, True)

    def on_end(self, span: Any) -> None:
        """Books the call that a span tells of, if nobody else has."""
        said: Mapping[str, Any] = span.attributes or {}
        model = word(said.get("gen_ai.response.model")) or word(said.get("gen_ai.request.model"))
        operation = str(said.get("gen_ai.operation.name") or said.get("llm.request.type") or "")
        is_call = bool(model) and operation in OPERATIONS
        is_known = RESERVATION in said
        if self._is_told(span, tells=is_call or is_known) or is_known or not is_call:
            return
        try:
            self._last = self._worker.submit(self._book, dict(said), not span.status.is_ok)
        except RuntimeError:
            log.warning("spendgate: a span of %s came after the end; its call is not booked", model)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits until what was told is booked."""
        last = self._last
        if last is not None:
            try:
                last.result(timeout_millis / 1000)
            except TimeoutError:
                return False
        return True

    def shutdown(self) -> None:
        """Books what was told, and no more."""
        self._worker.shutdown(wait=True)

    def _is_told(self, span: Any, *, tells: bool) -> bool:
        """Whether a span inside this one told of the same call; the one around it is told that too."""
        context, parent = span.get_span_context(), span.parent
        key = (context.trace_id, context.span_id)
        with self._guard:
            told = key in self._told
            self._told.pop(key, None)
            if parent is not None and (told or tells):
                self._told[parent.trace_id, parent.span_id] = None
                while len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
        return told

    def _book(self, said: Mapping[str, Any], failed: bool) -> None:
        try:
            usage = _usage(said)
            if failed and not usage.tokens and _is_free(said):
                return
            asked = _asked(said)
            answer = billed(asked, usage) if usage.tokens else Answer("unread", reason="its span states no usage")
            call = begin(self._observing, asked, tags={"seen_by": "opentelemetry"})
            call.answered(lambda: answer)
        except Exception:
            log.exception("spendgate: a call that a span tells of could not be booked")


def _asked(said: Mapping[str, Any]) -> Asked:
    name = str(said.get("gen_ai.provider.name") or said.get("gen_ai.system") or "")
    host = str(said.get("server.address") or "")
    model = word(said.get("gen_ai.response.model")) or word(said.get("gen_ai.request.model"))
    tier = said.get("gen_ai.openai.response.service_tier") or said.get("gen_ai.openai.request.service_tier")
    return Asked(
        "opentelemetry",
        provider_id(name, f"https://{host}" if host else ""),
        model,
        max_output_tokens=whole(said.get("gen_ai.request.max_tokens")),
        service_tier=word(tier),
    )


def _usage(said: Mapping[str, Any]) -> Usage:
    """The usage that a span states. Cache tokens above the input stand beside it, as at Anthropic."""

    def count(*names: str) -> int:
        return next((found for name in names if (found := whole(said.get(f"gen_ai.usage.{name}"))) is not None), 0)

    given = count("input_tokens", "prompt_tokens")
    read = count("cache_read.input_tokens", "cache_read_input_tokens")
    written = count("cache_creation.input_tokens", "cache_creation_input_tokens")
    output = count("output_tokens", "completion_tokens")
    return Usage(
        input_tokens=given if given >= read + written else given + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=min(count("reasoning.output_tokens"), output),
    )


def _is_free(said: Mapping[str, Any]) -> bool:
    """Whether a call that failed is known to cost nothing."""
    kind = str(said.get("error.type") or "")
    status = said.get("http.response.status_code") or (int(kind) if kind.isdecimal() and len(kind) == 3 else 0)
    return statuses.kind(status) == "free" if isinstance(status, int) and status else FREE.search(kind) is not None


def _operation(entry: Entry) -> str:
    return "embeddings" if "embed" in entry.call.model else "chat"


def _attributes(entry: Entry, operation: str) -> dict[str, Any]:
    """Names and counts of a call that ended."""
    call = entry.call
    found: dict[str, Any] = {
        RESERVATION: entry.id,
        "spendgate.state": entry.state.value,
        "spendgate.cost_usd": float(usd(entry.weight.usd)),
        "spendgate.reserved_usd": float(usd(entry.reserved.usd)),
        "spendgate.resource": call.resource,
        "spendgate.service": call.service,
        "spendgate.task": call.task,
        "spendgate.attempt": call.attempt,
        "spendgate.marks": sorted(entry.marks),
        **{f"spendgate.tags.{name}": value for name, value in call.tags},
    }
    if operation:
        used = Usage.from_json(json.loads(entry.usage)) if entry.usage else None
        found |= {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": SYSTEMS.get(call.provider, call.provider),
            "gen_ai.request.model": call.model,
        }
        if used is not None:
            written = used.cache_write_tokens + used.cache_write_1h_tokens
            found |= {
                "gen_ai.usage.input_tokens": used.input_tokens,
                "gen_ai.usage.output_tokens": used.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": used.cache_read_tokens,
                "gen_ai.usage.cache_creation.input_tokens": written,
            }
    return {name: value for name, value in found.items() if value not in ("", [])}


def _mark(span: Any, hold_id: str) -> None:
    """Marks somebody else's span of a model's call that is going on."""
    said = getattr(span, "attributes", None) or {}
    if span.is_recording() and any(str(name).startswith("gen_ai.") for name in said):
        span.set_attribute(RESERVATION, hold_id)
