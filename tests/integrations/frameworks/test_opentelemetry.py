"""OpenTelemetry, the real one: our spans, and calls of others as their spans tell of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from spendgate import SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.opentelemetry import RESERVATION, GenAIProcessor, install
from spendgate.integrations.passing import passing
from tests.integrations.frameworks.conftest import MakeGate, entries, states
from tests.integrations.frameworks.provider import Provider

COST = 240_000
MESSAGES: Any = [{"role": "user", "content": "a secret question"}]
USED = {
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 200,
}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}

Tell = Callable[..., None]


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The spans that ended."""
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Iterator[TracerProvider]:
    """Where spans go."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider
    provider.shutdown()


@pytest.fixture
def tell(gate: Gate, tracing: TracerProvider) -> Tell:
    """Ends a span with these attributes, and waits until what it tells of is booked."""
    processor = GenAIProcessor(gate)
    tracing.add_span_processor(processor)
    tracer = tracing.get_tracer("somebody")

    def end(*layers: dict[str, Any], status: StatusCode = StatusCode.UNSET) -> None:
        if layers:
            with tracer.start_as_current_span("call", kind=SpanKind.CLIENT, attributes=layers[0]) as span:
                end(*layers[1:], status=status)
                span.set_status(Status(status))
        assert processor.force_flush()

    return end


@contextmanager
def client(gate: Gate, provider: Provider) -> Iterator[openai.OpenAI]:
    """A client whose calls pass the gate."""
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as plain:
        yield gate.wrap(plain, service="research")


def test_each_call_is_a_span_with_names_and_counts_alone(
    gate: Gate, provider: Provider, tracing: TracerProvider, spans: InMemorySpanExporter
) -> None:
    """Never a prompt, never a completion; and nothing any more once it is undone."""
    undo = install(gate, tracing)
    with client(gate, provider) as mine, gate.scope(task="job-1", tags={"customer": "acme"}):
        mine.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        undo()
        mine.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    (span,) = spans.get_finished_spans()
    said = dict(span.attributes or {})
    assert span.name == "chat gpt-4o-mini"
    assert CHAT.items() | {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 200}.items() <= said.items()
    assert said["gen_ai.usage.cache_read.input_tokens"] == 400
    assert said["spendgate.cost_usd"] == 0.00024
    assert (said["spendgate.service"], said["spendgate.task"], said["spendgate.tags.customer"]) == (
        "research",
        "job-1",
        "acme",
    )
    assert said[RESERVATION] == entries(gate)[0].id
    assert "secret" not in span.to_json()
    assert "hello" not in span.to_json()
    assert span.start_time == entries(gate)[0].held_at * 1000


def test_other_apis_have_spans_too(gate: Gate, tracing: TracerProvider, spans: InMemorySpanExporter) -> None:
    """What is no model's call has no `gen_ai` names; what cost nothing says so."""
    install(gate, tracing)
    gate.reserve(resource="clearbit.enrich", at_most="0.01").void()
    (span,) = spans.get_finished_spans()
    assert span.name == "clearbit.enrich"
    said = dict(span.attributes or {})
    assert said["spendgate.state"] == "voided"
    assert not [name for name in said if name.startswith("gen_ai.")]


def test_a_call_made_elsewhere_is_booked(gate: Gate, tell: Tell) -> None:
    """It counts from its span's usage, cache included, and says where it was seen."""
    tell(CHAT | USED)
    (entry,) = entries(gate)
    assert (entry.state, entry.weight.usd) == ("settled", COST)
    assert entry.call.tags == (("seen_by", "opentelemetry"),)


def test_what_was_booked_leaves_less_for_calls_that_ask(make_gate: MakeGate, tracing: TracerProvider) -> None:
    """Calls made elsewhere are never refused, and count in the limits all the same."""
    gate = make_gate("0.0005")
    processor = GenAIProcessor(gate)
    tracing.add_span_processor(processor)
    for _ in range(3):
        tracing.get_tracer("somebody").start_span("call", attributes=CHAT | USED).end()
    processor.force_flush()
    assert [entry.weight.usd for entry in entries(gate)] == [COST] * 3
    with pytest.raises(SpendLimitError):
        gate.reserve(resource="api", at_most="0.0001")


