"""What wrapped clients ask instead: another model, or one at another address, which learns nothing of the caller."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import anthropic
import httpx
import httpx2
import openai
import pytest
import requests
from google import genai

from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations import instrumenting
from spendgate.policies import Fallback
from tests.integrations.conftest import MakeGate
from tests.integrations.ledgers import entries
from tests.integrations.provider import ANTHROPIC, OPENAI, Provider, running

SECRET = "sk-very-secret"
MESSAGES: Any = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    OPENAI: {"model": "gpt-4o", "messages": MESSAGES, "max_completion_tokens": 1000},
    ANTHROPIC: {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 1000},
}
HOME = '[prices."local:*"]\nfree = true\n'
FULL = ("0.000001", HOME)
"""A gate without room for a thousand tokens of anything that costs money."""


@pytest.fixture
def home() -> Iterator[Provider]:
    """A model at home, at another address."""
    with running() as found:
        yield found


def ask(kind: str, gate: Gate, url: str, **terms: Any) -> int:
    """Asks once with a wrapped client, whose key and cookie are secret; the status of the answer."""
    path = ANTHROPIC if "anthropic" in kind else OPENAI
    body, secrets = BODIES[path], {"authorization": f"Bearer {SECRET}", "cookie": SECRET, "x-api-key": SECRET}
    if kind.startswith("async"):
        return asyncio.run(_ask_later(kind.removeprefix("async "), gate, url, terms))
    if kind in ("httpx", "httpx2"):
        library: Any = httpx if kind == "httpx" else httpx2
        with gate.wrap(library.Client(headers=secrets, follow_redirects=True), provider="openai", **terms) as client:
            return int(client.post(url + path, params={"key": SECRET}, json=body).status_code)
    if kind == "requests":
        with gate.wrap(requests.Session(), provider="openai", **terms) as session:
            session.headers.update(secrets)
            return session.post(url + path, params={"key": SECRET}, json=body, timeout=10).status_code
    if kind == "openai":
        with gate.wrap(openai.OpenAI(api_key=SECRET, base_url=url + "/v1", max_retries=0), **terms) as gpt:
            assert gpt.chat.completions.create(**body).usage
    else:
        with gate.wrap(anthropic.Anthropic(api_key=SECRET, base_url=url, max_retries=0), **terms) as claude:
            assert claude.messages.create(**body).usage
    return 200


async def _ask_later(kind: str, gate: Gate, url: str, terms: Any) -> int:
    path = ANTHROPIC if kind == "anthropic" else OPENAI
    body, secrets = BODIES[path], {"authorization": f"Bearer {SECRET}", "cookie": SECRET, "x-api-key": SECRET}
    if kind == "httpx2":
        made = httpx2.AsyncClient(headers=secrets, follow_redirects=True)
        async with gate.wrap(made, provider="openai", **terms) as client:
            return int((await client.post(url + path, params={"key": SECRET}, json=body)).status_code)
    if kind == "aiohttp":
        async with (
            aiohttp.ClientSession(headers=secrets) as session,
            gate.wrap(session, provider="openai", **terms).post(url + path, params={"key": SECRET}, json=body) as found,
        ):
            await found.read()
            return int(found.status)
    if kind == "openai":
        async with gate.wrap(openai.AsyncOpenAI(api_key=SECRET, base_url=url + "/v1", max_retries=0), **terms) as gpt:
            assert (await gpt.chat.completions.create(**body)).usage
    else:
        async with gate.wrap(anthropic.AsyncAnthropic(api_key=SECRET, base_url=url, max_retries=0), **terms) as claude:
            assert (await claude.messages.create(**body)).usage
    return 200


KINDS = [
    "openai", "anthropic", "httpx", "httpx2", "requests",
    "async openai", "async anthropic", "async httpx2", "async aiohttp",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_elsewhere_learns_nothing_of_the_caller(
    make_gate: MakeGate, provider: Provider, home: Provider, kind: str
) -> None:
    """Where there is no room the other address is asked, with the body and no key, cookie or query of the caller's."""
    gate = make_gate(*FULL)
    ask(kind, gate, provider.url, fallback=Fallback("qwen3:8b", url=home.url + "/v1"))
    assert provider.seen == []
    (body,), (headers,) = home.seen, home.headers
    assert (body["model"], body["messages"], body["max_tokens"]) == ("qwen3:8b", MESSAGES, 1000)
    assert "max_completion_tokens" not in body
    assert SECRET not in json.dumps([headers, home.paths])
    assert headers["host"] == home.url.removeprefix("http://")
    (entry,) = entries(gate)
    assert (entry.call.provider, entry.call.resource, entry.weight.usd) == ("local", "qwen3:8b", 0)
    asked = BODIES[ANTHROPIC if "anthropic" in kind else OPENAI]["model"]
    assert entry.call.tags == (("fallback_for", asked),)
    assert entry.weight.tokens == 13


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_elsewhere_leads_nowhere(make_gate: MakeGate, provider: Provider, home: Provider, kind: str) -> None:
    """A redirect from there is not followed: the client would take the caller's key along."""
    gate = make_gate(*FULL)
    home.script = ("redirect", "ok")
    terms = {"fallback": Fallback("qwen3:8b", url=home.url + "/v1")}
    if "openai" in kind or "anthropic" in kind:
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
            ask(kind, gate, provider.url, **terms)
    else:
        assert ask(kind, gate, provider.url, **terms) == 307
    assert len(home.seen) == 1
    assert provider.seen == []


