"""Puts limits into plain words, and says what is doubtful about a set of them: pure functions over settings.

>>> from spendgate.windows import parse_window
>>> sentence(Limit("hourly", "usd", 5_000_000_000, parse_window("1h", "UTC"), per=("service",)))
'hourly: each service may spend $5.00 in any 1h; refuses beyond.'
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from spendgate.clock import DAY, HOUR
from spendgate.limits import Limit, LimitSet, in_units, matches
from spendgate.money import dollars
from spendgate.pricing.ratecard import Card, RateCard
from spendgate.pricing.terms import Terms
from spendgate.windows import Calendar, Rolling, Window, spell_span

Severity = Literal["problem", "hint"]

LONGEST = {"day": DAY + HOUR, "week": 7 * DAY + HOUR, "month": 31 * DAY + HOUR}
"""The longest that a calendar span takes, in microseconds, where the clocks go back in it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is doubtful about a set of limits, and the remedy. A problem is hardly meant so, a hint may be."""

    severity: Severity
    text: str
    limits: tuple[str, ...] = ()


def explain(limits: LimitSet) -> list[str]:
    """One sentence per limit, in their order."""
    return [sentence(limit) for limit in limits.limits]


def sentence(limit: Limit) -> str:
    """What a limit says, in plain words."""
    beyond = {
        "refuse": "refuses beyond",
        "throttle": f"beyond, lets one call pass every {spell_span(limit.throttle_every)}",
        "observe": "only reports what goes beyond",
    }[limit.at_limit]
    parts = [f"{limit.name}: {_who(limit)} {_may(limit)} {_when(limit.window)}"]
    if limit.warn_at:
        parts.append(f"warns at {_list(_percent(share) for share in sorted(limit.warn_at))}")
    if limit.pace_from is not None:
        parts.append(f"from {_percent(limit.pace_from)} on spreads what is left over the rest of the {limit.window}")
    return "; ".join([*parts, beyond]) + "."


def _who(limit: Limit) -> str:
    who = f"each {' and '.join(limit.per)}" if limit.per else "all together"
    if not limit.match:
        return who
    fits = (f"{field} {'fits' if _is_glob(pattern) else 'is'} {pattern or 'empty'}" for field, pattern in limit.match)
    return f"where {_list(fits)}, {who}"


def _may(limit: Limit) -> str:
    amount = in_units(limit.amount, limit.unit)
    if not limit.amount:
        verb = {"usd": "spend nothing", "calls": "make no calls", "tokens": "use no tokens"}
        return f"may {verb.get(limit.unit, f'use no {limit.unit}')}"
    if limit.unit == "usd":
        return f"may spend {dollars(limit.amount)}"
    return f"may {'make' if limit.unit == 'calls' else 'use'} {amount.normalize():,f} {limit.unit}"


def _when(window: Window) -> str:
    if isinstance(window, Calendar):
        return f"each {window.unit} (in {window.timezone})"
    return f"in any {window}"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _list(items: Iterable[str]) -> str:
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def remarks(limits: LimitSet, prices: RateCard) -> list[Remark]:
    """What is doubtful about a set of limits beside a rate card: problems first."""
    every = limits.limits
    found = [
        *_empty(every),
        *_same_names(every),
        *_no_total(every),
        *_uncovered(every, prices),
        *_never_bite(every),
        *_no_warning(every),
        *_zones(every),
    ]
    return sorted(found, key=lambda remark: remark.severity != "problem")


def _empty(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    if not limits:
        yield Remark(
            "problem", "There is no limit, so nothing is ever refused: add [[limits]] with an amount and a window."
        )
    elif all(limit.at_limit == "observe" for limit in limits):
        yield Remark(
            "problem", 'Every limit only observes, so nothing is ever refused: set at_limit = "refuse" on one.'
        )


def _same_names(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    names = [limit.name for limit in limits]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield Remark("problem", f"{names.count(name)} limits have the name {name}: give each its own.", (name,))


def _no_total(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    """Dollar limits that are counted per something, where nothing bounds how many of it there are."""
    bare = [limit for limit in limits if limit.unit == "usd" and _open_ended(limit) and not _has_total(limit, limits)]
    if bare:
        names = tuple(limit.name for limit in bare)
        what = _list(dict.fromkeys(" and ".join(limit.per) for limit in bare))
        yield Remark(
            "problem",
            f"{_list(names)} {'has' if len(bare) == 1 else 'have'} no total beside: each new {what} brings a fresh "
            "budget. Add a limit in usd without `per`.",
            names,
        )


def _open_ended(limit: Limit) -> bool:
    """Whether a limit may have any number of scopes: some field it is counted by is not pinned to one value."""
    pinned = {field for field, pattern in limit.match if not _is_glob(pattern)}
    return any(field not in pinned for field in limit.per)


def _has_total(limit: Limit, limits: tuple[Limit, ...]) -> bool:
    return any(
        other.unit == "usd"
        and other.at_limit != "observe"
        and not _open_ended(other)
        and set(other.match) <= set(limit.match)
        for other in limits
    )


def _uncovered(limits: tuple[Limit, ...], prices: RateCard) -> Iterator[Remark]:
    """Resources of the rate card that cost something and that nothing limits."""
    names = [
        card.name
        for card in prices.cards.values()
        if (units := _charged(card)) and not any(_covers(limit, card, units) for limit in limits)
    ]
    if names:
        yield Remark(
            "problem",
            f"{_list(names)} {'costs' if len(names) == 1 else 'cost'} money by the rate card, and no limit covers "
            f"{'it' if len(names) == 1 else 'them'}: add a limit in usd, or one that matches the resource.",
        )


def _charged(card: Card) -> frozenset[str]:
    """The units that bound what a card costs; empty where all of it is free."""
    return frozenset().union(*(_charged_by(version.terms) for version in card.versions))


def _charged_by(terms: Terms) -> set[str]:
    if terms.free or terms.billing == "subscription":
        return set()
    units: set[str] = set()
    if terms.tariff and any(step.usd_per_unit for step in terms.tariff.steps):
        units.add(terms.tariff.unit)
    if terms.rates is None:
        units.add("tokens")
    else:
        units |= {unit for unit, rate in terms.rates.units.items() if rate}
        units |= {"calls"} if terms.rates.per_call else set()
        units |= {"tokens"} if any(rate for band in terms.rates.bands for rate in band.stated.values()) else set()
    return units | {"usd"} if units else units


def _covers(limit: Limit, card: Card, units: frozenset[str]) -> bool:
    """Whether a limit weighs on every call of a card's resource, as far as a card tells."""
    if limit.unit not in units or limit.at_limit == "observe":
        return False
    provider, colon, resource = card.name.partition(":")
    if not colon:
        provider, resource = "", card.name
    # A card without a provider that prices tokens is a model's: whose, it does not say, so any provider may be meant.
    is_model = "tokens" in units
    values = {"resource": resource, "model": resource if provider or is_model else "", "provider": provider}
    return all(
        pattern == "*"
        or (field in values and matches(pattern, values[field]))
        or (field == "provider" and not provider and is_model)
        for field, pattern in limit.match
    )


