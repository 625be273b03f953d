"""From what a caller states to what is set aside, and from what a call used to what it cost.

When in doubt, the money is spent: what a call does not state is estimated at the most it can be, what it does not
report counts as the whole hold, and a price that nobody knows is an error, never zero.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from spendgate.errors import AmountError, PriceError
from spendgate.freshness import fresh_mark
from spendgate.ledger import Actor, HoldRequest, Outcome, Pricing, Units, Weight
from spendgate.limits import MICRO
from spendgate.money import Amount, nanos, quantity, scaled
from spendgate.money import usd as usd_of
from spendgate.pricing.usage import MAX_OUTPUT_TOKENS, Usage, units_from
from spendgate.stating import Ask
from spendgate.wire.exchange import Bill

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price


TIER = "tier:"
"""What the mark begins with that keeps an entry's service tier."""
LEARNED = "learned:"
"""What the mark begins with that keeps the most a call can be, dollars/tokens, where less is set aside for it."""
UNKNOWN_CONTEXT = 200_000
"""Tokens that a limit in tokens sets aside for the input of a model that nothing is known of."""


UNPRICED = Pricing()
STATED = Pricing("stated")
"""Where a price is from that the caller stated."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A call with its price, as far as there is one, and what to set aside for it. `fault` says why there is none.

    `full` is the most that the call can cost, where less is set aside because that was learned (`spendgate.learning`).
    """

    ask: Ask
    price: "Price | None"
    weight: Weight
    tariff_units: int = 0
    fault: PriceError | None = None
    full: Weight | None = None

    @property
    def unpriced(self) -> bool:
        """Whether dollars cannot be set aside, because neither a price nor `at_most` says how many."""
        return self.fault is not None and self.ask.at_most is None

    @property
    def remedy(self) -> str:
        """What to state so that less is set aside; empty where the caller said it all."""
        ask = self.ask
        guessed = [name for name in ("input_tokens", "max_output_tokens") if getattr(ask, name) is None]
        if ask.at_most is not None or self.price is None or not _by_tokens(self.price) or not guessed:
            return ""
        return f"The estimate is the most such a call can cost: state {' and '.join(guessed)}, or at_most, to lower it."

    def request(self, actor: Actor, enforce: bool, mark: str = "", tentative: bool = False) -> HoldRequest:
        """What the store is asked to set aside."""
        price, ask = self.price, self.ask
        marks = {mark} if mark else set()
        if ask.batch:
            marks.add("batch")
        if self.fault is not None:
            marks.add("unpriced")
        if _is_subscription(price):
            marks.add("subscription")
        if ask.service_tier:
            marks.add(f"{TIER}{ask.service_tier}")
        if self.full is not None:
            marks.add(f"{LEARNED}{usd_of(self.full.usd):f}/{self.full.tokens}")
        if ask.fresh_for and (fresh := fresh_mark(ask.call, ask.fingerprint, ask.fresh_for)):
            marks.add(fresh)
        return HoldRequest(
            call=ask.call,
            weight=self.weight,
            actor=actor,
            pricing=_pricing(price.source, price.dated, price.exact) if price else UNPRICED,
            tariff=price.tariff if price and self.tariff_units else None,
            tariff_units=self.tariff_units,
            lapse_after=ask.lapse_after,
            enforce=enforce,
            marks=frozenset(marks),
            fingerprint=ask.fingerprint,
            tentative=tentative,
        )


@lru_cache(maxsize=1024)
def _pricing(source: str, dated: str, exact: bool) -> Pricing:
    """Where a price came from: one object for each, which the ledger knows again by its identity."""
    return Pricing(source, dated, exact)


def estimate(ask: Ask, book: "PriceBook", at: int, default_input: int = 0, default_output: int = 0) -> Estimate:
    """The most that a call can cost. The defaults stand in for tokens that the caller does not state, unless 0."""
    call = ask.call
    if ask.free:
        return Estimate(ask, None, _weigh(ask, 0, (ask.input_tokens or 0) + (ask.max_output_tokens or 0)))
    most_in = ask.input_tokens if ask.input_tokens is not None else default_input or None
    most_out = ask.max_output_tokens if ask.max_output_tokens is not None else default_output or None
    try:
        price = book.price(call.provider, call.resource, at)
    except PriceError as fault:
        tokens = (most_in or UNKNOWN_CONTEXT) + (most_out or 0) if call.provider else 0
        usd = 0 if ask.at_most is None else _more_than_nothing(ask.at_most, None)
        return Estimate(ask, None, _weigh(ask, usd, tokens), fault=fault)
    if not _by_tokens(price):
        most_in, most_out = ask.input_tokens, ask.max_output_tokens
    tokens = price.default_tokens(input_tokens=most_in, max_output_tokens=most_out, calls=ask.calls)
    if ask.at_most is not None:
        _check_units(ask, price)
        return Estimate(ask, price, _weigh(ask, _more_than_nothing(ask.at_most, price), tokens))
    try:
        usd = price.at_most(
            input_tokens=most_in,
            max_output_tokens=most_out,
            calls=ask.calls,
            units=ask.units,
            web_searches=ask.web_searches,
            batch=ask.batch,
            service_tier=ask.service_tier,
        )
    except PriceError as fault:
        return Estimate(ask, None, _weigh(ask, 0, tokens), fault=fault)
    tariff_units = price.tariff.parts(Usage(units=ask.units), ask.calls) if price.tariff else 0
    return Estimate(ask, price, _weigh(ask, _more_than_nothing(usd, price), tokens), tariff_units)


