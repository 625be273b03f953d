"""What was estimated when an entry was held, as far as the ledger knows: for those who settle by its id."""

from decimal import Decimal
from typing import TYPE_CHECKING

from spendgate.errors import PriceError
from spendgate.estimating import TIER, Ask, Estimate
from spendgate.ledger import Entry

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook


def recalled(entry: Entry, book: "PriceBook") -> Estimate:
    """The estimate behind a held entry, with the price of that time."""
    try:
        price = book.price(entry.call.provider, entry.call.resource, entry.held_at)
    except PriceError:
        price = None
    return Estimate(_asked(entry), price, entry.reserved, entry.tariff_units)


def _asked(entry: Entry) -> Ask:
    tier = next((mark.removeprefix(TIER) for mark in entry.marks if mark.startswith(TIER)), "")
    return Ask(
        entry.call,
        entry.reserved.usd,
        calls=entry.reserved.calls,
        units=tuple((name, Decimal(parts).scaleb(-6)) for name, parts in entry.reserved.units),
        batch="batch" in entry.marks,
        service_tier=tier,
    )
