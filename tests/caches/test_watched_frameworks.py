"""Django's caches, Flask-Caching and `diskcache`: they behave as before, and what they do is counted."""

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import diskcache
import django
import flask
import flask_caching
import pytest
from django.conf import settings

from tests.caches.watching import counted, differences, drop, make_gate, put

settings.configure(
    CACHES={
        name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
        for name in ("default", "bare", "watched")
    }
)
django.setup()

from django.core.cache import cache as default_cache  # noqa: E402
from django.core.cache import caches  # noqa: E402


def fails() -> Any:
    """A load that fails."""
    raise ConnectionError("the provider is away")


DJANGO: list[tuple[str, Callable[[Any], Any]]] = [
    ("a miss", lambda c: (c.get("a"), c.get("a", 7), c.get("a", default=7, version=2))),
    ("storing", lambda c: (c.set("a", 1), c.set("b", 2, 60), c.set("c", 3, timeout=60, version=2))),
    ("a hit", lambda c: (c.get("a"), c.get("c", version=2))),
    ("adding", lambda c: (c.add("a", 9), c.add("d", 4))),
    ("many", lambda c: c.get_many(["a", "b", "none"])),
    ("storing many", lambda c: c.set_many({"e": 5, "f": 6})),
    ("get_or_set, there", lambda c: c.get_or_set("a", 9)),
    ("get_or_set, not there", lambda c: c.get_or_set("g", lambda: 7)),
    ("get_or_set of a value", lambda c: c.get_or_set("h", 8, 60)),
    ("get_or_set of nothing", lambda c: (c.get_or_set("i", None), c.get("i", 3))),
    ("get_or_set that fails", lambda c: c.get_or_set("j", fails)),
    ("asking", lambda c: ("a" in c, "none" in c, c.has_key("a"), c.has_key("none", version=2))),
    ("a stored None", lambda c: (c.set("n", None), c.get("n", 7), "n" in c, c.get_or_set("n", 8))),
    ("counting up", lambda c: (c.incr("a"), c.decr("a"))),
    ("counting up what is missing", lambda c: c.incr("none")),
    ("touching", lambda c: (c.touch("a", 60), c.touch("none"))),
    ("deleting", lambda c: (c.delete("a"), c.delete("a"), c.delete_many(["b"]))),
    ("a key of ten megabytes", lambda c: c.get("k" * 10_000_000)),
    ("a key of another kind", lambda c: (c.set(7, 1), c.get(7), c.get(None), c.get(b"x"))),
    ("a wrong call", lambda c: c.get()),
    ("what cannot be pickled", lambda c: c.set("x", lambda: 1)),
    ("an attribute that is not there", lambda c: c.nothing),
    ("clearing", lambda c: (c.clear(), c.get("e"))),
]


def test_djangos_caches_behave_as_before() -> None:
    """Values, versions, defaults and exceptions of a watched backend are those of the bare one."""
    watched = make_gate().watch_cache("people", caches["watched"])
    assert isinstance(watched, type(caches["watched"]))
    with pytest.warns(match="errors if used with memcached"):
        assert differences(caches["bare"], watched, DJANGO) == []


def test_djangos_lookups_are_counted() -> None:
    """Each key that is looked up is a hit or a miss; what `get_or_set` computes is a load with its cost."""
    gate = make_gate()
    default_cache.clear()
    people = gate.watch_cache("people", default_cache)
    assert isinstance(people, type(default_cache))

    def load() -> str:
        with gate.call("clearbit.enrich"):
            return "somebody"

    assert people.get("a") is None
    people.set("a", 1)
    assert (people.get("a"), people.get_many(["a", "b"])) == (1, {"a": 1})
    assert [people.get_or_set("c", load) for _ in range(3)] == ["somebody"] * 3
    assert people.get_or_set("d", "plain") == "plain"
    people.set_many({"e": 1, "f": 2})
    assert counted(gate) == {"hits": 4, "misses": 4, "sets": 5, "miss_usd": 4_000_000}
    if "g" not in people:
        people.set("g", 1)
    assert people.get("g") == 1
    with pytest.raises(ConnectionError):
        people.get_or_set("h", fails)
    assert counted(gate) == {"hits": 4, "misses": 6, "sets": 6, "errors": 1, "miss_usd": 4_000_000}


def test_djangos_awaited_methods_are_counted() -> None:
    """The awaited methods behave and count like the others."""
    gate = make_gate()
    people = gate.watch_cache("people", caches["watched"])

    async def steps(cache: Any) -> list[Any]:
        await cache.aclear()
        found = [await cache.aget("a", 7), await cache.aset("a", 1), await cache.aget("a"), await cache.aadd("b", 2)]
        found += [await cache.aget_many(["a", "none"]), await cache.aset_many({"c": 3}), await cache.ahas_key("c")]
        return [*found, await cache.aget_or_set("d", lambda: 4), await cache.aget_or_set("d", 5)]

    assert asyncio.run(steps(people)) == asyncio.run(steps(caches["bare"]))
    assert counted(gate) == {"hits": 4, "misses": 3, "sets": 4}


