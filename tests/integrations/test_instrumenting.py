"""Every library at once: instrumented, and put back as it was."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import botocore.endpoint
import httpx
import httpx2
import openai
import pytest
import requests
from google import genai
from google.genai import types

import spendgate
from spendgate.errors import ConfigError, RefusedError
from spendgate.gate import Gate
from tests.conftest import ROOT
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers import bedrock, gemini
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import OPENAI, Provider

MESSAGES: Any = [{"role": "user", "content": "hello"}]
BODY = {"model": "gpt-4o", "messages": MESSAGES, "max_completion_tokens": 100}
AGENT = {"user-agent": "OpenAI/Python 3"}

PLACES = (
    (httpx.HTTPTransport, "handle_request"),
    (httpx.AsyncHTTPTransport, "handle_async_request"),
    (httpx2.HTTPTransport, "handle_request"),
    (httpx2.AsyncHTTPTransport, "handle_async_request"),
    (requests.adapters.HTTPAdapter, "send"),
    (aiohttp.ClientSession, "_request"),
    (botocore.endpoint.Endpoint, "_send"),
    (genai._api_client.BaseApiClient, "_request_once"),
    (genai._api_client.BaseApiClient, "_async_request_once"),
)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    spendgate.uninstrument()


def by_httpx(url: str) -> None:
    with httpx.Client() as client:
        client.post(url + OPENAI, json=BODY, headers=AGENT)


def by_httpx2_awaited(url: str) -> None:
    async def run() -> None:
        async with httpx2.AsyncClient() as client:
            await client.post(url + OPENAI, json=BODY, headers=AGENT)

    asyncio.run(run())


def by_requests(url: str) -> None:
    with requests.Session() as session:
        session.post(url + OPENAI, json=BODY, headers=AGENT)


def by_requests_alone(url: str) -> None:
    requests.post(url + OPENAI, json=BODY, headers=AGENT, timeout=5)


def by_aiohttp(url: str) -> None:
    async def run() -> None:
        more = {"x-own": "1"}
        async with (
            aiohttp.ClientSession(url, headers=AGENT) as session,
            session.post(OPENAI, json=BODY, headers=more) as answer,
        ):
            await answer.read()

    asyncio.run(run())


def by_boto3(url: str) -> None:
    bedrock.made(url).converse(**bedrock.CALL)


def by_openai(url: str) -> None:
    with openai.OpenAI(api_key="k", base_url=url + "/v1") as client:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_completion_tokens=100)


def by_openai_awaited(url: str) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=url + "/v1") as client:
            await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_completion_tokens=100)

    asyncio.run(run())


def by_anthropic(url: str) -> None:
    with anthropic.Anthropic(api_key="k", base_url=url) as client:
        client.messages.create(model="claude-haiku-4-5", messages=MESSAGES, max_tokens=100)


def google(url: str) -> genai.Client:
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=url))


def by_genai(url: str) -> None:
    with google(url) as client:
        client.models.generate_content(model="gemini-2.5-flash", contents="hello")


def by_genai_awaited(url: str) -> None:
    async def run() -> None:
        async with google(url).aio as client:
            await client.models.generate_content(model="gemini-2.5-flash", contents="hello")

    asyncio.run(run())


Ask = Callable[[str], None]
ASKS = (
    by_httpx, by_httpx2_awaited, by_requests, by_requests_alone, by_aiohttp, by_boto3, by_openai, by_openai_awaited,
    by_anthropic, by_genai, by_genai_awaited,
)  # fmt: skip
each = pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.__name__)
theirs = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
"""google-genai's own."""


@each
@theirs
def test_every_client_passes_the_gate(gate: Gate, provider: Provider, ask: Ask) -> None:
    """Instrumented, a call of any client is one entry, settled; our terms hold for it."""
    spendgate.instrument(gate, service="everything")
    ask(provider.url)
    assert [(entry.state.value, entry.call.service) for entry in entries(gate)] == [("settled", "everything")]
    assert len(provider.seen) == 1


