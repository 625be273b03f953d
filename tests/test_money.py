"""Money: read strictly, rounded up, exact over any number of parts."""

import decimal
import random
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.errors import AmountError
from spendgate.money import (
    MAX_CALL_NANOS,
    MAX_LIMIT_NANOS,
    MAX_QUANTITY,
    NANOS_PER_USD,
    dollars,
    nanos,
    quantity,
    scaled,
    usd,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        (0, 0),
        ("-0", 0),
        ("5.00", 5_000_000_000),
        (2, 2_000_000_000),
        (Decimal("0.004"), 4_000_000),
        ("0.000000001", 1),
        ("0.0000000001", 1),
        ("0.0000000011", 2),
        ("1e-30", 1),
        ("3.1e-3", 3_100_000),
        ("0.1", 100_000_000),
        ("1.000000000000000000000000000001", 1_000_000_001),
        ("999999.9999999999999999999999999999", MAX_CALL_NANOS),
        ("1000000", MAX_CALL_NANOS),
    ],
)
def test_dollars_are_read_exactly_and_rounded_up(value: object, expected: int) -> None:
    """An amount becomes the least whole number of nano-dollars that is not below it."""
    assert nanos(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        0.1,
        1.0,
        float("nan"),
        float("inf"),
        "NaN",
        "sNaN",
        "-NaN",
        "Infinity",
        "-inf",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        True,
        False,
        None,
        "",
        "five",
        "$5",
        "1,000",
        "0x10",
        b"5",
        [],
        complex(1),
        Fraction(1, 2),
        -1,
        "-0.000000001",
        Decimal("-1e-40"),
        "1000000.000000001",
        1_000_001,
        "1e400",
        "1e-400",
        "0e999999",
        10**31,
        pytest.param(10**5000, id="an int of 5001 digits"),
        pytest.param("9" * 5000, id="a text of 5000 digits"),
    ],
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    """NaN, infinity, negatives, bools, floats and absurd amounts are typed errors that name the amount."""
    with pytest.raises(AmountError) as caught:
        nanos(value, "at_most")
    assert caught.value.name == "at_most"
    assert "at_most" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "value", [-1, True, 1.0, "1", None, MAX_QUANTITY + 1, Decimal(1), pytest.param(10**5000, id="huge")]
)
def test_what_is_no_quantity_is_refused(value: object) -> None:
    """Counts are whole numbers, neither negative nor absurd."""
    with pytest.raises(AmountError):
        quantity(value, "tokens")


def test_quantities_are_taken_as_they_are() -> None:
    """Zero and the most that is believed are quantities."""
    assert (quantity(0), quantity(MAX_QUANTITY)) == (0, MAX_QUANTITY)


@pytest.fixture
def careless_context() -> Iterator[None]:
    """A program that has set its decimals to three digits, rounding down, and no signals."""
    with decimal.localcontext() as context:
        context.prec, context.rounding, context.Emax, context.Emin = 3, decimal.ROUND_FLOOR, 5, -5
        context.traps = dict.fromkeys(context.traps, False)
        yield


@pytest.mark.usefixtures("careless_context")
@pytest.mark.parametrize(
    ("value", "expected"),
    [("1234.567891234", 1_234_567_891_234), ("0.123456789", 123_456_789), (987_654, 987_654 * 10**9)],
)
def test_the_programs_own_decimals_do_not_matter(value: object, expected: int) -> None:
    """Amounts are exact whatever decimal context the program has set for itself."""
    assert nanos(value) == expected
    assert str(usd(expected)).rstrip("0").rstrip(".") == str(value)


@given(
    st.fractions(0, 10**6, max_denominator=10**6).map(
        lambda f: Decimal(f.numerator * 10**12 // f.denominator).scaleb(-12)
    )
)
def test_rounding_is_up_and_by_less_than_one(value: Decimal) -> None:
    """What is booked is at least the amount, and less than a nano-dollar more."""
    assert nanos(value) == ceil(Fraction(value) * NANOS_PER_USD)


@given(
    st.text(max_size=12)
    | st.integers()
    | st.decimals()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=4)
)
def test_every_value_is_an_amount_or_an_amount_error(value: object) -> None:
    """Nothing else comes out of reading an amount, whatever goes in."""
    for read in (nanos, quantity, lambda one: scaled(one, 10**6)):
        try:
            found = read(value)
        except AmountError:
            continue
        assert type(found) is int
        assert found >= 0


def test_a_million_parts_add_up() -> None:
    """The sum of a million amounts is the amount of their sum, to the nano-dollar."""
    drawn = random.Random(7)
    parts = [drawn.randrange(10**10) for _ in range(1_000_000)]
    total = sum(parts)
    assert sum(nanos(Decimal(part).scaleb(-9)) for part in parts) == total
    assert nanos(usd(total), most=MAX_LIMIT_NANOS) == total


@given(st.integers(0, MAX_LIMIT_NANOS))
def test_what_is_shown_is_what_is_meant(amount: int) -> None:
    """An amount that was written for a reader reads back as itself."""
    assert nanos(usd(amount), most=MAX_LIMIT_NANOS) == amount
    assert nanos(dollars(amount).replace("$", "").replace(",", ""), most=MAX_LIMIT_NANOS) == amount


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (10**10, "$10.00"),
        (10**15, "$1,000,000.00"),
        (-5, "-$0.000000005"),
        (12 * 10**8, "$1.20"),
    ],
)
def test_dollars_are_shown_with_every_digit_that_counts(amount: int, shown: str) -> None:
    """At least two digits after the point, and no digit is lost."""
    assert dollars(amount) == shown
