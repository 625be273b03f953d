"""Tariffs: what units cost by their position in the month."""

from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.errors import AmountError
from spendgate.limits import unit_scale
from spendgate.money import NANOS_PER_USD
from spendgate.pricing.tariff import Step, Tariff
from spendgate.pricing.usage import Usage
from spendgate.windows import Calendar

GEOCODE = Tariff(
    "maps.geocode",
    "calls",
    (Step(Decimal(10_000), Decimal(0)), Step(Decimal(100_000), Decimal("0.005")), Step(None, Decimal("0.004"))),
)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff with edges near small positions, prices rising or falling."""
    edges = sorted(draw(st.sets(st.integers(1, 40), max_size=3)))
    prices = [draw(st.decimals(0, 2, places=draw(st.sampled_from([0, 3, 11])))) for _ in range(len(edges) + 1)]
    ends: list[Decimal | None] = [*map(Decimal, edges), None]
    steps = tuple(Step(end, price) for end, price in zip(ends, prices, strict=True))
    return Tariff("t", draw(st.sampled_from(["calls", "rows"])), steps)


@pytest.mark.parametrize(
    ("position", "units", "usd"),
    [
        (0, 10_000, "0"),
        (9_999, 1, "0"),
        (9_999, 2, "0.005"),
        (10_000, 1, "0.005"),
        (0, 100_000, "450"),
        (99_999, 1, "0.005"),
        (99_999, 2, "0.009"),
        (100_000, 1, "0.004"),
        (5_000_000, 1000, "4"),
        (0, 100_001, "450.004"),
        (10_000, 0, "0"),
    ],
)
def test_steps_end_where_they_say(position: int, units: int, usd: str) -> None:
    """A unit at `up_to` still has the step's price, one beyond it has the next."""
    assert GEOCODE.cost(position, units) == int(Decimal(usd) * NANOS_PER_USD)


def test_units_are_counted_in_millionths() -> None:
    """Half a gigabyte across an edge is charged on both sides of it."""
    egress = Tariff("s3", "gb", (Step(Decimal("0.5"), Decimal(0)), Step(None, Decimal("0.09"))))
    assert egress.cost(position=250_000, units=500_000) == 22_500_000
    assert egress.parts(Usage(units=(("gb", Decimal("0.0000001")),))) == 1
    assert egress.parts(Usage()) == 0


def test_calls_are_counted_whole() -> None:
    """A tariff in calls counts calls, whatever units they used."""
    assert GEOCODE.parts(Usage(units=(("rows", Decimal(7)),)), calls=3) == 3


@given(tariffs(), st.integers(0, 50), st.lists(st.integers(0, 20), max_size=6))
def test_parts_never_cost_less_than_the_whole(tariff: Tariff, position: int, parts: list[int]) -> None:
    """What is used in parts costs at least as much as at once, and at most a nano-dollar a part more."""
    scale = unit_scale(tariff.unit)
    at, total = position * scale, 0
    for part in parts:
        total += tariff.cost(at, part * scale)
        at += part * scale
    whole = tariff.cost(position * scale, sum(parts) * scale)
    assert whole <= total <= whole + len(parts)


@given(tariffs(), st.integers(0, 50_000_000), st.integers(0, 30_000_000), st.integers(0, 10_000_000))
def test_more_never_costs_less(tariff: Tariff, position: int, units: int, more: int) -> None:
    """Cost grows with the units, and never exceeds the dearest step."""
    cost = tariff.cost(position, units)
    assert cost <= tariff.cost(position, units + more)
    assert cost <= tariff.most(units)


@given(tariffs(), st.integers(0, 30))
def test_cost_is_the_sum_over_its_units(tariff: Tariff, units: int) -> None:
    """The cost from nothing is each unit at the price of its place in the month, rounded up once."""
    usd = Decimal(0)
    for place in range(1, units + 1):
        usd += next(s.usd_per_unit for s in tariff.steps if s.up_to is None or place <= s.up_to)
    assert tariff.cost(0, units * unit_scale(tariff.unit)) == ceil(usd * NANOS_PER_USD)


@given(tariffs())
def test_tariff_survives_the_ledger(tariff: Tariff) -> None:
    """What `to_json` writes, `from_json` reads back."""
    assert Tariff.from_json(tariff.to_json()) == tariff


@pytest.mark.parametrize(
    "ends", [(), (Decimal(1),), (None, None), (None, Decimal(1)), (Decimal(2), Decimal(2), None), (Decimal(0), None)]
)
def test_steps_must_rise_and_end(ends: tuple[Decimal | None, ...]) -> None:
    """Steps that do not rise, or leave the rest without a price, are refused."""
    with pytest.raises(ValueError, match="up_to"):
        Tariff("t", "calls", tuple(Step(end, Decimal(1)) for end in ends))


@pytest.mark.parametrize(("position", "units"), [(-1, 1), (1, -1)])
def test_positions_are_not_negative(position: int, units: int) -> None:
    """A negative position or number of units is refused."""
    with pytest.raises(AmountError):
        GEOCODE.cost(position, units)


def test_months_are_those_of_the_time_zone() -> None:
    """The position starts over with each month of the tariff's own time zone."""
    assert Tariff("t", "calls", (Step(None, Decimal(1)),), "Asia/Tokyo").window == Calendar("month", "Asia/Tokyo")
