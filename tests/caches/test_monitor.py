"""The monitor: what is counted, what a miss costs, and what becomes of it when things go wrong."""

import asyncio
import logging
import os
import random
import threading
import tracemalloc
from collections import UserDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from cachetools import LFUCache, LRUCache, TTLCache

import spendgate
from spendgate import aio
from spendgate.cacheminutes import CacheMinute
from spendgate.caches import monitor as monitors
from spendgate.caches.loading import MOST_HELD
from spendgate.clock import MINUTE, SECOND
from spendgate.errors import AmountError, PriceError, StoreError
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import FakeClock
from tests.caches.test_churn import worst
from tests.caches.watching import ALWAYS, NOON_AT, counted, make_gate


class Away(MemoryStore):
    """A ledger that can be away."""

    is_away = False

    def add_cache_minutes(self, minutes: Iterable[CacheMinute], now_at: int) -> None:
        if self.is_away:
            raise StoreError("the disk is full")
        super().add_cache_minutes(minutes, now_at)


def test_what_happens_is_counted() -> None:
    """Hits, misses, sets, evictions and errors are counted under the cache's name, service and version."""
    gate = make_gate()
    monitor = gate.cache_monitor("people")
    for _ in range(3):
        monitor.hit("a")
    monitor.miss("b")
    monitor.set("b")
    monitor.evict()
    monitor.evict(2)
    monitor.error()
    assert counted(gate) == {"hits": 3, "misses": 1, "sets": 1, "evictions": 3, "errors": 1}
    (minute,) = gate.store.cache_minutes(0, ALWAYS)
    assert (minute.cache, minute.service, minute.version) == ("people", "pipeline", "v7")
    assert minute.minute_at == NOON_AT - NOON_AT % MINUTE
    assert gate.cache_monitor("people") is monitor
    assert isinstance(monitor, spendgate.CacheMonitor)


def test_minutes_are_kept_apart() -> None:
    """Each flush adds to the minute in which it is made, and nothing is added twice."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    monitor = gate.cache_monitor("people")
    for hits in (1, 2, 0, 3):
        for _ in range(hits):
            monitor.hit("a")
        gate.flush_caches()
        gate.flush_caches()
        clock.advance(30)
    assert [one.hits for one in gate.store.cache_minutes(0, ALWAYS)] == [3, 3]


def test_services_are_kept_apart() -> None:
    """The same cache for another service is counted by itself."""
    gate = make_gate()
    gate.cache_monitor("people").hit()
    gate.cache_monitor("people", service="research").hit()
    gate.flush_caches()
    assert [one.service for one in gate.store.cache_minutes(0, ALWAYS)] == ["pipeline", "research"]


def test_a_load_is_timed_and_priced() -> None:
    """Between a miss and the value that is stored, the gate's own calls are what the miss cost, others are not."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    with gate.call("clearbit.enrich"):
        pass
    if cache.get("a") is None:
        with gate.call("clearbit.enrich"):
            pass
        with gate.call("clearbit.enrich") as call:
            call.settle(cost="0.001")
        cache["a"] = 1
    with gate.call("clearbit.enrich"):
        pass
    assert counted(gate) == {"misses": 1, "sets": 1, "miss_usd": 5_000_000}


def test_a_load_that_stores_inside_ends_once() -> None:
    """A value that is stored inside the block of a load ends it: neither its time nor its cost counts twice."""
    gate = make_gate()
    monitor = gate.cache_monitor("people")
    with monitor.load("a"):
        with gate.call("clearbit.enrich"):
            pass
        monitor.set("a")
    assert counted(gate) == {"misses": 1, "sets": 1, "miss_usd": 4_000_000}
    assert gate.store.cache_minutes(0, ALWAYS)[0].load_us < 60_000_000


