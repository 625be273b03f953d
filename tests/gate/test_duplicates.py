"""Paid for again: which calls are counted as duplicates, by what they and the configuration say."""

import asyncio
from typing import Any

import pytest

from spendgate import aio
from spendgate.config import read
from spendgate.errors import AmountError, ConfigError
from spendgate.freshness import DUPLICATE
from spendgate.gate import Gate
from spendgate.metering import Terms
from spendgate.stores.memory import MemoryStore
from spendgate.testing import FakeClock
from tests.gate.conftest import CONFIG, MakeGate

FRESH = '[[fresh]]\nmatch = { resource = "clearbit.*" }\nfresh_for = "24h"\n'


def duplicates(gate: Gate) -> list[bool]:
    """Which of the calls so far were duplicates."""
    return [DUPLICATE in entry.marks for entry in gate.store.entries()]


def enrich(gate: Gate, key: str = "4711", **stated: Any) -> None:
    """One enrichment, paid for."""
    with gate.call("clearbit.enrich", service="pipeline", key=key, **stated):
        pass


def test_the_same_key_again_is_a_duplicate(gate: Gate, clock: FakeClock) -> None:
    """Within the freshness that a call states, and for as long as it states it: exactly at its end it is none."""
    enrich(gate, fresh_for="24h")
    clock.advance(24 * 3600 - 0.000001)
    enrich(gate, fresh_for="24h")
    clock.advance(24 * 3600)
    enrich(gate, fresh_for="24h")
    clock.advance(3600)
    enrich(gate, fresh_for="1h")
    enrich(gate)
    assert duplicates(gate) == [False, True, False, False, False]
    (found,) = gate.store.duplicates(0, clock.now() + 1)
    assert (found.duplicates, found.usd) == (1, 4_000_000)


def test_a_call_that_failed_is_no_answer(gate: Gate) -> None:
    """What raised or was voided gave no answer: trying again is no duplicate."""
    with pytest.raises(RuntimeError), gate.call("clearbit.enrich", service="pipeline", key="4711", fresh_for="24h"):
        raise RuntimeError
    gate.reserve(resource="clearbit.enrich", service="pipeline", key="4711", fresh_for="24h").void()
    enrich(gate, fresh_for="24h")
    enrich(gate, fresh_for="24h")
    assert duplicates(gate) == [False, False, False, True]


def test_functions_and_scopes_say_it_too(gate: Gate) -> None:
    """`paid` takes it, and a scope says it, with the key, for the calls inside; the nearest word counts."""

    @gate.paid("clearbit.enrich", service="pipeline", key_from=lambda number: number, fresh_for="24h")
    def fetch(number: int) -> int:
        return number

    fetch(1)
    fetch(2)
    fetch(1)
    with gate.scope("pipeline", key="7", fresh_for="24h"):
        for key in ({}, {}, {"key": "8"}, {"key": "8"}, {"key": ""}, {"key": ""}):
            with gate.call("clearbit.enrich", **key):
                pass
        with gate.scope(key="8"), gate.call("clearbit.enrich"):
            pass
    assert duplicates(gate) == [False, False, True, False, True, False, True, False, False, True]
    assert [entry.call.key for entry in gate.store.entries()][3:5] == ["7", "7"]


def test_the_configuration_says_it_for_the_others(make_gate: MakeGate) -> None:
    """The first rule of [[fresh]] that a call fits is the one; what the call says itself comes before."""
    rules = read(CONFIG + FRESH + '[[fresh]]\nfresh_for = "1h"\n').rules
    gate = make_gate(rules=rules)
    enrich(gate)
    enrich(gate)
    for _ in range(2):
        with gate.call("maps.geocode", service="pipeline", key="4711"):
            pass
    spans = [mark.rpartition(":")[2] for entry in gate.store.entries() for mark in entry.marks if ":" in mark]
    assert spans == ["86400000000"] * 2 + ["3600000000"] * 2
    assert duplicates(gate) == [False, True, False, True]


