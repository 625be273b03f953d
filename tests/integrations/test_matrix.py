"""No way around the gate: each client, plain and streaming, sync and async, through each outcome that a call can have.

What reached the server, what the ledger says of it, and what the caller sees are asserted in every cell.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.ledger import Entry
from tests.integrations.conftest import MakeGate
from tests.integrations.provider import ANTHROPIC, OPENAI, Provider

MESSAGES = [{"role": "user", "content": "hello"}]
BODIES = {
    OPENAI: {"model": "gpt-4o", "messages": MESSAGES, "max_completion_tokens": 100},
    ANTHROPIC: {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 100},
}
COSTS = {OPENAI: 10 * 2_500 + 3 * 10_000, ANTHROPIC: 10 * 1_000 + 3 * 5_000}
"""Nano-dollars of the provider's answer: 10 tokens in and 3 out, at $2.50/$10 and $1/$5 a million."""
TIMEOUT_S = 0.5


class ReaderError(Exception):
    """What goes wrong in the code that reads an answer."""


@dataclass(frozen=True)
class Client:
    """How a client is made, and how it is asked. `tries` is how often it sends a call that fails for a while."""

    path: str
    tries: int
    make: Callable[[Gate, str, bool], Any]
    timeout: type[Exception]
    failed: type[Exception]
    broken: type[Exception]

    def plain(self, client: Any) -> Any:
        """Asks; what comes back is the answer, or something that gives it when awaited."""
        if self.tries == 1:
            return client.post(self.path, json=BODIES[self.path])
        return self._create(client)(**BODIES[self.path])

    def streaming(self, client: Any) -> AbstractContextManager[Iterator[Any]]:
        return self._stream(client)

    @contextmanager
    def _stream(self, client: Any) -> Iterator[Iterator[Any]]:
        body = {**BODIES[self.path], "stream": True}
        if self.tries == 1:
            with client.stream("POST", self.path, json=body) as response:
                response.raise_for_status()
                yield response.iter_lines()
        else:
            with self._create(client)(**body) as events:
                yield iter(events)

    @asynccontextmanager
    async def streaming_async(self, client: Any) -> AsyncIterator[AsyncIterator[Any]]:
        body = {**BODIES[self.path], "stream": True}
        if self.tries == 1:
            async with client.stream("POST", self.path, json=body) as response:
                response.raise_for_status()
                yield response.aiter_lines()
        else:
            async with await self._create(client)(**body) as events:
                yield events.__aiter__()

    def _create(self, client: Any) -> Any:
        return client.chat.completions.create if self.path == OPENAI else client.messages.create


def sdk(kind: Any, path: str, suffix: str) -> Any:
    """An SDK's client in front of the provider."""

    def make(gate: Gate, url: str, is_async: bool) -> Any:
        made = getattr(
            kind, "Async" * is_async + kind.__name__.replace("anthropic", "Anthropic").replace("openai", "OpenAI")
        )
        return gate.wrap(made(api_key="k", base_url=url + suffix, timeout=TIMEOUT_S, max_retries=2), service="matrix")

    return Client(path, 3, make, kind.APITimeoutError, kind.InternalServerError, kind.APIConnectionError)


def raw(kind: Any, path: str, provider: str) -> Any:
    """A bare HTTP client in front of it."""

    def make(gate: Gate, url: str, is_async: bool) -> Any:
        made = kind.AsyncClient if is_async else kind.Client
        return gate.wrap(made(base_url=url, timeout=TIMEOUT_S), service="matrix", provider=provider)

    return Client(path, 1, make, kind.ReadTimeout, kind.HTTPStatusError, kind.RemoteProtocolError)


CLIENTS = {
    "openai": sdk(openai, OPENAI, "/v1"),
    "anthropic": sdk(anthropic, ANTHROPIC, ""),
    "httpx": raw(httpx, OPENAI, "openai"),
    "httpx2": raw(httpx2, ANTHROPIC, "anthropic"),
}


@dataclass
class World:
    """A gate, the provider behind it, and the client between."""

    gate: Gate
    provider: Provider
    kind: Client
    client: Any

    @property
    def entries(self) -> list[Entry]:
        self.gate.backlog.flush()
        return list(self.gate.store.entries())

    def states(self) -> list[str]:
        return [entry.state.value for entry in self.entries]

    @property
    def sent(self) -> int:
        return len(self.provider.seen)


