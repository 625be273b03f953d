"""A limit: so much of a unit, for the calls it matches, per scope and window.

>>> hourly = Limit("hourly", "usd", 5_000_000_000, parse_window("1h", "UTC"), per=("service",))
>>> hourly.scope(Call(service="research"))
'service=research'
>>> clearbit = Limit("clearbit", "calls", 20_000, parse_window("day", "UTC"), match=(("resource", "clearbit.*"),))
>>> clearbit.scope(Call(resource="openai.chat")) is None
True
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import translate
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any, Literal

from spendgate.call import Call
from spendgate.money import EXACT, NANOS_PER_USD, usd
from spendgate.windows import Calendar, Window, parse_span, parse_window, spell_span

AtLimit = Literal["refuse", "throttle", "observe"]

WHOLE_UNITS = ("calls", "tokens")
MICRO = 1_000_000
"""Units of the rate card other than dollars, calls and tokens are counted in millionths: half a gigabyte is a thing."""

OTHER = "other"
"""The scope that counts every scope beyond the first `MAX_SCOPES` of a limit together."""
EVERY = "*"
"""The scope that weighs on all scopes of a limit: what a ledger lost, and nobody knows where it was spent."""
MAX_SCOPES = 10_000
ENDLESS = 1 << 62
"""More than is ever counted: a limit of it refuses nothing."""


def unit_scale(unit: str) -> int:
    """How many of a unit's smallest parts make one: nano-dollars, whole calls and tokens, millionths of the rest.

    >>> unit_scale("usd"), unit_scale("calls"), unit_scale("gb")
    (1000000000, 1, 1000000)
    """
    return NANOS_PER_USD if unit == "usd" else 1 if unit in WHOLE_UNITS else MICRO


def in_units(parts: int, unit: str) -> Decimal:
    """A number of smallest parts as the unit itself.

    >>> in_units(2_500_000_000, "usd"), in_units(3, "calls")
    (Decimal('2.50'), Decimal('3'))
    """
    return usd(parts) if unit == "usd" else EXACT.divide(Decimal(parts), Decimal(unit_scale(unit)))


@dataclass(frozen=True, slots=True)
class Limit:
    """So much of a unit per window; amounts are in the unit's smallest parts (see `unit_scale`).

    `match` holds (field, glob) pairs that must all fit; `per` the fields that each get a budget of their own.
    `warn_at` is kept in rising order, each share once.
    `thresholds` are the amounts at `warn_at`, and `warns_from` is the lowest one, `ENDLESS` where there is none.
    `throttle_every` is the pause, in microseconds, between calls beyond the limit when `at_limit` is `throttle`. `key`
    says what is counted: limits that differ only in amount, name or manners share what was counted so far.
    """

    name: str
    unit: str
    amount: int
    window: Window
    match: tuple[tuple[str, str], ...] = ()
    per: tuple[str, ...] = ()
    warn_at: tuple[Decimal, ...] = ()
    at_limit: AtLimit = "refuse"
    throttle_every: int = 0
    pace_from: Decimal | None = None
    key: str = field(init=False, compare=False)
    thresholds: tuple[int, ...] = field(init=False, compare=False)
    warns_from: int = field(init=False, compare=False)
    pace_above: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        counted = json.dumps([self.unit, _spell_window(self.window), sorted(self.match), self.per])
        object.__setattr__(self, "key", counted)
        object.__setattr__(self, "warn_at", tuple(sorted(set(self.warn_at))))
        object.__setattr__(self, "thresholds", tuple(ceil(self.amount * Fraction(share)) for share in self.warn_at))
        object.__setattr__(self, "warns_from", next(filter(None, self.thresholds), ENDLESS))
        paced = -1 if self.pace_from is None else floor(self.amount * Fraction(self.pace_from))
        object.__setattr__(self, "pace_above", paced)

    def scope(self, call: Call) -> str | None:
        """Which of this limit's budgets the call draws on; None where the limit does not apply to it."""
        if not all(_glob(pattern)(call.field(name)) for name, pattern in self.match):
            return None
        return ",".join(f"{name}={escape(call.field(name))}" for name in self.per)

    def to_json(self) -> dict[str, Any]:
        """The limit as plain data, the way the ledger keeps it."""
        data: dict[str, Any] = {
            "name": self.name,
            "unit": self.unit,
            "amount": self.amount,
            "window": _spell_window(self.window),
            "match": dict(self.match),
            "per": list(self.per),
            "warn_at": [str(share) for share in self.warn_at],
            "at_limit": self.at_limit,
        }
        if self.throttle_every:
            data["throttle_every"] = self.throttle_every
        if self.pace_from is not None:
            data["pace_from"] = str(self.pace_from)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Limit":
        """The limit that `to_json` wrote."""
        text, zone = data["window"]
        return cls(
            name=data["name"],
            unit=data["unit"],
            amount=data["amount"],
            window=parse_window(text, zone),
            match=tuple(data["match"].items()),
            per=tuple(data["per"]),
            warn_at=tuple(Decimal(share) for share in data["warn_at"]),
            at_limit=data["at_limit"],
            throttle_every=data.get("throttle_every", 0),
            pace_from=Decimal(data["pace_from"]) if "pace_from" in data else None,
        )


