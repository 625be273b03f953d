"""What the tests of watched caches share: a gate on a fake clock, what it counted, and how to compare two caches."""

import copy
import pickle
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from spendgate.cacheminutes import CacheMinute
from spendgate.config import read
from spendgate.gate import Gate
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock

NOON_AT = 1_795_000_040_000_000
CONFIG = """
[prices."clearbit.enrich"]
per_call = "0.004"
[prices."maps.geocode"]
per_call = "0.005"
free_calls_per_month = 2
[prices."mail.send"]
per_unit = { mails = "0.001" }
[prices."own.lookup"]
free = true
"""
ALWAYS = 1 << 62
COUNTS = [one.name for one in fields(CacheMinute)][4:]


def make_gate(store: Any = None, **parts: Any) -> Gate:
    """A gate over a ledger in memory; `pipeline` is the service, `v7` the version."""
    return Gate(
        store or MemoryStore(),
        clock=parts.pop("clock", None) or FakeClock(NOON_AT),
        prices=PriceBook(read(CONFIG).prices),
        service="pipeline",
        version="v7",
        **parts,
    )


def counted(gate: Gate, cache: str = "") -> dict[str, int]:
    """All that the ledger knows of a cache, summed, without what is 0."""
    gate.flush_caches()
    minutes = gate.store.cache_minutes(0, ALWAYS, cache)
    sums = {name: sum(getattr(one, name) for one in minutes) for name in COUNTS[:7]}
    return {name: value for name, value in sums.items() if value and name != "load_us"}


def outcome(step: Callable[[Any], Any], cache: Any) -> Any:
    """What a step comes to, in a form that can be compared: a value, or an exception and its arguments."""
    try:
        value = step(cache)
    except TypeError as fault:  # what is told of a wrong call names the function
        return "raised", type(fault), "unhashable" in str(fault)
    except Exception as fault:  # noqa: BLE001 - whatever it raises is compared
        return "raised", type(fault), repr(fault.args)
    return "returned", type(value), repr(value)


def differences(bare: Any, watched: Any, steps: Iterable[tuple[str, Callable[[Any], Any]]]) -> list[str]:
    """Where a watched cache does not do what the bare one does."""
    found = []
    for name, step in steps:
        was, now = outcome(step, bare), outcome(step, watched)
        if was != now:
            found.append(f"{name}: {was} became {now}")
    return found


def drop(cache: Any, key: object) -> None:
    """Deletes a key, as an expression."""
    del cache[key]


def put(cache: Any, key: object, value: object) -> None:
    """Stores a value, as an expression."""
    cache[key] = value


MAPPING: list[tuple[str, Callable[[Any], Any]]] = [
    ("a missing item", lambda c: c["missing"]),
    ("a missing item by a tuple", lambda c: c["a", 1]),
    ("get of what is missing", lambda c: c.get("missing")),
    ("get with a default", lambda c: c.get("missing", 7)),
    ("storing", lambda c: put(c, "a", 1)),
    ("storing None", lambda c: put(c, "none", None)),
    ("a stored None", lambda c: (c["none"], c.get("none", 7), "none" in c)),
    ("reading", lambda c: (c["a"], c.get("a"), "a" in c, "b" in c)),
    ("bytes, None, numbers and tuples as keys", lambda c: [put(c, k, k) or c[k] for k in (b"x", None, 1.5, (1, 2))]),
    ("a key of ten megabytes", lambda c: [put(c, "k" * 10_000_000, 1), c["k" * 10_000_000], c.pop("k" * 10_000_000)]),
    ("an unhashable item", lambda c: c[[1]]),
    ("get of something unhashable", lambda c: c.get([1])),
    ("asking for something unhashable", lambda c: [1] in c),
    ("storing something unhashable", lambda c: put(c, {}, 1)),
    ("setdefault, there", lambda c: c.setdefault("a", 2)),
    ("setdefault, not there", lambda c: c.setdefault("c", 3)),
    ("the length", len),
    ("its truth", bool),
    ("the keys", lambda c: sorted(map(repr, c))),
    ("the items", lambda c: sorted(map(repr, c.items()))),
    ("its repr", lambda c: repr(dict(c))),
    ("equality", lambda c: (c == dict(c), c != dict(c))),
    ("update", lambda c: c.update({"d": 4}, e=5)),
    ("pop", lambda c: (c.pop("d"), c.pop("d", None))),
    ("pop of what is missing", lambda c: c.pop("missing")),
    ("deleting", lambda c: drop(c, "e")),
    ("deleting what is missing", lambda c: drop(c, "e")),
    ("a wrong call", lambda c: c.get()),
    ("an attribute that is not there", lambda c: c.nothing),
    ("a shallow copy", lambda c: sorted(map(repr, copy.copy(c).items()))),
    ("a deep copy", lambda c: (type(copy.deepcopy(c)), sorted(map(repr, copy.deepcopy(c).items())))),
    ("pickling", lambda c: (type(pickle.loads(pickle.dumps(c))), len(pickle.loads(pickle.dumps(c))))),
    ("hashing", lambda c: hash(c) and None),
    ("letting go", lambda c: len(c.popitem())),
    ("clearing", lambda c: (c.clear(), len(c))),
]
"""What a mapping is put through."""
