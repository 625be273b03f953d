"""Timestamps of other programs' logs as instants.

>>> instant_of("2026-10-26T07:33:20Z") == instant_of(1_793_000_000) == instant_of(1_793_000_000_000)
True
"""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from spendgate.clock import SECOND, instant
from spendgate.history.results import LineError

_FIRST_S = 946_684_800
"""2000-01-01. Numbers below are no timestamps, so seconds, milli- and microseconds cannot be taken for one another."""
_LAST_S = 7_258_118_400
"""2200-01-01."""


def instant_of(value: object, timezone: str = "") -> int:
    """A timestamp as an instant in microseconds: ISO 8601, or seconds, milli- or microseconds since the epoch.

    Raises:
        LineError: it is none of these, or an ISO timestamp has no zone and no `timezone` says which is meant.
    """
    if value is None or value == "":
        raise LineError("it has no timestamp")
    if isinstance(value, str):
        return _from_text(value, timezone)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise LineError(f"{str(value)[:40]!r} is no timestamp")
    return _from_number(value)


def _from_text(text: str, timezone: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise LineError(f"{text[:40]!r} is no ISO 8601 timestamp") from None
    if when.tzinfo is None:
        if not timezone:
            raise LineError(f"{text[:40]!r} has no time zone: give the one it was written in with --timezone")
        when = when.replace(tzinfo=ZoneInfo(timezone))
    at = instant(when)
    if at < 0:
        raise LineError(f"{text[:40]!r} is before 1970")
    return at


def _from_number(value: int | Decimal) -> int:
    if isinstance(value, Decimal) and value.adjusted() > 20:
        raise LineError("the timestamp is not in the years 2000 to 2200")
    for parts in (1, 1_000, 1_000_000):
        if _FIRST_S * parts <= value < _LAST_S * parts:
            return int(value * (SECOND // parts))
    raise LineError(f"{str(value)[:40]} is no timestamp in seconds, milli- or microseconds of the years 2000 to 2200")
