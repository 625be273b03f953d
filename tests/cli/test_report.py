"""`spendgate report`: parts that add up to their total."""

import csv
import io
from decimal import Decimal

import pytest

from spendgate.clock import DAY
from tests.cli.conftest import CONFIG, Desk


@pytest.fixture
def spent(desk: Desk) -> Desk:
    """Three days of two services."""
    for day in range(3):
        desk.spend("0.1", service="research", resource="claude-haiku-4-5", provider="anthropic", task=f"t{day}")
        desk.spend("0.000000001", service="nightly", resource="clearbit.enrich")
        desk.clock.jump(desk.clock.now() + DAY)
    return desk


@pytest.mark.parametrize(
    "by", ["service", "provider", "model", "resource", "task", "day", "day,service", "model,task,day"]
)
def test_parts_add_up(spent: Desk, by: str) -> None:
    """However it is taken apart, the rows sum to the total, to the nano-dollar."""
    found = spent.json("report", "--by", by)
    assert sum(Decimal(row["usd"]) for row in found["rows"]) == Decimal(found["total"]["usd"]) == Decimal("0.300000003")
    assert sum(row["calls"] for row in found["rows"]) == found["total"]["calls"] == 6


def test_the_dearest_stand_first(spent: Desk) -> None:
    """Rows come dearest first, and the last line is the total."""
    found = spent.json("report", "--by", "service")
    assert [row["service"] for row in found["rows"]] == ["research", "nightly"]
    lines = spent.ok("report").splitlines()
    assert lines[0] == "Spent since 2026-02-26 (UTC): $0.300000003"
    assert lines[-1].split()[:3] == ["total", "6", lines[-1].split()[2]]
    assert "$0.300000003" in lines[-1]


def test_models_are_told_from_other_resources(spent: Desk) -> None:
    """What names no provider is no model."""
    rows = spent.json("report", "--by", "model")["rows"]
    assert [(row["model"], row["calls"]) for row in rows] == [("claude-haiku-4-5", 3), ("", 3)]
    assert "(none)" in spent.ok("report", "--by", "model")


def test_days_are_those_of_the_time_zone(desk: Desk) -> None:
    """A call at 23:30 UTC is of the next day in Berlin."""
    desk.configure(f'[gate]\ntimezone = "Europe/Berlin"\n{CONFIG}')
    desk.clock.advance(11.5 * 3600)
    desk.spend("1")
    (row,) = desk.json("report", "--by", "day")["rows"]
    assert row["day"] == "2026-03-03"


@pytest.mark.parametrize(
    ("args", "calls"),
    [
        (["--since", "2026-03-02"], 6),
        (["--since", "2026-03-03"], 4),
        (["--since", "2026-03-02", "--until", "2026-03-03"], 4),
        (["--since", "2026-03-02T12:00", "--until", "2026-03-02T12:30"], 2),
        (["--since", "2026-03-02T13:00+01:00", "--until", "2026-03-02T12:00:00Z"], None),
        (["--since", "all"], 6),
        (["--since", "2d"], 4),
        (["--since", "26h"], 2),
        (["--since", "2027-01-01"], 0),
    ],
)
def test_periods(spent: Desk, args: list[str], calls: int | None) -> None:
    """A period is a span, dates or times; a date as its end includes the day."""
    if calls is None:
        assert "is not after" in spent.fails("report", *args)
    else:
        assert spent.json("report", *args)["total"]["calls"] == calls


@pytest.mark.parametrize(
    "args",
    [
        ["--by", "colour"],
        ["--by", ""],
        ["--since", "soon"],
        ["--until", "99999-01-01"],
        ["--csv", "--json"],
        ["--since", "0d"],
    ],
)
def test_wrong_use(spent: Desk, args: list[str]) -> None:
    """What cannot be meant is exit code 2."""
    spent.fails("report", *args)


def test_nothing_spent(desk: Desk) -> None:
    """An empty period is said on stderr; there is no table, and no ledger is made."""
    result = desk.run("report")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing was spent since 2026-02-23" in result.stderr
    assert not (desk.folder / ".spendgate").exists()
    assert desk.json("report")["rows"] == []


def test_csv_is_for_spreadsheets(spent: Desk) -> None:
    """CSV has a header, exact dollars, and nothing that a spreadsheet would run."""
    spent.spend("1", service="=HYPERLINK(1)")
    rows = list(csv.DictReader(io.StringIO(spent.ok("report", "--csv"))))
    assert [row["service"] for row in rows] == ["'=HYPERLINK(1)", "research", "nightly"]
    assert rows[2]["usd"] == "0.000000003"


