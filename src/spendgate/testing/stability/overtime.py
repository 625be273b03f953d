"""What becomes of a key while time passes: the same inside its window, another one after it, never the first again."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from spendgate.clock import DAY, HOUR, MINUTE, SECOND, moment
from spendgate.testing.stability.calling import Arguments, Outcome
from spendgate.testing.stability.finding import KeyFinding
from spendgate.testing.stability.moving import START_AT

LATER = (1, 1000, SECOND, MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 31 * DAY, 366 * DAY)
"""How much later a key without a window must still be the same, in microseconds."""

KeyAt = Callable[[int], Outcome]
"""The key of one input at an instant."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How closely time is looked at: instants per window, and to how many microseconds edges are found."""

    per_window: int = 12
    least: int = 1


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes of the key of one input.

    Attributes:
        given: the input.
        key_at: its key at an instant.
        clock: how the function reads the clock, where that was seen.
    """

    given: Arguments
    key_at: KeyAt
    clock: str

    def without_window(self) -> KeyFinding | None:
        """A key that names no window never changes."""
        first = self.key_at(START_AT)
        for after in LATER:
            found = self.key_at(START_AT + after)
            if not found.same(first):
                edge = self._edge(START_AT, START_AT + after, SECOND) if after > SECOND else START_AT + after
                when = f"{span(after)} later, at {_utc(START_AT + after)}"
                is_daily = edge % (15 * MINUTE) < SECOND and self.key_at(edge).same(self.key_at(edge + 20 * HOUR))
                if after > SECOND and is_daily:
                    return self._finding("date", f"{when}; it changes at {_utc(edge - edge % SECOND)}", first, found)
                return self._finding("clock", when, first, found)
        return None

    def with_window(self, window: int, effort: Effort) -> KeyFinding | None:
        """A key with a window holds for a window, is followed by another one, and never comes back."""
        windows = min(max(3, -(-25 * HOUR // window)), 30)
        step = max(window // effort.per_window, 1)
        times = {START_AT, *(START_AT + one for one in LATER if one < window // 2)}
        times |= set(range(START_AT + step, START_AT + windows * window + 1, step))
        seen = [(at, self.key_at(at)) for at in sorted(times)]
        edges = [self._edge(one[0], two[0], effort.least) for one, two in pairwise(seen) if not one[1].same(two[1])]
        return (
            self._too_short(edges, window, effort)
            or self._too_long(window)
            or self._too_many(seen, window)
            or self._comes_back(window)
        )

    def _too_short(self, edges: list[int], window: int, effort: Effort) -> KeyFinding | None:
        for one, two in pairwise(edges):
            if two - one < window - effort.least:
                when = f"{_utc(two)}, {span(two - one)} after the key before it began; its window is {span(window)}"
                return self._finding("window", when, self.key_at(two - effort.least), self.key_at(two))
        return None

    def _too_long(self, window: int) -> KeyFinding | None:
        for part in range(8):
            at = START_AT + part * window // 8
            first, after = self.key_at(at), self.key_at(at + window)
            if first.same(after):
                when = f"still the same {span(window)} after {_utc(at)}: it outlives its window"
                return self._finding("window", when, first, after)
        return None

    def _too_many(self, seen: list[tuple[int, Outcome]], window: int) -> KeyFinding | None:
        total = seen[-1][0] - seen[0][0]
        keys = list({outcome.shown: outcome for _, outcome in seen}.values())
        most = -(-total // window) + 1
        if len(keys) <= most:
            return None
        when = f"{len(keys)} keys within {span(total)}, where a window of {span(window)} allows {most}"
        return self._finding("window", when, keys[0], keys[1])

    def _comes_back(self, window: int) -> KeyFinding | None:
        later = {window * count for count in range(2, 13)}
        later |= {-(-days * DAY // window) * window for days in (1, 7, 28, 364, 365, 366)}
        first = self.key_at(START_AT)
        for after in sorted(later - {window}):
            found = self.key_at(START_AT + after)
            if found.same(first):
                when = f"the key of {_utc(START_AT)} comes back {span(after)} later, and with it an old answer"
                return self._finding("window", when, first, found)
        return None

    def _edge(self, low: int, high: int, least: int) -> int:
        """The first instant of another key: between two instants whose keys differ, to within `least`."""
        first = self.key_at(low)
        while high - low > least:
            middle = (low + high) // 2
            if self.key_at(middle).same(first):
                low = middle
            else:
                high = middle
        return high

    def _finding(self, source: str, when: str, first: Outcome, second: Outcome) -> KeyFinding:
        if first.kind != second.kind:
            source = "raises"
        return KeyFinding("time", source, str(self.given), when, first.shown, second.shown, self.clock)


def span(length: int) -> str:
    """A span of time for a reader.

    >>> span(1), span(2_500_000), span(5 * HOUR), span(90 * MINUTE), span(3 * DAY)
    ('1 microsecond', '2.5 s', '5h', '1h30m', '72h')
    """
    if length < SECOND:
        return f"{length} microsecond{'s' * (length > 1)}"
    if length % MINUTE:
        return f"{length / SECOND:g} s"
    hours, minutes = length // HOUR, length % HOUR // MINUTE
    return f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)


def _utc(at: int) -> str:
    when = moment(at)
    return f"{when:%Y-%m-%d %H:%M:%S}" + (f".{when:%f}" if when.microsecond else "") + " UTC"
