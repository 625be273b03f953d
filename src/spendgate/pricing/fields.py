"""Reads the keys of a rate card strictly: each fault names the key, what was expected and the nearest known name.

Amounts are text or whole numbers, never floats: 0.1 in TOML is not a tenth.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from spendgate.errors import AmountError, ConfigError
from spendgate.money import decimal
from spendgate.pricing.usage import is_unit

MAX_USD = 1_000_000
"""The highest price per call, per unit or per million tokens: more is a slip of a decimal point."""
MAX_FACTOR = 100
MAX_UNITS = 10**9
"""Units of a month in one step of a price."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A table of the rate card and the key it stands under."""

    key: str
    table: Mapping[str, Any]

    @classmethod
    def of(cls, key: str, value: object) -> "Fields":
        """A table.

        Raises:
            ConfigError: the value is none.
        """
        if not isinstance(value, Mapping):
            raise ConfigError("this is no table", key=key, expected='a table, such as { input = "1", output = "5" }')
        return cls(key, value)

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def at(self, name: str) -> str:
        """The full key of one of the table's names."""
        return f"{self.key}.{spell(name)}"

    def only(self, known: Collection[str]) -> None:
        """Refuses every key that is not known.

        Raises:
            ConfigError: there is one; the nearest known name is offered.
        """
        for name in self.table:
            if name not in known:
                nearest = closest(name, known)
                expected = "" if nearest else f"one of {', '.join(sorted(known))}"
                raise ConfigError("this key is not known", key=self.at(name), expected=expected, nearest=nearest)

    def inner(self, name: str) -> "Fields":
        """The table under a name."""
        return Fields.of(self.at(name), self.table[name])

    def amount(self, name: str, what: str = "dollars", most: int = MAX_USD) -> Decimal:
        """An amount from 0 to `most`.

        Raises:
            ConfigError: it is a float, a bool, negative, not finite, no number, or above `most`.
        """
        value = self.table[name]
        expected = f'{what} as text or a whole number, such as "0.004"'
        try:
            number = decimal(value, name)
        except AmountError as fault:
            raise ConfigError(
                f"{_show(value)} is no amount: {fault.remedy}", key=self.at(name), expected=expected
            ) from None
        if number > most:
            raise ConfigError(f"{_show(value)} is above the most that is believed, {most:,}", key=self.at(name))
        return number

    def amounts(self, known: Collection[str]) -> dict[str, Decimal]:
        """The amounts, in dollars, under those of the known names that are there."""
        return {name: self.amount(name) for name in known if name in self.table}

    def factor(self, name: str) -> Decimal:
        """A multiplier above 0."""
        number = self.amount(name, "a multiplier", MAX_FACTOR)
        if not number:
            problem = "a multiplier of 0 makes a price of nothing; where it is free, say `free = true`"
            raise ConfigError(problem, key=self.at(name))
        return number

    def whole(self, name: str, least: int = 0, most: int = MAX_UNITS) -> int:
        """A whole number from `least` to `most`."""
        value = self.table[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            expected = f"a whole number from {least:,} to {most:,}"
            raise ConfigError(f"{_show(value)} does not fit", key=self.at(name), expected=expected)
        return value

    def rows(self, name: str) -> list["Fields"]:
        """The tables of a list, which must not be empty."""
        value = self.table[name]
        if not isinstance(value, list) or not value:
            raise ConfigError("this is no list of tables", key=self.at(name), expected="at least one table in [ ]")
        return [Fields.of(f"{self.at(name)}[{position}]", row) for position, row in enumerate(value)]

    def choice(self, name: str, known: Collection[str]) -> str:
        """One of a few words."""
        value = self.table[name]
        if value not in known:
            expected = " or ".join(f'"{word}"' for word in known)
            raise ConfigError(
                f"{_show(value)} is not one of them",
                key=self.at(name),
                expected=expected,
                nearest=closest(str(value), known),
            )
        return str(value)

    def unit(self, name: str) -> str:
        """The value under a name as a unit's name."""
        value = self.table[name]
        if value != "calls" and not is_unit(value):
            raise ConfigError(
                f"{_show(value)} is no unit", key=self.at(name), expected='"calls", or a name such as "rows"'
            )
        return str(value)

    def globs(self, name: str) -> tuple[str, ...]:
        """One URL with `*` where anything may stand, or a list of them."""
        value = self.table[name]
        found = [value] if isinstance(value, str) else value
        expected = 'a URL such as "https://api.clearbit.com/v2/*", or a list of them'
        if not isinstance(found, list) or not found:
            raise ConfigError(f"{_show(value)} is no URL", key=self.at(name), expected=expected)
        for glob in found:
            if not isinstance(glob, str) or not re.match(r"https?://(\*\.)?[^/*?]", glob):
                raise ConfigError(f"{_show(glob)} is no URL of a host", key=self.at(name), expected=expected)
        return tuple(found)

    def statuses(self, name: str) -> frozenset[int]:
        """A list of HTTP statuses."""
        value = self.table[name]
        fits = isinstance(value, list) and all(type(one) is int and 100 <= one <= 599 for one in value)
        if not fits or not value:
            expected = "a list of HTTP statuses, such as [404, 429]"
            raise ConfigError(f"{_show(value)} does not fit", key=self.at(name), expected=expected)
        return frozenset(value)

    def day(self, name: str) -> date:
        """A day, as a TOML date or as text."""
        value = self.table[name]
        expected = 'a day such as "2026-12-01"'
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ConfigError(f"{_show(value)} is no day", key=self.at(name), expected=expected)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{_show(value)} is not in the calendar", key=self.at(name), expected=expected) from None


def closest(name: str, known: Collection[str]) -> str:
    """The known name nearest to an unknown one; empty where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name.lower(), list(known), n=1)), "")


def spell(name: str) -> str:
    """A name the way a TOML key writes it.

    >>> spell("per_call"), spell("clearbit.enrich")
    ('per_call', '"clearbit.enrich"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