@pytest.mark.parametrize("kind", KINDS)
def test_with_room_nothing_is_different(make_gate: MakeGate, provider: Provider, home: Provider, kind: str) -> None:
    """A fallback is for refused calls only."""
    gate = make_gate("5.00", HOME)
    ask(kind, gate, provider.url, fallback=Fallback("qwen3:8b", url=home.url + "/v1"))
    assert (len(provider.seen), home.seen) == (1, [])
    assert SECRET in json.dumps(provider.headers)
    (entry,) = entries(gate)
    assert entry.call.tags == ()


def test_another_address_gets_a_key_of_its_own(
    make_gate: MakeGate, provider: Provider, home: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`key_env` names the variable with the key of that address, which is sent there alone."""
    monkeypatch.setenv("HOME_KEY", "sk-home")
    gate = make_gate("0.000001", '[prices."vllm:*"]\nfree = true\n')
    other = Fallback("m", url=home.url + "/v1", provider="vllm", key_env="HOME_KEY")
    ask("openai", gate, provider.url, fallback=other)
    ask("anthropic", gate, provider.url, fallback=other)
    assert [headers["authorization"] for headers in home.headers] == ["Bearer sk-home"] * 2
    assert home.headers[1]["x-api-key"] == "sk-home"
    assert [entry.call.provider for entry in entries(gate)] == ["vllm"] * 2


def test_streams_come_from_elsewhere_too(make_gate: MakeGate, provider: Provider, home: Provider) -> None:
    """A stream of a model elsewhere is handed on and read on the side."""
    gate = make_gate(*FULL)
    made = openai.OpenAI(api_key=SECRET, base_url=provider.url + "/v1")
    with gate.wrap(made, fallback=Fallback("qwen3:8b", url=home.url + "/v1")) as client:
        chunks = list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
    assert chunks
    assert home.seen[0]["stream_options"] == {"include_usage": True}
    assert [(entry.state.value, entry.weight.tokens) for entry in entries(gate)] == [("settled", 13)]


@contextmanager
def gemini(gate: Gate, url: str, **terms: Any) -> Iterator[Any]:
    """google-genai's client in front of the provider."""
    options = genai.types.HttpOptions(base_url=url)
    client = gate.wrap(genai.Client(api_key=SECRET, http_options=options), **terms)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # google-genai's own
def test_a_model_that_the_url_names_is_replaced(make_gate: MakeGate, provider: Provider) -> None:
    """Gemini's models are named by the URL, Azure's by its deployments: there the other one is put."""
    gate = make_gate("0.002")
    config = genai.types.GenerateContentConfig(max_output_tokens=1000)
    call: Any = {"model": "gemini-2.5-pro", "contents": "hello", "config": config}

    async def later(client: Any) -> None:
        async with client.aio as awaited:
            await awaited.models.generate_content(**call)

    with gemini(gate, provider.url, fallback="gemini-2.5-flash-lite") as client:
        client.models.generate_content(**call)
        asyncio.run(later(client))
    assert [path.partition("?")[0].split("/", 2)[2] for path in provider.paths] == [
        "models/gemini-2.5-flash-lite:generateContent"
    ] * 2
    assert [entry.call.resource for entry in entries(gate)] == ["gemini-2.5-flash-lite"] * 2
    assert entries(gate)[0].call.field("tags.fallback_for") == "gemini-2.5-pro"


def test_gemini_is_not_spoken_elsewhere(make_gate: MakeGate, provider: Provider, home: Provider) -> None:
    """A dialect that others do not speak is refused, and the refusal says why it went nowhere."""
    gate = make_gate(*FULL)
    terms = {"fallback": Fallback("qwen3:8b", url=home.url + "/v1")}
    with gemini(gate, provider.url, **terms) as client, pytest.raises(SpendLimitError) as caught:
        client.models.generate_content(model="gemini-2.5-pro", contents="hello")
    assert "qwen3:8b" in caught.value.__notes__[0]
    assert (provider.seen, home.seen) == ([], [])


def test_a_retry_goes_where_its_call_went(make_gate: MakeGate, provider: Provider, home: Provider) -> None:
    """urllib3 sends the same again: each attempt at the other address is reserved and tagged."""
    gate = make_gate(*FULL)
    home.script = ("500", "ok")
    from urllib3 import Retry

    session = requests.Session()
    retry = Retry(total=2, status_forcelist=[500], allowed_methods=None, backoff_factor=0)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
    terms = {"provider": "openai", "service": "s", "fallback": Fallback("qwen3:8b", url=home.url + "/v1")}
    with gate.wrap(session, **terms) as wrapped:
        headers = {"x-spendgate-task": "t-1"}
        assert wrapped.post(provider.url + OPENAI, json=BODIES[OPENAI], headers=headers, timeout=10).ok
    assert (len(home.seen), provider.seen) == (2, [])
    found = [(e.call.provider, e.call.field("tags.fallback_for"), e.call.attempt, e.call.task) for e in entries(gate)]
    assert found == [("local", "gpt-4o", 1, "t-1"), ("local", "gpt-4o", 2, "t-1")]


def test_a_retry_of_an_sdk_is_a_retry_elsewhere_too(make_gate: MakeGate, provider: Provider, home: Provider) -> None:
    """The header by which an SDK counts its retries does not go to another address; its count is kept."""
    gate = make_gate(*FULL)
    home.script = ("500", "ok")
    terms = {"fallback": Fallback("qwen3:8b", url=home.url + "/v1")}
    with gate.wrap(openai.OpenAI(api_key=SECRET, base_url=provider.url + "/v1"), **terms) as client:
        client.chat.completions.create(**BODIES[OPENAI])
    assert [entry.call.attempt for entry in entries(gate)] == [1, 2]
    assert "x-stainless-retry-count" not in home.headers[1]


@pytest.mark.parametrize("library", ["httpx2", "requests"])
def test_instrumented_libraries_fall_back_too(
    make_gate: MakeGate, provider: Provider, home: Provider, library: str
) -> None:
    """The terms of `instrument` have the same policies."""
    gate = make_gate(*FULL)
    instrumenting.instrument(gate, provider="openai", fallback=Fallback("m", url=home.url + "/v1"))
    try:
        made: Any = httpx2.post if library == "httpx2" else requests.post
        answer = made(provider.url + OPENAI, json=BODIES[OPENAI], headers={"authorization": SECRET}, timeout=10)
    finally:
        instrumenting.uninstrument()
    assert answer.status_code == 200
    assert (provider.seen, len(home.seen)) == ([], 1)
    assert SECRET not in json.dumps(home.headers)
