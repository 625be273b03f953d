"""`if key in cache: cache[key]` is one lookup to each thread and task, whatever the others ask meanwhile; and cheap."""

import asyncio
import sys
import threading
from collections import UserDict
from collections.abc import Callable
from contextvars import Context, copy_context
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from cachetools import LRUCache, TTLCache

import spendgate
from tests.caches.watching import counted, make_gate

SOURCES = str(Path(spendgate.__file__).parent)
KINDS = {"dict": dict, "UserDict": UserDict, "LRUCache": lambda: LRUCache(10), "TTLCache": lambda: TTLCache(10, 60)}


def make_cache(kind: str = "dict") -> tuple[Any, Any]:
    """A gate, and a watched cache that has two keys, one of them asked for in this context."""
    gate = make_gate()
    cache = gate.watch_cache("people", KINDS[kind]())
    cache["a"] = cache["b"] = 1
    assert "a" in cache
    assert cache["a"] == 1
    return gate, cache


@pytest.mark.parametrize("kind", KINDS)
def test_contexts_ask_apart(kind: str) -> None:
    """What a task has asked for stays its own while another one, begun by the same, asks for another key."""
    gate, cache = make_cache(kind)
    other = copy_context()
    assert "a" in cache
    assert other.run(lambda: "b" in cache)
    assert cache["a"] == other.run(lambda: cache["b"]) == 1
    assert counted(gate) == {"hits": 3, "sets": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_contexts_read_apart(kind: str) -> None:
    """A task that reads another key than the one that is asked for elsewhere changes nothing there, early or late."""
    gate, cache = make_cache(kind)
    other = copy_context()
    assert "a" in cache
    assert other.run(lambda: cache["b"]) == 1
    assert cache["a"] == 1
    assert "a" in cache
    late = copy_context()
    assert late.run(lambda: cache["b"]) == 1
    assert cache["a"] == 1
    assert counted(gate) == {"hits": 5, "sets": 2}


def test_a_fresh_context_has_asked_for_nothing() -> None:
    """A key that one thread has asked for first of all is another one's lookup."""
    gate, cache = make_cache()
    assert Context().run(lambda: "a" in cache)
    assert Context().run(lambda: cache["a"]) == 1
    assert counted(gate) == {"hits": 3, "sets": 2}


def test_a_key_is_asked_for_and_read_once() -> None:
    """The second reading of a key that was asked for once is a lookup, and so is another key's in between."""
    gate, cache = make_cache()
    assert "a" in cache
    assert cache["a"] == cache["a"] == 1
    assert "a" in cache
    assert cache["b"] == cache["a"] == 1
    assert counted(gate) == {"hits": 6, "sets": 2}


def test_tasks_ask_apart() -> None:
    """Tasks that ask, wait for each other and read have one lookup each, and one load each where it is missing."""
    gate, cache = make_cache()

    async def ask(key: object, together: asyncio.Barrier) -> None:
        for _ in range(5):
            if key not in cache:
                await together.wait()
                cache[key] = 1
            await together.wait()
            assert cache[key] == 1

    async def main() -> None:
        together = asyncio.Barrier(20)
        await asyncio.gather(*(ask(number, together) for number in range(20)))

    asyncio.run(main())
    assert counted(gate) == {"hits": 81, "misses": 20, "sets": 22}


def test_threads_ask_apart() -> None:
    """Eight threads that ask and read at once, in contexts that are copies of one another, are counted to the last."""
    gate, cache = make_cache()

    def work(key: str) -> None:
        for _ in range(5000):
            if key in cache:
                assert cache[key] == 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=copy_context().run, args=(work, "ab"[number % 2])) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert counted(gate) == {"hits": 40_001, "sets": 2}


def test_another_gates_calls_cost_this_cache_nothing() -> None:
    """A call that is made through another gate, which has caches of its own, is not what a miss here costs."""
    gate, other = make_gate(), make_gate()
    cache, elsewhere = gate.watch_cache("people", {}), other.watch_cache("people", {})
    cache.get("a")
    elsewhere.get("a")
    with gate.call("clearbit.enrich"):
        pass
    cache["a"] = elsewhere["a"] = 1
    assert counted(gate)["miss_usd"] == 4_000_000
    assert "miss_usd" not in counted(other)


def functions_of_ours(step: Callable[[], object]) -> int:
    """How many of our own functions a step runs through."""
    ran = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCES):
            ran.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        step()
    finally:
        sys.setprofile(None)
    return len(ran)


@pytest.mark.parametrize("kind", ["dict", "LRUCache", "TTLCache"])
def test_a_lookup_runs_through_two_functions(kind: str) -> None:
    """A hit, a miss, and asking for a presence: the cache's method and one that counts, however many caches load."""
    gate, cache = make_cache(kind)
    gate.cache_monitor("people").mask[0] = -1
    gate.watch_cache("others", {}).get("a")

    def missing() -> None:
        with pytest.raises(KeyError):
            cache["c"]

    steps = (lambda: cache["a"], lambda: cache.get("a"), lambda: cache.get("c"), missing, lambda: "a" in cache)
    assert [functions_of_ours(step) for step in steps] == [2, 2, 2, 2, 2]
    assert "a" in cache
    assert functions_of_ours(lambda: cache["a"]) == 2
    assert functions_of_ours(lambda: "c" in cache) == 3, "it begins a load, whose key is read next"
