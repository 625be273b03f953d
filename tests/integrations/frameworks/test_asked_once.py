"""A framework's own gate above a client that passes the gate as well: one call is asked for once, and has one entry."""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
import pytest
from agents import Agent as OpenAIAgent
from agents import OpenAIProvider, RunConfig, Runner
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langchain_openai import OpenAI as TextOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider as PydanticProvider

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

import spendgate
from spendgate import RetryBudgetError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.langchain_core import GateHandler
from spendgate.integrations.litellm import install, uninstall
from spendgate.integrations.openai_agents import GatedProvider
from spendgate.integrations.pydantic_ai import GatedModel
from tests.integrations.frameworks.conftest import MakeGate, attempts, entries, run, states
from tests.integrations.frameworks.provider import Provider

MESSAGES: Any = [{"role": "user", "content": "How are you?"}]
COST = 240_000

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""LiteLLM keeps clients of loops that are over."""

Work = Callable[[BaseChatModel, Any], Any]


async def _streamed(model: BaseChatModel, config: Any) -> None:
    async for _ in model.astream("How are you?", config):
        pass


WAYS: dict[str, Work] = {
    "invoke": lambda model, config: model.invoke("How are you?", config),
    "ainvoke": lambda model, config: run(lambda: model.ainvoke("How are you?", config)),
    "stream": lambda model, config: list(model.stream("How are you?", config)),
    "astream": lambda model, config: run(lambda: _streamed(model, config)),
    "batch": lambda model, config: model.batch(["How are you?"], config),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
BELOW = pytest.mark.parametrize("below", ["instrumented", "wrapped"])


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


@contextmanager
def chat(gate: Gate, provider: Provider, below: str, **more: Any) -> Iterator[BaseChatModel]:
    """LangChain's model of OpenAI, whose SDK sends through a client that passes the gate, one way or the other."""
    given: Any = {
        "model": "gpt-4o-mini",
        "base_url": f"{provider.url}/v1",
        "api_key": "k",
        "stream_usage": True,
        **more,
    }
    if below == "instrumented":
        spendgate.instrument(gate, provider="openai")
        yield ChatOpenAI(**given)
        return
    with httpx2.Client() as plain:
        awaited = gate.wrap(httpx2.AsyncClient(), provider="openai")
        yield ChatOpenAI(**given, http_client=gate.wrap(plain, provider="openai"), http_async_client=awaited)


@BELOW
@EVERY_WAY
def test_langchain_s_call_is_one_entry(below: str, way: str, gate: Gate, provider: Provider) -> None:
    """The handler's reservation stands for what the SDK sends, and is settled with the model's usage."""
    with chat(gate, provider, below) as model:
        WAYS[way](model, {"callbacks": [GateHandler(gate, service="research")]})
    (entry,) = entries(gate)
    assert (entry.state, entry.weight.usd, entry.call.service) == ("settled", COST, "research")
    assert len(provider.requests) == 1


@EVERY_WAY
def test_another_sdk_s_call_is_one_entry(way: str, gate: Gate, provider: Provider) -> None:
    """So it is with Anthropic's."""
    spendgate.instrument(gate, provider="anthropic")
    model = ChatAnthropic(model="claude-haiku-4-5", base_url=provider.url, api_key="k", max_tokens=500)  # type: ignore[call-arg]
    WAYS[way](model, {"callbacks": [GateHandler(gate)]})
    assert states(gate) == ["settled"]
    assert len(provider.requests) == 1


@BELOW
@EVERY_WAY
def test_langchain_s_call_is_refused_once(below: str, way: str, tight: Gate, provider: Provider) -> None:
    """Without room nothing is sent, and the ledger is asked by one of them."""
    asked: list[str] = []
    hold = tight.store.hold
    tight.store.hold = lambda *given: (asked.append("asked"), hold(*given))[1]  # type: ignore[method-assign]
    with chat(tight, provider, below) as model, pytest.raises(SpendLimitError):
        WAYS[way](model, {"callbacks": [GateHandler(tight)]})
    assert (provider.requests, asked, entries(tight)) == ([], ["asked"], [])


