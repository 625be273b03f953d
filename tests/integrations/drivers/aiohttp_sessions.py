"""`aiohttp`: it is only awaited, and sends nothing again by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.integrations.drivers.driving import Asking, Client, Setup
from tests.integrations.drivers.stainless import CHAT
from tests.integrations.provider import OPENAI


@asynccontextmanager
async def _awaited(setup: Setup) -> AsyncIterator[Asking]:
    url = setup.url + OPENAI

    async def plain() -> Any:
        async with session.post(url, json=CHAT) as answer:
            answer.raise_for_status()
            return await answer.read()

    @asynccontextmanager
    async def stream() -> AsyncIterator[Any]:
        async with session.post(url, json={**CHAT, "stream": True}) as answer:
            answer.raise_for_status()
            yield answer.content.iter_any()

    timeout = aiohttp.ClientTimeout(total=setup.timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as bare:
        session = setup.wrap(bare)
        yield Asking(plain, stream)


CLIENTS = {
    "aiohttp": Client(
        package="aiohttp",
        cost=10 * 2_500 + 3 * 10_000,
        retries=False,
        sync=None,
        awaited=_awaited,
        turned_away=aiohttp.ClientResponseError,
        failed=aiohttp.ClientResponseError,
        timed_out=TimeoutError,
        broken=aiohttp.ClientPayloadError,
    )
}
