"""Every way to ask with the SDKs of OpenAI and Anthropic passes the gate, also at Azure, Bedrock and Vertex.

Where a host tells whose price list holds, the SDK speaks to that host; what it sends is led to a provider on loopback.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers.stainless import CHAT, MESSAGE
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import Provider

RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "hello", "max_output_tokens": 100}
STREAMED: dict[str, Any] = {"stream": True}
GPT, CLAUDE = 10 * 2_500 + 3 * 10_000, 10 * 1_000 + 3 * 5_000
"""Nano-dollars of the provider's answers."""


def all_of(opened: Any) -> None:
    """Reads a stream that is opened in a block."""
    with opened as stream:
        assert list(stream)


def lines_of(opened: Any) -> None:
    """Reads an answer that is opened in a block, as it comes."""
    with opened as answer:
        assert list(answer.iter_lines())


OPENAI_ROUTES: dict[str, Callable[[Any], object]] = {
    "raw": lambda gpt: gpt.chat.completions.with_raw_response.create(**CHAT).parse(),
    "raw stream": lambda gpt: list(gpt.chat.completions.with_raw_response.create(**CHAT, stream=True).parse()),
    "streaming": lambda gpt: lines_of(gpt.chat.completions.with_streaming_response.create(**CHAT)),
    "streaming stream": lambda gpt: lines_of(gpt.chat.completions.with_streaming_response.create(**CHAT, stream=True)),
    "options": lambda gpt: gpt.with_options(timeout=9, max_retries=0).chat.completions.create(**CHAT),
    "copy": lambda gpt: gpt.copy().chat.completions.create(**CHAT),
    "parse": lambda gpt: gpt.chat.completions.parse(**CHAT),
    "chat stream": lambda gpt: all_of(gpt.chat.completions.stream(**CHAT)),
    "responses": lambda gpt: gpt.responses.create(**RESPONSE),
    "responses stream": lambda gpt: all_of(gpt.responses.create(**RESPONSE, stream=True)),
    "responses.stream": lambda gpt: all_of(gpt.responses.stream(**RESPONSE)),
    "responses.parse": lambda gpt: gpt.responses.parse(**RESPONSE),
    "raw responses": lambda gpt: gpt.responses.with_raw_response.create(**RESPONSE).parse(),
    "post": lambda gpt: gpt.post("/chat/completions", body=CHAT, cast_to=object),
}
ANTHROPIC_ROUTES: dict[str, Callable[[Any], object]] = {
    "raw": lambda claude: claude.messages.with_raw_response.create(**MESSAGE).parse(),
    "raw stream": lambda claude: list(claude.messages.with_raw_response.create(**MESSAGE, stream=True).parse()),
    "streaming": lambda claude: lines_of(claude.messages.with_streaming_response.create(**MESSAGE)),
    "options": lambda claude: claude.with_options(timeout=9, max_retries=0).messages.create(**MESSAGE),
    "copy": lambda claude: claude.copy().messages.create(**MESSAGE),
    "messages.stream": lambda claude: all_of(claude.messages.stream(**MESSAGE)),
    "beta": lambda claude: claude.beta.messages.create(**MESSAGE),
    "beta stream": lambda claude: all_of(claude.beta.messages.create(**MESSAGE, stream=True)),
    "beta.messages.stream": lambda claude: all_of(claude.beta.messages.stream(**MESSAGE)),
    "raw beta": lambda claude: claude.beta.messages.with_raw_response.create(**MESSAGE).parse(),
    "parse": lambda claude: claude.messages.parse(**MESSAGE),
    "post": lambda claude: claude.post("/v1/messages", body=MESSAGE, cast_to=object),
}
ROUTES = [("openai", name) for name in OPENAI_ROUTES] + [("anthropic", name) for name in ANTHROPIC_ROUTES]
each = pytest.mark.parametrize(("sdk", "route"), ROUTES)


def through(gate: Gate, provider: Provider, sdk: str, route: str) -> None:
    """Makes one call by a route."""
    if sdk == "openai":
        with openai.OpenAI(api_key="k", base_url=provider.url + "/v1") as gpt:
            OPENAI_ROUTES[route](gate.wrap(gpt, service="routes"))
    else:
        with anthropic.Anthropic(api_key="k", base_url=provider.url) as claude:
            ANTHROPIC_ROUTES[route](gate.wrap(claude, service="routes"))


@each
def test_every_route_is_settled(gate: Gate, provider: Provider, sdk: str, route: str) -> None:
    """One request, one entry, at the price of its usage."""
    through(gate, provider, sdk, route)
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == (
        "settled", GPT if sdk == "openai" else CLAUDE, frozenset(),
    )  # fmt: skip
    assert (entry.call.service, len(provider.seen)) == ("routes", 1)