@each
@theirs
def test_every_client_is_refused(make_gate: MakeGate, provider: Provider, ask: Ask) -> None:
    """Without room nothing is sent, and the gate's own error is what each client's caller sees."""
    gate = make_gate("0.0000001")
    spendgate.instrument(gate)
    with pytest.raises(RefusedError):
        ask(provider.url)
    assert (provider.seen, entries(gate)) == ([], [])


@each
@theirs
def test_nothing_is_left_behind(gate: Gate, provider: Provider, ask: Ask) -> None:
    """After `uninstrument`, however often it was instrumented, the libraries are what they were, and calls pass by."""
    before = [vars(owner)[name] for owner, name in PLACES]
    spendgate.instrument(gate)
    spendgate.instrument(gate)
    assert all(vars(owner)[name] is not was for (owner, name), was in zip(PLACES, before, strict=True))
    spendgate.uninstrument()
    spendgate.uninstrument()
    assert all(vars(owner)[name] is was for (owner, name), was in zip(PLACES, before, strict=True))
    ask(provider.url)
    assert (len(provider.seen), entries(gate)) == (1, [])


@each
@theirs
def test_it_can_be_instrumented_again(make_gate: MakeGate, provider: Provider, ask: Ask) -> None:
    """The last call counts: its gate, once, and its terms."""
    first, second = make_gate(), make_gate()
    spendgate.instrument(first, service="first")
    spendgate.uninstrument()
    spendgate.instrument(first, service="first")
    spendgate.instrument(second, service="second")
    ask(provider.url)
    assert (entries(first), [entry.call.service for entry in entries(second)]) == ([], ["second"])


def test_wrapped_clients_are_not_asked_for_twice(make_gate: MakeGate, provider: Provider) -> None:
    """What passes a wrapped client's gate is reserved there, once, with its terms; the libraries below let it pass."""
    wrapping, around = make_gate(), make_gate()
    spendgate.instrument(around, provider="openai")
    url = provider.url

    async def awaited() -> None:
        async with aiohttp.ClientSession() as session:
            gated = wrapping.wrap(session, provider="openai")
            async with gated.post(url + OPENAI, json=BODY) as answer:
                await answer.read()
        async with openai.AsyncOpenAI(api_key="k", base_url=url + "/v1") as client:
            await wrapping.wrap(client).chat.completions.create(model="gpt-4o", messages=MESSAGES)

    asyncio.run(awaited())
    with requests.Session() as session:
        wrapping.wrap(session, provider="openai").post(url + OPENAI, json=BODY)
    with httpx.Client() as client:
        wrapping.wrap(client, provider="openai").post(url + OPENAI, json=BODY)
    wrapping.wrap(bedrock.made(url)).converse(**bedrock.CALL)
    with google(url) as made:
        wrapping.wrap(made).models.generate_content(model="gemini-2.5-flash", contents="hello")
    assert (states(wrapping), entries(around)) == (["settled"] * 6, [])


def test_clients_made_before_are_gated(gate: Gate, provider: Provider) -> None:
    """It is the library that is instrumented: a client that exists already is gated, and free again afterwards."""
    with openai.OpenAI(api_key="k", base_url=provider.url + "/v1") as client:
        for _ in range(2):
            spendgate.instrument(gate)
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            spendgate.uninstrument()
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert (states(gate), len(provider.seen)) == (["settled"] * 2, 4)


