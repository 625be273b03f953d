"""The share of hits that a cache may be expected to have now: by the hour, and by its age since a restart."""

from typing import Any, Self

from spendgate.clock import DAY, HOUR, MINUTE

GRACE = 5 * MINUTE
"""How long after a restart nothing counts against a cache."""
LEARNED_AFTER = 24
"""After how many hours with lookups there is a past to compare with."""
_FEWEST = 100
_SHRINK = 20
"""An hour of few lookups is drawn towards the mean as if it had so many more."""
_AGES = 32
_UNKNOWN = -1.0


class Usual:
    """What one cache has shown so far. All shares are of hits, from 0 to 1.

    Attributes:
        lookups: how many there were in all.
        hits: hits among them.
    """

    __slots__ = (
        "_age",
        "_age_hits",
        "_ages",
        "_hour",
        "_hour_hits",
        "_hour_misses",
        "_hours",
        "_lows",
        "_mean",
        "_restarted_at",
        "_since",
        "hits",
        "lookups",
    )

    def __init__(self) -> None:
        self.lookups = self.hits = 0
        self._mean = _UNKNOWN
        self._hours = 0
        self._lows = [_UNKNOWN] * 48
        self._ages = [_UNKNOWN] * _AGES
        self._restarted_at: int | None = None
        self._since = self._age = self._age_hits = 0
        self._hour: int | None = None
        self._hour_hits = self._hour_misses = 0

    def restarted(self, at: int) -> None:
        """The cache may be empty."""
        self._restarted_at = at
        self._since = self._age = self._age_hits = 0

    def age_of(self, at: int) -> int:
        """Microseconds since the restart; a clock that went back makes nothing young."""
        if self._restarted_at is None:
            self._restarted_at = at
        if at < self._restarted_at:
            self._restarted_at = at - GRACE
        return at - self._restarted_at

    def ready(self) -> bool:
        """Whether there is a past to compare with."""
        return self._hours >= LEARNED_AFTER and self.lookups >= _FEWEST

    def mean(self) -> float:
        """The share of hits of an hour that is like most."""
        return self._mean if self._mean != _UNKNOWN else self.hits / (self.lookups or 1)

    def expected(self, at: int) -> float | None:
        """The lowest share of hits that would be nothing new; None while nothing is known."""
        if self._mean == _UNKNOWN:
            return self.hits / self.lookups if self.lookups else None
        return min([self._mean, *(share for share in self._around(at) if share != _UNKNOWN)])

    def _around(self, at: int) -> list[float]:
        """What the hours around this one have shown; where they are not known, the same ones of the other days."""
        slots = [_slot(at + shift) for shift in (-HOUR, 0, HOUR)]
        lows = [self._lows[slot] if self._lows[slot] != _UNKNOWN else self._lows[(slot + 24) % 48] for slot in slots]
        return [*lows, self._ages[min(self._since.bit_length(), _AGES - 1)]]

    def feed(self, at: int, hits: int, misses: int, *, steady: bool) -> tuple[int, int, int] | None:
        """Counts lookups; returns the hour that is over with them: its instant, hits and misses."""
        self.lookups += hits + misses
        self.hits += hits
        self._since += hits + misses
        self._grow_older(hits, misses, steady=steady)
        over, hour = None, at // HOUR
        if self._hour is not None and hour != self._hour:
            over = (self._hour * HOUR, self._hour_hits, self._hour_misses)
            self._hour_hits = self._hour_misses = 0
        self._hour = hour
        self._hour_hits += hits
        self._hour_misses += misses
        return over

    def _grow_older(self, hits: int, misses: int, *, steady: bool) -> None:
        """Ages are counted in lookups since the restart, each twice the one before."""
        self._age += hits + misses
        self._age_hits += hits
        age = min(self._since.bit_length(), _AGES - 1)
        if age == min((self._since - hits - misses).bit_length(), _AGES - 1):
            return
        was = min((self._since - hits - misses).bit_length(), _AGES - 1)
        if steady:
            share = self._age_hits / self._age
            for one in range(was, age):
                old = self._ages[one]
                self._ages[one] = share if old == _UNKNOWN else old + (share - old) * (0.5 if share < old else 0.3)
        self._age = self._age_hits = 0

    def learn(self, at: int, hits: int, misses: int) -> None:
        """An hour was as usual. While a cache warms up, it tells nothing of its hour."""
        lookups = hits + misses
        if not lookups:
            return
        self._hours += 1
        if self._mean == _UNKNOWN:
            self._mean = hits / lookups
        share = (hits + _SHRINK * self._mean) / (lookups + _SHRINK)
        weight = max(1 / self._hours, 1 / 168) * min(1.0, lookups / _SHRINK)
        warm = self._warm(at)
        if warm or self._hours < LEARNED_AFTER:
            self._mean += (hits / lookups - self._mean) * weight
        if warm:
            slot = _slot(at)
            low = self._lows[slot]
            self._lows[slot] = share if low == _UNKNOWN or share < low else low + (share - low) * 0.1

    def _warm(self, at: int) -> bool:
        if self._restarted_at is None or at - self._restarted_at >= 3 * DAY:
            return True
        age = self._ages[min(self._since.bit_length(), _AGES - 1)]
        return age == _UNKNOWN or age >= 0.8 * self._mean

    def state(self) -> list[Any]:
        """All of it, for JSON."""
        lows = [round(share, 4) for share in self._lows]
        ages = [round(share, 4) for share in self._ages]
        return [lows, ages, *(getattr(self, name) for name in _SCALARS)]

    @classmethod
    def from_state(cls, state: list[Any]) -> Self:
        """What `state` wrote."""
        usual = cls()
        lows, ages, *scalars = state
        if len(lows) != 48 or len(ages) != _AGES or len(scalars) != len(_SCALARS):
            raise TypeError("not of this version")
        usual._lows, usual._ages = [float(share) for share in lows], [float(share) for share in ages]
        for name, value in zip(_SCALARS, scalars, strict=True):
            setattr(usual, name, value)
        return usual


_SCALARS = (
    *("lookups", "hits", "_mean", "_hours", "_restarted_at", "_since", "_age", "_age_hits"),
    *("_hour", "_hour_hits", "_hour_misses"),
)


def _slot(at: int) -> int:
    """The hour of the day, UTC, on a weekday or on a weekend; 1970 began with a Thursday."""
    return at // HOUR % 24 + 24 * ((at // DAY + 3) % 7 >= 5)
