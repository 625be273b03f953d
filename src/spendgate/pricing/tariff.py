"""Prices that depend on how much was used already this month: free tiers, volume steps.

This is the only part of a price that the ledger evaluates itself, because the position in the month is known only
inside its atomic step.

>>> free = Tariff("clearbit.enrich", "calls", (Step(Decimal(1000), Decimal(0)), Step(None, Decimal("0.004"))))
>>> free.cost(position=999, units=1), free.cost(position=999, units=2)
(0, 4000000)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from spendgate.errors import AmountError
from spendgate.limits import unit_scale
from spendgate.money import NANOS_PER_USD
from spendgate.pricing.usage import Usage
from spendgate.windows import Calendar


@dataclass(frozen=True, slots=True)
class Step:
    """A price per unit, in dollars, up to so many units in the month; `up_to` None means all the rest."""

    up_to: Decimal | None
    usd_per_unit: Decimal


@dataclass(frozen=True, slots=True)
class Tariff:
    """Steps of a price over a calendar month. The units of all calls under one `name` are counted together.

    Raises:
        ValueError: the steps do not rise, or do not end with one for all the rest.
    """

    name: str
    unit: str
    steps: tuple[Step, ...]
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        ends = [step.up_to for step in self.steps]
        if not ends or ends[-1] is not None or None in ends[:-1]:
            raise ValueError("the last step, and only the last, must have no up_to")
        edges = [self._edge(up_to) for up_to in ends if up_to is not None]
        if any(low >= high for low, high in zip([0, *edges], edges, strict=False)):
            raise ValueError("each up_to must be above the one before it")

    @property
    def window(self) -> Calendar:
        """The month in the tariff's time zone; the position starts at 0 in each."""
        return Calendar("month", self.timezone)

    def cost(self, position: int, units: int) -> int:
        """Nano-dollars, rounded up, for `units` more when `position` are used already this month.

        Both are in the unit's smallest parts: whole calls, millionths of anything else.

        Raises:
            AmountError: one of them is negative.
        """
        if position < 0 or units < 0:
            raise AmountError(self.unit, min(position, units), "it must not be negative")
        usd, at, end = Fraction(0), position, position + units
        for step in self.steps:
            edge = end if step.up_to is None else min(end, self._edge(step.up_to))
            if edge > at:
                usd += (edge - at) * Fraction(step.usd_per_unit)
                at = edge
        return ceil(usd * NANOS_PER_USD / unit_scale(self.unit))

    def most(self, units: int) -> int:
        """Nano-dollars, rounded up, that `units` smallest parts can cost at any position in the month."""
        dearest = max(Fraction(step.usd_per_unit) for step in self.steps)
        return ceil(units * dearest * NANOS_PER_USD / unit_scale(self.unit))

    def parts(self, usage: Usage, calls: int = 1) -> int:
        """How many of its smallest parts a call uses, rounded up.

        >>> Tariff("maps", "rows", (Step(None, Decimal(1)),)).parts(Usage(units=(("rows", Decimal(3)),)))
        3000000
        """
        if self.unit == "calls":
            return calls
        amount = next((amount for name, amount in usage.units if name == self.unit), Decimal(0))
        return ceil(Fraction(amount) * unit_scale(self.unit))

    def to_json(self) -> dict[str, Any]:
        """The tariff as plain data, the way the ledger keeps it."""
        steps = [[None if step.up_to is None else str(step.up_to), str(step.usd_per_unit)] for step in self.steps]
        return {"name": self.name, "unit": self.unit, "steps": steps, "timezone": self.timezone}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tariff":
        """The tariff that `to_json` wrote."""
        steps = tuple(Step(None if end is None else Decimal(end), Decimal(usd)) for end, usd in data["steps"])
        return cls(data["name"], data["unit"], steps, data["timezone"])

    def _edge(self, up_to: Decimal) -> int:
        """Where a step ends, in smallest parts; a fraction of one belongs to the next step."""
        return int(up_to * unit_scale(self.unit))
