"""Is a cache too small for what is asked of it: entries that leave before they are asked for again.

A full cache that evicts is nothing bad: that is how it stays bounded. It is too small where what it evicts comes back:
evictions keep pace with misses, the misses are for keys that it has had, and hardly anything hits.

>>> evictions = Evictions()
>>> from spendgate.clock import MINUTE
>>> for minute in range(60):
...     told = evictions.feed(minute * MINUTE, hits=2, misses=98, evicted=98, size=100, again=9, looked=10)
...     if told:
...         print(told.sentence("pages"))
pages: full with 100 entries, each evicted after about 61 s; 98 % of 3,000 lookups missed, \
90 % of these for a key asked for before. It is too small.
"""

from dataclasses import dataclass, replace

from spendgate.clock import HOUR, MINUTE, SECOND

WINDOW = 10 * MINUTE
"""What is judged at once."""
WINDOWS = 3
"""So many windows in a row are an episode; as many good ones end it."""
FEWEST = 100
"""A window with fewer misses says nothing."""
FEWEST_LOOKED_AT = 20
MOST_HITS = 0.2
"""A cache with a larger share of hits does its work, however much it evicts."""
AGAIN = 0.5
"""The share of misses for keys asked for before, from which on they are its own fault."""
TURNOVERS = 10
"""Where that share is not known: how many times in a window the whole content must have been evicted."""
_GAP = HOUR


@dataclass(frozen=True, slots=True)
class EvictionEpisode:
    """A time in which a cache was too small.

    Attributes:
        began_at: when its first bad window began, in microseconds.
        ended_at: when it was over; 0 while it runs.
        lookups: lookups since then.
        misses: misses among them.
        evicted: entries that were evicted since then.
        size: entries in it.
        lived_s: how long an entry stayed, in seconds, on average.
        again: of the misses that were looked at, the share for keys asked for before, from 0 to 1; None if unknown.
    """

    began_at: int
    ended_at: int
    lookups: int
    misses: int
    evicted: int
    size: int
    lived_s: float
    again: float | None

    def sentence(self, name: str) -> str:
        """The episode for people; `name` is the cache's."""
        missed = f"{self.misses / (self.lookups or 1):.0%}".replace("%", " %")
        known = ""
        if self.again is not None:
            known = f", {self.again:.0%} of these for a key asked for before".replace("%", " %")
        verdict = "It was too small." if self.ended_at else "It is too small."
        return (
            f"{name}: full with {self.size:,} entries, each evicted after about {self.lived_s:,.0f} s; "
            f"{missed} of {self.lookups:,} lookups missed{known}. {verdict}"
        )


@dataclass(slots=True)
class _Window:
    began_at: int
    hits: int = 0
    misses: int = 0
    evicted: int = 0
    size: int = 0
    capacity: int = 0
    again: int = 0
    looked: int = 0
    lasted: int = 0

    def is_bad(self) -> bool | None:
        """Whether the cache was too small; None where the window says nothing."""
        if self.misses < FEWEST:
            return None
        full = self.size > 0 and (not self.capacity or self.size >= 0.9 * self.capacity)
        if not full or self.evicted < self.misses / 2 or self.hits > MOST_HITS * (self.hits + self.misses):
            return False
        if self.looked >= FEWEST_LOOKED_AT:
            return self.again >= AGAIN * self.looked
        return self.evicted >= TURNOVERS * self.size


class Evictions:
    """One cache's evictions against its size and its misses. Its state is a few numbers.

    Attributes:
        episode: the one that runs, or None.
    """

    __slots__ = ("_bad", "_good", "_run", "_window", "episode")

    def __init__(self) -> None:
        self._window: _Window | None = None
        self._run = _Window(0)
        self._bad = self._good = 0
        self.episode: EvictionEpisode | None = None

    def feed(
        self,
        at: int,
        *,
        hits: int,
        misses: int,
        evicted: int,
        size: int,
        capacity: int = 0,
        again: int = 0,
        looked: int = 0,
    ) -> EvictionEpisode | None:
        """Takes a minute of a cache.

        Args:
            at: its instant, in microseconds.
            hits: lookups that were hits.
            misses: lookups that were not.
            evicted: entries that left because there was no room; not those that expired or were deleted.
            size: entries in it now.
            capacity: the most it takes; 0 where that is not known.
            again: how many of the misses that were looked at were for a key asked for before.
            looked: how many misses were looked at.

        Returns:
            The episode that begins or ends with it, or None.
        """
        told = None
        window = self._window
        if window is not None and not 0 <= at - window.began_at < WINDOW:
            told = self._close(window, at)
            window = None
        if window is None:
            window = self._window = _Window(at)
        window.hits += hits
        window.misses += misses
        window.evicted += evicted
        window.size, window.capacity = size, capacity
        window.again += again
        window.looked += looked
        return told

    def _close(self, window: _Window, at: int) -> EvictionEpisode | None:
        """A window is over: three bad ones in a row begin an episode, three others end it."""
        bad = window.is_bad()
        window.lasted = at - window.began_at
        if not 0 <= at - window.began_at < _GAP:  # the clock has jumped, or the cache was left alone for long
            self._bad = 0
            bad = False if self.episode else None
        if bad is None:
            return None
        if bad:
            self._good = 0
            self._bad += 1
            self._run = _joined(self._run, window) if self._bad > 1 or self.episode else window
        else:
            self._bad = 0
            self._good += 1
        if self.episode is None and self._bad == WINDOWS:
            self.episode = _episode(self._run)
            return self.episode
        if self.episode is not None and bad:
            self.episode = _episode(self._run)
        elif self.episode is not None and self._good >= WINDOWS:
            ended, self.episode = replace(self.episode, ended_at=at), None
            return ended
        return None


def _joined(one: _Window, two: _Window) -> _Window:
    return _Window(
        one.began_at,
        one.hits + two.hits,
        one.misses + two.misses,
        one.evicted + two.evicted,
        two.size,
        two.capacity,
        one.again + two.again,
        one.looked + two.looked,
        one.lasted + two.lasted,
    )


def _episode(run: _Window) -> EvictionEpisode:
    return EvictionEpisode(
        began_at=run.began_at,
        ended_at=0,
        lookups=run.hits + run.misses,
        misses=run.misses,
        evicted=run.evicted,
        size=run.size,
        lived_s=run.size * run.lasted / SECOND / (run.evicted or 1),
        again=run.again / run.looked if run.looked >= FEWEST_LOOKED_AT else None,
    )
