"""Our own JSONL: what is written out comes back the same."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.call import Call
from spendgate.clock import HOUR
from spendgate.history.ledger_lines import entry_line, export_jsonl, read
from spendgate.history.load import load
from spendgate.history.results import BrokenLine, Counts, ImportOptions
from spendgate.ledger import Actor, Entry, Event, HoldRequest, Outcome, Pricing, Store, Weight
from spendgate.pricing.tariff import Step, Tariff
from spendgate.reservation import State
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore

AT = 1_793_000_000_000_000
OPTIONS = ImportOptions()
BY = ("service", "provider", "resource", "task")


def lived_in() -> MemoryStore:
    """A ledger with an entry in every state, units, tags, an overrun and an event."""
    store = MemoryStore()
    free = Tariff("maps.route", "calls", (Step(None, Decimal("0.01")),))
    calls = [
        Call(service="research", provider="anthropic", resource="claude-haiku-4-5", task="t-1", attempt=3, key="k 1"),
        Call(service="zürich", resource="maps.route", tags=(("batch", "7"), ("customer", "=acme, inc"))),
        Call(service="", resource="rows"),
        Call(service="research", provider="openai", resource="gpt-5.2"),
    ]
    weight = Weight(usd=3_100_001, calls=1, tokens=1500, units=(("gb", 1), ("rows", 7_000_000)))
    actor = Actor("worker-1", 4711, "pipeline")
    for number, call in enumerate(calls):
        tariff = free if call.resource == "maps.route" else None
        request = HoldRequest(call, weight, actor, Pricing("rate card", "2026-10-01"), tariff, 1 if tariff else 0)
        hold = store.hold(request, AT + number * HOUR)
        assert not isinstance(hold, Entry)
        if number == 0:
            outcome = Outcome(usd=9_000_000_001, list_usd=5, usage='{"input_tokens": 5, "gb": "0.5"}')
            store.settle(hold.id, outcome, AT + 5)  # type: ignore[union-attr]
        elif number == 2:
            store.void(hold.id, AT + number * HOUR + 5)  # type: ignore[union-attr]
    return store


def sums(store: Store) -> list[Any]:
    found = store.sums(BY, 0, 1 << 62, HOUR)
    return sorted((s.fields, s.at, s.calls, s.usd, s.tokens, s.list_usd, s.overrun_usd) for s in found)


def test_an_export_read_into_an_empty_ledger_gives_the_same_sums(tmp_path: Path) -> None:
    """Calls, dollars, tokens, list prices and overruns, by every field and hour, are those of the ledger exported."""
    store = lived_in()
    lines = list(export_jsonl(store.entries(), store.events()))
    for empty in (MemoryStore(), SqliteStore(tmp_path / "ledger.db")):
        counts = load(empty, read(lines, OPTIONS))
        assert sums(empty) == sums(store)
        assert (counts.entries, counts.added, counts.known, counts.broken) == (4, 4, 0, 0)
        empty.close()


def test_importing_twice_adds_nothing() -> None:
    """What was imported before is known by its id; so is an export of the imported entries themselves."""
    target = MemoryStore()
    lines = list(export_jsonl(lived_in().entries()))
    load(target, read(lines, OPTIONS))
    before = sums(target)
    again = load(target, read(lines, OPTIONS))
    passed_on = load(target, read(list(export_jsonl(target.entries())), OPTIONS))
    assert (again.added, again.known) == (passed_on.added, passed_on.known) == (0, 4)
    assert sums(target) == before


def test_a_ledgers_own_export_is_no_history_to_it() -> None:
    """Reading an export back into the ledger that wrote it adds nothing."""
    store = lived_in()
    before = sums(store)
    counts = load(store, read(list(export_jsonl(store.entries())), OPTIONS))
    assert (counts.added, counts.known) == (0, 4)
    assert sums(store) == before


printable = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")
names = st.text(printable, max_size=20)
amounts = st.integers(0, 10**15)
weights = st.builds(
    Weight,
    usd=amounts,
    calls=st.integers(0, 10**9),
    tokens=amounts,
    units=st.dictionaries(st.sampled_from(["gb", "rows", "mails"]), st.integers(0, 10**15)).map(
        lambda d: tuple(d.items())
    ),
)
instants = st.integers(0, 4_000_000_000_000_000)
calls = st.builds(
    Call,
    service=names,
    provider=names,
    resource=names,
    task=names,
    attempt=st.integers(1, 1000),
    key=names,
    tags=st.dictionaries(names, names, max_size=3).map(lambda tags: tuple(sorted(tags.items()))),
)
entries = st.builds(
    Entry,
    seq=st.just(0),
    id=st.text(printable, min_size=1, max_size=40),
    state=st.sampled_from([State.SETTLED, State.VOIDED]),
    call=calls,
    held_at=instants,
    lapse_at=instants,
    counted_at=instants,
    ended_at=st.integers(1, 4_000_000_000_000_000),
    reserved=weights,
    weight=weights,
    actor=st.builds(Actor, names, st.integers(0, 10**6), names),
    pricing=st.builds(Pricing, names, names, st.booleans()),
    list_usd=amounts,
    marks=st.sets(st.sampled_from(["overrun", "late", "imported"])).map(lambda marks: frozenset({*marks, "imported"})),
)


@given(entries)
def test_every_entry_comes_back_as_it_was(entry: Entry) -> None:
    """To the nano-dollar, the millionth of a unit and the microsecond, whatever the names in it are."""
    line = entry_line(entry)
    assert "\n" not in line
    assert list(read([line.encode()], OPTIONS)) == [entry]


def test_what_is_still_held_counts_as_spent() -> None:
    """A reservation that was running when it was exported is settled at its hold: nobody will settle it elsewhere."""
    store = MemoryStore()
    store.hold(HoldRequest(Call(service="research"), Weight(usd=5, calls=1)), AT)
    (entry,) = read(list(export_jsonl(store.entries())), OPTIONS)
    assert isinstance(entry, Entry)
    assert (entry.state, entry.weight.usd, entry.counted_at) == (State.SETTLED, 5, AT)
    assert "imported" in entry.marks


def test_events_are_written_and_left_out_of_imports() -> None:
    """An export may carry events for its reader; they are neither imported nor broken lines."""
    event = Event(AT, "blocked", "hourly", "service=research", {"spent": 5_000_000_000})
    lines = list(export_jsonl([], [event]))
    assert json.loads(lines[0]) == {
        "spendgate": 1,
        "type": "event",
        "at": "2026-10-26T07:33:20Z",
        "kind": "blocked",
        "limit": "hourly",
        "scope": "service=research",
        "data": {"spent": 5_000_000_000},
    }
    assert list(read(lines, OPTIONS)) == []


GOOD: dict[str, Any] = {
    "spendgate": 1,
    "type": "entry",
    "id": "1-a",
    "state": "settled",
    "held_at": "2026-10-26T07:33:20Z",
    "usd": "0.5",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"spendgate": 2}, "version"),
        ({"type": "invoice"}, "neither entry nor event"),
        ({"id": ""}, "no id"),
        ({"id": "a\nb"}, "no id"),
        ({"state": "spent"}, "none of held"),
        ({"held_at": None}, "no timestamp"),
        ({"held_at": "2026-10-26T07:33:20"}, "--timezone"),
        ({"usd": None}, "usd"),
        ({"usd": "-1"}, "negative"),
        ({"usd": "NaN"}, "finite"),
        ({"usd": True}, "usd"),
        ({"usd": "1e12"}, "believed"),
        ({"calls": -1}, "calls"),
        ({"tokens": "5"}, "tokens"),
        ({"units": {"rows": "x"}}, "rows"),
        ({"marks": "late"}, "marks"),
        ({"service": 5}, "service"),
        ({"service": "a\nb"}, "control characters"),
        ({"attempt": 0}, "attempt"),
        ({"tags": {"a": "x" * 300}}, "tags.a"),
    ],
)
def test_a_line_that_cannot_be_an_entry_is_named(change: dict[str, Any], problem: str) -> None:
    """Each broken line is reported with its number and what is wrong, and the lines around it are read."""
    lines = [json.dumps(GOOD), json.dumps(GOOD | change), "", json.dumps(GOOD | {"id": "2-b"})]
    first, broken, last = read(lines, OPTIONS)
    assert isinstance(first, Entry)
    assert isinstance(last, Entry)
    assert isinstance(broken, BrokenLine)
    assert broken.line == 2
    assert problem in broken.problem
    counts = Counts()
    assert list(counts.entries_of([first, broken, last])) == [first, last]
    assert (counts.entries, counts.broken, counts.problems) == (2, 1, 1)
