"""`[[limits]]`: what each key means, and that no slip in one turns out as no limit."""

from decimal import Decimal
from typing import Any

import pytest

from spendgate.call import Call
from spendgate.config import read
from spendgate.errors import ConfigError
from spendgate.limits import Limit
from spendgate.windows import Calendar, Rolling

HOUR = 3_600_000_000
CARD = '[prices."warehouse.query"]\nper_unit = { rows = "0.001", gb = "0.01" }\n'


def limit(body: str, head: str = CARD) -> Limit:
    """The one limit with these keys, beside a rate card that names rows and gb."""
    (only,) = read(f"{head}[[limits]]\n{body}").limits.limits
    return only


@pytest.mark.parametrize(
    ("amount", "unit", "parts"),
    [
        ('usd = "5.00"', "usd", 5_000_000_000),
        ("usd = 5", "usd", 5_000_000_000),
        ("usd = 0", "usd", 0),
        ('usd = "0.000000001"', "usd", 1),
        ("usd = 1_000_000_000", "usd", 10**18),
        ("calls = 20_000", "calls", 20_000),
        ('calls = "20000"', "calls", 20_000),
        ("tokens = 0", "tokens", 0),
        ('gb = "2.5"', "gb", 2_500_000),
        ("rows = 7", "rows", 7_000_000),
    ],
)
def test_amounts_are_counted_in_smallest_parts(amount: str, unit: str, parts: int) -> None:
    """Text and whole numbers are exact amounts, of dollars, calls, tokens and every unit of the rate card."""
    found = limit(f'{amount}\nwindow = "1h"')
    assert (found.unit, found.amount) == (unit, parts)


