"""aiohttp: sessions that only let admitted requests pass.

session = gate.wrap(aiohttp.ClientSession())
session = aiohttp.ClientSession(middlewares=[middleware(gate, service="enrichment")])
"""

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any

import aiohttp
from aiohttp import StreamReader
from multidict import CIMultiDictProxy
from yarl import URL

from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing, passing
from spendgate.metering import Metered, Terms
from spendgate.wire.exchange import Request

Handler = Callable[[Any], Awaitable[Any]]
UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Errors that come before anything of the request is sent."""
TOO_OLD = "spendgate needs aiohttp 3.12 or newer, which lets middlewares see what a session sends: upgrade it"


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A session like the one given whose requests pass the gate, behind all other middlewares, whoever names them.

    It shares the connections, headers and cookies of the one given.

    Raises:
        TypeError: it is no session, or aiohttp is older than 3.12.
    """
    if not isinstance(client, aiohttp.ClientSession) or not hasattr(client, "_middlewares"):
        raise TypeError(f"{type(client)!r} is no aiohttp.ClientSession, or one of a version before 3.12")
    of: Any = type(client)
    kind = _gated(of)
    gated = object.__new__(kind)
    gated.__dict__.update(client.__dict__)
    gated.__dict__["_spendgate"] = (gate, terms, client)
    return gated


def middleware(gate: Gate, **terms: Any) -> Callable[[Any, Handler], Awaitable[Any]]:
    """A middleware for `aiohttp.ClientSession(middlewares=[...])`. Let it be the last: it must see every send.

    Middlewares that a single request names take the place of the session's, this one too. `gate.wrap` has no such gap.
    """
    return _middleware(gate, Terms(**terms), decodes=True)


def request(
    gate: Gate, terms: Terms, session: Any, send: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
) -> Any:
    """Sends with a session's `_request`, once the gate has admitted it: what to await."""
    named = kwargs.pop("middlewares", None)
    if not hasattr(session, "_middlewares"):
        raise TypeError(TOO_OLD)
    others = session._middlewares if named is None else named
    decodes = kwargs.get("auto_decompress")
    own = _middleware(gate, terms, session._auto_decompress if decodes is None else decodes)
    return send(*args, middlewares=(*others, own), **kwargs)


class _Unwarned:
    """Stands before `ClientSession` in the bases of our class, for which its warning about subclasses is not meant."""

    def __init_subclass__(cls) -> None:
        """Says nothing."""


@cache
def _gated(kind: Any) -> Any:
    """A subclass of a kind of session that sends through the gate and leaves open what belongs to the original."""

    def _request(self: Any, *args: Any, **kwargs: Any) -> Any:
        gate, terms, _ = self._spendgate
        return request(gate, terms, self, partial(kind._request, self), *args, **kwargs)

    methods = {"_request": _request, "__del__": lambda _: None, "__module__": kind.__module__}
    bases = (kind,) if issubclass(kind, _Unwarned) else (_Unwarned, kind)  # it may be one of ours already
    return type(kind.__name__, bases, methods)


