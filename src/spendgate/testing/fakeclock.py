"""A clock for tests: it stands still until it is moved.

>>> clock = FakeClock()
>>> before = clock.now()
>>> clock.sleep(1.5)
>>> clock.now() - before
1500000
"""

import threading
from datetime import datetime

from spendgate.clock import SECOND, instant

START_AT = 1_772_452_800_000_000
"""Where a clock starts that is not told otherwise: 2026-03-02 12:00 UTC, a Monday."""


class FakeClock:
    """Stands in for the machine's clock. Sleeping moves it on at once; threads may share it.

    `start` is an aware `datetime` or an instant in microseconds.
    """

    def __init__(self, start: datetime | int = START_AT) -> None:
        self._mutex = threading.Lock()
        self._now = _instant(start)

    def now(self) -> int:
        """This clock's instant, in microseconds since the epoch."""
        with self._mutex:
            return self._now

    def advance(self, span_s: float) -> int:
        """Moves on by `span_s` seconds; the new instant.

        Raises:
            ValueError: the span is negative; `jump` goes back.
        """
        if not span_s >= 0:
            raise ValueError(f"time does not pass backwards: {span_s} s. Use `jump` for a clock that is set back")
        with self._mutex:
            self._now += round(span_s * SECOND)
            return self._now

    def jump(self, to: datetime | int) -> int:
        """Sets the clock to another instant, earlier or later, as somebody would who corrects it; the new instant."""
        with self._mutex:
            self._now = _instant(to)
            return self._now

    def sleep(self, span_s: float) -> None:
        """Moves on by `span_s` seconds instead of waiting."""
        self.advance(span_s)

    async def sleep_async(self, span_s: float) -> None:
        """Moves on by `span_s` seconds instead of waiting."""
        self.advance(span_s)


def _instant(when: datetime | int) -> int:
    return instant(when) if isinstance(when, datetime) else when
