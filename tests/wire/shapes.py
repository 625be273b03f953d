"""Exchanges in the shapes that providers document, written small: what was asked, what came back, what it bills.

Whole answers are JSON; a list is a stream of server-sent events. `bills` are (model, usage, cost in nano-dollars).
"""

import json
from dataclasses import dataclass, field
from typing import Any

from spendgate.wire.exchange import Request
from tests.wire.frames import event
from tests.wire.recordings import Exchange

Bills = list[tuple[str, dict[str, int], int | None]]

HI = [{"role": "user", "content": "hi there"}]
PARTS = [{"parts": [{"text": "hi there"}]}]


@dataclass(frozen=True)
class Shape:
    """One exchange, and what has to come out of it."""

    name: str
    url: str
    sent: Any
    got: Any
    kind: str = "billed"
    bills: Bills = field(default_factory=list)
    method: str = "POST"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def exchange(self) -> Exchange:
        body = b"" if self.sent is None else self.sent if isinstance(self.sent, bytes) else json.dumps(self.sent).encode()
        kind, answer = _answer(self.got)
        headers = {"content-type": kind, **self.headers}
        return Exchange(self.name, Request(self.method, self.url, {}, body), self.status, headers, answer)


def _answer(got: Any) -> tuple[str, bytes]:
    if isinstance(got, bytes):
        return "application/json", got
    if isinstance(got, list) and got and isinstance(got[0], tuple):
        return "application/vnd.amazon.eventstream", b"".join(event(name, body) for name, body in got)
    if isinstance(got, list):
        texts = (one if isinstance(one, str) else f"data: {json.dumps(one)}\n\n" for one in got)
        return "text/event-stream", "".join(texts).encode()
    return "application/json", json.dumps(got).encode()
