"""Writes AWS event streams, for tests of what reads them."""

import base64
import json
from typing import Any
from zlib import crc32


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame whose headers are all text."""
    lines = b"".join(
        bytes([len(name.encode())]) + name.encode() + b"\x07" + len(text.encode()).to_bytes(2, "big") + text.encode()
        for name, text in headers.items()
    )
    start = (16 + len(lines) + len(payload)).to_bytes(4, "big") + len(lines).to_bytes(4, "big")
    start += crc32(start).to_bytes(4, "big")
    return start + lines + payload + crc32(start + lines + payload).to_bytes(4, "big")


def event(name: str, data: Any) -> bytes:
    """An event with JSON."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(data).encode())


def chunk(data: Any) -> bytes:
    """An event of a model's own, as `invoke-with-response-stream` wraps it."""
    return event("chunk", {"bytes": base64.b64encode(json.dumps(data).encode()).decode(), "p": "abc"})


def failure(name: str, message: str) -> bytes:
    """What comes in place of an event."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())
