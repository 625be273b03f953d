"""Requests and answers for tests of the readers."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.reading import answer_reader, understand

OPENAI = "https://api.openai.com/v1"
SSE = {"content-type": "text/event-stream"}


def asked(url: str, body: Any = None, *, method: str = "POST", default: str = "") -> Asked:
    """What a request with this JSON asks for; the host must be a paid one."""
    found = understand(Request(method, url, {}, b"" if body is None else json.dumps(body).encode()), default)
    assert found is not None
    return found


def whole(what: Asked, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer that is one JSON document."""
    reader = answer_reader(what, status, {"content-type": "application/json", **(headers or {})})
    reader.feed(json.dumps(body).encode())
    return reader.end(True)


def streamed(what: Asked, documents: Iterable[Any], *, complete: bool = True) -> Answer:
    """The answer that comes as server-sent events; a text stands for itself."""
    reader = answer_reader(what, 200, SSE)
    for one in documents:
        reader.feed(f"data: {one if isinstance(one, str) else json.dumps(one)}\n\n".encode())
    return reader.end(complete)


def used(answer: Answer) -> dict[str, Any]:
    """The usage of an answer with one bill, as plain data."""
    (bill,) = answer.bills
    return bill.usage.to_json()
