"""What each kind of usage costs, and the exact sum over a call.

Rates are fractions of a nano-dollar per token, call or unit, so nothing is rounded before the end. Kinds that a price
list does not state are filled in on the safe side (docs/prices.md says how): nothing that was used costs nothing
because nobody wrote a price beside it.

>>> haiku = Rates.per_million({"input": Decimal(1), "output": Decimal(5), "cache_read": Decimal("0.1")})
>>> int(haiku.cost(Usage(input_tokens=1000, cache_read_tokens=800, output_tokens=100)))
780000
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import lcm

from spendgate.money import NANOS_PER_USD
from spendgate.pricing.usage import Usage

MILLION = 1_000_000

INPUT_KINDS = ("input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "cache_audio_read", "input_text")
OUTPUT_KINDS = ("output", "reasoning", "output_audio", "output_text")
TOKEN_KINDS = INPUT_KINDS + OUTPUT_KINDS

WRITE_5M = Fraction(5, 4)
WRITE_1H = Fraction(2)
"""What a cache write costs, in input tokens, where the price list does not say."""

SEARCH_NANOS = Fraction(35 * NANOS_PER_USD, 1000)
"""A web search whose price is not stated: the dearest that any provider lists, 35 dollars per thousand."""


@dataclass(frozen=True, slots=True)
class Band:
    """Token rates, in nano-dollars, for calls of more than `above` input tokens.

    `stated` is what the price list says; `rates` has every kind, `parts` the same in whole `per`-ths, `most` the
    dearest of each side in whole `most_per`-ths.
    """

    above: int
    stated: Mapping[str, Fraction]
    rates: Mapping[str, Fraction] = field(init=False, compare=False)
    per: int = field(init=False, compare=False)
    parts: tuple[tuple[str, int], ...] = field(init=False, compare=False)
    most: tuple[int, int] = field(init=False, compare=False)
    most_per: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        rates = _filled(self.stated)
        per = lcm(*(rate.denominator for rate in rates.values()))
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "per", per)
        object.__setattr__(self, "parts", tuple((kind, int(rates[kind] * per)) for kind in TOKEN_KINDS))
        dearest = (self.dearest(INPUT_KINDS), self.dearest(OUTPUT_KINDS))
        most_per = lcm(*(rate.denominator for rate in dearest))
        object.__setattr__(self, "most", tuple(int(rate * most_per) for rate in dearest))
        object.__setattr__(self, "most_per", most_per)

    def cost(self, usage: Usage) -> Fraction:
        """Nano-dollars of the tokens."""
        counts = leaves(usage)
        return Fraction(sum(counts[kind] * part for kind, part in self.parts), self.per)

    def at_most(self, input_tokens: int, output_tokens: int) -> Fraction | int:
        """The most nano-dollars that so many tokens can cost in this band."""
        most_in, most_out = self.most
        parts = most_in * input_tokens + most_out * output_tokens
        return parts if self.most_per == 1 else Fraction(parts, self.most_per)

    def dearest(self, kinds: tuple[str, ...]) -> Fraction:
        """The highest rate among kinds that the price list states, the two filled-in totals, and one-hour writes."""
        known = {kind for kind in kinds if kind in self.stated or kind in ("input", "output")}
        if "cache_write" in known:
            known.add("cache_write_1h")
        return max(self.rates[kind] for kind in known)

    def scaled(self, factor: Fraction) -> "Band":
        return Band(self.above, {kind: rate * factor for kind, rate in self.stated.items()})


@dataclass(frozen=True, slots=True)
class Rates:
    """Everything that a price charges for: tokens in bands of input length, calls, units, web searches.

    All in nano-dollars; `least` is how much of a unit is billed at least once any of it was used.
    """

    bands: tuple[Band, ...] = ()
    per_call: Fraction = Fraction(0)
    units: Mapping[str, Fraction] = field(default_factory=dict)
    least: Mapping[str, Fraction] = field(default_factory=dict)
    search: Fraction | None = None

    @classmethod
    def per_million(
        cls, usd: Mapping[str, Decimal], above: Mapping[int, Mapping[str, Decimal]] | None = None
    ) -> "Rates":
        """Rates of tokens stated in dollars per million, and those of longer calls by the length they begin above."""
        steps = {-1: usd, **(above or {})}
        return cls(tuple(Band(start, {k: per_token(v) for k, v in steps[start].items()}) for start in sorted(steps)))

    def cost(self, usage: Usage, calls: int = 1) -> Fraction:
        """Nano-dollars, not rounded. Units that have no rate are left out: check them first.

        A call above a band's start pays that band's rates for every token, not only for those beyond it.
        """
        total = self.per_call * calls if self.per_call else Fraction(0)
        if self.bands and usage.tokens:
            total += self.band(usage.input_tokens).cost(usage)
        if usage.web_searches:
            total += usage.web_searches * (SEARCH_NANOS if self.search is None else self.search)
        for name, amount in usage.units:
            if amount and name in self.units:
                total += max(Fraction(amount), self.least.get(name, Fraction(0))) * self.units[name]
        return total

    def band(self, input_tokens: int) -> Band:
        """The band that a call with so many input tokens falls into."""
        return next(band for band in reversed(self.bands) if input_tokens > band.above)

    def most_tokens(self, input_tokens: int, output_tokens: int) -> Fraction | int:
        """The most nano-dollars that so many tokens can cost, whatever kinds they turn out to be."""
        most = [band.at_most(input_tokens, output_tokens) for band in self.bands if input_tokens > band.above]
        return max(most, default=0)

    def scaled(self, factor: Fraction, searches: bool = False) -> "Rates":
        """The same with every rate times a factor; web searches only where asked, no list discounts them."""
        return replace(
            self,
            bands=tuple(band.scaled(factor) for band in self.bands),
            per_call=self.per_call * factor,
            units={name: rate * factor for name, rate in self.units.items()},
            search=self.search * factor if searches and self.search is not None else self.search,
        )


def leaves(usage: Usage) -> dict[str, int]:
    """Tokens by kind, each token in one kind only.

    Where more audio and cached tokens are stated than there are input tokens, some are both, and count as audio; so
    do reasoning and audio in the output. What was cached is taken to be of the text that is known.

    >>> leaves(Usage(input_tokens=10, cache_read_tokens=8, input_audio_tokens=5))["cache_read"]
    5
    """
    both, speech = usage.cache_audio_read_tokens, usage.output_audio_tokens
    counts = {
        "cache_read": usage.cache_read_tokens - both,
        "cache_write": usage.cache_write_tokens,
        "cache_write_1h": usage.cache_write_1h_tokens,
    }
    text = usage.input_tokens - usage.input_audio_tokens - sum(counts.values())
    for kind, count in counts.items():
        if text < 0:
            counts[kind] = max(0, count + text)
            text += count - counts[kind]
    reasoning = min(usage.reasoning_tokens, usage.output_tokens - speech)
    known = min(text, max(0, usage.input_text_tokens - sum(counts.values())))
    counts["input"] = text - known
    counts["input_text"] = known
    counts["input_audio"] = usage.input_audio_tokens - both
    counts["cache_audio_read"] = both
    shown = usage.output_tokens - speech - reasoning
    counts["output_text"] = min(usage.output_text_tokens, shown)
    counts["output"] = shown - counts["output_text"]
    counts["reasoning"] = reasoning
    counts["output_audio"] = speech
    return counts


def per_token(usd_per_million: Decimal) -> Fraction:
    """Nano-dollars per token from dollars per million tokens.

    >>> per_token(Decimal("0.1"))
    Fraction(100, 1)
    """
    return Fraction(usd_per_million) * NANOS_PER_USD / MILLION


def _filled(stated: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """A rate for every kind of token, from those that are stated."""
    dearest = max(stated.values())
    text = stated.get("input", dearest)
    inputs = [text, *(stated[kind] for kind in INPUT_KINDS if kind in stated)]
    written = stated.get("output", dearest)
    outputs = [written, *(stated[kind] for kind in OUTPUT_KINDS if kind in stated)]
    rates = {
        "input": text,
        "cache_read": text,
        "cache_write": text * WRITE_5M,
        "input_audio": max(inputs),
        "input_text": text,
        "output": written,
        "output_text": written,
        "reasoning": stated.get("output_text", written),
        "output_audio": max(outputs),
        **stated,
    }
    rates.setdefault("cache_write_1h", max(text * WRITE_1H, rates["cache_write"]))
    rates.setdefault("cache_audio_read", rates["input_audio"])
    return rates
