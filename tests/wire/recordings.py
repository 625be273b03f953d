"""Recorded exchanges with paid APIs, as vcr wrote them: the request, the answer and its body byte for byte."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from spendgate.wire.exchange import Request
from tests.conftest import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "recorded"
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))


@dataclass(frozen=True)
class Exchange:
    name: str
    request: Request
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def host(self) -> str:
        return urlsplit(self.request.url).hostname or ""

    @property
    def path(self) -> str:
        return urlsplit(self.request.url).path

    @property
    def asked(self) -> dict[str, Any]:
        """The request's JSON; empty where it sends none."""
        try:
            found = json.loads(self.request.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@lru_cache(maxsize=2000)
def exchanges(path: Path) -> tuple[Exchange, ...]:
    """All exchanges over HTTP of one recording, in order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    recorded = yaml.load(path.read_bytes(), loader)
    listed = recorded.get("interactions") if isinstance(recorded, dict) else None
    return tuple(_read(path.stem, one) for one in listed or () if "uri" in (one.get("request") or ()))


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """The body in pieces of so many bytes."""
    return (body[at : at + size] for at in range(0, len(body), size))


def _read(name: str, one: dict[str, Any]) -> Exchange:
    request, response = one["request"], one["response"]
    headers = _headers(response)
    body = _bytes(response)
    if not _is_encoded(headers.get("content-encoding", ""), body):
        headers.pop("content-encoding", None)  # vcr decodes what it records, and may leave the header
    status = response["status"]
    return Exchange(
        name=name,
        request=Request(request["method"], request["uri"], _headers(request), _bytes(request)),
        status=status["code"] if isinstance(status, dict) else int(status),
        headers=headers,
        body=body,
    )


def _headers(message: dict[str, Any]) -> dict[str, str]:
    listed = message.get("headers") or {}
    return {name.lower(): _text(value) for name, value in listed.items()}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(message: dict[str, Any]) -> bytes:
    """A body as recorders keep it: as text or bytes, in base64, or taken apart as JSON, with or without saying so."""
    if message.get("parsed_body") is not None:
        return json.dumps(message["parsed_body"]).encode()
    body = message.get("body", message.get("content"))
    if not isinstance(body, dict):
        return _raw(body)
    if "base64_string" in body:
        return base64.b64decode(body["base64_string"])
    if "string" in body:
        return _raw(body["string"])
    if "type" not in body or not body.keys() <= {"type", "content"}:
        return json.dumps(body).encode()
    held = body.get("content")
    if body["type"] in {"base64", "binary", "bytes"} and isinstance(held, str):
        return base64.b64decode(held)
    return _raw(held) if isinstance(held, str | bytes) or held is None else json.dumps(held).encode()


def _raw(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _is_encoded(encoding: str, body: bytes) -> bool:
    starts = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
    if encoding in starts:
        return body.startswith(starts[encoding])
    return body.lstrip()[:1] not in (b"{", b"[", b"d", b"e", b":", b"")