def test_names_do_not_run_into_each_other(gate: Gate) -> None:
    """Where the service ends and the key begins is part of what is asked for."""
    for service, key in (("a", "x"), ("ab", "x"), ("a", "bx"), ("", "x"), ("", "ax")):
        enrich_for = gate.reserve(resource="b", at_most="0.01", service=service, key=key, fresh_for="24h")
        enrich_for.settle(cost="0.01")
    gate.reserve(resource="bb", at_most="0.01", service="a", key="x", fresh_for="24h").settle(cost="0.01")
    assert not any(duplicates(gate))


def test_a_finding_of_duplicates_names_the_version_it_began_with(make_gate: MakeGate) -> None:
    """The version is that of the program whose call was one too many, also where it settles by the reservation's id."""
    store = MemoryStore()
    old, new, nameless = (make_gate(store=store, version=version) for version in ("v7", "v8", ""))
    for _ in range(20):
        enrich(old, fresh_for="24h")
    new.settle(new.reserve(resource="clearbit.enrich", service="pipeline", key="4711", fresh_for="24h").id)
    enrich(old, fresh_for="24h")
    (finding,) = store.findings(running_only=True)
    assert (finding.version, finding.data["duplicates"]) == ("v8", 21)
    for _ in range(21):
        enrich(nameless, key="4712", fresh_for="24h")
    nameless.end_finding(finding.id)
    for _ in range(21):
        enrich(nameless, key="4712", fresh_for="24h")
    assert [one.version for one in store.findings(running_only=True)] == [""]


def test_calls_without_freshness_leave_no_trace(gate: Gate) -> None:
    """Nothing is marked, and nothing is remembered, of calls that do not say how long their answer is good."""
    enrich(gate)
    enrich(gate)
    assert [entry.marks for entry in gate.store.entries()] == [frozenset()] * 2
    assert gate.store.duplicates(0, 1 << 62) == []


def test_awaited_calls_are_counted_alike(make_gate: MakeGate) -> None:
    """An awaited gate marks the same duplicates, also inside a scope."""
    gate = make_gate()

    async def run() -> None:
        awaited = aio.Gate(gate)
        with awaited.scope("pipeline", key="7", fresh_for="24h"):
            for _ in range(2):
                async with awaited.call("clearbit.enrich"):
                    pass

    asyncio.run(run())
    assert duplicates(gate) == [False, True]


@pytest.mark.parametrize("wrong", ["", "0h", "401d", "soon", 3600, None, True])
def test_a_freshness_that_is_none_is_an_error(gate: Gate, wrong: Any) -> None:
    """A slip is said, wherever it is stated, and nothing is reserved."""
    with pytest.raises(AmountError):
        enrich(gate, fresh_for=wrong)
    if wrong and wrong is not True:
        with pytest.raises(AmountError), gate.scope(fresh_for=wrong):
            pass
        with pytest.raises(AmountError):
            Terms(fresh_for=wrong)
    assert list(gate.store.entries()) == []


def test_freshness_of_nothing_is_an_error(gate: Gate) -> None:
    """A call that says how long its answer is good, and not which answer, would never be counted: that is said."""
    with pytest.raises(AmountError, match="key"):
        gate.reserve(resource="clearbit.enrich", fresh_for="24h")
    with pytest.raises(TypeError, match="did you mean 'fresh_for'"):
        gate.paid("clearbit.enrich", fresh_fro="24h")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ('[fresh]\nfresh_for = "1h"', "fresh", ""),
        ('[[fresh]]\nfresh_fro = "1h"', "fresh[0].fresh_fro", "fresh_for"),
        ("[[fresh]]\nmatch = {}", "fresh[0].fresh_for", ""),
        ('[[fresh]]\nfresh_for = "soon"', "fresh[0].fresh_for", ""),
        ("[[fresh]]\nfresh_for = 3600", "fresh[0].fresh_for", ""),
        ('[[fresh]]\nfresh_for = "1h"\nmatch = { resorce = "x" }', "fresh[0].match.resorce", "resource"),
        ('[[frsh]]\nfresh_for = "1h"', "frsh", "fresh"),
    ],
)
def test_a_rule_is_read_strictly(text: str, key: str, nearest: str) -> None:
    """A slip in [[fresh]] is an error that names the nearest word, never no rule."""
    with pytest.raises(ConfigError) as error:
        read(CONFIG + text)
    assert (error.value.key, error.value.nearest) == (key, nearest)
