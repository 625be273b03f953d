"""What limits would have done to a log: on its own time, in its order, and nothing left in the ledger."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spendgate.call import Call
from spendgate.cli.replay import STRETCHES, WIDTH, stretch
from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.config import read
from spendgate.history.in_order import InOrder
from spendgate.history.past import past_call, stated
from spendgate.history.replay import replay
from spendgate.ledger import Actor, Entry, Held, HoldRequest, Outcome
from spendgate.pricing.usage import Usage
from spendgate.stores.memory import MemoryStore
from tests.cli.conftest import Desk

USD = 1_000_000_000
NIGHT = datetime(2026, 11, 12, 1, tzinfo=UTC)


def call(at: int, usd: int, service: str = "research", name: str = "") -> Entry:
    return past_call(name or f"{at}-{service}", Call(service, "anthropic", "m"), at, Usage(), stated(usd, "log"))


def limits(text: str):
    return read(text).limits


HOURLY = '[[limits]]\nname = "hourly"\nusd = "5.00"\nwindow = "1h"\nper = ["service"]\nwarn_at = [0.8]\n'


def test_what_fits_passes() -> None:
    """Under the limits nothing is refused, and the sums are the log's."""
    found = replay([call(n * HOUR, USD) for n in range(1, 10)], limits(HOURLY), HOUR)
    assert (found.calls, found.usd, found.refused_calls, found.trips) == (9, 9 * USD, 0, [])
    assert found.passed_usd == found.usd


def test_a_trip_lasts_until_calls_pass_again() -> None:
    """A trip begins with its first refusal and is over when the window has room again; a new one may follow."""
    minutes = [*range(1, 11), *range(70, 80)]
    found = replay([call(minute * MINUTE, USD) for minute in minutes], limits(HOURLY), HOUR)
    first, second = found.trips
    assert (first.limit, first.scope, first.at) == ("hourly", "service=research", 6 * MINUTE)
    assert (first.refused_calls, first.refused_usd) == (5, 5 * USD)
    assert first.until_at == 70 * MINUTE
    assert (second.at, second.until_at, second.refused_calls) == (75 * MINUTE, None, 5)
    assert (found.refused_calls, found.refused_usd, found.passed_usd) == (10, 10 * USD, 10 * USD)
    assert [warning.at for warning in found.warnings] == [4 * MINUTE, 73 * MINUTE]


def test_a_refused_call_costs_nothing() -> None:
    """What was refused takes no room from what follows."""
    found = replay([call(1, 4 * USD), call(2, 4 * USD), call(3, USD)], limits(HOURLY), HOUR)
    assert (found.refused_calls, found.passed_usd) == (1, 5 * USD)


def test_observing_limits_only_report() -> None:
    """A limit that only observes has trips, and everything passes."""
    found = replay([call(n, 2 * USD) for n in range(1, 5)], limits(HOURLY + 'at_limit = "observe"\n'), HOUR)
    assert found.refused_calls == 0
    (trip,) = found.trips
    assert (trip.observed, trip.refused_calls) == (True, 2)


def test_stretches_add_up() -> None:
    """The parts of the chart sum to the log, and to what would have passed."""
    draw = random.Random(1)
    calls = sorted(
        (call(draw.randrange(1, DAY), draw.randrange(USD), str(n % 3), str(n)) for n in range(500)),
        key=lambda one: one.held_at,
    )
    found = replay(calls, limits(HOURLY), 10 * MINUTE)
    assert found.refused_calls > 0
    assert sum(one.usd for one in found.stretches.values()) == found.usd == sum(one.weight.usd for one in calls)
    assert sum(one.passed_usd for one in found.stretches.values()) == found.passed_usd


