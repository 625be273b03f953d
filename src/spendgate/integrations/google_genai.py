"""google-genai: clients whose calls pass the gate, whatever they send with: httpx2, httpx, aiohttp or requests.

client = gate.wrap(genai.Client())

Live sessions speak over websockets, which are not gated.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from google.genai import Client
from google.genai._api_client import BaseApiClient

from spendgate import attribution
from spendgate.gate import Gate
from spendgate.integrations.httpx import gated_client
from spendgate.metering import Terms

Gating = Callable[[Gate, Terms, Any], Any]


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A client like the one given whose calls pass the gate, and those of its `aio`. It shares the connections.

    Raises:
        TypeError: it is no client of google-genai.
    """
    if not isinstance(client, Client):
        raise TypeError(f"{type(client)!r} is no google.genai.Client")
    gated = _with(client, _api_client(gate, client._api_client, terms))
    of: Any = type(client)
    gated.__class__ = _kept_open(of)
    gated._spendgate_original = client  # whoever drops the original must not close its connections under this one
    return gated


def _with(thing: Any, api_client: Any) -> Any:
    """A copy of a client, or of a part of it such as `models`, that sends with another API client."""
    found = object.__new__(type(thing))
    for name, value in vars(thing).items():
        if name == "_api_client":
            found.__dict__[name] = api_client
        elif name != "_spendgate_original" and isinstance(getattr(value, "_api_client", None), BaseApiClient):
            found.__dict__[name] = _with(value, api_client)
        else:
            found.__dict__[name] = value
    for name in LAZY & vars(found).keys():
        found.__dict__[name] = None  # made when they are used first, of the API client that is there then
    return found


LAZY = {
    "_agents",
    "_credentials",
    "_decisions",
    "_environments",
    "_interactions",
    "_nextgen_client_instance",
    "_triggers",
    "_voices",
    "_webhooks",
}
"""Parts of a client that are made when they are used first."""


def _api_client(gate: Gate, client: Any, terms: Terms) -> Any:
    """A copy of the part that sends."""
    found = object.__new__(_gated(client.__class__))
    found.__dict__.update(client.__dict__)
    found._spendgate = (gate, terms)
    found._aiohttp_sessions = {}
    _gate_what_is_set(found, "_authorized_session", _requests, gate, terms)
    if client._httpx_client is not None:
        found._httpx_client = gated_client(gate, client._httpx_client, terms)
    if client._async_httpx_client is not None:
        found._async_httpx_client = _async_client(gate, client._async_httpx_client, terms)
    return found


def _async_client(gate: Gate, client: Any, terms: Terms) -> Any:
    """A copy of an awaited client; the SDK's own has a client inside for each event loop, which is what sends."""
    found = gated_client(gate, client, terms)
    if hasattr(client, "_client_for_running_loop"):
        found.__class__ = _gated_for_each_loop(found.__class__)
        found._spendgate = (gate, terms)
    return found


@cache
def _gated_for_each_loop(kind: Any) -> Any:
    def _client_for_running_loop(self: Any) -> Any:
        gate, terms = self._spendgate
        return gated_client(gate, kind._client_for_running_loop(self), terms)

    methods = {"_client_for_running_loop": _client_for_running_loop, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), methods)


@cache
def _gated(kind: Any) -> Any:
    """A subclass of an API client that gates the sessions which it makes when they are needed."""

    async def _get_aiohttp_session(self: Any) -> Any:
        session = await kind._get_aiohttp_session(self)
        gate, terms = self._spendgate
        if not hasattr(session, "_auth_request"):
            return _aiohttp(gate, terms, session)
        if not hasattr(session, "_spendgate"):
            _gate_what_is_set(session, "_auth_request", _auth_request, gate, terms)
        return session

    def _request_once(self: Any, http_request: Any, *args: Any, **kwargs: Any) -> Any:
        return send_once(partial(kind._request_once, self), http_request, *args, **kwargs)

    async def _async_request_once(self: Any, http_request: Any, *args: Any, **kwargs: Any) -> Any:
        return await send_once_async(partial(kind._async_request_once, self), http_request, *args, **kwargs)

    own = (_get_aiohttp_session, _request_once, _async_request_once)
    methods = {method.__name__: method for method in own if hasattr(kind, method.__name__)}
    return type(kind.__name__, (kind,), {**methods, "__del__": lambda _: None, "__module__": kind.__module__})


def send_once(send: Callable[..., Any], request: Any, *args: Any, **kwargs: Any) -> Any:
    """Sends a request with a method of the SDK's, which hands in the same one each time it sends it again."""
    with attribution.scope(attempt=_attempt(request)):
        return send(request, *args, **kwargs)


async def send_once_async(send: Callable[..., Any], request: Any, *args: Any, **kwargs: Any) -> Any:
    """The same, awaited."""
    with attribution.scope(attempt=_attempt(request)):
        return await send(request, *args, **kwargs)


def _attempt(request: Any) -> int:
    """Which attempt this sending of a request is; it is counted on the request, which nobody else sends."""
    sent: int = vars(request).get("_spendgate_sent", 0)
    request._spendgate_sent = sent + 1
    return max(attribution.current().attempt, 1) + sent


def _gate_what_is_set(thing: Any, name: str, gated: Gating, gate: Gate, terms: Terms) -> None:
    """Has an attribute of an object be gated now, and whenever it is set."""
    thing.__dict__["_spendgate"] = (gate, terms)
    thing.__class__ = _gating(thing.__class__, name, gated)
    setattr(thing, name, thing.__dict__.get(name))


@cache
def _gating(kind: Any, name: str, gated: Gating) -> Any:
    def get(self: Any) -> Any:
        return self.__dict__[name]

    def put(self: Any, value: Any) -> None:
        gate, terms = self._spendgate
        self.__dict__[name] = None if value is None else gated(gate, terms, value)

    return type(kind.__name__, (kind,), {name: property(get, put), "__module__": kind.__module__})


def _aiohttp(gate: Gate, terms: Terms, session: Any) -> Any:
    from spendgate.integrations import aiohttp

    return aiohttp.wrap(gate, session, terms)


def _requests(gate: Gate, terms: Terms, session: Any) -> Any:
    from spendgate.integrations import requests

    return requests.wrap(gate, session, terms)


def _auth_request(gate: Gate, terms: Terms, request: Any) -> Any:
    """What google-auth sends with over aiohttp; it makes its session when it first sends."""
    _gate_what_is_set(request, "_session", _aiohttp, gate, terms)
    return request


@cache
def _kept_open(kind: Any) -> Any:
    """A class of clients that does not close its connections when it is garbage: they belong to the original."""
    return type(kind.__name__, (kind,), {"__del__": lambda _: None, "__module__": kind.__module__})
