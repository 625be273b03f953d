"""requests: sessions, and adapters to mount, that only let admitted requests pass.

session = gate.wrap(requests.Session())
session.mount("https://api.clearbit.com/", adapter(gate, service="enrichment"))
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from ssl import SSLCertVerificationError
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing, passing
from spendgate.integrations.urllib3 import tap
from spendgate.metering import OWN, RETRY, Metered, Terms
from spendgate.wire.exchange import Request

UNSENT = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    urllib3.exceptions.ConnectTimeoutError,  # new connections that fail are among these
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
    SSLCertVerificationError,
)
"""Errors that come before anything of the request is sent."""


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A session like the one given whose requests pass the gate, also through adapters that are mounted later.

    It shares the connections, headers and cookies of the one given.

    Raises:
        TypeError: it is no session.
    """
    if not isinstance(client, requests.Session):
        raise TypeError(f"{type(client)!r} is no requests.Session")
    of: Any = type(client)
    kind = _gated(of)
    gated = kind.__new__(kind)
    gated.__dict__.update(client.__dict__)
    gated.adapters = copy.copy(client.adapters)
    gated._spendgate = (gate, terms)
    return gated


def adapter(gate: Gate, inner: Any = None, **terms: Any) -> "Adapter":
    """An adapter for `session.mount`, around `inner` or a new `HTTPAdapter`. Terms: see `spendgate.metering.Terms`."""
    return Adapter(gate, inner or HTTPAdapter(), Terms(**terms))


class Adapter(BaseAdapter):
    """Lets admitted requests pass. What it does not have, such as `poolmanager`, is that of the adapter inside.

    Where it is not everywhere in its session, a redirect may lead past it: our own headers do not go along.
    """

    def __init__(self, gate: Gate, inner: Any, terms: Terms, is_everywhere: bool = False) -> None:
        super().__init__()
        self._gate = gate
        self._inner = inner
        self._terms = terms
        self._is_everywhere = is_everywhere

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Sends a request, or raises the refusal."""
        if is_passing():
            return self._inner.send(request, *args, **kwargs)
        response = send(self._gate, self._terms, self._inner, request, *args, **kwargs)
        if response.is_redirect and not self._is_everywhere:
            _without_own(request)
        response.connection = self  # which digest authentication sends again with
        return response

    def close(self) -> None:
        """Closes the adapter inside."""
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # not made yet, or being unpickled
            raise AttributeError(name)
        return getattr(self._inner, name)


def send(
    gate: Gate,
    terms: Terms,
    inner: Any,
    request: Any,
    *args: Any,
    method: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Sends a prepared request with an adapter, once the gate has admitted it. Each retry of urllib3 is an attempt.

    `method` is what sends, given an adapter and the request; by default the adapter's own `send`.
    """
    attempts = _Attempts(gate, terms, request)
    attempts.begin()
    sender = _counting(inner, attempts)
    if attempts.is_elsewhere:
        kwargs = _elsewhere(attempts.to_send.url, kwargs)
    try:
        with passing():
            sending = sender.send if method is None else partial(method, sender)
            response = sending(attempts.to_send, *args, **kwargs)
    except BaseException as fault:
        attempts.failed(fault)
        raise
    attempts.answered(response.status_code, response.headers, response.raw)
    response.request = request
    if attempts.is_elsewhere:
        _leads_nowhere(response)
    return response


def _without_own(request: Any) -> None:
    """Takes our own headers from a request that may be sent to where no gate is."""
    for name in OWN:
        request.headers.pop(name, None)


