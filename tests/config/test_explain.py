"""Limits in plain words, and what is doubtful about them."""

import pytest

from spendgate.config import TEMPLATE, read
from spendgate.explain import Remark, explain, remarks
from spendgate.limits import Limit, LimitSet
from spendgate.pricing.ratecard import RateCard
from spendgate.windows import parse_window

HOURLY = '[[limits]]\nname = "hourly"\nusd = "5"\nwindow = "1h"\nper = ["service"]\nwarn_at = [0.8]\n'
TOTAL = '[[limits]]\nname = "total"\nusd = "80"\nwindow = "24h"\nwarn_at = [0.8]\n'


def doubts(text: str) -> list[Remark]:
    """The remarks on a configuration."""
    settings = read(text)
    return remarks(settings.limits, settings.prices)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('usd = "5.00"\nwindow = "1h"\nper = ["service"]', "each service may spend $5.00 in any 1h; refuses beyond"),
        (
            'usd = 1200\nwindow = "month"\nwarn_at = [0.8, 0.5]',
            "all together may spend $1,200.00 each month (in UTC); warns at 50 % and 80 %; refuses beyond",
        ),
        (
            'calls = 20000\nwindow = "day"\nat_limit = "throttle"\nthrottle_to = "10/min"',
            "all together may make 20,000 calls each day (in UTC); beyond, lets one call pass every 6s",
        ),
        (
            'calls = 9\nwindow = "day"\npace_from = 0.8',
            "all together may make 9 calls each day (in UTC); from 80 % on spreads what is left over the rest",
        ),
        (
            'tokens = 1000\nwindow = "7d"\nper = ["task", "tags.customer"]\nat_limit = "observe"',
            "each task and tags.customer may use 1,000 tokens in any 7d; only reports what goes beyond",
        ),
        (
            'usd = 1\nwindow = "1h"\nmatch = { model = "*opus*", service = "web", task = "" }',
            "where model fits *opus*, service is web and task is empty, all together may spend $1.00 in any 1h",
        ),
        ('usd = 0\nwindow = "1h"', "all together may spend nothing in any 1h; refuses beyond"),
        ('calls = 0\nwindow = "1h"', "all together may make no calls in any 1h; refuses beyond"),
        ('gb = "2.50"\nwindow = "1h"', "all together may use 2.5 gb in any 1h; refuses beyond"),
        ('gb = 100\nwindow = "1h"', "all together may use 100 gb in any 1h; refuses beyond"),
        ('gb = 0\nwindow = "1h"', "all together may use no gb in any 1h; refuses beyond"),
    ],
)
def test_a_limit_is_put_into_one_sentence(body: str, words: str) -> None:
    """Whoever reads the sentence knows what the limit does."""
    text = f'[prices.query]\nper_unit = {{ gb = "1" }}\n[[limits]]\nname = "x"\n{body}'
    (sentence,) = explain(read(text).limits)
    assert sentence.startswith(f"x: {words}")
    assert sentence.endswith(".")


@pytest.mark.parametrize("text", [TEMPLATE, HOURLY + TOTAL])
def test_a_sound_set_of_limits_has_no_remarks(text: str) -> None:
    """What init writes is beyond doubt."""
    assert doubts(text) == []


@pytest.mark.parametrize(
    ("text", "severity", "limits", "says"),
    [
        ("", "problem", (), "nothing is ever refused: add [[limits]]"),
        (TOTAL + 'at_limit = "observe"', "problem", (), 'set at_limit = "refuse"'),
        (HOURLY, "problem", ("hourly",), "each new service brings a fresh budget"),
        (
            HOURLY + TOTAL + 'match = { provider = "openai" }',
            "problem",
            ("hourly",),
            "Add a limit in usd without `per`",
        ),
        (TOTAL.replace("warn_at = [0.8]\n", ""), "hint", ("total",), "add warn_at = [0.8]"),
        (TOTAL.replace("24h", "day"), "hint", ("total",), "begins anew at midnight in UTC"),
        (
            TOTAL + HOURLY.replace('"5"', '"100"'),
            "problem",
            ("hourly", "total"),
            "hourly can never be reached: total allows $80.00 in any 24h, hourly $100.00 in any 1h",
        ),
        (TOTAL + TOTAL.replace('"total"', '"again"'), "hint", ("again", "total"), "Lower again or leave it out"),
    ],
)
def test_doubts_come_with_a_remedy(text: str, severity: str, limits: tuple[str, ...], says: str) -> None:
    """Each doubtful thing is one remark that names the limits and what to do."""
    (remark,) = doubts(text)
    assert (remark.severity, remark.limits) == (severity, limits)
    assert says in remark.text


def test_problems_come_before_hints() -> None:
    """Whoever reads only the first line reads the worst."""
    found = doubts(HOURLY.replace("warn_at = [0.8]\n", ""))
    assert [remark.severity for remark in found] == ["problem", "hint"]


@pytest.mark.parametrize(
    ("match", "total", "bounded"),
    [
        ("", "", False),
        ("", TOTAL, True),
        ('match = { service = "web" }', "", True),
        ('match = { service = "web-*" }', "", False),
        ('match = { provider = "openai" }', TOTAL + 'match = { provider = "openai" }', True),
        ('match = { provider = "openai", model = "x" }', TOTAL + 'match = { provider = "openai" }', True),
        ("", TOTAL + 'match = { provider = "openai" }', False),
        ("", TOTAL + 'at_limit = "observe"', False),
        ("", TOTAL.replace("usd", "calls"), False),
    ],
)
def test_a_total_must_cover_all_that_is_counted_apart(match: str, total: str, bounded: bool) -> None:
    """A total in dollars counts only where it refuses, and matches everything that the limit beside it matches."""
    assert ("fresh budget" not in str(doubts(f"{HOURLY}{match}\n{total}"))) is bounded


