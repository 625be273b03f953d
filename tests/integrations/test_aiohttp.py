"""aiohttp, as it is, in front of a provider on loopback. What is here is not in the matrix."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.aiohttp import middleware
from tests.integrations.conftest import MakeGate
from tests.integrations.ledgers import CARDS, entries, states
from tests.integrations.provider import OPENAI, Provider

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 100}
COST = 10 * 2_500 + 3 * 10_000
TIMEOUT = aiohttp.ClientTimeout(total=0.5)

Session = aiohttp.ClientSession
plain_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def in_loop(gate: Gate, work: Callable[[Session], Awaitable[Any]], **options: Any) -> Any:
    """Does something with a gated session, in an event loop of its own."""

    async def run() -> Any:
        async with Session(**options) as session:
            return await work(gate.wrap(session, service="tests", provider="openai"))

    return asyncio.run(run())


async def post(session: Session, provider: Provider, stream: bool = False, **more: Any) -> bytes:
    """Makes one call and reads its answer."""
    url, body = provider.url + OPENAI, {**BODY, "stream": stream}
    async with session.post(url, json=body, timeout=TIMEOUT, **more) as answer:
        answer.raise_for_status()
        if not stream:
            return await answer.read()
        return b"".join([piece async for piece in answer.content.iter_any()])


@plain_and_stream
def test_our_own_headers_stay_here(gate: Gate, provider: Provider, stream: bool) -> None:
    """Headers that say for whom a call is made, in any case, attribute it and never leave the machine."""
    own = {"x-spendgate-service": "mail", "X-Spendgate-Tags": "customer=acme"}
    assert in_loop(gate, lambda session: post(session, provider, stream, headers=own))
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", COST, frozenset())
    assert (entry.call.service, dict(entry.call.tags)) == ("mail", {"customer": "acme"})
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]
    assert provider.headers[0]["content-type"] == "application/json"


async def _lines(content: Any) -> list[bytes]:
    return [line async for line in content]


async def _chunks(content: Any) -> list[bytes]:
    return [data async for data, _ in content.iter_chunks()]


async def _bits(content: Any) -> list[bytes]:
    return [data async for data in content.iter_chunked(7)]


async def _exactly(content: Any) -> list[bytes]:
    return [await content.readexactly(5), await content.readuntil(b"\n"), await content.read()]


async def _at_hand(content: Any) -> list[bytes]:
    await content.wait_eof()
    return [content.read_nowait()]


@pytest.mark.parametrize("read", [_lines, _chunks, _bits, _exactly, _at_hand])
def test_a_stream_can_be_read_in_every_way(
    gate: Gate, provider: Provider, read: Callable[[Any], Awaitable[list[bytes]]]
) -> None:
    """However it is read, the caller gets what came over the line, and the ledger what it cost."""

    async def work(session: Session) -> list[bytes]:
        async with session.post(provider.url + OPENAI, json={**BODY, "stream": True}) as answer:
            return await read(answer.content)

    assert b"".join(in_loop(gate, work)).endswith(b"data: [DONE]\n\n")
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]


@plain_and_stream
@pytest.mark.parametrize("decodes", [True, False], ids=["decoded", "raw"])
def test_packed_answers_are_read(gate: Gate, provider: Provider, stream: bool, decodes: bool) -> None:
    """A compressed answer is read whether or not the session unpacks it."""
    provider.script = ("gzip",)
    found = in_loop(gate, lambda session: post(session, provider, stream), auto_decompress=decodes)
    assert (b"hi" in found) is decodes
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]


def test_a_call_that_finds_no_server_costs_nothing(gate: Gate) -> None:
    """Where there was no connection nothing was sent."""
    with pytest.raises(aiohttp.ClientConnectorError):
        in_loop(gate, lambda session: session.post("http://127.0.0.1:9" + OPENAI, json=BODY))
    assert states(gate) == ["voided"]


def test_a_stream_closed_early_costs_what_was_produced(gate: Gate, provider: Provider) -> None:
    """Closed after its first words, a stream is settled as cut, below the hold, before its block is left."""

    async def work(session: Session) -> None:
        async with session.post(provider.url + OPENAI, json={**BODY, "stream": True}) as answer:
            await answer.content.readline()
        assert states(gate) == ["settled"]

    in_loop(gate, work)
    (entry,) = entries(gate)
    assert entry.marks == {"cut"}
    assert 0 < entry.weight.usd < entry.reserved.usd


def test_an_answer_that_is_only_released_counts(gate: Gate, provider: Provider) -> None:
    """An answer of which nothing is read costs the whole hold."""

    async def work(session: Session) -> None:
        answer = await session.post(provider.url + OPENAI, json=BODY)
        answer.release()
        await answer.wait_for_close()

    in_loop(gate, work)
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight) == ("settled", entry.reserved)


def test_a_stream_that_breaks_off_counts(gate: Gate, provider: Provider) -> None:
    """A stream that broke off costs what was produced."""
    provider.script = ("broken",)
    with pytest.raises(aiohttp.ClientPayloadError):
        in_loop(gate, lambda session: post(session, provider, stream=True))
    (entry,) = entries(gate)
    assert (entry.state.value, entry.marks) == ("settled", {"cut"})
    assert entry.weight != entry.reserved


def test_an_error_that_the_session_raises_itself_costs_nothing(gate: Gate, provider: Provider) -> None:
    """A session that raises for errors has their calls voided like any other."""
    provider.script = ("500",)
    with pytest.raises(aiohttp.ClientResponseError):
        in_loop(gate, lambda session: post(session, provider), raise_for_status=True)
    assert states(gate) == ["voided"]


def test_every_send_of_another_middleware_is_an_attempt(gate: Gate, provider: Provider) -> None:
    """Middlewares stand before the gate, the session's and a request's own: what they send again is metered."""
    provider.script = ("429", "ok")

    async def twice(request: Any, handler: Any) -> Any:
        (await handler(request)).close()
        return await handler(request)

    in_loop(gate, lambda session: post(session, provider, middlewares=[twice]))
    provider.script = ("ok",)
    in_loop(gate, lambda session: post(session, provider), middlewares=[twice])
    assert states(gate)[:2] == ["voided", "settled"]
    assert len(entries(gate)) == len(provider.seen) == 4


def test_the_session_given_stays_as_it_is(gate: Gate, provider: Provider) -> None:
    """Only the copy is gated, and it does not close what it shares when it is dropped."""

    async def run() -> None:
        async with Session() as session:
            gate.wrap(session)
            await post(session, provider)
            assert not session.closed

    asyncio.run(run())
    assert (len(provider.seen), entries(gate)) == (1, [])


def test_a_middleware_can_be_named(gate: Gate, provider: Provider) -> None:
    """An API that is priced by its URL passes a gate that is one of the session's middlewares."""

    async def run() -> None:
        async with Session(middlewares=[middleware(gate, service="enrichment")]) as session:
            for path in ("/v2/people", "/v3/people"):
                async with session.post(provider.url + path, json=BODY):
                    pass

    asyncio.run(run())
    (entry,) = entries(gate)
    assert (entry.call.resource, entry.call.service, entry.weight.usd) == ("clearbit.enrich", "enrichment", 4_000_000)


def test_tasks_share_a_session(make_gate: MakeGate, provider: Provider) -> None:
    """Twenty tasks with room for five calls: five reach the provider, the rest are refused."""
    gate = make_gate("0.02", CARDS)

    async def one(session: Session) -> None:
        async with session.post(provider.url + "/v2/people", json=BODY) as answer:
            await answer.read()

    async def work(session: Session) -> list[object]:
        return await asyncio.gather(*(one(session) for _ in range(20)), return_exceptions=True)

    found = in_loop(gate, work)
    assert len(provider.seen) == 5
    assert sum(isinstance(one, SpendLimitError) for one in found) == 15
