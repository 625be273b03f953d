"""What Bedrock and Gemini answer, whole and as streams, for the provider on loopback to send."""

import json
import struct
from typing import Any
from zlib import crc32

EVENT_STREAM = "application/vnd.amazon.eventstream"
AWS_ERRORS = {429: "ThrottlingException", 500: "InternalServerException"}
"""How AWS names the errors of these statuses, in a header that others do not mind."""


def converse(used: dict[str, int]) -> dict[str, Any]:
    """Bedrock's whole answer."""
    message = {"role": "assistant", "content": [{"text": "hi hi hi"}]}
    return {
        "output": {"message": message}, "stopReason": "end_turn", "metrics": {"latencyMs": 1}, "usage": _tokens(used),
    }  # fmt: skip


def converse_stream(used: dict[str, int]) -> list[bytes]:
    """The same answer as AWS's event stream."""
    text = {"contentBlockIndex": 0, "delta": {"text": "hi "}}
    return [
        _frame("messageStart", {"role": "assistant"}),
        *[_frame("contentBlockDelta", text)] * 3,
        _frame("contentBlockStop", {"contentBlockIndex": 0}),
        _frame("messageStop", {"stopReason": "end_turn"}),
        _frame("metadata", {"usage": _tokens(used), "metrics": {"latencyMs": 1}}),
    ]


def generated(used: dict[str, int], text: str = "hi hi hi", reason: str | None = "STOP") -> dict[str, Any]:
    """Gemini's whole answer, or one event of its stream."""
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
    usage = {"promptTokenCount": used["input"], "candidatesTokenCount": used["output"]}
    return {
        "candidates": [candidate | ({"finishReason": reason} if reason else {})], "modelVersion": "gemini-2.5-flash",
        "usageMetadata": usage | {"totalTokenCount": sum(usage.values())}, "responseId": "g1",
    }  # fmt: skip


def generated_stream(used: dict[str, int]) -> list[bytes]:
    """The same answer as server-sent events; each states what was used so far."""
    so_far = [generated(used | {"output": count}, "hi ", None) for count in (1, 2)]
    return [f"data: {json.dumps(one)}\r\n\r\n".encode() for one in [*so_far, generated(used, "hi ")]]


def _tokens(used: dict[str, int]) -> dict[str, int]:
    total = used["input"] + used["output"]
    return {"inputTokens": used["input"], "outputTokens": used["output"], "totalTokens": total}


def _frame(event: str, payload: dict[str, Any]) -> bytes:
    """A message of an event stream: lengths, headers and payload, with their checksums."""
    named = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    body = json.dumps(payload).encode()
    start = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    start += struct.pack(">I", crc32(start))
    message = start + headers + body
    return message + struct.pack(">I", crc32(message))
