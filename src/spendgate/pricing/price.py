"""A resolved price: what a call of one resource costs, to the nano-dollar, and where that price comes from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import ceil

from spendgate.errors import AmountError, PriceError
from spendgate.money import MAX_CALL_NANOS, dollars, quantity
from spendgate.pricing.rates import Rates
from spendgate.pricing.statement import state
from spendgate.pricing.tariff import Tariff
from spendgate.pricing.terms import Billing
from spendgate.pricing.usage import MAX_OUTPUT_TOKENS, Usage, units_from

CONTEXT_WINDOW = 200_000
LONG_CONTEXT_WINDOW = 1_000_000
"""Input of a model whose context window is not known, without and with rates for a long context."""

PLAIN_TIERS = frozenset({"auto", "default", "standard", "standard_only", "on_demand", "flex", "scale", "reserved"})
"""Service tiers that cost at most the list price."""
DEARER_TIER = Fraction(5, 2)
"""What any other service tier costs, times the list price, where nobody says: the highest factor that is listed."""


@dataclass(frozen=True)
class Price:
    """What a resource costs.

    `source` is `rate card`, `genai-prices` with its version, `rate card over` that, or `unknown_model`. `dated` is the
    ISO day from which the price is valid, or that of the list; empty where a rate card gives none. `exact` is False
    where a model was matched only by a pattern. With a `tariff`, `cost` and `at_most` leave out what it charges: the
    ledger adds that.
    """

    provider: str
    resource: str
    source: str
    dated: str = ""
    exact: bool = True
    billing: Billing = "metered"
    tariff: Tariff | None = None
    free: bool = False
    context_window: int | None = None
    rates: Mapping[tuple[bool, str], Rates] = field(default_factory=dict)

    @property
    def units(self) -> frozenset[str]:
        """The names of the units that this price knows besides calls and tokens."""
        of_tariff = {self.tariff.unit} if self.tariff and self.tariff.unit != "calls" else set()
        return frozenset(self.rates[False, ""].units if self.rates else ()) | of_tariff

    @cached_property
    def has_tokens(self) -> bool:
        """Whether tokens have a price, in any way of being served."""
        return any(rates.bands for rates in self.rates.values())

    @property
    def statement(self) -> dict[str, str]:
        """The price for a reader: each kind with what it costs, such as `input` with `$1.00 / 1M tokens`."""
        return state(self.rates, self.tariff, self.billing, self.free)

    def cost(self, usage: Usage, *, calls: int = 1, batch: bool = False, service_tier: str = "") -> int:
        """Nano-dollars of a call outside of its tariff, rounded up once; 0 where it is free or subscribed to.

        Raises:
            PriceError: the usage has units, or tokens, that the price cannot say anything about.
            AmountError: the cost is above what one call may cost, or `calls` is no count.
        """
        if self.billing == "subscription":
            return 0
        return self._sum(usage, calls, batch, service_tier)

    def list_cost(self, usage: Usage, *, calls: int = 1, batch: bool = False, service_tier: str = "") -> int | None:
        """What the call would cost at the list price; None where a subscription has none to show."""
        if not self.rates and not self.free:
            return None
        return self._sum(usage, calls, batch, service_tier)

    def at_most(
        self,
        *,
        input_tokens: int | None = None,
        max_output_tokens: int | None = None,
        calls: int = 1,
        units: Iterable[tuple[str, object]] = (),
        web_searches: int = 0,
        batch: bool = False,
        service_tier: str = "",
    ) -> int:
        """The most nano-dollars that calls with so much input and output can cost, whatever kinds of token they use.

        Without `input_tokens` each call may fill the context window, without `max_output_tokens` write 16,384 tokens.
        Every token counts at the dearest kind of its side that the price states, long context included.

        Raises:
            PriceError: the price is by units only and none are given, or a unit is not priced.
            AmountError: a number is none, or the result is above what one call may cost.
        """
        amounts = units_from(units) if units != () else ()
        quantity(calls, "calls")
        if self.billing == "subscription" or self.free:
            return 0
        rates = self._rates(batch, service_tier)
        tokens = rates.most_tokens(*self._tokens(input_tokens, max_output_tokens, calls))
        if not (amounts or web_searches or rates.per_call) and rates.bands:
            return self._believed(tokens)
        extra = Usage(web_searches=web_searches, units=amounts)
        self._check_units(extra)
        if not (amounts or rates.bands or rates.per_call) and (needed := self._units_alone(rates)):
            raise self._fault(f"the price is per {' or '.join(sorted(needed))} and how many is not stated,")
        return self._believed(tokens + rates.cost(extra, calls))

    def default_tokens(
        self, *, input_tokens: int | None = None, max_output_tokens: int | None = None, calls: int = 1
    ) -> int:
        """The tokens to set aside for calls, in and out, where they state none themselves.

        0 for what has no tokens: a resource without a provider and without a price for tokens.
        """
        stated = input_tokens is not None or max_output_tokens is not None
        if not (stated or self.provider or self.has_tokens):
            return 0
        return sum(self._tokens(input_tokens, max_output_tokens, calls))

    def _tokens(self, input_tokens: int | None, max_output_tokens: int | None, calls: int) -> tuple[int, int]:
        most_in = calls * self._window if input_tokens is None else quantity(input_tokens, "input_tokens")
        most_out = calls * MAX_OUTPUT_TOKENS
        if max_output_tokens is not None:
            most_out = quantity(max_output_tokens, "max_output_tokens")
        return most_in, most_out

    @property
    def _window(self) -> int:
        """The tokens that the model reads at most, as far as anybody knows."""
        if self.context_window is not None:
            return self.context_window
        return LONG_CONTEXT_WINDOW if any(len(r.bands) > 1 for r in self.rates.values()) else CONTEXT_WINDOW

    def _sum(self, usage: Usage, calls: int, batch: bool, service_tier: str) -> int:
        quantity(calls, "calls")
        if self.free:
            return 0
        rates = self._rates(batch, service_tier)
        self._check_units(usage)
        if usage.tokens and not rates.bands and "genai-prices" in self.source and not rates.per_call:
            raise self._fault(f"the list price is per {' or '.join(sorted(rates.units))}, not per token")
        return self._believed(rates.cost(usage, calls))

    def _rates(self, batch: bool, service_tier: str) -> Rates:
        """The rates for a way of being served; where nobody lists it, plain or, for a faster way, dearer ones."""
        if not (batch or service_tier):
            return self.rates[False, ""]
        tier = service_tier.strip().lower()
        if tier == "batch":
            batch, tier = True, ""
        for context in ((batch, tier), (False, tier)):
            if context in self.rates:
                return self.rates[context]
        plain = self.rates.get((batch, "")) or self.rates[False, ""]
        return plain if not tier or tier in PLAIN_TIERS else plain.scaled(DEARER_TIER)

    def _units_alone(self, rates: Rates) -> set[str]:
        """The units that cost something, unless calls do."""
        if self.tariff:
            return {self.tariff.unit} - {"calls"}
        return {name for name, rate in rates.units.items() if rate}

    def _check_units(self, usage: Usage) -> None:
        for name, amount in usage.units:
            if amount and name not in self.units:
                raise self._fault(f"the price has no unit {name!r} (it has {', '.join(sorted(self.units)) or 'none'})")

    def _believed(self, total: Fraction | int) -> int:
        whole = ceil(total)
        if whole > MAX_CALL_NANOS:
            limit = f"it is above the most that is believed of one call, {dollars(MAX_CALL_NANOS)}"
            raise AmountError(f"cost of {self.resource}", Decimal(whole).scaleb(-9), limit)
        return whole

    def _fault(self, problem: str) -> PriceError:
        return PriceError(provider=self.provider, model=self.resource, problem=problem)