def test_djangos_threads_each_have_their_backend() -> None:
    """Through the proxy each thread asks its own backend, as before, and all are counted."""
    gate = make_gate()
    default_cache.clear()
    people = gate.watch_cache("people", default_cache)
    people.set("a", 1)
    threads = [threading.Thread(target=lambda: people.get("a")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(gate) == {"hits": 4, "sets": 1}


@pytest.fixture
def app() -> Iterator[flask.Flask]:
    """An application in its context."""
    made = flask.Flask("shop")
    with made.app_context():
        yield made


CACHE = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 60}
FLASK: list[tuple[str, Callable[[Any], Any]]] = [
    ("a miss", lambda c: c.get("a")),
    ("storing", lambda c: (c.set("a", 1), c.set("b", 2, timeout=60))),
    ("a hit", lambda c: (c.get("a"), c.has("a"), c.has("none"))),
    ("adding", lambda c: (c.add("a", 9), c.add("d", 4))),
    ("many", lambda c: (c.get_many("a", "none"), c.get_dict("a", "none"))),
    ("storing many", lambda c: c.set_many({"e": 5, "f": 6})),
    ("a key of ten megabytes", lambda c: c.get("k" * 10_000_000)),
    ("other keys", lambda c: (c.get(None), c.get(b"x"), c.set(7, 1), c.get(7))),
    ("an unhashable key", lambda c: c.get([])),
    ("a wrong call", lambda c: c.get()),
    ("deleting", lambda c: (c.delete("a"), c.delete("a"), c.delete_many("d", "e"))),
    ("an attribute that is not there", lambda c: c.nothing),
    ("clearing", lambda c: (c.clear(), c.get("f"))),
]


def test_flask_caching_behaves_as_before(app: flask.Flask) -> None:
    """The extension answers as before, and is the same object."""
    other = flask.Flask("other")
    bare, cache = flask_caching.Cache(app, config=CACHE), flask_caching.Cache()
    assert make_gate().watch_cache("pages", cache) is cache
    cache.init_app(other, config=CACHE)
    found = [differences(bare, _in(other, cache), FLASK)]
    assert found == [[]]
    assert isinstance(cache, flask_caching.Cache)


class _in:  # noqa: N801 - it reads as a word
    """A cache that is asked in the context of its application."""

    def __init__(self, app: flask.Flask, cache: Any) -> None:
        self.app, self.cache = app, cache

    def __getattr__(self, name: str) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.app.app_context():
                return getattr(self.cache, name)(*args, **kwargs)

        getattr(self.cache, name)
        return run


def test_flasks_decorators_are_counted(app: flask.Flask) -> None:
    """What `memoize` and `cached` look up is counted, with the cost of what they load; a cached None is a hit."""
    gate = make_gate()
    cache = flask_caching.Cache(app, config=CACHE)
    calls: list[int] = []

    @cache.memoize()
    def enrich(record: int) -> int:
        calls.append(record)
        with gate.call("clearbit.enrich"):
            return record

    @cache.memoize(cache_none=True)
    def nobody(record: int) -> None:
        calls.append(record)

    @app.get("/")
    @cache.cached()
    def page() -> str:
        calls.append(0)
        return "hello"

    gate.watch_cache("pages", cache)
    assert [enrich(record) for record in (1, 1, 2)] == [1, 1, 2]
    assert counted(gate) == {"hits": 1, "misses": 2, "sets": 2, "miss_usd": 8_000_000}
    assert [nobody(3) for _ in range(3)] == [None] * 3
    assert counted(gate) == {"hits": 3, "misses": 3, "sets": 3, "miss_usd": 8_000_000}
    assert {app.test_client().get("/").text for _ in range(3)} == {"hello"}
    assert calls == [1, 2, 3, 0]
    assert counted(gate) == {"hits": 5, "misses": 4, "sets": 4, "miss_usd": 8_000_000}
    cache.delete_memoized(enrich, 1)
    assert enrich(1) == 1
    assert calls == [1, 2, 3, 0, 1]


def test_flask_asks_and_stores(app: flask.Flask) -> None:
    """`has` and the value that is read next are one lookup."""
    gate = make_gate()
    cache = gate.watch_cache("pages", flask_caching.Cache(app, config=CACHE))
    for key in ("a", "a", "b"):
        if not cache.has(key):
            cache.set(key, key)
        assert cache.get(key) == key
    with pytest.raises(TypeError):
        cache.get([])
    assert counted(gate) == {"hits": 1, "misses": 2, "sets": 2, "errors": 1}


DISK: list[tuple[str, Callable[[Any], Any]]] = [
    ("a miss", lambda c: (c.get("a"), c.get("a", 7), c.get("a", default=7, tag=True, expire_time=True))),
    ("a missing item", lambda c: c["a"]),
    ("storing", lambda c: (put(c, "a", 1), c.set("b", 2, expire=60, tag="t"))),
    ("a hit", lambda c: (c["a"], c.get("b", tag=True), "a" in c, "none" in c)),
    ("a value in pairs", lambda c: (put(c, "p", (1, 2)), c["p"], c.get("p"))),
    ("adding", lambda c: (c.add("a", 9), c.add("d", 4))),
    ("other keys", lambda c: [put(c, key, 1) or c[key] for key in (b"x", None, 1.5, (1, "a"))]),
    ("an unhashable key", lambda c: (put(c, [1], 1), c[[1]])),
    ("a large value", lambda c: (put(c, "large", "x" * 100_000), len(c["large"]))),
    ("a key of ten megabytes", lambda c: c.get("k" * 10_000_000)),
    ("counting up", lambda c: (c.incr("a"), c.decr("a"))),
    ("pop", lambda c: (c.pop("a"), c.pop("a", 3))),
    ("deleting", lambda c: drop(c, "b")),
    ("deleting what is missing", lambda c: drop(c, "b")),
    ("the length", len),
    ("the keys", lambda c: sorted(map(repr, c))),
    ("a wrong call", lambda c: c.get()),
    ("an attribute that is not there", lambda c: c.nothing),
    ("what cannot be pickled", lambda c: put(c, "x", lambda: 1)),
    ("pickling", lambda c: _closed(pickle.loads(pickle.dumps(c)))),
    ("copying", lambda c: _closed(copy.copy(c))),
    ("clearing", lambda c: c.clear()),
]


def _closed(cache: Any) -> Any:
    """What a copy is, once it is closed."""
    cache.close()
    return type(cache).__name__, type(cache).__module__


@pytest.mark.parametrize("kind", [diskcache.Cache, diskcache.FanoutCache])
def test_diskcache_behaves_as_before(kind: Any, tmp_path: Path) -> None:
    """Values, exceptions, copies and pickles are those of the bare cache, which is the watched one itself."""
    with kind(str(tmp_path / "bare")) as bare, kind(str(tmp_path / "watched")) as cache:
        assert make_gate().watch_cache("files", cache) is cache
        assert differences(bare, cache, DISK) == []
        assert isinstance(cache, kind)


@pytest.mark.parametrize("kind", [diskcache.Cache, diskcache.FanoutCache])
def test_diskcaches_lookups_are_counted(kind: Any, tmp_path: Path) -> None:
    """Items, `get`, `in` and what `memoize` looks up are counted, each once."""
    gate = make_gate()
    with kind(str(tmp_path)) as cache:
        gate.watch_cache("files", cache)
        assert cache.get("a") is None
        with pytest.raises(KeyError):
            cache["a"]
        cache["a"] = 1
        cache.set("b", 2)
        assert (cache["a"], cache.get("b"), cache.get("b", tag=True)) == (1, 2, (2, None))
        assert counted(gate) == {"hits": 3, "misses": 2, "sets": 2}

        @cache.memoize()
        def enrich(record: int) -> int:
            with gate.call("clearbit.enrich"):
                return record

        assert [enrich(record) for record in (1, 1, 2)] == [1, 1, 2]
        for key in ("c", "c"):
            if key not in cache:
                cache[key] = 3
            assert cache[key] == 3
        assert counted(gate) == {"hits": 5, "misses": 5, "sets": 5, "miss_usd": 8_000_000}


def test_other_collections_of_diskcache_are_mappings(tmp_path: Path) -> None:
    """An `Index` is watched as the mapping it is, and a `Deque` is no cache."""
    gate = make_gate()
    index = diskcache.Index(str(tmp_path / "index"))
    watched = gate.watch_cache("files", index)
    watched["a"] = 1
    assert (watched["a"], watched.get("b")) == (1, None)
    index.cache.close()
    assert counted(gate) == {"hits": 1, "misses": 1, "sets": 1}
    deque = diskcache.Deque(directory=str(tmp_path / "deque"))
    with pytest.raises(TypeError, match="nothing is known"):
        gate.watch_cache("files", deque)
    deque.cache.close()


def simple_cache(_: Path) -> Any:
    """Flask-Caching in memory, with its application."""
    found = flask_caching.Cache(config={"CACHE_TYPE": "SimpleCache"})
    found.init_app(flask.Flask("it"))
    return found


@pytest.mark.parametrize(
    "make", [lambda _: caches["bare"], simple_cache, diskcache.Cache], ids=["Django", "Flask-Caching", "diskcache"]
)
def test_a_lock_that_is_added_before_paying_ends_no_load(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """`add` takes a lock before the call is made, and stores the value after it: both times the miss has its cost."""
    gate = make_gate()
    given = make(tmp_path)
    context = given.app.app_context() if isinstance(given, flask_caching.Cache) else nullcontext()
    with context:
        given.clear()
        people = gate.watch_cache("people", given)
        for key, store in (("a", people.set), ("b", people.add)):
            assert people.get(key) is None
            assert people.add(f"lock-of-{key}", 1)
            with gate.call("clearbit.enrich"):
                pass
            store(key, 1)
            with gate.call("clearbit.enrich"):
                pass
        given.clear()
    if isinstance(given, diskcache.Cache):
        given.close()
    assert counted(gate) == {"misses": 2, "sets": 4, "miss_usd": 8_000_000}
