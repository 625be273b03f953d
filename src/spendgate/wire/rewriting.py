"""Changes to a request, so that its answer can be read and its cost stays within what was set aside."""

import json
from collections.abc import Sequence
from functools import lru_cache

from spendgate.wire.exchange import Path

READABLE = frozenset({"gzip", "deflate", "identity", "x-gzip"})
"""Encodings of answers that can be read on the side."""


@lru_cache(maxsize=64)
def readable(accepted: str) -> str | None:
    """An `accept-encoding` without what cannot be read on the side; None where there is nothing to leave out."""
    offered = [part.strip() for part in accepted.split(",") if part.strip()]
    kept = [part for part in offered if part.partition(";")[0].strip().lower() in READABLE]
    return None if kept == offered else ", ".join(kept) or "identity"


def with_fields(body: bytes, changes: Sequence[tuple[Path, object]]) -> bytes:
    """A JSON body with some fields set, whatever stood there before.

    >>> with_fields(b'{"model": "m", "stream_options": null}', [(("stream_options", "include_usage"), True)])
    b'{"model":"m","stream_options":{"include_usage":true}}'

    Raises:
        ValueError: the body is no JSON object.
    """
    if not changes:
        return body
    document = json.loads(body)
    for path, value in changes:
        place = document
        for name in path[:-1]:
            if not isinstance(place.get(name), dict):
                place[name] = {}
            place = place[name]
        place[path[-1]] = value
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
