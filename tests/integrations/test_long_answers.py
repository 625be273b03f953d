"""However long a streamed answer is, a wrapped client holds a small part of it."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest

from spendgate.gate import Gate
from tests.integrations.drivers import CLIENTS
from tests.integrations.drivers.driving import Client, Setup
from tests.integrations.ledgers import entries
from tests.integrations.provider import FLOOD, Provider
from tests.integrations.test_matrix import PATIENCE_S, wrapped

MOST_HELD = 4 << 20
"""Bytes: what the clients keep for themselves is well below, what they send is sixteen times as much."""
WAYS = [("httpx", "sync"), ("httpx", "async"), ("requests", "sync"), ("aiohttp", "async")]
WAYS = [(name, way) for name, way in WAYS if name in CLIENTS]


@pytest.fixture
def _traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def read(client: Client, setup: Setup) -> int:
    """Reads a stream to its end; how many characters or bytes came."""
    assert client.sync is not None
    with client.sync(setup) as asking, asking.stream() as pieces:
        tracemalloc.reset_peak()
        return sum(len(piece) for piece in pieces)


async def read_async(client: Client, setup: Setup) -> int:
    """The same, awaited."""
    assert client.awaited is not None
    async with client.awaited(setup) as asking, asking.stream() as pieces:
        tracemalloc.reset_peak()
        return sum([len(piece) async for piece in pieces])


@pytest.mark.usefixtures("_traced")
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_no_stream_is_held_whole(gate: Gate, provider: Provider, name: str, way: str) -> None:
    """Of 64 MB at most 4 are in memory at a time, the usage at their end is read, and the caller gets every byte."""
    provider.script, client = ("flood",), CLIENTS[name]
    setup = Setup(provider.url, partial(wrapped, gate, client), PATIENCE_S, 1)
    before = tracemalloc.get_traced_memory()[0]
    came = read(client, setup) if way == "sync" else asyncio.run(read_async(client, setup))
    assert tracemalloc.get_traced_memory()[1] - before < MOST_HELD
    assert came > FLOOD * 0.99
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", client.cost, frozenset())