def test_what_others_put_around_is_left(gate: Gate, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's wrapper around ours stays, and what it reaches lets every request pass."""
    original = vars(requests.adapters.HTTPAdapter)["send"]
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", original)  # which is put back after the test
    spendgate.instrument(gate)
    ours = requests.adapters.HTTPAdapter.send

    def around(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    requests.adapters.HTTPAdapter.send = around  # type: ignore[method-assign]
    spendgate.uninstrument()
    assert vars(requests.adapters.HTTPAdapter)["send"] is around
    by_requests(provider.url)
    assert entries(gate) == []


def test_free_requests_pass_without_a_configuration(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a gate and without a configuration, only what is known to cost money raises, and it is not sent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGATE_CONFIG", raising=False)
    spendgate.instrument()
    requests.post(provider.url + "/free", json={}, timeout=5)
    with pytest.raises(ConfigError):
        requests.post("http://api.openai.com" + OPENAI, json=BODY, timeout=5)

    async def below_a_base() -> None:
        async with aiohttp.ClientSession("http://api.openai.com") as session:
            await session.post(OPENAI, json=BODY)

    with pytest.raises(ConfigError):
        asyncio.run(below_a_base())
    assert len(provider.seen) == 1


def test_a_gate_is_opened_when_it_is_needed(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a gate the nearest configuration makes one at the first request, and it is closed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGATE_CONFIG", raising=False)
    spendgate.instrument(service="late")
    Path("spendgate.toml").write_text('[store]\nurl = "sqlite:///ledger.db"\n[[limits]]\nusd = "5"\nwindow = "1h"\n')
    by_requests(provider.url)
    spendgate.uninstrument()
    with spendgate.open() as gate:
        assert [(entry.state.value, entry.call.service) for entry in entries(gate)] == [("settled", "late")]


def test_libraries_imported_later_are_instrumented(provider: Provider, tmp_path: Path) -> None:
    """Nothing is imported by instrumenting; what is imported afterwards sends through the gate."""
    program = f"""
        import sys, spendgate
        spendgate.instrument(service="later")
        assert not {{"requests", "httpx", "httpx2", "aiohttp", "botocore", "openai"}} & set(sys.modules), "too early"
        import requests, openai
        requests.post("{provider.url}{OPENAI}", json={BODY!r}, headers={AGENT!r})
        client = openai.OpenAI(api_key="k", base_url="{provider.url}/v1")
        client.chat.completions.create(model="gpt-4o", messages={MESSAGES!r})
        spendgate.uninstrument()
        gate = spendgate.open()
        gate.backlog.flush()
        print([entry.state.value for entry in gate.store.entries()])
    """
    (tmp_path / "spendgate.toml").write_text('[store]\nurl = "sqlite:///l.db"\n[[limits]]\nusd = "5"\nwindow = "1h"\n')
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("['settled', 'settled']", "")


def test_unknown_terms_are_errors(gate: Gate) -> None:
    """A term that is not known is an error, and nothing is instrumented."""
    before = requests.adapters.HTTPAdapter.send
    with pytest.raises(TypeError):
        spendgate.instrument(gate, servise="typo")
    assert requests.adapters.HTTPAdapter.send is before


def by_genai_again(url: str) -> None:
    with gemini.made(url, tries=2) as client:
        client.models.generate_content(**gemini.CALL)


def by_genai_again_awaited(url: str) -> None:
    async def run() -> None:
        async with gemini.made(url, tries=2).aio as client:
            await client.models.generate_content(**gemini.CALL)

    asyncio.run(run())


@theirs
@pytest.mark.parametrize("ask", [by_openai, by_boto3, by_genai_again, by_genai_again_awaited])
def test_retries_are_metered(gate: Gate, provider: Provider, ask: Ask) -> None:
    """What an SDK or botocore sends again is an attempt of its own."""
    provider.script = ("500", "ok")
    spendgate.instrument(gate)
    ask(provider.url)
    assert states(gate) == ["voided", "settled"]
    assert [entry.call.attempt for entry in entries(gate)] == [1, 2]


def test_adapters_that_do_more_do_it_once(gate: Gate, provider: Provider) -> None:
    """An adapter that does something before it sends does it once for each request."""
    sent = []

    class Loud(requests.adapters.HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            sent.append(request.url)
            return super().send(request, *args, **kwargs)

    spendgate.instrument(gate)
    with requests.Session() as session:
        session.mount("http://", Loud())
        session.post(provider.url + OPENAI, json=BODY, headers=AGENT)
    assert (len(sent), states(gate)) == (1, ["settled"])
