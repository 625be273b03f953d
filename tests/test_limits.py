"""Limits: which calls they see, which scope a call draws on, and how they are spelt in the ledger."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.call import Call
from spendgate.limits import Limit, LimitSet, applying, in_units, matches, parse_rate, unit_scale
from spendgate.windows import parse_window

HOUR = parse_window("1h", "UTC")
TEXT = st.text(st.characters(blacklist_categories=("C", "Z")), max_size=8)


def limit(**fields: object) -> Limit:
    return Limit(**{"name": "l", "unit": "usd", "amount": 100, "window": HOUR, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("clearbit.*", "clearbit.enrich", True),
        ("clearbit.*", "clearbit", False),
        ("clearbit.enrich", "clearbitXenrich", False),
        ("*", "", True),
        ("?", "", False),
        ("", "", True),
        ("", "a", False),
        ("claude-[oh]*", "claude-haiku", True),
        ("claude-[!oh]*", "claude-haiku", False),
        ("Claude*", "claude", False),
        ("a*", "ba", False),
        ("*a", "ab", False),
        ("[", "[", True),
    ],
)
def test_globs_fit_whole_values(pattern: str, value: str, fits: bool) -> None:
    """A glob fits the whole value or does not fit; capitals count, and dots are dots."""
    assert matches(pattern, value) is fits


@pytest.mark.parametrize(
    ("match", "call", "seen"),
    [
        ((), Call(), True),
        ((("service", "a"),), Call(service="a"), True),
        ((("service", "a"),), Call(service="b"), False),
        ((("service", "a"), ("resource", "r*")), Call(service="a", resource="x"), False),
        ((("model", "claude*"),), Call(provider="anthropic", resource="claude"), True),
        ((("model", "claude*"),), Call(resource="claude"), False),
        ((("tags.env", "prod"),), Call(tags=(("env", "prod"),)), True),
        ((("tags.env", "prod"),), Call(), False),
        ((("tags.env", "*"),), Call(), True),
        ((("task", "?*"),), Call(task="t"), True),
    ],
)
def test_a_limit_sees_the_calls_that_it_names(match: tuple[tuple[str, str], ...], call: Call, seen: bool) -> None:
    """All globs of a limit must fit; a field that a call leaves out is empty text."""
    assert (limit(match=match).scope(call) is not None) is seen


@given(TEXT, TEXT, TEXT, TEXT)
def test_scopes_are_never_mixed_up(one: str, two: str, three: str, four: str) -> None:
    """Calls that differ in a field of `per` are in different scopes, whatever their values are made of."""
    by_both = limit(per=("service", "task"))
    first, second = Call(service=one, task=two), Call(service=three, task=four)
    assert (by_both.scope(first) == by_both.scope(second)) == ((one, two) == (three, four))


@given(TEXT)
def test_scopes_are_not_those_of_the_ledger(value: str) -> None:
    """No value of a field makes a scope that stands for the others or for all."""
    assert limit(per=("service",)).scope(Call(service=value)) not in ("other", "*", "")


def test_a_limit_without_per_has_one_scope() -> None:
    """Every call draws on the same budget."""
    assert {limit().scope(call) for call in (Call(), Call(service="a"), Call(task="t"))} == {""}


@pytest.mark.parametrize(
    ("amount", "share", "threshold"),
    [
        (1, "0.8", 1),
        (3, "0.5", 2),
        (10, "0.8", 8),
        (10, "0.81", 9),
        (0, "0.5", 0),
        (10**18, "0.333333333333333333333", 333333333333333334),
    ],
)
def test_thresholds_are_reached_exactly_at_the_share(amount: int, share: str, threshold: int) -> None:
    """A threshold is the first amount that is at least the share."""
    assert limit(amount=amount, warn_at=(Decimal(share),)).thresholds == (threshold,)


def test_thresholds_rise_and_are_stated_once() -> None:
    """The order in which shares are written and repeated does not matter."""
    shares = tuple(map(Decimal, ("0.8", "0.5", "0.80")))
    assert limit(warn_at=shares) == limit(warn_at=tuple(map(Decimal, ("0.5", "0.8"))))


def test_the_programs_own_decimals_do_not_matter() -> None:
    """Thresholds and amounts are exact whatever decimal context the program has set for itself."""
    with localcontext() as context:
        context.prec = 2
        found = limit(amount=123_456_789, warn_at=(Decimal("0.987654321"),), pace_from=Decimal("0.987654321"))
        shown = in_units(1_234_567_890_123, "usd")
    assert (found.thresholds, found.pace_above) == ((121_932_632,), 121_932_631)
    assert shown == Decimal("1234.567890123")


@pytest.mark.parametrize(
    ("unit", "scale"), [("usd", 10**9), ("calls", 1), ("tokens", 1), ("rows", 10**6), ("gb", 10**6)]
)
def test_units_have_parts(unit: str, scale: int) -> None:
    """Dollars are counted in nano-dollars, calls and tokens whole, everything else in millionths."""
    assert unit_scale(unit) == scale
    assert in_units(3 * scale, unit) == 3


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"name": "other"}, True),
        ({"amount": 5}, True),
        ({"warn_at": (Decimal("0.5"),)}, True),
        ({"at_limit": "observe"}, True),
        ({"unit": "calls"}, False),
        ({"window": parse_window("2h", "UTC")}, False),
        ({"per": ("task",)}, False),
        ({"match": (("service", "a"),)}, False),
    ],
)
def test_rows_go_by_what_is_counted(changed: dict[str, object], same: bool) -> None:
    """Limits that count the same calls over the same window share their key, whatever they then say."""
    assert (limit(**changed).key == limit().key) is same


def test_days_of_other_zones_are_other_rows() -> None:
    """A day in Tokyo and a day in Berlin are counted apart."""
    tokyo, berlin = (limit(window=parse_window("day", zone)) for zone in ("Asia/Tokyo", "Europe/Berlin"))
    assert tokyo.key != berlin.key


def test_a_set_is_spelt_one_way() -> None:
    """What is read back is what was written, and the same set has the same text."""
    limits = LimitSet(
        (
            limit(match=(("resource", "r*"), ("service", "a")), per=("task",), warn_at=(Decimal("0.50"),)),
            limit(name="b", window=parse_window("month", "Asia/Beirut"), pace_from=Decimal("0.8")),
            limit(name="c", unit="calls", at_limit="throttle", throttle_every=6_000_000),
        )
    )
    assert LimitSet.loads(limits.dumps()) == limits
    assert LimitSet.loads(limits.dumps()).dumps() == limits.dumps()
    assert [one.key for one in LimitSet.loads(limits.dumps()).limits] == [one.key for one in limits.limits]


def test_a_call_draws_on_every_limit_that_sees_it() -> None:
    """Each limit is paired with the scope of the call, and those that do not see it are left out."""
    limits = (limit(per=("service",)), limit(name="b", match=(("service", "x"),)), limit(name="c"))
    assert [(one.name, scope) for one, scope in applying(limits, Call(service="a"))] == [("l", "service=a"), ("c", "")]


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("10/min", 6_000_000),
        ("2/s", 500_000),
        ("500/day", 172_800_000),
        ("3/s", 333_334),
        ("1/h", 3_600_000_000),
        ("7 / min", 8_571_429),
    ],
)
def test_rates_are_pauses(text: str, every: int) -> None:
    """A rate is the pause between calls, rounded up: never faster than it says."""
    assert parse_rate(text) == every


@pytest.mark.parametrize("text", ["", "0/min", "10", "10/", "/min", "10/week", "-1/s", "1.5/s", "10/mins", "10/min\n"])
def test_what_is_no_rate_is_an_error(text: str) -> None:
    """A slip in a rate is an error that shows a right one."""
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)
