"""google-genai, as it is, in front of a provider on loopback. What is here is not in the matrix."""

import asyncio
from contextlib import nullcontext

import pytest
from google import genai
from google.auth.transport import mtls
from google.genai import types
from google.genai._api_client import BaseApiClient
from google.oauth2.credentials import Credentials

from spendgate.errors import RefusedError, SpendLimitError
from spendgate.gate import Gate
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers.gemini import CALL, made
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import Provider

MODEL = CALL["model"]

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # its own


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_HTTP_CLIENT"):
        monkeypatch.delenv(name, raising=False)


def ask(client: genai.Client) -> str:
    return client.models.generate_content(**CALL).text or ""


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
        client = genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=Known("t"), http_options=options
        )
        client, refused = one.wrap(client, provider="google"), one is roomless
        with pytest.raises(SpendLimitError) if refused else nullcontext():
            assert asyncio.run(_once(client)) if is_async else ask(client)
        client.close()
    assert (len(provider.seen), states(gate), states(roomless)) == (1, ["settled"], [])


async def _once(client: genai.Client) -> str:
    async with client.aio as aio:
        return (await aio.models.generate_content(**CALL)).text or ""


class Known(Credentials):
    """A token that is there already."""

    def refresh(self, request: object) -> None:
        """It never expires."""


def test_other_parts_of_the_client_are_gated(make_gate: MakeGate, provider: Provider) -> None:
    """What speaks another API through the same client is refused as well, by the same error, and never sent."""
    gate = make_gate("0.0001")
    client = gate.wrap(made(provider.url))
    with pytest.raises(RefusedError):
        client.interactions.create(model=MODEL, input="hello")
    with pytest.raises(RefusedError):
        client.models.embed_content(model="gemini-embedding-001", contents="hello " * 10_000)
    assert provider.seen == []
    client.close()


def test_the_client_given_stays_as_it_is(gate: Gate, provider: Provider) -> None:
    """Only the copy is gated, in all its parts; the original goes on when the copy is dropped."""
    client = made(provider.url)
    gated = gate.wrap(client)
    for part in ("models", "chats", "files", "batches", "caches", "tunings"):
        assert getattr(gated, part) is not getattr(client, part)
    assert gated.chats.create(model=MODEL).send_message("hello").text
    assert states(gate) == ["settled"]
    del gated
    assert ask(client)
    assert states(gate) == ["settled"]
    client.close()


def test_our_own_headers_stay_here(gate: Gate, provider: Provider) -> None:
    """Headers that say for whom a call is made never leave the machine."""
    config = types.GenerateContentConfig(
        max_output_tokens=100, http_options=types.HttpOptions(headers={"x-spendgate-service": "mail"})
    )
    with gate.wrap(made(provider.url)) as client:
        client.models.generate_content(model=MODEL, contents="hello", config=config)
    assert [entry.call.service for entry in entries(gate)] == ["mail"]
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]
