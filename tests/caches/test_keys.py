"""Stable keys: the same input, the same key, for ever; other inputs, other keys; windows as long as they say."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import spendgate
from spendgate import stable_key
from tests.caches.pinned import GOLDEN, INPUTS, NOW, keys
from tests.conftest import ROOT

PINNED = json.loads(GOLDEN.read_text(encoding="utf-8"))
HOUR = 3600


def test_keys_are_pinned_for_ever() -> None:
    """Every key that was ever pinned is still made, to the character."""
    made = keys()
    assert set(made) == set(PINNED)
    for name, pinned in PINNED.items():
        assert made[name] == pinned, name


@pytest.mark.parametrize(("seed", "zone"), [("0", "UTC"), ("1", "America/New_York"), ("4711", "Pacific/Kiritimati")])
def test_another_interpreter_makes_the_same_keys(seed: str, zone: str) -> None:
    """Neither the seed of hash() nor the time zone of the machine is part of a key."""
    program = "import json; from tests.caches.pinned import keys; print(json.dumps(keys()))"
    env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, env=env)
    assert json.loads(done.stdout) == PINNED


def test_the_main_program_is_known_by_its_file(tmp_path: Path) -> None:
    """A class has one key, whether its module runs as the program or was imported by one."""
    module = tmp_path / "shapes.py"
    module.write_text(
        "from dataclasses import dataclass\nfrom spendgate import stable_key\n"
        "@dataclass\nclass Square:\n    side: int\n"
        "if __name__ == '__main__':\n    print(stable_key(Square(1)))\n"
    )
    src = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    importing = "import shapes; print(shapes.stable_key(shapes.Square(1)))"
    runs = [[str(module)], ["-m", "shapes"], ["-c", importing]]
    said = [
        subprocess.run([sys.executable, *run], capture_output=True, text=True, check=True, cwd=tmp_path, env=src).stdout
        for run in runs
    ]
    assert said == ["record(shapes.Square,side=1)\n"] * 3


def test_pinned_inputs_have_keys_of_their_own() -> None:
    """No two pinned inputs share a key, save where they are the same input."""
    made = keys()
    same = {"the same instant elsewhere": "an instant", "two parts, no window": "two parts"}
    shared = [name for name, found in Counter(one["key"] for one in made.values()).items() if found > 1]
    assert {made[name]["key"] for name in same} >= set(shared)
    for name, other in same.items():
        assert made[name] == made[other]


def test_keys_fit_every_cache() -> None:
    """A key is at most 200 characters of printable ASCII without spaces, whatever its input is."""
    for one in keys().values():
        assert len(one["key"]) <= 200
        assert one["key"].isascii()
        assert one["key"].isprintable()
        assert " " not in one["readable"]
        assert len(one["digest"]) == 64


def test_a_long_key_keeps_its_name() -> None:
    """A digest form begins with the first part, so that keys can still be found by it, and shares no readable one."""
    key = stable_key("enrichment", *range(100))
    assert key.startswith("enrichment:sha256(")
    assert stable_key(*key.split(":")) != key
    assert stable_key((1, 2), *range(100)).startswith("sha256(")


def test_the_forms_of_a_key() -> None:
    """`at` has the readable form and the digest; `digest` gives the latter alone."""
    found = stable_key.at("enrichment", 4711)
    assert found.key == found.readable == stable_key("enrichment", 4711) == "enrichment:4711"
    assert found.digest == stable_key.digest("enrichment", 4711)
    assert found.expires_at is None
    assert found.ttl_s is None


@pytest.mark.parametrize("hours", [1, 5, 7, 24, 25, 36, 48, 72, 168])
@pytest.mark.parametrize("phase", [True, False])
def test_windows_are_as_long_as_they_say(hours: int, phase: bool) -> None:
    """Over three weeks in which clocks are set back, every key between the first and the last holds for a window."""
    start = datetime(2026, 10, 12, 7, 13, 5, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    edges = [start]
    while edges[-1] < start + timedelta(weeks=3):
        found = stable_key.at("enrichment", 4711, window=f"{hours}h", phase=phase, now=edges[-1])
        assert found.expires_at is not None
        before = found.expires_at - timedelta(microseconds=1)
        assert stable_key("enrichment", 4711, window=f"{hours}h", phase=phase, now=before) == found.key
        assert stable_key("enrichment", 4711, window=f"{hours}h", phase=phase, now=found.expires_at) != found.key
        edges.append(found.expires_at)
    spans = [after - before for before, after in pairwise(edges[1:])]
    assert set(spans) == {timedelta(hours=hours)}
    assert len(edges) - 1 <= -(-21 * 24 // hours) + 1


def test_without_a_phase_windows_begin_together() -> None:
    """`phase=False` cuts every key's windows from 1970-01-01 UTC on."""
    ends = {stable_key.at("enrichment", i, window="24h", phase=False, now=NOW).expires_at for i in range(50)}
    assert ends == {datetime(2026, 11, 23, tzinfo=UTC)}
    first = stable_key.at("x", window="1970d", phase=False, now=0).expires_at
    assert first == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=1970)


