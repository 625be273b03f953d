"""Entries folded into sums, for reports: by fields, by stretches of time, and by day for what is compacted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spendgate.budgets import RETRY_MARK
from spendgate.clock import DAY
from spendgate.ledger import Entry, Sum
from spendgate.policies import FALLBACK_FOR
from spendgate.reservation import State

FIELDS = ("service", "provider", "resource", "task")
"""What daily sums keep apart."""
GROUPS = (*FIELDS, "state", "priced", "attempt", FALLBACK_FOR)
"""What sums can be taken by."""
STATED = "stated"
"""The source of a price that the caller stated."""


@dataclass(slots=True)
class Summing:
    """A day's sum of compacted entries that agree in all `FIELDS`."""

    service: str
    provider: str
    resource: str
    task: str
    at: int
    calls: int = 0
    usd: int = 0
    tokens: int = 0
    list_usd: int = 0
    overrun_usd: int = 0


def overrun(entry: Entry) -> int:
    """Nano-dollars by which the bill was above the estimate."""
    return max(entry.weight.usd - entry.reserved.usd, 0) if "overrun" in entry.marks else 0


def priced(entry: Entry) -> str:
    """How an entry's price is known: `exact`, `pattern`, `stated` or `unpriced`."""
    if entry.pricing.source == STATED:
        return STATED
    if "unpriced" in entry.marks:
        return "unpriced"
    return "exact" if entry.pricing.exact else "pattern"


def known_groups(by: Iterable[str]) -> None:
    """Nothing, where sums can be taken by all of these.

    Raises:
        ValueError: they cannot.
    """
    if unknown := set(by) - set(GROUPS):
        raise ValueError(f"sums can be taken by {', '.join(GROUPS)}, not by {', '.join(sorted(unknown))}")


def fold_days(days: dict[tuple[str, ...], Summing], entries: Iterable[Entry]) -> None:
    """Adds entries to the sums of their days (UTC)."""
    for entry in entries:
        call, at = entry.call, entry.counted_at - entry.counted_at % DAY
        fields = (call.service, call.provider, call.resource, call.task)
        day = days.setdefault((*fields, str(at)), Summing(*fields, at))
        day.calls += entry.weight.calls
        day.usd += entry.weight.usd
        day.tokens += entry.weight.tokens
        day.list_usd += entry.list_usd
        day.overrun_usd += overrun(entry)


def sum_entries(
    entries: Iterable[Entry], days: Iterable[Summing], by: Sequence[str], since_at: int, until_at: int, *, every: int
) -> list[Sum]:
    """The sums that a report asks a store for; each store's own way must agree with this one.

    Raises:
        ValueError: `by` names something that sums cannot be taken by.
    """
    known_groups(by)
    sums: dict[tuple[object, ...], list[int]] = {}

    def add(fields: tuple[str, ...], at: int, values: tuple[int, ...]) -> None:
        if since_at <= at < until_at:
            key = (fields, at - at % every if every else 0)
            found = sums.setdefault(key, [0] * 7)
            for index, value in enumerate(values):
                found[index] += value

    for entry in entries:
        held = entry.weight.usd if entry.state is State.HELD else 0
        past = entry.weight.usd if "imported" in entry.marks else 0
        weight = entry.weight
        if entry.state is not State.VOIDED:
            values = (weight.calls, weight.usd, weight.tokens, held, entry.list_usd, overrun(entry), past)
            add(tuple(_field(entry, name) for name in by), entry.counted_at, values)
    for day in days:
        add(
            tuple(_field_of_day(day, name) for name in by),
            day.at,
            (day.calls, day.usd, day.tokens, 0, day.list_usd, day.overrun_usd, 0),
        )
    return [Sum(*key, *values) for key, values in sums.items()]  # type: ignore[arg-type]


def _field(entry: Entry, name: str) -> str:
    if name == "state":
        return str(entry.state)
    if name == "attempt":
        return "retry" if RETRY_MARK in entry.marks else "first"
    if name == FALLBACK_FOR:
        return entry.call.field(f"tags.{FALLBACK_FOR}")
    return priced(entry) if name == "priced" else str(getattr(entry.call, name))


def _field_of_day(day: Summing, name: str) -> str:
    rolled = {"state": "settled", "priced": "exact", "attempt": "first", FALLBACK_FOR: ""}
    return rolled[name] if name in rolled else str(getattr(day, name))
