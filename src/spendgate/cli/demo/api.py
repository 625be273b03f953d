"""A paid API on loopback. It bills every token that it reads and writes, and keeps its own account of it.

It knows nothing of spendgate: what it charged is the truth that the ledger is held against at the end.
"""

import json
import threading
from dataclasses import astuple, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from spendgate.cli.demo.family import hear, say, stay_while_wanted
from spendgate.cli.demo.story import HAIKU, OPUS, POISONED, SONNET
from spendgate.clock import MINUTE, SECOND, Clock, FastClock

PRICES = {HAIKU: (1_000, 5_000), SONNET: (3_000, 15_000), OPUS: (5_000, 25_000)}
"""Nano-dollars for a token read and a token written: list prices, written down a second time."""
TOKENS_A_SECOND = 200
"""How fast each customer is written for. One who came late may catch up with a minute of it."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the provider's bill; `usd` is in nano-dollars."""

    at: int
    customer: str
    model: str
    input_tokens: int
    output_tokens: int
    usd: int


class PaidApi:
    """Answers and charges. Threads share it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.charges: list[Charge] = []
        self.billed = 0
        self._free_at: dict[str, int] = {}
        self._lock = threading.Lock()

    def answer(self, customer: str, request: dict[str, Any]) -> dict[str, Any]:
        """Writes an answer up to the request's cap, takes its time, and charges for it."""
        read, written, model = request["input_tokens"], request["max_tokens"], request["model"]
        self._write_for(customer, written)
        per_read, per_written = PRICES[model]
        charge = Charge(self.clock.now(), customer, model, read, written, read * per_read + written * per_written)
        with self._lock:
            self.charges.append(charge)
            self.billed += charge.usd
        text = '{"title": "Quarterly rep' if request["record"] == POISONED else '{"title": "Quarterly report"}'
        return {"text": text, "usage": {"input_tokens": read, "output_tokens": written}}

    def _write_for(self, customer: str, tokens: int) -> None:
        now_at = self.clock.now()
        begin_at = max(self._free_at.get(customer, now_at), now_at - MINUTE)
        done_at = begin_at + tokens * SECOND // TOKENS_A_SECOND
        self._free_at[customer] = done_at
        if done_at > now_at:
            self.clock.sleep((done_at - now_at) / SECOND)

    def bill(self) -> dict[str, int]:
        """What was charged so far."""
        with self._lock:
            return {"usd": self.billed, "calls": len(self.charges)}

    def account(self) -> list[Any]:
        """Every charge, as plain data."""
        with self._lock:
            return [astuple(charge) for charge in self.charges]


def server(api: PaidApi) -> ThreadingHTTPServer:
    """A server on a free port of loopback: `POST /v1/messages`, `GET /bill`, `GET /account`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer leaves in one piece
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(api.answer(self.headers["x-api-key"], request))

        def do_GET(self) -> None:
            self._reply(api.account() if self.path == "/account" else api.bill())

        def _reply(self, data: Any) -> None:
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The bill is the log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A customer who hangs up, when the night is over, is no fault."""

    return Server(("127.0.0.1", 0), Handler)


def main() -> None:
    """The API as a process of its own: says its port, hears the time of the night, serves until its parent is gone."""
    waiting = PaidApi(FastClock(0, 1))
    serving = server(waiting)
    say(port=serving.server_port)
    told = hear()
    waiting.clock = FastClock(told["origin_at"], told["speed"], told["started_at"])
    stay_while_wanted()
    serving.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
