"""Has a cache gone silent, against its own rhythm? Nights, weekends and slow hours are no silence.

For each hour of the week the lookups of the last four weeks are kept. In an hour at least the fewest of these, and of
the hours beside it, are to be expected. Once so many of them have not come that chance cannot be the reason, and for
two hours at least, the cache is silent; its next lookup ends that.
"""

import json
import math
from array import array
from dataclasses import dataclass, replace
from typing import Any, Self

from spendgate.clock import HOUR

WEEKS = 4
"""So many weeks of each hour are kept."""
WEEKS_NEEDED = 2
"""And so many must be known before an hour is expected to have any lookups."""
SHORTEST = 2 * HOUR
"""No shorter pause is silence."""
MISSED = 20
"""So many expected lookups must be missing, after the fewest of four weeks has been halved."""
_HOURS = 168
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without lookups in which there should have been some.

    Attributes:
        began_at: the last lookup before it, in microseconds.
        noticed_at: when it was long enough.
        ended_at: the next lookup; 0 while it lasts.
        missing: how many lookups there were to expect at least until it was noticed.
    """

    began_at: int
    noticed_at: int
    ended_at: int
    missing: int

    def sentence(self, name: str) -> str:
        """The silence for people; `name` is the cache's."""
        hours = ((self.ended_at or self.noticed_at) - self.began_at) / HOUR
        was = "was not asked" if self.ended_at else "has not been asked"
        return f"{name}: {was} for {hours:.0f} hours, in which it usually is at least {self.missing:,} times."


class Rhythm:
    """One cache's lookups by the hour of the week. Its state is 3 kB, kept across processes by `to_json`.

    Feed it every few minutes, with 0 where there were no lookups: what was not fed is not judged. Time in which nothing
    was watched, such as between two processes, is passed over: it neither counts as silence nor is it learned.

    Attributes:
        silence: the one that lasts, or None.
    """

    __slots__ = ("_count", "_fed_at", "_hour", "_last_at", "_missing", "_past", "_pending", "_whole_hour", "silence")

    def __init__(self) -> None:
        self._past = array("I", [_UNKNOWN]) * (_HOURS * WEEKS)
        self._hour: int | None = None
        self._whole_hour = False
        self._count = 0
        self._last_at = self._fed_at = 0
        self._pending: list[int] = []
        self._missing = 0.0
        self.silence: Silence | None = None

    def feed(self, at: int, lookups: int) -> Silence | None:
        """Takes the lookups since the last time.

        Args:
            at: this instant, in microseconds.
            lookups: how many there were; 0 is worth saying.

        Returns:
            The silence that begins or ends with it, or None.
        """
        watched = self._hour is not None and 0 <= at - self._fed_at <= HOUR
        if not watched:
            self._missing = 0.0
            self._pending = self._pending if self.silence else []
            self._last_at = at if not self.silence else self._last_at
        hour = at // HOUR
        if hour != self._hour:
            self._turn(hour, watched=watched)
        if watched and not lookups:
            self._missing += self._fewest(hour) / 2 * (at - self._fed_at) / HOUR
        self._fed_at = at
        self._count += lookups
        return self._come(at) if lookups else self._miss(at)

    def _come(self, at: int) -> Silence | None:
        self._last_at, self._missing = at, 0.0
        for hour in self._pending:
            self._learn(hour, 0)
        self._pending.clear()
        if self.silence is None:
            return None
        ended, self.silence = replace(self.silence, ended_at=at), None
        return ended

    def _miss(self, at: int) -> Silence | None:
        if self.silence is not None or self._missing < MISSED or at - self._last_at < SHORTEST:
            return None
        self.silence = Silence(self._last_at, at, 0, math.floor(self._missing * 2))
        return self.silence

    def _turn(self, hour: int, *, watched: bool) -> None:
        """An hour is over; it is learned if all of it was watched.

        An hour that should have had lookups and had none is learned once there are some again: until then it would
        make the silence that it belongs to look usual.
        """
        if watched and self._whole_hour and self._hour is not None and hour == self._hour + 1:
            if self._count or not self._fewest_of(self._hour):
                self._learn(self._hour, self._count)
            elif len(self._pending) < _HOURS:
                self._pending.append(self._hour)
        self._whole_hour = watched
        self._hour, self._count = hour, 0

    def _learn(self, hour: int, count: int) -> None:
        first = hour % _HOURS * WEEKS
        past = self._past
        past[first + 1 : first + WEEKS] = past[first : first + WEEKS - 1]
        past[first] = min(count, _UNKNOWN - 1)

    def _fewest(self, hour: int) -> int:
        """The fewest lookups of this hour of the week and of those beside it, as far as they are known."""
        return min(self._fewest_of(near) for near in (hour - 1, hour, hour + 1))

    def _fewest_of(self, hour: int) -> int:
        first = hour % _HOURS * WEEKS
        known = [count for count in self._past[first : first + WEEKS] if count != _UNKNOWN]
        return min(known) if len(known) >= WEEKS_NEEDED else 0

    def to_json(self) -> str:
        """The state as text."""
        silence = self.silence
        return json.dumps(
            {
                "past": [-1 if count == _UNKNOWN else count for count in self._past],
                "silence": silence and [silence.began_at, silence.noticed_at, silence.ended_at, silence.missing],
                "last": [self._last_at, self._fed_at],
                "pending": self._pending,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The state that `to_json` wrote. Time since then counts as not watched.

        Raises:
            ValueError: it did not write this.
        """
        rhythm = cls()
        try:
            state: dict[str, Any] = json.loads(text)
            past = array("I", [_UNKNOWN if count < 0 else count for count in state["past"]])
            if len(past) != _HOURS * WEEKS:
                raise ValueError("this is not the state of a rhythm")
            rhythm._past = past
            rhythm.silence = Silence(*state["silence"]) if state["silence"] else None
            rhythm._last_at, rhythm._fed_at = state["last"]
            rhythm._pending = [int(hour) for hour in state["pending"]]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError("this is not the state of a rhythm") from error
        return rhythm
