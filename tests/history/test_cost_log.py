"""The plain cost log: timestamp, service, model, tokens, cost."""

import json
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest

from spendgate.history.cost_log import read
from spendgate.history.load import load
from spendgate.history.results import BrokenLine, Counts, ImportOptions
from spendgate.ledger import Entry
from spendgate.reservation import State
from spendgate.stores.memory import MemoryStore

AT = 1_793_000_000_000_000
LINE: dict[str, Any] = {
    "timestamp": "2026-10-26T07:33:20Z",
    "service": "research",
    "model": "claude-haiku-4-5",
    "tokens": 1200,
    "cost": 0.0031,
}


def one(change: dict[str, Any], options: ImportOptions | None = None) -> Entry | BrokenLine:
    (found,) = read([json.dumps(LINE | change)], options or ImportOptions())
    return found


def entry_of(change: dict[str, Any], options: ImportOptions | None = None) -> Entry:
    found = one(change, options)
    assert isinstance(found, Entry)
    return found


def test_a_line_becomes_a_settled_call() -> None:
    """A line is one call of its service and model, settled at its instant, at exactly what it states."""
    entry = entry_of({})
    assert (entry.call.service, entry.call.provider, entry.call.model) == ("research", "anthropic", "claude-haiku-4-5")
    assert (entry.state, entry.held_at, entry.counted_at, entry.ended_at) == (State.SETTLED, AT, AT, AT)
    assert (entry.weight.usd, entry.weight.calls, entry.weight.tokens) == (3_100_000, 1, 1200)
    assert entry.marks == {"imported"}
    assert entry.pricing.source == "log"


def test_costs_are_exact_decimals() -> None:
    """Ten thousand costs add up to what decimal arithmetic says, each rounded up to its nano-dollar."""
    costs = [Decimal(number * 7 + 1).scaleb(-11) for number in range(10_000)]
    lines = [json.dumps(LINE | {"cost": "@"}).replace('"@"', str(cost)) for cost in costs]
    total = sum(entry.weight.usd for entry in read(lines, ImportOptions()) if isinstance(entry, Entry))
    assert total == sum(int(cost.scaleb(9).to_integral_value(ROUND_CEILING)) for cost in costs)


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-10-26T07:33:20Z",
        "2026-10-26T09:33:20+02:00",
        "2026-10-26 07:33:20.000+00:00",
        1_793_000_000,
        1_793_000_000.0,
        1_793_000_000_000,
        1_793_000_000_000_000,
    ],
)
def test_timestamps_of_every_kind_name_the_same_instant(timestamp: object) -> None:
    """ISO 8601 with a zone, and seconds, milli- or microseconds since the epoch, are understood alike."""
    assert entry_of({"timestamp": timestamp}).held_at == AT


def test_a_timestamp_without_zone_needs_one() -> None:
    """A timestamp without a zone names the remedy; with a zone given it is read in that zone, over DST."""
    found = one({"timestamp": "2026-10-26T08:33:20"})
    assert isinstance(found, BrokenLine)
    assert "--timezone" in found.problem
    assert entry_of({"timestamp": "2026-10-26T08:33:20"}, ImportOptions(timezone="Europe/Berlin")).held_at == AT
    summer = entry_of({"timestamp": "2026-07-01T12:00:00"}, ImportOptions(timezone="Europe/Berlin"))
    assert summer.held_at == entry_of({"timestamp": "2026-07-01T10:00:00Z"}).held_at


@pytest.mark.parametrize("cost", [0, 0.0, None])
def test_a_call_without_cost_is_priced_not_free(cost: object) -> None:
    """Tokens at no cost are priced from the price book and marked so: they were never free."""
    entry = entry_of({"cost": cost, "tokens": {"input": 1_000_000, "output": 100_000}})
    assert entry.weight.usd == 1_500_000_000
    assert entry.marks == {"imported", "priced"}
    assert "genai-prices" in entry.pricing.source
    assert entry.pricing.dated


