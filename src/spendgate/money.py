"""Money as whole nano-dollars, read strictly and rounded up.

One dollar is 1,000,000,000 nano-dollars. Every amount inside spendgate is such an integer, so parts always add up
to their total. Amounts come in as `str`, `int` or `Decimal`; a `float` is refused, because 0.1 is not a tenth.

>>> nanos("0.0031")
3100000
>>> dollars(3_100_000)
'$0.0031'
"""

from decimal import ROUND_CEILING, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from spendgate.errors import AmountError

NANOS_PER_USD = 1_000_000_000
MAX_CALL_NANOS = 1_000_000 * NANOS_PER_USD
"""The most one call may cost: a million dollars. More is a slip of a decimal point, not a price."""
MAX_LIMIT_NANOS = 1_000_000_000 * NANOS_PER_USD
"""The highest limit: a billion dollars, far below what a 64-bit column holds."""
MAX_QUANTITY = 10**15
"""The most units (tokens, rows, ...) one call may state."""

Amount = str | int | Decimal

EXACT = Context(prec=100, Emin=-999_999, Emax=999_999, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Wide enough for every sum and product of amounts, whatever decimal context the program has set for itself."""


def decimal(value: object, name: str = "amount") -> Decimal:
    """Reads a non-negative, finite decimal number.

    Raises:
        AmountError: it is a float, a bool, negative, not finite or not a number.

    >>> decimal("0.004")
    Decimal('0.004')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise AmountError(name, value, 'write it as text, such as "0.25": a float or bool has no exact amount')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise AmountError(name, value, 'write a plain number, such as "0.25"') from None
    if not number.is_finite():
        raise AmountError(name, value, "it must be a finite number")
    if number < 0:
        raise AmountError(name, value, "it must not be negative")
    if number.adjusted() > 30 or number.as_tuple().exponent < -30:  # type: ignore[operator]
        raise AmountError(name, value, "it has more digits than money can have")
    return number


def scaled(value: object, scale: int, name: str = "amount", most: int = MAX_CALL_NANOS) -> int:
    """`value` times `scale` as a whole number, rounded up: when in doubt, the money is spent.

    Raises:
        AmountError: `value` is no amount (see `decimal`), or the result is above `most`.

    >>> scaled("0.0000000001", NANOS_PER_USD)
    1
    """
    parts = EXACT.multiply(decimal(value, name), Decimal(scale))
    whole = int(parts.to_integral_value(ROUND_CEILING, EXACT))
    if whole > most:
        raise AmountError(name, value, f"it is above the most that is believed, {most / scale:,.0f}")
    return whole


def nanos(value: object, name: str = "amount", most: int = MAX_CALL_NANOS) -> int:
    """Dollars as whole nano-dollars, rounded up to the next one.

    Raises:
        AmountError: `value` is a float, a bool, negative, not finite, not a number, or above `most` nano-dollars.

    >>> nanos("5.00"), nanos(2), nanos("0.00000000001")
    (5000000000, 2000000000, 1)
    """
    return scaled(value, NANOS_PER_USD, name, most)


def quantity(value: object, name: str = "quantity", most: int = MAX_QUANTITY) -> int:
    """A count of whole things, such as tokens or calls.

    Raises:
        AmountError: it is not a whole number between 0 and `most`.

    >>> quantity(1200, "input_tokens")
    1200
    """
    if type(value) is int and 0 <= value <= most:
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise AmountError(name, value, "it must be a whole number")
    if value < 0:
        raise AmountError(name, value, "it must not be negative")
    if value > most:
        raise AmountError(name, value, f"it is above the most that is believed, {most:,}")
    return value


def usd(amount_nanos: int) -> Decimal:
    """Nano-dollars as exact dollars.

    >>> usd(912_470_000_000)
    Decimal('912.47')
    """
    return EXACT.add(Decimal(amount_nanos).scaleb(-9, EXACT).normalize(EXACT), Decimal("0.00"))


def dollars(amount_nanos: int) -> str:
    """Nano-dollars for a reader: every digit that counts, and at least two after the point.

    >>> dollars(5_000_000_000), dollars(-1_234_560_000_000), dollars(1)
    ('$5.00', '-$1,234.56', '$0.000000001')
    """
    whole, part = divmod(abs(amount_nanos), NANOS_PER_USD)
    digits = f"{part:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount_nanos < 0 else ''}${whole:,}.{digits}"
