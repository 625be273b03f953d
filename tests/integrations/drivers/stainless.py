"""`openai` and `anthropic`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import anthropic
import openai

from tests.integrations.drivers.driving import MESSAGES, Asking, Client, Setup

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_completion_tokens": 100}
MESSAGE: dict[str, Any] = {"model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": 100}


def _made(setup: Setup, kind: Any, suffix: str) -> Any:
    base, retries = setup.url + suffix, setup.tries - 1
    return setup.wrap(kind(api_key="k", base_url=base, timeout=setup.timeout_s, max_retries=retries))


def _create(client: Any) -> Any:
    if hasattr(client, "chat"):
        return partial(client.chat.completions.create, **CHAT)
    return partial(client.messages.create, **MESSAGE)


@contextmanager
def _sync(setup: Setup, kind: Any, suffix: str) -> Iterator[Asking]:
    client = _made(setup, kind, suffix)
    create = _create(client)
    with client:
        yield Asking(create, partial(create, stream=True))


@asynccontextmanager
async def _awaited(setup: Setup, kind: Any, suffix: str) -> AsyncIterator[Asking]:
    client = _made(setup, kind, suffix)
    create = _create(client)

    @asynccontextmanager
    async def stream() -> AsyncIterator[Any]:
        async with await create(stream=True) as events:
            yield events

    async with client:
        yield Asking(create, stream)


def _client(kit: Any, name: str, suffix: str, cost: int) -> Client:
    return Client(
        package=kit.__name__,
        cost=cost,
        retries=True,
        sync=partial(_sync, kind=getattr(kit, name), suffix=suffix),
        awaited=partial(_awaited, kind=getattr(kit, f"Async{name}"), suffix=suffix),
        failed=kit.InternalServerError,
        timed_out=kit.APITimeoutError,
        broken=kit.APIConnectionError,
    )


CLIENTS = {
    "openai": _client(openai, "OpenAI", "/v1", 10 * 2_500 + 3 * 10_000),
    "anthropic": _client(anthropic, "Anthropic", "", 10 * 1_000 + 3 * 5_000),
}
