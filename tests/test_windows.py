"""Windows: which bucket an instant falls into, until when it counts, and where days begin."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.clock import DAY, HOUR, MINUTE, SECOND, instant, moment
from spendgate.windows import BUCKETS, MAX_SPAN, Calendar, Rolling, Window, parse_span, parse_window, spell_span

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/Nuuk",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Africa/Cairo",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
)
INSTANTS = st.integers(instant(datetime(2015, 1, 1, tzinfo=UTC)), instant(datetime(2037, 12, 31, tzinfo=UTC)))
SPANS = st.integers(1, MAX_SPAN // SECOND).map(lambda seconds: Rolling(seconds * SECOND))
CALENDARS = st.builds(Calendar, st.sampled_from(("day", "week", "month")), st.sampled_from(ZONES))
UTC_START = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


@pytest.mark.parametrize(
    ("span", "now_at", "oldest", "counts_from"),
    [
        (HOUR, 10 * HOUR, 900, 9 * HOUR),
        (HOUR, 10 * HOUR - 1, 900, 9 * HOUR),
        (HOUR, 10 * HOUR - 2, 899, 9 * HOUR - 36 * SECOND),
        (HOUR, 10 * HOUR + 36 * SECOND - 2, 900, 9 * HOUR),
        (HOUR, 10 * HOUR + 36 * SECOND - 1, 901, 9 * HOUR + 36 * SECOND),
        (MINUTE, MINUTE, 0, 0),
        (SECOND, SECOND + 10_000 - 1, 1, 10_000),
    ],
)
def test_a_bucket_counts_until_its_last_instant_has_left(span: int, now_at: int, oldest: int, counts_from: int) -> None:
    """The oldest bucket that counts is the one that holds the oldest instant inside the window."""
    window = Rolling(span)
    assert (window.oldest(now_at), window.starts_at(now_at)) == (oldest, counts_from)


@given(window=SPANS, entry_at=INSTANTS, passed=st.integers(0, MAX_SPAN))
def test_a_rolling_window_is_never_shorter_than_it_says(window: Rolling, entry_at: int, passed: int) -> None:
    """An entry counts for exactly the span or up to a hundredth of it longer."""
    counts = window.bucket(entry_at) >= window.oldest(entry_at + passed)
    if passed < window.span:
        assert counts
    if passed >= window.span + max(window.span // BUCKETS, 1):
        assert not counts


@given(window=SPANS | CALENDARS, entry_at=INSTANTS)
def test_leaving_is_the_inverse_of_counting(window: Window, entry_at: int) -> None:
    """A bucket counts one microsecond before it leaves, and not when it leaves."""
    bucket = window.bucket(entry_at)
    leaves_at = window.leaves_at(bucket)
    assert leaves_at > entry_at
    assert window.oldest(leaves_at - 1) <= bucket < window.oldest(leaves_at)


@given(window=SPANS | CALENDARS, now_at=INSTANTS)
def test_starting_is_the_first_instant_that_counts(window: Window, now_at: int) -> None:
    """The instant at which a window starts counts in it, and the one before does not."""
    starts_at = window.starts_at(now_at)
    assert starts_at <= now_at
    assert window.bucket(starts_at - 1) < window.oldest(now_at) == window.bucket(starts_at)


@given(window=SPANS | CALENDARS, one=INSTANTS, other=INSTANTS)
def test_time_only_moves_buckets_on(window: Window, one: int, other: int) -> None:
    """A later instant is never in an earlier bucket."""
    early, late = sorted((one, other))
    assert window.bucket(early) <= window.bucket(late)
    assert window.oldest(early) <= window.oldest(late)


@given(window=SPANS)
def test_windows_have_a_hundred_buckets(window: Rolling) -> None:
    """A bucket is at most a hundredth of its window."""
    assert window.width * BUCKETS <= window.span


@pytest.mark.parametrize(
    ("unit", "zone", "inside", "period", "hours"),
    [
        ("day", "UTC", "2026-03-02T12:00", "2026-03-02T00:00 2026-03-03T00:00", 24),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00 2026-03-29T22:00", 23),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00 2026-10-25T23:00", 25),
        # Clocks go from 23:59 to 01:00: the day begins at one o'clock.
        ("day", "America/Santiago", "2026-09-06T12:00", "2026-09-06T04:00 2026-09-07T03:00", 23),
        ("day", "America/Santiago", "2026-04-04T12:00", "2026-04-04T03:00 2026-04-05T04:00", 25),
        ("day", "Asia/Beirut", "2026-03-29T12:00", "2026-03-28T22:00 2026-03-29T21:00", 23),
        ("day", "Asia/Beirut", "2026-10-24T12:00", "2026-10-23T21:00 2026-10-24T22:00", 25),
        ("day", "Africa/Cairo", "2026-04-24T12:00", "2026-04-23T22:00 2026-04-24T21:00", 23),
        # Clocks go from 01:00 back to 00:00: there are two midnights, and the day begins at the first.
        ("day", "America/Havana", "2026-11-01T12:00", "2026-11-01T04:00 2026-11-02T05:00", 25),
        ("day", "Australia/Lord_Howe", "2026-04-05T12:00", "2026-04-04T13:00 2026-04-05T13:30", 24.5),
        ("week", "UTC", "2026-03-08T23:59", "2026-03-02T00:00 2026-03-09T00:00", 168),
        ("week", "Europe/Berlin", "2026-03-23T00:00", "2026-03-22T23:00 2026-03-29T22:00", 167),
        ("week", "America/New_York", "2026-01-01T12:00", "2025-12-29T05:00 2026-01-05T05:00", 168),
        ("month", "UTC", "2026-02-28T23:59", "2026-02-01T00:00 2026-03-01T00:00", 28 * 24),
        ("month", "UTC", "2028-02-29T00:00", "2028-02-01T00:00 2028-03-01T00:00", 29 * 24),
        ("month", "America/New_York", "2026-12-31T23:59", "2026-12-01T05:00 2027-01-01T05:00", 31 * 24),
        ("month", "Europe/Berlin", "2026-10-01T00:00", "2026-09-30T22:00 2026-10-31T23:00", 31 * 24 + 1),
        ("month", "Pacific/Apia", "2026-01-01T00:00", "2025-12-31T11:00 2026-01-31T11:00", 31 * 24),
    ],
)
def test_calendar_periods(unit: str, zone: str, inside: str, period: str, hours: float) -> None:
    """A period runs from midnight to midnight in its zone, however long its days are."""
    window = Calendar(unit, zone)  # type: ignore[arg-type]
    now_at = at(inside, zone)
    starts_at, ends_at = (instant(datetime.fromisoformat(text + "+00:00")) for text in period.split())
    bucket = window.bucket(now_at)
    assert moment(window.starts_at(now_at)) == moment(starts_at)
    assert moment(window.leaves_at(bucket)) == moment(ends_at)
    assert ends_at - starts_at == hours * HOUR
    assert window.bucket(starts_at) == window.bucket(ends_at - 1) == window.oldest(now_at) == bucket
    assert window.bucket(starts_at - 1) < bucket < window.bucket(ends_at)


@pytest.mark.parametrize("zone", ZONES)
def test_days_meet(zone: str) -> None:
    """Over ten years each day ends where the next one begins, and local dates tell them apart."""
    window = Calendar("day", zone)
    now_at, end_at = at("2024-01-01T00:00"), at("2034-01-01T00:00")
    while now_at < end_at:
        next_at = window.leaves_at(window.bucket(now_at))
        assert 22 * HOUR <= next_at - window.starts_at(now_at) <= 26 * HOUR
        assert window.starts_at(next_at) == next_at
        assert window.bucket(next_at) == window.bucket(now_at) + 1
        local = (UTC_START + timedelta(microseconds=next_at)).astimezone(ZoneInfo(zone))
        assert local.date().toordinal() == window.bucket(next_at)
        now_at = next_at


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1s", SECOND),
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("15min", 15 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("24h", DAY),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("400d", 400 * DAY),
    ],
)
def test_spans_are_read(text: str, span: int) -> None:
    """A span is numbers with units, and reads back from its own spelling."""
    assert parse_span(text) == span
    assert parse_span(spell_span(span)) == span


@pytest.mark.parametrize(
    "text",
    ["", "0s", "0h0m", "401d", "1", "h", "-1h", "1.5h", "1h ", " 1h", "1 h", "1H", "1y", "1h,", "9999999999s", "1h\n"],
)
def test_what_is_no_span_is_an_error(text: str) -> None:
    """A slip in a span is an error that shows a right one."""
    with pytest.raises(ValueError, match=r"such as|longer than 0"):
        parse_span(text)


@given(window=SPANS | CALENDARS)
def test_windows_spell_themselves(window: Window) -> None:
    """What a window calls itself reads back as the same window."""
    zone = window.timezone if isinstance(window, Calendar) else "UTC"
    assert parse_window(str(window), zone) == window
