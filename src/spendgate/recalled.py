"""What was estimated when an entry was held, as far as the ledger knows: for those who settle by its id."""

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from spendgate.errors import PriceError
from spendgate.estimating import LEARNED, TIER, Estimate
from spendgate.freshness import read_mark
from spendgate.ledger import Entry, Weight
from spendgate.money import nanos
from spendgate.stating import Ask

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook


def recalled(entry: Entry, book: "PriceBook") -> Estimate:
    """The estimate behind a held entry, with the price of that time."""
    try:
        price = book.price(entry.call.provider, entry.call.resource, entry.held_at)
    except PriceError:
        price = None
    return Estimate(_asked(entry), price, entry.reserved, entry.tariff_units, full=_full(entry))


def _full(entry: Entry) -> Weight | None:
    """The most that the call could be, where less was set aside because that was learned."""
    most = next((mark.removeprefix(LEARNED) for mark in entry.marks if mark.startswith(LEARNED)), "")
    usd, _, tokens = most.partition("/")
    return replace(entry.reserved, usd=nanos(usd), tokens=int(tokens)) if most else None


def _asked(entry: Entry) -> Ask:
    fresh = read_mark(entry.marks)
    tier = next((mark.removeprefix(TIER) for mark in entry.marks if mark.startswith(TIER)), "")
    return Ask(
        entry.call,
        entry.reserved.usd,
        calls=entry.reserved.calls,
        units=tuple((name, Decimal(parts).scaleb(-6)) for name, parts in entry.reserved.units),
        batch="batch" in entry.marks,
        service_tier=tier,
        fresh_for=fresh[1] if fresh else 0,
    )
