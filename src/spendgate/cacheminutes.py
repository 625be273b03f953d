"""What caches did, minute by minute, as the ledger keeps it: plain counts, and the dollars that misses caused."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from typing import Protocol

from spendgate.clock import DAY, MINUTE


@dataclass(frozen=True, slots=True)
class CacheMinute:
    """What one cache did in one minute, for one service and version of the program.

    `minute_at` is the minute's first instant; in compacted history a day's. `load_us` is how long misses took to load,
    `miss_usd` what they cost, in nano-dollars. `size` and `capacity` are the last known, in the cache's own unit; 0 for
    unknown or without bound.
    """

    cache: str
    service: str
    version: str
    minute_at: int
    hits: int = 0
    misses: int = 0
    sets: int = 0
    evictions: int = 0
    errors: int = 0
    load_us: int = 0
    miss_usd: int = 0
    size: int = 0
    capacity: int = 0

    @property
    def lookups(self) -> int:
        """How often the cache was asked, failures not counted."""
        return self.hits + self.misses

    @property
    def key(self) -> tuple[int, str, str, str]:
        """What a minute goes by in the ledger."""
        return self.minute_at, self.cache, self.service, self.version

    @property
    def numbers(self) -> tuple[int, ...]:
        """All that is counted, in the order of the fields."""
        return astuple(self)[4:]

    def plus(self, other: "CacheMinute") -> "CacheMinute":
        """Both together, under this one's key; size and capacity are the other's, which is the later.

        >>> CacheMinute("a", "", "", 0, hits=2, size=5).plus(CacheMinute("a", "", "", 60, hits=1, size=7)).numbers
        (3, 0, 0, 0, 0, 0, 0, 7, 0)
        """
        return replace(
            self,
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            sets=self.sets + other.sets,
            evictions=self.evictions + other.evictions,
            errors=self.errors + other.errors,
            load_us=self.load_us + other.load_us,
            miss_usd=self.miss_usd + other.miss_usd,
            size=other.size,
            capacity=other.capacity,
        )


def minute_of(at: int) -> int:
    """The first instant of the minute around an instant."""
    return at - at % MINUTE


def by_day(minutes: Iterable[CacheMinute]) -> list[CacheMinute]:
    """Minutes summed to days of UTC, for history that nobody looks at minute by minute any more."""
    days: dict[tuple[int, str, str, str], CacheMinute] = {}
    for one in minutes:
        day = replace(one, minute_at=one.minute_at - one.minute_at % DAY)
        days[day.key] = days[day.key].plus(day) if day.key in days else day
    return list(days.values())


class CacheStore(Protocol):
    """What a ledger keeps of caches."""

    def add_cache_minutes(self, minutes: Iterable[CacheMinute], now_at: int) -> None:
        """Adds counts to minutes, all of them or none. Size and capacity are replaced."""

    def cache_minutes(self, since_at: int, until_at: int, cache: str = "") -> list[CacheMinute]:
        """The minutes that begin in a stretch of time, oldest first, of one cache or of all."""

    def cache_past(self, cache: str, service: str) -> tuple[int, str]:
        """Up to which instant a cache was judged, and what is known of its past; 0 and nothing where it never was."""

    def put_cache_past(self, cache: str, service: str, before_at: int, judged_at: int, past: str) -> bool:
        """Writes down what is known of a cache's past, unless somebody else has judged it since `before_at`."""
