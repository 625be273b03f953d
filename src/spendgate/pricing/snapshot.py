"""The price list of genai-prices, read as it was installed: it is never updated over the network from here.

Importing it takes a third of a second, so it comes in when a price is first looked up in it. What it says is taken
over, with the corrections that docs/decisions/0002-prices.md lists, all of them upwards.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from spendgate.clock import moment
from spendgate.money import NANOS_PER_USD
from spendgate.pricing.ratecard import undated
from spendgate.pricing.rates import INPUT_KINDS, MILLION, Band, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_KINDS: dict[str, tuple[str, ...]] = {
    "input": ("input_tokens", "input_image_tokens", "input_video_tokens"),
    "cache_read": ("cache_read_tokens", "cache_image_read_tokens"),
    "cache_write": ("cache_write_tokens",),
    "cache_write_1h": ("cache_write_1h_tokens",),
    "input_audio": ("input_audio_tokens",),
    "cache_audio_read": ("cache_audio_read_tokens",),
    "output": ("output_tokens", "output_image_tokens", "output_video_tokens", "output_citation_tokens"),
    "reasoning": ("output_reasoning_tokens",),
    "output_audio": ("output_audio_tokens",),
}
"""Our kinds of token and theirs. Where we do not tell theirs apart, the dearest of them is the price of ours."""

_TEXT = {"input_text": "input", "output_text": "output"}
"""Kinds that are text alone: stated where text costs less than the dearest that could stand in its place."""

_TIER_KEYS = ("service_tier", "speed", "route")
"""What a price list calls the ways to be served faster, slower or elsewhere."""

_GROQ_LEAST_S = 10
"""Seconds of audio that Groq bills at least."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model's price in the list, at one time. `rates` has (batch, service tier) pairs; empty where it states none.

    `exact` is False where the name matched only a pattern, or another provider's list.
    """

    dated: str
    exact: bool
    rates: Mapping[tuple[bool, str], Rates] = field(default_factory=dict)
    context_window: int | None = None


@cache
def source() -> str:
    """The list and its version, such as `genai-prices 0.2.3`."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


def dated(at: int) -> str:
    """The day of the newest price change in the list that was in force at an instant.

    The list carries no date of its own. It also announces changes ahead of time, so it may be older than this day,
    never younger than the last change it did not foresee.
    """
    today = moment(at).date()
    return max((day.isoformat() for day in _change_days() if day <= today), default="")


def find(provider: str, model: str, at: int) -> Listed | None:
    """A model's price at an instant; None where the list does not have the model.

    Without a provider only a model's exact name is believed: any other paid API could resemble a pattern.
    """
    from genai_prices.data_snapshot import DataSnapshot

    # A snapshot of its own for each look-up: it remembers names that it does not know, without bound.
    shelf = DataSnapshot(providers=_providers(), from_auto_update=False)
    try:
        seller, info = shelf.find_provider_model(model, None, provider or None, None)
    except LookupError:
        return None
    own = any(info is candidate for candidate in seller.models)
    exact = own and _is_exact(info, model.rpartition("/")[2] if provider.lower() == "litellm" else model)
    if not provider and not exact:
        return None
    when = moment(at)
    rates = {context: rates for context, rates in _contexts(info, own, seller, when) if rates is not None}
    return Listed(_dated(info, when) or dated(at), exact, rates, info.context_window)


def names() -> Iterator[tuple[str, str]]:
    """Every provider and model in the list that can be asked for by that name."""
    return iter(_names())


def nearest(provider: str, model: str, count: int = 3) -> tuple[str, ...]:
    """Models of the provider, or of all where the list does not have it, whose names are closest."""
    every = _names()
    own = [name for seller, name in every if seller == provider] or [name for _, name in every]
    from difflib import get_close_matches

    return tuple(get_close_matches(model.lower(), dict.fromkeys(own), n=count))


@cache
def _providers() -> "list[Provider]":
    from genai_prices.data import providers

    return providers


@cache
def _names() -> tuple[tuple[str, str], ...]:
    listed = ((provider.id, model) for provider in _providers() for model in provider.models)
    return tuple((seller, model.id) for seller, model in listed if model.is_match(model.id))


@cache
def _change_days() -> tuple[date, ...]:
    listed = (model.prices for provider in _providers() for model in provider.models)
    conditions = (price.constraint for prices in listed if isinstance(prices, list) for price in prices)
    return tuple({day for condition in conditions if (day := getattr(condition, "start_date", None))})


def _is_exact(info: "ModelInfo", model: str) -> bool:
    """Whether the list spells a name out, apart from case and a date or version at its end.

    Many entries match whatever begins with a name they spell out: `claude-haiku-4-5-turbo` is matched, but not exact.
    """
    name = model.lower()
    bare = re.sub(r"-v\d+(:\d+)?$", "", name)
    return not {info.id.lower(), *_literals(info.match)}.isdisjoint((name, bare, undated(name), undated(bare)))


