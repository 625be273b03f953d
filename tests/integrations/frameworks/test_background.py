"""Work that goes on at the provider's after a framework's call: held for a day, and billed once, when collected."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from agents import Agent as OpenAIAgent
from agents import ModelSettings, OpenAIProvider, RunConfig, Runner
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider as PydanticProvider

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

import spendgate
from spendgate.gate import Gate
from spendgate.integrations.litellm import install, uninstall
from spendgate.integrations.openai_agents import GatedProvider
from spendgate.integrations.pydantic_ai import GatedModel
from spendgate.ledger import LAPSE_AFTER_BATCH
from tests.integrations.frameworks.conftest import entries, run, states
from tests.integrations.frameworks.provider import Provider

COST = 240_000

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""LiteLLM keeps clients of loops that are over."""


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """What frameworks leave open is garbage here, where it is known, and not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    uninstall()
    spendgate.uninstrument()


@pytest.fixture
def url(provider: Provider) -> str:
    return f"{provider.url}/v1"


def held_for_a_day(gate: Gate) -> bool:
    """Whether all that is in the ledger is one reservation that waits for the bill."""
    (entry,) = entries(gate)
    return entry.state == "held" and entry.lapse_at - entry.held_at == LAPSE_AFTER_BATCH


def test_pydantic_ai_s_polling_is_one_call(
    gate: Gate, provider: Provider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run asks after the work until it is done: one reservation, settled with the bill at the end."""
    monkeypatch.setattr(OpenAIResponsesModel, "continuation_delay", lambda _, response: _waits(response))

    async def whole() -> str:
        below = OpenAIResponsesModel("gpt-4o-mini", provider=PydanticProvider(base_url=url, api_key="k"))
        settings: Any = {"openai_background": True}
        async with GatedModel(below, gate, service="research") as model:
            return (await Agent(model).run("How are you?", model_settings=settings)).output

    assert run(whole) == "hello"
    assert (len(provider.requests), provider.collected) == (1, ["/v1/responses/resp-1?stream=false"])
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]


def _waits(response: Any) -> float | None:
    """As the model itself says, but without the seconds between."""
    return 0.0 if response.state == "suspended" and (response.provider_details or {}).get("background") else None


def test_what_the_agents_sdk_begins_can_be_collected(gate: Gate, provider: Provider, url: str) -> None:
    """A response that its settings put into the background is settled when a gated client asks after it."""
    settings = ModelSettings(extra_args={"background": True})

    async def whole() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="k") as client:
            config = RunConfig(model_provider=GatedProvider(gate, OpenAIProvider(openai_client=client)))
            agent = OpenAIAgent("asker", model="gpt-4o-mini", model_settings=settings)
            await Runner.run(agent, "How are you?", run_config=config, max_turns=1)
            assert held_for_a_day(gate)
            await gate.wrap(client).responses.retrieve("resp-1")

    run(whole)
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]


def test_what_litellm_begins_can_be_collected(gate: Gate, provider: Provider, url: str) -> None:
    """It names responses its own way; asked after, through whatever is gated below, it is settled once."""
    install(gate)
    given: Any = {"model": "openai/gpt-4o-mini", "api_base": url, "api_key": "k"}
    begun = litellm.responses(input="How are you?", background=True, **given)
    assert held_for_a_day(gate)
    spendgate.instrument(gate, provider="openai")
    for _ in range(2):
        litellm.get_responses(begun.id, custom_llm_provider="openai", api_base=url, api_key="k")
    assert provider.collected == ["/v1/responses/resp-1"] * 2
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]
    assert states(gate) == ["settled"]
