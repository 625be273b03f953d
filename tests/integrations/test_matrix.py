"""No way around the gate: every client, sync and async, plain and streaming, through each outcome that a call can have.

In every cell: the requests that reached the server, the entries in the ledger, and the exception that the caller sees.
The clients, and what each does by itself, are in `tests.integrations.drivers`. A cell is left out only where the
library has no such side: requests and boto3 are not awaited, aiohttp is nothing else.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest

from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations import HOMES
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers import CLIENTS
from tests.integrations.drivers.driving import Asking, Client, Setup
from tests.integrations.ledgers import entries, states
from tests.integrations.provider import Provider

PATIENCE_S, IMPATIENCE_S = 30.0, 0.4


class ReaderError(Exception):
    """What goes wrong in the code that reads an answer."""


@dataclass(frozen=True)
class Outcome:
    """What happens to a call: what the provider does, how the answer is read, and what the client is told.

    Attributes:
        script: what the provider does with each request, for a plain call; for a stream, `stream_script` where given.
        reads: `all` of the answer, `first` and no more, or `fails` after that.
        usd: the limit.
        tries: how often a client that retries may send; 0 for as often as it does by itself.
        is_interrupted: whether the caller is cancelled, or interrupted, once the request has arrived.
    """

    script: tuple[str, ...] = ("ok",)
    stream_script: tuple[str, ...] = ()
    reads: str = "all"
    usd: str = "5.00"
    tries: int = 0
    timeout_s: float = PATIENCE_S
    is_interrupted: bool = False


OUTCOMES = {
    "ok": Outcome(),
    "refused": Outcome(usd="0.0001"),
    "429 then ok": Outcome(("429", "ok")),
    "500 three times": Outcome(("500",) * 3),
    "timeout": Outcome(("hang",), tries=2, timeout_s=IMPATIENCE_S),
    "cancelled": Outcome(("hang",), is_interrupted=True),
    "closed early": Outcome(("broken",), ("stall",), reads="first", tries=1),
    "exception in the consumer": Outcome(stream_script=("stall",), reads="fails"),
}


@dataclass(frozen=True)
class Cell:
    """What must be found after a call: requests that arrived, how its entries stand, and what the caller has seen."""

    sent: int
    entries: list[str]
    seen: type[BaseException] | None = None


def expected(client: Client, outcome: str, is_async: bool, stream: bool) -> Cell:
    """What each outcome comes to."""
    tries = client.tries
    first_of_two = Cell(2, ["voided", "settled"]) if client.retries else Cell(1, ["voided"], client.turned_away)
    twice = min(tries, 2) if client.repeats_timeouts else 1
    left = client.left_counts
    return {
        "ok": Cell(1, ["settled"]),
        "refused": Cell(0, [], SpendLimitError),
        "429 then ok": first_of_two,
        "500 three times": Cell(tries, ["voided"] * tries, client.failed),
        "timeout": Cell(twice, ["held"] * twice, client.timed_out),
        "cancelled": Cell(1, ["held"], asyncio.CancelledError if is_async else KeyboardInterrupt),
        "closed early": Cell(1, [left]) if stream else Cell(1, ["whole"], client.broken),
        "exception in the consumer": Cell(1, [left if stream else "settled"], ReaderError),
    }[outcome]


CELLS = [
    (name, way, kind, outcome)
    for name, client in CLIENTS.items()
    for way in ("sync", "async")
    if (client.sync if way == "sync" else client.awaited) is not None
    for kind in ("plain", "stream")
    for outcome in OUTCOMES
]

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
"""google-genai's own."""


@pytest.mark.parametrize(("name", "way", "kind", "outcome"), CELLS)
def test_no_way_around_the_gate(
    make_gate: MakeGate, provider: Provider, *, name: str, way: str, kind: str, outcome: str
) -> None:
    """Each send is one entry, a refused call is never sent, and the caller sees what the client always shows him."""
    stream, told = kind == "stream", OUTCOMES[outcome]
    gate, client = make_gate(told.usd), CLIENTS[name]
    provider.script = (stream and told.stream_script) or told.script
    setup = Setup(provider.url, partial(wrapped, gate, client), told.timeout_s, told.tries or client.tries)
    cell = expected(client, outcome, way == "async", stream)
    with nullcontext() if cell.seen is None else pytest.raises(cell.seen) as seen:
        call(client, setup, told, provider, is_async=way == "async", stream=stream)
    assert (len(provider.seen), standing(gate)) == (cell.sent, cell.entries)
    assert outcome != "refused" or getattr(seen.value, "limit", "") == "usd-1h"
    check_costs(gate, client)


def wrapped(gate: Gate, client: Client, bare: Any) -> Any:
    """A client behind the gate."""
    provider = {"httpx2": "anthropic"}.get(client.package, "openai")
    is_bare = client.package in ("httpx", "httpx2", "requests", "aiohttp")
    return gate.wrap(bare, service="matrix", **({"provider": provider} if is_bare else {}))


def standing(gate: Gate) -> list[str]:
    """How each entry stands; a settled one that did not come to its end is `cut`, or counts `whole`."""
    found = []
    for entry in entries(gate):
        is_whole = entry.state.value == "settled" and entry.weight == entry.reserved
        found.append("whole" if is_whole else "cut" if "cut" in entry.marks else entry.state.value)
    return found


