"""`spendgate caches`: what the watched caches did."""

import pytest

from spendgate.cacheminutes import CacheMinute
from spendgate.clock import HOUR, MINUTE
from spendgate.findings import Finding
from tests.cli.conftest import Desk

USD = 1_000_000_000


@pytest.fixture
def watched(desk: Desk) -> Desk:
    """Six hours of two caches; with version v8 the first one stops to hit, which is a finding, and another is over."""
    now_at = desk.clock.now()
    with desk.gate() as gate:
        minutes = []
        for hour in range(6):
            at = now_at - now_at % MINUTE - (6 - hour) * HOUR
            version, hits = ("v7", 70) if hour < 4 else ("v8", 0)
            cost = (100 - hits) * 4_000_000
            minutes.append(
                CacheMinute("enrichment", "pipeline", version, at, hits, 100 - hits, 9, 2, 1, 5_000_000, cost, 80, 90)
            )
            minutes.append(CacheMinute("pages", "", "v7", at + MINUTE, 900, 100))
        gate.store.add_cache_minutes(minutes, now_at)
        over = gate.store.begin_finding(
            Finding("silent", "pages", text="pages: has not been asked", began_at=now_at - 5 * HOUR), now_at
        )
        gate.store.end_finding(over.id, now_at - HOUR)
        text = "enrichment: this cache cannot hit"
        gate.store.begin_finding(
            Finding("churn", "enrichment", "pipeline", "v8", text, USD, began_at=now_at - 2 * HOUR), now_at
        )
        gate.store.begin_finding(Finding("duplicates", "clearbit.enrich", text="paid again"), now_at)
    return desk


def test_each_cache_has_its_row(watched: Desk) -> None:
    """Lookups, hits over time, misses and their cost stand in a row for each version, the dearest misses first."""
    lines = watched.ok("caches").splitlines()
    assert lines[0].startswith("Finding: churn of enrichment for pipeline, since ")
    assert "this cache cannot hit. $1.00 so far. It began with v8." in lines[0]
    head, *rows = [line.split() for line in lines[2:5]]
    assert head[:4] == ["cache", "service", "version", "lookups"]
    assert rows[0][:5] == ["enrichment", "pipeline", "v8", "200", "0%"]
    assert rows[0][-9:] == ["200", "4", "2", "50", "ms", "$0.80", "80", "of", "90"]
    assert rows[1][:5] == ["enrichment", "pipeline", "v7", "400", "70%"]
    assert "$0.48" in rows[1]
    assert lines[5].split()[:5] == ["pages", "(none)", "v7", "6,000", "90%"]
    assert lines[7] == "Findings that are over"
    assert "silent of pages" in lines[8]
    assert "paid again" not in "".join(lines)


def test_hits_are_drawn_over_time(watched: Desk) -> None:
    """The share of hits is drawn from the first minute to the last, with a blank where nobody asked."""
    data = watched.json("caches", "--cache", "enrichment")
    v8, v7 = data["caches"]
    assert [rate for rate in v7["hit_rates"] if rate is not None] == [0.7] * 4
    assert [rate for rate in v8["hit_rates"] if rate is not None] == [0.0] * 2
    assert len(v7["hit_rates"]) == len(v8["hit_rates"]) <= 24
    assert "▆" in watched.ok("caches")


def test_json_is_exact(watched: Desk) -> None:
    """--json has every count, amounts as text, instants in UTC, and the findings of caches alone."""
    data = watched.json("caches", "--service", "pipeline")
    first = data["caches"][0]
    assert {name: first[name] for name in ("lookups", "hits", "misses", "sets", "evictions", "errors")} == {
        "lookups": 200,
        "hits": 0,
        "misses": 200,
        "sets": 18,
        "evictions": 4,
        "errors": 2,
    }
    assert (first["miss_usd"], first["load_s"], first["size"], first["capacity"]) == ("0.80", 10.0, 80, 90)
    assert [one["kind"] for one in data["findings"]] == ["churn"]
    assert {one["kind"] for one in watched.json("caches")["findings"]} == {"churn", "silent"}


def test_a_stretch_of_time_chooses(watched: Desk) -> None:
    """`--since` leaves out what was before."""
    assert [one["version"] for one in watched.json("caches", "--since", "150m", "--cache", "enrichment")["caches"]] == [
        "v8"
    ]


def test_nothing_watched_says_how(desk: Desk) -> None:
    """Without any cache, or any ledger, it says how one is watched, and makes no file."""
    result = desk.run("caches")
    assert (result.exit_code, result.stdout) == (0, "")
    assert 'gate.watch_cache("enrichment", cache' in result.stderr
    assert desk.json("caches")["caches"] == []
    assert list(desk.folder.glob(".spendgate/*")) == []
