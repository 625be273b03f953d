"""Pydantic AI, the real one, with the models of OpenAI and Anthropic in front of a provider on this machine."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent, BinaryContent, ImageUrl
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelRequest, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

import spendgate
from spendgate import PriceError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.pydantic_ai import GatedModel
from tests.integrations.frameworks.conftest import MakeGate, attempts, entries, run, states
from tests.integrations.frameworks.provider import Provider

OPENAI_COST = 240_000
CLAUDE_COST = 600 * 1000 + 300 * 100 + 100 * 1250 + 200 * 5000

Make = Callable[[Provider], Model]


def chat(provider: Provider, model: str = "gpt-4o-mini") -> Model:
    """OpenAI's chat."""
    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{provider.url}/v1", api_key="k"))


def responses(provider: Provider) -> Model:
    """OpenAI's responses."""
    return OpenAIResponsesModel("gpt-4o-mini", provider=OpenAIProvider(base_url=f"{provider.url}/v1", api_key="k"))


def claude(provider: Provider) -> Model:
    """Anthropic's messages."""
    return AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(base_url=provider.url, api_key="k"))


MODELS = pytest.mark.parametrize(
    ("make", "cost"),
    [(chat, OPENAI_COST), (responses, OPENAI_COST), (claude, CLAUDE_COST)],
    ids=["chat", "responses", "claude"],
)


def ask(model: Model, prompt: Any = "How are you?", **more: Any) -> str:
    """What an agent's run says."""

    async def whole() -> str:
        async with model:
            return (await Agent(model, **more).run(prompt)).output

    return run(whole)


def ask_streamed(model: Model) -> str:
    """What a streamed run says."""

    async def whole() -> str:
        async with model, Agent(model).run_stream("How are you?") as result:
            return await result.get_output()

    return run(whole)


@MODELS
def test_runs_are_settled_with_their_cache(make: Make, cost: int, gate: Gate, provider: Provider) -> None:
    """Plain and streamed, at the usage that the model states."""
    model = GatedModel(make(provider), gate, service="research")
    assert ask(model) == "hello"
    assert ask_streamed(model) == "hello"
    assert [entry.weight.usd for entry in entries(gate)] == [cost] * 2
    assert {entry.call.service for entry in entries(gate)} == {"research"}


@MODELS
def test_a_refusal_leaves_the_agent(make: Make, cost: int, tight: Gate, provider: Provider) -> None:
    """No request is sent, nothing is held, and nobody retries."""
    model = GatedModel(make(provider), tight)
    with pytest.raises(SpendLimitError):
        ask(model, retries=3)
    with pytest.raises(SpendLimitError):
        ask_streamed(model)
    assert provider.requests == []
    assert entries(tight) == []


def test_a_refusal_is_no_reason_to_fall_back(make_gate: MakeGate, tight: Gate, provider: Provider) -> None:
    """Falling back is for errors of models; the next model is not asked."""
    model = FallbackModel(GatedModel(chat(provider), tight), GatedModel(chat(provider, "gpt-4.1-nano"), make_gate()))
    with pytest.raises(SpendLimitError):
        ask(model)
    assert provider.requests == []


def test_each_model_of_a_fallback_is_priced_as_itself(gate: Gate, provider: Provider) -> None:
    """The first failed and cost nothing; the second is what is paid for."""
    provider.statuses = [400]
    model = FallbackModel(GatedModel(chat(provider), gate), GatedModel(chat(provider, "gpt-4.1-nano"), gate))
    assert ask(model) == "hello"
    assert states(gate) == ["voided", "settled"]
    assert [entry.call.resource for entry in entries(gate)] == ["gpt-4o-mini", "gpt-4.1-nano"]


