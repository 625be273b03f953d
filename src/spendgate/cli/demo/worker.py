"""One worker of the night, as a process of its own: what many programs look like, with or without the gate."""

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
from spendgate.clock import HOUR, SECOND, Clock, FastClock, moment
from spendgate.pricing.book import PriceBook

Ask = Callable[[Request, str, int], dict[str, Any]]
Job = Callable[[str], AbstractContextManager[object]]


class Api:
    """The client of the paid API."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._headers = {"Content-Type": "application/json", "x-api-key": key}

    def post(self, request: Request, record: str, _: int = 1) -> dict[str, Any]:
        """Sends one paid call."""
        self._connection.request("POST", "/v1/messages", body(request, record), self._headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


def body(request: Request, record: str) -> bytes:
    """What is sent for one call."""
    data = {"model": request.model, "input_tokens": request.input_tokens, "max_tokens": request.max_output_tokens}
    return json.dumps({**data, "record": record}).encode()


def gated(gate: spendgate.Gate, service: str, post: Ask, fingerprints: bool) -> Ask:
    """The same call, with the gate in front of it. What it states is what the wrapped clients state by themselves."""

    def ask(request: Request, record: str, attempt: int) -> dict[str, Any]:
        stated: dict[str, Any] = {"input_tokens": request.input_tokens, "max_output_tokens": request.max_output_tokens}
        stated |= {"attempt": attempt, "key": record}
        if fingerprints:
            stated["fingerprint"] = hashlib.sha256(body(request, record)).hexdigest()
        with gate.call(request.model, provider=PROVIDER, service=service, **stated) as paid:
            answer = post(request, record, attempt)
            paid.settle(usage=answer["usage"])
        return answer

    return ask


class Worker:
    """Wakes up every hour and works on four records; `tally` counts what came of it, and when it was first refused."""

    def __init__(self, number: int, ask: Ask, clock: Clock, until_at: int, job: Job = lambda _: nullcontext()) -> None:
        self.number = number
        self.ask = ask
        self.job = job
        self.clock = clock
        self.until_at = until_at
        self.tally = {"answered": 0, "refused": 0, "malformed": 0, "failed": 0, "refused_at": 0}

    def work(self, origin_at: int) -> None:
        """Works until the night is over."""
        run_at = origin_at + self.number * STAGGER
        while self._wait_until(run_at):
            with self.job(f"{WORKERS[self.number]}-{moment(run_at):%H:%M}"):
                for index in range(1, CALLS_A_RUN + 1):
                    self._process(f"record-{self.number + 1}-{index}")
                    self._wait_until(run_at + index * BETWEEN_CALLS)
            run_at += HOUR

    def _process(self, record: str) -> None:
        attempt = 0
        while self.clock.now() < self.until_at:  # maxRetries = Infinity
            attempt += 1
            try:
                answer = self.ask(route(attempt), record, attempt)
                json.loads(answer["text"])
            except Exception as problem:  # noqa: BLE001 - the `except` of that night, which catches everything
                self._count(problem)
                self.clock.sleep(RETRY_PAUSE_S)
            else:
                self.tally["answered"] += 1
                return

    def _count(self, problem: Exception) -> None:
        kinds = {spendgate.RefusedError: "refused", json.JSONDecodeError: "malformed"}
        found = next((name for kind, name in kinds.items() if isinstance(problem, kind)), "failed")
        self.tally[found] += 1
        if found == "refused" and not self.tally["refused_at"]:
            self.tally["refused_at"] = self.clock.now()

    def _wait_until(self, at: int) -> bool:
        span = min(at, self.until_at) - self.clock.now()
        if span > 0:
            self.clock.sleep(span / SECOND)
        return at < self.until_at


def main() -> None:
    """Says that it is ready, hears when the night begins, works, and says what came of it."""
    service, config, *flags = sys.argv[1:]
    prices = PriceBook()
    for attempt in (1, 3, 4):
        prices.price(PROVIDER, route(attempt).model, BEGINS_AT)  # loads the price list, before the night begins
    gate = spendgate.open(Path(config), clock=FastClock(BEGINS_AT, 0), env={}) if config else None
    say(ready=True)
    told = hear()
    stay_while_wanted()
    clock = FastClock(told["origin_at"], told["speed"], told["started_at"])
    ask: Ask = Api(told["port"], service).post
    if gate is not None:
        gate.clock = clock
        ask = gated(gate, service, ask, "fingerprints" in flags)
    job: Job = gate.task if gate is not None and "tasks" in flags else lambda _: nullcontext()
    worker = Worker(WORKERS.index(service), ask, clock, told["until_at"], job)
    worker.work(told["origin_at"])
    if gate is not None:
        gate.close()
    say(**worker.tally)


if __name__ == "__main__":
    main()
