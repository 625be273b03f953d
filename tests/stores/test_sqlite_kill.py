"""kill -9 at any moment: what was acknowledged is in the ledger, and the ledger is sound."""

import random
from pathlib import Path
from typing import Literal

import pytest

from spendgate.reservation import State
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import begin, held
from tests.stores.faults.workers import FORKED, Worker, book_and_acknowledge

WORKERS = 2
BATCH = 12
"""So many rounds share a ledger, so that each begins where the one before it was killed."""


def kill_in_mid_work(path: Path, chance: random.Random, synchronous: str) -> list[tuple[str, ...]]:
    """Lets workers book, kills them one by one at random moments; what they had acknowledged until then."""
    workers = [Worker(FORKED, book_and_acknowledge, path, synchronous) for _ in range(WORKERS)]
    seen = []
    for worker in workers:
        seen += [worker.pipe.recv() for _ in range(chance.randrange(1, 25))]
        for _ in range(chance.randrange(20_000)):
            pass  # anywhere within the next booking
        worker.kill()
        while worker.pipe.poll():
            try:
                seen.append(worker.pipe.recv())
            except (EOFError, OSError):
                break
        worker.pipe.close()
    return seen


def assert_all_there(path: Path, acknowledged: list[tuple[str, ...]]) -> None:
    store = SqliteStore(path)
    try:
        assert store.fault() == ""
        held(store, START_AT)
        assert store.check() == []
        entries = {entry.id: entry for entry in store.entries()}
        settled = {found: cost for kind, found, *cost in acknowledged if kind == "settled"}
        assert {found for _, found, *_ in acknowledged} <= set(entries)
        for found, (cost,) in settled.items():
            assert (entries[found].state, entries[found].weight.usd) == (State.SETTLED, cost)
    finally:
        store.close()


def kills(path: Path, seed: int, rounds: int, synchronous: Literal["normal", "full"]) -> None:
    begin(path)
    chance, acknowledged = random.Random(seed), []
    for _ in range(rounds):
        acknowledged += kill_in_mid_work(path, chance, synchronous)
        assert_all_there(path, acknowledged)


@pytest.mark.parametrize(("seed", "synchronous"), [(1, "normal"), (2, "normal"), (3, "full")])
def test_nothing_acknowledged_is_lost(tmp_path: Path, seed: int, synchronous: Literal["normal", "full"]) -> None:
    """Workers killed in mid-booking lose no settle and no hold that they were told of, and leave a sound ledger."""
    kills(tmp_path / "ledger.db", seed, BATCH, synchronous)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
def test_nothing_acknowledged_is_ever_lost(tmp_path: Path, seed: int) -> None:
    """However often workers are killed, nothing that was acknowledged is missing."""
    kills(tmp_path / "ledger.db", seed, BATCH, "normal")


@pytest.mark.parametrize("seed", range(12))
def test_a_kill_while_the_ledger_is_made(tmp_path: Path, seed: int) -> None:
    """A process that is killed while it makes a ledger leaves one that opens, or none."""
    chance, path = random.Random(seed), tmp_path / "new" / "ledger.db"
    worker = Worker(FORKED, book_and_acknowledge, path, "normal")
    seen = []
    if seed % 2:
        seen.append(worker.pipe.recv())
    else:
        while not path.exists():
            pass
        for _ in range(chance.randrange(60_000)):
            pass
    worker.kill()
    worker.pipe.close()
    assert_all_there(path, seen)
