"""The OpenAI Agents SDK, the real one, in front of a provider on this machine."""

from typing import Any

import agents
import openai
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner
from agents.models.openai_provider import OpenAIProvider
from agents.retry import ModelRetrySettings

import spendgate
from spendgate import PriceError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.openai_agents import GatedModel, GatedProvider
from tests.integrations.frameworks.conftest import attempts, entries, run, states
from tests.integrations.frameworks.provider import Provider

COST = 240_000
KINDS = pytest.mark.parametrize("kind", [OpenAIChatCompletionsModel, OpenAIResponsesModel], ids=["chat", "responses"])
WAYS = pytest.mark.parametrize("way", ["whole", "streamed"])

agents.set_tracing_disabled(True)


def ask(kind: Any, gate: Gate, provider: Provider, way: str = "whole", **more: Any) -> str:
    """What an agent's run says."""
    model, options = more.pop("model", "gpt-4o-mini"), more.pop("client", {})

    async def whole() -> str:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="k", **options) as client:
            gated = GatedModel(kind(model, openai_client=client), gate, service="research")
            agent = Agent("asker", model=gated, model_settings=ModelSettings(**more))
            if way == "whole":
                return str((await Runner.run(agent, "How are you?")).final_output)
            result = Runner.run_streamed(agent, "How are you?")
            async for _ in result.stream_events():
                pass
            return str(result.final_output)

    return run(whole)


@KINDS
@WAYS
def test_runs_are_settled_with_their_cache(kind: Any, way: str, gate: Gate, provider: Provider) -> None:
    """At the usage that the model states."""
    more: Any = {"include_usage": True} if kind is OpenAIChatCompletionsModel else {}
    assert ask(kind, gate, provider, way, **more) == "hello"
    (entry,) = entries(gate)
    assert (entry.state, entry.weight.usd) == ("settled", COST)
    assert (entry.call.provider, entry.call.resource, entry.call.service) == ("openai", "gpt-4o-mini", "research")


@KINDS
@WAYS
def test_a_refusal_leaves_the_runner(kind: Any, way: str, tight: Gate, provider: Provider) -> None:
    """No request is sent and nothing is held, also where the runner is told to retry everything."""
    asked: list[str] = []
    hold = tight.store.hold
    tight.store.hold = lambda *given: (asked.append("asked"), hold(*given))[1]  # type: ignore[method-assign]
    retry = ModelRetrySettings(max_retries=3, policy=lambda _: True)
    with pytest.raises(SpendLimitError):
        ask(kind, tight, provider, way, retry=retry)
    assert provider.requests == []
    assert entries(tight) == []
    assert asked == ["asked"]


@KINDS
@WAYS
def test_retries_inside_the_client_are_attempts(kind: Any, way: str, gate: Gate, provider: Provider) -> None:
    """The requests that reached the provider are those in the ledger."""
    provider.statuses = [429, 503]
    assert ask(kind, gate, provider, way) == "hello"
    assert len(provider.requests) == 3
    assert states(gate) == ["voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3]


@KINDS
def test_retries_of_the_runner_are_metered(kind: Any, gate: Gate, provider: Provider) -> None:
    """Each of them passes the gate, and the client does not add its own."""
    provider.statuses = [500] * 3
    retry = ModelRetrySettings(max_retries=3, policy=lambda _: True, backoff={"initial_delay": 0.01})
    assert ask(kind, gate, provider, retry=retry, client={"max_retries": 0}) == "hello"
    assert states(gate) == ["voided", "voided", "voided", "settled"]


@KINDS
@WAYS
def test_a_timeout_stays_held(kind: Any, way: str, gate: Gate, provider: Provider) -> None:
    """Billed or not, nobody knows."""
    provider.statuses = ["hang"]
    with pytest.raises(openai.APITimeoutError):
        ask(kind, gate, provider, way, client={"timeout": 0.4, "max_retries": 0})
    assert states(gate) == ["held"]


def test_a_stream_without_usage_counts_whole(gate: Gate, provider: Provider) -> None:
    """Chat completions report usage in streams only where they are asked to, and it may be missing all the same."""
    provider.states_usage = False
    assert ask(OpenAIChatCompletionsModel, gate, provider, "streamed", max_tokens=50) == "hello"
    (entry,) = entries(gate)
    assert entry.weight.usd == entry.reserved.usd > 0
    assert "unpriced" in entry.marks


def test_a_stream_that_is_left_early_costs_what_came(gate: Gate, provider: Provider) -> None:
    """Whoever stops reading pays for what was asked and produced."""

    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
            model = GatedModel(OpenAIResponsesModel("gpt-4o-mini", openai_client=client), gate)
            given: Any = (None, "How are you?", ModelSettings(), [], None, [], agents.ModelTracing.DISABLED)
            events = model.stream_response(*given, previous_response_id=None, conversation_id=None, prompt=None)
            async for event in events:
                if event.type == "response.output_text.delta":
                    break
            await events.aclose()  # type: ignore[attr-defined]

    run(leave)
    (entry,) = entries(gate)
    assert entry.state == "settled"
    assert 0 < entry.weight.usd < entry.reserved.usd
    assert "cut" in entry.marks


def test_the_output_is_capped_where_nobody_caps_it(gate: Gate, provider: Provider) -> None:
    """What is held for is what may be written."""
    ask(OpenAIResponsesModel, gate, provider)
    ask(OpenAIResponsesModel, gate, provider, max_tokens=77)
    assert [body["max_output_tokens"] for _, body in provider.requests] == [16_384, 77]


def test_a_provider_gates_every_model_that_it_gives(gate: Gate, provider: Provider) -> None:
    """Agents that name their models pass the gate by the runner's configuration alone."""

    async def whole() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
            gated = GatedProvider(gate, OpenAIProvider(openai_client=client), service="research")
            await Runner.run(Agent("asker", model="gpt-4.1-nano"), "Hi", run_config=RunConfig(model_provider=gated))

    run(whole)
    assert [(entry.call.service, entry.call.resource) for entry in entries(gate)] == [("research", "gpt-4.1-nano")]


def test_a_model_without_a_price_is_refused(gate: Gate, provider: Provider) -> None:
    """A model that nobody knows is never sent."""
    with pytest.raises(PriceError):
        ask(OpenAIResponsesModel, gate, provider, model="made-up-model")
    assert provider.requests == []


@WAYS
def test_what_passes_here_is_not_asked_for_again_below(way: str, gate: Gate, provider: Provider) -> None:
    """The client sends through a library that may be instrumented too; one call has one entry."""
    spendgate.instrument(gate, provider="openai")
    try:
        ask(OpenAIResponsesModel, gate, provider, way)
    finally:
        spendgate.uninstrument()
    assert len(entries(gate)) == len(provider.requests) == 1
