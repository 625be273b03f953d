"""google-genai, as it is, in front of a provider on loopback: over httpx2, and over aiohttp where it is awaited."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from google import genai
from google.auth.transport import mtls
from google.genai import errors, types
from google.genai._api_client import BaseApiClient
from google.oauth2.credentials import Credentials

from spendgate.errors import RefusedError, SpendLimitError
from spendgate.gate import Gate
from tests.integrations.conftest import MakeGate
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import Provider

MODEL = "gemini-2.5-flash"
CALL: dict[str, Any] = {"model": MODEL, "contents": "hello", "config": {"max_output_tokens": 100}}
COST = 10 * 300 + 3 * 2_500
"""Nano-dollars for 10 tokens in and 3 out, at $0.30 and $2.50 a million."""

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # its own

plain_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
WAYS = ("sync", "httpx", "httpx2", "aiohttp")
each = pytest.mark.parametrize(("way", "stream"), [(way, stream) for way in WAYS for stream in (False, True)], ids=str)
"""Every library that the SDK sends with: synchronous, and awaited over each."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_HTTP_CLIENT"):
        monkeypatch.delenv(name, raising=False)


def bare(provider: Provider, way: str, tries: int = 1) -> genai.Client:
    """A client that is not gated."""
    more: dict[str, Any] = {}
    if way in ("httpx", "httpx2"):
        library = __import__(way)
        more = {"async_client_args": {"transport": library.AsyncHTTPTransport()}}
    retries = types.HttpRetryOptions(attempts=tries, initial_delay=0.001, max_delay=0.001, jitter=0.0)
    options = types.HttpOptions(base_url=provider.url, timeout=500, retry_options=retries, **more)
    return genai.Client(api_key="k", http_options=options)


def run(gate: Gate, provider: Provider, way: str, stream: bool, tries: int = 1, **terms: Any) -> list[str]:
    """Makes one call with a gated client, and reads its answer."""
    client = gate.wrap(bare(provider, way, tries), **({"service": "tests"} | terms))
    if way == "sync":
        with client:
            return ask(client, stream)

    async def work() -> list[str]:
        async with client.aio as aio:
            return await ask_async(aio, stream)

    return asyncio.run(work())


def ask(client: genai.Client, stream: bool) -> list[str]:
    if stream:
        return [chunk.text or "" for chunk in client.models.generate_content_stream(**CALL)]
    return [client.models.generate_content(**CALL).text or ""]


async def ask_async(aio: Any, stream: bool) -> list[str]:
    if stream:
        return [chunk.text async for chunk in await aio.models.generate_content_stream(**CALL)]
    return [(await aio.models.generate_content(**CALL)).text]


@each
def test_an_answered_call_costs_what_it_used(gate: Gate, provider: Provider, way: str, stream: bool) -> None:
    """One request, one entry, settled at Google's price of the usage in the answer."""
    assert "".join(run(gate, provider, way, stream)).strip() == "hi hi hi"
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", COST, frozenset())
    assert (entry.call.service, entry.call.provider, len(provider.seen)) == ("tests", "google", 1)


@each
def test_a_refused_call_is_never_sent(make_gate: MakeGate, provider: Provider, way: str, stream: bool) -> None:
    """Without room nothing reaches the provider; the SDK neither retries the refusal nor hides it."""
    gate = make_gate("0.0001")
    with pytest.raises(SpendLimitError):
        run(gate, provider, way, stream, tries=3)
    assert (provider.seen, entries(gate)) == ([], [])


@each
def test_each_retry_is_metered(gate: Gate, provider: Provider, way: str, stream: bool) -> None:
    """What the SDK sends again is reserved again; what was turned away costs nothing."""
    provider.script = ("429", "500", "ok")
    run(gate, provider, way, stream, tries=3)
    assert states(gate) == ["voided", "voided", "settled"]


@each
def test_errors_of_the_provider_cost_nothing(gate: Gate, provider: Provider, way: str, stream: bool) -> None:
    """Every send that ends in a 500 is voided, and the caller sees the SDK's own error."""
    provider.script = ("500",)
    with pytest.raises(errors.ServerError):
        run(gate, provider, way, stream, tries=2)
    assert states(gate) == ["voided", "voided"]