@pytest.mark.parametrize(
    ("card", "limit", "covered"),
    [
        ('"clearbit.enrich"]\nper_call = "0.004"', "", False),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'usd = 5\nmatch = { resource = "clearbit.*" }', True),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'calls = 5\nmatch = { resource = "clearbit.*" }', True),
        ('"clearbit.enrich"]\nper_call = "0.004"', "tokens = 5", False),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'calls = 5\nmatch = { service = "web" }', False),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'calls = 5\nmatch = { model = "*" }', True),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'calls = 5\nmatch = { model = "clearbit.*" }', False),
        ('"clearbit.enrich"]\nper_call = "0.004"', 'usd = 5\nat_limit = "observe"', False),
        ('"clearbit.enrich"]\nper_call = "0"', "", True),
        ('"clearbit.enrich"]\nfree = true', "", True),
        ('"clearbit.enrich"]\nper_call = "0.004"\nfree_calls_per_month = 1000', "", False),
        ('"clearbit.enrich"]\nper_call = "0.004"\nfree_calls_per_month = 1000', "calls = 5", True),
        ('"clearbit.*"]\nper_call = "0.004"', 'usd = 5\nmatch = { resource = "clearbit.*" }', True),
        ('query]\nper_unit = { gb = "1" }', "gb = 5", True),
        ('query]\nper_unit = { gb = "1" }', "calls = 5", False),
        ('"our-model"]\ninput = "3"\noutput = "12"', "", False),
        ('"our-model"]\ninput = "3"\noutput = "12"', 'tokens = 5\nmatch = { provider = "us", model = "our-*" }', True),
        ('"us:our-model"]\ninput = "3"\noutput = "12"', 'usd = 5\nmatch = { provider = "us" }', True),
        ('"us:our-model"]\ninput = "3"\noutput = "12"', 'usd = 5\nmatch = { provider = "them" }', False),
        ('"us:our-model"]\ninput = "3"\noutput = "12"\nbilling = "subscription"', "", True),
        ('"gpt-9"]\nmultiplier = "0.5"', "", False),
    ],
)
def test_a_paid_resource_without_a_limit_is_pointed_out(card: str, limit: str, covered: bool) -> None:
    """What costs money by the rate card needs a limit in dollars, or in a unit that it is charged by."""
    text = f"[prices.{card}\n" + (f'[[limits]]\nwindow = "1h"\n{limit}\n' if limit else "")
    assert ("no limit covers it" not in str(doubts(text))) is covered


@pytest.mark.parametrize(
    ("tighter", "limit", "reached"),
    [
        (("1h", 5, (), ()), ("1h", 5, (), ("service",)), False),
        (("24h", 5, (), ()), ("1h", 5, (), ()), False),
        (("24h", 5, (), ()), ("1h", 4, (), ()), True),
        (("1h", 5, (), ()), ("24h", 5, (), ()), True),
        (("24h", 5, (), ("service",)), ("1h", 9, (), ()), True),
        (("24h", 5, (), ("service",)), ("1h", 9, (), ("service", "model")), False),
        (("24h", 5, (("service", "web"),), ()), ("1h", 9, (), ()), True),
        (("24h", 5, (("service", "web"),), ()), ("1h", 9, (("model", "x"), ("service", "web")), ()), False),
        (("24h", 5, (), ()), ("day", 9, (), ()), True),
        (("25h", 5, (), ()), ("day", 9, (), ()), False),
        (("32d", 5, (), ()), ("month", 9, (), ()), False),
        (("day", 5, (), ()), ("1h", 9, (), ()), True),
        (("month", 5, (), ()), ("day", 9, (), ()), False),
        (("week", 5, (), ()), ("day", 9, (), ()), False),
        (("month", 5, (), ()), ("week", 9, (), ()), True),
        (("day", 5, (), ()), ("day", 9, (), ()), False),
    ],
)
def test_a_limit_behind_a_tighter_one_is_pointed_out(
    tighter: tuple[str, int, tuple[tuple[str, str], ...], tuple[str, ...]],
    limit: tuple[str, int, tuple[tuple[str, str], ...], tuple[str, ...]],
    reached: bool,
) -> None:
    """A limit can be reached unless another counts at least its calls, over at least its time, and allows no more."""
    one, two = (
        Limit(name, "calls", amount, parse_window(window, "UTC"), match, per)
        for name, (window, amount, match, per) in (("tighter", tighter), ("limit", limit))
    )
    found = str(remarks(LimitSet((one, two)), RateCard.empty()))
    assert ("limit can never be reached" not in found) is reached


def test_a_limit_that_throttles_hides_no_other() -> None:
    """Beyond a throttling limit calls go on, so a wider one behind it still matters."""
    throttled = '[[limits]]\ncalls = 5\nwindow = "24h"\nat_limit = "throttle"\nthrottle_to = "1/s"\n'
    assert "never" not in str(doubts(throttled + '[[limits]]\ncalls = 9\nwindow = "1h"\n'))


def test_limits_of_the_same_name_are_pointed_out() -> None:
    """A set that was put together elsewhere may name two limits alike; reports could not tell them apart."""
    one = Limit("a", "calls", 5, parse_window("1h", "UTC"))
    two = Limit("a", "calls", 5, parse_window("24h", "UTC"), match=(("service", "web"),))
    assert "2 limits have the name a" in str(remarks(LimitSet((one, two)), RateCard.empty()))
