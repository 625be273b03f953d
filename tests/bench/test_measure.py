"""The harness that the figures of the README come from."""

import random

import pytest

from bench.measure import (
    Side,
    Spread,
    alternate,
    median_with_interval,
    paired_difference,
    paired_ratio,
    quantile,
)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(6, 1, 6), (9, 2, 8), (10, 2, 9), (20, 6, 15), (30, 10, 21), (60, 22, 39), (100, 40, 61)],
)
def test_the_interval_has_the_ranks_of_the_tables(count: int, low: int, high: int) -> None:
    """The interval of a median has the ranks that tables of the sign test give for 95 %."""
    values = list(range(1, count + 1))
    random.Random(count).shuffle(values)
    assert median_with_interval(values) == Spread((count + 1) / 2, low, high)


def test_few_values_give_all_of_them() -> None:
    """Where there are too few values for an interval, it is all of them."""
    assert median_with_interval([3.0]) == Spread(3.0, 3.0, 3.0)
    assert median_with_interval([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    """Of a thousand samples, the interval holds the true median in at least 93 of a hundred."""
    dice = random.Random(4)
    spreads = [median_with_interval([dice.lognormvariate(0, 1) for _ in range(30)]) for _ in range(1000)]
    assert sum(one.low <= 1 <= one.high for one in spreads) >= 930


def test_ratios_and_differences_are_taken_round_by_round() -> None:
    """What slows a whole round down, slows both sides, and is gone from the ratio."""
    slowed = [1.0, 10.0, 100.0]
    assert paired_ratio([3 * one for one in slowed], slowed) == Spread(3.0, 3.0, 3.0)
    assert paired_difference([one + 2 for one in slowed], slowed) == Spread(2.0, 2.0, 2.0)


def test_sides_take_turns_at_being_first() -> None:
    """Every side runs once a round, each round begins with the next one, and warming up is not counted."""
    seen: list[tuple[str, int]] = []
    sides = {name: Side(lambda number, name=name: seen.append((name, number))) for name in ("a", "b")}
    seconds = alternate(sides, 2, warm_up=1)
    assert seen == [("b", -1), ("a", -1), ("a", 0), ("b", 0), ("b", 1), ("a", 1)]
    assert [(len(one.wall), len(one.processor)) for one in seconds.values()] == [(2, 2), (2, 2)]


def test_a_quantile_is_one_of_the_values() -> None:
    """The share of a quantile is counted from the smallest value on; all of them is the largest."""
    values = [float(one) for one in range(100, 0, -1)]
    assert [quantile(values, share) for share in (0, 0.5, 0.99, 1)] == [1.0, 51.0, 100.0, 100.0]
