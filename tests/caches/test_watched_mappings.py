"""Dictionaries, other mappings and `cachetools`: they behave as before, and what they do is counted."""

import threading
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Callable, MutableMapping
from typing import Any

import cachetools
import pytest
from cachetools import FIFOCache, LFUCache, LRUCache, RRCache, TLRUCache, TTLCache, cached, cachedmethod

from tests.caches.watching import MAPPING, counted, differences, make_gate, put


class Loading(TTLCache):
    """Computes what it does not have."""

    def __missing__(self, key: Any) -> Any:
        if key in ("missing", ("a", 1)):
            raise KeyError(key)
        self[key] = value = f"loaded {key}"
        return value


class Broken(UserDict):
    """Fails like a cache whose server is away."""

    def __getitem__(self, key: Any) -> Any:
        raise ConnectionError(key)


CACHES: dict[str, Callable[[], Any]] = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "defaultdict": lambda: defaultdict(lambda: "made"),
    "UserDict": UserDict,
    "Cache": lambda: cachetools.Cache(100),
    "FIFOCache": lambda: FIFOCache(100),
    "LFUCache": lambda: LFUCache(100),
    "LRUCache": lambda: LRUCache(100),
    "RRCache": lambda: RRCache(100, choice=min),
    "TTLCache": lambda: TTLCache(100, 3600),
    "TLRUCache": lambda: TLRUCache(100, lambda _, __, now: now + 3600),
    "a subclass that computes": lambda: Loading(100, 3600),
}


@pytest.mark.parametrize("kind", CACHES)
def test_it_behaves_as_before(kind: str) -> None:
    """Values, exceptions, types, copies and pickles of a watched mapping are those of the bare one."""
    watched = make_gate().watch_cache("people", CACHES[kind]())
    steps = [step for step in MAPPING if kind != "RRCache" or step[0] != "letting go"]
    if kind in ("Cache", "TLRUCache", "a subclass that computes"):
        steps = [step for step in steps if "pickling" not in step[0] and "deep copy" not in step[0]]
    assert differences(CACHES[kind](), watched, steps) == []
    assert isinstance(watched, type(CACHES[kind]()))
    assert isinstance(watched, MutableMapping)


@pytest.mark.parametrize("kind", ["dict", "OrderedDict", "UserDict", "LRUCache", "TTLCache", "LFUCache", "FIFOCache"])
def test_lookups_are_counted(kind: str) -> None:
    """A lookup that finds something is a hit, one that does not a miss, and each is counted once."""
    gate = make_gate()
    cache = gate.watch_cache("people", CACHES[kind]())
    for key in ("a", "b"):
        assert cache.get(key) is None
        with pytest.raises(KeyError):
            cache[key]
        cache[key] = key
        assert cache[key] == cache.get(key) == key
    assert counted(gate) == {"hits": 4, "misses": 4, "sets": 2}


@pytest.mark.parametrize("kind", ["dict", "OrderedDict", "UserDict", "LRUCache", "TTLCache"])
def test_asking_first_is_one_lookup(kind: str) -> None:
    """`in` and the item that is read next are one lookup, whether the key is there or is stored in between."""
    gate = make_gate()
    cache = gate.watch_cache("people", CACHES[kind]())
    for key in ("a", "a", "b", "a"):
        if key not in cache:
            cache[key] = key
        assert cache[key] == key
    assert counted(gate) == {"hits": 2, "misses": 2, "sets": 2}


def test_asking_only_is_a_lookup() -> None:
    """A cache that is only asked for presence has its hits and misses, and another key's lookup is another one."""
    gate = make_gate()
    seen = gate.watch_cache("seen", {})
    for key in ("a", "b", "a", "b", "a"):
        if key in seen:
            continue
        seen[key] = True
    assert "a" in seen
    assert seen["b"]
    assert counted(gate) == {"hits": 5, "misses": 2, "sets": 2}


def test_both_share_the_contents() -> None:
    """The dictionary that was given stays as it is and shares its contents, so nobody who has it misses anything."""
    gate = make_gate()
    given = {"a": 1}
    cache = gate.watch_cache("people", given)
    given["b"] = 2
    cache["c"] = 3
    assert (cache["b"], given["c"], type(given)) == (2, 3, dict)
    assert counted(gate) == {"hits": 1, "sets": 1}


