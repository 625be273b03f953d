"""A cache that misses more than it used to is found, and one that only had a bad hour is left alone."""

import random
from collections.abc import Callable, Iterator

import pytest

from spendgate.caches.missrate import MissEpisode, MissRate
from spendgate.clock import DAY, HOUR, MINUTE
from tests.caches.populations import Answering, draw
from tests.caches.seasons import BEGAN_AT, RESTART_EVERY, Fed, binomial, busy_year, poisson, quiet_year


def episodes(fed: Iterator[Fed]) -> list[MissEpisode]:
    """Every episode that begins."""
    rate, found = MissRate(), []
    for at, hits, misses, restarted in fed:
        if restarted:
            rate.restarted(at)
        told = rate.feed(at, hits, misses)
        if told is not None and not told.ended_at:
            found.append(told)
    return found


def until_found(per_hour: float, seed: int, *, at_restart: bool, cold: bool, days: float = 13.4) -> tuple[float, int]:
    """Hours and lookups from the moment at which nothing hits any more until an episode begins."""
    rng, rate = random.Random(seed), MissRate()
    broken = BEGAN_AT + int(days * DAY)
    one, cache, lost = draw(rng, 60, 1.0), Answering(1000, DAY), 0
    for at in range(BEGAN_AT, broken + 3 * DAY, MINUTE):
        if (at - BEGAN_AT) % RESTART_EVERY == 0 or (at_restart and at == broken):
            rate.restarted(at)
            cache = Answering(1000, DAY)
        count = poisson(rng, per_hour / 60)
        if at >= broken:
            hits, lost = 0, lost + count
        else:
            hits = sum(cache.ask(one(), at) for _ in range(count)) if cold else binomial(rng, count, 0.7)
        told = rate.feed(at, hits, count - hits)
        if told is not None and not told.ended_at:
            return (at - broken) / HOUR, lost
    return 99.0, lost


@pytest.mark.parametrize("at_restart", [False, True], ids=["running", "at a restart"])
@pytest.mark.parametrize("cold", [False, True], ids=["drawn", "played through"])
@pytest.mark.parametrize("seed", range(3))
def test_ten_lookups_an_hour_without_a_hit_are_found_within_eight_hours(
    seed: int, cold: bool, at_restart: bool
) -> None:
    """After a hit rate of 70 %, 100 % misses are found in a night's time even where hardly anything is asked for."""
    hours, _ = until_found(10, seed, at_restart=at_restart, cold=cold)
    assert hours <= 8


@pytest.mark.long
@pytest.mark.parametrize("at_restart", [False, True], ids=["running", "at a restart"])
@pytest.mark.parametrize("cold", [False, True], ids=["drawn", "played through"])
@pytest.mark.parametrize("per_hour", [10, 20, 60, 100])
def test_few_lookups_without_a_hit_are_found_within_eight_hours(per_hour: float, cold: bool, at_restart: bool) -> None:
    """The same for thirty caches each, at any hour and number of days."""
    late = [
        until_found(per_hour, seed, at_restart=at_restart, cold=cold, days=random.Random(seed).uniform(3, 30))[0]
        for seed in range(100, 130)
    ]
    assert max(late) <= 8


@pytest.mark.parametrize("at_restart", [False, True], ids=["running", "at a restart"])
def test_a_thousand_lookups_without_a_hit_are_found_at_once(at_restart: bool) -> None:
    """They are an episode as soon as they are there, after a restart once the grace of five minutes is over."""
    per_hour = 30_000
    hours, lost = until_found(per_hour, 1, at_restart=at_restart, cold=False, days=3.4)
    grace = per_hour / 12 if at_restart else 0
    assert lost <= 1000 + grace + 3 * per_hour / 60
    assert hours < 0.2


def test_a_benign_year_of_many_lookups_is_quiet() -> None:
    """Nights, weekends, batches, scans of up to four hours and restarts are hardly ever findings."""
    found = [len(episodes(busy_year(random.Random(seed), days=120))) for seed in range(6)]
    assert sum(found) / (6 * 4) <= 0.2


def test_a_benign_year_of_few_lookups_is_quiet() -> None:
    """Cold starts, entries that expire and skewed keys of a cache that is played through are no findings."""
    found = [len(episodes(quiet_year(random.Random(seed), days=120, per_hour=12))) for seed in range(8)]
    assert sum(found) / (8 * 4) <= 0.2


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("year", "caches"), [(busy_year, 120), (quiet_year, 40)], ids=["busy", "quiet"])
def test_benign_years_are_quiet(year: Callable[[random.Random], Iterator[Fed]], caches: int) -> None:
    """Over whole years there are at most 0.2 false findings per cache and month; in fact a tenth of that."""
    found = sum(len(episodes(year(random.Random(seed)))) for seed in range(500, 500 + caches))
    assert found / caches / 12 <= 0.02


def steady(rate: MissRate, first: int, hours: int, share: float = 0.7, per_minute: int = 10) -> int:
    """Feeds so many hours; the instant after them."""
    for minute in range(hours * 60):
        hits = round(per_minute * share)
        rate.feed(first + minute * MINUTE, hits, per_minute - hits)
    return first + hours * HOUR


