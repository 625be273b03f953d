"""One night from its start to its end: the paid API and six workers as processes, and what came of it."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spendgate.cli.demo.api import Charge
from spendgate.cli.demo.story import BEGINS_AT, RUNAWAY, WORKERS, Defence
from spendgate.clock import SECOND, FastClock, SystemClock, moment
from spendgate.errors import SpendgateError
from spendgate.gate import Gate
from spendgate.ledger import Event
from spendgate.opening import open as open_gate

LEAD = SECOND // 2
"""How long before the night begins the workers hear of it."""
LOOK_EVERY_S = 0.08
PATIENCE_S = 60
END_S = 5


class DemoError(SpendgateError):
    """The demo could not be played on this machine."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be seen from outside at one moment; `usd` is the provider's bill. `state` says what the gate does."""

    at: int
    usd: int
    calls: int
    state: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A night that is over.

    `charges` is the provider's account. `ledger_usd` and `ledger_calls` are the gate's, `events` its changes of state;
    without a gate they are None and empty. `tallies` are the workers' own, by service.
    """

    defence: Defence
    ended_at: int
    charges: tuple[Charge, ...]
    tallies: dict[str, dict[str, int]]
    ledger_usd: int | None = None
    ledger_calls: int | None = None
    events: tuple[Event, ...] = ()

    @property
    def usd(self) -> int:
        """The provider's bill, in nano-dollars."""
        return sum(charge.usd for charge in self.charges)

    @property
    def agree(self) -> bool:
        """Whether the ledger has what the provider charged: every call, to the nano-dollar."""
        return self.ledger_usd in (None, self.usd) and self.ledger_calls in (None, len(self.charges))


class Night:
    """The processes of one night, ready to begin. Leaving the block ends those that are still there, whatever happened.

    Raises:
        DemoError: a process did not come up, or ended before its time.
    """

    def __init__(self, defence: Defence, folder: Path, speed: float, until_at: int) -> None:
        self.defence = defence
        self.folder = folder
        self.speed = speed
        self.until_at = until_at
        self.clock = FastClock(BEGINS_AT, speed)
        self._gate: Gate | None = None
        self.processes: list[subprocess.Popen[str]] = []
        self._workers: dict[str, subprocess.Popen[str]] = {}
        self._left = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._left = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.__exit__(kind, error, trace)

    def _start(self, stack: ExitStack) -> None:
        config = self._configured()
        provider = self._spawn(stack, "api")
        flags = [name for name in ("tasks", "fingerprints") if getattr(self.defence, name)]
        self._workers = {name: self._spawn(stack, "worker", name, str(config or ""), *flags) for name in WORKERS}
        self._port = self._heard(provider)["port"]
        for worker in self._workers.values():
            self._heard(worker)
        if config is not None:
            self._gate = open_gate(config, clock=FastClock(BEGINS_AT, 0), env={})
            stack.callback(self._gate.close)
        self._api = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        stack.callback(self._api.close)

    def begin(self) -> None:
        """Lets the time of the night run."""
        self.clock = FastClock(BEGINS_AT, self.speed, SystemClock().now() + LEAD)
        if self._gate is not None:
            self._gate.clock = self.clock
        times = {"origin_at": BEGINS_AT, "speed": self.speed, "started_at": self.clock.started_at}
        for process in self.processes:
            self._tell(process, port=self._port, until_at=self.until_at, **times)

    def _configured(self) -> Path | None:
        if not self.defence.config:
            return None
        path = self.folder / "spendgate.toml"
        path.write_text(self.defence.config, encoding="utf-8")
        return path

    def _spawn(self, stack: ExitStack, program: str, *arguments: str) -> "subprocess.Popen[str]":
        complaints = stack.enter_context((self.folder / f"{'-'.join((program, *arguments[:1]))}.log").open("w+"))
        process = subprocess.Popen(
            [sys.executable, "-m", f"spendgate.cli.demo.{program}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,  # Ctrl-C is for the parent alone, who then ends them all
        )
        stack.callback(_end, process)
        self.processes.append(process)
        return process

    def _heard(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = process.stdout.readline()
        if not line:
            raise DemoError(f"a process of the demo ended before its time: {self._complaints()}")
        told: dict[str, Any] = json.loads(line)
        return told

    def _tell(self, process: "subprocess.Popen[str]", **data: object) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(data) + "\n")
        process.stdin.flush()

    def _complaints(self) -> str:
        said = "\n".join(path.read_text().strip() for path in sorted(self.folder.glob("*.log")))
        return said.strip()[-2000:] or "it left no message"

    def is_over(self) -> bool:
        """Whether every worker has gone home.

        Raises:
            DemoError: one of them fell ill.
        """
        codes = [worker.poll() for worker in self._workers.values()]
        if any(codes):
            raise DemoError(f"a worker of the demo failed: {self._complaints()}")
        return None not in codes

    def watch(self) -> "list[Seen]":
        """What is to be seen now; empty when the night is over."""
        late_at = self.until_at + int(PATIENCE_S * SECOND * self.speed)
        if self.clock.now() > late_at:
            raise DemoError(f"the workers did not come home within {PATIENCE_S} s: {self._complaints()}")
        return [] if self.is_over() else [self.look()]

    def look(self) -> Seen:
        """What is to be seen now."""
        bill = self._get("/bill")
        at = min(max(self.clock.now(), BEGINS_AT), self.until_at)
        return Seen(at, bill["usd"], bill["calls"], self._state())

    def _state(self) -> str:
        if self._gate is None:
            return ""
        if self.defence.line:
            return f"{self.defence.by.capitalize()} stands alone before {RUNAWAY}"
        for status in self._gate.status():
            if status.blocked_since is not None and RUNAWAY in status.scope:
                return f"Limit {status.limit!r} has blocked {RUNAWAY} since {status.blocked_since:%H:%M}"
        return ""

    def outcome(self) -> Outcome:
        """What came of the night.

        Raises:
            DemoError: a worker failed.
        """
        tallies = {name: self._heard(worker) for name, worker in self._workers.items()}
        charges = tuple(Charge(*row) for row in self._get("/account"))
        if self._gate is None:
            return Outcome(self.defence, self.until_at, charges, tallies)
        totals = self._gate.store.totals()
        events = tuple(self._gate.store.events())
        return Outcome(self.defence, self.until_at, charges, tallies, totals.usd, totals.entries, events)

    def _get(self, path: str) -> Any:
        self._api.request("GET", path)
        return json.loads(self._api.getresponse().read())


def hour(at: int) -> str:
    """The time of the night."""
    return f"{moment(at):%H:%M}"


def _end(process: "subprocess.Popen[str]") -> None:
    """Ends a process of ours, and waits until it is gone."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