def test_a_phase_spreads_the_edges() -> None:
    """A million keys do not miss in one second: of 20,000 keys of a day no second ends more than a handful."""
    ends = Counter(stable_key.at("enrichment", i, window="24h", now=NOW).expires_at for i in range(20_000))
    assert max(ends.values()) <= 8
    hours = Counter(end.hour for end in ends if end is not None)
    assert len(hours) == 24
    assert min(hours.values()) > 600


def test_the_expiry_fits_the_window() -> None:
    """What is left of the window is more than nothing and at most the window, to the microsecond."""
    for second in range(0, 5 * HOUR, 251):
        now = NOW + timedelta(seconds=second, microseconds=3)
        found = stable_key.at("a", window="5h", now=now)
        assert found.expires_at is not None
        assert found.ttl_s == pytest.approx((found.expires_at - now).total_seconds(), abs=1e-5)
        assert 0 < found.ttl_s <= 5 * HOUR


def test_one_span_in_several_spellings_is_one_window() -> None:
    """`24h`, `1d`, `1440m` and a timedelta are the same window; another window has other keys."""
    made = {stable_key("a", window=one, now=NOW) for one in ("24h", "1d", "1440m", "86400s", timedelta(1))}
    assert len(made) == 1
    assert stable_key("a", window="25h", now=NOW) not in made


def test_now_may_be_an_instant_or_a_datetime() -> None:
    """The clock of the gate speaks microseconds, programs speak datetimes; both mean the same."""
    micros = int(NOW.timestamp()) * 1_000_000
    assert stable_key("a", window="5h", now=micros) == stable_key("a", window="5h", now=NOW)
    assert stable_key("a", window="5h", now=NOW.astimezone(ZoneInfo("Asia/Tokyo"))) == stable_key(
        "a", window="5h", now=NOW
    )
    assert stable_key("a", window="3660d")


def test_before_1970_windows_are_floored_too() -> None:
    """Flooring goes down, also for negative seconds."""
    edge = datetime(1970, 1, 1, tzinfo=UTC)
    before = stable_key.at("a", window="5h", phase=False, now=edge - timedelta(microseconds=1))
    assert before.expires_at == edge
    assert before.key != stable_key("a", window="5h", phase=False, now=edge)


@pytest.mark.parametrize("window", ["", "24", "h", "1.5h", "-1h", "0s", "24 h", "4000d", "٣h", 24, timedelta(0)])
def test_what_is_no_window_is_refused(window: object) -> None:
    """A slip in a window is an error, never another window."""
    with pytest.raises(ValueError, match="window"):
        stable_key("a", window=window)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: stable_key("a", window="1h", now=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: stable_key("a", window=timedelta(milliseconds=1500)),
    ],
)
def test_what_names_no_instant_is_refused(call: Callable[[], str]) -> None:
    """A naive `now` and a broken second are errors."""
    with pytest.raises(ValueError, match=r"time zone|whole number"):
        call()


def test_a_key_of_nothing_is_refused() -> None:
    """A key without parts would be the same everywhere."""
    with pytest.raises(TypeError, match="at least one part"):
        stable_key()


def test_versions_make_other_keys() -> None:
    """A version is part of the key and typed like the parts; None is no version."""
    versions = [None, 1, "1", "v1", ("v", 1)]
    assert len({stable_key("a", version=version) for version in versions}) == len(versions)
    assert stable_key("a", version="1") != stable_key("a;v='1")


def test_the_error_carries_its_fields() -> None:
    """The path, what is there and the remedy are public, and survive a pickle."""
    with pytest.raises(spendgate.UnstableKeyError) as caught:
        stable_key("a", {"user": [1, object()]})
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, TypeError)
    assert isinstance(error, spendgate.SpendgateError)
    assert error.path == "parts[1]['user'][1]"
    assert "builtins.object" in error.kind
    assert "fields" in error.remedy
    assert str(error) == str(caught.value)
    with pytest.raises(spendgate.UnstableKeyError, match=r"^version is "):
        stable_key("a", version=object())


def test_every_pinned_input_is_a_part() -> None:
    """Parts may be anything that has a spelling, so the pinned inputs are found inside each other too."""
    assert stable_key(*INPUTS["two parts"]) == "enrichment:4711"
    nested = [stable_key(list(parts)) for parts in INPUTS.values()]
    assert len(nested) == len({*nested}) + 1  # one instant is pinned in two time zones


@pytest.mark.parametrize("now", [1_795_000_040.5, True, "today", 10**30, -(10**30), None.__class__])
def test_an_instant_that_is_none_is_refused(now: Any) -> None:
    """Seconds as a float, which `time.time()` gives, would be a window in 1970: nothing but an instant is taken."""
    with pytest.raises(ValueError, match="is no instant"):
        stable_key("a", window="1h", now=now)
