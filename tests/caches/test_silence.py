"""A cache that is not asked any more is noticed; nights, weekends and slow hours are not."""

import random
from collections.abc import Callable

import pytest

from spendgate.caches.silence import Rhythm, Silence
from spendgate.clock import DAY, HOUR, MINUTE
from tests.caches.seasons import activity, poisson

MONDAY = 1_790_000_000_000_000 // DAY // 7 * 7 * DAY + 4 * DAY
STEP = 10 * MINUTE


def office(at: int) -> float:
    """Busy from eight to six on weekdays."""
    return float(8 <= at // HOUR % 24 < 18 and (at // DAY + 3) % 7 < 5)


Mean = Callable[[int], float]
"""How busy an instant is, against the busiest."""


def told(rhythm: Rhythm, seed: int, span: tuple[int, int], mean: Mean, per_hour: float = 1) -> list[Silence]:
    """Feeds the time between two instants."""
    rng, found = random.Random(seed), []
    for at in range(*span, STEP):
        one = rhythm.feed(at, poisson(rng, per_hour * STEP / HOUR * mean(at)))
        if one:
            found.append(one)
    return found


@pytest.mark.parametrize("per_hour", [20, 200, 5000])
@pytest.mark.parametrize(
    "mean", [office, lambda at: activity(at, 0.05, 0.1), lambda _: 1.0], ids=["office", "web", "flat"]
)
def test_a_rhythm_is_no_silence(mean: Mean, per_hour: float) -> None:
    """Half a year of nights and weekends, and nothing is said."""
    assert told(Rhythm(), 1, (MONDAY, MONDAY + 180 * DAY), mean, per_hour) == []


@pytest.mark.parametrize(("per_hour", "within_h"), [(5000, 2.5), (200, 2.5), (30, 4)])
def test_a_silence_in_working_hours_is_noticed(per_hour: float, within_h: float) -> None:
    """From ten o'clock on nothing is asked for: it is noticed the same morning, once, and its end too."""
    rhythm = Rhythm()
    gone_at = MONDAY + 37 * DAY + 10 * HOUR
    assert told(rhythm, 2, (MONDAY, gone_at), office, per_hour) == []
    silent = told(rhythm, 2, (gone_at, gone_at + 30 * HOUR), lambda _: 0.0)
    assert len(silent) == 1
    assert silent[0].noticed_at - gone_at <= within_h * HOUR
    assert rhythm.silence == silent[0]
    assert "has not been asked for" in silent[0].sentence("enrichment")
    back = told(rhythm, 2, (gone_at + 30 * HOUR, gone_at + 31 * HOUR), lambda _: 1.0, 600)
    assert len(back) == 1
    assert back[0].ended_at >= gone_at + 30 * HOUR
    assert rhythm.silence is None


def test_a_silence_that_begins_at_night_is_noticed_in_the_morning() -> None:
    """The hours in which nothing is expected do not count."""
    rhythm = Rhythm()
    gone_at = MONDAY + 36 * DAY + 22 * HOUR
    told(rhythm, 2, (MONDAY, gone_at), office, 200)
    silent = told(rhythm, 2, (gone_at, gone_at + 30 * HOUR), lambda _: 0.0)
    assert len(silent) == 1
    assert silent[0].noticed_at >= MONDAY + 37 * DAY + 9 * HOUR


def test_nothing_is_expected_in_the_first_two_weeks() -> None:
    """A week is needed to know a rhythm, and another one to trust it."""
    rhythm = Rhythm()
    told(rhythm, 2, (MONDAY, MONDAY + 9 * DAY), office, 200)
    assert told(rhythm, 2, (MONDAY + 9 * DAY, MONDAY + 11 * DAY), lambda _: 0.0) == []


def test_time_that_nobody_watched_is_passed_over() -> None:
    """Between two processes, and where the clock jumps, there is no silence, and nothing is learned."""
    rhythm = Rhythm()
    told(rhythm, 2, (MONDAY, MONDAY + 35 * DAY), office, 200)
    for jump in (3 * DAY, -2 * DAY, 200 * DAY):
        rhythm = Rhythm.from_json(rhythm.to_json())
        assert rhythm.feed(MONDAY + 35 * DAY + jump + 10 * HOUR, 0) is None
        assert rhythm.feed(MONDAY + 35 * DAY + jump + 10 * HOUR + STEP, 0) is None


def test_the_state_goes_through_text() -> None:
    """A rhythm and a silence are kept across processes, in a few kilobytes."""
    rhythm = Rhythm()
    told(rhythm, 2, (MONDAY, MONDAY + 37 * DAY + 10 * HOUR), office, 5000)
    told(rhythm, 2, (MONDAY + 37 * DAY + 10 * HOUR, MONDAY + 37 * DAY + 16 * HOUR), lambda _: 0.0)
    again = Rhythm.from_json(rhythm.to_json())
    assert again.silence == rhythm.silence
    assert again.silence is not None
    assert again.to_json() == rhythm.to_json()
    assert len(again.to_json()) < 8000
    ended = again.feed(MONDAY + 38 * DAY, 5)
    assert ended is not None
    assert ended.ended_at == MONDAY + 38 * DAY


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"past": [1], "silence": null, "last": [0, 0]}'])
def test_text_that_is_no_state_is_refused(text: str) -> None:
    """It raises ValueError, so that its caller can begin anew."""
    with pytest.raises(ValueError, match="this is not the state of a"):
        Rhythm.from_json(text)
