"""`httpx` and `httpx2`, without an SDK above them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import httpx
import httpx2

from tests.integrations.drivers.driving import Asking, Client, Setup
from tests.integrations.drivers.stainless import CHAT, MESSAGE
from tests.integrations.provider import ANTHROPIC, OPENAI

ASKED = {OPENAI: CHAT, ANTHROPIC: MESSAGE}


@contextmanager
def _sync(setup: Setup, kit: Any, path: str) -> Iterator[Asking]:
    def plain() -> Any:
        return client.post(path, json=ASKED[path]).raise_for_status()

    @contextmanager
    def stream() -> Iterator[Any]:
        with client.stream("POST", path, json={**ASKED[path], "stream": True}) as response:
            response.raise_for_status()
            yield response.iter_lines()

    with setup.wrap(kit.Client(base_url=setup.url, timeout=setup.timeout_s)) as client:
        yield Asking(plain, stream)


@asynccontextmanager
async def _awaited(setup: Setup, kit: Any, path: str) -> AsyncIterator[Asking]:
    async def plain() -> Any:
        return (await client.post(path, json=ASKED[path])).raise_for_status()

    @asynccontextmanager
    async def stream() -> AsyncIterator[Any]:
        async with client.stream("POST", path, json={**ASKED[path], "stream": True}) as response:
            response.raise_for_status()
            yield response.aiter_lines()

    async with setup.wrap(kit.AsyncClient(base_url=setup.url, timeout=setup.timeout_s)) as client:
        yield Asking(plain, stream)


def _client(kit: Any, path: str, cost: int) -> Client:
    return Client(
        package=kit.__name__,
        cost=cost,
        retries=False,
        sync=partial(_sync, kit=kit, path=path),
        awaited=partial(_awaited, kit=kit, path=path),
        turned_away=kit.HTTPStatusError,
        failed=kit.HTTPStatusError,
        timed_out=kit.ReadTimeout,
        broken=kit.RemoteProtocolError,
    )


CLIENTS = {
    "httpx": _client(httpx, OPENAI, 10 * 2_500 + 3 * 10_000),
    "httpx2": _client(httpx2, ANTHROPIC, 10 * 1_000 + 3 * 5_000),
}
