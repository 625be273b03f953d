"""One worker of the night, as a process of its own: what many programs look like, with or without the gate."""

import json
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import spendgate
from spendgate.cli.demo.family import hear, say, stay_while_wanted
from spendgate.cli.demo.story import (
    BEGINS_AT,
    BETWEEN_CALLS,
    CALLS_A_RUN,
    PROVIDER,
    RETRY_PAUSE_S,
    STAGGER,
    WORKERS,
    Request,
    route,
)
from spendgate.clock import HOUR, SECOND, Clock, FastClock
from spendgate.pricing.book import PriceBook

Ask = Callable[[Request, str], dict[str, Any]]


class Api:
    """The client of the paid API."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._headers = {"Content-Type": "application/json", "x-api-key": key}

    def post(self, request: Request, record: str) -> dict[str, Any]:
        """Sends one paid call."""
        data = {"model": request.model, "input_tokens": request.input_tokens, "max_tokens": request.max_output_tokens}
        body = json.dumps({**data, "record": record}).encode()
        self._connection.request("POST", "/v1/messages", body, self._headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


def gated(gate: spendgate.Gate, service: str, post: Ask) -> Ask:
    """The same call, with the gate in front of it."""

    def ask(request: Request, record: str) -> dict[str, Any]:
        stated = {"input_tokens": request.input_tokens, "max_output_tokens": request.max_output_tokens}
        with gate.call(request.model, provider=PROVIDER, service=service, key=record, **stated) as paid:  # type: ignore[arg-type]
            answer = post(request, record)
            paid.settle(usage=answer["usage"])
        return answer

    return ask


class Worker:
    """Wakes up every hour and works on four records; `tally` counts what came of it."""

    def __init__(self, number: int, ask: Ask, clock: Clock, until_at: int) -> None:
        self.number = number
        self.ask = ask
        self.clock = clock
        self.until_at = until_at
        self.tally = {"answered": 0, "refused": 0, "malformed": 0, "failed": 0}

    def work(self, origin_at: int) -> None:
        """Works until the night is over."""
        run_at = origin_at + self.number * STAGGER
        while self._wait_until(run_at):
            for index in range(1, CALLS_A_RUN + 1):
                self._process(f"record-{self.number + 1}-{index}")
                self._wait_until(run_at + index * BETWEEN_CALLS)
            run_at += HOUR

    def _process(self, record: str) -> None:
        attempt = 0
        while self.clock.now() < self.until_at:  # maxRetries = Infinity
            attempt += 1
            try:
                answer = self.ask(route(attempt), record)
                json.loads(answer["text"])
            except Exception as problem:  # noqa: BLE001 - the `except` of that night, which catches everything
                self._count(problem)
                self.clock.sleep(RETRY_PAUSE_S)
            else:
                self.tally["answered"] += 1
                return

    def _count(self, problem: Exception) -> None:
        kinds = {spendgate.RefusedError: "refused", json.JSONDecodeError: "malformed"}
        self.tally[next((name for kind, name in kinds.items() if isinstance(problem, kind)), "failed")] += 1

    def _wait_until(self, at: int) -> bool:
        span = min(at, self.until_at) - self.clock.now()
        if span > 0:
            self.clock.sleep(span / SECOND)
        return at < self.until_at


def main() -> None:
    """Says that it is ready, hears when the night begins, works, and says what came of it."""
    service, config = sys.argv[1], sys.argv[2]
    prices = PriceBook()
    for attempt in (1, 3, 4):
        prices.price(PROVIDER, route(attempt).model, BEGINS_AT)  # loads the price list, before the night begins
    say(ready=True)
    told = hear()
    stay_while_wanted()
    clock = FastClock(told["origin_at"], told["speed"], told["started_at"])
    ask: Ask = Api(told["port"], service).post
    gate = spendgate.open(Path(config), clock=clock, env={}) if config else None
    if gate is not None:
        ask = gated(gate, service, ask)
    worker = Worker(WORKERS.index(service), ask, clock, told["until_at"])
    worker.work(told["origin_at"])
    if gate is not None:
        gate.close()
    say(**worker.tally)


if __name__ == "__main__":
    main()
