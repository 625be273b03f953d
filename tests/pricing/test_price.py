"""A resolved price: the most a call can cost, what it did cost, and how a reader is told."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgate.clock import MINUTE, instant
from spendgate.errors import AmountError, PriceError
from spendgate.pricing.book import MAX_CACHED, PriceBook
from spendgate.pricing.ratecard import read_prices
from spendgate.pricing.rates import leaves
from spendgate.pricing.usage import Usage
from tests.pricing.test_snapshot import MODELS
from tests.pricing.test_usage import usages

NOW = instant(datetime(2026, 11, 22, 12, tzinfo=UTC))
BOOK = PriceBook()
HAIKU = BOOK.price("anthropic", "claude-haiku-4-5", NOW)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), usages(), st.booleans(), st.sampled_from(["", "priority", "flex"]))
def test_estimates_hold(listed: tuple[Any, Any], usage: Usage, batch: bool, tier: str) -> None:
    """No usage within the stated tokens, of kinds that the price states, costs more than `at_most` said."""
    try:
        price = BOOK.price(listed[0].id, listed[1].id, NOW)
    except PriceError:
        return
    bands = price.rates[False, ""].bands
    if not bands or any(count and kind not in bands[0].stated for kind, count in leaves(usage).items()):
        return
    plain = Usage.from_json({name: count for name, count in usage.to_json().items() if name not in ("rows", "gb")})
    most = price.at_most(
        input_tokens=usage.input_tokens,
        max_output_tokens=usage.output_tokens,
        web_searches=usage.web_searches,
        batch=batch,
        service_tier=tier,
    )
    assert price.cost(plain, batch=batch, service_tier=tier) <= most


@pytest.mark.parametrize(
    ("asked", "nanos"),
    [
        ({"input_tokens": 1000, "max_output_tokens": 100}, 1000 * 2_000 + 100 * 5_000),
        ({"input_tokens": 1000}, 1000 * 2_000 + 16_384 * 5_000),
        ({"max_output_tokens": 0}, 200_000 * 2_000),
        ({}, 200_000 * 2_000 + 16_384 * 5_000),
        ({"calls": 2}, 2 * (200_000 * 2_000 + 16_384 * 5_000)),
        ({"batch": True}, 200_000 * 1_000 + 16_384 * 2_500),
        ({"input_tokens": 0, "max_output_tokens": 0, "web_searches": 3}, 30_000_000),
    ],
)
def test_the_most_a_call_can_cost(asked: dict[str, Any], nanos: int) -> None:
    """Input is taken for one-hour cache writes, up to the context window; output up to 16,384 tokens."""
    assert HAIKU.at_most(**asked) == nanos


def test_long_context_is_expected_where_it_can_be_reached() -> None:
    """Input that can pass the edge is estimated at the dearer rate, input that cannot is not."""
    haiku = BOOK.price("anthropic", "claude-haiku-5-5", NOW)
    assert haiku.at_most(input_tokens=100_000, max_output_tokens=0) == 100_000 * 200
    assert haiku.at_most(input_tokens=100_001, max_output_tokens=0) == 100_001 * 1_000
    assert haiku.at_most(max_output_tokens=0) == 1_000_000 * 1_000


def test_context_windows_that_nobody_knows() -> None:
    """An unknown context is taken as 200,000 tokens, with a long-context rate as a million, unless the card says."""
    long = {"input": "1", "output": "5", "long_context": {"above": 200_000, "input": "2", "output": "7.5"}}
    cards = {"a": {"input": "1", "output": "5"}, "b": long, "c": {"input": "1", "output": "5", "context_window": 8000}}
    book = PriceBook(read_prices(cards, "UTC"))
    most = [book.price("", name, NOW).at_most(max_output_tokens=0) for name in "abc"]
    assert most == [200_000 * 1_000, 1_000_000 * 2_000, 8000 * 1_000]


def test_own_prices_keep_the_models_context() -> None:
    """A card with token prices for a known model still estimates with that model's context window."""
    book = PriceBook(read_prices({"claude-opus-4-6": {"input": "5", "output": "25"}}, "UTC"))
    assert book.price("anthropic", "claude-opus-4-6", NOW).at_most(max_output_tokens=0) == 1_000_000 * 5_000


