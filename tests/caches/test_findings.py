"""From counts to findings: what a cache that has stopped working leads to, and when it is over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cachetools import LRUCache

from spendgate.cacheminutes import CacheMinute
from spendgate.clock import DAY, HOUR, MINUTE, SECOND, moment
from spendgate.findings import Finding
from spendgate.gate import Gate
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import FakeClock
from tests.caches.watching import NOON_AT, make_gate

Key = Callable[[int, FakeClock], str]


def good(record: int, _: FakeClock) -> str:
    """The key as it was for eleven months."""
    return f"enrichment:{record}"


def bad(record: int, clock: FakeClock) -> str:
    """The article's key."""
    return f"enrichment:{record}:{moment(clock.now()).isoformat()}"


def enrich(gate: Gate, cache: Any, clock: FakeClock, key: Key, lookups: int, *, every_s: float = 0.25) -> None:
    """A pipeline that looks its records up, and pays for those that are missing; flushed as in the background."""
    for number in range(lookups):
        wanted = key(number % 80, clock)
        if cache.get(wanted) is None:
            with gate.call("clearbit.enrich"):
                pass
            cache[wanted] = number
        clock.advance(every_s)
        if number % 8 == 7:
            gate.flush_caches()


def running(gate: Gate, *kinds: str) -> list[Finding]:
    """The findings that run, of some kinds or of all."""
    return [one for one in gate.findings(running_only=True) if not kinds or one.kind in kinds]


def told(gate: Gate) -> list[tuple[str, str]]:
    """What people were told of findings: kind, and whether it began, was dismissed or ended."""
    return [(one.data["finding"], one.data["state"]) for one in gate.store.events() if one.kind == "finding"]


