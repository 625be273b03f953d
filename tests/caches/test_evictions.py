"""A cache that is too small is told from one that is merely full."""

import random
from collections.abc import Callable
from itertools import count

import pytest

from spendgate.caches.churn import Churn
from spendgate.caches.evictions import EvictionEpisode, Evictions
from spendgate.clock import DAY, MINUTE, SECOND
from tests.caches.populations import BEGAN_AT, draw


def played(next_key: Callable[[], object], room: int, hours: int = 3, per_minute: int = 200) -> list[EvictionEpisode]:
    """The episodes of a bounded cache, the longest unused out first, with what its keys say about its misses."""
    evictions, churn, told = Evictions(), Churn(), []
    kept: dict[object, None] = {}
    for minute in range(hours * 60):
        at = BEGAN_AT + minute * MINUTE
        hits = misses = evicted = 0
        missed, again = churn.missed, churn.missed_again
        for number in range(per_minute):
            key = next_key()
            hit = key in kept
            kept.pop(key, None)
            kept[key] = None
            hits, misses = hits + hit, misses + (not hit)
            if len(kept) > room:
                del kept[next(iter(kept))]
                evicted += 1
            if not hash(key) & churn.mask:
                churn.look(key, at + number * 60 * SECOND // per_minute, hit)
        one = evictions.feed(
            at,
            hits=hits,
            misses=misses,
            evicted=evicted,
            size=len(kept),
            capacity=room,
            again=churn.missed_again - again,
            looked=churn.missed - missed,
        )
        if one:
            told.append(one)
    return told


def test_a_cache_too_small_for_its_working_set_is_found() -> None:
    """Records that come in turn, one more than there is room for: nothing hits, and it is told once."""
    turn = count()
    told = played(lambda: f"record:{next(turn) % 1001}", room=1000)
    assert len(told) == 1
    assert told[0].size == 1000
    assert "too small" in told[0].sentence("enrichment")
    assert told[0].again is not None
    assert told[0].again > 0.9


def test_a_full_cache_that_hits_is_left_alone() -> None:
    """Skewed keys, ten times as many as there is room for: it evicts all day, and does its work."""
    rng = random.Random(1)
    one = draw(rng, 10_000, 1.1)
    assert played(lambda: f"record:{one()}", room=1000) == []


def test_a_scan_of_new_records_is_left_alone() -> None:
    """It evicts with each miss, but nothing that was evicted is asked for again."""
    fresh = count()
    assert played(lambda: f"record:{next(fresh)}", room=1000) == []


def test_keys_that_churn_are_not_a_matter_of_size() -> None:
    """A larger cache would not help them."""
    fresh = count()
    assert played(lambda: f"record:{next(fresh) % 50}:{next(fresh)}", room=1000) == []


def feed(evictions: Evictions, first: int, minutes: int, **numbers: int) -> list[EvictionEpisode]:
    """Feeds the same minute again and again."""
    told = [evictions.feed(first + minute * MINUTE, **numbers) for minute in range(minutes)]  # type: ignore[arg-type]
    return [one for one in told if one]


TOO_SMALL = {"hits": 1, "misses": 99, "evicted": 99, "size": 90, "capacity": 90}
WELL = {"hits": 80, "misses": 20, "evicted": 20, "size": 90, "capacity": 90}


def test_an_episode_ends_when_there_is_room() -> None:
    """It has a begin and an end, and counts up in between."""
    evictions = Evictions()
    begun = feed(evictions, BEGAN_AT, 90, **TOO_SMALL)
    ended = feed(evictions, BEGAN_AT + 90 * MINUTE, 90, **WELL)
    assert [one.ended_at for one in begun] == [0]
    assert len(ended) == 1
    assert ended[0].began_at == BEGAN_AT
    assert ended[0].lookups == 9000
    assert ended[0].again is None
    assert ended[0].sentence("x").endswith("It was too small.")
    assert evictions.episode is None


@pytest.mark.parametrize(
    "other",
    [
        {"evicted": 20},
        {"size": 50},
        {"size": 5000, "capacity": 5000},
        {"hits": 40},
        {"misses": 5, "evicted": 5},
        {"again": 10, "looked": 90},
        {"size": 0, "capacity": 0},
    ],
)
def test_one_sign_alone_convicts_nobody(other: dict[str, int]) -> None:
    """Few evictions, room left, a slow turnover, hits, few lookups, misses of new keys: each of them acquits."""
    assert feed(Evictions(), BEGAN_AT, 300, **(TOO_SMALL | other)) == []


def test_a_clock_that_jumps_begins_anew() -> None:
    """Windows on both sides of a jump are not added up, and an episode goes on to be judged after it."""
    evictions = Evictions()
    assert [feed(evictions, BEGAN_AT + jump * DAY, 25, **TOO_SMALL) for jump in (0, 9, -9, 3)] == [[]] * 4
    assert len(feed(evictions, BEGAN_AT, 60, **TOO_SMALL)) == 1
