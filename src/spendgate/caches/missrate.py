"""Does a cache miss more than it used to: a capped binomial CUSUM against the cache's own past.

Each miss speaks for "only a third as many hits as usual", each hit against it, by the logarithm of how likely either
is. The sum never falls below zero, and rises by a sixth of the bound in an hour at most: it takes five and a half bad
hours, whatever the number of lookups, so no single busy hour convicts. Apart from that, a thousand lookups without any
hit are a finding at once.

*Usual* is the lowest of what may be expected: the mean, what the hours around this one of a weekday or weekend day have
shown, and what the cache has shown at the same age, in lookups since a restart. So a nightly scan and a cold start are
no findings once they have been seen.

>>> from spendgate.clock import HOUR
>>> rate = MissRate()
>>> for hour in range(48):
...     _ = rate.feed(hour * HOUR, hits=70, misses=30)
>>> rate.feed(48 * HOUR, hits=0, misses=1000).sentence("enrichment")
'enrichment: no hit in 1,000 lookups. Usually 70 % are hits.'
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Any, Self

from spendgate.caches.usual import GRACE, Usual
from spendgate.clock import HOUR

BOUND = 25.0
"""The evidence at which an episode begins, as a logarithm: e^25 times as likely as with the usual hits."""
HOURS = 6
"""So many hours of nothing but misses it takes, or half an hour less."""
WITHOUT_HIT = 1000
"""So many lookups without a hit are an episode at once."""
FEWEST = 50
"""No episode begins on fewer lookups than this."""
HARDLY_HITS = 0.05
"""A cache, or an hour, with a smaller share of hits is not judged: there is nothing to lose."""
PENDING = 24
"""So many hours are learned after all if the hits come back by themselves."""


@dataclass(frozen=True, slots=True)
class MissEpisode:
    """A time in which a cache has missed far more than usual.

    Attributes:
        began_at: when the evidence began to rise, in microseconds.
        noticed_at: when there was enough of it.
        ended_at: when the hits were back; 0 while it runs.
        lookups: lookups since it began.
        hits: hits among them.
        usual: the share of hits that the cache used to have, from 0 to 1.
    """

    began_at: int
    noticed_at: int
    ended_at: int
    lookups: int
    hits: int
    usual: float

    def sentence(self, name: str) -> str:
        """The episode for people; `name` is the cache's."""
        if not self.hits:
            found = f"{name}: no hit in {self.lookups:,} lookups."
        else:
            found = f"{name}: {self.hits:,} hits in {self.lookups:,} lookups, {self.hits / self.lookups:.0%}."
        text = f"{found} Usually {self.usual:.0%} are hits."
        return text.replace("%", " %") + (" It hits again." if self.ended_at else "")


