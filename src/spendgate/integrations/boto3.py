"""boto3 and botocore: clients, such as one for `bedrock-runtime`, that only let admitted requests pass.

client = gate.wrap(boto3.client("bedrock-runtime"))
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore import exceptions  # type: ignore[import-untyped]
from botocore.client import BaseClient  # type: ignore[import-untyped]

from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing, passing
from spendgate.integrations.urllib3 import tap
from spendgate.metering import RETRY, Metered, Terms
from spendgate.wire.exchange import Request

BEDROCK = "bedrock-runtime"
ATTEMPT = re.compile(r"\battempt=(\d{1,5})\b")
"""Where botocore says, in `amz-sdk-request`, how often it sends a call."""
UNSENT = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.ProxyConnectionError,
    exceptions.InvalidProxiesConfigError,
)
"""Errors that come before anything of the request is sent."""


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A client like the one given whose requests pass the gate; each retry of botocore is an attempt.

    It shares the connections and the event handlers of the one given.

    Raises:
        TypeError: it is no client of a service.
    """
    if not isinstance(client, BaseClient):
        raise TypeError(f"{type(client)!r} is no client of boto3")
    gated = _copy(client)
    gated._endpoint = _copy(client._endpoint)
    gated._endpoint.http_session = Session(gate, client._endpoint.http_session, terms_for(terms, client._endpoint))
    return gated


def terms_for(terms: Terms, endpoint: Any) -> Terms:
    """The terms for the calls of a service: Bedrock's models are priced as AWS prices them, at whatever host."""
    is_bedrock = endpoint._endpoint_prefix == BEDROCK
    return replace(terms, provider="aws") if is_bedrock and not terms.provider else terms


class Session:
    """What botocore sends with. What it does not have itself is that of the session inside."""

    def __init__(self, gate: Gate, inner: Any, terms: Terms) -> None:
        self._gate = gate
        self._inner = inner
        self._terms = terms

    def send(self, request: Any) -> Any:
        """Sends a request, or raises the refusal, which botocore neither retries nor hides."""
        return send(self._gate, self._terms, self._inner.send, request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def send(gate: Gate, terms: Terms, inner: Callable[[Any], Any], request: Any) -> Any:
    """Sends a prepared request, once the gate has admitted it."""
    if is_passing():
        return inner(request)
    stated = _stated(request)
    metered = Metered(gate, stated, terms)
    metered.reserve()
    _change(request, stated, metered.request)
    try:
        with passing():
            response = inner(request)
    except BaseException as fault:
        metered.failed(sent=not isinstance(fault, UNSENT))
        raise
    if metered.answered(response.status_code, {name.lower(): value for name, value in response.headers.items()}):
        if request.stream_output and 200 <= response.status_code < 300:
            tap(response.raw, metered)
        else:
            metered.feed(response.content)
            metered.ended(complete=True)
    return response


def _copy(thing: Any) -> Any:
    """Another object with the same parts. `copy.copy` cannot: clients look for every attribute in their service."""
    found = object.__new__(type(thing))
    found.__dict__.update(thing.__dict__)
    return found


def _stated(request: Any) -> Request:
    """A request in our terms; without its body where the caller streams it."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    attempt = ATTEMPT.search(headers.get("amz-sdk-request", ""))
    if attempt:
        headers[RETRY] = str(max(0, int(attempt[1]) - 1))
    body = request.body
    if isinstance(body, str):
        body = body.encode()
    return Request(request.method, request.url, headers, bytes(body) if isinstance(body, bytes | bytearray) else b"")


def _change(request: Any, stated: Request, changed: Request) -> None:
    """Makes of a request what is to be sent; botocore makes a new one for each attempt."""
    if changed is stated:
        return
    for name in stated.headers.keys() - changed.headers.keys():
        del request.headers[name]
    for name, value in changed.headers.items():
        if stated.headers.get(name) != value:
            request.headers[name] = value
    if changed.body is not stated.body:
        request.body = changed.body
    if changed.url != stated.url:
        request.url = changed.url


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