def test_tokens_to_set_aside() -> None:
    """A limit in tokens sets aside what is stated, or else the context window and 16,384 tokens of output."""
    assert HAIKU.default_tokens() == 216_384
    assert HAIKU.default_tokens(input_tokens=10, max_output_tokens=5) == 15
    assert HAIKU.default_tokens(calls=2, max_output_tokens=0) == 400_000
    book = PriceBook(read_prices({"x": {"per_call": "1"}, "o:*": {"free": True}}, "UTC"))
    assert book.price("", "x", NOW).default_tokens() == 0
    assert book.price("o", "llama3", NOW).default_tokens() == 216_384


@given(usages(), usages())
def test_splitting_a_call_never_makes_it_cheaper(one: Usage, other: Usage) -> None:
    """Rounding happens once a call and upwards, so parts cost at least the whole and a nano-dollar more at most."""
    price = PriceBook(read_prices({"x": {"input": "0.0007", "output": "0.0011", "cache_read": "0.00003"}}, "UTC"))
    parts = [replace(part, input_audio_tokens=0, cache_audio_read_tokens=0, units=()) for part in (one, other)]
    whole, *costs = [price.price("", "x", NOW).cost(usage) for usage in (parts[0] + parts[1], *parts)]
    assert whole <= sum(costs) <= whole + 1


def test_costs_are_rounded_up_once() -> None:
    """A fraction of a nano-dollar is a nano-dollar, for the call and not for each of its kinds."""
    rates = {"input": "0.0001", "output": "0.0001", "cache_read": "0.0001"}
    price = PriceBook(read_prices({"x": rates}, "UTC")).price("", "x", NOW)
    assert price.cost(Usage(input_tokens=2, cache_read_tokens=1, output_tokens=1)) == 1
    assert price.cost(Usage()) == 0


def test_absurd_costs_are_refused() -> None:
    """A call that would cost above a million dollars is a slip, not a bill."""
    with pytest.raises(AmountError, match="believed of one call"):
        HAIKU.cost(Usage(output_tokens=10**12))
    with pytest.raises(AmountError):
        HAIKU.at_most(input_tokens=10**15)


@pytest.mark.parametrize(
    "asked",
    [
        {"input_tokens": -1},
        {"input_tokens": 1.5},
        {"max_output_tokens": True},
        {"calls": -1},
        {"calls": 1.0},
        {"web_searches": -1},
        {"units": [("rows", float("nan"))]},
        {"units": [("rows", -1)]},
    ],
)
def test_estimates_refuse_what_is_no_number(asked: dict[str, Any]) -> None:
    """Counts and amounts are checked at this door too."""
    with pytest.raises(AmountError):
        HAIKU.at_most(**asked)


def test_units_alone_need_a_number() -> None:
    """A price that is only per unit cannot be estimated until somebody says how many."""
    price = PriceBook(read_prices({"db": {"per_unit": {"rows": "0.01"}}}, "UTC")).price("", "db", NOW)
    assert price.at_most(units=[("rows", 3)]) == 30_000_000
    with pytest.raises(PriceError, match="how many is not stated"):
        price.at_most()
    with pytest.raises(PriceError, match="no unit 'cells'"):
        price.at_most(units=[("cells", 3)])
    tiers = {"db": {"tier_unit": "tb", "tiers": [{"per_unit": "6.25"}]}}
    with pytest.raises(PriceError, match="how many is not stated"):
        PriceBook(read_prices(tiers, "UTC")).price("", "db", NOW).at_most()
    free = PriceBook(read_prices({"db": {"per_unit": {"rows": "0"}}}, "UTC"))
    assert free.price("", "db", NOW).at_most() == 0


