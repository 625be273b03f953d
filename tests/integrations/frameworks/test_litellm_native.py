"""LiteLLM's native routes, which none of its Python functions sees: with a gate there is no way around it."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.rust_bridge.configuration import reset_rust_configuration

from spendgate import PriceError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.litellm import SpendgateLogger, install, uninstall
from tests.integrations.frameworks.conftest import MakeGate, entries, run, states
from tests.integrations.frameworks.provider import Provider

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CLAUDE_COST = 600 * 1000 + 300 * 100 + 100 * 1250 + 200 * 5000
DOCUMENT = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
SCANS = '[prices."mistral-ocr-latest"]\nper_call = "0.01"\n'


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """What frameworks leave open is garbage here, where it is known, and not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _native(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """LiteLLM is told to use its native code, and has the parts of its proxy that only log, which want its extras."""
    proxy = "litellm.proxy.pass_through_endpoints"
    logging, streaming = ModuleType(f"{proxy}.success_handler"), ModuleType(f"{proxy}.streaming_handler")
    logging.PassThroughEndpointLogging = SimpleNamespace  # type: ignore[attr-defined]
    streaming.PassThroughStreamingHandler = SimpleNamespace(chunk_processor=_chunks)  # type: ignore[attr-defined]
    for module in (logging, streaming):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "litellm.llms.anthropic.messages.native.streaming_iterator", raising=False)
    monkeypatch.delenv("LITELLM_RUST", raising=False)
    litellm.rust(True)
    yield
    uninstall()
    reset_rust_configuration()


async def _chunks(response: Any, **_: Any) -> AsyncIterator[bytes]:
    async for chunk in response.aiter_bytes():
        yield chunk


async def ask(provider: Provider, stream: bool) -> None:
    """Speaks Anthropic's own words through LiteLLM."""
    answer = await litellm.anthropic_messages(
        model="anthropic/claude-haiku-4-5",
        messages=[{"role": "user", "content": "How are you?"}],
        max_tokens=500,
        stream=stream,
        api_base=provider.url,
        api_key="k",
    )
    if stream:
        assert b"message_stop" in b"".join([chunk async for chunk in answer])


plain_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@plain_and_stream
def test_anthropic_s_messages_are_settled(gate: Gate, provider: Provider, stream: bool) -> None:
    """Where LiteLLM would send with its native code, it takes the way that can be read, whole and streamed."""
    install(gate)
    run(lambda: ask(provider, stream))
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", CLAUDE_COST)]
    assert len(provider.requests) == 1


@plain_and_stream
def test_anthropic_s_messages_are_refused(tight: Gate, provider: Provider, stream: bool) -> None:
    """Without room nothing is sent."""
    install(tight)
    with pytest.raises(SpendLimitError):
        run(lambda: ask(provider, stream))
    assert (provider.requests, entries(tight)) == ([], [])


def test_without_a_gate_litellm_does_as_it_is_told(gate: Gate, provider: Provider) -> None:
    """Uninstalled, its native code sends as before: what is asserted above is the gate's doing."""
    from litellm.rust_bridge import runtime

    before = runtime.decision, runtime._attempt_native, runtime._aattempt_native
    install(gate)
    assert runtime.decision is not before[0]
    uninstall()
    assert (runtime.decision, runtime._attempt_native, runtime._aattempt_native) == before
    run(lambda: ask(provider, stream=False))
    assert (len(provider.requests), entries(gate)) == (1, [])


def scan(name: str, provider: Provider) -> None:
    """Has a document read, by a route that is only native."""
    given: Any = {"model": "mistral/mistral-ocr-latest", "document": DOCUMENT, "api_base": provider.url, "api_key": "k"}
    call = getattr(litellm, name)
    call(**given) if name == "ocr" else run(lambda: call(**given))


@pytest.mark.parametrize("name", ["ocr", "aocr"])
def test_routes_that_are_only_native_need_a_price_and_count_whole(
    name: str, gate: Gate, make_gate: MakeGate, provider: Provider
) -> None:
    """What cannot be read is refused without a price of yours, held at it and counted."""
    install(gate)
    with pytest.raises(PriceError):
        scan(name, provider)
    assert provider.requests == []
    uninstall()
    priced = make_gate(config=SCANS)
    install(priced)
    scan(name, provider)
    assert [(entry.state.value, entry.weight.usd) for entry in entries(priced)] == [("settled", 10_000_000)]
    assert len(provider.requests) == 1


@pytest.mark.parametrize("name", ["ocr", "aocr"])
def test_an_error_of_such_a_route_costs_nothing(name: str, make_gate: MakeGate, provider: Provider) -> None:
    """What the provider turned away is free again."""
    gate = make_gate(config=SCANS)
    install(gate)
    provider.statuses = [400]
    with pytest.raises(Exception, match="made-up"):
        scan(name, provider)
    assert states(gate) == ["voided"]


@pytest.mark.parametrize("name", ["ocr", "aocr"])
def test_such_a_route_is_refused_without_room(name: str, make_gate: MakeGate, provider: Provider) -> None:
    """The refusal is the caller's, and nothing is sent."""
    gate = make_gate("0.005", config=SCANS)
    install(gate)
    with pytest.raises(SpendLimitError):
        scan(name, provider)
    assert (provider.requests, entries(gate)) == ([], [])


def test_such_a_route_is_not_booked_twice(gate: Gate) -> None:
    """LiteLLM reports it when it succeeds, as it does what went around the gate: it did not."""
    SpendgateLogger(gate).log_success_event({"model": "mistral-ocr-latest", "call_type": "ocr"}, {}, None, None)
    assert entries(gate) == []
