"""What `status` and `report` say of findings and of answers that were paid for again."""

import json

import pytest

from spendgate.findings import Finding
from tests.cli.conftest import Desk


@pytest.fixture
def wasteful(desk: Desk) -> Desk:
    """A record that was enriched fourteen times, one three times, and twenty-five twice each for another service."""
    with desk.gate() as gate:
        for service, key, times in (
            ("pipeline", "4711", 14),
            ("pipeline", "4712", 3),
            *(("b", f"{n}", 2) for n in range(25)),
        ):
            for _ in range(times):
                with gate.call("clearbit.enrich", service=service, key=key, fresh_for="24h"):
                    pass
    return desk


def test_the_report_prices_what_was_paid_for_again(wasteful: Desk) -> None:
    """The dearest first, with the keys that cost most, as they were stated."""
    lines = wasteful.ok("report").splitlines()
    start = lines.index("Paid again for answers that were still fresh: $0.16 in 40 calls")
    rows = [line.split() for line in lines[start + 2 :]]
    assert rows[0] == ["service", "resource", "key", "paid", "again", "cost"]
    assert rows[1] == ["b", "clearbit.enrich", "25", "keys", "50", "25", "$0.100"]
    assert rows[5:8] == [
        ["pipeline", "clearbit.enrich", "2", "keys", "17", "15", "$0.060"],
        ["4711", "14", "13", "$0.052"],
        ["4712", "3", "2", "$0.008"],
    ]


def test_the_report_says_the_same_in_json(wasteful: Desk) -> None:
    """--json has more keys, exact amounts, and the finding that these duplicates are."""
    data = wasteful.json("report")
    first, second = data["duplicates"]
    assert (first["service"], first["keys"], len(first["dearest"]), first["usd"]) == ("b", 25, 10, "0.10")
    assert second["dearest"][0] == {"key": "4711", "calls": 14, "duplicates": 13, "usd": "0.052"}
    (finding,) = data["findings"]
    assert (finding["kind"], finding["service"], finding["usd"], finding["ended_at"]) == (
        "duplicates",
        "b",
        "0.10",
        None,
    )
    assert finding["data"]["duplicates"] == 25
    wasteful.clock.advance(8 * 24 * 3600)
    assert wasteful.json("report")["duplicates"] == []


def test_the_status_begins_with_what_goes_on(wasteful: Desk) -> None:
    """A finding that runs stands on top, with its cost so far; one that is over stands in the report alone."""
    lines = wasteful.ok("status").splitlines()
    assert lines[0].startswith("Finding: duplicates of clearbit.enrich for b, since 12:00:00 UTC")
    assert lines[0].endswith("$0.10 so far.")
    (running,) = wasteful.json("status")["findings"]
    assert wasteful.json("status", "--service", "pipeline")["findings"] == []
    with wasteful.gate() as gate:
        gate.end_finding(running["id"])
    assert "Finding" not in wasteful.ok("status")
    assert "over at 12:00:00 UTC" in wasteful.ok("report")


def test_findings_are_reported_by_when_they_ran(desk: Desk) -> None:
    """A report names the findings of its period, with begin, end, cost and version, also where nothing was spent."""
    with desk.gate() as gate:
        found = gate.begin_finding(
            Finding("churn", "enrichment", version="v7", text="it cannot hit", usd=212_000_000_000)
        )
        desk.clock.advance(3600)
        gate.end_finding(found.id)
    said = desk.ok("report")
    assert "churn of enrichment, from 12:00:00 UTC, over at 13:00:00 UTC: it cannot hit. $212.00." in said
    assert "It began with v7." in said
    desk.clock.advance(3 * 24 * 3600)
    assert desk.json("report", "--since", "2d")["findings"] == []
    assert desk.json("report", "--since", "2026-01-01", "--until", "2026-01-02")["findings"] == []
    assert len(desk.json("report", "--since", "7d")["findings"]) == 1


def test_duplicates_survive_export_and_import(wasteful: Desk) -> None:
    """An export that is imported elsewhere is reported alike: the marks of its calls come back, findings are events."""
    exported = wasteful.ok("export")
    before = wasteful.json("report")["duplicates"]
    kinds = [data["kind"] for data in map(json.loads, exported.splitlines()) if data["type"] == "event"]
    assert "finding" in kinds
    (wasteful.folder / "export.jsonl").write_text(exported)
    (wasteful.folder / "spendgate.toml").write_text(
        '[store]\nurl = "sqlite:///other.db"\n[[limits]]\nusd = 1\nwindow = "1h"\n'
    )
    wasteful.ok("import", "export.jsonl")
    assert wasteful.json("report")["duplicates"] == before