def _literals(clause: Any) -> Iterator[str]:
    """The names that a match clause spells out."""
    for alternative in getattr(clause, "or_", ()):
        yield from _literals(alternative)
    for kind in ("equals", "starts_with", "contains", "ends_with"):
        if spelling := getattr(clause, kind, ""):
            yield spelling.lower()


def _dated(info: "ModelInfo", when: datetime) -> str:
    """The day from which the model's price is valid, where the list says so."""
    if isinstance(info.prices, list):
        active = (p.constraint for p in reversed(info.prices) if p.constraint is None or p.constraint.active(when))
        day = getattr(next(active, None), "start_date", None)
        return day.isoformat() if day else ""
    return ""


def _contexts(
    info: "ModelInfo", own: bool, seller: "Provider", when: datetime
) -> Iterator[tuple[tuple[bool, str], Rates | None]]:
    """The rates for every way of being served that the list prices at that time, the plain way first."""
    least = _GROQ_LEAST_S if seller.id == "groq" and info.id.startswith("whisper-large-v3") else 0
    yield (False, ""), _rates(info.get_prices(when), least)
    variants = (
        [v for v in info.price_variants or () if v.constraint is None or v.constraint.active(when)] if own else []
    )
    batch = any(variant.when.get("processing") == "batch" for variant in variants)
    tiers = sorted({value for v in variants for key, value in v.when.items() if key in _TIER_KEYS})
    for in_batch in (False, True) if batch else (False,):
        for tier in ["", *tiers]:
            if in_batch or tier:
                context = dict.fromkeys(_TIER_KEYS, tier) if tier else {}
                processing = {"processing": "batch"} if in_batch else {}
                yield (in_batch, tier.lower()), _rates(info.get_prices(when, context | processing), least)


def _rates(price: "ModelPrice", least_s: int) -> Rates | None:
    """A list price in our terms. A rate of 0 is left out: free is a price you declare. None where nothing is left."""
    found = {unit: (rate, per) for unit, rate, per in _priced(price)}
    bands = _bands({unit: rate for unit, (rate, _) in found.items() if unit.endswith("_tokens")})
    units = {
        unit: Fraction(_band_of(rate, -1)) * NANOS_PER_USD / per
        for unit, (rate, per) in found.items()
        if not unit.endswith("_tokens")
    }
    search = units.pop("web_searches", None)
    per_call = units.pop("requests", Fraction(0))
    if not (bands or units or per_call):
        return None
    least = {unit: Fraction(least_s) for unit in units if least_s and unit.endswith("audio_seconds")}
    return Rates(bands, per_call, units, least, search)


def _priced(price: "ModelPrice") -> Iterator[tuple[str, Any, int]]:
    """Their unit, its price (a Decimal or one with tiers), and per how many of the unit, where it is not 0."""
    for key, unit, per in _price_keys():
        rate = price.__dict__.get(key)
        if rate is not None and _band_of(rate, -1) > 0:
            yield unit, rate, per


@cache
def _price_keys() -> tuple[tuple[str, str, int], ...]:
    from genai_prices.data_units import unit_data

    return tuple((unit["price_key"], name, unit["per"]) for name, unit in unit_data.items())


def _band_of(rate: Any, above: int) -> Decimal:
    """A price at so many input tokens: the dearer rate of a tier holds for all tokens of a call above its start."""
    tiers = getattr(rate, "tiers", ())
    held: Decimal = rate if isinstance(rate, Decimal) else rate.base
    for tier in tiers:
        if above >= tier.start:
            held = tier.price
    return held


def _bands(rates: Mapping[str, Any]) -> tuple[Band, ...]:
    if not rates:
        return ()
    starts = sorted({-1} | {tier.start for rate in rates.values() for tier in getattr(rate, "tiers", ())})
    return tuple(Band(start, _stated(rates, start)) for start in starts)


def _stated(rates: Mapping[str, Any], above: int) -> dict[str, Fraction]:
    """Nano-dollars per token, by our kinds, for calls above so many input tokens."""
    stated: dict[str, Fraction] = {}
    for kind, units in _KINDS.items():
        listed = [_token_rate(rates, unit, kind, above) for unit in units if unit in rates]
        if listed:
            stated[kind] = max(listed)
    for kind, whole in _TEXT.items():
        unit = f"{whole}_tokens"
        rate = _token_rate(rates, unit, whole, above) if unit in rates else None
        if rate is not None and rate < stated[whole]:
            stated[kind] = rate
    if "cache_write" in stated and "input" in stated:
        stated["cache_write"] = max(stated["cache_write"], stated["input"])
    return stated


def _token_rate(rates: Mapping[str, Any], unit: str, kind: str, above: int) -> Fraction:
    """One rate; where input has a tier here and this input kind has none, it is raised as much as input is."""
    raised = Fraction(1)
    if kind in INPUT_KINDS and isinstance(rates[unit], Decimal) and "input_tokens" in rates:
        text = rates["input_tokens"]
        raised = max(raised, Fraction(_band_of(text, above)) / Fraction(_band_of(text, -1)))
    return Fraction(_band_of(rates[unit], above)) * raised * NANOS_PER_USD / MILLION
