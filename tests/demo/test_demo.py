"""The demo: every figure is what happened, and no process is left behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from spendgate.cli import main
from spendgate.cli.demo import worker
from spendgate.cli.demo.api import PRICES, Charge, PaidApi
from spendgate.cli.demo.closing import CODE, KEPT
from spendgate.cli.demo.lines import lines, others, plain
from spendgate.cli.demo.running import DemoError, Night, Outcome
from spendgate.cli.demo.story import (
    BEGINS_AT,
    DEFENCES,
    HAIKU,
    LIMITS,
    LOOPS,
    MAIL_AT,
    NOTHING,
    POISONED,
    PROVIDER,
    RETRIES,
    TIER,
    WORKERS,
)
from spendgate.clock import HOUR, MINUTE, SECOND
from spendgate.config import read
from spendgate.ledger import Event
from spendgate.money import usd
from spendgate.pricing.book import PriceBook
from spendgate.pricing.usage import Usage
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import FakeClock

USD = 1_000_000_000


def play(*arguments: str) -> tuple[dict, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from spendgate.cli import main; main()",
            "demo",
            "--json",
            "--only",
            "night",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def dollars(text: str) -> float:
    return float(text)


def test_the_first_minutes_are_played() -> None:
    """Without the gate the bill grows on, with it the runaway is refused below $5.00 and nobody else is."""
    result, said = play("--quick", "--speed", "600")
    free, gated, *cures = result["nights"]
    names = [night["defence"] for night in result["nights"]]
    assert names == ["nothing", "limits", "retries", "tier", "loops"]
    assert dollars(free["billed_usd"]) > 5 * dollars(gated["billed_usd"])
    assert free["ledger_usd"] is None
    assert gated["ledger_usd"] == gated["billed_usd"]
    assert gated["ledger_calls"] == gated["calls"]
    assert 4 < dollars(gated["lines"][0]["billed_usd"]) <= 5
    assert gated["lines"][0]["by"] == "hourly"
    assert gated["refused"] > 0
    for night, billed, calls in zip(cures, ("0.0875", "0.0875", "2.9707"), (5, 5, 16), strict=True):
        (line,) = night["lines"]
        assert (line["billed_usd"], line["calls"]) == (billed, calls)
        assert line["stopped_at"] < "2026-11-12T01:15"
        assert dollars(night["billed_usd"]) == pytest.approx(dollars(billed) + 0.35)  # not one call after the stop
        assert night["ledger_usd"] == night["billed_usd"]
        assert night["refused"] > 0
    for night in (free, gated, *cures):
        assert night["others"] == {"answered": 20, "refused": 0, "failed": 0, "billed_usd": "0.35"}
    assert "01:00  with spendgate" in said


def test_the_gated_night_is_kept(tmp_path: Path) -> None:
    """What is kept is a ledger like any other, and is never mixed with another night's."""
    folder = tmp_path / "night"
    result, _ = play("--quick", "--speed", "1200", "--keep", str(folder))
    store = SqliteStore(folder / "ledger.db")
    assert str(usd(store.totals().usd)) == result["nights"][1]["billed_usd"]
    assert store.check() == []
    store.close()
    again = CliRunner().invoke(main, ["demo", "--keep", str(folder)])
    assert again.exit_code == 2
    assert "there is something in it already" in again.stderr


@pytest.mark.long
def test_the_whole_night_is_played() -> None:
    """The night costs what the incident did, and with the gate no more than $15.00 for the runaway."""
    result, _ = play()
    free, gated, *cures = result["nights"]
    assert [dollars(night["lines"][0]["billed_usd"]) for night in cures] == [0.0875, 0.0875, 2.9707]
    assert all(dollars(night["billed_usd"]) < dollars(night["lines"][0]["billed_usd"]) + 2.2 for night in cures)
    assert 850 < dollars(free["billed_usd"]) < 980
    assert gated["ledger_usd"] == gated["billed_usd"]
    assert [line["by"] for line in gated["lines"]] == ["hourly", "six-hourly"]
    assert dollars(gated["lines"][0]["billed_usd"]) <= 5
    assert dollars(gated["lines"][1]["billed_usd"]) <= 15
    assert gated["others"]["answered"] == 120