def test_watched_twice_is_counted_once() -> None:
    """Watching a cache again under the same name changes nothing."""
    gate = make_gate()
    for make in (dict, lambda: LRUCache(10)):
        cache = gate.watch_cache("people", make())
        assert gate.watch_cache("people", cache) is cache
        cache.get("a")
    assert counted(gate) == {"misses": 2}


def test_a_cache_may_have_two_names() -> None:
    """Under another name, or for another gate, the same cache is counted there as well."""
    gate = make_gate()
    cache = gate.watch_cache("inner", LRUCache(10))
    assert gate.watch_cache("outer", cache) is cache
    cache["a"] = 1
    assert (cache["a"], cache.get("b"), "a" in cache) == (1, None, True)
    assert counted(gate, "inner") == counted(gate, "outer") == {"hits": 2, "misses": 1, "sets": 1}


@pytest.mark.parametrize("kind", ["LRUCache", "LFUCache", "FIFOCache", "TTLCache"])
def test_evictions_are_counted(kind: str) -> None:
    """What a full cache lets go of is an eviction; what is deleted, popped or cleared is none, nor a lookup."""
    gate = make_gate()
    small = {"TTLCache": lambda: TTLCache(3, 3600)}.get(kind, lambda: getattr(cachetools, kind)(3))()
    cache = gate.watch_cache("people", small)
    for key in range(5):
        cache[key] = key
    cache.setdefault(7, 7)
    del cache[7]
    cache.pop(4, None)
    cache.clear()
    assert counted(gate) == {"sets": 6, "evictions": 3}
    (minute,) = gate.store.cache_minutes(0, 1 << 62)
    assert (minute.size, minute.capacity) == (0, 3)


def test_what_has_expired_is_no_eviction() -> None:
    """Time takes nothing from a cache for want of room."""
    gate, now = make_gate(), [0]
    cache = gate.watch_cache("people", TTLCache(3, 10, timer=lambda: now[0]))
    cache["a"] = cache["b"] = 1
    now[0] = 11
    assert cache.get("a") is None
    cache["c"] = 1
    assert counted(gate) == {"misses": 1, "sets": 3}


def test_what_is_computed_is_a_load() -> None:
    """A cache that computes what it does not have has missed, although it answers."""
    gate = make_gate()
    for cache in (
        gate.watch_cache("people", Loading(10, 3600)),
        gate.watch_cache("people", defaultdict(list)),
    ):
        assert cache["x"] is cache["x"]
    assert counted(gate) == {"hits": 2, "misses": 2, "sets": 1}


def test_errors_are_counted() -> None:
    """A cache that raises something else than KeyError has failed, and the exception is its own."""
    gate = make_gate()
    broken = gate.watch_cache("people", Broken())
    with pytest.raises(ConnectionError):
        broken["a"]
    for cache in (gate.watch_cache("people", {}), gate.watch_cache("people", LRUCache(3))):
        with pytest.raises(TypeError, match="unhashable"):
            cache[{}]
    small = gate.watch_cache("people", LRUCache(3, getsizeof=len))
    with pytest.raises(ValueError, match="too large"):
        small["a"] = "four"
    assert counted(gate) == {"errors": 4}


def test_a_decorated_function_is_watched_by_its_cache() -> None:
    """`cached` with and without lock, condition and counts works as before, whoever watches its cache."""
    gate = make_gate()
    for options in ({}, {"lock": threading.Lock()}, {"condition": threading.Condition()}, {"info": True}):
        calls: list[int] = []

        @cached(LRUCache(10), **options)
        def double(number: int, calls: list[int] = calls) -> int:
            calls.append(number)
            return 2 * number

        assert gate.watch_cache("doubles", double) is double
        assert [double(n) for n in (1, 1, 2, 1)] == [2, 2, 4, 2]
        assert calls == [1, 2]
        if options == {"info": True}:
            assert double.cache_info()[:2] == (2, 2)
    assert counted(gate) == {"hits": 8, "misses": 8, "sets": 8}


def test_a_dictionary_behind_a_decorator_is_watched() -> None:
    """A function that is cached in a dictionary is watched, and so is one that is decorated with a watched one."""
    gate = make_gate()
    first = gate.watch_cache("doubles", cached({})(lambda number: 2 * number))
    second = cached(gate.watch_cache("doubles", {}))(lambda number: 2 * number)
    for function in (first, second):
        assert [function(n) for n in (1, 1, 2)] == [2, 2, 4]
    assert counted(gate) == {"hits": 2, "misses": 4, "sets": 4}


