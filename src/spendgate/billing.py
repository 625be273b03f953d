"""From what an answer bills to what its reservation is settled with: several models, stated costs, later words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spendgate.errors import PriceError
from spendgate.estimating import Estimate, Report, outcome
from spendgate.ledger import Outcome, Pricing
from spendgate.pricing.ratecard import undated
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Bill

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price


def settlement(guess: Estimate, said: Report, book: "PriceBook", at: int) -> Outcome:
    """What a reservation is settled with, once its answer was read. A bill that has no price counts as the whole hold.

    Raises:
        AmountError: together the bills come to more than one call can use.
    """
    bills = said.bills
    prices = [_price(guess, bill, book, at) for bill in bills]
    parts = [_part(guess, bill, price, index) for index, (bill, price) in enumerate(zip(bills, prices, strict=True))]
    usage = sum((bill.usage for bill in bills), Usage())
    whole = any(part.usd is None for part in parts)
    if len(parts) == 1:
        usd, list_usd = parts[0].usd, parts[0].list_usd
    else:
        usd = None if whole else sum(part.usd or 0 for part in parts)
        list_usd = None if whole else sum(part.list_usd or 0 for part in parts)
    return Outcome(
        usd=usd,
        calls=guess.ask.calls,
        tokens=usage.tokens,
        tariff_units=parts[0].tariff_units if parts else None,
        list_usd=list_usd,
        usage=json.dumps(usage.to_json()),
        pricing=_source(guess, parts, prices),
        marks=said.marks,
    )


def _part(guess: Estimate, bill: Bill, price: "Price | None", index: int) -> Outcome:
    """One bill's share; what is charged per call is charged once."""
    served = replace(
        guess.ask,
        calls=guess.ask.calls if index == 0 else 0,
        batch=guess.ask.batch or bill.batch,
        service_tier=bill.service_tier or guess.ask.service_tier,
    )
    try:
        return outcome(served, price, Report(bill.cost, bill.usage), guess.tariff_units > 0 and index == 0)
    except PriceError:
        return Outcome()


def _price(guess: Estimate, bill: Bill, book: "PriceBook", at: int) -> "Price | None":
    """The price of what is billed: your own for the model that was asked for, else that of the model that answered."""
    asked = guess.ask.call
    own = guess.price is not None and guess.price.source.startswith("rate card")
    if not bill.model or (own and undated(bill.model) == undated(asked.resource)):
        return guess.price
    try:
        return book.price(bill.provider or asked.provider, bill.model, at)
    except PriceError:
        return guess.price


def _source(guess: Estimate, parts: Sequence[Outcome], prices: Sequence["Price | None"]) -> Pricing | None:
    """Where the amount is from, if not from the price that was held."""
    if any(part.pricing for part in parts):
        return next(part.pricing for part in parts if part.pricing)
    other = next((price for price in prices if price is not None and price is not guess.price), None)
    return Pricing(other.source, other.dated, other.exact) if other else None
