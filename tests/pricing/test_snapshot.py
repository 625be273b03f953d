"""The price list of genai-prices: taken over exactly, corrected upwards where it would count too little."""

import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider, TieredPrices
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spendgate.clock import instant, moment
from spendgate.errors import PriceError
from spendgate.money import NANOS_PER_USD
from spendgate.pricing import snapshot
from spendgate.pricing.book import PriceBook
from spendgate.pricing.usage import Usage
from tests.pricing.test_usage import usages

NOW = instant(datetime(2026, 11, 22, 12, tzinfo=UTC))
BOOK = PriceBook()
MODELS = [(provider, model) for provider in providers for model in provider.models if model.is_match(model.id)]
UNTOLD = re.compile(r"image|video|citation")


def theirs(usage: Usage) -> genai_prices.Usage:
    """Our usage in their words: their cache writes include the one-hour ones."""
    counts = {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "cache_audio_read_tokens": usage.cache_audio_read_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "web_searches": usage.web_searches,
    }
    return genai_prices.Usage(**counts)


def listed_nanos(provider: Provider, model: ModelInfo, usage: Usage, context: Mapping[str, str]) -> int:
    """What genai-prices says the usage costs, rounded up."""
    found = provider.find_model(model.id, all_providers=providers)
    assert found is not None
    said = found.calc_price(
        theirs(usage), provider, genai_request_timestamp=moment(NOW), price_context=context
    ).total_price
    return ceil(Fraction(said) * NANOS_PER_USD)


def needs_correction(price: Mapping[str, Any], usage: Usage) -> bool:
    """Whether docs/decisions/0002-prices.md says that we count more than the list for this usage."""

    def states(key: str) -> bool:
        value = price.get(key)
        return value is not None and (value.base if isinstance(value, TieredPrices) else value) > 0

    flat = any(isinstance(value, Decimal) for key, value in price.items() if key.startswith("cache"))
    overlap = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    return (
        any(UNTOLD.search(key) for key in price)
        or not (states("input_mtok") and states("output_mtok"))
        or (usage.cache_write_tokens > 0 and not states("cache_write_mtok"))
        or (usage.cache_write_1h_tokens > 0 and not states("cache_write_1h_mtok"))
        or (usage.cache_write_tokens > 0 and below_input(price))
        or (usage.input_audio_tokens > 0 and not states("input_audio_mtok"))
        or (usage.cache_audio_read_tokens > 0 and not states("cache_audio_read_mtok"))
        or (usage.output_audio_tokens > 0 and not states("output_audio_mtok"))
        or (usage.web_searches > 0 and not states("web_searches_kcount"))
        or (flat and isinstance(price.get("input_mtok"), TieredPrices))
        or overlap + usage.input_audio_tokens - usage.cache_audio_read_tokens > usage.input_tokens
        or usage.reasoning_tokens + usage.output_audio_tokens > usage.output_tokens
    )


def below_input(price: Mapping[str, Any]) -> bool:
    """Whether a cache write is listed below plain input."""
    written, text = price["cache_write_mtok"], price["input_mtok"]
    bases = [value.base if isinstance(value, TieredPrices) else value for value in (written, text)]
    return bool(bases[0] < bases[1])


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(MODELS), usages(), st.booleans(), st.booleans())
def test_costs_are_those_of_the_list(
    listed: tuple[Provider, ModelInfo], usage: Usage, batch: bool, text_only: bool
) -> None:
    """The cost is what genai-prices says, rounded up; where a correction applies, never less."""
    provider, model = listed
    usage = Usage(**{name: count for name, count in usage.to_json().items() if name not in ("rows", "gb")})
    if text_only:
        counts = {name: getattr(usage, name) for name in ("input_tokens", "cache_read_tokens", "output_tokens")}
        usage = Usage(**counts, reasoning_tokens=usage.reasoning_tokens)
    try:
        cost = BOOK.price(provider.id, model.id, NOW).cost(usage, batch=batch)
    except PriceError:
        assume(False)
    context = {"processing": "batch"} if batch else {}
    found = provider.find_model(model.id, all_providers=providers)
    assert found is not None
    price = {key: value for key, value in found.get_prices(moment(NOW)).__dict__.items() if value is not None}
    try:
        said = listed_nanos(provider, model, usage, context)
    except ValueError:
        assert needs_correction(price, usage)
        return
    assert cost == said or (cost > said and needs_correction(price, usage))