@BELOW
@EVERY_WAY
def test_retries_below_langchain_are_attempts(
    below: str, way: str, gate: Gate, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """What the SDK sends again by itself is seen there, and each is an entry of its own."""
    provider.statuses = [429, 500]
    with chat(gate, provider, below) as model:
        WAYS[way](model, {"callbacks": [GateHandler(gate, service="research")]})
    assert states(gate) == ["voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3]
    assert {entry.call.service for entry in entries(gate)} == {"research"}
    assert len(provider.requests) == 3
    assert "not seen" not in caplog.text


@BELOW
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_retry_below_langchain_can_be_refused(below: str, way: str, make_gate: MakeGate, provider: Provider) -> None:
    """A send that timed out stays held; where that leaves no room for another, the caller learns of it at once."""
    gate = make_gate("0.0005")
    provider.statuses = ["hang", "hang", "hang"]
    with chat(gate, provider, below, timeout=0.4, max_tokens=500) as model, pytest.raises(SpendLimitError):
        WAYS[way](model, {"callbacks": [GateHandler(gate)]})
    assert states(gate) == ["held"]
    assert len(provider.requests) == 1


def test_retries_below_langchain_draw_on_the_retry_budget(gate: Gate, provider: Provider) -> None:
    """They are retries of the task that the call belongs to, and end where its money for retries does."""
    provider.statuses = [500] * 3
    with (
        gate.task("job", retry_budget="0.00000001"),
        chat(gate, provider, "instrumented") as model,
        pytest.raises(RetryBudgetError),
    ):
        model.invoke("How are you?", {"callbacks": [GateHandler(gate)]})
    assert len(provider.requests) == 1
    assert states(gate) == ["voided"]


def test_only_the_call_itself_is_covered(gate: Gate, provider: Provider) -> None:
    """While a stream is read, another call by its reader is asked for like any other."""
    with (
        chat(gate, provider, "instrumented") as model,
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as other,
    ):
        for number, _ in enumerate(model.stream("How are you?", {"callbacks": [GateHandler(gate)]})):
            if number == 0:
                other.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        other.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert len(provider.requests) == len(entries(gate)) == 3
    assert states(gate) == ["settled"] * 3


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")  # LangChain's own
@pytest.mark.parametrize("way", ["generate", "agenerate"])
def test_several_prompts_are_one_entry_each(way: str, gate: Gate, provider: Provider) -> None:
    """Asked together, in one thread or side by side."""
    with chat(gate, provider, "instrumented") as model:
        given: Any = {"callbacks": [GateHandler(gate)]}
        messages: Any = [[HumanMessage(f"question {number}")] for number in range(4)]
        model.generate(messages, **given) if way == "generate" else run(lambda: model.agenerate(messages, **given))
    assert states(gate) == ["settled"] * 4
    assert len(provider.requests) == 4


async def _pydantic(gate: Gate, provider: Provider, client: Any) -> None:
    below = OpenAIChatModel("gpt-4o-mini", provider=PydanticProvider(openai_client=client))
    async with GatedModel(below, gate) as model:
        await Agent(model).run("How are you?")


async def _agents(gate: Gate, provider: Provider, client: Any) -> None:
    config = RunConfig(model_provider=GatedProvider(gate, OpenAIProvider(openai_client=client, use_responses=False)))
    await Runner.run(OpenAIAgent("asker", model="gpt-4o-mini"), "How are you?", run_config=config)


async def _litellm(gate: Gate, provider: Provider, client: Any) -> None:
    install(gate)
    await litellm.acompletion(model="openai/gpt-4o-mini", messages=MESSAGES, client=client)


@pytest.mark.parametrize("framework", [_pydantic, _agents, _litellm])
@BELOW
def test_other_frameworks_calls_are_one_entry(
    framework: Callable[[Gate, Provider, Any], Awaitable[None]], below: str, gate: Gate, provider: Provider
) -> None:
    """Their integrations send what they have asked for, and retry themselves: below them nobody asks again."""
    provider.statuses = [500]

    async def whole() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
            if below == "instrumented":
                spendgate.instrument(gate, provider="openai")
            await framework(gate, provider, client if below == "instrumented" else gate.wrap(client))

    asyncio.run(whole())
    assert states(gate) == ["voided", "settled"]
    assert attempts(gate) == [1, 2]
    assert len(provider.requests) == 2


@pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning"
)  # LangChain's own, of those it drops
@pytest.mark.parametrize("kind", ["chat", "text"])
@pytest.mark.parametrize("way", ["generate", "agenerate"])
def test_what_is_begun_together_is_refused_together(
    kind: str, way: str, make_gate: MakeGate, provider: Provider
) -> None:
    """LangChain sends none of several prompts where one is refused: nothing stays held of the others."""
    gate = make_gate("0.0004")
    given: Any = {"base_url": f"{provider.url}/v1", "api_key": "k", "max_tokens": 400, "max_retries": 0}
    config: Any = {"callbacks": [GateHandler(gate)]}
    model: BaseChatModel | BaseLLM
    if kind == "chat":
        model, prompts = ChatOpenAI(model="gpt-4o-mini", **given), [[HumanMessage("one")], [HumanMessage("two")]]
    else:
        model, prompts = TextOpenAI(model="gpt-4o-mini", **given), ["one", "two"]  # type: ignore[assignment]
    asked: Any = getattr(model, way)
    with pytest.raises(SpendLimitError):
        asked(prompts, **config) if way == "generate" else run(lambda: asked(prompts, **config))
    assert states(gate) == ["voided"]
    assert provider.requests == []
