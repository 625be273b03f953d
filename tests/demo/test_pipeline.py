"""The first incident as the demo plays it: everything notices the cache key, each in its time."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spendgate.cli import main
from spendgate.cli.demo.pipeline import story
from spendgate.cli.demo.pipeline.playing import FINDINGS, MISSES, WATCHES, Outcome, Play, PlayedClock, play
from spendgate.cli.demo.pipeline.results import Results
from spendgate.cli.demo.pipeline.services import Client, Services
from spendgate.clock import DAY, HOUR
from spendgate.money import nanos

USD = 10**9


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All of it, played once."""
    return play(tmp_path_factory.mktemp("pipeline"), lambda part, share: None)


def test_everything_notices_it(outcome: Outcome) -> None:
    """Churn within 200 lookups, the miss rate once a thousand have missed, the budget when it is used up."""
    noticed = {one.by: one for one in outcome.noticed}
    assert set(noticed) == set(WATCHES)
    assert noticed[FINDINGS["churn"]].lookups <= 200
    assert 1000 <= noticed[MISSES].lookups <= 1100
    assert noticed["daily call budget"].usd < 600 * USD
    assert outcome.complete


def test_the_output_stays_right(outcome: Outcome) -> None:
    """Nobody sees it in the results: only rows and mails come again, one for each lookup that would have hit."""
    assert outcome.right
    assert outcome.hit_rate > 0.8
    assert outcome.rows_again == outcome.mails_again
    assert 0.8 * outcome.lookups < outcome.rows_again < outcome.lookups


def test_ledger_and_services_agree(outcome: Outcome) -> None:
    """Each call and each mail is in the ledger, at what was charged for it."""
    assert outcome.usd == outcome.ledger_usd
    assert outcome.calls == outcome.lookups


def test_the_verdict_names_the_segment(outcome: Outcome) -> None:
    """Churn says in words which part of the key is the culprit."""
    (text,) = [one.text for one in outcome.noticed if one.by == FINDINGS["churn"]]
    assert "segment 3" in text
    assert "ISO timestamp" in text
    assert "This cache cannot hit" in text


def test_without_the_deploy_nothing_is_noticed(tmp_path: Path) -> None:
    """The same pipeline with its old key: a day of it brings no finding and no warning."""
    with Services() as services:
        client, results = Client(services.port), Results()
        game = Play(tmp_path, services, client, results)
        game.good_months(lambda part, share: None)
        with game.running("2025-12-01", story.before) as (gate, pipeline):
            for at, record in game.afternoon[:1500]:
                game.clock.at = at
                pipeline.process(record, at)
            gate.flush_caches()
            assert gate.store.findings(0) == []
            assert [event.kind for event in gate.store.events()] == ["limits"] * len(list(gate.store.events()))
        client.close()
        results.close()


def test_a_day_has_the_records_that_it_is_said_to_have() -> None:
    """New ones, old ones, and those that come every hour, in the order of their time."""
    known = ["1", "2"]
    work = story.day(story.BEGINS_AT + 5 * DAY, known)
    assert len(work) == story.LOOKUPS_A_DAY
    assert work == sorted(work)
    assert len(known) == 2 + story.NEW
    assert {record for _, record in work} >= {"1", "2", "vip-0"}


def test_the_clock_of_the_story_stands() -> None:
    """It moves only where it is set, or where somebody sleeps."""
    clock = PlayedClock(5)
    clock.sleep(3600)
    assert clock.now() == 5 + HOUR


def test_it_is_told_as_data(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    """`--json` has what the table has; what is incomplete is an exit code of 1."""
    monkeypatch.setattr("spendgate.cli.demo.pipeline.playing.play", lambda folder, progress: outcome)
    done = CliRunner().invoke(main, ["demo", "--only", "cache", "--json"])
    told = json.loads(done.stdout)["cache"]
    assert done.exit_code == 0
    assert [one["by"] for one in told["noticed"]] == [one.by for one in outcome.noticed]
    assert nanos(told["billed_usd"], most=10**15) == outcome.usd
    assert told["results_right"] is True
