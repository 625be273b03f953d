"""Programs that ask a watched cache, for the tests that begin and kill them."""

import sys
import threading
from pathlib import Path
from typing import Any

from spendgate.gate import Gate
from spendgate.stores.sqlite import SqliteStore
from tests.caches.watching import make_gate

THREADS = 16
STEPS = 500
"""Of each thread: a hit, a miss and a value that is stored."""
STEPS_A_ROUND = 50
A_ROUND = 2 * THREADS * STEPS_A_ROUND
"""Lookups of a round."""


def gate_over(path: Path) -> Gate:
    """A gate over a ledger file, on a clock that stands still."""
    return make_gate(SqliteStore(path, timeout_s=60))


def ask(cache: Any, number: int, steps: int = STEPS) -> None:
    """One thread's work."""
    for step in range(steps):
        assert cache["a"] == 1
        cache.get((number, step))
        cache[number, step] = step


def crowd(cache: Any, steps: int = STEPS) -> None:
    """Sixteen threads at once."""
    threads = [threading.Thread(target=ask, args=(cache, number, steps)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def open_and_ask(path: Path) -> None:
    """A process of its own: opens the ledger, and leaves the rest to its end."""
    gate = gate_over(path)
    crowd(gate.watch_cache("people", {"a": 1}))


def until_killed(path: Path) -> None:
    """Hits for ever, and says after each flush how many hits it has had."""
    gate = gate_over(path)
    cache = gate.watch_cache("people", {"a": 1})
    hits = 0
    while True:
        for _ in range(1000):
            assert cache["a"] == 1
        hits += 1000
        gate.flush_caches()
        print(hits, flush=True)


def in_rounds(path: Path, name: str, rounds: str) -> None:
    """Sixteen threads a round, and says after each one's flush how many lookups its cache has had."""
    gate = gate_over(path)
    cache = gate.watch_cache(name, {"a": 1})
    for number in range(int(rounds)):
        crowd(cache, STEPS_A_ROUND)
        gate.flush_caches()
        print((number + 1) * A_ROUND, flush=True)


def to_its_end(path: Path) -> None:
    """Hits, and ends without a word."""
    cache = gate_over(path).watch_cache("people", {"a": 1})
    for _ in range(1000):
        assert cache["a"] == 1


if __name__ == "__main__":
    programs: dict[str, Any] = {"until_killed": until_killed, "in_rounds": in_rounds, "to_its_end": to_its_end}
    programs[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
