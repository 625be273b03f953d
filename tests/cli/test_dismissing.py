"""`spendgate finding`: what goes on is listed, and what is meant is dismissed."""

import pytest

from spendgate.findings import Finding
from tests.cli.conftest import Desk


@pytest.fixture
def found(desk: Desk) -> Desk:
    """A cache that nobody asks, one whose keys do not repeat, and one that was silent for an hour."""
    with desk.gate() as gate:
        gate.begin_finding(Finding("silent", "pages", text="pages: has not been asked"))
        gate.begin_finding(Finding("churn", "enrichment", "pipeline", "v8", "it cannot hit", usd=5_000_000_000))
        over = gate.begin_finding(Finding("silent", "old", text="old: has not been asked"))
        desk.clock.advance(3600)
        gate.end_finding(over.id)
    return desk


def number_of(desk: Desk, subject: str) -> str:
    """The number of a finding, as the list has it."""
    every = desk.json("finding", "list", "--all")["findings"]
    return str(next(one["id"] for one in every if one["subject"] == subject))


def test_findings_are_listed_with_their_numbers(found: Desk) -> None:
    """What goes on is listed with number, cost and since when; --all has what is over, too."""
    rows = [line.split() for line in found.ok("finding", "list").splitlines()]
    number = number_of(found, "enrichment")
    assert rows[0] == ["id", "finding", "since", "cost", "state"]
    assert len(rows) == 3
    assert " ".join(rows[2]) == f"{number} churn of enrichment for pipeline 12:00:00 UTC $5.00 goes on"
    assert "over" in found.ok("finding", "list", "--all").splitlines()[3]
    assert len(found.json("finding", "list")["findings"]) == 2


def test_before_anything_is_found(desk: Desk) -> None:
    """Where nothing was found, that is said, and no ledger is made."""
    assert desk.run("finding", "list").stderr == "Nothing is found that goes on.\n"
    assert desk.run("finding", "list", "--all").stderr == "Nothing was ever found.\n"
    assert "there is no finding 3" in desk.fails("finding", "dismiss", "3")
    assert not (desk.folder / ".spendgate" / "ledger.db").exists()


def test_what_was_dismissed_leaves_the_status_and_later_reports(found: Desk) -> None:
    """A retired cache stands neither in the status nor in what is said of later periods; the list still has it."""
    number = number_of(found, "pages")
    said = found.run("finding", "dismiss", number, "--reason", "retired").stderr
    assert said == "Dismissed: silent of pages. It is told again when it is over.\n"
    assert [one["subject"] for one in found.json("status")["findings"]] == ["enrichment"]
    assert "silent of pages, from 12:00:00 UTC, dismissed at 13:00:00 UTC" in found.ok("report")
    current, over = found.ok("caches").split("Findings that are over, or were dismissed")
    assert "pages" not in current
    assert "dismissed at 13:00:00 UTC" in over
    found.clock.advance(3 * 24 * 3600)
    for command in ("report", "caches"):
        later = [one["subject"] for one in found.json(command, "--since", "2d")["findings"]]
        assert later == ["enrichment"]
        assert len(found.json(command, "--since", "7d")["findings"]) == 3
    (row,) = [line for line in found.ok("finding", "list", "--all").splitlines() if "pages" in line]
    assert "dismissed" in row
    assert row.endswith("retired")
    assert found.json("finding", "list", "--all")["findings"][0]["data"]["dismissed_at"] == "2026-03-02T13:00:00Z"


def test_a_second_dismissal_changes_nothing(found: Desk) -> None:
    """Whoever dismisses it again is told who was first; the reason stays that of the first."""
    number = number_of(found, "pages")
    first = found.json("finding", "dismiss", number, "--reason", "retired")
    assert first["data"]["reason"] == "retired"
    said = found.run("finding", "dismiss", number, "--reason", "another").stderr
    assert said.startswith(f"Finding {number} was dismissed already: silent of pages, by ")
    assert found.json("finding", "dismiss", number) == first


def test_what_is_over_or_unknown_cannot_be_dismissed(found: Desk) -> None:
    """What is over is exit code 1; a number that there is not, and a reason of two lines, are wrong use."""
    over = found.run("finding", "dismiss", number_of(found, "old"))
    assert (over.exit_code, over.stderr.split(":")[1]) == (1, " silent of old, since 13")
    assert "there is no finding 99" in found.fails("finding", "dismiss", "99")
    assert "reason = 'two\\nlines' (str): it must not contain line breaks" in found.fails(
        "finding", "dismiss", number_of(found, "pages"), "--reason", "two\nlines"
    )