def test_an_episode_has_a_begin_and_an_end() -> None:
    """It is told once, counts up while it runs, and ends when the hits are back."""
    rate = MissRate()
    at = steady(rate, BEGAN_AT, 72)
    told = [rate.feed(at + minute * MINUTE, 0, 10) for minute in range(600)]
    begun = [one for one in told if one]
    assert len(begun) == 1
    assert begun[0].lookups == 1000
    assert begun[0].began_at == at
    assert rate.episode is not None
    assert rate.episode.lookups == 6000
    assert begun[0].sentence("enrichment") == "enrichment: no hit in 1,000 lookups. Usually 70 % are hits."
    ended = [one for minute in range(600, 700) if (one := rate.feed(at + minute * MINUTE, 7, 3))]
    assert len(ended) == 1
    assert ended[0].ended_at > at + 600 * MINUTE
    assert ended[0].began_at == at
    assert ended[0].sentence("enrichment").endswith("It hits again.")
    assert rate.episode is None


def test_a_rate_that_sinks_to_a_tenth_is_found_too() -> None:
    """A few hits are left; it takes six hours, however many lookups there are."""
    rate = MissRate()
    at = steady(rate, BEGAN_AT, 72)
    told = [(minute, one) for minute in range(600) if (one := rate.feed(at + minute * MINUTE, 1, 19))]
    assert len(told) == 1
    assert 5 * 60 <= told[0][0] <= 8 * 60


def test_an_episode_of_weeks_does_not_become_the_usual() -> None:
    """Three weeks of misses are one episode to the last day."""
    rate = MissRate()
    at = steady(rate, BEGAN_AT, 24 * 14)
    told = [one for minute in range(21 * 24 * 60) if (one := rate.feed(at + minute * MINUTE, 0, 10))]
    assert len(told) == 1
    assert rate.episode is not None
    assert rate.episode.usual == pytest.approx(0.7, abs=0.02)


def test_what_comes_every_night_is_a_finding_once_at_most() -> None:
    """A nightly scan without any hit is learned from the first time that it ended by itself."""
    rate, told = MissRate(), []
    for minute in range(20 * 24 * 60):
        at = BEGAN_AT // DAY * DAY + minute * MINUTE
        scan = minute // 60 % 24 == 2
        one = rate.feed(at, 0 if scan else 7, 100 if scan else 3)
        if one and not one.ended_at:
            told.append(minute // 60 // 24)
    assert told in ([0], [1], [])


def test_a_cache_that_never_hit_is_not_judged() -> None:
    """Where there were no hits there is no past to fall from: a scan is healthy."""
    rate = MissRate()
    assert all(rate.feed(BEGAN_AT + minute * MINUTE, 0, 50) is None for minute in range(20_000))


def test_the_grace_after_a_restart_is_five_minutes() -> None:
    """A cold cache that has never been cold before is left alone for that long, whatever it misses."""
    rate = MissRate()
    at = steady(rate, BEGAN_AT, 72)
    rate.restarted(at)
    assert all(rate.feed(at + second * 1_000_000, 0, 500) is None for second in range(299))


def test_the_state_goes_through_text_at_any_moment() -> None:
    """A process that ends and one that begins find the same episodes as one that goes on."""
    for year in (busy_year, quiet_year):
        whole, parts = MissRate(), MissRate()
        for number, (at, hits, misses, restarted) in enumerate(year(random.Random(29), days=20)):
            if restarted:
                whole.restarted(at)
                parts.restarted(at)
            hit = 0 if at > BEGAN_AT + 15 * DAY else hits
            if number % 97 == 0:
                parts = MissRate.from_json(parts.to_json())
            missed = hits + misses - hit
            one, two = whole.feed(at, hit, missed), parts.feed(at, hit, missed)
            assert (one is None) == (two is None)
        assert whole.episode is not None
        assert len(parts.to_json()) < 2500


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"usual": []}', '{"usual": [[], []]}'])
def test_text_that_is_no_state_is_refused(text: str) -> None:
    """It raises ValueError, so that its caller can begin anew."""
    with pytest.raises(ValueError, match="this is not the state of a"):
        MissRate.from_json(text)


def test_a_clock_that_jumps_gains_nothing() -> None:
    """To and fro between hours, an hour of misses stays an hour of misses; and after a jump it is judged as before."""
    rng, rate = random.Random(1), MissRate()
    at = steady(rate, BEGAN_AT, 72)
    for minute in range(90):
        assert rate.feed(at + minute * MINUTE + rng.choice([0, DAY, -DAY, HOUR, -HOUR]), 1, 9) is None
    for jump in (-400 * DAY, 400 * DAY):
        rate = MissRate()
        at = steady(rate, BEGAN_AT, 72) + jump
        at = steady(rate, at, 30)
        assert rate.episode is None
        assert any(rate.feed(at + minute * MINUTE, 1, 19) for minute in range(600))


def test_minutes_without_lookups_change_nothing() -> None:
    """They may be fed or left out."""
    rate = MissRate()
    steady(rate, BEGAN_AT, 72)
    before = rate.to_json()
    assert rate.feed(BEGAN_AT + 80 * HOUR, 0, 0) is None
    assert rate.to_json() == before