def _middleware(gate: Gate, terms: Terms, decodes: bool) -> Callable[[Any, Handler], Awaitable[Any]]:
    async def admit(request: Any, handler: Handler) -> Any:
        if is_passing():
            return await handler(request)
        stated = await _stated(request)
        metered = Metered(gate, stated, terms)
        await metered.reserve_async()
        try:
            await _change(request, stated, metered.request)
            if metered.is_elsewhere:
                _turn(request)
            with passing():
                response = await handler(request)
        except BaseException as fault:
            metered.failed(sent=not isinstance(fault, UNSENT))
            raise
        if metered.is_elsewhere:
            _end_here(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if decodes:
            headers.pop("content-encoding", None)  # what the caller reads is decoded
        if metered.answered(response.status, headers):
            _tap(response, metered)
        return response

    return admit


async def _stated(request: Any) -> Request:
    """A request in our terms; without its body where the caller streams it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = request.body
    if isinstance(body, aiohttp.payload.BytesPayload):
        body = await body.as_bytes()
    return Request(request.method, str(request.url), headers, body if isinstance(body, bytes) else b"")


async def _change(request: Any, stated: Request, changed: Request) -> None:
    """Makes of a request what is to be sent."""
    if changed is stated:
        return
    for name in stated.headers.keys() - changed.headers.keys():
        del request.headers[name]
    for name, value in changed.headers.items():
        if stated.headers.get(name) != value:
            request.headers[name] = value
    if changed.url != stated.url:
        request.url = request.original_url = URL(changed.url, encoded=True)
        request.headers["host"] = request.url.host_port_subcomponent
    if changed.body is not stated.body:
        kind = request.headers.get("content-type")
        await request.update_body(changed.body)
        if kind:
            request.headers["content-type"] = kind


def _turn(request: Any) -> None:
    """Has a request sent to another address than the caller's: directly, and without what belongs to the first."""
    request.auth = request.server_hostname = None
    request._ssl = True
    request.update_proxy(None, None, None)


def _end_here(response: Any) -> None:
    """Takes from an answer what would send the session on, with the caller's headers."""
    kept = response.headers.copy()
    for name in ("location", "uri"):
        kept.popall(name, None)
    response._headers = CIMultiDictProxy(kept)
    response._cache.pop("headers", None)


def _tap(response: Any, metered: Metered) -> None:
    """Has an answer's bytes read by `metered` when the caller reads them."""
    if not 200 <= response.status < 300 or response.content.at_eof():
        metered.ended(complete=True)  # the status says it all, or there is nothing to read
        return
    try:
        response._spendgate = metered
        response.__class__ = _tapped(response.__class__)
    except (TypeError, AttributeError):  # somebody's own kind of response that cannot be read on the side
        metered.ended(complete=False)
    else:
        response.content = Tapped(response.content, metered)


@cache
def _tapped(kind: Any) -> Any:
    """A subclass of a kind of response whose answer is over when it is left."""

    class Response(kind):  # type: ignore[misc]
        _spendgate: Metered

        def release(self) -> Any:
            self._spendgate.ended(complete=False)
            return super().release()

        def close(self) -> None:
            self._spendgate.ended(complete=False)
            super().close()

    Response.__name__, Response.__qualname__, Response.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Response


class Tapped:
    """An answer's content, read on the side. What is not about reading is that of the stream inside."""

    def __init__(self, inner: Any, metered: Metered) -> None:
        self._inner = inner
        self._metered = metered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    __aiter__ = StreamReader.__aiter__  # these read with the methods below
    iter_any = StreamReader.iter_any
    iter_chunked = StreamReader.iter_chunked
    iter_chunks = StreamReader.iter_chunks

    async def read(self, n: int = -1) -> bytes:
        """Reads up to so many bytes, or all."""
        return await self._read(self._inner.read(n))

    async def readany(self) -> bytes:
        """Reads what is there."""
        return await self._read(self._inner.readany())

    async def readexactly(self, n: int) -> bytes:
        """Reads so many bytes."""
        return await self._read(self._inner.readexactly(n))

    async def readline(self, **limits: Any) -> bytes:
        """Reads a line."""
        return await self._read(self._inner.readline(**limits))

    async def readuntil(self, separator: bytes = b"\n", **limits: Any) -> bytes:
        """Reads up to a separator."""
        return await self._read(self._inner.readuntil(separator, **limits))

    async def readchunk(self) -> tuple[bytes, bool]:
        """Reads a chunk as the server sent it, and says whether it is whole."""
        data, is_end = await self._checked(self._inner.readchunk())
        self._seen(data)
        return data, is_end

    def read_nowait(self, n: int = -1) -> bytes:
        """Reads what is there without waiting."""
        data: bytes = self._inner.read_nowait(n)
        self._seen(data)
        return data

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        data: bytes = await self._checked(reading)
        self._seen(data)
        return data

    async def _checked(self, reading: Awaitable[Any]) -> Any:
        try:
            return await reading
        except BaseException:
            if self._inner.exception() is not None:
                self._metered.ended(complete=False)
            raise

    def _seen(self, data: bytes) -> None:
        self._metered.feed(data)
        if self._inner.at_eof():
            self._metered.ended(complete=True)