@each
def test_every_route_is_refused(make_gate: MakeGate, provider: Provider, sdk: str, route: str) -> None:
    """Without room nothing is sent, and the caller sees the gate's own error."""
    gate = make_gate("0.0001")
    with pytest.raises(SpendLimitError):
        through(gate, provider, sdk, route)
    assert (provider.seen, entries(gate)) == ([], [])


async def all_of_async(opened: Any) -> None:
    async with opened as stream:
        assert [event async for event in stream]


AWAITED: dict[str, Callable[[Any], Awaitable[object]]] = {
    "chat stream": lambda gpt: all_of_async(gpt.chat.completions.stream(**CHAT)),
    "responses.stream": lambda gpt: all_of_async(gpt.responses.stream(**RESPONSE)),
    "messages.stream": lambda claude: all_of_async(claude.messages.stream(**MESSAGE)),
    "beta.messages.stream": lambda claude: all_of_async(claude.beta.messages.stream(**MESSAGE)),
}


@pytest.mark.parametrize("route", AWAITED)
@pytest.mark.parametrize("is_refused", [False, True], ids=["settled", "refused"])
def test_awaited_helpers_of_streams_pass(make_gate: MakeGate, provider: Provider, route: str, is_refused: bool) -> None:
    """They are settled, or refused before anything is sent, like the plain ones."""
    gate = make_gate("0.0001" if is_refused else "5.00")

    async def whole() -> None:
        kind, suffix = (anthropic.AsyncAnthropic, "") if "messages" in route else (openai.AsyncOpenAI, "/v1")
        async with kind(api_key="k", base_url=provider.url + suffix) as client:
            await AWAITED[route](gate.wrap(client))

    if is_refused:
        with pytest.raises(SpendLimitError):
            asyncio.run(whole())
    else:
        asyncio.run(whole())
    assert (len(provider.seen), states(gate)) == ((0, []) if is_refused else (1, ["settled"]))


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_what_is_held_for_is_what_is_sent(gate: Gate, provider: Provider, is_async: bool) -> None:
    """The cap that a call is held for is sent along, and whom it is made for stays here."""
    own = {"x-spendgate-service": "mail", "X-Spendgate-Tags": "customer=acme"}
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": CHAT["messages"], "extra_headers": own}

    async def whole() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.url + "/v1") as gpt:
            await gate.wrap(gpt).chat.completions.create(**asked)

    if is_async:
        asyncio.run(whole())
    else:
        with openai.OpenAI(api_key="k", base_url=provider.url + "/v1") as gpt:
            gate.wrap(gpt).chat.completions.create(**asked)
    (entry,) = entries(gate)
    assert (entry.call.service, entry.call.tags) == ("mail", (("customer", "acme"),))
    assert provider.seen[0]["max_completion_tokens"] == 16_384
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]


def test_counting_tokens_is_free(make_gate: MakeGate, provider: Provider) -> None:
    """Nothing is held for it, also where there is no room for anything."""
    gate = make_gate("0")
    with anthropic.Anthropic(api_key="k", base_url=provider.url) as claude:
        gate.wrap(claude).messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGE["messages"])
    assert (len(provider.seen), entries(gate)) == (1, [])


@pytest.mark.skipif(not hasattr(openai.OpenAI, "conversations"), reason="this SDK has none")
def test_keeping_conversations_is_free(make_gate: MakeGate, provider: Provider) -> None:
    """OpenAI stores them for nothing: what is paid for are the responses that are asked for in them."""
    gate = make_gate("0")
    with openai.OpenAI(api_key="k", base_url=provider.url + "/v1") as gpt:
        gated: Any = gate.wrap(gpt)
        gated.conversations.create(metadata={"topic": "demo"})
        gated.conversations.items.create("conv_1", items=[{"type": "message", "role": "user", "content": "hello"}])
    assert (len(provider.seen), entries(gate)) == (2, [])


