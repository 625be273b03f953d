"""`functools.lru_cache` and `cache`: hits stay in C and are counted all the same."""

import functools
import gc
import pickle
import sys
from typing import Any

import pytest

from spendgate.testing import FakeClock
from tests.caches.watching import counted, make_gate


@functools.lru_cache(maxsize=2)
def square(number: int) -> int:
    """At the top of a module, where pickle finds it."""
    return number * number


def squaring(calls: list[Any], **terms: Any) -> Any:
    """A cached function that notes its calls, and fails for what has no square."""

    @functools.lru_cache(**terms)
    def squared(number: Any, *, scale: int = 1) -> Any:
        """The square."""
        calls.append(number)
        if number == "bad":
            raise ValueError(number)
        return number * number * scale

    return squared


STEPS: list[tuple[str, Any]] = [
    ("a miss", lambda f: f(2)),
    ("a hit", lambda f: f(2)),
    ("a keyword", lambda f: f(2, scale=3)),
    ("another type", lambda f: f(2.0)),
    ("an exception", lambda f: f("bad")),
    ("the same exception", lambda f: f("bad")),
    ("something unhashable", lambda f: f([])),
    ("a wrong call", lambda f: f()),
    ("its counts", lambda f: f.cache_info()),
    ("its terms", lambda f: f.cache_parameters()),
    ("its name", lambda f: (f.__name__, f.__doc__, f.__module__, f.__qualname__)),
    ("the function itself", lambda f: f.__wrapped__(3)),
    ("what it is", type),
    ("more than fits", lambda f: [f(n) for n in range(9)]),
    ("counts again", lambda f: f.cache_info()),
    ("clearing", lambda f: f.cache_clear()),
    ("counts after that", lambda f: f.cache_info()),
]


@pytest.mark.parametrize("terms", [{"maxsize": 3}, {"maxsize": None}, {"maxsize": 0}, {"maxsize": 3, "typed": True}])
def test_it_behaves_as_before(terms: dict[str, Any]) -> None:
    """A watched function calls, caches, raises, counts and clears as the one that was given."""
    ours: list[Any] = []
    theirs: list[Any] = []
    watched, bare = make_gate().watch_cache("squares", squaring(ours, **terms)), squaring(theirs, **terms)
    for name, step in STEPS:
        found = []
        for function in (bare, watched):
            try:
                found.append(step(function))
            except Exception as fault:  # noqa: BLE001 - whatever it raises is compared
                found.append((type(fault), str(fault)))
        assert found[0] == found[1], name
    assert ours == theirs


def test_hits_are_read_and_misses_are_seen() -> None:
    """Hits, misses and evictions are counted, over every flush and every clearing, and size is the latest."""
    gate = make_gate()
    squared = gate.watch_cache("squares", squaring([], maxsize=3))
    for number in (1, 1, 1, 2):
        squared(number)
    assert counted(gate) == {"hits": 2, "misses": 2}
    for number in (2, 3, 4, 5, 5):
        squared(number)
    assert counted(gate) == {"hits": 4, "misses": 5, "evictions": 2}
    squared.cache_clear()
    for number in (5, 5, 6):
        squared(number)
    assert counted(gate) == {"hits": 5, "misses": 7, "evictions": 2}
    (minute,) = gate.store.cache_minutes(0, 1 << 62)
    assert (minute.size, minute.capacity) == (2, 3)


def test_a_hit_stays_in_c() -> None:
    """The function that comes back is C code, and a hit calls nothing of ours."""
    squared = make_gate().watch_cache("squares", squaring([], maxsize=3))
    assert type(squared) is type(square)
    squared(2)
    ran: list[str] = []
    sys.setprofile(lambda frame, event, _: ran.append(f"{event} {frame.f_code.co_name}") if "call" in event else None)
    try:
        squared(2)
    finally:
        sys.setprofile(None)
    assert [one for one in ran if not one.startswith("c_call")] == []


def test_exceptions_are_misses_that_are_not_stored() -> None:
    """What raises was asked for, and is no eviction later."""
    gate = make_gate()
    squared = gate.watch_cache("squares", squaring([], maxsize=3))
    for _ in range(5):
        with pytest.raises(ValueError, match="bad"):
            squared("bad")
    assert counted(gate) == {"misses": 5}


def test_methods_are_bound() -> None:
    """A cached method binds as before, and shares one cache among its objects."""
    gate = make_gate()

    class Person:
        @functools.cache  # noqa: B019 - it is what is tested
        def age(self, year: int) -> int:
            return year - 1912

        age = gate.watch_cache("ages", age)

    person = Person()
    assert [person.age(1954), person.age(1954), Person().age(1954)] == [42, 42, 42]
    assert counted(gate) == {"hits": 1, "misses": 2}


def test_recursion_counts_each_call() -> None:
    """A function that calls itself through its cache is counted at each step."""
    gate = make_gate()

    def fibonacci(number: int) -> int:
        return number if number < 2 else cached(number - 1) + cached(number - 2)

    cached = gate.watch_cache("fibonacci", functools.cache(fibonacci))
    assert cached(20) == 6765
    assert counted(gate) == {"hits": 18, "misses": 21}


def test_it_is_pickled_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watched function is pickled as the module's name, as before."""
    watched = make_gate().watch_cache("squares", square)
    monkeypatch.setattr(sys.modules[__name__], "square", watched)
    assert pickle.loads(pickle.dumps(watched)) is watched


def test_what_it_pays_is_the_cost_of_its_misses() -> None:
    """Paid calls inside are what the miss cost, also those of a recursion, and hits cost nothing."""
    clock = FakeClock(1_795_000_020_000_000)
    gate = make_gate(clock=clock)

    def enrich(record: int) -> int:
        with gate.call("clearbit.enrich", key=str(record)):
            return record and enriched(record - 1)

    enriched = gate.watch_cache("people", functools.cache(enrich))
    for record in (2, 2, 1):
        enriched(record)
    assert counted(gate) == {"hits": 2, "misses": 3, "miss_usd": 12_000_000}


def test_what_it_pays_after_a_recursion_is_its_own_cost() -> None:
    """A miss inside the load of another one, of the same cache, ends without ending that one."""
    gate = make_gate()

    def enrich(record: int) -> int:
        below = record and enriched(record - 1)
        with gate.call("clearbit.enrich", key=str(record)):
            return below

    enriched = gate.watch_cache("people", functools.cache(enrich))
    enriched(2)
    assert counted(gate) == {"misses": 3, "miss_usd": 12_000_000}


def test_a_function_that_is_gone_is_forgotten() -> None:
    """Nothing keeps a watched function alive, and its counts are not asked for any more."""
    gate = make_gate()
    monitor = gate.cache_monitor("squares")
    squared = gate.watch_cache("squares", squaring([], maxsize=3))
    squared(1)
    assert len(monitor.measures) == 1
    del squared
    gc.collect()
    assert monitor.measures == []
    assert counted(gate) == {"misses": 1}