@pytest.mark.parametrize(
    ("body", "key", "expected"),
    [
        ("usd = 5.0", "usd", 'text: write usd = "5.00"'),
        ("usd = 0.125", "usd", 'text: write usd = "0.125"'),
        ("calls = 20.0", "calls", "a whole number: write calls = 20"),
        ("calls = 2.5", "calls", 'text: write calls = "2.5"'),
        ("usd = nan", "usd", "text, such as"),
        ("usd = inf", "usd", "text, such as"),
        ("usd = 1e300", "usd", "text: write"),
        ("usd = true", "usd", "text, such as"),
        ("usd = -1", "usd", "text, such as"),
        ('usd = "-1"', "usd", "text, such as"),
        ('usd = "NaN"', "usd", "text, such as"),
        ('usd = "five"', "usd", "text, such as"),
        ('usd = ""', "usd", "text, such as"),
        ('usd = "$5"', "usd", "text, such as"),
        ('usd = ["5"]', "usd", "text, such as"),
        ('usd = "1000000000.01"', "usd", "text, such as"),
        ('usd = "0.0000000001"', "usd", "text, such as"),
        ('calls = "2.5"', "calls", "a whole number"),
        ("tokens = 1_000_000_000_000_001", "tokens", "a whole number"),
        ('rows = "0.0000001"', "rows", "text, such as"),
    ],
)
def test_an_amount_that_is_not_exact_is_refused(body: str, key: str, expected: str) -> None:
    """Floats, bools, negative, infinite, absurd and unreadable amounts are errors that say what to write."""
    with pytest.raises(ConfigError) as caught:
        limit(f'{body}\nwindow = "1h"')
    assert caught.value.key == f"limits[0].{key}"
    assert caught.value.line == 4
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    ("body", "key", "nearest"),
    [
        ('usd = "5"\nwindw = "1h"', "windw", "window"),
        ('used = "5"\nwindow = "1h"', "used", "usd"),
        ('usd = "5"\nwindow = "1h"\nPer = ["service"]', "Per", "per"),
        ('usd = "5"\nwindow = "1h"\nwarnat = [0.5]', "warnat", "warn_at"),
        ('usd = "5"\nwindow = "1h"\nat_limits = "refuse"', "at_limits", "at_limit"),
        ('row = 5\nwindow = "1h"', "row", "rows"),
        ('UNIT = 5\nwindow = "1h"', "UNIT", ""),
        ('usd = "5"\nwindow = "1h"\nper = ["servce"]', "per", "service"),
        ('usd = "5"\nwindow = "1h"\nper = ["customer"]', "per", ""),
        ('usd = "5"\nwindow = "1h"\nper = ["tags."]', "per", "tags.NAME"),
        ('usd = "5"\nwindow = "1h"\nmatch = { resorce = "x" }', "match.resorce", "resource"),
        ('usd = "5"\nwindow = "dya"', "window", "day"),
        ('usd = "5"\nwindow = "1h"\nat_limit = "refused"', "at_limit", "refuse"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(body: str, key: str, nearest: str) -> None:
    """A misspelt key, unit, field or word in a limit is an error that offers what was probably meant."""
    with pytest.raises(ConfigError) as caught:
        limit(body)
    assert (caught.value.key, caught.value.nearest) == (f"limits[0].{key}", nearest)
    assert caught.value.expected


@pytest.mark.parametrize(
    ("body", "key", "says"),
    [
        ('window = "1h"', "", "has none"),
        ('usd = "5"\ncalls = 3\nwindow = "1h"', ".calls", "has 2"),
        ('usd = "5"', ".window", "over which time"),
        ('usd = "5"\nwindow = "0s"', ".window", "longer than 0"),
        ('usd = "5"\nwindow = "401d"', ".window", "at most 400d"),
        ('usd = "5"\nwindow = ""', ".window", "no span"),
        ('usd = "5"\nwindow = 3600', ".window", "no text"),
        ('usd = "5"\nwindow = "1h"\nper = "service"', ".per", "no list"),
        ('usd = "5"\nwindow = "1h"\nper = ["service", "service"]', ".per", "twice"),
        ('usd = "5"\nwindow = "1h"\nper = [1]', ".per", "does not belong"),
        ('usd = "5"\nwindow = "1h"\nmatch = "clearbit.*"', ".match", "no table"),
        ('usd = "5"\nwindow = "1h"\nmatch = { service = ["a", "b"] }', ".match.service", "no glob"),
        ('usd = "5"\nwindow = "1h"\nmatch = { service = 1 }', ".match.service", "no glob"),
        ('usd = "5"\nwindow = "1h"\nmatch = { tags = "x" }', ".match.tags", "no field"),
        ('usd = "5"\nwindow = "1h"\nmatch = { "tags.a" = "x", tags.a = "y" }', ".match.tags", "twice"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = 0.8', ".warn_at", "no list"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = [80]', ".warn_at", "no share"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = [0]', ".warn_at", "0"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = [0.8, "0.80"]', ".warn_at", "twice"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = [nan]', ".warn_at", "no share"),
        ('usd = "5"\nwindow = "1h"\nwarn_at = [true]', ".warn_at", "no share"),
        ('usd = "5"\nwindow = "1h"\nat_limit = "throttle"', ".at_limit", "how fast"),
        ('usd = "5"\nwindow = "1h"\nthrottle_to = "10/min"', ".throttle_to", "means nothing"),
        ('usd = "5"\nwindow = "1h"\nat_limit = "throttle"\nthrottle_to = "0/min"', ".throttle_to", "no rate"),
        ('usd = "5"\nwindow = "1h"\npace_from = 0.8', ".pace_from", "no end"),
        ('usd = "5"\nwindow = "day"\npace_from = 1.0', ".pace_from", "nothing is left"),
        ('usd = "5"\nwindow = "day"\npace_from = -0.1', ".pace_from", "no share"),
        ('usd = "5"\nwindow = "1h"\nname = ""', ".name", "empty"),
        ('usd = "5"\nwindow = "1h"\nname = "a\\nb"', ".name", "one line"),
    ],
)
def test_a_limit_says_exactly_what_it_limits(body: str, key: str, says: str) -> None:
    """What is missing, doubled, of another kind or without a meaning is an error, never a guess."""
    with pytest.raises(ConfigError) as caught:
        limit(body)
    assert caught.value.key == f"limits[0]{key}"
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[limits]\nusd = "5"\nwindow = "1h"', "[[limits]]"),
        ('[limits.hourly]\nusd = "5"\nwindow = "1h"', "[[limits]]"),
        ('[[limit]]\nusd = "5"\nwindow = "1h"', "Did you mean `limits`?"),
        ('limits = "5 an hour"', "[[limits]]"),
        ("limits = [5]", "[[limits]]"),
    ],
)
def test_limits_in_another_shape_are_not_overlooked(text: str, says: str) -> None:
    """Limits under a misspelt or single-bracket header are an error, not a file without limits."""
    with pytest.raises(ConfigError, match="Expected") as caught:
        read(text)
    assert says in str(caught.value)


def test_names_are_unique() -> None:
    """Two limits of one name are an error on the line of the second, made-up names included."""
    one = '[[limits]]\nname = "a"\nusd = "1"\nwindow = "1h"\n'
    with pytest.raises(ConfigError, match='two limits have the name "a"') as caught:
        read(one + one)
    assert caught.value.line == 6
    unnamed = '[[limits]]\nusd = "1"\nwindow = "1h"\n'
    with pytest.raises(ConfigError, match="usd-1h"):
        read(unnamed + unnamed)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('usd = "5"\nwindow = "1h"\nper = ["service"]', "usd-1h-service"),
        ('calls = 5\nwindow = "day"\nmatch = { resource = "clearbit.*" }', "calls-day-clearbit.*"),
        ('usd = "5"\nwindow = "24h"\nname = "total"', "total"),
    ],
)
def test_a_limit_without_a_name_gets_one(body: str, name: str) -> None:
    """A limit is named after its unit, window, scope and match where the file does not name it."""
    assert limit(body).name == name