def led(kit: Any, url: str) -> Any:
    """A client that sends everything to this address, whatever host it was meant for."""
    here = kit.URL(url)

    class Led(kit.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            request.url = request.url.copy_with(scheme=here.scheme, host=here.host, port=here.port)
            return super().handle_request(request)

    return kit.Client(transport=Led())


def azure(client: Any) -> Any:
    return openai.AzureOpenAI(
        api_key="k", azure_endpoint="https://mine.openai.azure.com", api_version="2024-10-21", http_client=client
    )


def azure_deployment(client: Any) -> Any:
    return openai.AzureOpenAI(
        api_key="k", azure_endpoint="https://mine.openai.azure.com", azure_deployment="gpt-4o",
        api_version="2024-10-21", http_client=client,
    )  # fmt: skip


def bedrock(client: Any) -> Any:
    return anthropic.AnthropicBedrock(
        aws_access_key="k", aws_secret_key="s", aws_region="us-east-1", http_client=client
    )


def vertex(client: Any) -> Any:
    return anthropic.AnthropicVertex(region="us-east5", project_id="p", access_token="t", http_client=client)


def foundry(client: Any) -> Any:
    return anthropic.AnthropicFoundry(api_key="k", resource="mine", http_client=client)


def bedrock_mantle(client: Any) -> Any:
    return openai.BedrockOpenAI(api_key="k", aws_region="us-east-1", http_client=client)


FLAVOURS: dict[str, tuple[Callable[[Any], Any], str, str, tuple[str, ...]]] = {
    "AzureOpenAI": (azure, "azure", "gpt-4o", ()),
    "AzureOpenAI's deployment": (azure_deployment, "azure", "gpt-4o", ()),
    "AnthropicBedrock": (bedrock, "aws", "anthropic.claude-haiku-4-5-20251001-v1:0", ("boto3",)),
    "AnthropicVertex": (vertex, "google", "claude-haiku-4-5@20251001", ("google.auth",)),
    "AnthropicFoundry": (foundry, "azure", "claude-haiku-4-5", ()),
    "BedrockOpenAI": (bedrock_mantle, "aws", "openai.gpt-oss-120b-1:0", ("boto3",)),
}
"""By name: how it is made, whose price list holds, a model, and what must be installed for it."""


def is_there(name: str) -> bool:
    """Whether this environment has a flavour, and what it needs."""
    kind = name.partition("'")[0]
    needs = [library.partition(".")[0] for library in FLAVOURS[name][3]]
    return hasattr(openai if "OpenAI" in kind else anthropic, kind) and all(map(find_spec, needs))


flavours = pytest.mark.parametrize("flavour", [name for name in FLAVOURS if is_there(name)])
ways = pytest.mark.parametrize("way", ["plain", "stream"])


def ask(client: Any, model: str, way: str) -> None:
    """Makes one call."""
    more = STREAMED if way == "stream" else {}
    found = (
        client.chat.completions.create(**{**CHAT, "model": model}, **more)
        if hasattr(client, "chat")
        else client.messages.create(**{**MESSAGE, "model": model}, **more)
    )
    if way == "stream":
        all_of(found)


def library_of(make: Callable[[Any], Any]) -> Any:
    """Httpx or httpx2, whichever the SDK is built on."""
    kind = openai.DefaultHttpxClient if "OpenAI" in str(make.__code__.co_names) else anthropic.DefaultHttpxClient
    return httpx2 if issubclass(kind, httpx2.Client) else httpx


@flavours
@ways
def test_flavours_are_priced_as_whose_they_are(gate: Gate, provider: Provider, flavour: str, way: str) -> None:
    """At Azure, AWS and Google the same models have entries of their own, settled with the usage of the answer."""
    make, whose, model, _ = FLAVOURS[flavour]
    with make(led(library_of(make), provider.url)) as client:
        ask(gate.wrap(client), model, way)
    (entry,) = entries(gate)
    assert (entry.state.value, entry.call.provider, entry.marks) == ("settled", whose, frozenset())
    assert 0 < entry.weight.usd < entry.reserved.usd
    assert entry.weight.tokens == 13


@flavours
@ways
def test_flavours_are_refused(make_gate: MakeGate, provider: Provider, flavour: str, way: str) -> None:
    """Without room nothing is sent."""
    gate = make_gate("0.000001")
    make, _, model, _ = FLAVOURS[flavour]
    with make(led(library_of(make), provider.url)) as client, pytest.raises(SpendLimitError):
        ask(gate.wrap(client), model, way)
    assert (provider.seen, entries(gate)) == ([], [])


@pytest.mark.skipif(not is_there("AnthropicBedrock"), reason="it needs boto3")
def test_what_is_signed_is_sent_as_it_was_signed(gate: Gate, provider: Provider) -> None:
    """AWS checks the signature of the body and of every header: the gate changes none of them."""
    model = FLAVOURS["AnthropicBedrock"][2]
    headers = {"accept-encoding": "gzip, br;q=0.5, made-up"}
    for wrapped in (False, True):
        with bedrock(led(library_of(bedrock), provider.url)) as client:
            asked = gate.wrap(client) if wrapped else client
            asked.messages.create(**{**MESSAGE, "model": model}, extra_headers=headers)
    (bare, bare_body), (gated, gated_body) = zip(provider.headers, provider.seen, strict=True)
    signed = gated["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert "accept-encoding" in signed
    assert {name: gated[name] for name in signed if "date" not in name} == {
        name: bare[name] for name in signed if "date" not in name
    }
    assert gated_body == bare_body
