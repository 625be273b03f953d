"""Usage: counts that are whole, parts that fit into their totals, units with names."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.errors import AmountError
from spendgate.pricing.rates import leaves
from spendgate.pricing.usage import COUNTS, Usage


@st.composite
def usages(draw: st.DrawFn, most: int = 400_000) -> Usage:
    """Any usage that can be stated, with parts that may overlap."""
    into, out = draw(st.integers(0, most)), draw(st.integers(0, most))
    read = draw(st.integers(0, into))
    write = draw(st.integers(0, into - read))
    hour = draw(st.integers(0, into - read - write))
    audio = draw(st.integers(0, into))
    return Usage(
        input_tokens=into,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=hour,
        output_tokens=out,
        reasoning_tokens=draw(st.integers(0, out)),
        input_audio_tokens=audio,
        cache_audio_read_tokens=draw(st.integers(0, min(read, audio))),
        output_audio_tokens=draw(st.integers(0, out)),
        web_searches=draw(st.integers(0, 20)),
        units=draw(st.sampled_from([(), (("rows", Decimal("2.5")), ("gb", Decimal(1)))])),
    )


@pytest.mark.parametrize("value", [-1, True, 1.0, "5", None, 10**15 + 1, Decimal(3), float("nan")])
@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_whole_numbers(name: str, value: Any) -> None:
    """A count that is negative, a bool, a float, text or absurd is refused by its name."""
    with pytest.raises(AmountError) as caught:
        Usage(**{name: value})
    assert caught.value.name == name


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 10, "cache_read_tokens": 11},
        {"input_tokens": 10, "cache_read_tokens": 5, "cache_write_tokens": 4, "cache_write_1h_tokens": 2},
        {"input_tokens": 10, "input_audio_tokens": 11},
        {"input_tokens": 10, "input_audio_tokens": 5, "cache_read_tokens": 3, "cache_audio_read_tokens": 4},
        {"input_tokens": 10, "input_audio_tokens": 3, "cache_read_tokens": 5, "cache_audio_read_tokens": 4},
        {"output_tokens": 10, "reasoning_tokens": 11},
        {"output_tokens": 10, "output_audio_tokens": 11},
    ],
)
def test_parts_fit_into_their_total(counts: dict[str, int]) -> None:
    """A part above the total it belongs to is refused, so that cached tokens forgotten in the total are noticed."""
    with pytest.raises(AmountError, match="must not exceed"):
        Usage(**counts)


@pytest.mark.parametrize(
    "units",
    [
        (("rows", Decimal("NaN")),),
        (("rows", Decimal("Infinity")),),
        (("rows", -1),),
        (("rows", 0.5),),
        (("rows", True),),
        (("rows", "many"),),
        (("rows", 10**16),),
        (("rows", 1), ("rows", 2)),
        (("per call", 1),),
        (("tokens", 1),),
        (("usd", 1),),
        (("input_tokens", 1),),
        (("web_searches", 1),),
        (("", 1),),
        ((3, 1),),
        ("rows",),
        5,
    ],
)
def test_units_have_names_and_amounts(units: Any) -> None:
    """A unit without a name of its own, named twice, or with an amount that is none, is refused."""
    with pytest.raises(AmountError):
        Usage(units=units)


@given(usages())
def test_usage_survives_the_ledger(usage: Usage) -> None:
    """What `to_json` writes, `from_json` reads back."""
    assert Usage.from_json(usage.to_json()) == usage


def test_misspelt_counts_are_named() -> None:
    """A key that is not known is refused with the nearest one that is."""
    with pytest.raises(AmountError, match="did you mean 'input_tokens'"):
        Usage.from_mapping({"input_token": 5})
    with pytest.raises(AmountError, match="known are input_tokens"):
        Usage.from_mapping({"zzz": 5})


def test_units_may_be_a_table() -> None:
    """A mapping of usage keeps its units in a table of their own."""
    usage = Usage.from_mapping({"input_tokens": 5, "units": {"gb": "0.5"}})
    assert usage == Usage(input_tokens=5, units=(("gb", Decimal("0.5")),))


def test_usages_add_up() -> None:
    """The parts of one call add up kind by kind and unit by unit."""
    first = Usage(input_tokens=5, output_tokens=1, units=(("rows", Decimal(1)),))
    second = Usage(input_tokens=7, cache_read_tokens=7, units=(("rows", Decimal(2)), ("gb", Decimal("0.1"))))
    both = first + second
    assert (both.input_tokens, both.cache_read_tokens, both.tokens) == (12, 7, 13)
    assert both.units == (("rows", Decimal(3)), ("gb", Decimal("0.1")))


@given(usages())
def test_every_token_is_of_one_kind(usage: Usage) -> None:
    """However parts overlap, each token is counted once."""
    counts = leaves(usage)
    assert sum(counts.values()) == usage.tokens
    assert min(counts.values()) >= 0
