"""The stretch of time that a command looks at: `--since` and `--until`.

A span of whole days begins at a midnight, so that every day in it is whole but today; a date as `--until` includes
that day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from spendgate.clock import DAY, instant, moment
from spendgate.windows import parse_span

NEVER = 1 << 62
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant to another, that one excluded. `is_open` where it goes on to now."""

    since_at: int
    until_at: int

    @property
    def is_open(self) -> bool:
        """Whether no end was asked for."""
        return self.until_at == NEVER


def period_options(command: F) -> F:
    """Adds `--since` and `--until`."""
    since = click.option(
        "--since",
        default="7d",
        show_default=True,
        metavar="WHEN",
        help="A span back from now (7d, 6h), a date (2026-11-01), a time (2026-11-01T14:00), or all.",
    )
    until = click.option("--until", metavar="WHEN", help="The same; a date includes its day. Without it, now.")
    return since(until(command))


def read_period(since: str, until: str | None, timezone: str, now_at: int) -> Period:
    """The period that the options mean, in a time zone.

    Raises:
        UsageError: one is neither span, date nor time, or the end is not after the beginning.

    >>> july = read_period("2026-07-01", "2026-07-31", "UTC", 0)
    >>> (july.until_at - july.since_at) // DAY
    31
    """
    zone = ZoneInfo(timezone)
    since_at = 0 if since == "all" else _instant("--since", since, zone, now_at, ends=False)
    until_at = NEVER if until is None else _instant("--until", until, zone, now_at, ends=True)
    if since_at >= until_at:
        raise click.UsageError(f"--until {until} is not after --since {since}")
    return Period(since_at, until_at)


def _instant(option: str, text: str, zone: ZoneInfo, now_at: int, *, ends: bool) -> int:
    try:
        back = parse_span(text)
    except ValueError:
        return _named(option, text, zone, ends=ends)
    if back % DAY or ends:
        return max(now_at - back, 0)
    today = moment(now_at).astimezone(zone).date()
    return _midnight(today - timedelta(days=back // DAY), zone)


def _named(option: str, text: str, zone: ZoneInfo, *, ends: bool) -> int:
    try:
        if len(text) == 10:
            return _midnight(date.fromisoformat(text) + timedelta(days=ends), zone)
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"{option} {text}: write a span such as 7d or 6h, a date such as 2026-11-01, or a time such as "
            "2026-11-01T14:00"
        ) from None
    return max(instant(when if when.tzinfo else when.replace(tzinfo=zone)), 0)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return max(instant(datetime(day.year, day.month, day.day, tzinfo=zone)), 0)
