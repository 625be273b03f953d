"""Where libraries send, and what stands there while they are instrumented.

Each patch is given who admits a request, what it stands for, the object it is called on, and what it is called with. It
must import its library's integration only when it is called: the library is there then.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from spendgate.gate import Gate
from spendgate.metering import OWN, Terms

Admitting = Callable[[str, Mapping[Any, Any]], tuple[Gate, Terms] | None]
"""From the URL and the headers of a request to the gate that must admit it; None where it may pass."""


class _Sender:
    """What the library itself sends with."""

    def __init__(self, send: Any) -> None:
        self.handle_request = self.handle_async_request = send


def _httpx(admitting: Admitting, send: Any, instance: Any, request: Any) -> Any:
    found = admitting(str(request.url), request.headers)
    if found is None:
        return send(_without_own(request))
    from spendgate.integrations.httpx import library_of, transport

    gate, terms = found
    return transport(gate, _Sender(send), library_of(instance), **_named(terms)).handle_request(request)


def _httpx_async(admitting: Admitting, send: Any, instance: Any, request: Any) -> Any:
    found = admitting(str(request.url), request.headers)
    if found is None:
        return send(_without_own(request))
    from spendgate.integrations.httpx import async_transport, library_of

    gate, terms = found
    return async_transport(gate, _Sender(send), library_of(instance), **_named(terms)).handle_async_request(request)


def _requests(admitting: Admitting, send: Any, instance: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    found = admitting(request.url, request.headers)
    if found is None:
        return send(_without_own(request), *args, **kwargs)
    from spendgate.integrations import requests

    gate, terms = found
    return requests.send(gate, terms, instance, request, *args, method=getattr(send, "__func__", None), **kwargs)


def _aiohttp(admitting: Admitting, send: Any, instance: Any, method: Any, str_or_url: Any, **kwargs: Any) -> Any:
    try:
        url = str(instance._build_url(str_or_url))  # of a session with a base URL
    except (AttributeError, TypeError, ValueError):
        url = str(str_or_url)
    headers = {**dict(instance.headers), **dict(kwargs.get("headers") or {})}
    found = admitting(url, headers)
    if found is None:
        if not any(str(name).lower() in OWN for name in headers):
            return send(method, str_or_url, **kwargs)
        others = kwargs.pop("middlewares", None)
        others = instance._middlewares if others is None else others
        return send(method, str_or_url, middlewares=(*others, _sent_without_own), **kwargs)
    from spendgate.integrations import aiohttp

    gate, terms = found
    return aiohttp.request(gate, terms, instance, send, method, str_or_url, **kwargs)


def _botocore(admitting: Admitting, send: Any, instance: Any, request: Any) -> Any:
    from spendgate.integrations import boto3

    is_wrapped = isinstance(instance.http_session, boto3.Session)
    found = None if is_wrapped else admitting(request.url, request.headers)
    if found is None:
        return send(request)
    gate, terms = found
    return boto3.send(gate, boto3.terms_for(terms, instance), send, request)


def _genai(_: Admitting, send: Any, __: Any, *args: Any, **kwargs: Any) -> Any:
    from spendgate.integrations import google_genai

    return google_genai.send_once(send, *args, **kwargs)


def _genai_async(_: Admitting, send: Any, __: Any, *args: Any, **kwargs: Any) -> Any:
    from spendgate.integrations import google_genai

    return google_genai.send_once_async(send, *args, **kwargs)


def _without_own(request: Any) -> Any:
    """A request that no gate looks at, without our own headers all the same: they never leave the machine."""
    for name in OWN:
        request.headers.pop(name, None)
    return request


async def _sent_without_own(request: Any, handler: Callable[[Any], Any]) -> Any:
    return await handler(_without_own(request))


def _named(terms: Terms) -> dict[str, Any]:
    return {one.name: getattr(terms, one.name) for one in fields(terms) if one.init}


_HTTPX = {"HTTPTransport.handle_request": _httpx, "AsyncHTTPTransport.handle_async_request": _httpx_async}

PATCHES: dict[str, dict[str, Callable[..., Any]]] = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "httpx_aiohttp": {"AiohttpTransport.handle_async_request": _httpx_async},
    "requests.adapters": {"HTTPAdapter.send": _requests},
    "aiohttp.client": {"ClientSession._request": _aiohttp},
    "botocore.endpoint": {"Endpoint._send": _botocore},
    "google.genai._api_client": {
        "BaseApiClient._request_once": _genai,
        "BaseApiClient._async_request_once": _genai_async,
    },
}
"""By module: the methods that are replaced, and by what."""
COUNTING = frozenset({"google.genai._api_client"})
"""Modules whose methods only tell attempts apart: where one is missing, what is sent passes the gate all the same."""
