"""The $80,000 cache key before the merge: its key, the fix that was published, and a key that holds."""

import time
from collections.abc import Callable, Iterator

import pytest

from spendgate.testing import KeyStabilityError, assert_key_stable
from tests.stability.article_keys import deployed, fixed_5, fixed_24, fixed_36, fixed_48, fixed_72, stable

IDS = [1, 4711]


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The time zone of this machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def finding(function: Callable[[int], str], window: str | None = None) -> KeyStabilityError:
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(function, IDS, window)
    return caught.value


@pytest.mark.parametrize("window", [None, "24h"])
def test_the_deployed_key_fails(window: str | None) -> None:
    """The key with a timestamp changes within a microsecond, whatever window is claimed for it."""
    error = finding(deployed, window)
    (found,) = error.findings
    assert (found.check, found.detail) == ("time", "datetime.now()")
    assert found.source == ("clock" if window is None else "window")
    assert "«27.123456»" in str(error) or window is not None


@pytest.mark.parametrize(
    ("function", "window", "held"),
    [(fixed_5, "5h", "4h"), (fixed_36, "36h", "24h"), (fixed_48, "48h", "24h"), (fixed_72, "72h", "24h")],
)
def test_the_fix_fails_where_hours_of_the_day_do_not_make_windows(
    function: Callable[[int], str], window: str, held: str, zone: str
) -> None:
    """At 5, 36, 48 and 72 hours the day's end cuts the window short, in whatever zone the machine is."""
    (found,) = finding(function, window).findings
    assert (found.check, found.source) == ("time", "window")
    assert f"{held} after the key before it began; its window is {window}" in found.when
    assert "seconds since 1970" in found.remedy


def test_the_fix_fails_between_two_hosts() -> None:
    """At 24 hours the fix holds in one place, and hosts in two time zones never share an answer."""
    assert_key_stable(fixed_24, IDS, "24h", fresh=False)
    (found,) = finding(fixed_24, "24h").findings
    assert (found.check, found.source, found.detail) == ("interpreters", "time zone", "datetime.now()")
    assert "TZ=" in found.when


@pytest.mark.parametrize("hours", [5, 24, 36, 48, 72])
def test_a_stable_key_passes(hours: int) -> None:
    """`stable_key` holds for exactly its window, everywhere."""
    assert_key_stable(stable(hours), IDS, f"{hours}h")


def test_the_wrong_window_fails() -> None:
    """A key that holds longer than its window, or shorter, is not what the test says it is."""
    (longer,) = finding(stable(36), "24h").findings
    assert "outlives its window" in longer.when
    (shorter,) = finding(stable(24), "36h").findings
    assert "24h after the key before it began; its window is 36h" in shorter.when
    with pytest.raises(KeyStabilityError, match="outlives"):
        assert_key_stable(lambda record_id: f"enrichment:{record_id}", IDS, "24h", fresh=False)
