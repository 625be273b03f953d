"""LiteLLM, the real one: what it sends passes the gate, however it sends it."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its own price list stays at home

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

import spendgate
from spendgate import PriceError, RefusedError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.litellm import SpendgateLogger, install, uninstall
from spendgate.integrations.litellm_words import asking, read_stream, read_whole
from tests.integrations.frameworks import conftest
from tests.integrations.frameworks.conftest import MakeGate, attempts, entries, states
from tests.integrations.frameworks.provider import CLAUDE_USAGE, Provider, claude, claude_events

# LiteLLM keeps clients of loops that are over, and leaves it to the garbage collector to complain.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MESSAGES = [{"role": "user", "content": "How are you?"}]
COST = 240_000  # 600 fresh, 400 cached and 200 written tokens of gpt-4o-mini

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()
    litellm.logging_callback_manager._reset_all_callbacks()
    litellm.num_retries = None


@pytest.fixture
def ask(provider: Provider) -> Ask:
    """Calls LiteLLM by a function's name."""

    def call(name: str = "completion", on: Any = litellm, **more: Any) -> Any:
        asked = (
            {"model": "openai/gpt-4o-mini", "api_base": f"{provider.url}/v1", "api_key": "k"} if on is litellm else {}
        )
        asked |= {"input": ["a text"]} if "embedding" in name else {"messages": MESSAGES}
        given = {name: value for name, value in {**asked, **more}.items() if value is not None}
        return getattr(on, name)(**given)

    return call


def run(work: Callable[[], Any]) -> Any:
    """Runs a coroutine function in a loop of its own, with what LiteLLM still has to log in it."""

    async def whole() -> Any:
        try:
            return await work()
        finally:
            await GLOBAL_LOGGING_WORKER.flush()
            await GLOBAL_LOGGING_WORKER.stop()

    return conftest.run(whole)


async def awaited_stream(ask: Ask, **more: Any) -> str:
    """What an awaited stream says."""
    stream = await ask("acompletion", stream=True, **more)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def said(stream: Any) -> str:
    """What a stream says."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_an_answer_is_settled_at_the_usage_that_it_states(gate: Gate, provider: Provider, ask: Ask) -> None:
    """Cached tokens are priced as such, whether the call is plain or awaited."""
    install(gate)
    assert ask().choices[0].message.content == "hello"
    assert run(lambda: ask("acompletion")).choices[0].message.content == "hello"
    assert [entry.weight.usd for entry in entries(gate)] == [COST, COST]
    assert states(gate) == ["settled", "settled"]
    assert {(entry.call.provider, entry.call.resource) for entry in entries(gate)} == {("openai", "gpt-4o-mini")}


def test_a_stream_is_settled_at_its_end(gate: Gate, provider: Provider, ask: Ask) -> None:
    """Usage is asked for on the caller's behalf, and the caller sees no more than he asked for."""
    install(gate)
    stream = ask(stream=True)
    assert states(gate) == ["held"]
    assert isinstance(stream, litellm.CustomStreamWrapper)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "hello"
    assert all(getattr(chunk, "usage", None) is None for chunk in chunks)
    assert run(lambda: awaited_stream(ask)) == "hello"
    assert [entry.weight.usd for entry in entries(gate)] == [COST, COST]
    assert all(body["stream_options"] == {"include_usage": True} for _, body in provider.requests)


def test_a_caller_who_forbids_usage_pays_the_whole_hold(gate: Gate, provider: Provider, ask: Ask) -> None:
    """What LiteLLM counts itself is no bill: a stream without usage counts as all that was held."""
    install(gate)
    assert said(ask(stream=True, stream_options={"include_usage": False}, max_tokens=50)) == "hello"
    (entry,) = entries(gate)
    assert entry.state == "settled"
    assert entry.weight.usd == entry.reserved.usd > 0
    assert "unpriced" in entry.marks


def test_a_stream_that_is_closed_early_costs_what_came(gate: Gate, provider: Provider, ask: Ask) -> None:
    """What was asked and produced until then counts, marked as cut."""
    install(gate)
    stream = ask(stream=True, max_tokens=500)
    next(stream)
    stream.close()
    (entry,) = entries(gate)
    assert entry.state == "settled"
    assert 0 < entry.weight.usd < entry.reserved.usd
    assert "cut" in entry.marks