@dataclass(frozen=True, slots=True)
class LimitSet:
    """The limits in force, as one versioned thing that every process evaluates."""

    limits: tuple[Limit, ...]

    def says_the_same(self, other: "LimitSet") -> bool:
        """Whether both have the same limits, in whatever order: every call is under all of them at once."""
        return self._spelled() == other._spelled()

    def _spelled(self) -> set[str]:
        return {json.dumps(limit.to_json(), sort_keys=True) for limit in self.limits}

    def dumps(self) -> str:
        """The set as text, the way the ledger keeps it: in its own order, which is how it is shown."""
        return json.dumps([limit.to_json() for limit in self.limits], sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> "LimitSet":
        """The set that `dumps` wrote."""
        return cls(tuple(Limit.from_json(data) for data in json.loads(text)))


def applying(limits: Iterable[Limit], call: Call) -> tuple[tuple[Limit, str], ...]:
    """The limits that a call draws on, each with the scope it draws on there."""
    scoped = ((limit, limit.scope(call)) for limit in limits)
    return tuple((limit, scope) for limit, scope in scoped if scope is not None)


def matches(pattern: str, value: str) -> bool:
    """Whether a glob (`*`, `?`, `[abc]`) fits the whole of a value; case counts.

    >>> matches("clearbit.*", "clearbit.enrich"), matches("*haiku*", "claude-opus-4-6")
    (True, False)
    """
    return _glob(pattern)(value)


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> Callable[[str], bool]:
    if not any(sign in pattern for sign in "*?["):
        return lambda value: value == pattern
    found = re.compile(translate(pattern)).match
    return lambda value: found(value) is not None


def escape(value: str) -> str:
    """A value as it stands in a scope, where commas part the fields."""
    return value.replace("\\", "\\\\").replace(",", "\\,")


def _spell_window(window: Window) -> list[str]:
    if isinstance(window, Calendar):
        return [window.unit, window.timezone]
    return [spell_span(window.span), "UTC"]


def parse_rate(text: str) -> int:
    """The pause between calls, in microseconds, that a rate such as `10/min` means.

    Raises:
        ValueError: the text is no rate, or it is 0.

    >>> parse_rate("10/min") == 6_000_000
    True
    """
    found = re.fullmatch(r"(\d{1,9})\s*/\s*(s|sec|second|m|min|minute|h|hour|d|day)", text)
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no rate; write one such as 10/min, 2/s or 500/day")
    return -(-parse_span("1" + found[2][0]) // int(found[1]))