def test_nobody_is_left_behind(tmp_path: Path) -> None:
    """A night that is broken off ends its processes before it is over."""
    night = Night(LIMITS, tmp_path, 60, MAIL_AT)

    def break_off() -> None:
        with night:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert len(night.processes) == 1 + len(WORKERS)
    assert None not in [process.returncode for process in night.processes]


def test_a_process_that_fails_is_named(tmp_path: Path) -> None:
    """A night that cannot begin says what its processes said, and leaves none of them behind."""
    broken = type(LIMITS)("broken", '[[limits]]\nusd = "five"\nwindow = "1h"\n')
    night = Night(broken, tmp_path, 60, MAIL_AT)
    with pytest.raises(Exception, match="five"), night:
        pytest.fail("it began")
    assert None not in [process.returncode for process in night.processes]


def test_a_worker_that_dies_is_noticed(tmp_path: Path) -> None:
    """The demo does not wait for a worker that has fallen over."""
    with Night(NOTHING, tmp_path, 60, MAIL_AT) as night:
        night.processes[-1].kill()
        night.processes[-1].wait()
        with pytest.raises(DemoError, match="a worker of the demo failed"):
            night.watch()


def test_the_api_charges_list_prices() -> None:
    """What the paid API charges for a token is what the price list says."""
    for model, (read_usd, written_usd) in PRICES.items():
        price = PriceBook().price(PROVIDER, model, BEGINS_AT)
        assert price.exact
        assert price.cost(Usage(input_tokens=1_000)) == 1_000 * read_usd
        assert price.cost(Usage(output_tokens=1_000)) == 1_000 * written_usd


def test_a_run_costs_seven_cents() -> None:
    """Four calls of a healthy worker come to $0.07."""
    request = worker.route(1)
    read_usd, written_usd = PRICES[HAIKU]
    assert 4 * (request.input_tokens * read_usd + request.max_output_tokens * written_usd) == 70_000_000


def test_the_api_writes_at_a_steady_pace() -> None:
    """A customer is written for at 200 tokens a second, whatever he wastes between his calls up to a minute."""
    clock = FakeClock(BEGINS_AT)
    api = PaidApi(clock)
    request = {"model": HAIKU, "input_tokens": 10, "max_tokens": 2_000, "record": "record-1-1"}
    assert json.loads(api.answer("a", request)["text"])
    assert clock.now() == BEGINS_AT + 10 * SECOND
    clock.sleep(4)
    api.answer("a", request)
    assert clock.now() == BEGINS_AT + 20 * SECOND
    clock.sleep(3600)
    before_at = clock.now()
    for _ in range(7):
        api.answer("a", request)
    assert clock.now() == before_at + 10 * SECOND
    assert api.bill() == {"usd": 9 * (10 * 1_000 + 2_000 * 5_000), "calls": 9}
    assert Charge(*api.account()[0]) == Charge(BEGINS_AT + 10 * SECOND, "a", HAIKU, 10, 2_000, 10_010_000)


def test_the_poisoned_record_is_never_answered() -> None:
    """Whichever model is asked, the malformed answer is malformed, and charged."""
    api = PaidApi(FakeClock(BEGINS_AT))
    for model in PRICES:
        answer = api.answer("research", {"model": model, "input_tokens": 1, "max_tokens": 1, "record": POISONED})
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer["text"])
    assert api.bill()["calls"] == 3


def test_the_lines_shown_are_the_lines_that_run() -> None:
    """What the demo prints as the lines that did it stands like that in the worker."""
    source = Path(worker.__file__).read_text(encoding="utf-8")
    assert KEPT in CODE.splitlines()
    for line in ("gate = spendgate.open(", 'paid.settle(usage=answer["usage"])', "with gate.call("):
        assert line.rstrip(")") in CODE
        assert line in source