def most_output(ask: Ask, book: "PriceBook", at: int, *, unit: str, left: int, default_input: int = 0) -> int:
    """The most tokens of output with which a call fits into what is left of a unit, in smallest parts; 0 for none."""

    def exceeds(tokens: int) -> bool:
        guess = estimate(replace(ask, max_output_tokens=tokens), book, at, default_input)
        return guess.weight.of(unit) > left

    most = MAX_OUTPUT_TOKENS if ask.max_output_tokens is None else ask.max_output_tokens
    return bisect_left(range(1, most + 1), True, key=exceeds)


@dataclass(frozen=True, slots=True)
class Report:
    """What a caller says a call did cost or use; what is None was not said. `cost` is in nano-dollars.

    `whole` says that all that was set aside counts; `bills` are what an answer was read to bill.
    """

    cost: int | None = None
    usage: Usage | None = None
    calls: int | None = None
    units: tuple[tuple[str, Decimal], ...] | None = None
    whole: bool = False
    bills: tuple[Bill, ...] = ()
    marks: frozenset[str] = frozenset()


def report(
    cost: Amount | None = None,
    usage: Usage | Mapping[str, object] | None = None,
    units: int | Mapping[str, Amount] | None = None,
) -> Report:
    """Reads what a caller hands to `settle`. `units` is a number of calls, or amounts by the names of the rate card.

    Raises:
        AmountError: an amount is none.
    """
    calls = quantity(units, "units") if isinstance(units, int) else None
    named = units_from(units.items()) if isinstance(units, Mapping) else None
    if units is not None and calls is None and named is None:
        raise AmountError("units", units, 'write a whole number of calls, or amounts by name such as {"rows": 500}')
    read = usage if usage is None or isinstance(usage, Usage) else Usage.from_mapping(usage)
    if read is not None and read.units and named is None:
        named = read.units
    return Report(None if cost is None else nanos(cost, "cost"), read, calls, named)


def outcome(ask: Ask, price: "Price | None", said: Report, has_tariff: bool) -> Outcome:
    """What a reservation is settled with. A stated cost is taken, unless it is 0 for tokens that are not free."""
    usage = said.usage or Usage()
    if said.whole:
        return Outcome(marks=said.marks)
    calls = ask.calls if said.calls is None else said.calls
    units = ask.units if said.units is None else said.units
    counted = said.usage is not None and (usage.tokens > 0 or price is None or not _by_tokens(price))
    common = {
        "calls": calls,
        "tokens": usage.tokens if counted else None,
        "units": _parts(units) if said.units is not None else None,
        "usage": _dump(said.usage),
    }
    nothing = 0 if ask.at_most == 0 else None  # held was a nano-dollar then, so that it asks the limits
    whole = Outcome(usd=nothing, **common)  # type: ignore[arg-type]
    unbelieved = said.cost == 0 and usage.tokens > 0 and not _may_be_free(price)
    if said.cost is not None and not unbelieved:
        return Outcome(usd=said.cost, list_usd=said.cost, pricing=STATED, **common)  # type: ignore[arg-type]
    if price is None:
        return whole
    if _by_tokens(price) and not usage.tokens and not usage.web_searches:
        return whole  # nothing reported is not nothing used
    used = replace(usage, units=units)
    served = {"calls": calls, "batch": ask.batch, "service_tier": ask.service_tier}
    usd = price.cost(used, **served)  # type: ignore[arg-type]
    tariff_units = price.tariff.parts(used, calls) if price.tariff else 0
    if price.tariff is not None and not has_tariff and tariff_units:
        return whole  # it was held at a stated `at_most`, outside the month's count: only that is known
    return Outcome(
        usd=usd,
        list_usd=price.list_cost(used, **served) if _is_subscription(price) else usd,  # type: ignore[arg-type]
        tariff_units=tariff_units if has_tariff else None,
        **common,  # type: ignore[arg-type]
    )


def _weigh(ask: Ask, usd: int, tokens: int) -> Weight:
    return Weight(usd, ask.calls, tokens, _parts(ask.units) if ask.units else ())


def _parts(units: Iterable[tuple[str, Decimal]]) -> Units:
    return tuple((name, scaled(amount, MICRO, name)) for name, amount in units)


def _more_than_nothing(usd: int, price: "Price | None") -> int:
    """What is set aside where nothing is expected: a nano-dollar, unless a price says that it is free.

    A call whose estimate were 0 would pass every limit in dollars, however large its bill.
    """
    free = price is not None and (_may_be_free(price) or price.tariff is not None)
    return usd if usd or free else 1


def _check_units(ask: Ask, price: "Price") -> None:
    for name, amount in ask.units:
        if amount and name not in price.units:
            known = ", ".join(sorted(price.units)) or "none"
            problem = f"the price has no unit {name!r} (it has {known})"
            raise PriceError(provider=ask.call.provider, model=ask.call.resource, problem=problem)


def _is_subscription(price: "Price | None") -> bool:
    return price is not None and price.billing == "subscription"


def _may_be_free(price: "Price | None") -> bool:
    return price is not None and (price.free or price.billing == "subscription")


def _by_tokens(price: "Price") -> bool:
    """Whether the price counts tokens, so that a call which reports none is not understood."""
    return price.has_tokens and not _may_be_free(price)


def _dump(usage: Usage | None) -> str:
    return json.dumps(usage.to_json()) if usage is not None else ""
