"""httpx and httpx2: transports that only let admitted requests pass. httpx2 is a fork of httpx with the same classes.

client = httpx.Client(transport=transport(gate, service="enrichment"))
client = gate.wrap(httpx.Client())
"""

import copy
from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from spendgate.errors import SpendgateError
from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing, passing
from spendgate.integrations.refusal import ERROR, answer_to
from spendgate.metering import OWN, Metered, Terms
from spendgate.wire.exchange import Request

KEPT = "spendgate.headers"
"""Under which extension of a request our own headers go on with a redirect, which may lead past the gate."""


def transport(gate: Gate, inner: Any = None, library: str = "httpx", **terms: Any) -> Any:
    """A transport for `httpx.Client(transport=...)`, around `inner` or a new `HTTPTransport`.

    Args:
        gate: what must admit each request to a paid API; others pass.
        inner: the transport that sends.
        library: `httpx` or `httpx2`.
        terms: see `spendgate.metering.Terms`.
    """
    kit = _kit(library)
    return kit.Transport(gate, inner or kit.library.HTTPTransport(), Terms(**terms))


def async_transport(gate: Gate, inner: Any = None, library: str = "httpx", **terms: Any) -> Any:
    """The same for `httpx.AsyncClient(transport=...)`."""
    kit = _kit(library)
    return kit.AsyncTransport(gate, inner or kit.library.AsyncHTTPTransport(), Terms(**terms))


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A client like the one given whose requests pass the gate. It shares the connections of the one given."""
    return gated_client(gate, client, terms)


def gated_client(gate: Gate, client: Any, terms: Terms) -> Any:
    """A copy of a `Client` or `AsyncClient` of either library that sends through the gate."""
    kit = _kit(library_of(client))
    kind = kit.AsyncTransport if isinstance(client, kit.library.AsyncClient) else kit.Transport
    gated = copy.copy(client)
    of: Any = type(client)
    gated.__class__ = _kept_open(of)
    gated._spendgate_original = client  # whoever drops the original must not close its connections under this one
    gated._transport = kind(gate, client._transport, terms)
    gated._mounts = {pattern: mounted and kind(gate, mounted, terms) for pattern, mounted in client._mounts.items()}
    for one in (gated._transport, *filter(None, gated._mounts.values())):
        one._route = gated._transport_for_url
    return gated


def library_of(thing: Any) -> str:
    """Which of the two libraries a client is of."""
    homes = {base.__module__.partition(".")[0] for base in type(thing).__mro__}
    return "httpx2" if "httpx2" in homes else "httpx"


@cache
def _kept_open(kind: Any) -> Any:
    """A class of clients that does not close its connections when it is garbage: they belong to the original."""
    return type(kind.__name__, (kind,), {"__del__": lambda _: None, "__module__": kind.__module__})


class _Kit:
    """The classes for one library."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.unsent = (
            library.ConnectError,
            library.ConnectTimeout,
            library.PoolTimeout,
            library.UnsupportedProtocol,
            library.LocalProtocolError,
            library.ProxyError,
        )
        self.Refusal = _refusal_class(library)
        self.Transport = _transport_class(self, library)
        self.AsyncTransport = _async_transport_class(self, library)

    def stated(self, request: Any) -> Request:
        """A request in our terms; without its body where the caller streams it."""
        try:
            body = request.content
        except self.library.RequestNotRead:
            body = b""
        headers = _headers(request.headers) | request.extensions.get(KEPT, {})
        return Request(request.method, str(request.url), headers, body)

    def to_send(self, request: Any, stated: Request, changed: Request) -> Any:
        """What to send: the request itself, unless the gate has changed it."""
        if changed is stated:
            return request
        headers = request.headers.copy()
        for name in stated.headers.keys() - changed.headers.keys():
            headers.pop(name, None)
        for name, value in changed.headers.items():
            if stated.headers.get(name) != value:
                headers[name] = value
        sent = {"content": changed.body} if changed.body else {"stream": request.stream}
        url = request.url if changed.url == stated.url else changed.url
        return self.library.Request(request.method, url, headers=headers, extensions=request.extensions, **sent)

    def keep(self, request: Any, response: Any) -> None:
        """Takes our own headers from a request that its client is about to send to where a redirect points."""
        if 300 <= response.status_code < 400 and response.has_redirect_location:
            own = {name: request.headers.pop(name) for name in OWN if name in request.headers}
            request.extensions = {**request.extensions, KEPT: {**request.extensions.get(KEPT, {}), **own}}

    def answered(self, response: Any) -> Any:
        """An answer from another address than the caller's: it leads nowhere, and leaves nothing behind."""
        for name in ("location", "set-cookie"):
            response.headers.pop(name, None)
        return response

    def refused(self, request: Any, error: SpendgateError) -> Any:
        """The answer that an SDK of Stainless does not retry; anybody else gets the error itself."""
        if "x-stainless-lang" not in request.headers:
            raise error
        status, headers, body = answer_to(error)
        return self.Refusal(status, headers=headers, json=body, request=request, extensions={ERROR: error})


