"""Simulated years of caches that are well: hours, weekends, restarts, warm-ups, scans, busy days."""

import math
import random
from collections.abc import Iterator

from spendgate.clock import DAY, HOUR, MINUTE
from tests.caches.populations import Answering, draw

BEGAN_AT = 1_790_000_000_000_000
RESTART_EVERY = 12 * DAY
Fed = tuple[int, int, int, bool]
"""An instant, hits, misses, and whether the cache was restarted just before."""


def poisson(rng: random.Random, mean: float) -> int:
    """A count around a mean."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = rng.random()
    while product > left:
        count += 1
        product *= rng.random()
    return count


def binomial(rng: random.Random, count: int, share: float) -> int:
    """How many of so many come true."""
    if count > 50:
        return min(count, max(0, round(rng.gauss(count * share, math.sqrt(count * share * (1 - share))))))
    return sum(rng.random() < share for _ in range(count))


def activity(at: int, night: float, weekend: float) -> float:
    """How busy an hour is: fullest in the afternoon, `night` of it at night, `weekend` of that on weekends."""
    hour = at / HOUR % 24
    day = night + (1 - night) * (1 + math.sin((hour - 9) / 24 * 2 * math.pi)) / 2
    return day * (weekend if (at // DAY + 3) % 7 >= 5 else 1.0)


def busy_year(rng: random.Random, days: int = 365, per_hour: float = 0, step: int = 10 * MINUTE) -> Iterator[Fed]:
    """A cache of many lookups, drawn: its hit rate moves with the hour, the weekend, the day, scans and restarts."""
    per_hour = per_hour or 10 ** rng.uniform(1.5, 5)
    base, swing, week = rng.uniform(-0.3, 2.0), rng.uniform(0, 0.7), rng.uniform(-0.8, 0.3)
    night, weekend = rng.uniform(0.02, 1), rng.uniform(0.05, 1)
    warms = 10 ** rng.uniform(1, 5) if rng.random() < 0.7 else 0.0
    batch = rng.choice([None, rng.randrange(24)])
    drift, since, scan_until, scan_share = 0.0, 0.0, 0, 0.0
    restart = BEGAN_AT
    for at in range(BEGAN_AT, BEGAN_AT + days * DAY, step):
        restarted = at >= restart
        if restarted:
            restart, since = restart + RESTART_EVERY, 0.0
        hour = at // HOUR % 24
        drift += -drift * step / DAY + rng.gauss(0, 0.35 * math.sqrt(2 * step / DAY))
        logit = base + drift + swing * math.sin((hour - 6) / 24 * 2 * math.pi)
        logit += week * ((at // DAY + 3) % 7 >= 5)
        share = 1 / (1 + math.exp(-logit))
        if warms:
            share *= 1 - math.exp(-(since + 1) / warms)
        mean = per_hour * step / HOUR * activity(at, night, weekend)
        if rng.random() < 2 / 30 * step / DAY:  # somebody's own scan, twice a month, for up to four hours
            scan_until, scan_share = at + rng.randrange(HOUR // 2, 4 * HOUR), rng.uniform(0.3, 0.95)
        if at < scan_until:
            share *= 1 - scan_share
        if hour == batch:
            mean, share = mean + per_hour * step / HOUR, share * 0.1
        count = poisson(rng, mean)
        hits = binomial(rng, count, share)
        since += count
        yield at, hits, count - hits, restarted


def quiet_year(rng: random.Random, days: int = 365, per_hour: float = 0) -> Iterator[Fed]:
    """A cache of few lookups, played through: drawn keys, entries that expire, empty after each restart."""
    per_hour = per_hour or 10 ** rng.uniform(1, 2.3)
    night, weekend = rng.uniform(0.1, 1), rng.uniform(0.2, 1)
    one = draw(rng, rng.choice([50, 300, 2000]), rng.uniform(0.7, 1.3))
    expires_after = rng.choice([6 * HOUR, DAY, 7 * DAY, 1000 * DAY])
    restart, cache = BEGAN_AT, Answering(10_000, expires_after)
    for at in range(BEGAN_AT, BEGAN_AT + days * DAY, 10 * MINUTE):
        restarted = at >= restart
        if restarted:
            restart, cache = restart + RESTART_EVERY, Answering(10_000, expires_after)
        count = poisson(rng, per_hour / 6 * activity(at, night, weekend))
        hits = sum(cache.ask(one(), at) for _ in range(count))
        yield at, hits, count - hits, restarted
