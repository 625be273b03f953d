"""The only reader of time. Everything else is handed an instant.

An instant is a whole number of microseconds since 1970-01-01 UTC: names of instants end in `_at`.

>>> moment(1_793_000_000_000_000).isoformat()
'2026-10-26T07:33:20+00:00'
"""

import time
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000_000
"""One second in the unit of instants (microseconds)."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """What the gate asks for the time; `spendgate.testing.FakeClock` stands in for it in tests."""

    def now(self) -> int:
        """This instant, in microseconds since the epoch."""

    def sleep(self, span_s: float) -> None:
        """Waits `span_s` seconds of this clock's time."""

    async def sleep_async(self, span_s: float) -> None:
        """Waits `span_s` seconds of this clock's time without blocking the event loop."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """This instant, in microseconds since the epoch."""
        return time.time_ns() // 1000

    def sleep(self, span_s: float) -> None:
        """Waits `span_s` seconds."""
        time.sleep(span_s)

    async def sleep_async(self, span_s: float) -> None:
        """Waits `span_s` seconds without blocking the event loop."""
        import asyncio

        await asyncio.sleep(span_s)


class FastClock:
    """Time that runs `speed` times as fast from `origin_at` on: for demonstrations.

    Processes that share `origin_at` and `started_at` agree on the time.
    """

    def __init__(self, origin_at: int, speed: float, started_at: int | None = None) -> None:
        self.origin_at = origin_at
        self.speed = speed
        self.started_at = SystemClock().now() if started_at is None else started_at

    def now(self) -> int:
        """This instant of the fast time, in microseconds since the epoch."""
        return self.origin_at + int((SystemClock().now() - self.started_at) * self.speed)

    def sleep(self, span_s: float) -> None:
        """Waits `span_s` seconds of the fast time."""
        time.sleep(span_s / self.speed)

    async def sleep_async(self, span_s: float) -> None:
        """Waits `span_s` seconds of the fast time without blocking the event loop."""
        import asyncio

        await asyncio.sleep(span_s / self.speed)


monotonic = time.monotonic
"""Seconds that only ever grow: for how long something took, never for when it was."""

monotonic_ns = time.monotonic_ns
"""The same in nanoseconds."""


def moment(at: int) -> datetime:
    """An instant as an aware `datetime` in UTC.

    >>> moment(0)
    datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND)


def instant(when: datetime) -> int:
    """An aware `datetime` as an instant in microseconds.

    Raises:
        ValueError: `when` has no time zone, so it names no instant.

    >>> instant(moment(1_793_000_000_123_456))
    1793000000123456
    """
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no time zone: say which, for example with tzinfo=datetime.UTC")
    seconds = int(when.replace(microsecond=0).timestamp())
    return seconds * SECOND + when.microsecond
