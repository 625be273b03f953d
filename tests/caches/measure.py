"""The figures of docs/caches-how.md, measured again: `python -m tests.caches.measure [CACHES]`; 1,000 take minutes."""

import random
import sys
from itertools import islice
from time import process_time

from spendgate.caches.churn import Churn
from spendgate.caches.missrate import MissRate
from spendgate.caches.silence import Rhythm
from spendgate.clock import MINUTE, SECOND, moment
from tests.caches.populations import BEGAN_AT, HEALTHY, new_uuid, spelled
from tests.caches.seasons import busy_year, quiet_year
from tests.caches.test_churn import accused, convicted, size, worst
from tests.caches.test_missrate import episodes, until_found

LOOKUPS = 5000


def churn(caches: int) -> None:
    """How many healthy caches are convicted, and how soon those that churn are."""
    makers = [HEALTHY[seed % len(HEALTHY)] for seed in range(caches)]
    said = [text for seed, make in enumerate(makers) if (text := accused(make, 20_000 + seed, LOOKUPS))]
    print(f"false verdicts of {caches:,} healthy caches, {LOOKUPS:,} lookups each: {len(said)}", *said, sep="\n  ")
    own = [convicted(lambda rng, at, n: f"e:{n}:{moment(at).isoformat()}", 400, seed, 10)[1] for seed in range(100)]
    print(f"lookups until the lookup's own time is named, no record repeats, at most of 100: {max(own)}")
    other = [
        convicted(lambda rng, at, n, seed=seed: f"e:{n}:{spelled(random.Random(seed), at)}", 400, seed, 10)[1]
        for seed in range(100)
    ]
    print(f"  the same in ten spellings: {max(other)}; not within 400: {other.count(0)}")
    drawn = [
        convicted(lambda rng, _, __: f"e:{rng.randrange(811)}:{new_uuid(rng)}", 4000, seed, 20)[1]
        for seed in range(100)
    ]
    print(
        f"lookups until a UUID beside 811 records is named, at most of 100: {max(drawn)}; not at all: {drawn.count(0)}"
    )


def missing(caches: int) -> None:
    """False episodes in benign years, and hours until real ones."""
    for year, many in ((busy_year, caches // 10 + 1), (quiet_year, caches // 50 + 1)):
        found = sum(len(episodes(year(random.Random(90_000 + seed)))) for seed in range(many))
        print(f"false episodes per cache and month, {many} benign years ({year.__name__}): {found / many / 12:.3f}")
    for at_restart in (False, True):
        hours = [
            until_found(10, seed, at_restart=at_restart, cold=True, days=random.Random(seed).uniform(3, 30))[0]
            for seed in range(max(caches // 20, 2))
        ]
        when = "at a restart" if at_restart else "while running"
        print(f"hours until 10 lookups an hour without a hit are found, broken {when}, at most: {max(hours):.1f}")


def cost() -> None:
    """Time of a lookup that is passed over, of one that is looked at, of a verdict; bytes."""
    watched = Churn()
    watched.mask = 0xFFFF
    keys = [f"enrichment:{number % 811}:{moment(BEGAN_AT + number * SECOND).isoformat()}" for number in range(20_000)]
    for key in keys:
        hash(key)
    began = process_time()
    for key in keys:
        if not hash(key) & watched.mask:
            watched.look(key, BEGAN_AT)
    passed = process_time() - began
    began = process_time()
    for _ in keys:
        pass
    print(f"a lookup that is passed over: {(passed - process_time() + began) / len(keys) * 1e6:.3f} µs")
    watched = Churn()
    began = process_time()
    for number, key in enumerate(keys):
        watched.look(key, BEGAN_AT + number * SECOND)
    print(f"a lookup that is looked at: {(process_time() - began) / len(keys) * 1e6:.1f} µs")
    began = process_time()
    for number in range(1000):
        watched.verdict(BEGAN_AT + number)
    print(f"a verdict: {(process_time() - began) * 1e3:.1f} µs")
    rng, most = random.Random(7), Churn()
    for number in range(20_000):
        most.look(worst(rng, BEGAN_AT + number * MINUTE, number), BEGAN_AT + number * MINUTE)
    rate, rhythm = MissRate(), Rhythm()
    for at, hits, misses, _ in islice(busy_year(rng), 5000):
        rate.feed(at, hits, misses)
        rhythm.feed(at, hits + misses)
    sizes = [size(one, set()) for one in (most, rate, rhythm)]
    print(f"bytes: keys {sizes[0]:,}, misses {sizes[1]:,}, rhythm {sizes[2]:,}")


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    cost()
    churn(asked)
    missing(asked)