def _never_bite(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    """Limits behind another one that is tighter, and counts at least the same calls over at least the same time."""
    for position, limit in enumerate(limits):
        for before, other in enumerate(limits):
            if other is limit or not _tighter(other, limit) or (_tighter(limit, other) and before > position):
                continue
            yield Remark(
                "problem" if limit.amount > other.amount else "hint",
                f"{limit.name} can never be reached: {other.name} allows {_amount(other)} {_when(other.window)}, "
                f"{limit.name} {_amount(limit)} {_when(limit.window)}. Lower {limit.name} or leave it out.",
                (limit.name, other.name),
            )
            break


def _tighter(other: Limit, limit: Limit) -> bool:
    """Whether `other` always refuses before `limit` is used up: what it counts holds all that `limit` counts."""
    return (
        other.at_limit == "refuse"
        and other.unit == limit.unit
        and other.amount <= limit.amount
        and set(other.match) <= set(limit.match)
        and set(other.per) <= set(limit.per)
        and _holds(other.window, limit.window)
    )


def _holds(outer: Window, inner: Window) -> bool:
    """Whether whatever counts in one window counts in the other, too."""
    if isinstance(outer, Rolling):
        return outer.span >= (inner.span if isinstance(inner, Rolling) else LONGEST[inner.unit])
    # A rolling window reaches over midnight, a week over the end of a month: neither lies within the other.
    same_zone = isinstance(inner, Calendar) and inner.timezone == outer.timezone
    return same_zone and inner.unit in (outer.unit, "day")  # type: ignore[union-attr]


def _no_warning(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    silent = tuple(limit.name for limit in limits if limit.at_limit == "refuse" and limit.amount and not limit.warn_at)
    if silent:
        verb = "refuses" if len(silent) == 1 else "refuse"
        yield Remark("hint", f"{_list(silent)} {verb} without a warning before: add warn_at = [0.8].", silent)


def _zones(limits: tuple[Limit, ...]) -> Iterator[Remark]:
    zones: dict[str, list[Limit]] = {}
    for limit in limits:
        if isinstance(limit.window, Calendar):
            zones.setdefault(limit.window.timezone, []).append(limit)
    for zone, counted in zones.items():
        names = tuple(limit.name for limit in counted)
        verb = "begins" if len(names) == 1 else "begin"
        text = (
            f"{_list(names)} {verb} anew at midnight in {zone}; where your day is another, set timezone under [gate]."
        )
        yield Remark("hint", text, names)


def _amount(limit: Limit) -> str:
    if limit.unit == "usd":
        return dollars(limit.amount)
    return f"{in_units(limit.amount, limit.unit).normalize():,f} {limit.unit}"


def _is_glob(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")