def _elsewhere(url: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """How to send to another address than the caller's: without his certificate, by a proxy only where one is meant."""
    proxies = kwargs.get("proxies") or {}
    is_direct = requests.utils.should_bypass_proxies(url, no_proxy=proxies.get("no_proxy"))
    return {**kwargs, "cert": None, "proxies": {} if is_direct else proxies}


def _leads_nowhere(response: Any) -> None:
    """Takes from an answer what would send the session on, with the caller's headers, or leave cookies in it."""
    response.headers.pop("location", None)
    response.cookies.clear()
    told = getattr(getattr(response.raw, "_original_response", None), "msg", None)
    if told is not None:
        del told["set-cookie"]


@cache
def _gated(kind: Any) -> Any:
    """A subclass of a kind of session that sends through the gate, whatever adapter it has for a URL."""

    def get_adapter(self: Any, url: Any) -> Any:
        found = kind.get_adapter(self, url)
        return found if isinstance(found, Adapter) else Adapter(self._spendgate[0], found, self._spendgate[1], True)

    return type(kind.__name__, (kind,), {"get_adapter": get_adapter, "__module__": kind.__module__})


class _Attempts:
    """The sends of one request: one, unless urllib3 was told to retry."""

    def __init__(self, gate: Gate, terms: Terms, request: Any) -> None:
        self._gate = gate
        self._terms = terms
        self._request = request
        self._stated = _stated(request)
        self._sent: Request | None = None
        self._retries = 0
        self._turned_away: Any = None
        self._metered: Metered | None = None
        self.is_elsewhere = False
        self._own = {name: self._stated.headers[name] for name in OWN if name in self._stated.headers}

    def begin(self) -> None:
        """Reserves for the next send. urllib3 sends the same again, so it cannot ask for less than the first time."""
        if self._sent is None:
            metered = Metered(self._gate, self._stated, self._terms)
        else:
            headers = {**self._own, **self._sent.headers, RETRY: str(self._retries)}
            metered = Metered(self._gate, replace(self._sent, headers=headers), self._terms, is_fixed=True)
        metered.reserve()
        self._metered = metered
        if self._sent is None:
            self._sent, self._terms, self.is_elsewhere = metered.request, metered.terms, metered.is_elsewhere
        self._turned_away = None

    @property
    def to_send(self) -> Any:
        """The request itself, unless the gate has changed it."""
        assert self._metered is not None  # noqa: S101 - it was begun
        changed = self._metered.request
        if changed is self._stated:
            return self._request
        request = self._request.copy()
        request.url = changed.url
        for name in self._stated.headers.keys() - changed.headers.keys():
            del request.headers[name]
        for name, value in changed.headers.items():
            if self._stated.headers.get(name) != value:
                request.headers[name] = value
        if changed.body is not self._stated.body:
            request.body = changed.body
        return request

    def failed(self, fault: BaseException | None) -> None:
        """No answer came, or none that is handed on."""
        if self._metered is None:
            return
        if self._turned_away is not None:
            self.answered(self._turned_away.status, self._turned_away.headers, None)
        self._metered.failed(sent=not is_unsent(fault))

    def answered(self, status: int, headers: Any, raw: Any) -> None:
        """An answer came; `raw` is where its bytes are read, None where nobody will."""
        assert self._metered is not None  # noqa: S101 - it was begun
        if self._metered.answered(status, {name.lower(): value for name, value in headers.items()}):
            if raw is None:
                self._metered.ended(complete=False)
            else:
                tap(raw, self._metered)

    def over(self, response: Any, error: Exception | None) -> None:
        """urllib3 does not hand this attempt on: it retries, or gives up."""
        if response is not None:
            self._turned_away = response
        else:
            self.failed(error)

    def again(self) -> None:
        """urllib3 is about to send again. Raises as `Gate.reserve` does."""
        if self._turned_away is not None:
            self.failed(None)
        self._metered = None
        self._retries += 1
        self.begin()


def _counting(inner: Any, attempts: _Attempts) -> Any:
    """The adapter itself, or for this request one like it whose retries are counted."""
    retries = getattr(inner, "max_retries", None)
    if not isinstance(retries, urllib3.Retry) or not isinstance(inner, HTTPAdapter) or retries.total == 0:
        return inner
    counted = object.__new__(type(inner))
    counted.__dict__.update(inner.__dict__)
    counted.max_retries = retries.new()
    of: Any = type(retries)
    counted.max_retries.__class__ = _counted(of)
    counted.max_retries.spendgate = attempts  # type: ignore[attr-defined]
    return counted


@cache
def _counted(kind: Any) -> Any:
    """Retries that tell of each attempt when it is over, and before the next one is sent."""

    class Counted(kind):  # type: ignore[misc]
        spendgate: _Attempts

        def new(self, **changes: Any) -> Any:
            found = super().new(**changes)
            found.spendgate = self.spendgate
            return found

        def increment(  # the names are urllib3's
            self,
            method: Any = None,
            url: Any = None,
            response: Any = None,
            error: Any = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            self.spendgate.over(response, error)
            return super().increment(method, url, response, error, *args, **kwargs)

        def sleep(self, response: Any = None) -> None:
            super().sleep(response)
            self.spendgate.again()

    return Counted


def _stated(request: Any) -> Request:
    """A request in our terms; without its body where the caller streams it."""
    headers = {_text(name).lower(): _text(value) for name, value in request.headers.items()}
    body = request.body
    if isinstance(body, str):
        body = body.encode()
    return Request(
        request.method or "", request.url or "", headers, bytes(body) if isinstance(body, bytes | bytearray) else b""
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def is_unsent(fault: BaseException | None) -> bool:
    """Whether an error came before anything of the request was sent; not, where it is not certain."""
    seen = 0
    while fault is not None and seen < 5:
        if isinstance(fault, UNSENT):
            return True
        inside = getattr(fault, "reason", None) or next(iter(fault.args), None)
        fault, seen = inside if isinstance(inside, BaseException) else None, seen + 1
    return False