def test_what_is_unpriced_and_unattributed_is_said(desk: Desk) -> None:
    """Calls that nobody could price, and calls of no service, have a line each."""
    hold_id = desk.ok("hold", "--resource", "mystery", "--at-most", "0.5").strip()
    assert "unpriced" not in desk.ok("report")
    desk.ok("settle", hold_id)
    text = desk.ok("report")
    assert "unpriced: 1 call, counted as $0.50; `spendgate prices check` names them." in text
    assert "unattributed: 1 call, $0.50 for no service" in text
    found = desk.json("report")
    assert found["unpriced"] == found["unattributed"] == {"calls": 1, "usd": "0.50"}


def test_a_stated_cost_is_not_unpriced(desk: Desk) -> None:
    """A call whose cost its caller stated is known exactly."""
    desk.spend("0.5", resource="mystery")
    assert desk.json("report")["unpriced"]["calls"] == 0


def test_held_and_overrun_are_part_of_the_cost(desk: Desk) -> None:
    """Money that is held counts; what a bill exceeded its estimate by is shown beside it."""
    hold_id = desk.ok("hold", "--service", "n", "--at-most", "0.1").strip()
    desk.ok("settle", hold_id, "--cost", "0.25")
    desk.ok("hold", "--service", "n", "--at-most", "0.5")
    total = desk.json("report")["total"]
    assert (total["usd"], total["held_usd"], total["overrun_usd"]) == ("0.75", "0.50", "0.15")
    assert "overrun" in desk.ok("report")


def test_a_subscription_shows_its_list_price(desk: Desk) -> None:
    """What costs nothing by subscription is shown with what it would have cost."""
    desk.configure(f'{CONFIG}\n[prices."anthropic:claude-haiku-4-5"]\nbilling = "subscription"\n')
    with desk.gate() as gate:
        call = gate.reserve(service="n", provider="anthropic", resource="claude-haiku-4-5")
        call.settle(usage={"input_tokens": 1000, "output_tokens": 200})
    total = desk.json("report")["total"]
    assert (total["usd"], total["list_usd"], total["tokens"]) == ("0.00", "0.002", 1200)
    assert "list price" in desk.ok("report")


def test_fallbacks_are_shown_with_their_dollars(desk: Desk) -> None:
    """From what to what, how many calls, and what they did cost; what fell back to nothing dearer is told too."""
    for cost, resource in (("0.01", "gpt-4o-mini"), ("0.02", "gpt-4o-mini"), ("0", "qwen3:8b")):
        desk.spend(cost, resource=resource, tags={"fallback_for": "gpt-4o", "customer": "acme"})
    desk.spend("1", resource="gpt-4o")
    text = desk.ok("report")
    assert "fell back: 3 calls" in text
    assert [line.split() for line in text.splitlines()[-3:]] == [
        ["asked", "got", "calls", "cost"],
        ["gpt-4o", "gpt-4o-mini", "2", "$0.03"],
        ["gpt-4o", "qwen3:8b", "1", "$0.00"],
    ]
    assert desk.json("report")["fallbacks"] == [
        {"asked": "gpt-4o", "got": "gpt-4o-mini", "calls": 2, "usd": "0.03"},
        {"asked": "gpt-4o", "got": "qwen3:8b", "calls": 1, "usd": "0.00"},
    ]


def test_skipped_calls_are_listed_for_review(desk: Desk) -> None:
    """Each skipped call is there with its key and what refused it, also where nothing was spent."""
    with desk.gate() as gate:
        for key in ("4711", "4712"):
            with gate.skipping(key):
                gate.reserve(service="research", resource="api", at_most="7.00", task="t")
    text = desk.ok("report")
    assert "skipped: 2 calls that asked for $14.00" in text
    assert text.splitlines()[-1].split() == ["research", "api", "hourly", "2", "$14.00"]
    found = desk.json("report")["skipped"]
    assert (found["calls"], found["usd"]) == (2, "14.00")
    assert found["by"] == [{"service": "research", "resource": "api", "limit": "hourly", "calls": 2, "usd": "14.00"}]
    assert [one["key"] for one in found["records"]] == ["4711", "4712"]
    assert found["records"][0] == {
        "at": "2026-03-02T12:00:00Z", "service": "research", "provider": "", "resource": "api", "task": "t",
        "key": "4711", "limit": "hourly", "scope": "service=research", "error": "SpendLimitError", "usd": "7.00",
    }  # fmt: skip
    assert desk.json("report", "--since", "2026-03-03")["skipped"]["calls"] == 0