def check_costs(gate: Gate, client: Client) -> None:
    """What every entry must say, however its call went."""
    for number, entry in enumerate(entries(gate), 1):
        assert (entry.call.service, entry.call.attempt) == ("matrix", number if client.retries else 1)
        if entry.state.value == "settled" and "cut" in entry.marks:
            assert 0 < entry.weight.usd <= entry.reserved.usd
        elif entry.state.value == "settled" and entry.weight != entry.reserved:
            assert (entry.weight.usd, entry.weight.tokens) == (client.cost, 13)


def call(client: Client, setup: Setup, told: Outcome, provider: Provider, *, is_async: bool, stream: bool) -> None:
    """Makes one call, in whichever way, with what happens to it."""
    if is_async:
        asyncio.run(_call_async(client, setup, told, provider, stream))
        return
    assert client.sync is not None
    with client.sync(setup) as asking:
        if told.is_interrupted:
            with interrupted(provider):
                read(asking, told, stream)
        else:
            read(asking, told, stream)


async def _call_async(client: Client, setup: Setup, told: Outcome, provider: Provider, stream: bool) -> None:
    assert client.awaited is not None
    async with client.awaited(setup) as asking:
        if not told.is_interrupted:
            await read_async(asking, told, stream)
            return
        arrived, loop = asyncio.Event(), asyncio.get_running_loop()
        provider.on_request = lambda: loop.call_soon_threadsafe(arrived.set)
        task = asyncio.create_task(read_async(asking, told, stream))
        await arrived.wait()
        task.cancel()
        await task


def read(asking: Asking, told: Outcome, stream: bool) -> None:
    """Asks, and reads the answer as far as it is wanted."""
    if not stream:
        asking.plain()
    else:
        with asking.stream() as pieces:
            assert next(iter(pieces)) if told.reads != "all" else list(pieces)
            if told.reads == "fails":
                raise ReaderError
    if told.reads == "fails":
        raise ReaderError


async def read_async(asking: Asking, told: Outcome, stream: bool) -> None:
    """The same, awaited."""
    if not stream:
        await asking.plain()
    else:
        async with asking.stream() as pieces:
            assert await _first(pieces) if told.reads != "all" else [piece async for piece in pieces]
            if told.reads == "fails":
                raise ReaderError
    if told.reads == "fails":
        raise ReaderError


async def _first(pieces: AsyncIterator[Any]) -> Any:
    async for piece in pieces:
        return piece
    return None


@contextmanager
def interrupted(provider: Provider) -> Iterator[None]:
    """Inside, the main thread is interrupted as soon as a request has arrived."""
    main = threading.main_thread().ident
    assert main is not None
    provider.on_request = lambda: signal.pthread_kill(main, signal.SIGUSR1)
    before = signal.signal(signal.SIGUSR1, _interrupt)  # SIGINT is ignored where a shell runs tests behind
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("name", "way", "kind"), sorted({cell[:3] for cell in CELLS}))
def test_a_client_that_is_wrapped_twice_is_asked_once(
    gate: Gate, provider: Provider, name: str, way: str, kind: str
) -> None:
    """Two gates of one client are one gate: one request, one entry."""
    client = CLIENTS[name]
    twice = partial(wrapped, gate, client)
    setup = Setup(provider.url, lambda bare: twice(twice(bare)), PATIENCE_S, client.tries)
    call(client, setup, OUTCOMES["ok"], provider, is_async=way == "async", stream=kind == "stream")
    assert (len(provider.seen), states(gate)) == (1, ["settled"])


def test_no_cell_is_empty() -> None:
    """Every kind of client that can be wrapped is in the matrix, where its library is installed."""
    assert {client.package for client in CLIENTS.values()} == {name for name in HOMES if find_spec(name)}


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.awaited])
def test_a_stream_that_is_cancelled_half_way_counts(gate: Gate, provider: Provider, name: str) -> None:
    """Cancelled while it waits for more, a stream costs what was produced until then, or the whole hold."""
    provider.script, client = ("stall",), CLIENTS[name]

    async def cancelled() -> None:
        assert client.awaited is not None
        setup = Setup(provider.url, partial(wrapped, gate, client), PATIENCE_S, client.tries)
        async with client.awaited(setup) as asking:
            begun = asyncio.Event()

            async def reading() -> None:
                async with asking.stream() as pieces:
                    async for _ in pieces:
                        begun.set()

            task = asyncio.create_task(reading())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    assert (len(provider.seen), standing(gate)) == (1, [client.left_counts])


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if not client.retries])
def test_what_the_caller_sends_again_is_another_call(gate: Gate, provider: Provider, name: str) -> None:
    """Where the client does not send again by itself, its caller may: that is a call of its own."""
    provider.script, client = ("429", "ok"), CLIENTS[name]
    for seen in (client.turned_away, None):
        is_async = client.sync is None
        setup = Setup(provider.url, partial(wrapped, gate, client), PATIENCE_S, 1)
        with nullcontext() if seen is None else pytest.raises(seen):
            call(client, setup, OUTCOMES["ok"], provider, is_async=is_async, stream=False)
    assert (len(provider.seen), states(gate)) == (2, ["voided", "settled"])
    check_costs(gate, client)