def test_a_load_that_stores_nothing_costs_nothing() -> None:
    """What is paid for after a miss is only its cost where something is stored in the end."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    cache.get("a")
    with gate.call("clearbit.enrich"):
        pass
    cache.get("b")
    with gate.call("clearbit.enrich"):
        pass
    cache["c"] = 1  # under another key, as the article's does
    assert counted(gate) == {"misses": 2, "sets": 1, "miss_usd": 4_000_000}


@pytest.mark.parametrize("make", [dict, UserDict, lambda: LRUCache(10), lambda: LFUCache(10), lambda: TTLCache(10, 60)])
def test_a_hit_meanwhile_ends_no_load(make: Callable[[], Any]) -> None:
    """Looking another key up, or asking whether it is there, while something loads takes nothing from its cost."""
    gate = make_gate()
    cache = gate.watch_cache("people", make())
    cache["b"] = 1
    cache.get("a")
    with gate.call("clearbit.enrich"):
        pass
    assert cache["b"] == cache.get("b") == 1
    assert "b" in cache
    assert cache["b"] == 1
    assert "b" in cache
    with gate.call("clearbit.enrich"):
        pass
    cache["a"] = 1
    assert counted(gate) == {"hits": 4, "misses": 1, "sets": 2, "miss_usd": 8_000_000}


def test_nested_caches_each_have_their_cost() -> None:
    """A call that is made for two caches at once is the cost of both misses."""
    gate = make_gate()
    outer, inner = gate.watch_cache("outer", {}), gate.watch_cache("inner", {})
    outer.get("a")
    inner.get("a")
    with gate.call("clearbit.enrich"):
        pass
    inner["a"] = 1
    with gate.call("clearbit.enrich"):
        pass
    outer["a"] = 1
    with gate.call("clearbit.enrich"):
        pass
    assert counted(gate, "outer")["miss_usd"] == 8_000_000
    assert counted(gate, "inner")["miss_usd"] == 4_000_000


def test_threads_and_tasks_load_apart() -> None:
    """What one thread pays for is not what another one's miss cost."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    cache.get("a")

    def pay() -> None:
        with gate.call("clearbit.enrich"):
            pass

    thread = threading.Thread(target=pay)
    thread.start()
    thread.join()
    cache["a"] = 1
    assert counted(gate) == {"misses": 1, "sets": 1}


def test_tasks_load_apart() -> None:
    """Loads of many tasks at once each have their own calls, on the awaited gate."""
    gate = make_gate()
    awaited = aio.Gate(gate)
    people = awaited.watch_cache("people", {}, service="research")

    async def load(record: int) -> None:
        if people.get(record) is None:
            async with awaited.call("clearbit.enrich"):
                pass
            people[record] = record

    async def main() -> None:
        await asyncio.gather(*(load(record) for record in range(20)))
        awaited.cache_monitor("other").hit()
        await awaited.flush_caches()

    asyncio.run(main())
    assert counted(gate, "people") == {"misses": 20, "sets": 20, "miss_usd": 80_000_000}
    assert counted(gate, "other") == {"hits": 1}


def test_a_late_settlement_counts_for_its_load() -> None:
    """A call that settles when its load is over is still what the miss cost, and the same answer twice is one."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    cache.get("a")
    hold = gate.reserve(resource="clearbit.enrich")
    with gate.call("clearbit.enrich"):
        cache["a"] = 1
    for _ in range(2):
        gate.backlog.add(lambda: hold.settle(cost="0.003"))
    gate.backlog.flush()
    assert counted(gate) == {"misses": 1, "sets": 1, "miss_usd": 7_000_000}


def test_calls_that_never_settle_are_forgotten() -> None:
    """A program whose calls fail keeps no more of them than it may, and the failed ones cost the cache nothing."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    for number in range(20):
        cache.get(number)
        for _ in range(500):
            gate.reserve(resource="clearbit.enrich")
        cache[number] = number
    assert gate._caches is not None
    assert len(gate._caches.costs._held) <= MOST_HELD
    assert counted(gate) == {"misses": 20, "sets": 20}


@pytest.mark.parametrize(
    ("stated", "nanos"),
    [("0.25", 250_000_000), (2, 2_000_000_000), ("clearbit.enrich", 4_000_000), ("maps.geocode", 5_000_000), ("0", 0)],
)
def test_a_miss_may_have_a_price(stated: Any, nanos: int) -> None:
    """With a stated cost each miss costs that, whatever the gate's calls cost; a free tier is taken as used up."""
    gate = make_gate()
    cache = gate.watch_cache("people", {}, miss_cost=stated)
    cache.get("a")
    with gate.call("clearbit.enrich"):
        pass
    cache["a"] = 1
    cache.get("b")
    assert counted(gate).get("miss_usd", 0) == 2 * nanos