@each
def test_a_call_that_times_out_stays_held(gate: Gate, provider: Provider, way: str, stream: bool) -> None:
    """Billed or not, nobody knows: what was sent and not answered stays held."""
    provider.script = ("hang",)
    with pytest.raises(Exception, match=r"(?i)time|^$"):  # each library has an error of its own
        run(gate, provider, way, stream)
    assert states(gate) == ["held"]


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_left_early_counts_whole(gate: Gate, provider: Provider, way: str) -> None:
    """Left after its first words, the stream of a model that reasons unseen counts whole: settled or held."""

    async def first(client: genai.Client) -> None:
        async with client.aio as aio:
            chunks: Any = await aio.models.generate_content_stream(**CALL)
            await anext(chunks)
            await chunks.aclose()

    client = gate.wrap(bare(provider, way))
    if way == "sync":
        chunks: Any = client.models.generate_content_stream(**CALL)
        next(chunks)
        chunks.close()
        client.close()
    else:
        asyncio.run(first(client))
    (entry,) = entries(gate)
    assert entry.state.value in ("settled", "held")
    assert way == "aiohttp" or entry.weight == entry.reserved  # aiohttp may have handed out all of it at once


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_sessions_of_google_auth_are_gated(
    make_gate: MakeGate, provider: Provider, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    """With client certificates the SDK sends with sessions of google-auth, which it makes late: they pass the gate."""
    monkeypatch.setattr(BaseApiClient, "_use_google_auth_sync", lambda _: True)
    monkeypatch.setattr(BaseApiClient, "_use_google_auth_async", lambda _: True)
    monkeypatch.setattr(mtls, "default_client_cert_source", lambda: None)
    monkeypatch.setenv("GOOGLE_API_USE_CLIENT_CERTIFICATE", "false")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    gate, roomless = make_gate(), make_gate("0.0001")
    for one in (gate, roomless):
        options = types.HttpOptions(base_url=provider.url, timeout=500)
        bare = genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=Known("t"), http_options=options
        )
        client, refused = one.wrap(bare, provider="google"), one is roomless
        with pytest.raises(SpendLimitError) if refused else nullcontext():
            assert asyncio.run(_once(client)) if is_async else ask(client, stream=False)
        client.close()
    assert (len(provider.seen), states(gate), states(roomless)) == (1, ["settled"], [])


async def _once(client: genai.Client) -> list[str]:
    async with client.aio as aio:
        return await ask_async(aio, stream=False)


class Known(Credentials):
    """A token that is there already."""

    def refresh(self, request: object) -> None:
        """It never expires."""


def test_other_parts_of_the_client_are_gated(make_gate: MakeGate, provider: Provider) -> None:
    """What speaks another API through the same client is refused as well, by the same error, and never sent."""
    gate = make_gate("0.0001")
    client = gate.wrap(bare(provider, "sync"))
    with pytest.raises(RefusedError):
        client.interactions.create(model=MODEL, input="hello")
    with pytest.raises(RefusedError):
        client.models.embed_content(model="gemini-embedding-001", contents="hello " * 10_000)
    assert provider.seen == []
    client.close()


def test_the_client_given_stays_as_it_is(gate: Gate, provider: Provider) -> None:
    """Only the copy is gated, in all its parts; the original goes on when the copy is dropped."""
    client = bare(provider, "sync")
    gated = gate.wrap(client)
    for part in ("models", "chats", "files", "batches", "caches", "tunings"):
        assert getattr(gated, part) is not getattr(client, part)
    assert gated.chats.create(model=MODEL).send_message("hello").text
    assert states(gate) == ["settled"]
    del gated
    assert ask(client, stream=False)
    assert states(gate) == ["settled"]
    client.close()


def test_our_own_headers_stay_here(gate: Gate, provider: Provider) -> None:
    """Headers that say for whom a call is made never leave the machine."""
    config = types.GenerateContentConfig(
        max_output_tokens=100, http_options=types.HttpOptions(headers={"x-spendgate-service": "mail"})
    )
    with gate.wrap(bare(provider, "sync")) as client:
        client.models.generate_content(model=MODEL, contents="hello", config=config)
    assert [entry.call.service for entry in entries(gate)] == ["mail"]
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]
