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


def gate_over(path: Path) -> Gate:
    """A gate over a ledger file, on a clock that stands still."""
    return make_gate(SqliteStore(path, timeout_s=60))


def ask(cache: Any, number: int, steps: int = STEPS) -> None:
    """One thread's work."""
    for step in range(steps):
        assert cache["a"] == 1
        cache.get((number, step))
        cache[number, step] = step


def crowd(cache: Any) -> None:
    """Sixteen threads at once."""
    threads = [threading.Thread(target=ask, args=(cache, number)) for number in range(THREADS)]
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


def to_its_end(path: Path) -> None:
    """Hits, and ends without a word."""
    cache = gate_over(path).watch_cache("people", {"a": 1})
    for _ in range(1000):
        assert cache["a"] == 1


if __name__ == "__main__":
    {"until_killed": until_killed, "to_its_end": to_its_end}[sys.argv[1]](Path(sys.argv[2]))
