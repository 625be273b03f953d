"""Recordings and shapes, damaged: fields dropped or of another type, bytes cut, flipped or said twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.wire.recordings import FOLDER, NAMES, Exchange, exchanges
from tests.wire.test_shapes import SHAPES

MOST_BYTES = 60_000
"""Longer exchanges (images in base64) add nothing but time."""

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    0.5,
    1e300,
    10**15,
    10**40,
    "",
    "NaN",
    "\ud800",
    "x" * 10_000,
    [],
    {},
    [[]],
    {"type": "error"},
    {"usage": {"input_tokens": 1}},
]
NESTED = b'{"a":' * 100_000
LONG_NUMBER = b"9" * 5_000


@cache
def samples() -> tuple[Exchange, ...]:
    """What is damaged: every recording that is there and not too long, and every shape."""
    recorded = [one for name in NAMES for one in exchanges(FOLDER / name)]
    kept = [one for one in recorded if len(one.body) + len(one.request.body) <= MOST_BYTES]
    return (*kept, *(shape.exchange for shape in SHAPES))


@st.composite
def damaged(draw: st.DrawFn) -> Exchange:
    """An exchange of which a part was damaged, once or a few times."""
    exchange = samples()[draw(st.integers(0, len(samples()) - 1))]
    for _ in range(draw(st.integers(1, 3))):
        damage = draw(st.sampled_from([_field, _field, _field, _bytes, _bytes, _event, _status]))
        exchange = damage(draw, exchange)
    return exchange


def _status(draw: st.DrawFn, exchange: Exchange) -> Exchange:
    return replace(exchange, status=draw(st.sampled_from([0, 200, 200, 206, 302, 400, 429, 500, 504])))


def _event(draw: st.DrawFn, exchange: Exchange) -> Exchange:
    """An event is left out, or comes twice."""
    parts = exchange.body.split(b"\n\n")
    at = draw(st.integers(0, len(parts) - 1))
    parts[at : at + 1] = [parts[at]] * draw(st.sampled_from([0, 2, 5]))
    return replace(exchange, body=b"\n\n".join(parts))


def _bytes(draw: st.DrawFn, exchange: Exchange) -> Exchange:
    """Bytes are cut off, flipped, or others come between."""
    body = bytearray(exchange.body)
    at = draw(st.integers(0, len(body)))
    what = draw(st.sampled_from(["cut", "flip", "gap", "nest", "number", "noise"]))
    if what == "cut":
        del body[at:]
    elif what == "flip" and at < len(body):
        body[at] ^= 1 << draw(st.integers(0, 7))
    elif what == "gap":
        del body[at : at + draw(st.integers(1, 200))]
    else:
        noise = {"nest": NESTED, "number": LONG_NUMBER}.get(what) or draw(st.binary(max_size=20))
        body[at:at] = noise
    return replace(exchange, body=bytes(body))


def _field(draw: st.DrawFn, exchange: Exchange) -> Exchange:
    """A field of the request's or the answer's JSON is dropped or has another value."""
    if draw(st.booleans()):
        return replace(exchange, body=_in_json(draw, exchange.body))
    return replace(exchange, request=replace(exchange.request, body=_in_json(draw, exchange.request.body)))


def _in_json(draw: st.DrawFn, body: bytes) -> bytes:
    """Damages one JSON document of those that a body holds: the whole, or the data of an event."""
    lines = body.split(b"\n")
    holders = [at for at, line in enumerate(lines) if line.removeprefix(b"data:").strip()[:1] in (b"{", b"[")]
    if not holders:
        return body
    at = holders[draw(st.integers(0, len(holders) - 1))]
    start = b"data: " if lines[at].startswith(b"data:") else b""
    try:
        document = json.loads(lines[at].removeprefix(b"data:"))
    except (ValueError, RecursionError):
        return body
    lines[at] = start + json.dumps(_altered(draw, document)).encode()
    return b"\n".join(lines)


def _altered(draw: st.DrawFn, document: Any) -> Any:
    """The document with one of its fields, at any depth, dropped or altered."""
    places = list(_places(document))
    if not places:
        return draw(st.sampled_from(ODD))
    holder, key = places[draw(st.integers(0, len(places) - 1))]
    if draw(st.booleans()):
        del holder[key]
    else:
        change: Callable[[Any], Any] = draw(st.sampled_from([_other(draw), lambda value: [value], str, _negative]))
        holder[key] = change(holder[key])
    return document


def _other(draw: st.DrawFn) -> Callable[[Any], Any]:
    value = draw(st.sampled_from(ODD))
    return lambda _: value


def _negative(value: Any) -> Any:
    return -value if isinstance(value, int | float) else None


def _places(document: Any) -> Any:
    """Every field and element: what holds it, and where."""
    rest = [document]
    while rest:
        part = rest.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        for key in keys:
            yield part, key
            rest.append(part[key])
