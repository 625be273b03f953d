"""Whole cached functions: called twice, they load once."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import pytest

from spendgate import stable_key
from spendgate.testing import KeyFinding, KeyStabilityError, assert_key_stable


class Store:
    """A cache like a client of a server: it is asked, and lists its keys."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def scan_iter(self) -> Iterator[str]:
        return iter(self.kept)


def cached_under(make_key: Callable[..., Any], kept: dict[Any, str]) -> Callable[..., str]:
    def load(*args: Any, **kwargs: Any) -> str:
        key = make_key(*args, **kwargs)
        if key not in kept:
            kept[key] = "an answer"
        return kept[key]

    return load


def found(function: Callable[..., Any], inputs: Any, **terms: Any) -> KeyFinding:
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(function, inputs, **terms)
    (finding,) = caught.value.findings
    return finding


def test_a_cached_function_passes() -> None:
    """Under a key that repeats, the second call loads nothing, an hour later either."""
    kept: dict[str, str] = {}
    assert_key_stable(cached_under(lambda record_id: f"e:{record_id}", kept), [1, 2, 3], cache=kept)
    assert kept


def test_the_deployed_key_loads_each_time() -> None:
    """Under the incident's key every call loads; both keys are shown, and the clock is named."""
    kept: dict[str, str] = {}
    key = lambda record_id: f"enrichment:{record_id}:{datetime.now().isoformat()}"  # noqa: E731
    finding = found(cached_under(key, kept), [1, 2], cache=kept)
    assert (finding.check, finding.source, finding.detail) == ("time", "clock", "datetime.now()")
    assert finding.first.startswith("enrichment:1:2026")
    assert finding.second.startswith("enrichment:1:2026")
    assert "1 microsecond later, it loaded again" in finding.when


@pytest.mark.parametrize(
    ("make_key", "inputs", "source"),
    [
        (lambda record: id(record), [[1], [2]], "id"),
        (lambda filters: str(filters), [{"a": 1, "b": 2}], "dict order"),
        (lambda a, b: a, [(1, 2), (1, 3)], "missing argument"),
        (lambda record: f"{record}:{object()}", [1], "default repr"),
    ],
)
def test_loads_that_should_not_be_are_explained(make_key: Any, inputs: Any, source: str) -> None:
    """Copies, order and forgotten arguments are found by what the cache loads."""
    kept: dict[Any, str] = {}
    assert found(cached_under(make_key, kept), inputs, cache=kept).source == source


def test_windows_of_a_cached_function() -> None:
    """Within its window it loads once, after it once more; a window that is not kept is found."""
    kept: dict[str, str] = {}
    assert_key_stable(
        cached_under(lambda number: stable_key("e", number, window="36h"), kept), [1, 2], "36h", cache=kept
    )
    hourly: dict[str, str] = {}
    key = lambda number: f"{number}:{datetime.now(UTC):%Y-%m-%d %H}"  # noqa: E731
    assert found(cached_under(key, hourly), [1], window="36h", cache=hourly).source == "clock"
    for_ever: dict[int, str] = {}
    assert "outlives" in found(cached_under(lambda number: number, for_ever), [1], window="1h", cache=for_ever).when


def test_an_lru_cache_is_its_own_cache() -> None:
    """A function under `lru_cache` hits on equal arguments; objects without equality never hit."""

    class Record:
        def __init__(self, number: int) -> None:
            self.number = number

    @lru_cache
    def enrich(record: Any) -> str:
        return str(record)

    assert_key_stable(enrich, ["a", "b", (("a", 1),)])

    @lru_cache
    def answers(record: Any) -> dict[str, Any]:
        return {"record": record}

    assert found(answers, [Record(1)]).source == "identity"
    finding = found(enrich, [Record(1)])
    assert (finding.check, finding.source) == ("copies", "identity")

    @cache
    def of_filters(filters: dict[str, int]) -> str:
        return str(filters)

    finding = found(of_filters, [{"a": 1}])
    assert finding.source == "no key"
    assert "unhashable" in finding.when


def test_a_function_around_an_lru_cache_is_found_out() -> None:
    """The cache is `lru_cache`'s, the key is made by its caller: with the time in it, it never hits."""

    @lru_cache
    def load(key: str) -> str:
        return key

    assert_key_stable(lambda record_id: load(f"e:{record_id}"), [1, 2], cache=load)
    finding = found(lambda record_id: load(f"e:{record_id}:{datetime.now()}"), [1, 2], cache=load)
    assert finding.source == "clock"


def test_a_client_of_a_server_is_a_cache() -> None:
    """Anything that lists its keys will do, and so will a function that counts loads."""
    store, loads = Store(), []

    def load(record_id: int) -> str:
        key = f"e:{record_id}"
        answer = store.get(key)
        if answer is None:
            loads.append(record_id)
            answer = "an answer"
            store.set(key, answer)
        return answer

    assert_key_stable(load, [1, 2], cache=store)
    store.kept.clear()
    assert_key_stable(load, [3, 4], cache=lambda: len(loads))


def test_the_wrong_cache_is_noticed() -> None:
    """A cache that the call does not touch says nothing about it, and that is an error."""
    assert found(lambda number: number, [1], cache={}).source == "not cached"
    assert found(lambda number: number, [1], cache=lru_cache(len)).source == "not cached"