def test_every_model_of_the_list_has_a_price_or_says_why_not() -> None:
    """Each listed model costs something, or is refused because the list names no price for tokens."""
    unpriced = set()
    for provider, model in MODELS:
        try:
            price = BOOK.price(provider.id, model.id, NOW)
            cost = price.cost(Usage(input_tokens=1000, output_tokens=1000))
        except PriceError as error:
            unpriced.add(error.problem.split(",")[0].split(" per ")[0])
        else:
            assert cost > 0, model.id
    assert unpriced == {"the price list names no price", "the list price is"}


HAIKU, OPUS = ("anthropic", "claude-haiku-4-5"), ("anthropic", "claude-opus-4-6")


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        (HAIKU, Usage(input_tokens=1_000_000), "1"),
        (HAIKU, Usage(output_tokens=1_000_000), "5"),
        (HAIKU, Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000), "0.1"),
        (HAIKU, Usage(input_tokens=1_000_000, cache_write_tokens=1_000_000), "1.25"),
        (HAIKU, Usage(input_tokens=1_000_000, cache_write_1h_tokens=1_000_000), "2"),
        (HAIKU, Usage(output_tokens=1_000_000, reasoning_tokens=1_000_000), "5"),
        (HAIKU, Usage(web_searches=1000), "10"),
        (OPUS, Usage(input_tokens=1_000_000), "5"),
        (OPUS, Usage(output_tokens=1_000_000), "25"),
        (OPUS, Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000), "0.5"),
        (OPUS, Usage(input_tokens=1_000_000, cache_write_tokens=1_000_000), "6.25"),
        (OPUS, Usage(input_tokens=1_000_000, cache_write_1h_tokens=1_000_000), "10"),
        (("openai", "gpt-4o"), Usage(input_tokens=1_000_000, cache_read_tokens=400_000), "2"),
        (("openai", "gpt-realtime"), Usage(input_tokens=10**6, input_audio_tokens=10**6), "32"),
        (("openai", "gpt-realtime"), Usage(output_tokens=10**6, output_audio_tokens=10**6), "64"),
        (("google", "gemini-2.5-pro"), Usage(input_tokens=200_000), "0.25"),
        (("google", "gemini-2.5-pro"), Usage(input_tokens=200_001), "0.5000025"),
        (("google", "gemini-2.5-pro"), Usage(input_tokens=200_001, output_tokens=1_000_000), "15.5000025"),
    ],
)
def test_published_prices(model: tuple[str, str], usage: Usage, usd: str) -> None:
    """Calls cost what the providers publish, in dollars; above its edge a long context moves every token."""
    assert BOOK.price(*model, NOW).cost(usage) == int(Decimal(usd) * NANOS_PER_USD)


@pytest.mark.parametrize(
    ("usage", "usd", "why"),
    [
        (Usage(input_tokens=10**6, cache_write_tokens=10**6), "3.125", "five-minute writes at 1.25 x input"),
        (Usage(input_tokens=10**6, cache_write_1h_tokens=10**6), "5", "one-hour writes at 2 x input"),
        (Usage(output_tokens=10**6, reasoning_tokens=10**6), "10", "reasoning as output"),
        (Usage(input_tokens=10**6, input_audio_tokens=10**6), "2.5", "audio at the dearest input"),
        (Usage(output_tokens=10**6, output_audio_tokens=10**6), "10", "audio at the dearest output"),
    ],
)
def test_kinds_that_the_list_leaves_out_still_cost(usage: Usage, usd: str, why: str) -> None:
    """A kind of token without a rate of its own is charged on the safe side, not dropped."""
    assert BOOK.price("openai", "gpt-4o", NOW).cost(usage) == int(Decimal(usd) * NANOS_PER_USD), why


def test_output_of_a_model_that_lists_none_is_charged() -> None:
    """The list drops the output tokens of an embedding model; here they cost what its input costs."""
    price = BOOK.price("openai", "text-embedding-3-small", NOW)
    assert price.cost(Usage(output_tokens=1000)) == price.cost(Usage(input_tokens=1000)) > 0


def test_searches_without_a_price_are_charged() -> None:
    """Web searches of a model whose list has no price for them cost 35 dollars per thousand."""
    assert "web_search" not in BOOK.price("deepseek", "deepseek-chat", NOW).statement
    assert BOOK.price("deepseek", "deepseek-chat", NOW).cost(Usage(web_searches=1000)) == 35 * NANOS_PER_USD