MakeWorld = Callable[..., World]


@pytest.fixture
def world_of(provider: Provider, make_gate: MakeGate) -> MakeWorld:
    """Makes a gate with a limit, and a client of some name behind it."""

    def make(name: str, is_async: bool, usd: str = "5.00") -> World:
        gate = make_gate(usd)
        return World(gate, provider, CLIENTS[name], CLIENTS[name].make(gate, provider.url, is_async))

    return make


def send(world: World, stream: bool) -> None:
    """Makes one call and reads all of its answer."""
    if not stream:
        answer = world.kind.plain(world.client)
        if world.kind.tries == 1:
            answer.raise_for_status()
        return
    with world.kind.streaming(world.client) as chunks:
        assert list(chunks)


async def send_async(world: World, stream: bool) -> None:
    if not stream:
        answer = await world.kind.plain(world.client)
        if world.kind.tries == 1:
            answer.raise_for_status()
        return
    async with world.kind.streaming_async(world.client) as chunks:
        assert [chunk async for chunk in chunks]


async def take_one(chunks: AsyncIterator[Any]) -> None:
    async for _ in chunks:
        break


def run(world: World, stream: bool, is_async: bool) -> None:
    """Makes one call, in whichever way."""
    if is_async:
        in_loop(world, send_async(world, stream))
    else:
        at_once(world, lambda: send(world, stream))


def at_once(world: World, work: Callable[[], object]) -> None:
    """Does something with a client, which is closed then."""
    try:
        work()
    finally:
        world.client.close()


def in_loop(world: World, work: Coroutine[Any, Any, object]) -> None:
    """The same in an event loop of its own."""

    async def closing() -> None:
        try:
            await work
        finally:
            await (world.client.aclose() if world.kind.tries == 1 else world.client.close())

    asyncio.run(closing())


each = pytest.mark.parametrize(
    ("name", "is_async", "stream"),
    [(name, is_async, stream) for name in CLIENTS for is_async in (False, True) for stream in (False, True)],
    ids=lambda value: {False: "-", True: "+"}.get(value, value) if isinstance(value, bool) else str(value),
)
"""Every client, without and with asyncio, without and with a stream."""


