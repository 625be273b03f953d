"""The harness: sides take turns, so that whatever else the machine does falls on all of them alike.

>>> median_with_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
Spread(middle=5.0, low=2.0, high=8.0)
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import comb
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

ALTERNATIONS = 60
QUICK_ALTERNATIONS = 30
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared. `run` is handed the number of the round and makes `calls` calls."""

    run: Callable[[int], object]
    calls: int = 1


class Seconds(NamedTuple):
    """What one side took per call, round by round: by the clock on the wall, and of this process's processor time.

    The second leaves out what other programs did meanwhile, but also the disk and what child processes did.
    """

    wall: list[float]
    processor: list[float]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its interval."""

    middle: float
    low: float
    high: float


@contextmanager
def apart_from(process: int | None) -> Iterator[None]:
    """Inside, another process, which stands for another machine, and this one share no CPU, if there is more than one.

    Else the system puts both on one CPU in some runs, where each finds its caches full of the other's.
    """
    mine = os.sched_getaffinity(0) if process is not None and hasattr(os, "sched_getaffinity") else set()
    if process is None or len(mine) < 2:
        yield
        return
    theirs = {max(mine)}
    os.sched_setaffinity(process, theirs)
    os.sched_setaffinity(0, mine - theirs)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def alternate(sides: Mapping[str, Side], rounds: int, warm_up: int = 0) -> dict[str, Seconds]:
    """Runs every side once a round, each round beginning with the next one.

    Rounds below 0 are for warming up: they are run, but not counted.
    """
    names = list(sides)
    seconds = {name: Seconds([], []) for name in names}
    gc.collect()
    gc.freeze()
    try:
        for number in range(-warm_up, rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                side = sides[name]
                begun, worked = perf_counter(), process_time()
                side.run(number)
                spent = perf_counter() - begun, process_time() - worked
                if number >= 0:
                    seconds[name].wall.append(spent[0] / side.calls)
                    seconds[name].processor.append(spent[1] / side.calls)
            progress(number + 1, rounds)
    finally:
        gc.unfreeze()
    return seconds


def median_with_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread:
    """The median, and the two ranked values that hold the true one between them with at least this confidence.

    It takes nothing for granted about how the values are spread: each of them is above or below the true median like
    the toss of a coin. Below six values the interval is all of them.
    """
    ranked, count = sorted(values), len(values)
    tail, rank = 0.0, 0
    while rank < count // 2 and tail + comb(count, rank) / 2**count <= (1 - confidence) / 2:
        tail += comb(count, rank) / 2**count
        rank += 1
    rank = max(rank, 1)
    return Spread(median(ranked), ranked[rank - 1], ranked[count - rank])


def paired_ratio(dividends: Sequence[float], divisors: Sequence[float]) -> Spread:
    """How many times one side's figure the other's is, round by round."""
    return median_with_interval([a / b for a, b in zip(dividends, divisors, strict=True)])


def paired_difference(values: Sequence[float], subtrahends: Sequence[float]) -> Spread:
    """How much more one side's figure is than the other's, round by round."""
    return median_with_interval([a - b for a, b in zip(values, subtrahends, strict=True)])


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)]


def progress(done: int, of: int) -> None:
    """Draws how far it is, where somebody is looking."""
    if sys.stderr.isatty():
        print(f"\r  {done}/{of} ", end="\n" if done >= of else "", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Talk goes to stderr."""
    print(text, file=sys.stderr, flush=True)
