"""`google-genai`: it blocks over httpx2, and is awaited over aiohttp, httpx2 or httpx."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import aiohttp
import httpx
import httpx2
from google import genai
from google.genai import errors, types

from tests.integrations.drivers.driving import Asking, Client, Setup

CALL: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "hello", "config": {"max_output_tokens": 100}}


def made(url: str, way: str = "", tries: int = 1, timeout_s: float = 0.5) -> genai.Client:
    """A client that is not gated; it is awaited over `way`, or over aiohttp."""
    more: dict[str, Any] = {}
    if way:
        more = {"async_client_args": {"transport": import_module(way).AsyncHTTPTransport()}}
    retries = types.HttpRetryOptions(attempts=tries, initial_delay=0.001, max_delay=0.001, jitter=0.0)
    options = types.HttpOptions(base_url=url, timeout=round(timeout_s * 1000), retry_options=retries, **more)
    return genai.Client(api_key="k", http_options=options)


@contextmanager
def _sync(setup: Setup) -> Iterator[Asking]:
    def plain() -> Any:
        return client.models.generate_content(**CALL)

    @contextmanager
    def stream() -> Iterator[Any]:
        chunks: Any = client.models.generate_content_stream(**CALL)
        with closing(chunks):
            yield chunks

    with setup.wrap(made(setup.url, "", setup.tries, setup.timeout_s)) as client:
        yield Asking(plain, stream)


@asynccontextmanager
async def _awaited(setup: Setup, way: str) -> AsyncIterator[Asking]:
    def plain() -> Any:
        return client.models.generate_content(**CALL)

    @asynccontextmanager
    async def stream() -> AsyncIterator[Any]:
        async with aclosing(await client.models.generate_content_stream(**CALL)) as chunks:
            yield chunks

    async with setup.wrap(made(setup.url, way, setup.tries, setup.timeout_s)).aio as client:
        yield Asking(plain, stream)


def _client(way: str, timed_out: Any, broken: Any, sync: Any = None, **more: Any) -> Client:
    return Client(
        package="google",
        cost=10 * 300 + 3 * 2_500,
        retries=True,
        sync=sync,
        awaited=partial(_awaited, way=way),
        failed=errors.ServerError,
        timed_out=timed_out,
        broken=broken,
        left_counts="whole",
        **more,
    )


CLIENTS = {
    "google-genai": _client("httpx2", httpx2.ReadTimeout, httpx2.RemoteProtocolError, _sync),
    "google-genai over httpx": _client("httpx", httpx.ReadTimeout, httpx.RemoteProtocolError),
    "google-genai over aiohttp": _client("", TimeoutError, aiohttp.ClientPayloadError, repeats_timeouts=False),
}