@each
def test_an_answered_call_costs_what_it_used(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """One request, one entry, settled at the price of the usage in the answer; our own headers stay here."""
    world = world_of(name, is_async)
    run(world, stream, is_async)
    assert (world.sent, world.states()) == (1, ["settled"])
    entry = world.entries[0]
    assert (entry.weight.usd, entry.weight.tokens) == (COSTS[world.kind.path], 13)
    assert (entry.call.service, entry.call.attempt, entry.marks) == ("matrix", 1, frozenset())
    assert not [header for header in world.provider.headers[0] if header.startswith("x-spendgate")]


@each
def test_a_refused_call_is_never_sent(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """Without room nothing reaches the provider, nothing is booked, and the caller sees the gate's own error, once."""
    world = world_of(name, is_async, "0.0001")
    with pytest.raises(SpendLimitError) as refusal:
        run(world, stream, is_async)
    assert (world.sent, world.entries) == (0, [])
    assert refusal.value.limit == "usd-1h"


@each
def test_each_retry_is_metered(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """A call turned away with 429 costs nothing; sent again, it is a second attempt that is settled."""
    world = world_of(name, is_async)
    world.provider.script = ("429", "ok")
    if world.kind.tries == 1:
        with pytest.raises(world.kind.failed):
            run(world, stream, is_async)
        world.client = world.kind.make(world.gate, world.provider.url, is_async)
    run(world, stream, is_async)
    assert (world.sent, world.states()) == (2, ["voided", "settled"])
    assert world.entries[1].weight.usd == COSTS[world.kind.path]
    assert [entry.call.attempt for entry in world.entries] == ([1, 1] if world.kind.tries == 1 else [1, 2])


@each
def test_errors_of_the_provider_cost_nothing(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """Every send that ends in a 500 is voided, and the caller sees the client's own error."""
    world = world_of(name, is_async)
    world.provider.script = ("500",)
    with pytest.raises(world.kind.failed):
        run(world, stream, is_async)
    assert world.sent == world.kind.tries
    assert world.states() == ["voided"] * world.kind.tries


@each
def test_a_call_that_times_out_stays_held(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """Billed or not, nobody knows: each send that was not answered in time stays held."""
    world = world_of(name, is_async)
    world.provider.script = ("hang",)
    if world.kind.tries > 1:
        world.client = world.client.with_options(max_retries=1)
    with pytest.raises(world.kind.timeout):
        run(world, stream, is_async)
    assert world.sent == min(world.kind.tries, 2)
    assert world.states() == ["held"] * world.sent


@each
def test_an_interrupted_call_stays_held(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """Cancelled or interrupted after it was sent, a call stays held, and nothing is sent again."""
    world = world_of(name, is_async)
    world.provider.script = ("hang",)
    if is_async:
        in_loop(world, _cancelled(world, stream))
    else:
        main = threading.main_thread().ident
        assert main is not None
        world.provider.on_request = lambda: signal.pthread_kill(main, signal.SIGUSR1)
        before = signal.signal(signal.SIGUSR1, _interrupt)  # SIGINT is ignored where a shell runs tests behind
        try:
            with pytest.raises(KeyboardInterrupt):
                run(world, stream, is_async)
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert (world.sent, world.states()) == (1, ["held"])


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


async def _cancelled(world: World, stream: bool) -> None:
    arrived, loop = asyncio.Event(), asyncio.get_running_loop()
    world.provider.on_request = lambda: loop.call_soon_threadsafe(arrived.set)
    task = asyncio.create_task(send_async(world, stream))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@each
def test_an_answer_that_ends_early_counts(world_of: MakeWorld, name: str, is_async: bool, stream: bool) -> None:
    """A stream closed after its first words costs what was produced; an answer that broke off costs the whole hold."""
    world = world_of(name, is_async)
    if stream:
        in_loop(world, _closed(world)) if is_async else at_once(world, lambda: _closed_sync(world))
        entry = world.entries[-1]
        assert entry.marks == {"cut"}
        assert 0 < entry.weight.usd < entry.reserved.usd
    else:
        world.provider.script = ("broken",)
        if world.kind.tries > 1:
            world.client = world.client.with_options(max_retries=0)
        with pytest.raises(world.kind.broken):
            run(world, stream, is_async)
        entry = world.entries[-1]
        assert entry.weight == entry.reserved
    assert (world.sent, world.states()) == (1, ["settled"])


def _closed_sync(world: World) -> None:
    with world.kind.streaming(world.client) as chunks:
        next(chunks)


async def _closed(world: World) -> None:
    async with world.kind.streaming_async(world.client) as chunks:
        await take_one(chunks)


@each
def test_a_fault_in_the_reader_does_not_hide_the_cost(
    world_of: MakeWorld, name: str, is_async: bool, stream: bool
) -> None:
    """Code that fails while it reads an answer has still bought it: what was produced until then is booked."""
    world = world_of(name, is_async)
    with pytest.raises(ReaderError):
        in_loop(world, _failing_async(world, stream)) if is_async else at_once(world, lambda: _failing(world, stream))
    assert (world.sent, world.states()) == (1, ["settled"])
    assert world.entries[0].weight.usd > 0
    assert (world.entries[0].weight.usd == COSTS[world.kind.path]) is not stream


def _failing(world: World, stream: bool) -> None:
    if not stream:
        send(world, stream)
        raise ReaderError
    with world.kind.streaming(world.client) as chunks:
        for _ in chunks:
            raise ReaderError


async def _failing_async(world: World, stream: bool) -> None:
    if not stream:
        await send_async(world, stream)
        raise ReaderError
    async with world.kind.streaming_async(world.client) as chunks:
        async for _ in chunks:
            raise ReaderError


@each
def test_a_client_that_is_wrapped_twice_is_asked_once(
    world_of: MakeWorld, name: str, is_async: bool, stream: bool
) -> None:
    """Two gates of one client are one gate: one request, one entry."""
    world = world_of(name, is_async)
    world.client = world.gate.wrap(world.client, provider="openai" if world.kind.path == OPENAI else "anthropic")
    run(world, stream, is_async)
    assert (world.sent, world.states()) == (1, ["settled"])
