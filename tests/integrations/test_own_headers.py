"""Headers that say for whom a call is made stay here, also where no gate looks at what is sent."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests

import spendgate
from spendgate.gate import Gate
from spendgate.integrations.httpx import async_transport, transport
from spendgate.integrations.requests import adapter
from tests.integrations.ledgers import entries
from tests.integrations.provider import OPENAI, Provider

BODY: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 100}
OWN = {"X-Spendgate-Service": "mail", "x-spendgate-task": "t-1"}
LIBRARIES: dict[str, Any] = {"httpx": httpx, "httpx2": httpx2}


def told(provider: Provider) -> list[str]:
    """Which of our own headers have reached the provider."""
    return [name for headers in provider.headers for name in headers if name.startswith("x-spendgate")]


def by_aiohttp(url: str) -> None:
    async def whole() -> None:
        async with aiohttp.ClientSession(headers=OWN) as session, session.post(url, json={}) as answer:
            await answer.read()

    asyncio.run(whole())


def by_httpx_awaited(url: str) -> None:
    async def whole() -> None:
        async with httpx.AsyncClient(headers=OWN) as client:
            await client.post(url, json={})

    asyncio.run(whole())


@pytest.mark.parametrize(
    "send",
    [
        lambda url: requests.post(url, json={}, headers=OWN, timeout=5),
        lambda url: httpx.post(url, json={}, headers=OWN),
        lambda url: httpx2.post(url, json={}, headers=OWN),
        by_httpx_awaited,
        by_aiohttp,
    ],
    ids=["requests", "httpx", "httpx2", "httpx awaited", "aiohttp"],
)
def test_they_stay_here_without_a_configuration(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Callable[[str], object]
) -> None:
    """Libraries that are instrumented where there is no gate to be had send nothing of ours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGATE_CONFIG", raising=False)
    spendgate.instrument()
    try:
        send(provider.url + "/free")
    finally:
        spendgate.uninstrument()
    assert (len(provider.seen), told(provider)) == (1, [])


def test_a_redirect_past_an_adapter_does_not_take_them_along(gate: Gate, provider: Provider) -> None:
    """An adapter that is mounted for one place does not see where its redirects go."""
    provider.script = ("redirect", "ok")
    with requests.Session() as session:
        session.mount(provider.url + "/v1", adapter(gate, provider="openai"))
        session.post(provider.url + OPENAI, json=BODY, headers=OWN, timeout=5)
    assert (provider.paths, told(provider)) == ([OPENAI, "/v2/elsewhere"], [])


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("is_gated", [True, False], ids=["gated", "not gated"])
def test_a_redirect_goes_on_for_whom_it_began(gate: Gate, provider: Provider, name: str, is_gated: bool) -> None:
    """Where a gate sees the next request it knows for whom that is; where none does, nobody else learns it."""
    library, plain = LIBRARIES[name], LIBRARIES[name].HTTPTransport()
    gated = transport(gate, library=name, provider="openai")

    class Both(library.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            return (gated if is_gated or request.url.path == OPENAI else plain).handle_request(request)

    provider.script = ("redirect", "ok")
    with library.Client(transport=Both(), follow_redirects=True) as client:
        client.post(provider.url + OPENAI, json=BODY, headers=OWN)
    gated.close()
    plain.close()
    assert (provider.paths, told(provider)) == ([OPENAI, "/v2/elsewhere"], [])
    assert [entry.call.service for entry in entries(gate)] == ["mail"] * (1 + is_gated)


def test_an_awaited_redirect_goes_on_for_whom_it_began(gate: Gate, provider: Provider) -> None:
    """The same, awaited."""
    provider.script = ("redirect", "ok")

    async def whole() -> None:
        gated = async_transport(gate, provider="openai")
        async with httpx.AsyncClient(transport=gated, follow_redirects=True) as client:
            await client.post(provider.url + OPENAI, json=BODY, headers=OWN)

    asyncio.run(whole())
    assert told(provider) == []
    assert [(entry.call.service, entry.call.task) for entry in entries(gate)] == [("mail", "t-1")] * 2


@pytest.mark.parametrize("name", LIBRARIES)
def test_they_are_read_in_the_encoding_of_the_request(gate: Gate, provider: Provider, name: str) -> None:
    """The service is the one that the caller wrote, whatever else its bytes could be."""
    library = LIBRARIES[name]
    with library.Client(transport=transport(gate, library=name, provider="openai")) as client:
        for encoding in ("utf-8", "iso-8859-1"):
            request = client.build_request("POST", provider.url + OPENAI, json=BODY)
            said = {**request.headers, "x-spendgate-service": "Ã©"}
            request.headers = library.Headers(said, encoding=encoding)
            client.send(request)
    assert [entry.call.service for entry in entries(gate)] == ["Ã©"] * 2