class MissRate:
    """One cache's hits and misses against its own past.

    Feed it once a minute, or whenever there is something; minutes without lookups may be left out. Its state is a few
    kilobytes and outlives the process: `to_json`, `from_json`. Whoever takes it up in a new process calls `restarted`.

    It judges once it has seen 100 lookups and a day; a thousand lookups without a hit already after 500. In the first
    five minutes after a restart nothing counts against the cache.

    Attributes:
        episode: the one that runs, or None.
    """

    __slots__ = (
        "_allowed",
        "_began_at",
        "_hits",
        "_lookups",
        "_pending",
        "_sum",
        "_until",
        "_usual",
        "_without",
        "_without_at",
        "episode",
    )

    def __init__(self) -> None:
        self._usual = Usual()
        self._sum = self._allowed = 0.0
        self._until: int | None = None
        self._began_at = self._hits = self._lookups = 0
        self._without = self._without_at = 0
        self._pending: list[tuple[int, int, int]] | None = []
        self.episode: MissEpisode | None = None

    def restarted(self, at: int) -> None:
        """The cache may be empty from this instant on, as after a restart of the process that holds it."""
        self._usual.restarted(at)
        self._without = 0

    def feed(self, at: int, hits: int, misses: int) -> MissEpisode | None:
        """Takes the lookups of a minute.

        Args:
            at: its instant, in microseconds. One that goes back is taken as it is.
            hits: how many of them were hits.
            misses: how many were not.

        Returns:
            The episode that begins or ends with them, or None. `episode` has the one that runs, counted up.
        """
        lookups = hits + misses
        if lookups <= 0:
            return None
        self._allow(at)
        usual = self._usual.expected(at)
        graceful = self._usual.age_of(at) < GRACE
        self._count(at, hits, misses, usual, graceful=graceful)
        learned = self._usual.feed(at, hits, misses, steady=self.episode is None and self._sum < BOUND * 0.4)
        if learned is not None:
            self._learn(learned)
        if self.episode is not None:
            self.episode = replace(self.episode, lookups=self.episode.lookups + lookups, hits=self.episode.hits + hits)
            return self._end(at) if self._sum == 0 else None
        return self._begin(at, usual, graceful=graceful)

    def _count(self, at: int, hits: int, misses: int, usual: float | None, *, graceful: bool) -> None:
        """Moves the sum on, and the run without a hit."""
        if hits:
            self._without = 0
        elif not graceful:
            self._without_at = self._without_at if self._without else at
            self._without += misses
        if self._sum == 0:
            self._began_at, self._hits, self._lookups = at, 0, 0
        moved = 0.0
        if usual is not None and (usual >= HARDLY_HITS or hits):
            usual = min(max(usual, HARDLY_HITS), 0.98)
            moved = hits * math.log(1 / 3) + misses * math.log((1 - usual / 3) / (1 - usual))
        if moved > 0 and (graceful or not self._usual.ready()):
            moved = 0.0
        if moved > 0:
            moved = min(moved, self._allowed)
            self._allowed -= moved
        self._sum = max(0.0, min(self._sum + moved, BOUND))
        self._hits += hits
        self._lookups += hits + misses

    def _allow(self, at: int) -> None:
        """How far the sum may rise grows with time: a sixth of the bound in an hour, half an hour's worth is kept.

        A clock that goes to and fro gains nothing by it; one that has jumped ahead and back is believed again.
        """
        if self._until is None or at < self._until - 2 * HOUR:
            self._until = at
        elif at > self._until:
            grown = self._allowed + BOUND / HOURS * (at - self._until) / HOUR
            if at - self._until <= HOUR:
                self._allowed = min(grown, BOUND / HOURS / 2)
            self._until = at

    def _begin(self, at: int, usual: float | None, *, graceful: bool) -> MissEpisode | None:
        if usual is None or usual < HARDLY_HITS or graceful:
            return None
        if self._without >= WITHOUT_HIT and self._usual.lookups >= WITHOUT_HIT // 2 + self._without:
            self._sum = BOUND
            self.episode = MissEpisode(self._without_at, at, 0, self._without, 0, self._usual.mean())
            return self.episode
        if self._sum >= BOUND and self._lookups >= FEWEST:
            self.episode = MissEpisode(self._began_at, at, 0, self._lookups, self._hits, self._usual.mean())
            return self.episode
        return None

    def _end(self, at: int) -> MissEpisode | None:
        if self.episode is None:
            return None
        ended, self.episode = replace(self.episode, ended_at=at), None
        return ended

    def _learn(self, hour: tuple[int, int, int]) -> None:
        """An hour is over. It is the usual, unless it may belong to an episode: then it waits for how that ends."""
        if self.episode is None and self._sum < 1:
            for one in self._pending or []:
                self._usual.learn(*one)
            self._pending = []
            self._usual.learn(*hour)
        elif self._pending is not None:
            self._pending.append(hour)
            if len(self._pending) > PENDING:
                self._pending = None

    def to_json(self) -> str:
        """The state as text."""
        episode = self.episode
        return json.dumps(
            {
                "usual": self._usual.state(),
                "sum": [self._sum, self._allowed, self._until, self._began_at, self._hits, self._lookups],
                "without": [self._without, self._without_at],
                "pending": self._pending,
                "episode": episode and [getattr(episode, name) for name in episode.__dataclass_fields__],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The state that `to_json` wrote.

        Raises:
            ValueError: it did not write this.
        """
        rate = cls()
        try:
            state: dict[str, Any] = json.loads(text)
            rate._usual = Usual.from_state(state["usual"])
            rate._sum, rate._allowed, rate._until, rate._began_at, rate._hits, rate._lookups = state["sum"]
            rate._without, rate._without_at = state["without"]
            pending = state["pending"]
            rate._pending = None if pending is None else [(at, hits, misses) for at, hits, misses in pending]
            rate.episode = MissEpisode(*state["episode"]) if state["episode"] else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is not the state of a miss rate") from error
        return rate
