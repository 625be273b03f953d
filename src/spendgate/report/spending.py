"""What was spent, as a table whose parts add up to its total: from the ledger's sums to rows.

>>> sums = [Sum(("a", "", "x"), 0, calls=2, usd=5, tokens=0), Sum(("b", "", "y"), 0, calls=1, usd=7, tokens=0)]
>>> spending = fold(sums, ("service", "provider", "resource"), ("service",), "UTC")
>>> [(row.names, row.usd) for row in spending.rows], spending.total.usd
([(('b',), 7), (('a',), 5)], 12)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from zoneinfo import ZoneInfo

from spendgate.clock import MINUTE, moment
from spendgate.ledger import Sum

DIMENSIONS = ("service", "provider", "model", "resource", "task", "attempt", "day")
"""What a report can be taken by."""
STRETCH = 15 * MINUTE
"""The stretches that days are made of: in every time zone a day begins on a quarter of an hour."""


@dataclass(slots=True)
class Row:
    """What one group comes to. `usd` is everything that counts; what is held and imported is part of it."""

    names: tuple[str, ...] = ()
    calls: int = 0
    tokens: int = 0
    usd: int = 0
    held_usd: int = 0
    list_usd: int = 0
    overrun_usd: int = 0
    imported_usd: int = 0


PARTS = tuple(field.name for field in fields(Row) if field.name != "names")
"""What is added up."""


@dataclass(frozen=True, slots=True)
class Spending:
    """The rows of a report, dearest first, or by day; and their total.

    `unpriced` are ended calls whose price nobody knows, `unattributed` those of no service; both are in the rows.
    """

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row
    unpriced: Row
    unattributed: Row


def needed(by: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The fields that a store must be asked for, and in stretches of how many microseconds.

    Service, state and how the price is known are always among them: for what belongs to nobody, or has no price.
    """
    wanted = {"service", "state", "priced"} | ({"provider", "resource"} if "model" in by else set())
    wanted |= {name for name in by if name not in ("model", "day")}
    order = ("service", "provider", "resource", "task", "attempt", "state", "priced")
    return tuple(name for name in order if name in wanted), STRETCH if "day" in by else 0


def fold(sums: Iterable[Sum], asked: Sequence[str], by: Sequence[str], timezone: str) -> Spending:
    """Sums that a store gave for the fields `asked`, folded into one row for each name in `by`."""
    name_of = _namer(asked, by, timezone)
    rows: dict[tuple[str, ...], Row] = {}
    total, unpriced, unattributed = Row(), Row(), Row()
    for one in sums:
        names, fields_of = name_of(one), dict(zip(asked, one.fields, strict=True))
        _add(rows.setdefault(names, Row(names)), one)
        _add(total, one)
        if fields_of.get("priced") == "unpriced" and fields_of.get("state") != "held":
            _add(unpriced, one)
        if not fields_of.get("service", "?"):
            _add(unattributed, one)
    return Spending(tuple(by), tuple(sorted(rows.values(), key=_order(by))), total, unpriced, unattributed)


def _add(row: Row, one: Sum) -> None:
    for part in PARTS:
        setattr(row, part, getattr(row, part) + getattr(one, part))


def _namer(asked: Sequence[str], by: Sequence[str], timezone: str) -> Callable[[Sum], tuple[str, ...]]:
    zone = ZoneInfo(timezone)
    place = {name: position for position, name in enumerate(asked)}

    def name(one: Sum, dimension: str) -> str:
        if dimension == "day":
            return moment(one.at).astimezone(zone).date().isoformat()
        if dimension == "model":
            return one.fields[place["resource"]] if one.fields[place["provider"]] else ""
        return one.fields[place[dimension]]

    return lambda one: tuple(name(one, dimension) for dimension in by)


def _order(by: Sequence[str]) -> Callable[[Row], tuple[object, ...]]:
    """By day first where there is one, then the dearest."""
    days = [position for position, name in enumerate(by) if name == "day"]
    return lambda row: (*(row.names[position] for position in days), -row.usd, -row.calls, row.names)