def test_one_name_has_one_cost_of_a_miss() -> None:
    """Two caches of one name whose misses cost differently cannot be counted together, so the second is an error."""
    gate = make_gate()
    gate.watch_cache("people", {}, miss_cost="0.01")
    gate.watch_cache("people", {}, miss_cost="0.010")
    gate.watch_cache("people", {})
    with pytest.raises(AmountError, match=r"misses of 'people' cost \$0.01 elsewhere"):
        gate.watch_cache("people", {}, miss_cost="0.50")
    gate.watch_cache("people", {}, miss_cost="0.50", service="research")


@pytest.mark.parametrize("name", ["", None, 5, "x" * 201, "two\nlines"])
def test_a_bad_name_is_named(name: Any) -> None:
    """An error says which argument is wrong in the words of the call."""
    with pytest.raises(AmountError, match=r"^name = "):
        make_gate().watch_cache(name, {})


def test_a_price_that_is_none_is_refused() -> None:
    """A resource without a price for a call, a float, and a cache without a name are errors before it is watched."""
    gate = make_gate()
    for resource in ("unheard.of", "mail.send", "claude-haiku-4-5"):
        with pytest.raises(PriceError):
            gate.watch_cache("people", {}, miss_cost=resource)
    for name, cost in (("people", 0.5), ("people", "-1"), ("people", "1,5"), ("", "1"), ("a\nb", "1"), (7, "1")):
        with pytest.raises(AmountError):
            gate.watch_cache(name, {}, miss_cost=cost)  # type: ignore[arg-type]
    assert gate.watch_cache("people", {}, miss_cost="own.lookup") == {}


def test_a_ledger_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Counts are kept until the ledger is back, none is lost or doubled, and it is said once."""
    store, clock = Away(), FakeClock(NOON_AT)
    gate = make_gate(store, clock=clock)
    cache = gate.watch_cache("people", {"a": 1})
    store.is_away = True
    with caplog.at_level(logging.WARNING, "spendgate"):
        for _ in range(100):
            assert cache["a"] == 1
            gate.flush_caches()
            clock.advance(60)
        assert len(caplog.records) == 1
        assert len(gate.cache_monitor("people").pending) <= monitors.FOLDED
        store.is_away = False
        assert counted(gate) == {"hits": 100}
    assert [record.message[:30] for record in caplog.records][1:] == ["spendgate: the ledger is back;"]


def test_a_gate_that_is_off_writes_nothing() -> None:
    """The cache works, and nothing is recorded."""
    gate = make_gate(mode="off")
    cache = gate.watch_cache("people", {})
    cache["a"] = 1
    assert cache["a"] == 1
    assert counted(gate) == {}


def test_closing_the_gate_writes_what_is_left() -> None:
    """What was counted until then is in the ledger, and the cache goes on without one."""
    store = MemoryStore()
    with make_gate(store) as gate:
        cache = gate.watch_cache("people", {"a": 1})
        assert cache["a"] == 1
    assert [one.hits for one in store.cache_minutes(0, ALWAYS)] == [1]
    assert cache["a"] == 1
    gate.flush_caches()
    assert [one.hits for one in store.cache_minutes(0, ALWAYS)] == [1]


def test_a_clock_that_jumps_only_moves_minutes() -> None:
    """Counts go to the minute that the clock says, forward or back, and their sum is right."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    monitor = gate.cache_monitor("people")
    for jump in (0, 86_400, -200_000, 86_400 * 365, 0):
        clock.jump(clock.now() + jump * SECOND)
        monitor.hit()
        gate.flush_caches()
    assert counted(gate) == {"hits": 5}


class Notes:
    """Looks at keys, and keeps them."""

    def __init__(self, mask: int = 0, fault: Exception | None = None) -> None:
        self.mask, self.fault = mask, fault
        self.seen: list[tuple[object, int, bool | None]] = []

    def look(self, key: object, at: int, hit: bool | None = None) -> None:
        self.seen.append((key, at, hit))
        if self.fault:
            raise self.fault


