"""What a call used: tokens by kind, searches, and units of the rate card.

`input_tokens` includes every token read from or written to a cache and every audio token, `output_tokens` includes
reasoning, as OpenAI, Gemini and genai-prices count. Anthropic's `input_tokens` leaves cache tokens out: add them first.

>>> Usage(input_tokens=1200, cache_read_tokens=1000, output_tokens=300).tokens
1500
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from spendgate.errors import AmountError
from spendgate.money import MAX_QUANTITY, decimal, quantity

MAX_OUTPUT_TOKENS = 16_384
"""Output of a call that states no cap."""
MAX_UNIT_NAME = 64
RESERVED_UNITS = ("usd", "calls", "tokens", "units")


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one call. `cache_write_tokens` are five-minute writes; the one-hour writes are counted beside them.

    Cached audio is part of `cache_read_tokens` and of `input_audio_tokens`. `input_text_tokens` and
    `output_text_tokens` are those that are known to be text, reasoning left out: of a model that draws, all others may
    be a picture's, and cost as much. `units` are things that the rate card names: rows, gb, mails.

    Raises:
        AmountError: a count is no whole number from 0 on, a part exceeds its total, or a unit has no proper name or
            amount.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    cache_audio_read_tokens: int = 0
    output_audio_tokens: int = 0
    input_text_tokens: int = 0
    output_text_tokens: int = 0
    web_searches: int = 0
    units: tuple[tuple[str, Decimal], ...] = ()

    def __post_init__(self) -> None:
        for name in COUNTS:
            count = getattr(self, name)
            if type(count) is not int or not 0 <= count <= MAX_QUANTITY:
                quantity(count, name)
        cached = self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        _within("cache_read_tokens and cache writes", cached, "input_tokens", self.input_tokens)
        _within("input_audio_tokens", self.input_audio_tokens, "input_tokens", self.input_tokens)
        _within("cache_audio_read_tokens", self.cache_audio_read_tokens, "cache_read_tokens", self.cache_read_tokens)
        _within("cache_audio_read_tokens", self.cache_audio_read_tokens, "input_audio_tokens", self.input_audio_tokens)
        _within("reasoning_tokens", self.reasoning_tokens, "output_tokens", self.output_tokens)
        _within("output_audio_tokens", self.output_audio_tokens, "output_tokens", self.output_tokens)
        _within("input_text_tokens", self.input_text_tokens, "input_tokens", self.input_tokens)
        _within("output_text_tokens", self.output_text_tokens, "output_tokens", self.output_tokens)
        if self.units != ():
            object.__setattr__(self, "units", units_from(self.units))

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        units = dict(self.units)
        for name, amount in other.units:
            units[name] = units.get(name, Decimal(0)) + amount
        return Usage(**counts, units=tuple(units.items()))

    def to_json(self) -> dict[str, int | str]:
        """The usage as plain data: what is 0 left out, units beside the counts as exact text.

        >>> Usage(input_tokens=5, units=(("gb", Decimal("0.5")),)).to_json()
        {'input_tokens': 5, 'gb': '0.5'}
        """
        data: dict[str, int | str] = {name: getattr(self, name) for name in COUNTS if getattr(self, name)}
        return data | {name: str(amount) for name, amount in self.units}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Usage":
        """The usage that `to_json` wrote.

        Raises:
            AmountError: it is not one.
        """
        counts = {name: value for name, value in data.items() if name in COUNTS}
        return cls(**counts, units=tuple((name, value) for name, value in data.items() if name not in COUNTS))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Usage":
        """Usage from a table of counts, with `units` a table of its own.

        Raises:
            AmountError: a key is unknown (the nearest known one is named), or a value is no count.

        >>> Usage.from_mapping({"input_tokens": 5, "units": {"rows": 3}}).units
        (('rows', Decimal('3')),)
        """
        for name in mapping:
            if name not in COUNTS and name != "units":
                from difflib import get_close_matches

                close = get_close_matches(str(name), (*COUNTS, "units"), n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(COUNTS)} and units"
                raise AmountError("usage", name, f"this key is not known: {hint}")
        units = mapping.get("units", {})
        pairs = tuple(units.items()) if isinstance(units, Mapping) else units
        return cls(**{name: value for name, value in mapping.items() if name != "units"}, units=pairs)


COUNTS = tuple(field.name for field in fields(Usage) if field.name != "units")
"""The names of everything that is counted in whole numbers."""


def units_from(pairs: Iterable[tuple[str, object]]) -> tuple[tuple[str, Decimal], ...]:
    """Pairs of a unit's name and how many, checked.

    Raises:
        AmountError: a name is no identifier, is one of the counts, or stands twice; an amount is no decimal from 0 on.

    >>> units_from([("rows", 7), ("gb", "0.25")])
    (('rows', Decimal('7')), ('gb', Decimal('0.25')))
    """
    try:
        listed = [(name, amount) for name, amount in pairs]
    except (TypeError, ValueError):
        raise AmountError("units", pairs, 'name each unit, such as {"rows": 3}') from None
    found: dict[str, Decimal] = {}
    for name, amount in listed:
        if not is_unit(name):
            raise AmountError("units", name, "a unit has a name of its own in letters, digits and _, such as rows")
        if name in found:
            raise AmountError("units", name, "this unit is named twice")
        found[name] = decimal(amount, name)
        if found[name] > MAX_QUANTITY:
            raise AmountError(name, amount, f"it is above the most that is believed, {MAX_QUANTITY:,}")
    return tuple(found.items())


def is_unit(name: object) -> bool:
    """Whether a name can be a unit of the rate card: an identifier that does not count anything else already.

    >>> is_unit("rows"), is_unit("tokens"), is_unit("input_tokens"), is_unit("per call")
    (True, False, False, False)
    """
    if not isinstance(name, str) or not name.isidentifier() or len(name) > MAX_UNIT_NAME:
        return False
    return name not in RESERVED_UNITS and name not in COUNTS


def _within(part: str, count: int, total: str, most: int) -> None:
    if count > most:
        raise AmountError(part, count, f"it must not exceed {total}, {most:,}, of which it is a part")
