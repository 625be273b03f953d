"""What does a log cost that is read at each check, beside the ledger?

The second article's gate appends a line of JSON for every call, and before each call reads the whole file and adds up
what its windows hold. Here it is as quick as Python makes it: one pass for all windows, instants compared as text, no
`fsync`.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.bookings import STEP, through_the_gate
from bench.figures import Figure, figure
from bench.ledgers import SPACING, Shelf
from bench.measure import QUICK_ALTERNATIONS, Side, alternate, median_with_interval, paired_ratio, say
from spendgate.clock import HOUR, SystemClock, moment

LINES = (200, 20_000, 200_000)
QUICK_LINES = (200, 20_000)
ROUNDS = 40
PAIRS = 20
CALLS = 5
SPANS = (HOUR, 6 * HOUR, 24 * HOUR)
AMOUNTS = (5000.0, 15000.0, 50000.0)


@dataclass(frozen=True, slots=True)
class Log:
    """The second article's ledger: a file of JSON lines."""

    path: Path

    def append(self, at: datetime) -> None:
        """Notes a call, after it was made."""
        entry = {
            "timestamp": at.isoformat(),
            "service": "pipeline",
            "model": "clearbit.enrich",
            "tokens": 0,
            "cost": 0.0031,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def fits(self, service: str, at: int) -> bool:
        """Whether a service has spent less than its limits: reads every line there is."""
        since = [moment(at - span).isoformat() for span in SPANS]
        spent = [0.0] * len(SPANS)
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                if entry["service"] != service:
                    continue
                for index, first in enumerate(since):
                    if entry["timestamp"] >= first:
                        spent[index] += entry["cost"]
        return all(one < most for one, most in zip(spent, AMOUNTS, strict=True))


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ROUNDS
    found: list[Figure] = []
    for lines in QUICK_LINES if quick else LINES:
        found.extend(_compare(shelf, lines, rounds))
    return tuple(found), rounds


def _compare(shelf: Shelf, lines: int, rounds: int) -> list[Figure]:
    say(f"  {lines:,} lines")
    ours = through_the_gate(shelf.ledger(lines).copy("beside-the-log"))
    log = generate(shelf.folder / "calls.jsonl", lines)
    calls = CALLS if lines < LINES[-1] else 1
    size = log.path.stat().st_size
    at = ours.stores[0].totals().latest_at

    def gate(_: int) -> None:
        nonlocal at
        for _ in range(PAIRS):
            at += 2 * STEP
            ours.book(at)

    def read_all(_: int) -> None:
        os.truncate(log.path, size)  # it stays as long as it is said to be
        for _ in range(calls):
            now_at = SystemClock().now()
            if not log.fits("pipeline", now_at):
                raise AssertionError("the log refuses what it was made to allow")
            log.append(moment(now_at))

    sides = {"log": Side(read_all, calls), "gate": Side(gate, PAIRS)}
    seconds = alternate(sides, rounds, warm_up=1)
    ours.close()
    ratio = paired_ratio(seconds["log"].wall, seconds["gate"].wall)
    text = f"check + append on a JSONL log of {lines:,} lines, read at each check"
    millis = median_with_interval([one * 1000 for one in seconds["log"].wall])
    return [
        figure(f"jsonl_{lines}", f"{text}, against `gate.reserve` + `settle`", "x", ratio),
        figure(f"jsonl_{lines}_ms", text, "ms", millis, shown=False),
    ]


def generate(path: Path, lines: int) -> Log:
    """A log of so many calls, as close to each other as those of the generated ledgers."""
    path.unlink(missing_ok=True)
    now_at = datetime.now(UTC).timestamp()
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            at = datetime.fromtimestamp(now_at - (lines - number) * SPACING / 1e6, UTC)
            entry = {"timestamp": at.isoformat(), "service": "pipeline", "model": "clearbit.enrich", "tokens": 0}
            file.write(json.dumps({**entry, "cost": 0.0031}) + "\n")
    return Log(path)