def test_the_articles_key_is_found_in_minutes() -> None:
    """Within 200 lookups there is one finding, with the verdict in words, the version, and what it has cost so far."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    cache = gate.watch_cache("enrichment", {})
    enrich(gate, cache, clock, bad, 208)
    (finding,) = running(gate)
    assert (finding.kind, finding.subject) == ("churn", "enrichment")
    assert (finding.service, finding.version) == ("pipeline", "v7")
    assert finding.text.startswith("enrichment: 1")
    assert "without the ISO timestamp in segment 3 there are 80. This cache cannot hit. $0." in finding.text
    assert finding.data["shape"] == "ISO timestamp"
    assert "in the last minute went" in finding.text
    assert finding.began_at == NOON_AT
    enrich(gate, cache, clock, bad, 1000)
    (finding,) = running(gate)
    spent = sum(one.miss_usd for one in gate.store.cache_minutes(0, clock.now()))
    assert spent == 1208 * 4_000_000
    assert 0.8 * spent < finding.usd <= spent  # a minute may have passed since it was updated
    assert "in the last 4 minutes went to misses" in finding.text
    assert told(gate) == [("churn", "began")]


def test_a_healthy_cache_leads_to_nothing() -> None:
    """Days of a cache that hits, misses its first lookups and is asked less at night lead to no finding."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    cache = gate.watch_cache("enrichment", LRUCache(50))
    for _ in range(60):
        enrich(gate, cache, clock, good, 20, every_s=1)
        clock.advance(HOUR // SECOND)
    assert gate.findings() == []


def test_a_repaired_key_ends_the_finding() -> None:
    """Another process with the right key ends it, minutes after the last one with the wrong key was seen."""
    clock, store = FakeClock(NOON_AT), MemoryStore()
    broken = make_gate(store, clock=clock)
    enrich(broken, broken.watch_cache("enrichment", {}), clock, bad, 400)
    repaired = make_gate(store, clock=clock)
    cache = repaired.watch_cache("enrichment", {})
    enrich(repaired, cache, clock, good, 400, every_s=1)
    assert running(repaired, "churn") != []
    enrich(repaired, cache, clock, good, 600, every_s=1)
    assert running(repaired) == []
    assert told(repaired) == [("churn", "began"), ("churn", "ended")]


def test_a_cache_that_nobody_asks_is_accused_no_longer() -> None:
    """A process that lives on without a lookup confirms nothing: ten minutes later its finding ends."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    enrich(gate, gate.watch_cache("enrichment", {}), clock, bad, 400)
    for _ in range(18):
        clock.advance(30)
        gate.flush_caches()
    assert running(gate, "churn") != []
    for _ in range(6):
        clock.advance(30)
        gate.flush_caches()
    assert running(gate, "churn") == []


def test_uuids_are_found_where_the_rest_repeats() -> None:
    """A drawn part of a key is named once a thousand keys have not repeated."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    cache = gate.watch_cache("enrichment", {})
    enrich(gate, cache, clock, lambda record, _: f"enrichment:{record}:{uuid4()}", 2000, every_s=0.1)
    (finding,) = running(gate)
    assert "without the UUID in segment 3 there are 80. This cache cannot hit" in finding.text


def history(store: Any, until_at: int, days: int, hits: int, misses: int) -> None:
    """Some days of a cache, ten minutes an hour."""
    minutes = [
        CacheMinute("pages", "pipeline", "v6", at - at % MINUTE + n * MINUTE, hits, misses)
        for at in range(until_at - days * DAY, until_at, HOUR)
        for n in range(10)
    ]
    store.add_cache_minutes(minutes, until_at)


def ask(gate: Gate, clock: FakeClock, hits: int, misses: int, minutes: int = 1) -> None:
    """Some minutes of a cache, counted by hand."""
    monitor = gate.cache_monitor("pages")
    for _ in range(minutes):
        for _ in range(hits):
            monitor.hit("a")
        for number in range(misses):
            monitor.miss(f"b{number}")
        gate.flush_caches()
        clock.advance(60)
    gate.flush_caches()


def test_missing_all_after_hitting_most_is_found(tmp_path: Path) -> None:
    """A thousand lookups without a hit, after 70 %, are a finding at once; the past outlives the process."""
    clock = FakeClock(NOON_AT)
    store = SqliteStore(tmp_path / "ledger.db")
    history(store, NOON_AT, 3, 7, 3)
    with make_gate(store, clock=clock) as gate:
        ask(gate, clock, 7, 3, minutes=3)
        assert gate.findings() == []
    store = SqliteStore(tmp_path / "ledger.db")
    with make_gate(store, clock=clock) as gate:
        ask(gate, clock, 7, 3, minutes=6)
        ask(gate, clock, 0, 100, minutes=13)
        (finding,) = running(gate)
        assert finding.kind == "misses"
        assert "no hit in 1,300 lookups. Usually 70 % are hits" in finding.text
        began_at = finding.began_at
        assert NOON_AT < began_at < clock.now()
        ask(gate, clock, 100, 0, minutes=30)
        assert running(gate) == []
        assert told(gate) == [("misses", "began"), ("misses", "ended")]


def test_a_restart_has_its_grace() -> None:
    """A process whose cache is empty after a restart misses for some minutes, and nothing is said."""
    clock, store = FakeClock(NOON_AT), MemoryStore()
    history(store, NOON_AT, 3, 90, 10)
    for _ in range(3):
        gate = make_gate(store, clock=clock)
        ask(gate, clock, 0, 300, minutes=4)
        ask(gate, clock, 90, 10, minutes=30)
    assert gate.findings() == []


def gone_silent() -> tuple[FakeClock, Gate]:
    """A gate whose cache was asked every five minutes for three weeks, and then for two hours and a half not at all."""
    clock, store = FakeClock(NOON_AT), MemoryStore()
    minutes = [
        CacheMinute("pages", "pipeline", "v6", at - at % MINUTE, 50, 10)
        for at in range(NOON_AT - 21 * DAY, NOON_AT, 5 * MINUTE)
    ]
    store.add_cache_minutes(minutes, NOON_AT)
    gate = make_gate(store, clock=clock)
    ask(gate, clock, 0, 0, minutes=150)
    return clock, gate


def test_a_cache_that_nobody_asks_is_silent() -> None:
    """A cache that is asked all day, and then for hours not at all while its program runs, has gone silent."""
    clock, gate = gone_silent()
    (finding,) = running(gate)
    assert (finding.kind, finding.usd) == ("silent", 0)
    assert "has not been asked for 2 hours" in finding.text
    ask(gate, clock, 5, 0, minutes=3)
    assert running(gate) == []


def test_a_silence_that_was_dismissed_is_one_until_the_cache_is_asked_again() -> None:
    """A retired cache is told of once; asked again, and then silent again, it is a new finding."""
    clock, gate = gone_silent()
    (finding,) = running(gate)
    gate.dismiss_finding(finding.id, "retired")
    ask(gate, clock, 0, 0, minutes=150)
    (same,) = running(gate)
    assert (same.id, same.is_running, same.data["reason"]) == (finding.id, True, "retired")
    ask(gate, clock, 5, 0, minutes=3)
    assert running(gate) == []
    ask(gate, clock, 0, 0, minutes=150)
    (new,) = running(gate)
    assert (new.id != finding.id, new.dismissed_at) == (True, 0)
    assert [state for _, state in told(gate)] == ["began", "dismissed", "ended", "began"]


def test_a_cache_that_is_too_small_is_found() -> None:
    """A full cache whose entries leave before they are asked for again is named with its size."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    cache = gate.watch_cache("pages", LRUCache(50), miss_cost="0.01")
    for _ in range(50):
        for record in range(200):
            if cache.get(record) is None:
                cache[record] = record
        clock.advance(60)
        gate.flush_caches()
    (finding,) = running(gate)
    assert finding.kind == "evictions"
    assert "full with 50 entries" in finding.text
    assert finding.text.endswith("went to misses")
    assert finding.usd >= 200 * 30 * 10_000_000


def test_two_processes_have_one_finding(tmp_path: Path) -> None:
    """Whoever notices it first writes it down, and both say of the same one what it costs."""
    clock = FakeClock(NOON_AT)
    gates = [make_gate(SqliteStore(tmp_path / "ledger.db"), clock=clock) for _ in range(2)]
    caches = [gate.watch_cache("enrichment", {}) for gate in gates]
    for _ in range(10):
        for gate, cache in zip(gates, caches, strict=True):
            enrich(gate, cache, clock, bad, 80)
    (finding,) = running(gates[0])
    assert told(gates[0]) == [("churn", "began")]
    assert finding.usd > 4_000_000 * 1000
    for gate in gates:
        gate.close()


def test_a_clock_that_was_ahead_judges_again() -> None:
    """A past that was written by a clock a year ahead keeps nobody from judging today."""
    clock, store = FakeClock(NOON_AT + 365 * DAY), MemoryStore()
    gate = make_gate(store, clock=clock)
    ask(gate, clock, 7, 3, minutes=3)
    clock.jump(NOON_AT)
    ask(gate, clock, 7, 3, minutes=3)
    assert store.cache_past("pages", "pipeline")[0] <= clock.now()


def test_a_judge_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong when caches are judged is logged; counts are written all the same."""
    clock = FakeClock(NOON_AT)
    gate = make_gate(clock=clock)
    ask(gate, clock, 7, 3)
    assert gate._caches is not None
    gate._caches.after = lambda *_: 1 / 0
    ask(gate, clock, 7, 3)
    gate.close()
    assert "could not be judged" in caplog.text
    assert sum(one.lookups for one in gate.store.cache_minutes(0, clock.now())) == 20


def test_a_past_that_cannot_be_read_is_begun_anew() -> None:
    """What an older or newer program has written about a cache's past stops nobody."""
    clock, store = FakeClock(NOON_AT), MemoryStore()
    store.put_cache_past("pages", "pipeline", 0, NOON_AT - HOUR, '{"rate": "[]", "rhythm": 7}')
    gate = make_gate(store, clock=clock)
    ask(gate, clock, 7, 3, minutes=3)
    assert store.cache_past("pages", "pipeline")[0] > NOON_AT
