"""What Bedrock, Gemini and OpenAI's responses answer, whole and as streams, for the provider on loopback to send."""

import base64
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


def invoke_stream(events: list[dict[str, Any]], used: dict[str, int]) -> list[bytes]:
    """Events of a model's own, as Bedrock hands them on; the last has what Bedrock itself has counted."""
    counted = {"inputTokenCount": used["input"], "outputTokenCount": used["output"], "invocationLatency": 1}
    events = [*events[:-1], {**events[-1], "amazon-bedrock-invocationMetrics": counted}]
    return [_frame("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode()}) for one in events]


def response(used: dict[str, int], status: str = "completed") -> dict[str, Any]:
    """OpenAI's response."""
    text = {"type": "output_text", "text": "hi hi hi", "annotations": []}
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    done = status == "completed"
    usage = {
        "input_tokens": used["input"], "input_tokens_details": {"cached_tokens": 0}, "output_tokens": used["output"],
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": used["input"] + used["output"],
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o-2024-08-06", "status": status,
        "output": [item] if done else [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": usage if done else None,
    }  # fmt: skip


def response_stream(used: dict[str, int]) -> list[bytes]:
    """The same as the events of its stream."""
    item, place = response(used)["output"][0], {"output_index": 0}
    part = {"content_index": 0, "item_id": "m1", **place}
    delta = {"type": "response.output_text.delta", "delta": "hi ", "logprobs": [], **part}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(used, "in_progress")},
        {"type": "response.output_item.added", "item": {**item, "content": []}, **place},
        {"type": "response.content_part.added", "part": {**item["content"][0], "text": ""}, **part},
        *[delta] * 3,
        {"type": "response.completed", "response": response(used)},
    ]
    return [
        f"event: {one['type']}\ndata: {json.dumps({**one, 'sequence_number': number})}\n\n".encode()
        for number, one in enumerate(events)
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