class Raising:
    """A key that fails when it is hashed for the second time."""

    hashed = 0

    def __hash__(self) -> int:
        self.hashed += 1
        if self.hashed > 1:
            raise RuntimeError("no more")
        return 0


def test_what_looks_at_keys_may_fail() -> None:
    """Keys of any kind are looked at with their instant and answer, and what goes wrong there reaches nobody."""
    gate = make_gate()
    notes = Notes(fault=RuntimeError("no such shape"))
    gate.cache_monitor("people").churn = notes
    cache = gate.watch_cache("people", {"a": 1})
    for key in (b"x", None, 7, "k" * 10_000_000):
        assert cache.get(key) is None
    assert cache["a"] == 1
    with pytest.raises(TypeError):
        cache.get({})
    gate.cache_monitor("people").hit(Raising())
    gate.cache_monitor("people").miss()
    keys = [key for key, _, _ in notes.seen]
    assert keys[:-1] == [b"x", None, 7, "k" * 10_000_000, "a"]
    assert isinstance(keys[-1], Raising)
    assert [(at, hit) for _, at, hit in notes.seen] == [*[(NOON_AT, False)] * 4, *[(NOON_AT, True)] * 2]


def test_keys_are_chosen_by_their_hash() -> None:
    """A key that is looked at is looked at each time, and what looks at keys says how many there are."""
    gate = make_gate()
    monitor = gate.cache_monitor("people")
    notes = monitor.churn = Notes(mask=7)
    gate.flush_caches()
    cache = gate.watch_cache("people", {number: number for number in range(0, 64, 2)})
    for _ in range(2):
        for number in range(64):
            cache.get(number)
            _ = number in cache
    assert [key for key, _, _ in notes.seen] == [number for number in range(0, 64, 8) for _ in range(2)] * 2
    notes.mask = 31
    gate.flush_caches()
    notes.seen.clear()
    for number in range(64):
        monitor.miss(number)
    assert [(key, hit) for key, _, hit in notes.seen] == [(0, False), (32, False)]


@pytest.mark.parametrize("make", [dict, lambda: LRUCache(10)], ids=["dict", "LRUCache"])
def test_a_watched_cache_is_small(make: Callable[[], Any], tmp_path: Path) -> None:
    """Watching and judging take at most 64 kB a cache, whatever the number of its keys and what they look like."""
    clock, rng = FakeClock(NOON_AT), random.Random(7)
    gate = make_gate(SqliteStore(tmp_path / "ledger.db"), clock=clock)
    keys: list[object] = [f"record:{number}" for number in range(8_000)]
    keys[::4] = [worst(rng, NOON_AT + number * SECOND, number) for number in range(2_000)]

    def watch(name: str) -> None:
        cache = gate.watch_cache(name, make())
        for key in keys:
            cache.get(key)
            _ = key in cache
        for _ in range(3):
            cache.get("a")
            gate.flush_caches()
            clock.advance(60)

    watch("what all caches share")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(4):
            watch(f"people {number}")
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    gate.close()
    assert taken <= 4 * 64 * 1024


def test_no_count_is_lost_between_threads() -> None:
    """Sixteen threads that hit, miss and store at once are counted to the last."""
    gate = make_gate()
    cache = gate.watch_cache("people", {"a": 1})
    ready = threading.Barrier(17)

    def work(number: int) -> None:
        ready.wait()
        for step in range(2000):
            assert cache["a"] == 1
            cache.get((number, step))
            cache[number] = step

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    ready.wait()
    for _ in range(20):
        gate.flush_caches()
    for thread in threads:
        thread.join()
    assert counted(gate) == {"hits": 32_000, "misses": 32_000, "sets": 32_000}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_counts_its_own() -> None:
    """What a parent has counted before a fork is written by the parent alone, and the child writes what it counts."""
    from tests.caches.forking import in_child

    gate = make_gate()
    cache = gate.watch_cache("people", {"a": 1})
    for _ in range(3):
        assert cache["a"] == 1

    def child() -> dict[str, int]:
        assert cache["a"] == 1
        cache.get("b")
        return counted(gate)

    assert in_child(child) == {"hits": 1, "misses": 1}
    assert counted(gate) == {"hits": 3}
