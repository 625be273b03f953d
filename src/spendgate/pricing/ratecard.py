"""The user's own rate card: which card applies to a resource, and what it says at an instant.

>>> cards = read_prices({"clearbit.*": {"per_call": "0.004"}}, "UTC")
>>> cards.card("", "clearbit.enrich").name
'clearbit.*'
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from spendgate.call import MAX_NAME
from spendgate.clock import instant
from spendgate.errors import ConfigError
from spendgate.limits import matches
from spendgate.pricing.fields import Fields
from spendgate.pricing.rates import TOKEN_KINDS
from spendgate.pricing.terms import Terms, merged, read_terms

_DATED = re.compile(r"[-@](20\d\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01]))$")

UNKNOWN_MODEL = "unknown_model"
ADDRESS = ("match", "unbilled_statuses")
"""The keys that say where a resource is called, and what its answers mean."""


@dataclass(frozen=True, slots=True)
class Version:
    """Terms from an instant on; `dated` is that day in ISO form, empty for those the card begins with."""

    from_at: int
    dated: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Card:
    """What the user says about the resources that a name or glob fits, oldest version first.

    `urls` are globs: what is sent there is a call of this resource. Answers with one of `unbilled_statuses` cost
    nothing; every other answer counts.
    """

    name: str
    versions: tuple[Version, ...]
    urls: tuple[str, ...] = ()
    unbilled_statuses: frozenset[int] = frozenset()

    @property
    def is_glob(self) -> bool:
        return any(sign in self.name for sign in "*?[")

    def at(self, at: int) -> Version:
        """The version in force at an instant."""
        return self.versions[max(0, bisect_right(self.versions, at, key=lambda version: version.from_at) - 1)]


@dataclass(frozen=True)
class RateCard:
    """All cards, and the declared price for unknown models (None: they are refused)."""

    cards: Mapping[str, Card]
    unknown_model: Terms | None = None

    @classmethod
    def empty(cls) -> "RateCard":
        """No card at all: what genai-prices does not know is refused."""
        return cls({})

    def card(self, provider: str, resource: str) -> Card | None:
        """The card for a resource: exact names before globs, longer globs before shorter.

        `provider:resource` is more exact than `resource`, and both are tried without a date at the end of the name
        before any glob. The name of a provider alone is a card for everything of it.
        """
        for name in spellings(provider, resource):
            if name in self.cards:
                return self.cards[name]
        full = f"{provider}:{resource}" if provider else resource
        fitting = [c for c in self.cards.values() if c.is_glob and (matches(c.name, full) or matches(c.name, resource))]
        if fitting:
            return max(fitting, key=lambda card: (len(card.name), card.name))
        return self.cards.get(provider) if provider else None

    def at_url(self, url: str) -> Card | None:
        """The card whose resource is called at a URL, without its query; the longest glob first."""
        if not self._addressed:
            return None
        place = re.split("[?#]", url, maxsplit=1)[0]
        fitting = [(len(glob), glob, card) for glob, card in self._addressed if matches(glob, place)]
        return max(fitting, key=lambda found: found[:2])[2] if fitting else None

    @cached_property
    def _addressed(self) -> tuple[tuple[str, Card], ...]:
        return tuple((glob, card) for card in self.cards.values() for glob in card.urls)

    def names(self) -> Iterator[str]:
        """The names and globs of all cards."""
        return iter(self.cards)

    def units(self) -> frozenset[str]:
        """Every unit that a card prices: what a limit may count besides dollars, calls and tokens."""
        every = [v.terms for card in self.cards.values() for v in card.versions]
        priced = {name for terms in every if terms.rates for name in terms.rates.units}
        return frozenset(priced | {terms.tariff.unit for terms in every if terms.tariff}) - {"calls"}


def spellings(provider: str, resource: str) -> tuple[str, ...]:
    """The names a card may have to mean exactly this resource, the most exact first.

    >>> spellings("anthropic", "claude-haiku-4-5-20251001")[2:]
    ('anthropic:claude-haiku-4-5', 'claude-haiku-4-5')
    """
    names = dict.fromkeys((resource, undated(resource)))
    prefixed = ((f"{provider}:{name}", name) if provider else (name,) for name in names)
    return tuple(name for pair in prefixed for name in pair)


def undated(model: str) -> str:
    """A model's name without the date of its snapshot.

    >>> undated("claude-haiku-4-5@20251001"), undated("gpt-4o-2024-08-06"), undated("gpt-4o")
    ('claude-haiku-4-5', 'gpt-4o', 'gpt-4o')
    """
    return _DATED.sub("", model)


def read_prices(table: Mapping[str, Any], timezone: str) -> RateCard:
    """The rate card in the `[prices]` table of a configuration. Months and days are those of `timezone`.

    Raises:
        ConfigError: anything in it is unknown, misread, contradictory or no price; `key` says where.
    """
    prices = Fields.of("prices", table)
    cards: dict[str, Card] = {}
    unknown: Terms | None = None
    for name in prices.table:
        if name == UNKNOWN_MODEL:
            unknown = _unknown_model(prices)
            continue
        if not name or len(name) > 2 * MAX_NAME or not name.isprintable():
            raise ConfigError("this is no name of a resource", key=prices.at(name))
        cards[name] = _card(prices.inner(name), name, timezone)
    return RateCard(cards, unknown)


def _card(fields: Fields, name: str, timezone: str) -> Card:
    priced = {key: value for key, value in fields.table.items() if key not in ADDRESS}
    urls = fields.globs("match") if "match" in fields else ()
    if urls and any(sign in name for sign in "*?["):
        problem = "a glob names no resource, so nothing sent there could be named"
        raise ConfigError(problem, key=fields.at("match"), expected="a price with a plain name")
    unbilled = fields.statuses("unbilled_statuses") if "unbilled_statuses" in fields else frozenset()
    if unbilled and not urls:
        problem = "answers are only seen of what is sent to a URL"
        raise ConfigError(problem, key=fields.at("unbilled_statuses"), expected="`match` beside it")
    return Card(name, _versions(Fields(fields.key, priced), name, timezone), urls, unbilled)


def _unknown_model(prices: Fields) -> Terms | None:
    value = prices.table[UNKNOWN_MODEL]
    if value == "refuse":
        return None
    expected = '"refuse", or a price such as { input = "15", output = "75" }'
    if not isinstance(value, Mapping):
        raise ConfigError("this is no price for unknown models", key=prices.at(UNKNOWN_MODEL), expected=expected)
    fields = prices.inner(UNKNOWN_MODEL)
    fields.only((*TOKEN_KINDS, "long_context", "per_call", "web_search", "batch", "context_window"))
    terms = read_terms(fields, UNKNOWN_MODEL, "UTC")
    rates = terms.rates
    priced = rates and (rates.per_call or any(all(band.rates[k] for k in ("input", "output")) for band in rates.bands))
    if not priced:
        problem = "an unknown model must cost something: what is free is declared by name"
        raise ConfigError(problem, key=fields.key, expected=expected)
    return terms


def _versions(fields: Fields, name: str, timezone: str) -> tuple[Version, ...]:
    """The card's own terms and those of its dated changes, each on top of the ones before."""
    table = {key: value for key, value in fields.table.items() if key != "changes"}
    first = Fields(fields.key, table)
    found = [Version(0, "", read_terms(first, name, timezone))]
    changes = fields.rows("changes") if "changes" in fields else []
    for change in sorted(changes, key=_day):
        dated = _day(change)
        if dated == found[-1].dated:
            raise ConfigError("two changes begin on this day", key=change.at("from"))
        fresh = {key: value for key, value in change.table.items() if key != "from"}
        if not fresh or "changes" in fresh:
            raise ConfigError("this says nothing new", key=change.key, expected="prices beside `from`")
        table = merged(table, fresh)
        day = change.day("from")
        starts_at = instant(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)))
        found.append(Version(starts_at, dated, read_terms(Fields(change.key, table), name, timezone)))
    return tuple(found)


def _day(change: Fields) -> str:
    if "from" not in change:
        raise ConfigError("from which day on?", key=change.key, expected='from = "2026-12-01"')
    return change.day("from").isoformat()