@MODELS
@pytest.mark.parametrize("way", ["plain", "streamed"])
def test_retries_inside_the_sdk_are_attempts(make: Make, cost: int, way: str, gate: Gate, provider: Provider) -> None:
    """The requests that reached the provider are those in the ledger."""
    provider.statuses = [429, 503]
    model = GatedModel(make(provider), gate)
    ask(model) if way == "plain" else ask_streamed(model)
    assert len(provider.requests) == 3
    assert states(gate) == ["voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3]


@MODELS
def test_an_error_to_the_end_costs_nothing(make: Make, cost: int, gate: Gate, provider: Provider) -> None:
    """Three times 500 is three attempts, all free."""
    provider.statuses = [500] * 3
    with pytest.raises(ModelHTTPError):
        ask(GatedModel(make(provider), gate))
    assert states(gate) == ["voided"] * 3


@MODELS
def test_a_timeout_stays_held(make: Make, cost: int, gate: Gate, provider: Provider) -> None:
    """Billed or not, nobody knows."""
    provider.statuses = ["hang"]
    settings: Any = {"timeout": 0.4, "max_retries": 0}
    with pytest.raises(Exception, match=r"imed out|onnection"):
        ask(GatedModel(make(provider), gate), model_settings=settings)
    assert states(gate) == ["held"]


def test_a_cancelled_run_stays_held(gate: Gate, provider: Provider) -> None:
    """The request was on its way."""
    provider.statuses = ["hang"]

    async def cancelled() -> None:
        async with GatedModel(chat(provider), gate) as model:
            task = asyncio.create_task(Agent(model).run("How are you?"))
            while not provider.requests:
                await asyncio.to_thread(provider.released.wait, 0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(cancelled)
    assert states(gate) == ["held"]


@MODELS
def test_a_stream_that_is_left_early_costs_what_came(make: Make, cost: int, gate: Gate, provider: Provider) -> None:
    """Whoever stops reading pays for what was asked and produced."""
    model = GatedModel(make(provider), gate)

    async def leave() -> None:
        async with model, Agent(model).run_stream("How are you?") as result:
            async for _ in result.stream_text():
                raise KeyError("enough")

    with pytest.raises(KeyError):
        run(leave)
    (entry,) = entries(gate)
    assert entry.state == "settled"
    assert 0 < entry.weight.usd < entry.reserved.usd


def test_an_answer_without_usage_counts_whole(gate: Gate, provider: Provider) -> None:
    """Nothing reported is not nothing used."""
    provider.states_usage = False
    ask(GatedModel(chat(provider), gate))
    (entry,) = entries(gate)
    assert entry.weight.usd == entry.reserved.usd > 0
    assert "unpriced" in entry.marks


def test_the_output_is_capped_where_nobody_caps_it(gate: Gate, provider: Provider) -> None:
    """What is held for is what may be written."""
    ask(GatedModel(chat(provider), gate))
    ask(GatedModel(chat(provider), gate), model_settings={"max_tokens": 77})
    assert [body["max_completion_tokens"] for _, body in provider.requests] == [16_384, 77]
    small, large = sorted(entry.reserved.usd for entry in entries(gate))
    assert small < large / 50


def test_media_are_measured_and_references_are_not(make_gate: MakeGate, provider: Provider) -> None:
    """An image that is sent has a ceiling; one that is only named can be anything."""
    gate = make_gate()
    for content in (BinaryContent(b"\x89PNG", media_type="image/png"), ImageUrl("https://example.com/a.png")):
        ask(GatedModel(chat(provider), gate), ["What is it?", content], model_settings={"max_tokens": 1})
    sent, named = (entry.reserved.usd for entry in entries(gate))
    assert sent < named
    assert named > 128_000 * 150 * 0.99


def test_counting_tokens_is_free(gate: Gate, provider: Provider) -> None:
    """Nothing is booked for it."""
    messages: list[Any] = [ModelRequest(parts=[UserPromptPart("How are you?")])]

    async def count() -> int:
        async with GatedModel(claude(provider), gate) as model:
            return (await model.count_tokens(messages, None, ModelRequestParameters())).input_tokens

    assert run(count) == 7
    assert entries(gate) == []


def test_a_model_without_a_price_is_refused(gate: Gate) -> None:
    """A model that nobody knows is never free."""
    with pytest.raises(PriceError):
        ask(GatedModel(TestModel(), gate))
    assert entries(gate) == []


def test_a_retry_of_the_caller_s_says_its_attempt(gate: Gate, provider: Provider) -> None:
    """The attempt around the call is where its own are counted from."""
    from spendgate.attribution import scope

    provider.statuses = [500]
    with scope(attempt=3, task="job"):
        ask(GatedModel(chat(provider), gate))
    assert attempts(gate) == [3, 4]
    assert {entry.call.task for entry in entries(gate)} == {"job"}


@pytest.mark.parametrize("way", [ask, ask_streamed])
def test_what_passes_here_is_not_asked_for_again_below(way: Any, gate: Gate, provider: Provider) -> None:
    """The SDK sends through a library that may be instrumented too; one call has one entry."""
    spendgate.instrument(gate, provider="openai")
    try:
        way(GatedModel(chat(provider), gate))
    finally:
        spendgate.uninstrument()
    assert len(entries(gate)) == len(provider.requests) == 1