def test_no_scope_overspends() -> None:
    """Whatever the log, no rolling hour of any service has more than the limit in what would have passed."""
    draw = random.Random(2)
    times = sorted(draw.randrange(1, DAY) for _ in range(2_000))
    calls = [call(at, draw.randrange(1, USD), str(draw.randrange(4)), str(n)) for n, at in enumerate(times)]
    found = replay(calls, limits(HOURLY), SECOND)
    for service in "0123":
        alone = replay([one for one in calls if one.call.service == service], limits(HOURLY), SECOND)
        passed = [(one.at, one.passed_usd) for one in alone.stretches.values()]
        assert all(sum(usd for at, usd in passed if end - HOUR + SECOND < at <= end) <= 5 * USD for end, _ in passed)
        found.usd -= alone.usd
        found.refused_usd -= alone.refused_usd
    assert (found.usd, found.refused_usd) == (0, 0)


def test_a_replay_decides_as_a_ledger_would() -> None:
    """Call for call, a replay refuses what the reference store refuses, whatever the kind of limit."""
    draw = random.Random(4)
    times = sorted(draw.randrange(1, 3 * DAY) for _ in range(1_500))
    calls = [call(at, draw.randrange(USD), str(draw.randrange(2)), str(n)) for n, at in enumerate(times)]
    text = HOURLY + '[[limits]]\nname = "day"\nusd = "60"\nwindow = "day"\npace_from = 0.5\n'
    text += '[[limits]]\nname = "calls"\ncalls = 80\nwindow = "day"\nat_limit = "throttle"\nthrottle_to = "10/h"\n'
    store, refused = MemoryStore(), []
    store.apply_limits(limits(text), "test", Actor(), 0)
    for one in calls:
        answer = store.hold(HoldRequest(one.call, one.weight), one.held_at)
        if isinstance(answer, Held):
            store.settle(answer.id, Outcome(), one.held_at)
        else:
            refused.append(one.weight.usd)
    found = replay(calls, limits(text), HOUR)
    assert (found.refused_calls, found.refused_usd) == (len(refused), sum(refused))
    assert {trip.limit for trip in found.trips} == {"hourly", "day", "calls"}
    assert len(found.trips) == len([event for event in store.events() if event.kind == "blocked"])


@pytest.mark.parametrize("chunk", [1, 3, 10, 1_000])
def test_in_order(chunk: int) -> None:
    """Calls come in the order of time, however they came and however few fit in memory; equal ones stay in theirs."""
    draw = random.Random(3)
    calls = [call(draw.randrange(1, 50), n + 1, name=str(n)) for n in range(100)]
    with InOrder(calls, chunk) as ordered:
        assert list(ordered) == list(ordered) == sorted(calls, key=lambda one: one.held_at)
        assert (ordered.first_at, ordered.last_at) == (
            min(one.held_at for one in calls),
            max(one.held_at for one in calls),
        )


def test_in_order_of_nothing() -> None:
    """An empty log has no instants."""
    with InOrder([]) as ordered:
        assert (list(ordered), ordered.first_at, ordered.last_at) == ([], 0, 0)


def test_every_log_fits_the_chart() -> None:
    """Whatever the length of a log, its chart has no more columns than it may."""
    for length in (0, SECOND, HOUR, DAY, 30 * DAY, 400 * DAY, 40_000 * DAY):
        assert length // stretch(length) + 2 <= WIDTH
    assert stretch(0) == STRETCHES[0]


