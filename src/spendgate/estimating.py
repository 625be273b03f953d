"""From what a caller states to what is set aside, and from what a call used to what it cost.

When in doubt, the money is spent: what a call does not state is estimated at the most it can be, what it does not
report counts as the whole hold, and a price that nobody knows is an error, never zero.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

from spendgate.call import Call
from spendgate.errors import AmountError, PriceError
from spendgate.freshness import fresh_mark
from spendgate.ledger import Actor, HoldRequest, Outcome, Pricing, Units, Weight
from spendgate.limits import MICRO
from spendgate.money import Amount, nanos, quantity, scaled
from spendgate.pricing.usage import MAX_OUTPUT_TOKENS, Usage, units_from
from spendgate.wire.exchange import Bill

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price


TIER = "tier:"
"""What the mark begins with that keeps an entry's service tier."""
UNKNOWN_CONTEXT = 200_000
"""Tokens that a limit in tokens sets aside for the input of a model that nothing is known of."""


MAX_FINGERPRINT = 32
"""Digits of a fingerprint that are kept: 128 bits."""

STATED = Pricing("stated")
"""Where a price is from that the caller stated."""


class Stated(TypedDict, total=False):
    """What a caller may state about a call before it is made.

    Attributes:
        provider: whose model it is; leave it out for other APIs.
        service: for whom; else that of `gate.scope`, `SPENDGATE_SERVICE` or the configuration.
        at_most: dollars, as text, int or Decimal; without it the price book says.
        input_tokens: the most tokens the model is sent; without it, its whole context.
        max_output_tokens: the cap on what it may write; without it, 16,384.
        calls: how many calls it is billed as.
        units: amounts of the rate card's units, such as `{"rows": 500}`.
        task: the job it belongs to.
        attempt: 1 for the first try.
        fingerprint: a digest of what is sent, in hexadecimal: of its address and its body. The same again within its
            task is a retry, and too often in a short time is a loop.
        key: the piece of work it is for.
        fresh_for: for how long its answer is good, such as `24h`: the same key paid for again before that is counted as
            a duplicate. Without a key, it is the same request (`fingerprint`).
        tags: names of your own to match and count by.
        web_searches: how many searches of the web the model may be billed for.
        batch: priced as a batch call; it may run 25 hours before it lapses.
        background: it may run 25 hours before it lapses, at the plain price.
        service_tier: the provider's name for a faster or slower service.
        wait: how many seconds to wait for room.
    """

    provider: str
    service: str
    at_most: Amount
    input_tokens: int
    max_output_tokens: int
    calls: int
    units: Mapping[str, Amount]
    task: str
    attempt: int
    fingerprint: str
    key: str
    fresh_for: str
    tags: Mapping[str, object]
    web_searches: int
    batch: bool
    background: bool
    service_tier: str
    wait: float


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller states about a call before it is made. `at_most` is in nano-dollars, spans are in microseconds.

    What is None is not stated. `calls` counts what is billed as calls: a request that looks up three things may be 3.
    """

    call: Call
    at_most: int | None = None
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    calls: int = 1
    units: tuple[tuple[str, Decimal], ...] = ()
    web_searches: int = 0
    batch: bool = False
    service_tier: str = ""
    lapse_after: int = 0
    fingerprint: str = ""
    fresh_for: int = 0


def check_stated(stated: Stated) -> None:
    """Looks at the names and kinds of what is stated.

    Raises:
        TypeError: a name is not known: a slip of the keyboard must not become a default.
        AmountError: a value is of the wrong kind.
    """
    for name, value in stated.items():
        if name not in Stated.__annotations__:
            from difflib import get_close_matches

            close = get_close_matches(name, Stated.__annotations__, n=1)
            hint = f": did you mean {close[0]!r}?" if close else f"; there are {', '.join(Stated.__annotations__)}"
            raise TypeError(f"a call states nothing named {name!r}{hint}")
        kind = _KINDS.get(name)
        if kind is not None and not isinstance(value, kind[0]):
            raise AmountError(name, value, f"it must be {kind[1]}")


_KINDS: dict[str, tuple[type, str]] = {
    "units": (Mapping, 'amounts by name, such as {"rows": 500}'),
    "tags": (Mapping, 'names with values, such as {"customer": "acme"}'),
    "batch": (bool, "True or False"),
    "background": (bool, "True or False"),
    "service_tier": (str, "text"),
    "fresh_for": (str, "a span of time as text, such as 24h"),
}


def read_ask(call: Call, stated: Stated, lapse_after: int, fresh_for: int = 0) -> Ask:
    """What a caller states, read strictly.

    Raises:
        AmountError: an amount is none.
    """
    for name in ("input_tokens", "max_output_tokens", "calls", "web_searches"):
        if name in stated:
            quantity(stated[name], name)
    return Ask(
        call=call,
        at_most=nanos(stated["at_most"], "at_most") if "at_most" in stated else None,
        input_tokens=stated.get("input_tokens"),
        max_output_tokens=stated.get("max_output_tokens"),
        calls=stated.get("calls", 1),
        units=units_from(stated.get("units", {}).items()),
        web_searches=stated.get("web_searches", 0),
        batch=bool(stated.get("batch")),
        service_tier=stated.get("service_tier", ""),
        lapse_after=lapse_after,
        fingerprint=_fingerprint(stated.get("fingerprint", "")),
        fresh_for=fresh_for,
    )


def _fingerprint(digest: object) -> str:
    """So much of a digest as tells requests apart."""
    if digest == "":
        return ""
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-fA-F]{8,256}", digest):
        raise AmountError("fingerprint", digest, "it must be a digest in 8 to 256 hexadecimal digits")
    return digest[:MAX_FINGERPRINT].lower()


def keyed(stated: Stated, key_from: Callable[..., object] | None, args: Any, kwargs: Any) -> Stated:
    """What is stated for one call of a function: its key comes from the arguments."""
    return stated if key_from is None else Stated({**stated, "key": str(key_from(*args, **kwargs))})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A call with its price, as far as there is one, and what to set aside for it. `fault` says why there is none."""

    ask: Ask
    price: "Price | None"
    weight: Weight
    tariff_units: int = 0
    fault: PriceError | None = None

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
        flags = {"batch": ask.batch, "unpriced": self.fault is not None, "subscription": _is_subscription(price)}
        flags[f"{TIER}{ask.service_tier}"] = bool(ask.service_tier)
        flags[mark] = bool(mark)
        if ask.fresh_for and (fresh := fresh_mark(ask.call, ask.fingerprint, ask.fresh_for)):
            flags[fresh] = True
        return HoldRequest(
            call=ask.call,
            weight=self.weight,
            actor=actor,
            pricing=Pricing(price.source, price.dated, price.exact) if price else Pricing(),
            tariff=price.tariff if price and self.tariff_units else None,
            tariff_units=self.tariff_units,
            lapse_after=ask.lapse_after,
            enforce=enforce,
            marks=frozenset(name for name, is_set in flags.items() if is_set),
            fingerprint=ask.fingerprint,
            tentative=tentative,
        )


def estimate(ask: Ask, book: "PriceBook", at: int, default_input: int = 0, default_output: int = 0) -> Estimate:
    """The most that a call can cost. The defaults stand in for tokens that the caller does not state, unless 0."""
    call = ask.call
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
        list_usd=price.list_cost(used, **served),  # type: ignore[arg-type]
        tariff_units=tariff_units if has_tariff else None,
        **common,  # type: ignore[arg-type]
    )


def _weigh(ask: Ask, usd: int, tokens: int) -> Weight:
    return Weight(usd, quantity(ask.calls, "calls"), tokens, _parts(ask.units))


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
    return any(rates.bands for rates in price.rates.values()) and not _may_be_free(price)


def _dump(usage: Usage | None) -> str:
    return json.dumps(usage.to_json()) if usage is not None else ""