def test_undivided_tokens_are_priced_as_the_dearer_side() -> None:
    """Where a line does not say how many tokens were read, all of them cost what written ones do."""
    assert entry_of({"cost": 0, "tokens": 1_000_000}).weight.usd == 5_000_000_000


def test_an_unknown_price_is_a_problem_not_a_zero() -> None:
    """A call that nobody can price is kept, marked `unpriced`, and counted as a problem by its model."""
    counts = Counts()
    lines = [json.dumps(LINE | {"cost": 0, "model": "no-such-model-9"})] * 2
    (entry, _) = counts.entries_of(read(lines, ImportOptions()))
    assert "unpriced" in entry.marks
    assert (counts.unpriced, counts.problems, counts.unpriced_models) == (2, 2, {"no-such-model-9": 2})


def test_the_same_line_twice_is_two_calls_in_every_import() -> None:
    """Two lines that say the same are two calls, and reading the log again, or a longer one, adds only what is new."""
    store = MemoryStore()
    lines = [json.dumps(LINE)] * 3
    assert load(store, read(lines, ImportOptions())).added == 3
    assert load(store, read(lines, ImportOptions())).added == 0
    grown = load(store, read([*lines, json.dumps(LINE)], ImportOptions()))
    assert (grown.added, grown.known) == (1, 3)


def test_a_missing_service_is_the_one_given() -> None:
    """Lines that name no service belong to the service that the import names."""
    assert entry_of({"service": None}, ImportOptions(service="night-shift")).call.service == "night-shift"
    assert entry_of({}, ImportOptions(service="night-shift")).call.service == "research"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"timestamp": None}, "no timestamp"),
        ({"timestamp": "yesterday"}, "ISO 8601"),
        ({"timestamp": True}, "no timestamp"),
        ({"timestamp": 12}, "years 2000 to 2200"),
        ({"timestamp": -1e300}, "years 2000 to 2200"),
        ({"timestamp": "1931-10-26T07:33:20Z"}, "before 1970"),
        ({"cost": -0.1}, "negative"),
        ({"cost": "free"}, "plain number"),
        ({"cost": True}, "cost"),
        ({"cost": 1e9}, "believed"),
        ({"cost": float("nan")}, "NaN"),
        ({"cost": float("inf")}, "Infinity"),
        ({"tokens": -1}, "negative"),
        ({"tokens": 1.5}, "whole number"),
        ({"tokens": "many"}, "whole number"),
        ({"tokens": {"input": 1, "cached": 2}}, "cached"),
        ({"tokens": None, "cost": None}, "neither cost nor tokens"),
        ({"cost": None, "model": None}, "neither cost nor model"),
        ({"service": ["research"]}, "service"),
        ({"service": "a\x1b[2J"}, "control characters"),
        ({"model": "m" * 201}, "characters"),
    ],
)
def test_a_line_that_cannot_be_a_call_is_named(change: dict[str, Any], problem: str) -> None:
    """Amounts, times and names that cannot be are broken lines with a reason."""
    found = one(change)
    assert isinstance(found, BrokenLine)
    assert problem in found.problem
    assert found.text.isprintable()
    assert len(found.text) <= 80


def test_broken_lines_stop_nothing() -> None:
    """Torn, binary, empty and odd lines are numbered as they stand in the file, and all others are read."""
    good = json.dumps(LINE).encode()
    lines = [b"\xef\xbb\xbf" + good, b"\n", b'{"timestamp"\n', b"\xff\xfe\n", b"[1]\n", b"null\n", b"[" * 200_000, good]
    found = list(read(lines, ImportOptions()))
    broken = [one for one in found if isinstance(one, BrokenLine)]
    assert [one.line for one in broken] == [3, 4, 5, 6, 7]
    assert len(found) - len(broken) == 2
    assert "UTF-8" in broken[1].problem
