"""LangChain and LangGraph, the real ones: models of OpenAI and Anthropic in front of a provider on this machine."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypedDict

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel, FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph

from spendgate import PriceError, RefusedError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.langchain_core import GateHandler
from tests.integrations.frameworks.conftest import MakeGate, attempts, entries, run, states
from tests.integrations.frameworks.provider import Provider

OPENAI_COST = 240_000
CLAUDE_COST = 600 * 1000 + 300 * 100 + 100 * 1250 + 200 * 5000

Make = Callable[..., BaseChatModel]


def chat(provider: Provider, **more: Any) -> BaseChatModel:
    """OpenAI's chat."""
    given = {
        "model": "gpt-4o-mini",
        "base_url": f"{provider.url}/v1",
        "api_key": "k",
        "max_retries": 0,
        "stream_usage": True,
    }
    return ChatOpenAI(**{**given, **more})


def claude(provider: Provider, **more: Any) -> BaseChatModel:
    """Anthropic's messages."""
    given = {"model": "claude-haiku-4-5", "base_url": provider.url, "api_key": "k", "max_retries": 0, "max_tokens": 500}
    return ChatAnthropic(**{**given, **more})


MODELS = pytest.mark.parametrize(("make", "cost"), [(chat, OPENAI_COST), (claude, CLAUDE_COST)], ids=["chat", "claude"])


def through(handler: GateHandler, **more: Any) -> Any:
    """A run's configuration."""
    return {"callbacks": [handler], **more}


async def astream(model: BaseChatModel, config: Any) -> str:
    """What an awaited stream says."""
    return "".join([str(chunk.text) async for chunk in model.astream("How are you?", config)])


