"""What was seen before, and how many different ones there were, in bounded memory."""

import random

import pytest

from spendgate.caches.sightings import Distinct, Sightings, digest
from spendgate.clock import DAY, HOUR, SECOND

AT = 1_793_000_000_000_000


def test_what_was_seen_is_known_again() -> None:
    """Up to its room, a table tells new from seen."""
    table = Sightings(2048)
    hashes = [digest(str(number)) for number in range(1500)]
    assert sum(table.see(one, AT) is True for one in hashes) > 1495
    assert all(table.see(one, AT) is False for one in hashes)


@pytest.mark.parametrize(("records", "share"), [(500, 0.98), (5_000, 0.86), (20_000, 0.6)])
def test_the_share_of_the_new_stays_right_when_there_are_too_many(records: int, share: float) -> None:
    """A table for two thousand tells which share of lookups over ten times as many comes again."""
    rng, table = random.Random(1), Sightings(1024)
    answers = [table.see(digest(str(rng.randrange(records))), AT + number * SECOND) for number in range(40_000)]
    late = [answer for answer in answers[-20_000:] if answer is not None]
    assert late.count(False) / len(late) == pytest.approx(share, abs=0.15)


def test_what_never_comes_again_stays_new() -> None:
    """However many come, nothing that is new is taken for something seen, but for one in a thousand."""
    table = Sightings(2048)
    answers = [table.see(digest(str(number)), AT + number * HOUR // 1000) for number in range(60_000)]
    assert answers.count(False) < 60
    assert table.seen_share() < 0.01


def test_slow_traffic_is_remembered_whole_again() -> None:
    """Once there are few lookups, a table that was thinned out takes more of them."""
    table = Sightings(256)
    for number in range(20_000):
        table.see(digest(str(number)), AT)
    thinned = sum(table.see(digest(f"a{number}"), AT + DAY) is not None for number in range(200))
    for number in range(40_000):
        table.see(digest(f"b{number}"), AT + number * DAY)
    assert sum(table.see(digest(f"c{number}"), AT + 10**6 * DAY) is not None for number in range(200)) > thinned + 50


@pytest.mark.parametrize("many", [1, 10, 811, 3_000, 100_000])
def test_different_ones_are_counted(many: int) -> None:
    """The count of different hashes is at most a tenth off, whatever their number."""
    distinct = Distinct()
    for number in range(many):
        for _ in range(2):
            distinct.add(digest(str(number)))
    assert distinct.count() == pytest.approx(many, rel=0.1, abs=0.5)