@cache
def _kit(library: str) -> Any:
    return _Kit(import_module(library))


def _headers(headers: Any) -> dict[str, str]:
    """The headers by their names in lower case, as `Headers.items` says them in more steps, whatever its encoding."""
    raw = headers.raw
    try:
        found = {name.decode("ascii").lower(): value.decode("ascii") for name, value in raw}
    except UnicodeDecodeError:
        found = {}
    return found if len(found) == len(raw) else dict(headers.items())


def _sender(transport: Any, metered: Metered, sent: Any) -> Any:
    """What sends a request: for another address than the caller's, whatever the client has for that one."""
    if metered.is_elsewhere and transport._route is not None:
        transport = transport._route(sent.url)
    return transport._inner


def _refusal_class(library: Any) -> Any:
    class Refusal(library.Response):  # type: ignore[misc]
        """An answer that stands for a refusal, and is raised as such where an SDK looks for errors."""

        def raise_for_status(self) -> Any:
            raise self.extensions[ERROR]

        @property
        def text(self) -> Any:
            """What Anthropic's SDK makes its error of."""
            raise self.extensions[ERROR]

    return Refusal


def _tap_class(library: Any) -> Any:
    class Tapped(library.SyncByteStream):  # type: ignore[misc]
        """An answer's bytes, read on the side."""

        def __init__(self, inner: Any, metered: Metered) -> None:
            self._inner = inner
            self._metered = metered

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._inner:
                self._metered.feed(chunk)
                yield chunk
            self._metered.ended(complete=True)

        def close(self) -> None:
            self._metered.ended(complete=False)
            self._inner.close()

    return Tapped


def _transport_class(kit: _Kit, library: Any) -> Any:
    tapped = _tap_class(library)

    class Transport(library.BaseTransport):  # type: ignore[misc]
        """Lets admitted requests pass."""

        def __init__(self, gate: Gate, inner: Any, terms: Terms) -> None:
            self._gate = gate
            self._inner = inner
            self._terms = terms
            self._route: Any = None

        def handle_request(self, request: Any) -> Any:
            if is_passing():
                return self._inner.handle_request(request)
            stated = kit.stated(request)
            try:
                metered = Metered(self._gate, stated, self._terms)
                metered.reserve()
            except SpendgateError as error:
                return kit.refused(request, error)
            try:
                sent = kit.to_send(request, stated, metered.request)
                with passing():
                    response = _sender(self, metered, sent).handle_request(sent)
            except BaseException as fault:
                metered.failed(sent=not isinstance(fault, kit.unsent))
                raise
            kit.keep(request, response)
            if metered.is_elsewhere:
                response = kit.answered(response)
            if metered.answered(response.status_code, response.headers):
                response.stream = tapped(response.stream, metered)
            return response

        def close(self) -> None:
            self._inner.close()

    return Transport


def _async_tap_class(library: Any) -> Any:
    class Tapped(library.AsyncByteStream):  # type: ignore[misc]
        """An answer's bytes, read on the side."""

        def __init__(self, inner: Any, metered: Metered) -> None:
            self._inner = inner
            self._metered = metered

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._inner:
                self._metered.feed(chunk)
                yield chunk
            self._metered.ended(complete=True)

        async def aclose(self) -> None:
            self._metered.ended(complete=False)
            await self._inner.aclose()

    return Tapped


def _async_transport_class(kit: _Kit, library: Any) -> Any:
    tapped = _async_tap_class(library)

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc]
        """Lets admitted requests pass."""

        def __init__(self, gate: Gate, inner: Any, terms: Terms) -> None:
            self._gate = gate
            self._inner = inner
            self._terms = terms
            self._route: Any = None

        async def handle_async_request(self, request: Any) -> Any:
            if is_passing():
                return await self._inner.handle_async_request(request)
            stated = kit.stated(request)
            try:
                metered = Metered(self._gate, stated, self._terms)
                await metered.reserve_async()
            except SpendgateError as error:
                return kit.refused(request, error)
            try:
                sent = kit.to_send(request, stated, metered.request)
                with passing():
                    response = await _sender(self, metered, sent).handle_async_request(sent)
            except BaseException as fault:
                metered.failed(sent=not isinstance(fault, kit.unsent))
                raise
            kit.keep(request, response)
            if metered.is_elsewhere:
                response = kit.answered(response)
            if metered.answered(response.status_code, response.headers):
                response.stream = tapped(response.stream, metered)
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Transport