def test_image_models_charge_the_dearest_kind() -> None:
    """Tokens of pictures are not told apart from text, so where they are dearer every token counts as one."""
    assert BOOK.price("openai", "gpt-image-1.5", NOW).cost(Usage(output_tokens=10**6)) == 32 * NANOS_PER_USD


DRAW = [
    (provider, model)
    for provider, model in MODELS
    if any(getattr(model.get_prices(moment(NOW)), f"{side}_image_mtok", None) for side in ("input", "output"))
]


@pytest.mark.parametrize(("provider", "model"), DRAW, ids=lambda one: one.id)
def test_what_is_known_to_be_text_costs_what_text_costs(provider: Provider, model: ModelInfo) -> None:
    """A model whose list tells pictures apart is billed as the list says, where its answer tells them apart too."""
    price, listed = BOOK.price(provider.id, model.id, NOW), model.get_prices(moment(NOW))
    assert {"input_image_mtok", "output_image_mtok"} & {name for name, rate in vars(listed).items() if rate}
    for usage, rate, untold in (
        (Usage(input_tokens=10**6, input_text_tokens=10**6), listed.input_mtok, Usage(input_tokens=10**6)),
        (Usage(output_tokens=10**6, output_text_tokens=10**6), listed.output_mtok, Usage(output_tokens=10**6)),
        (Usage(output_tokens=10**6, reasoning_tokens=10**6), listed.output_mtok, Usage(output_tokens=10**6)),
    ):
        if isinstance(rate, Decimal):
            assert price.cost(usage) == rate * NANOS_PER_USD
            assert price.cost(untold) >= price.cost(usage)


def test_cached_tokens_are_taken_to_be_text() -> None:
    """Text that was read from a cache is paid for as that, and not a second time as text."""
    price = BOOK.price("openai", "gpt-image-2", NOW)
    usage = Usage(input_tokens=1_000, cache_read_tokens=400, input_text_tokens=700)
    text = Usage(input_tokens=300, input_text_tokens=300)
    cached = Usage(input_tokens=400, cache_read_tokens=400)
    assert price.cost(usage) == price.cost(text) + price.cost(cached) + price.cost(Usage(input_tokens=300))


def test_cache_rates_rise_with_the_long_context() -> None:
    """Where the list gives input a long-context rate and cache writes none, the writes rise as much as input does."""
    price = BOOK.price("quicksilverpro", "gpt-6-sol", NOW)
    assert price.cost(Usage(input_tokens=200_000, cache_write_tokens=200_000)) == 200_000 * 2_500
    assert price.cost(Usage(input_tokens=300_000, cache_write_tokens=300_000)) == 300_000 * 5_000


@pytest.mark.parametrize(
    ("provider", "model", "batch", "tier", "factor"),
    [
        ("anthropic", "claude-haiku-4-5", True, "", "0.5"),
        ("anthropic", "claude-haiku-4-5", False, "batch", "0.5"),
        ("anthropic", "claude-haiku-4-5", False, "standard", "1"),
        ("anthropic", "claude-haiku-4-5", False, "auto", "1"),
        ("anthropic", "claude-haiku-4-5", False, "priority", "2.5"),
        ("anthropic", "claude-haiku-4-5", False, "never heard of", "2.5"),
        ("anthropic", "claude-opus-4-8", False, "fast", "2"),
        ("openai", "gpt-4o", False, "priority", "1.7"),
        ("openai", "gpt-4o", False, "Default", "1"),
        ("openai", "gpt-5.2", False, "flex", "0.5"),
        ("openai", "gpt-4o", False, "flex", "1"),
        ("deepseek", "deepseek-chat", True, "", "1"),
    ],
)
def test_ways_of_being_served(provider: str, model: str, batch: bool, tier: str, factor: str) -> None:
    """Batches and service tiers cost what the list says; unlisted discounts are not given, dearer ways are feared."""
    price, usage = BOOK.price(provider, model, NOW), Usage(input_tokens=10_000)
    plain = price.cost(usage)
    assert price.cost(usage, batch=batch, service_tier=tier) == plain * Decimal(factor)


def test_service_tiers_of_the_past_are_not_given_away() -> None:
    """Before the list knows a tier's price, that tier is dearer than the plain one."""
    then = instant(datetime(2026, 1, 1, tzinfo=UTC))
    price, usage = BOOK.price("openai", "gpt-4o", then), Usage(input_tokens=10_000)
    assert price.cost(usage, service_tier="priority") == price.cost(usage) * Decimal("2.5")


