"""The price book: the user's rate card first, the price list of genai-prices below it.

>>> from spendgate.pricing.usage import Usage
>>> book = PriceBook()
>>> haiku = book.price("anthropic", "claude-haiku-4-5", at=1_795_000_000_000_000)
>>> haiku.cost(Usage(input_tokens=1000, output_tokens=200)), haiku.statement["input"]
(2000000, '$1.00 / 1M tokens')
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from spendgate.clock import MINUTE
from spendgate.errors import PriceError
from spendgate.pricing import snapshot
from spendgate.pricing.price import Price
from spendgate.pricing.ratecard import UNKNOWN_MODEL, RateCard
from spendgate.pricing.rates import Rates
from spendgate.pricing.snapshot import Listed
from spendgate.pricing.terms import Terms

SLOT = 15 * MINUTE
"""How long a resolved price is kept: days, and the hours of off-peak rates, begin on quarter-hours in every zone."""
MAX_CACHED = 10_000

RATE_CARD = "rate card"
PLAIN = (False, "")

Context = tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Priced:
    """A line of `spendgate prices list`: something that has a price, and where that is from."""

    name: str
    provider: str
    source: str


class PriceBook:
    """Prices by provider and resource. Each is worked out once per quarter-hour and kept.

    Safe for threads: two may work out the same price at once, and get equal ones.
    """

    def __init__(self, cards: RateCard | None = None) -> None:
        self.cards = RateCard.empty() if cards is None else cards
        self._kept: dict[tuple[str, str], tuple[int, Price | PriceError]] = {}

    def price(self, provider: str, resource: str, at: int) -> Price:
        """The price of a resource at an instant, in microseconds since the epoch.

        A model's call names its provider; another paid API is a resource alone.

        Raises:
            PriceError: neither the rate card nor the price list knows it; `nearest` has the closest known names.
        """
        key, slot = (provider, resource), at // SLOT
        kept = self._kept.get(key)
        if kept is None or kept[0] != slot:
            if len(self._kept) >= MAX_CACHED:
                self._kept.clear()
            kept = self._kept[key] = (slot, self._resolve(provider, resource, slot * SLOT))
        found = kept[1]
        if isinstance(found, PriceError):
            raise PriceError(provider=provider, model=resource, nearest=found.nearest, problem=found.problem)
        return found

    def nearest(self, name: str, provider: str = "") -> tuple[str, ...]:
        """The names on the rate card, then in the price list, that are closest to one that is not known."""
        from difflib import get_close_matches

        own = get_close_matches(name, [card.name for card in self.cards.cards.values() if not card.is_glob])
        return tuple(dict.fromkeys((*own, *snapshot.nearest(provider, name))))[:3]

    def names(self) -> Iterator[Priced]:
        """Everything that has a price: the rate card's names and globs, then the price list's models."""
        yield from (Priced(name, "", RATE_CARD) for name in self.cards.names())
        listed = snapshot.source()
        yield from (Priced(model, provider, listed) for provider, model in snapshot.names())

    def _resolve(self, provider: str, resource: str, at: int) -> Price | PriceError:
        card = self.cards.card(provider, resource)
        if card is not None:
            version = card.at(at)
            return self._from_card(provider, resource, at, version.terms, version.dated)
        listed = snapshot.find(provider, resource, at)
        if listed is not None and listed.rates:
            return _from_list(provider, resource, listed)
        free = "the price list names no price, and free is a price you declare,"
        return self._unknown(provider, resource, at, free if listed else "")

    def _from_card(self, provider: str, resource: str, at: int, terms: Terms, dated: str) -> Price | PriceError:
        """The price by a card: its own rates, or the list's with the card's changes."""
        if terms.rates is not None:
            return _own((provider, resource), terms, RATE_CARD, dated, at)
        listed = snapshot.find(provider, resource, at)
        if terms.billing == "subscription" and (listed is None or not listed.rates):
            listed = snapshot.find("", resource, at)
        if listed is not None and listed.rates:
            return _from_list(provider, resource, listed, terms, dated)
        if terms.billing == "subscription":
            return Price(provider, resource, RATE_CARD, dated, billing=terms.billing)
        return self._unknown(provider, resource, at, "the rate card changes a list price, and the price list has none")

    def _unknown(self, provider: str, resource: str, at: int, problem: str) -> Price | PriceError:
        """The declared price for models nobody knows, or the error where there is none."""
        if provider and self.cards.unknown_model is not None:
            return _own((provider, resource), self.cards.unknown_model, UNKNOWN_MODEL, "", at)
        near = self.nearest(resource, provider)
        return PriceError(provider=provider, model=resource, nearest=near, problem=problem)


def _own(name: tuple[str, str], terms: Terms, source: str, dated: str, at: int) -> Price:
    """A price whose rates are the user's own. How much a model can read is still looked up in the list."""
    provider, resource = name
    rates = {PLAIN: terms.rates or Rates()}
    window = terms.context_window
    if window is None and provider and rates[PLAIN].bands:
        listed = snapshot.find(provider, resource, at)
        window = listed.context_window if listed else None
    return Price(
        provider,
        resource,
        source,
        dated,
        exact=source == RATE_CARD,
        billing=terms.billing,
        tariff=terms.tariff,
        free=terms.free,
        context_window=window,
        rates=_served(rates, terms),
    )


def _from_list(provider: str, resource: str, listed: Listed, terms: Terms | None = None, dated: str = "") -> Price:
    """A price from the list, with the factors and the search price of a card over it."""
    source = snapshot.source()
    terms = terms or Terms()
    rates = _served(listed.rates, terms)
    return Price(
        provider,
        resource,
        source if rates == listed.rates else f"{RATE_CARD} over {source}",
        max(listed.dated, dated),
        exact=listed.exact,
        billing=terms.billing,
        context_window=terms.context_window or listed.context_window,
        rates=rates,
    )


def _served(rates: Mapping[Context, Rates], terms: Terms) -> dict[Context, Rates]:
    """Rates by way of being served, with what a card says about batches, service tiers and searches over them."""
    served = {context: known.scaled(terms.multiplier, searches=True) for context, known in rates.items()}
    if terms.search is not None:
        served = {context: replace(known, search=terms.search) for context, known in served.items()}
    plain = served[PLAIN]
    if terms.batch is not None:
        served = {context: known for context, known in served.items() if not context[0]}
        served[True, ""] = plain.scaled(terms.batch)
    for tier, factor in terms.service_tiers.items():
        served[False, tier] = plain.scaled(factor)
        if (True, "") in served:
            served[True, tier] = served[True, ""].scaled(factor)
    return served