def test_methods_share_a_monitor() -> None:
    """A cache for each object is watched where it is made, all under one name, in memory that objects give back."""
    gate = make_gate()

    class Person:
        def __init__(self) -> None:
            self.cache = gate.watch_cache("ages", LRUCache(10))

        @cachedmethod(lambda self: self.cache)
        def age(self, year: int) -> int:
            return year - 1912

    for _ in range(3):
        person = Person()
        assert (person.age(1954), person.age(1954)) == (42, 42)
    assert counted(gate) == {"hits": 3, "misses": 3, "sets": 3}
    assert len({type(Person().cache) for _ in range(3)}) == 1


def test_the_bound_method_is_watched_in_place() -> None:
    """A bound method of `cachedmethod` stands for the cache of its object."""

    class Person:
        def __init__(self) -> None:
            self.cache: Any = LRUCache(10)

        @cachedmethod(lambda self: self.cache)
        def age(self, year: int) -> int:
            return year - 1912

    gate, person = make_gate(), Person()
    gate.watch_cache("ages", person.age)
    assert [person.age(1954), person.age(1954)] == [42, 42]
    assert counted(gate) == {"hits": 1, "misses": 1, "sets": 1}


def test_unknown_caches_are_refused() -> None:
    """What nothing is known of is refused with what helps, and nothing is watched."""
    gate = make_gate()
    for thing in (object(), 7, print, [1]):
        with pytest.raises(TypeError, match=r"nothing is known of caches like .*gate\.cache_monitor\(name\)"):
            gate.watch_cache("people", thing)
    assert counted(gate) == {}


def test_update_counts_once_and_ends_a_load() -> None:
    """`update` and `|=` store something."""
    gate = make_gate()
    cache = gate.watch_cache("people", {})
    cache.update(a=1)
    cache |= {"b": 2}
    assert cache == {"a": 1, "b": 2}
    assert put(cache, "c", 3) is None
    assert counted(gate) == {"sets": 3}


class Wrapping(dict):
    """Has a `get` of its own, which does something with the default."""

    def get(self, key: Any, default: Any = None, *, wrap: bool = True) -> Any:
        value = super().get(key, default)
        return ("wrapped", value) if wrap else value


class WrappingCache(LRUCache):
    """The same for `cachetools`."""

    def get(self, key: Any, default: Any = None, *, wrap: bool = True) -> Any:
        value = super().get(key, default)
        return ("wrapped", value) if wrap else value


@pytest.mark.parametrize("make", [Wrapping, lambda: WrappingCache(10)])
def test_a_get_of_its_own_is_asked_as_its_caller_asks(make: Callable[[], Any]) -> None:
    """A `get` that a class has written itself sees the caller's default and arguments, and nothing else."""
    gate = make_gate()
    cache = gate.watch_cache("people", make())
    assert cache.get("a") == ("wrapped", None)
    assert cache.get("a", "none") == ("wrapped", "none")
    assert cache.get("a", "none", wrap=False) == "none"
    cache["a"] = 1
    assert cache.get("a", wrap=False) == 1
    assert counted(gate)["hits"] == 3, "what is wrapped does not look like a miss"


class Picky:
    """Compares with nothing but its own kind."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Picky):
            raise NotImplementedError("only with its own kind")
        return self.number == other.number


@pytest.mark.parametrize("make", [dict, UserDict, lambda: LRUCache(10)])
def test_keys_are_compared_with_none_that_the_cache_would_not(make: Callable[[], Any]) -> None:
    """A key that raises when it is compared is looked up as before, whatever was asked for just now."""
    cache = make_gate().watch_cache("people", make())
    cache["a"] = cache[Picky(7)] = 1
    assert "a" in cache
    assert cache[Picky(7)] == 1
    assert Picky(7) in cache
    assert cache["a"] == cache.get("a") == 1


@pytest.mark.parametrize("make", [dict, UserDict, lambda: LRUCache(10), lambda: TTLCache(10, 60)])
def test_going_through_the_contents_is_no_lookup(make: Callable[[], Any]) -> None:
    """Listing, comparing and copying a cache asks for nothing, so that no dead cache looks alive by it."""
    gate = make_gate()
    cache = gate.watch_cache("people", make())
    cache["a"] = cache["b"] = 1
    assert list(cache.items()) == [("a", 1), ("b", 1)]
    assert list(cache.values()) == [1, 1]
    assert cache == {"a": 1, "b": 1}
    assert dict(cache.items()) == {"a": 1, "b": 1}
    assert len(cache.items()) == len(cache.values()) == 2
    assert counted(gate) == {"sets": 2}