def test_prices_are_those_of_the_day() -> None:
    """A dated price holds from its day on, and says which day that is."""
    before, after = (BOOK.price(*OPUS, instant(datetime(2026, 3, day, tzinfo=UTC))) for day in (12, 13))
    assert after.dated == "2026-03-13" > before.dated
    long = Usage(input_tokens=300_000)
    assert before.cost(long) > after.cost(long) == 300_000 * 5_000


def test_prices_are_those_of_the_hour() -> None:
    """Off-peak rates hold in their hours, to the minute the list says."""

    def at(hour: int, minute: int) -> int:
        price = BOOK.price("deepseek", "deepseek-chat", instant(datetime(2025, 6, 1, hour, minute, tzinfo=UTC)))
        return price.cost(Usage(input_tokens=1_000_000, output_tokens=1_000_000))

    assert at(16, 29) == at(0, 30) > at(16, 30) == at(0, 29)


@pytest.mark.parametrize(
    ("provider", "model", "exact"),
    [
        ("anthropic", "claude-haiku-4-5", True),
        ("anthropic", "Claude-Haiku-4-5", True),
        ("anthropic", "claude-haiku-4-5-20251001", True),
        ("google", "claude-haiku-4-5@20251001", True),
        ("aws", "us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("openai", "gpt-4o-2024-08-06", True),
        ("litellm", "anthropic/claude-haiku-4-5", True),
        ("", "claude-haiku-4-5", True),
        ("anthropic", "claude-haiku-4-5-turbo", False),
        ("azure", "gpt-4o", False),
    ],
)
def test_pattern_matches_are_marked(provider: str, model: str, exact: bool) -> None:
    """A name that the list does not spell out, or only another provider's list does, is priced and marked."""
    price = BOOK.price(provider, model, NOW)
    assert (price.exact, price.source) == (exact, "genai-prices 0.2.3")


@pytest.mark.parametrize(
    "resource", ["claude-haiku-4-5-turbo", "claude.summarize", "gpt-enrich", "clearbit.enrich", ""]
)
def test_other_resources_are_no_models(resource: str) -> None:
    """A resource without a provider is a model only by its exact name: other paid APIs may resemble a pattern."""
    with pytest.raises(PriceError):
        BOOK.price("", resource, NOW)


def test_seconds_of_audio_are_units() -> None:
    """What the list prices per second, page or character is a unit; tokens are refused there, never booked as 0."""
    whisper = BOOK.price("openai", "whisper-1", NOW)
    assert whisper.units == {"audio_seconds", "input_audio_seconds"}
    assert whisper.cost(Usage(units=(("audio_seconds", Decimal(90)),))) == 9_000_000
    with pytest.raises(PriceError, match="not per token"):
        whisper.cost(Usage(input_tokens=1))
    with pytest.raises(PriceError, match="how many is not stated"):
        whisper.at_most()


def test_groq_bills_ten_seconds_at_least() -> None:
    """Where a provider bills a least amount of a unit, that much is charged."""
    price = BOOK.price("groq", "whisper-large-v3", NOW)
    cost = [price.cost(Usage(units=(("audio_seconds", Decimal(seconds)),))) for seconds in (0, 1, 10, 20)]
    assert cost[0] == 0 < cost[1] == cost[2] < cost[3]


def test_free_models_of_the_list_are_refused() -> None:
    """A model that the list gives no price is not free until somebody says so."""
    with pytest.raises(PriceError, match="free is a price you declare"):
        BOOK.price("openrouter", "deepseek/deepseek-r1:free", NOW)


def test_snapshot_says_its_version_and_how_far_it_reaches() -> None:
    """The list names its version, and the newest change in it that was in force at the time."""
    assert snapshot.source() == "genai-prices 0.2.3"
    assert snapshot.dated(NOW) == "2026-11-09"
    assert snapshot.dated(instant(datetime(2025, 1, 1, tzinfo=UTC))) == ""


def test_the_list_comes_in_when_it_is_asked() -> None:
    """Importing the price book, and pricing from the rate card, leaves genai-prices out."""
    program = """
import sys
from spendgate.pricing.book import PriceBook
from spendgate.pricing.ratecard import read_prices
from spendgate.pricing.usage import Usage
book = PriceBook(read_prices({"clearbit.enrich": {"per_call": "0.004"}, "ollama:*": {"free": True}}, "UTC"))
assert book.price("", "clearbit.enrich", 0).cost(Usage()) == 4_000_000
assert book.price("ollama", "llama3", 0).at_most() == 0
assert "genai_prices" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