@pytest.mark.parametrize(
    ("match", "pairs"),
    [
        ("match = {}", ()),
        ('match = { resource = "a.*", service = "x" }', (("resource", "a.*"), ("service", "x"))),
        ('match = { "tags.customer" = "acme" }', (("tags.customer", "acme"),)),
        ('match = { tags = { customer = "acme" } }', (("tags.customer", "acme"),)),
        ('match.tags.customer = "acme"', (("tags.customer", "acme"),)),
        ('match = { service = "" }', (("service", ""),)),
    ],
)
def test_match_names_fields_and_tags(match: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """Tags may be quoted names or a table of their own; what is meant is the same."""
    assert limit(f'usd = "5"\nwindow = "1h"\n{match}').match == pairs


def test_every_key_arrives() -> None:
    """A limit with every key has every key's meaning, and draws on the calls it matches."""
    found = limit(
        'name = "c"\ncalls = 20000\nwindow = "day"\nper = ["service", "tags.customer"]\nwarn_at = [0.5, 0.8]\n'
        'at_limit = "throttle"\nthrottle_to = "10/min"\npace_from = 0.8\nmatch = { resource = "clearbit.*" }',
        '[gate]\ntimezone = "Europe/Berlin"\n',
    )
    assert found.window == Calendar("day", "Europe/Berlin")
    assert found.warn_at == (Decimal("0.5"), Decimal("0.8"))
    assert found.thresholds == (10_000, 16_000)
    assert (found.at_limit, found.throttle_every, found.pace_from) == ("throttle", 6_000_000, Decimal("0.8"))
    call = Call(service="web", resource="clearbit.enrich", tags=(("customer", "acme"),))
    assert found.scope(call) == "service=web,tags.customer=acme"
    assert found.scope(Call(resource="other")) is None


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("90s", Rolling(90_000_000)),
        ("24h", Rolling(24 * HOUR)),
        ("week", Calendar("week", "UTC")),
        ("month", Calendar("month", "UTC")),
    ],
)
def test_windows_are_spans_or_calendar_periods(window: str, expected: Any) -> None:
    """Any span is a rolling window; day, week and month are periods of the calendar in the time zone."""
    assert limit(f'usd = "5"\nwindow = "{window}"').window == expected
