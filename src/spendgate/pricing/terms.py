"""What a rate card says about one resource at one time, read from its table.

A price has one form: rates per million tokens, a price per call or unit, monthly tiers, `free`, or a factor on what
genai-prices says. Keys of two forms in one table are an error; in a dated change the newer form replaces the older.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from spendgate.errors import ConfigError
from spendgate.money import MAX_QUANTITY, NANOS_PER_USD
from spendgate.pricing.fields import Fields
from spendgate.pricing.rates import TOKEN_KINDS, Band, Rates, per_token
from spendgate.pricing.tariff import Step, Tariff
from spendgate.pricing.usage import is_unit

Billing = Literal["metered", "subscription"]

_TOKENS = (*TOKEN_KINDS, "long_context")
_TIERS = ("tiers", "tier_unit")
_CALLS = ("per_call", "free_calls_per_month")
_MONEY = (*_TOKENS, *_TIERS, *_CALLS, "per_unit", "web_search", "batch", "service_tiers", "multiplier")
KEYS = (*_MONEY, "free", "billing", "context_window", "changes")

_EXCLUDES: dict[str, tuple[str, ...]] = {
    "free": _MONEY,
    "multiplier": (*_TOKENS, *_TIERS, *_CALLS, "per_unit", "free"),
    "tiers": ("free", "multiplier"),
    "tier_unit": ("free", "multiplier"),
    "web_search": ("free",),
    "batch": ("free",),
    "service_tiers": ("free",),
    **dict.fromkeys((*_TOKENS, *_CALLS, "per_unit"), ("free", "multiplier")),
}
"""Which keys cannot stand beside a key, because they state another form of price."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of a card. `rates` is None where the card leaves the rates to genai-prices and only changes them."""

    rates: Rates | None = None
    tariff: Tariff | None = None
    free: bool = False
    billing: Billing = "metered"
    search: Fraction | None = None
    multiplier: Fraction = Fraction(1)
    batch: Fraction | None = None
    service_tiers: Mapping[str, Fraction] = field(default_factory=dict)
    context_window: int | None = None


