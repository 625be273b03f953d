"""Spans of time that limits count over, cut into numbered buckets.

A rolling window is cut into buckets of at most a hundredth of its span; a bucket counts until its last microsecond has
left the window, so a window is never shorter than it says. A calendar window is one bucket: the day, week or month.

>>> hour = parse_window("1h", "UTC")
>>> hour.bucket(at=3_600_000_000), hour.oldest(now_at=3_600_000_000)
(100, 0)
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from spendgate.clock import DAY, HOUR, MINUTE, SECOND, instant, moment

BUCKETS = 100
"""Buckets per rolling window, at least: nothing is refused that fits to within a hundredth of the window."""
MAX_SPAN = 400 * DAY

_PARTS = {"s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last `span` microseconds, at every instant: an entry at `e` counts at `t` while `e > t - span`."""

    span: int
    width: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", max(1, self.span // BUCKETS))

    def bucket(self, at: int) -> int:
        """The number of the bucket that an entry at this instant goes into."""
        return at // self.width

    def oldest(self, now_at: int) -> int:
        """The first bucket that still counts at `now_at`."""
        return (now_at - self.span + 1) // self.width

    def leaves_at(self, bucket: int) -> int:
        """The first instant at which `bucket` no longer counts."""
        return (bucket + 1) * self.width + self.span - 1

    def starts_at(self, now_at: int) -> int:
        """The first instant whose entries count at `now_at`, to within a bucket."""
        return self.oldest(now_at) * self.width

    def __str__(self) -> str:
        return spell_span(self.span)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The current day, week (from Monday) or month in a time zone; days of 23 and 25 hours are one day."""

    unit: Literal["day", "week", "month"]
    timezone: str

    def bucket(self, at: int) -> int:
        """The ordinal of the period's first day: it numbers the period."""
        return self._period(at)[0]

    oldest = bucket

    def leaves_at(self, bucket: int) -> int:
        """The instant at which the period ends."""
        return _midnight(_next_start(date.fromordinal(bucket), self.unit), self.timezone)

    def starts_at(self, now_at: int) -> int:
        """The instant at which the period of `now_at` began."""
        return self._period(now_at)[1]

    def _period(self, at: int) -> tuple[int, int, int]:
        return _period(at - at % (15 * MINUTE), self.unit, self.timezone)

    def __str__(self) -> str:
        return self.unit


Window = Rolling | Calendar


@lru_cache(maxsize=1024)
def _period(at: int, unit: str, timezone: str) -> tuple[int, int, int]:
    """The period around an instant: number, first instant, first instant after it. Zones change on quarter hours."""
    start = _start(moment(at).astimezone(ZoneInfo(timezone)).date(), unit)
    return start.toordinal(), _midnight(start, timezone), _midnight(_next_start(start, unit), timezone)


def _start(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _next_start(start: date, unit: str) -> date:
    if unit == "month":
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start + timedelta(days=7 if unit == "week" else 1)


@lru_cache(maxsize=1024)
def _midnight(day: date, timezone: str) -> int:
    """The first instant of a day. Where a zone skips midnight, that is the instant of the change."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)))


def parse_window(text: str, timezone: str) -> Window:
    """A window from its spelling: `90s`, `15m`, `1h`, `1h30m`, `7d`, `day`, `week` or `month`.

    Raises:
        ValueError: the text is none of these, or the span is 0 or above 400 days.

    >>> str(parse_window("24h", "UTC")), str(parse_window("month", "Europe/Berlin"))
    ('24h', 'month')
    """
    if text in ("day", "week", "month"):
        return Calendar(text, timezone)  # type: ignore[arg-type]
    return Rolling(parse_span(text))


def parse_span(text: str) -> int:
    """A span of time in microseconds, from `30s`, `15m`, `1h`, `1h30m`, `7d`.

    Raises:
        ValueError: the text is no span, or it is 0 or above 400 days.

    >>> parse_span("1h30m") == 90 * 60 * 1_000_000
    True
    """
    found = re.fullmatch(r"(?:\d{1,9}(?:min|[smhdw]))+", text)
    if not found:
        raise ValueError(f"{text!r} is no span of time; write one such as 90s, 15m, 1h, 24h or 7d")
    span = sum(int(n) * _PARTS[unit] for n, unit in re.findall(r"(\d+)(min|[smhdw])", text))
    if not 0 < span <= MAX_SPAN:
        raise ValueError(f"{text!r} must be longer than 0 and at most 400d")
    return span


def spell_span(span: int) -> str:
    """A span as `parse_span` reads it: in days where it is whole days above two, else hours, minutes, seconds.

    >>> spell_span(24 * HOUR), spell_span(90 * MINUTE), spell_span(7 * DAY)
    ('24h', '1h30m', '7d')
    """
    if span % DAY == 0 and span > 2 * DAY:
        return f"{span // DAY}d"
    hours, rest = divmod(span, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = rest / SECOND
    parts = (f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), f"{seconds:g}s" * bool(seconds))
    return "".join(parts) or "0s"
