"""What caches did over a stretch of time, summed by cache, service and version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spendgate.cacheminutes import CacheMinute


@dataclass(frozen=True, slots=True)
class CacheSums:
    """One cache for one service and version. `rates` is the share of hits over time; None where nobody asked it."""

    total: CacheMinute
    first_at: int
    last_at: int
    rates: tuple[float | None, ...]

    @property
    def hit_rate(self) -> float | None:
        """The share of lookups that were hits; None where there were none."""
        return self.total.hits / self.total.lookups if self.total.lookups else None

    @property
    def load_ms(self) -> float | None:
        """How long a miss took to load, on average, in milliseconds; None where none was timed."""
        return self.total.load_us / self.total.misses / 1000 if self.total.misses and self.total.load_us else None


def sum_caches(minutes: Iterable[CacheMinute], steps: int = 24) -> list[CacheSums]:
    """The sums, those whose misses cost most first; `rates` has up to `steps` equal stretches of all the time there is.

    >>> one, two = (CacheMinute("pages", "", "", at * 60_000_000, hits=at, misses=1) for at in (0, 3))
    >>> (sums,) = sum_caches([one, two], steps=4)
    >>> sums.total.lookups, sums.rates
    (5, (0.0, None, None, 0.75))
    """
    groups: dict[tuple[str, str, str], list[CacheMinute]] = {}
    for one in minutes:
        groups.setdefault((one.cache, one.service, one.version), []).append(one)
    if not groups:
        return []
    first_at = min(found[0].minute_at for found in groups.values())
    last_at = max(found[-1].minute_at for found in groups.values())
    sums = [_summed(found, first_at, last_at, steps) for found in groups.values()]
    return sorted(sums, key=lambda one: (-one.total.miss_usd, -one.total.lookups, one.total.key[1:]))


def _summed(minutes: Sequence[CacheMinute], first_at: int, last_at: int, steps: int) -> CacheSums:
    total = minutes[0]
    for one in minutes[1:]:
        total = total.plus(one)
    width = max(-(-(last_at - first_at + 1) // steps), 1)
    stretches = [[0, 0] for _ in range((last_at - first_at) // width + 1)]
    for one in minutes:
        stretch = stretches[(one.minute_at - first_at) // width]
        stretch[0] += one.hits
        stretch[1] += one.lookups
    rates = tuple(hits / lookups if lookups else None for hits, lookups in stretches)
    return CacheSums(replace(total, minute_at=minutes[0].minute_at), minutes[0].minute_at, minutes[-1].minute_at, rates)