def test_prices_are_stated_in_words() -> None:
    """A reader sees each kind with its dollars, tiers and other ways of being served included."""
    assert HAIKU.statement == {
        "input": "$1.00 / 1M tokens",
        "cache_read": "$0.10 / 1M tokens",
        "cache_write": "$1.25 / 1M tokens",
        "cache_write_1h": "$2.00 / 1M tokens",
        "output": "$5.00 / 1M tokens",
        "web_search": "$0.01 / search",
        "batch": "input $0.50, cache_read $0.05, cache_write $0.625, cache_write_1h $1.00, output $2.50 / 1M tokens",
    }
    cards = {
        "a": {"per_call": "0.004", "free_calls_per_month": 1000, "per_unit": {"rows": "0.0001"}, "batch": "0.5"},
        "b": {"per_call": "0.004"},
        "c": {"free": True},
        "d": {"billing": "subscription"},
        "e": {"tier_unit": "gb", "tiers": [{"per_unit": "0.09"}]},
    }
    book = PriceBook(read_prices(cards, "UTC"))
    assert [book.price("", name, NOW).statement for name in "abcde"] == [
        {
            "calls up to 1,000 a month": "$0.00 / call",
            "calls beyond 1,000 a month": "$0.004 / call",
            "rows": "$0.0001 / rows",
            "batch": "$0.00005 / rows",
        },
        {"call": "$0.004 / call"},
        {"call": "free"},
        {"billing": "subscription: $0.00, at the list price", "list price": "not known"},
        {"gb": "$0.09 / gb"},
    ]


def test_unknown_names_are_answered_with_near_ones() -> None:
    """A price that is not known is an error with the closest names, from the card and from the list."""
    book = PriceBook(read_prices({"clearbit.enrich": {"per_call": 1}, "*.x": {"per_call": 1}}, "UTC"))
    with pytest.raises(PriceError) as caught:
        book.price("", "clearbit.enrihc", NOW)
    assert caught.value.nearest[0] == "clearbit.enrich"
    for _ in range(2):
        with pytest.raises(PriceError) as caught:
            book.price("anthropic", "claude-haiku-45", NOW)
        assert caught.value.nearest[0] == "claude-haiku-4-5"
        assert (caught.value.provider, caught.value.model) == ("anthropic", "claude-haiku-45")


def test_the_book_lists_what_it_knows() -> None:
    """Cards come first, then the models of the list with their provider."""
    lines = list(PriceBook(read_prices({"clearbit.*": {"per_call": 1}}, "UTC")).names())
    assert (lines[0].name, lines[0].provider, lines[0].source) == ("clearbit.*", "", "rate card")
    assert ("claude-haiku-4-5", "anthropic") in {(line.name, line.provider) for line in lines[1:]}
    assert {line.source for line in lines[1:]} == {"genai-prices 0.2.3"}


def test_prices_are_worked_out_once() -> None:
    """Within a quarter of an hour the same price is handed out again; the store of prices is bounded."""
    book = PriceBook()
    first = book.price("anthropic", "claude-haiku-4-5", NOW)
    assert book.price("anthropic", "claude-haiku-4-5", NOW + 14 * MINUTE) is first
    later = book.price("anthropic", "claude-haiku-4-5", NOW + 15 * MINUTE)
    assert later == first
    book._kept.update({("", str(number)): (0, first) for number in range(MAX_CACHED)})
    book.price("anthropic", "claude-opus-4-6", NOW)
    assert len(book._kept) == 1


def test_errors_do_not_pile_up() -> None:
    """A price error that is handed out again keeps nothing of the calls it was raised in."""
    book = PriceBook()
    for _ in range(2):
        with pytest.raises(PriceError):
            book.price("x", "y", NOW)
    kept = book._kept["x", "y"][1]
    assert isinstance(kept, PriceError)
    assert kept.__traceback__ is None


def test_small_amounts_are_exact() -> None:
    """A price of one nano-dollar a row is charged for every row."""
    price = PriceBook(read_prices({"x": {"per_unit": {"rows": "0.000000001"}}}, "UTC")).price("", "x", NOW)
    assert price.cost(Usage(units=(("rows", Decimal(12_345)),))) == 12_345
