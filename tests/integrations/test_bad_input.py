"""What goes wrong in a request or an answer is clear and counted, and never takes the answer from its caller."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import anthropic
import httpx
import openai
import pytest

from spendgate.errors import AmountError, PriceError
from spendgate.gate import Gate
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers import CLIENTS
from tests.integrations.drivers.driving import MESSAGES, Setup
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import OPENAI, USED, Provider, document, events
from tests.integrations.test_matrix import PATIENCE_S, wrapped

WAYS = [
    (name, way)
    for name, client in CLIENTS.items()
    if name in ("httpx", "requests", "aiohttp")
    for way in ("sync", "async")
    if (client.sync if way == "sync" else client.awaited) is not None
]
each = pytest.mark.parametrize(("name", "way"), WAYS)
"""Clients that hand an answer on as it is, whatever is in it."""


def call(gate: Gate, provider: Provider, name: str, way: str, stream: bool = False) -> Any:
    """Makes one call; what its caller gets."""
    client = CLIENTS[name]
    setup = Setup(provider.url, partial(wrapped, gate, client), PATIENCE_S, 1)
    if way == "async":
        return asyncio.run(_call_async(client, setup, stream))
    assert client.sync is not None
    with client.sync(setup) as asking:
        if not stream:
            return content(asking.plain())
        with asking.stream() as pieces:
            return list(pieces)


async def _call_async(client: Any, setup: Setup, stream: bool) -> Any:
    async with client.awaited(setup) as asking:
        if not stream:
            return content(await asking.plain())
        async with asking.stream() as pieces:
            return [piece async for piece in pieces]


def content(answer: Any) -> bytes:
    """The bytes of an answer, of whichever library."""
    found: bytes = getattr(answer, "content", answer)
    return found


def with_usage(used: Any) -> bytes:
    """A whole answer that says this of its usage."""
    return json.dumps({**document(OPENAI, USED), "usage": used}).encode()


ANSWERS = {
    "no JSON": b"<html>busy</html>",
    "half of it JSON": b'{"model": "gpt-4o", "usage": {"prompt_tokens": 10',
    "empty": b"\n",
    "no text at all": b"\xff\xfe\x00\x80",
    "negative usage": with_usage({"prompt_tokens": -5, "completion_tokens": 3}),
    "usage that is no number": with_usage({"prompt_tokens": "many", "completion_tokens": 1e400}),
    "no usage": with_usage(None),
    "usage without end": with_usage({"prompt_tokens": 10**40, "completion_tokens": 3}),
    "nested without end": b"[" * 100_000,
}


@each
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_cannot_be_read_is_the_caller_s(
    gate: Gate, provider: Provider, *, name: str, way: str, answer: str
) -> None:
    """He gets it byte for byte, and the whole hold counts, marked."""
    provider.raw = [ANSWERS[answer]]
    assert call(gate, provider, name, way) == ANSWERS[answer]
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight, entry.marks) == ("settled", entry.reserved, {"unpriced"})


@pytest.mark.parametrize(("name", "way"), [cell for cell in WAYS if cell[0] != "aiohttp"])
def test_a_length_that_is_too_short_cuts_the_answer(gate: Gate, provider: Provider, name: str, way: str) -> None:
    """What the client takes for the answer is no JSON: the whole hold counts. aiohttp may take it for none at all."""
    provider.length = 20
    assert len(call(gate, provider, name, way)) == 20
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight) == ("settled", entry.reserved)


@each
def test_an_answer_of_50_mb_is_read(gate: Gate, provider: Provider, name: str, way: str) -> None:
    """It is the caller's, and its usage is found in it."""
    filler = b'{"filler": "' + b"x" * (50 << 20) + b'", ' + json.dumps(document(OPENAI, USED)).encode()[1:]
    provider.raw = [filler]
    assert call(gate, provider, name, way) == filler
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", CLIENTS[name].cost)]


@each
def test_events_are_read_wherever_they_are_cut(gate: Gate, provider: Provider, name: str, way: str) -> None:
    """In the middle of a character, a line's end, a word: the usage is the same, and so is what the caller gets."""
    told = events(OPENAI, USED)
    told[0] = told[0].replace(b'"hi "', '"naïve 日本語 🙂"'.encode())
    line = b"".join(told)
    provider.raw = [line[at : at + 1] for at in range(len(line))]
    came = call(gate, provider, name, way, stream=True)
    text = "".join(piece if isinstance(piece, str) else piece.decode("latin-1") for piece in came)
    assert "🙂" in text or "🙂" in text.encode("latin-1").decode()
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", CLIENTS[name].cost, frozenset())