@pytest.mark.parametrize("name", ["embedding", "aembedding"])
def test_embeddings_are_settled(name: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """They write nothing, so nothing is held for output."""
    install(gate)
    call = lambda: ask(name, model="openai/text-embedding-3-small")  # noqa: E731
    assert (call() if name == "embedding" else run(call)).data
    assert entries(gate)[-1].weight.usd == 160
    assert entries(gate)[-1].weight.tokens == 8


@pytest.mark.parametrize("name", ["responses", "aresponses"])
def test_responses_are_settled(name: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """OpenAI's newer API passes the gate too, whole and streamed."""
    install(gate)
    given = {"input": "How are you?", "messages": None}

    async def both() -> None:
        await ask(name, **given)
        async for _ in await ask(name, stream=True, **given):
            pass

    if name == "aresponses":
        run(both)
    else:
        ask(name, **given)
        list(ask(name, stream=True, **given))
    assert [entry.weight.usd for entry in entries(gate)] == [COST, COST]


def test_anthropic_is_priced_with_its_cache(gate: Gate, provider: Provider, ask: Ask) -> None:
    """LiteLLM adds the cache's tokens to the input; what was written and read is priced as such, streamed too."""
    install(gate)
    given = {"model": "anthropic/claude-haiku-4-5", "api_base": provider.url}
    ask(**given)
    assert said(ask(stream=True, **given)) == "hello"
    cost = 600 * 1000 + 300 * 100 + 100 * 1250 + 200 * 5000
    assert [entry.weight.usd for entry in entries(gate)] == [cost, cost]


def test_anthropic_s_own_words_are_read_too(gate: Gate) -> None:
    """What speaks Anthropic's API through LiteLLM is read like what speaks OpenAI's, whole and as bytes of a stream."""
    wanted = asking(gate, "anthropic_messages", {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 500})
    assert (wanted.asked.provider, wanted.asked.kind, wanted.asked.max_output_tokens) == ("anthropic", "paid", 500)
    whole = read_whole(wanted, claude("claude-haiku-4-5", [], CLAUDE_USAGE, "end_turn"))
    events = claude_events("claude-haiku-4-5", usage=True)
    chunks = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events]
    for answer in (whole, read_stream(wanted, chunks, complete=True)):
        (bill,) = answer.bills
        assert (bill.usage.input_tokens, bill.usage.cache_read_tokens, bill.usage.output_tokens) == (1000, 300, 200)


@pytest.mark.parametrize("name", ["image_generation", "speech", "rerank"])
def test_what_is_not_read_needs_a_price_and_counts_whole(name: str, gate: Gate, provider: Provider) -> None:
    """Endpoints whose bill is not understood are no way around the gate."""
    install(gate)
    given: dict[str, Any] = {"model": "openai/made-up", "api_base": f"{provider.url}/v1", "api_key": "k"}
    given |= {"prompt": "a cat"} if name == "image_generation" else {}
    given |= {"input": "hi", "voice": "alloy"} if name == "speech" else {}
    given |= {"query": "hi", "documents": ["a"], "model": "cohere/made-up"} if name == "rerank" else {}
    with pytest.raises(PriceError):
        getattr(litellm, name)(**given)
    assert provider.requests == []


def test_our_own_mistake_is_not_the_caller_s(
    make_gate: MakeGate, provider: Provider, ask: Ask, monkeypatch: Any
) -> None:
    """Where a request or its answer cannot be read, it is held and counted whole, and the caller gets his answer."""
    gate = make_gate(config='[prices.unknown_model]\ninput = "1"\noutput = "2"\n')
    install(gate)
    monkeypatch.setattr("spendgate.integrations.litellm.read_whole", lambda *_: 1 / 0)
    assert ask().choices[0].message.content == "hello"
    monkeypatch.setattr("spendgate.integrations.litellm.asking", lambda *_: 1 / 0)
    with pytest.raises(PriceError):
        ask()  # without a provider it is no model's call, and such a call needs a price of its own
    (entry,) = entries(gate)
    assert entry.weight.usd == entry.reserved.usd > 0


WAYS = {
    "plain": lambda ask, **more: ask(**more),
    "awaited": lambda ask, **more: run(lambda: ask("acompletion", **more)),
    "streamed": lambda ask, **more: list(ask(stream=True, **more)),
    "awaited stream": lambda ask, **more: run(lambda: awaited_stream(ask, **more)),
    "embedding": lambda ask, **more: ask("embedding", **{**more, "model": "openai/text-embedding-3-small"}),
    "awaited embedding": lambda ask, **more: run(
        lambda: ask("aembedding", **{**more, "model": "openai/text-embedding-3-small"})
    ),
    "text": lambda ask, **more: ask("text_completion", **{**more, "prompt": "hi", "messages": None}),
    "awaited text": lambda ask, **more: run(
        lambda: ask("atext_completion", **{**more, "prompt": "hi", "messages": None})
    ),
    "responses": lambda ask, **more: ask("responses", **{**more, "input": "hi", "messages": None}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "more", [{}, {"num_retries": 3}, {"max_retries": 3}, {"fallbacks": ["openai/gpt-4.1-nano"]}], ids=str
)
def test_a_refusal_reaches_the_caller_and_nobody_else(
    way: str, more: dict[str, Any], tight: Gate, provider: Provider, ask: Ask
) -> None:
    """No request is sent, nothing is held, and neither retries nor fallbacks ask again."""
    asked: list[str] = []
    hold = tight.store.hold
    tight.store.hold = lambda *given: (asked.append("asked"), hold(*given))[1]  # type: ignore[method-assign]
    litellm.callbacks = [SpendgateLogger(tight)]
    with pytest.raises(SpendLimitError) as caught:
        WAYS[way](ask, **more)
    assert caught.value.limit == "hourly"
    assert provider.requests == []
    assert entries(tight) == []
    assert asked == ["asked"]


def router(provider: Provider, **more: Any) -> Any:
    """A router with two deployments of one group, and another group to fall back on."""

    def deployment(group: str, model: str) -> dict[str, Any]:
        return {
            "model_name": group,
            "litellm_params": {"model": f"openai/{model}", "api_base": f"{provider.url}/v1", "api_key": "k"},
        }

    models = [
        deployment("mine", "gpt-4o-mini"),
        deployment("mine", "gpt-4.1-mini"),
        deployment("other", "gpt-4.1-nano"),
    ]
    return litellm.Router(model_list=models, num_retries=2, fallbacks=[{"mine": ["other"]}], **more)


@pytest.mark.parametrize("name", ["completion", "acompletion"])
def test_a_router_does_not_retry_a_refusal(name: str, tight: Gate, provider: Provider, ask: Ask) -> None:
    """Neither its retries nor its fallbacks take a refusal for a passing fault."""
    install(tight)
    mine = router(provider)
    call = lambda: ask(name, on=mine, model="mine")  # noqa: E731
    with pytest.raises(SpendLimitError):
        call() if name == "completion" else run(call)
    assert provider.requests == []
    assert entries(tight) == []


@pytest.mark.parametrize("name", ["completion", "acompletion"])
def test_a_router_s_retries_and_fallbacks_are_attempts(name: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """Each request that it sends has an entry of its own, and what the failed ones cost is free again."""
    install(gate)
    mine = router(provider)
    provider.statuses = [500, 500, 500]
    call = lambda: ask(name, on=mine, model="mine")  # noqa: E731
    call() if name == "completion" else run(call)
    assert len(provider.requests) == 4
    assert states(gate) == ["voided", "voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3, 4]
    assert entries(gate)[-1].call.resource == "gpt-4.1-nano"


def test_retries_inside_the_client_are_attempts(gate: Gate, provider: Provider, ask: Ask) -> None:
    """What OpenAI's client would have sent again unseen is sent by the gate, one entry for each."""
    install(gate)
    provider.statuses = [429, 500]
    assert ask().choices[0].message.content == "hello"
    assert states(gate) == ["voided", "voided", "settled"]
    assert attempts(gate) == [1, 2, 3]
    assert len(provider.requests) == 3


@pytest.mark.parametrize("name", ["completion", "acompletion"])
def test_litellm_s_own_retries_are_attempts(name: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """The requests that reached the provider are those in the ledger, and the last error is the caller's."""
    install(gate)
    provider.statuses = [500] * 9
    call = lambda: ask(name, num_retries=2)  # noqa: E731
    with pytest.raises(litellm.InternalServerError):
        call() if name == "completion" else run(call)
    assert len(provider.requests) == 5  # as without a gate: OpenAI's client sends 3 times before LiteLLM does twice
    assert states(gate) == ["voided"] * 5
    assert attempts(gate) == [1, 2, 3, 4, 5]


def test_a_retry_that_finds_no_room_is_refused(make_gate: MakeGate, provider: Provider, ask: Ask) -> None:
    """An attempt that timed out stays held, so the next one may be too much: the caller learns of that one."""
    gate = make_gate("0.00014")
    install(gate)
    provider.statuses = ["hang"]
    with pytest.raises(SpendLimitError):
        ask(max_tokens=100, max_retries=2, timeout=0.5)
    assert len(provider.requests) == 1
    assert states(gate) == ["held"]


@pytest.mark.parametrize("name", ["completion", "acompletion"])
def test_a_timeout_stays_held(name: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """Billed or not, nobody knows."""
    install(gate)
    provider.statuses = ["hang"]
    call = lambda: ask(name, timeout=0.5, max_retries=0)  # noqa: E731
    with pytest.raises(litellm.Timeout):
        call() if name == "completion" else run(call)
    assert states(gate) == ["held"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 529])
def test_answers_that_cost_nothing_are_voided(status: int, gate: Gate, provider: Provider, ask: Ask) -> None:
    """The provider refused or failed, and bills nothing for it."""
    install(gate)
    provider.statuses = [status]
    with pytest.raises(Exception, match="made-up"):
        ask(max_retries=0)
    assert states(gate) == ["voided"]


def test_a_host_that_cannot_be_reached_costs_nothing(gate: Gate, ask: Ask) -> None:
    """Nothing was sent, so nothing stays held."""
    install(gate)
    with pytest.raises(litellm.InternalServerError):
        ask(api_base="http://127.0.0.1:9/v1", max_retries=0)
    assert states(gate) == ["voided"]


def test_an_unknown_model_is_refused(gate: Gate, provider: Provider, ask: Ask) -> None:
    """A model without a price is never sent, and never booked as zero."""
    install(gate)
    with pytest.raises(Exception, match="no price is known"):
        ask(model="openai/made-up-model")
    assert provider.requests == []


def test_a_base_model_names_what_a_deployment_is(gate: Gate, provider: Provider, ask: Ask) -> None:
    """A deployment's own name has no price; the model behind it has."""
    install(gate)
    ask(model="openai/my-deployment", base_model="gpt-4o-mini")
    assert entries(gate)[0].call.resource == "gpt-4o-mini"
    assert provider.models == ["my-deployment"]


def test_metadata_and_scopes_say_for_whom(gate: Gate, provider: Provider, ask: Ask) -> None:
    """The request's own word comes first, then the scope around it."""
    install(gate)
    with gate.scope("research", task="job-7"):
        ask()
        ask(metadata={"spendgate_service": "billing"})
    assert [(entry.call.service, entry.call.task) for entry in entries(gate)] == [
        ("research", "job-7"),
        ("billing", "job-7"),
    ]


def test_mocked_answers_are_free(gate: Gate, provider: Provider, ask: Ask) -> None:
    """What LiteLLM makes up itself costs nothing."""
    install(gate)
    ask(mock_response="made up")
    run(lambda: ask("acompletion", mock_response="made up"))
    assert provider.requests == []
    assert entries(gate) == []


def test_installing_twice_and_undoing_it(gate: Gate, tight: Gate, provider: Provider, ask: Ask) -> None:
    """The same gate again changes nothing, another one is an error, and uninstalling leaves LiteLLM as it was."""
    before = litellm.completion
    install(gate)
    install(gate)
    with pytest.raises(ValueError, match="uninstall"):
        install(tight)
    ask()
    uninstall()
    assert litellm.completion is before
    ask()
    mine = router(provider)
    ask(on=mine, model="mine")
    assert len(entries(gate)) == 1


def test_the_proxy_answers_a_refusal_with_402(tight: Gate, provider: Provider, ask: Ask) -> None:
    """A client of the proxy is told not to retry, and the key's alias says for whom a call is made."""
    pytest.importorskip("fastapi")  # where the proxy is, it is
    logger = SpendgateLogger(tight)
    key = type("Key", (), {"key_alias": "team-a"})()
    data = run(lambda: logger.async_pre_call_hook(key, None, {"model": "m", "messages": MESSAGES}, "acompletion"))
    assert data["metadata"] == {"spendgate_service": "team-a"}
    with pytest.raises(RefusedError) as caught:
        ask(metadata=data["metadata"])
    answer = run(lambda: logger.async_post_call_failure_hook(data, caught.value, key))
    assert (answer.status_code, answer.headers) == (402, {"x-should-retry": "false"})
    assert "hourly" in answer.detail
    assert run(lambda: logger.async_post_call_failure_hook(data, ValueError("other"), key)) is None


def test_what_went_around_the_gate_is_booked(gate: Gate, provider: Provider, ask: Ask) -> None:
    """A call that LiteLLM reports and the gate never saw is booked, whatever the limits say."""
    logger = SpendgateLogger(gate)
    uninstall()
    answer = ask()
    logger.log_success_event({"model": "gpt-4o-mini", "call_type": "completion"}, answer, None, None)
    logger.log_success_event({"model": "gpt-4o-mini", "spendgate_gated": True}, answer, None, None)
    assert [entry.weight.usd for entry in entries(gate)] == [COST]


@pytest.mark.parametrize("way", ["plain", "awaited", "streamed", "awaited stream"])
def test_what_passes_here_is_not_asked_for_again_below(way: str, gate: Gate, provider: Provider, ask: Ask) -> None:
    """LiteLLM sends through libraries that may be instrumented too; one call has one entry."""
    install(gate)
    spendgate.instrument(gate, provider="openai")
    try:
        WAYS[way](ask)
    finally:
        spendgate.uninstrument()
    assert len(entries(gate)) == len(provider.requests) == 1