WAYS: dict[str, Callable[[BaseChatModel, Any], str]] = {
    "invoke": lambda model, config: str(model.invoke("How are you?", config).text),
    "ainvoke": lambda model, config: str(run(lambda: model.ainvoke("How are you?", config)).text),
    "stream": lambda model, config: "".join(str(chunk.text) for chunk in model.stream("How are you?", config)),
    "astream": lambda model, config: run(lambda: astream(model, config)),
    "batch": lambda model, config: str(model.batch(["How are you?"], config)[0].text),
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


@MODELS
@EVERY_WAY
def test_answers_are_settled_with_their_cache(make: Make, cost: int, way: str, gate: Gate, provider: Provider) -> None:
    """At the usage that the model states, whichever way it is asked."""
    assert WAYS[way](make(provider), through(GateHandler(gate, service="research"))) == "hello"
    (entry,) = entries(gate)
    assert (entry.state, entry.weight.usd, entry.call.service) == ("settled", cost, "research")


@MODELS
@EVERY_WAY
def test_a_refusal_leaves_the_call(make: Make, cost: int, way: str, tight: Gate, provider: Provider) -> None:
    """No request is sent, and nothing is held."""
    with pytest.raises(SpendLimitError):
        WAYS[way](make(provider), through(GateHandler(tight)))
    assert provider.requests == []
    assert entries(tight) == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_refusal_is_asked_for_once(way: str, tight: Gate, provider: Provider) -> None:
    """Retries of LangChain's get the same refusal again, and the gate is not asked anew."""
    asked: list[str] = []
    hold = tight.store.hold
    tight.store.hold = lambda *given: (asked.append("asked"), hold(*given))[1]  # type: ignore[method-assign]
    model: Any = chat(provider).with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    with pytest.raises(SpendLimitError):
        WAYS[way](model, through(GateHandler(tight)))
    assert asked == ["asked"]
    assert provider.requests == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_retries_of_langchain_are_attempts(way: str, gate: Gate, provider: Provider) -> None:
    """Each is told to the handler, with its number."""
    provider.statuses = [500, 429]
    model: Any = chat(provider).with_retry(stop_after_attempt=3, wait_exponential_jitter=False)
    assert WAYS[way](model, through(GateHandler(gate))) == "hello"
    assert states(gate) == ["voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3]


@MODELS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
def test_answers_that_cost_nothing_are_voided(
    make: Make, cost: int, status: int, gate: Gate, provider: Provider
) -> None:
    """The provider refused or failed, and bills nothing for it."""
    provider.statuses = [status]
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
        make(provider).invoke("How are you?", through(GateHandler(gate)))
    assert states(gate) == ["voided"]


@MODELS
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_a_timeout_stays_held(make: Make, cost: int, way: str, gate: Gate, provider: Provider) -> None:
    """Billed or not, nobody knows."""
    provider.statuses = ["hang"]
    with pytest.raises((openai.APITimeoutError, anthropic.APITimeoutError)):
        WAYS[way](make(provider, timeout=0.4), through(GateHandler(gate)))
    assert states(gate) == ["held"]


def test_what_an_sdk_sent_unseen_before_it_gave_up_is_held(
    gate: Gate, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that timed out may have been sent, and billed, as often as the SDK was told to try; that is said too."""
    provider.statuses = ["hang"] * 3
    with caplog.at_level(logging.WARNING, "spendgate"), pytest.raises(openai.APITimeoutError):
        chat(provider, timeout=0.3, max_retries=1).invoke("How are you?", through(GateHandler(gate)))
    assert len(provider.requests) == 2
    assert states(gate) == ["held", "held"]
    assert attempts(gate) == [1, 2]
    assert "max_retries=0" in caplog.text


@MODELS
@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_stream_that_is_left_early_costs_what_came(
    make: Make, cost: int, way: str, gate: Gate, provider: Provider
) -> None:
    """Whoever stops reading pays for what was asked and produced."""
    model, config = make(provider), through(GateHandler(gate))

    async def leave() -> None:
        stream = model.astream("How are you?", config)
        async for chunk in stream:
            if chunk.text:
                break
        await stream.aclose()  # type: ignore[attr-defined]

    if way == "stream":
        stream = model.stream("How are you?", config)
        next(chunk for chunk in stream if chunk.text)
        stream.close()  # type: ignore[attr-defined]
    else:
        run(leave)
    (entry,) = entries(gate)
    assert entry.state == "settled"
    assert 0 < entry.weight.usd < entry.reserved.usd
    assert "cut" in entry.marks


def test_a_stream_without_usage_counts_whole(gate: Gate, provider: Provider) -> None:
    """Nothing reported is not nothing used."""
    WAYS["stream"](chat(provider, stream_usage=False), through(GateHandler(gate)))
    (entry,) = entries(gate)
    assert entry.weight.usd == entry.reserved.usd > 0
    assert "unpriced" in entry.marks


def test_output_without_input_counts_as_read_whole(gate: Gate, provider: Provider) -> None:
    """A model that writes has read something: where that is not stated, all that was asked counts."""
    provider.states_usage = False
    WAYS["stream"](claude(provider), through(GateHandler(gate)))
    (entry,) = entries(gate)
    assert entry.weight.usd > 200 * 5000
    assert entry.reserved.usd > entry.weight.usd


def test_a_cancelled_call_stays_held(gate: Gate, provider: Provider) -> None:
    """The request was on its way."""
    provider.statuses = ["hang"]

    async def cancelled() -> None:
        task = asyncio.create_task(chat(provider).ainvoke("How are you?", through(GateHandler(gate))))
        while not provider.requests:
            await asyncio.to_thread(provider.released.wait, 0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled)
    assert states(gate) == ["held"]


class State(TypedDict):
    """What the nodes of the graph hand on."""

    said: list[str]


def graph(model: BaseChatModel) -> Any:
    """Two nodes, one plain and one awaited where it can be, that ask a model each."""

    def first(state: State) -> State:
        return {"said": [*state["said"], str(model.invoke("first").text)]}

    def second(state: State) -> State:
        return {"said": [*state["said"], str(model.invoke("second").text)]}

    built = StateGraph(State)
    built.add_node("first", first)
    built.add_node("second", second)
    built.add_edge(START, "first")
    built.add_edge("first", "second")
    built.add_edge("second", END)
    return built.compile()


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_nodes_of_a_graph_pass_the_gate(way: str, gate: Gate, provider: Provider) -> None:
    """The handler of the graph's run is told of every model that its nodes ask."""
    app, config = graph(chat(provider)), through(GateHandler(gate), metadata={"spendgate_service": "graph"})
    found = app.invoke({"said": []}, config) if way == "invoke" else run(lambda: app.ainvoke({"said": []}, config))
    assert found == {"said": ["hello", "hello"]}
    assert [entry.call.service for entry in entries(gate)] == ["graph", "graph"]
    assert states(gate) == ["settled", "settled"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_graph_stops_where_there_is_no_room(way: str, make_gate: MakeGate, provider: Provider) -> None:
    """What the first node costs leaves nothing for the second: one request, and the refusal ends the run."""
    gate = make_gate("0.0003")
    app, config = graph(chat(provider, max_tokens=200)), through(GateHandler(gate))
    with pytest.raises(RefusedError):
        app.invoke({"said": []}, config) if way == "invoke" else run(lambda: app.ainvoke({"said": []}, config))
    assert len(provider.requests) == 1
    assert states(gate) == ["settled"]


def test_threads_and_tasks_share_a_handler(make_gate: MakeGate, provider: Provider) -> None:
    """Twenty calls at once, room for five: no more reach the provider."""
    gate = make_gate("0.004", config='[prices."openai:gpt-4o-mini"]\nper_call = "0.0008"\n')
    handler = GateHandler(gate)
    results: list[Any] = chat(provider).batch(["hi"] * 20, through(handler), return_exceptions=True)
    assert sum(isinstance(result, AIMessage) for result in results) == 5
    assert len(provider.requests) == 5

    async def all_at_once() -> list[Any]:
        model = chat(provider)
        return await model.abatch(["hi"] * 20, through(handler), return_exceptions=True)

    assert all(isinstance(result, SpendLimitError) for result in run(all_at_once))


def test_tools_are_part_of_the_estimate(gate: Gate, provider: Provider) -> None:
    """Their definitions are read by the model; what the provider runs itself can add anything."""
    tool = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
    config = through(GateHandler(gate))
    model: Any = chat(provider, max_tokens=10)
    model.invoke("hi", config)
    model.bind_tools([{"type": "function", "function": tool}]).invoke("hi", config)
    plain, with_tool = (entry.reserved.usd for entry in entries(gate))
    assert 0 < with_tool - plain < 2_500 * 150


def test_a_model_without_a_price_is_refused(gate: Gate) -> None:
    """A model that nobody knows is never asked, and never booked as zero."""
    config = through(GateHandler(gate, provider="made-up"))
    with pytest.raises(PriceError):
        GenericFakeChatModel(messages=iter([AIMessage("hi")])).invoke("hi", config)
    with pytest.raises(PriceError):
        FakeListLLM(responses=["hi"]).invoke("hi", config)
    assert entries(gate) == []


def test_a_declared_model_of_any_kind_is_metered(make_gate: MakeGate) -> None:
    """Models that LangChain knows nothing of are priced by what you declare; one-hour writes are dearer."""
    usage = {
        "input_tokens": 1000,
        "output_tokens": 10,
        "total_tokens": 1010,
        "input_token_details": {"cache_read": 300, "ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    }
    message = AIMessage("hi", usage_metadata=usage, response_metadata={"model_name": "claude-haiku-4-5"})  # type: ignore[arg-type]
    gate = make_gate(config='[prices.unknown_model]\ninput = "1"\noutput = "5"\n')
    GenericFakeChatModel(messages=iter([message])).invoke("hi", through(GateHandler(gate, provider="anthropic")))
    assert entries(gate)[0].weight.usd == 400 * 1000 + 300 * 100 + 100 * 1250 + 200 * 2000 + 10 * 5000