@pytest.mark.parametrize("way", ["whole", "stream"])
def test_a_call_of_the_gate_is_not_booked_twice(
    way: str, gate: Gate, provider: Provider, tracing: TracerProvider, tell: Tell
) -> None:
    """Not for our own span of it, not for one that somebody makes around it, and not for one inside it."""
    install(gate, tracing)
    tracer = tracing.get_tracer("somebody")
    with client(gate, provider) as mine, tracer.start_as_current_span("chat", attributes=CHAT) as span:
        if way == "whole":
            mine.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        else:
            list(mine.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True))
        span.set_attributes(USED)
    with passing():
        tracer.start_span("chat", attributes=CHAT | USED).end()
    tell()
    assert [entry.weight.usd for entry in entries(gate)] == [COST]


def test_layers_that_tell_of_one_call_count_once(gate: Gate, tell: Tell) -> None:
    """A framework's span around an SDK's span is the same call; agents and tools are none."""
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o-mini"}
    tell(agent | USED, CHAT | USED, CHAT | USED)
    tell(agent | USED)
    tell({"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "gpt-4o-mini"} | USED)
    tell({"http.request.method": "POST"})
    assert [entry.weight.usd for entry in entries(gate)] == [COST]


@pytest.mark.parametrize(
    ("more", "cost"),
    [
        ({"gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 200}, 270_000),
        ({**USED, "gen_ai.response.model": "gpt-4o-mini-2024-07-18"}, COST),
        ({**USED, "gen_ai.response.model": "gpt-4.1-nano"}, 150_000),
        (
            {
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-haiku-4-5",
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.cache_read.input_tokens": 300,
                "gen_ai.usage.cache_creation.input_tokens": 100,
                "gen_ai.usage.output_tokens": 200,
            },
            10 * 1000 + 300 * 100 + 100 * 1250 + 200 * 5000,
        ),
        (
            {**USED, "gen_ai.provider.name": "", "gen_ai.system": "az.ai.openai", "server.address": "api.openai.com"},
            COST,
        ),
    ],
    ids=["older names", "dated name", "another model answered", "cache beside the input", "provider by its host"],
)
def test_spans_are_read_as_they_come(more: dict[str, Any], cost: int, gate: Gate, tell: Tell) -> None:
    """Older names, dated models, and both ways to count a cache."""
    tell({name: value for name, value in (CHAT | more).items() if value != ""})
    assert [entry.weight.usd for entry in entries(gate)] == [cost]


def test_nothing_reported_is_not_nothing_used(gate: Gate, tell: Tell) -> None:
    """A span without usage is booked whole, one without output too, and none at zero."""
    tell(CHAT | {"gen_ai.request.max_tokens": 10})
    tell(CHAT | {"gen_ai.usage.output_tokens": 10})
    assert all(entry.weight.usd > 128_000 * 150 * 0.99 for entry in entries(gate))
    assert [set(entry.marks) & {"unpriced"} for entry in entries(gate)] == [{"unpriced"}] * 2


@pytest.mark.parametrize(
    ("error", "booked"),
    [("429", 0), ("openai.RateLimitError", 0), ("503", 0), ("504", 1), ("openai.APITimeoutError", 1), ("", 1)],
)
def test_failures_cost_what_they_may_cost(error: str, booked: int, gate: Gate, tell: Tell) -> None:
    """What is known to be free is not booked; a timeout may have been billed."""
    tell(CHAT | ({"error.type": error} if error else {}), status=StatusCode.ERROR)
    assert len(entries(gate)) == booked


def test_a_ledger_that_is_away_does_not_reach_the_program(gate: Gate, tell: Tell, caplog: Any) -> None:
    """What could not be booked is said; a span that comes after the end too."""
    gate.store.hold = None  # type: ignore[method-assign, assignment]
    tell(CHAT | USED)
    assert "could not be booked" in caplog.text


def test_a_span_after_the_end_is_said(gate: Gate, tracing: TracerProvider, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised into the program that made it."""
    processor = GenAIProcessor(gate)
    tracing.add_span_processor(processor)
    processor.shutdown()
    tracing.get_tracer("somebody").start_span("call", attributes=CHAT | USED).end()
    assert "is not booked" in caplog.text
    assert states(gate) == []