def the_night(path: Path) -> str:
    """A loop from 01:02 to 07:00, and a service that does no harm."""
    lines = []
    for n in range(358):
        at = NIGHT + timedelta(minutes=n + 2)
        lines.append(
            {"timestamp": at.isoformat(), "service": "research", "model": "claude-opus-4-6", "tokens": 9, "cost": 2.55}
        )
    for n in range(6):
        at = NIGHT + timedelta(hours=n)
        lines.append(
            {"timestamp": at.isoformat(), "service": "digest", "model": "claude-haiku-4-5", "tokens": 9, "cost": 0.07}
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_the_night_is_told(desk: Desk) -> None:
    """The table says which limit, when, and what it would have refused; the chart both bills."""
    text = desk.ok("replay", the_night(desk.folder / "night.jsonl"))
    assert "364 calls, 2026-11-12 01:00 to 2026-11-12 06:59 UTC" in text
    assert "as it was         $913.32  364 calls" in text
    assert "with these limits" in text
    row = next(line for line in text.splitlines() if line.strip().startswith("hourly"))
    assert "service=research" in row
    assert "2026-11-12 01:03" in row
    assert "░" in text
    assert "█" in text
    assert "\x1b" not in text


def test_replay_as_json(desk: Desk) -> None:
    """The figures are exact, add up, and the ledger is not touched."""
    data = desk.json("replay", the_night(desk.folder / "night.jsonl"))
    assert Decimal(data["passed_usd"]) + Decimal(data["refused_usd"]) == Decimal(data["usd"]) == Decimal("913.32")
    assert data["passed_calls"] + data["refused_calls"] == data["calls"] == 364
    assert data["trips"][0]["at"] == "2026-11-12T01:03:00Z"
    assert sum(Decimal(one["usd"]) for one in data["stretches"]) == Decimal("913.32")
    assert not (desk.folder / ".spendgate").exists()


def test_other_limits_may_be_tried(desk: Desk) -> None:
    """--limits takes those of another file, and changes nothing."""
    path = the_night(desk.folder / "night.jsonl")
    (desk.folder / "tight.toml").write_text(HOURLY.replace("5.00", "0.00"))
    assert desk.json("replay", "--limits", "tight.toml", path)["passed_usd"] == "0.00"
    (desk.folder / "wide.toml").write_text(HOURLY.replace("5.00", "500"))
    assert "No limit would have tripped. 0 warnings" in desk.ok("replay", "--limits", "wide.toml", path)


def test_a_stretch_of_the_log(desk: Desk) -> None:
    """--since and --until narrow the log."""
    path = the_night(desk.folder / "night.jsonl")
    data = desk.json("replay", "--since", "2026-11-12T03:00", "--until", "2026-11-12T04:00", path)
    assert (data["calls"], data["first_at"]) == (61, "2026-11-12T03:00:00Z")
    assert desk.ok("replay", "--until", "2026-01-01", path) == "There are no calls in it.\n"


def test_a_call_in_several_logs_counts_once(desk: Desk) -> None:
    """Logs that repeat each other are one log, as they are when they are imported."""
    path = the_night(desk.folder / "night.jsonl")
    (desk.folder / "copy.jsonl").write_text(Path(path).read_text())
    assert desk.json("replay", path, "copy.jsonl")["calls"] == 364


def test_replay_names_what_is_missing(desk: Desk) -> None:
    """Broken lines and calls without a price are named, and the exit code says that the sums lack them."""
    path = Path(the_night(desk.folder / "night.jsonl"))
    lines = path.read_text()
    path.write_text(
        lines + '{"oops\n' + lines.splitlines()[0].replace("claude-opus-4-6", "own").replace("2.55", "0") + "\n"
    )
    result = desk.run("replay", str(path))
    assert result.exit_code == 1
    assert "night.jsonl:365: it is not JSON" in result.stderr
    assert "own (1)" in result.stderr
    assert "365 calls" in result.stdout


def test_replay_of_the_own_ledger(desk: Desk) -> None:
    """An export is a log: under the limits that were in force nothing would have been refused."""
    for _ in range(4):
        desk.spend("1.20")
        desk.clock.advance(60)
    desk.ok("export", "-o", "out.jsonl")
    assert desk.json("replay", "out.jsonl")["refused_calls"] == 0
    (desk.folder / "tight.toml").write_text(HOURLY.replace("5.00", "2.50"))
    assert desk.json("replay", "--limits", "tight.toml", "out.jsonl")["refused_usd"] == "2.40"


def test_real_transcripts_replay(desk: Desk, shared_data: Path) -> None:
    """Recorded transcripts of agents go through the limits with what they state."""
    data = desk.json("replay", str(shared_data / "history" / "claude_code_alpha.jsonl"))
    assert (data["calls"], data["usd"], data["refused_calls"]) == (3, "1.02", 0)
