"""How long does a booking wait where four processes write to one ledger, and does each get its turn?

They write as fast as they can, and live for the whole bench; rounds of one alone and of all four take turns.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from bench.figures import Figure, figure
from bench.ledgers import OUTCOME, REQUEST, Shelf
from bench.measure import QUICK_ALTERNATIONS, median_with_interval, paired_ratio, progress, quantile
from spendgate.clock import SystemClock
from spendgate.stores.sqlite import SqliteStore

ENTRIES = 1000
PROCESSES = 4
ROUNDS = 40
ROUND_S = 1.0
QUICK_ROUND_S = 0.25
PATIENCE_S = 60.0
WANTED_SHARE = 0.8
WANTED_WAIT_MS = 100.0


class Round(NamedTuple):
    """What one worker did in a round: seconds for each pair, and the longest that a single booking took."""

    pairs: list[float]
    worst: float


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ROUNDS
    path = shelf.ledger(ENTRIES).copy("waited-for").path
    alone: list[list[Round]] = []
    together: list[list[Round]] = []
    with workers(path) as pipes:
        for number in range(rounds):
            sides = [(alone, pipes[:1]), (together, pipes)]
            for found, taking_part in sides if number % 2 else reversed(sides):
                found.append(play(taking_part, QUICK_ROUND_S if quick else ROUND_S))
            progress(number + 1, rounds)
    return (
        *_times("one process", "one", alone),
        *_times("four processes", "four", together),
        *_shares(alone, together),
    ), rounds


def _times(who: str, key: str, rounds: Sequence[Sequence[Round]]) -> Iterator[Figure]:
    each = [[span * 1000 for worker in one for span in worker.pairs] for one in rounds]
    every = [span for one in each for span in one]
    text = f"hold + settle, {who} on one ledger"
    yield figure(f"{key}_p50_ms", f"{text}: median", "ms", median_with_interval([quantile(one, 0.5) for one in each]))
    yield figure(f"{key}_p99_ms", f"{text}: p99", "ms", median_with_interval([quantile(one, 0.99) for one in each]))
    yield Figure(f"{key}_worst_ms", f"{text}: worst of {len(every):,}", "ms", max(every), shown=False)


def _shares(alone: Sequence[Sequence[Round]], together: Sequence[Sequence[Round]]) -> Iterator[Figure]:
    counts = [[len(worker.pairs) for worker in one] for one in together]
    shares = median_with_interval([min(one) / max(one) for one in counts])
    totals = [sum(one) for one in zip(*counts, strict=True)]
    worst = max(worker.worst for one in together for worker in one) * 1000
    both = paired_ratio([sum(one) for one in counts], [len(one[0].pairs) for one in alone])
    yield Figure(
        "share", "four processes: the slowest one's share of the fastest one's, over the whole time", "share",
        min(totals) / max(totals), wanted=WANTED_SHARE, at_least=True,
    )  # fmt: skip
    yield figure("round_share", "the same, within each round", "share", shares, shown=False)
    yield Figure(
        "worst_wait_ms", "four processes: the longest that one booking took", "ms", worst, wanted=WANTED_WAIT_MS
    )
    yield figure("throughput", "pairs of four processes together, against one alone", "x", both, shown=False)


@contextmanager
def workers(path: Path) -> Iterator[list[Connection]]:
    """Processes that have the ledger open and wait for a round."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    running = []
    try:
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(path, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            running.append(process)
        for pipe in pipes:
            answer(pipe)
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for process in running:
            process.join(PATIENCE_S)


def play(pipes: Sequence[Connection], seconds: float) -> list[Round]:
    """One round: everybody books until the time is over."""
    for pipe in pipes:
        pipe.send(seconds)
    return [Round(*answer(pipe)) for pipe in pipes]


def answer(pipe: Connection) -> tuple[list[float], float]:
    """What a worker sends back.

    Raises:
        TimeoutError: it sends nothing.
    """
    if not pipe.poll(PATIENCE_S):
        raise TimeoutError("a worker did not answer")
    found: tuple[list[float], float] = pipe.recv()
    return found


def work(path: Path, pipe: Connection) -> None:
    """A worker: for each round that it is told to play, holds and settles until the time is over."""
    store, clock = SqliteStore(path), SystemClock()
    pipe.send(([], 0.0))
    try:
        while True:
            seconds = pipe.recv()
            pipe.send(_round(store, clock, perf_counter() + seconds))
    except EOFError:
        store.close()


def _round(store: SqliteStore, clock: SystemClock, until: float) -> tuple[list[float], float]:
    pairs, worst, begun = [], 0.0, perf_counter()
    while begun < until:
        hold_id = store.hold(REQUEST, clock.now()).id
        between = perf_counter()
        store.settle(hold_id, OUTCOME, clock.now())
        ended = perf_counter()
        pairs.append(ended - begun)
        worst = max(worst, between - begun, ended - between)
        begun = ended
    return pairs, worst