@each
def test_a_stream_that_ends_in_a_character_counts(gate: Gate, provider: Provider, name: str, way: str) -> None:
    """A stream that is over in the middle of an event, and of a character in it, costs what was seen until then."""
    first, second, *_ = events(OPENAI, USED)
    provider.raw = [first, second.replace(b"hi ", "🙂".encode()).partition("🙂".encode())[0] + b"\xf0\x9f"]
    call(gate, provider, name, way, stream=True)
    (entry,) = entries(gate)
    assert entry.state.value == "settled"
    assert 0 < entry.weight.usd <= entry.reserved.usd


@pytest.fixture
def sdks(provider: Provider) -> Iterator[dict[str, Any]]:
    with (
        openai.OpenAI(api_key="k", base_url=provider.url + "/v1") as gpt,
        anthropic.Anthropic(api_key="k", base_url=provider.url) as claude,
    ):
        yield {"openai": gpt, "anthropic": claude}


def ask(client: Any, **more: Any) -> Any:
    """Makes one call with an SDK."""
    if hasattr(client, "chat"):
        given: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_completion_tokens": 5, **more}
        return client.chat.completions.create(**given)
    return client.messages.create(**{"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 5, **more})


each_sdk = pytest.mark.parametrize("sdk", ["openai", "anthropic"])


@each_sdk
def test_a_request_of_50_mb_passes(make_gate: MakeGate, provider: Provider, sdks: dict[str, Any], sdk: str) -> None:
    """It is estimated like any other, and sent as it is."""
    gate = make_gate("1000")
    text = "word " * (10 << 20)
    ask(gate.wrap(sdks[sdk]), messages=[{"role": "user", "content": text}])
    assert len(provider.seen[0]["messages"][0]["content"]) == 50 << 20
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.tokens) == ("settled", 13)


@each_sdk
def test_a_model_s_name_without_end_is_refused(gate: Gate, provider: Provider, sdks: dict[str, Any], sdk: str) -> None:
    """Nobody knows a price for it, and the SDK's caller is told so in a line or two."""
    with pytest.raises(PriceError) as refusal:
        ask(gate.wrap(sdks[sdk]), model="m" * 10_000)
    assert len(str(refusal.value)) < 2_000
    assert (provider.seen, entries(gate)) == ([], [])


@each_sdk
@pytest.mark.parametrize("name", ["x-spendgate-service", "x-spendgate-task", "x-spendgate-tags"])
@pytest.mark.parametrize("value", ["a\nb", "customer=a\r\nb: c", "a\x00b"])
def test_our_headers_with_line_breaks_are_refused(
    gate: Gate, provider: Provider, *, sdks: dict[str, Any], sdk: str, name: str, value: str
) -> None:
    """They name nobody, and nothing is sent."""
    with pytest.raises(AmountError):
        ask(gate.wrap(sdks[sdk]), extra_headers={name: value})
    assert (provider.seen, entries(gate)) == ([], [])


def test_other_headers_with_line_breaks_are_the_client_s_error(gate: Gate, provider: Provider) -> None:
    """The client refuses to send them: its caller sees that, and nothing stays held."""
    with httpx.Client(base_url=provider.url) as client:
        gated = gate.wrap(client, provider="openai")
        with pytest.raises(httpx.LocalProtocolError):
            gated.post(OPENAI, json={"model": "gpt-4o", "messages": MESSAGES}, headers={"x-other": "a\r\nb: c"})
    assert (provider.seen, states(gate)) == ([], ["voided"])


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        (OPENAI, iter([b'{"model": "gpt-4o"}']), "no body, or one that is streamed"),
        (OPENAI, b"{oops", "the body is no JSON"),
        ("/v1/nobody/knows", b"{}", "POST /v1/nobody/knows is not known"),
    ],
)
def test_a_request_that_is_not_understood_is_refused_with_its_reason(
    make_gate: MakeGate, provider: Provider, path: str, content: Any, why: str
) -> None:
    """Where no price is known because nobody can tell what is asked for, the error says that."""
    client = make_gate().wrap(httpx.Client(), provider="openai")
    with client, pytest.raises(PriceError, match=why):
        client.post(provider.url + path, content=content)
    assert provider.seen == []
