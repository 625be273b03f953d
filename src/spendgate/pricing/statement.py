"""A price in words, the way `spendgate prices show` prints it."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from spendgate.money import NANOS_PER_USD
from spendgate.pricing.rates import MILLION, TOKEN_KINDS, Band, Rates
from spendgate.pricing.tariff import Tariff

HOUR_S = 3600


def state(rates: Mapping[tuple[bool, str], Rates], tariff: Tariff | None, billing: str, free: bool) -> dict[str, str]:
    """Each kind that a price states, with its dollars and what they buy."""
    said = {"billing": "subscription: $0.00, at the list price"} if billing == "subscription" else {}
    if free:
        return said | {"call": "free"}
    if not rates:
        return said | {"list price": "not known"}
    plain = rates[False, ""]
    said |= _tokens(plain)
    if plain.per_call:
        said["call"] = f"{usd(plain.per_call)} / call"
    said |= _tariff(tariff) if tariff else {}
    said |= {name: _unit(name, rate) for name, rate in plain.units.items()}
    if plain.search is not None:
        said["web_search"] = f"{usd(plain.search)} / search"
    for (batch, tier), special in rates.items():
        if special != plain and not (batch and tier):
            said[tier or "batch"] = _short(special)
    return said


def usd(nanos: Fraction) -> str:
    """Dollars with every digit that counts, and at least two after the point.

    >>> usd(Fraction(1_000_000_000)), usd(Fraction(1, 10))
    ('$1.00', '$0.0000000001')
    """
    exact = Decimal(nanos.numerator) / Decimal(nanos.denominator) / NANOS_PER_USD
    digits = f"{exact:f}"
    whole, _, part = digits.partition(".")
    return f"${int(whole):,}.{part.rstrip('0').ljust(2, '0')}"


def _tokens(rates: Rates) -> dict[str, str]:
    said: dict[str, str] = {}
    for band in rates.bands:
        where = f" above {band.above:,} input tokens" if band.above >= 0 else ""
        said |= {f"{kind}{where}": f"{usd(rate * MILLION)} / 1M tokens" for kind, rate in _stated(band).items()}
    return said


def _stated(band: Band) -> dict[str, Fraction]:
    return {kind: band.stated[kind] for kind in TOKEN_KINDS if kind in band.stated}


def _short(rates: Rates) -> str:
    if rates.bands:
        return (
            ", ".join(f"{kind} {usd(rate * MILLION)}" for kind, rate in _stated(rates.bands[0]).items())
            + " / 1M tokens"
        )
    parts = [f"{usd(rates.per_call)} / call"] if rates.per_call else []
    return ", ".join(parts + [_unit(name, rate) for name, rate in rates.units.items()])


def _unit(name: str, rate: Fraction) -> str:
    if name.endswith("_seconds"):
        return f"{usd(rate * HOUR_S)} / hour"
    return f"{usd(rate)} / {name}"


def _tariff(tariff: Tariff) -> dict[str, str]:
    said: dict[str, str] = {}
    one = "call" if tariff.unit == "calls" else tariff.unit
    below = Decimal(0)
    for step in tariff.steps:
        reach = f"beyond {below:,} a month" if step.up_to is None else f"up to {step.up_to:,} a month"
        name = f"{tariff.unit} {reach}" if step.up_to is not None or below else tariff.unit
        said[name] = f"{usd(Fraction(step.usd_per_unit) * NANOS_PER_USD)} / {one}"
        below = step.up_to or below
    return said