def test_every_defence_has_a_sound_configuration() -> None:
    """The configurations of the demo say what the incident's cure says, and a total; the others have no limit."""
    for cure in (RETRIES, TIER, LOOPS):
        assert read(cure.config).limits.limits == ()
    assert read(RETRIES.config).rules.retry_budget == USD // 4
    assert (read(LOOPS.config).rules.same_request, read(LOOPS.config).rules.within) == (10, 5 * MINUTE)
    assert [defence.name for defence in DEFENCES if not defence.config] == [NOTHING.name]
    found = {limit.name: (limit.amount, str(limit.window), limit.per) for limit in read(LIMITS.config).limits.limits}
    per = ("service",)
    assert found == {
        "hourly": (5 * USD, "1h", per),
        "six-hourly": (15 * USD, "6h", per),
        "daily": (50 * USD, "24h", per),
        "total": (80 * USD, "24h", ()),
    }


def outcome(**changes: object) -> Outcome:
    charges = tuple(Charge(BEGINS_AT + n * MINUTE, "research", HAIKU, 1, 1, USD) for n in range(6))
    healthy = Charge(BEGINS_AT, "digest", HAIKU, 1, 1, USD // 10)
    tally = {"answered": 4, "refused": 0, "malformed": 0, "failed": 0}
    blocked = {"amount": 5 * USD, "window": "1h"}
    events = (
        Event(BEGINS_AT + 4 * MINUTE, "blocked", "hourly", "service=research", blocked),
        Event(BEGINS_AT + HOUR, "blocked", "hourly", "service=research", blocked),
        Event(BEGINS_AT, "blocked", "hourly", "service=digest", blocked),
    )
    fields: dict = {
        "defence": LIMITS,
        "ended_at": MAIL_AT,
        "charges": (*charges, healthy),
        "tallies": dict.fromkeys(WORKERS, tally),
        "ledger_usd": 6 * USD + USD // 10,
        "ledger_calls": 7,
        "events": events,
    }
    return Outcome(**{**fields, **changes})


def test_a_line_counts_until_its_first_stop() -> None:
    """A limit's row has what was billed to the runaway until that limit first refused it."""
    (line,) = lines(outcome())
    assert (line.name, line.usd, line.calls, line.by) == ("$5 an hour per service", 5 * USD, 5, "hourly")
    assert line.stopped_at == BEGINS_AT + 4 * MINUTE


def test_a_defence_alone_counts_until_its_first_refusal() -> None:
    """With one defence alone the row has what was billed until the worker was first refused, and what refused it."""
    tallies = {name: {"answered": 4, "refused": 9, "malformed": 0, "failed": 0, "refused_at": 0} for name in WORKERS}
    tallies["research"]["refused_at"] = BEGINS_AT + 2 * MINUTE
    (line,) = lines(outcome(defence=TIER, events=(), tallies=tallies))
    assert (line.name, line.by) == (TIER.line, "tier lock")
    assert (line.usd, line.calls, line.stopped_at) == (3 * USD, 3, BEGINS_AT + 2 * MINUTE)


def test_without_a_gate_the_mail_is_the_stop() -> None:
    """Without a gate the runaway's whole bill counts, up to the end of the night."""
    (line,) = lines(outcome(defence=NOTHING, ledger_usd=None, ledger_calls=None, events=()))
    assert (line.name, line.usd, line.calls, line.stopped_at, line.by) == ("nothing", 6 * USD, 6, MAIL_AT, "")


def test_books_that_differ_are_said_to_differ() -> None:
    """A nano-dollar or a call more in the ledger is no agreement."""
    assert outcome().agree
    assert not outcome(ledger_usd=6 * USD + USD // 10 + 1).agree
    assert not outcome(ledger_calls=8).agree
    assert plain(outcome(ledger_calls=8))["ledger_agrees"] is False


def test_others_are_counted_together() -> None:
    """A refusal of any worker but the runaway is seen."""
    assert others(outcome()).unharmed
    tally = {"answered": 3, "refused": 1, "malformed": 0, "failed": 0}
    fared = others(outcome(tallies=dict.fromkeys(WORKERS, tally)))
    assert (fared.answered, fared.refused, fared.unharmed) == (15, 5, False)