def merged(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """A table with the keys of a dated change in place of its own; what the change excludes is dropped.

    >>> merged({"free": True, "billing": "metered"}, {"per_call": "0.01"})
    {'billing': 'metered', 'per_call': '0.01'}
    """
    gone = {key for name in newer for key in _EXCLUDES.get(name, ())}
    in_calls = newer.get("tier_unit", older.get("tier_unit", "calls")) == "calls"
    if "tiers" in newer:
        gone |= set(_CALLS) if in_calls else {"free_calls_per_month"}
    elif in_calls and not newer.keys().isdisjoint(_CALLS):
        gone |= set(_TIERS)
    return {name: value for name, value in older.items() if name not in gone} | dict(newer)


def read_terms(fields: Fields, name: str, timezone: str) -> Terms:
    """The terms in one table of the rate card.

    Raises:
        ConfigError: a key is unknown, misread, or contradicts another; or nothing in the table is a price.
    """
    fields.only(KEYS)
    _one_form(fields)
    billing: Billing = "metered"
    if "billing" in fields and fields.choice("billing", ("metered", "subscription")) == "subscription":
        billing = "subscription"
    free = _free(fields)
    tariff = _tariff(fields, name, timezone)
    if tariff and billing == "subscription":
        raise ConfigError("a subscription has no monthly tiers: its calls cost nothing more", key=fields.key)
    terms = Terms(
        rates=_rates(fields, tariff, free),
        tariff=tariff,
        free=free,
        billing=billing,
        search=Fraction(fields.amount("web_search")) * NANOS_PER_USD if "web_search" in fields else None,
        multiplier=Fraction(fields.factor("multiplier")) if "multiplier" in fields else Fraction(1),
        batch=Fraction(fields.factor("batch")) if "batch" in fields else None,
        service_tiers=_service_tiers(fields),
        context_window=fields.whole("context_window", 1, MAX_QUANTITY) if "context_window" in fields else None,
    )
    if terms == Terms(context_window=terms.context_window):
        expected = "per_call, per_unit, tiers, input and output, multiplier, free = true, ..."
        raise ConfigError("nothing here is a price", key=fields.key, expected=expected)
    return terms


def _one_form(fields: Fields) -> None:
    for name in fields.table:
        for other in _EXCLUDES.get(name, ()):
            if other in fields:
                raise ConfigError(f"`{name}` and `{other}` cannot both be the price", key=fields.at(name))
    if "tiers" in fields:
        clashing = _CALLS if fields.table.get("tier_unit", "calls") == "calls" else ("free_calls_per_month",)
        for other in clashing:
            if other in fields:
                raise ConfigError(f"`tiers` and `{other}` cannot both be the price", key=fields.at("tiers"))


def _free(fields: Fields) -> bool:
    if "free" in fields and fields.table["free"] is not True:
        raise ConfigError("only `free = true` means something", key=fields.at("free"), expected="true, or no such key")
    return "free" in fields


def _rates(fields: Fields, tariff: Tariff | None, free: bool) -> Rates | None:
    tokens = fields.amounts(TOKEN_KINDS)
    units = _per_unit(fields, tariff)
    per_call = Fraction(0)
    if "per_call" in fields and not (tariff and tariff.unit == "calls"):
        per_call = Fraction(fields.amount("per_call")) * NANOS_PER_USD
    bands = _bands(fields, tokens)
    if not (bands or units or tariff or free or "per_call" in fields):
        return None
    search = Fraction(fields.amount("web_search")) * NANOS_PER_USD if "web_search" in fields else None
    return Rates(bands, per_call, units, search=search)


def _bands(fields: Fields, tokens: Mapping[str, Decimal]) -> tuple[Band, ...]:
    """The bands of token rates, without and with a long context."""
    if not tokens:
        if "long_context" in fields:
            raise ConfigError("a long context needs `input` and `output` beside it", key=fields.at("long_context"))
        return ()
    _both_sides(fields)
    found = [Band(-1, {kind: per_token(usd) for kind, usd in tokens.items()})]
    if "long_context" in fields:
        long = fields.inner("long_context")
        long.only(("above", *TOKEN_KINDS))
        if "above" not in long:
            raise ConfigError("it does not say from where on", key=long.key, expected="above = 200000")
        _both_sides(long)
        rates = {kind: per_token(usd) for kind, usd in long.amounts(TOKEN_KINDS).items()}
        found.append(Band(long.whole("above", 1), rates))
    return tuple(found)


def _both_sides(fields: Fields) -> None:
    for kind in ("input", "output"):
        if kind not in fields:
            raise ConfigError(
                f"`{kind}` is missing", key=fields.key, expected=f'{kind} = dollars per million tokens, "0" where free'
            )


def _per_unit(fields: Fields, tariff: Tariff | None) -> dict[str, Fraction]:
    if "per_unit" not in fields:
        return {}
    table = fields.inner("per_unit")
    if not table.table:
        raise ConfigError("no unit is named", key=table.key, expected='units, such as rows = "0.0001"')
    for name in table.table:
        if not is_unit(name):
            raise ConfigError("this is no name for a unit", key=table.at(name), expected="letters, digits and _")
        if tariff and name == tariff.unit:
            raise ConfigError("the tiers price this unit already", key=table.at(name))
    return {name: Fraction(table.amount(name)) * NANOS_PER_USD for name in table.table}


def _service_tiers(fields: Fields) -> dict[str, Fraction]:
    if "service_tiers" not in fields:
        return {}
    table = fields.inner("service_tiers")
    return {name.lower(): Fraction(table.factor(name)) for name in table.table}


def _tariff(fields: Fields, name: str, timezone: str) -> Tariff | None:
    """The monthly steps: `tiers`, or `free_calls_per_month` before `per_call`."""
    if "free_calls_per_month" in fields:
        if "per_call" not in fields:
            raise ConfigError(
                "what do the calls cost that are not free?",
                key=fields.at("free_calls_per_month"),
                expected="per_call too",
            )
        free = fields.whole("free_calls_per_month")
        first = (Step(Decimal(free), Decimal(0)),) if free else ()
        return Tariff(name, "calls", (*first, Step(None, fields.amount("per_call"))), timezone)
    if "tiers" not in fields:
        if "tier_unit" in fields:
            raise ConfigError("there are no tiers to count in it", key=fields.at("tier_unit"))
        return None
    unit = fields.unit("tier_unit") if "tier_unit" in fields else "calls"
    steps = tuple(_step(row, "per_call" if unit == "calls" else "per_unit", unit) for row in fields.rows("tiers"))
    try:
        return Tariff(name, unit, steps, timezone)
    except ValueError as fault:
        raise ConfigError(str(fault), key=fields.at("tiers"), expected="up_to rising, and none in the last") from None


def _step(row: Fields, price: str, unit: str) -> Step:
    row.only(("up_to", price))
    if price not in row:
        raise ConfigError(f"`{price}` is missing", key=row.key)
    if "up_to" not in row:
        return Step(None, row.amount(price))
    up_to = Decimal(row.whole("up_to", 1)) if unit == "calls" else row.amount("up_to", unit, 10**9)
    return Step(up_to, row.amount(price))
