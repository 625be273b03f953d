"""Recorded calls in, the ledger out: streamed, counted, and nothing passed over in silence."""

import csv
import io
import json
import stat
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendgate.ledger import Store
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from tests.cli.conftest import Desk

CALL = {"timestamp": "2026-10-26T07:33:20Z", "service": "research", "model": "claude-haiku-4-5", "tokens": 1200}


def log(path: Path, *records: object) -> str:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def costs(*amounts: str) -> list[str]:
    return [json.dumps({**CALL, "cost": 0}).replace('"cost": 0', f'"cost": {amount}') for amount in amounts]


def sums(store: Store) -> list[tuple[object, ...]]:
    by = ("service", "provider", "resource", "task")
    return sorted(
        (*one.fields, one.at, one.calls, one.usd, one.tokens) for one in store.sums(by, 0, 1 << 62, 3_600_000_000)
    )


def ledger(folder: Path) -> SqliteStore:
    return SqliteStore(folder / ".spendgate" / "ledger.db")


def test_import_adds_once(desk: Desk) -> None:
    """The same log imported again adds nothing, and says so."""
    path = log(desk.folder / "calls.jsonl", *costs("0.0031", "1.25"))
    assert desk.ok("import", path) == "2 calls read, $1.2531: 2 added, 0 known already.\n"
    assert desk.ok("import", path) == "2 calls read, $1.2531: 0 added, 2 known already.\n"
    assert desk.json("report", "--since", "2026-10-01")["total"]["usd"] == "1.2531"


def test_imports_do_not_weigh_on_limits(desk: Desk) -> None:
    """Yesterday's log takes nothing of today's budget."""
    record = {**CALL, "timestamp": desk.clock.now() / 1e6 - 60, "cost": 4.9}
    desk.ok("import", log(desk.folder / "calls.jsonl", record))
    desk.spend("4.90")


def test_broken_lines_are_named(desk: Desk) -> None:
    """Each line that cannot be read is named by file and number, the others are added, and the exit code is 1."""
    path = log(desk.folder / "calls.jsonl", *costs("1"), "{oops", *costs("NaN"), *costs("2"))
    result = desk.run("import", path)
    assert result.exit_code == 1
    assert result.stdout == "2 calls read, $3.00: 2 added, 0 known already.\n"
    assert "2 lines could not be read:" in result.stderr
    assert "calls.jsonl:2: it is not JSON" in result.stderr
    assert "calls.jsonl:3: NaN" in result.stderr


@pytest.mark.parametrize("name", ["codex", "claude-code"])
def test_a_log_of_another_format_is_no_success(desk: Desk, name: str) -> None:
    """Where no line is a record of the format that was named, the exit code is 1 and the remedy is said."""
    path = log(desk.folder / "calls.jsonl", *costs("1", "2"))
    for command in ("import", "replay"):
        said = desk.fails(command, "--format", name, path, code=1)
        assert "2 lines were no records of the format" in said
        assert "--format auto" in said
    assert desk.json("import", "--dry-run", "--format", name, path, code=1)["foreign"] == 2


def test_foreign_lines_among_others_are_counted(desk: Desk) -> None:
    """Lines that are no records of the format are counted; where others are, that is no problem."""
    meta = {"type": "session_meta", "timestamp": "2026-10-26T07:33:20Z", "payload": {"id": "s"}}
    result = desk.run("import", log(desk.folder / "rollout.jsonl", meta, {"a": 1}))
    assert result.exit_code == 0
    assert "1 line was no record of the format" in result.stderr


def test_many_broken_lines_are_counted(desk: Desk) -> None:
    """The first twenty are shown, all are counted."""
    result = desk.run("import", log(desk.folder / "calls.jsonl", *costs("1"), *["{"] * 50))
    assert "50 lines could not be read:" in result.stderr
    assert result.stderr.count("it is not JSON") == 20
    assert "... and 30 more lines" in result.stderr


def test_unpriced_calls_are_named(desk: Desk) -> None:
    """A call that nobody can price is added, named by its model, and no success."""
    path = log(desk.folder / "calls.jsonl", {**CALL, "model": "our-own-model"}, *costs("1"))
    result = desk.run("import", path)
    assert result.exit_code == 1
    assert "1 call without a price, which is not free: our-own-model (1)." in result.stderr
    assert "2 added" in result.stdout
    desk.configure('[prices."our-own-model"]\nper_call = "0.25"\n')
    assert desk.json("import", path)["usd"] == "1.25"


def test_import_says_it_in_json(desk: Desk) -> None:
    """With --json every count is there, and the lines that could not be read."""
    data = desk.json("import", log(desk.folder / "calls.jsonl", *costs("0.0031"), "{oops"), code=1)
    assert data == {
        "read": 1,
        "usd": "0.0031",
        "added": 1,
        "known": 0,
        "dry_run": False,
        "broken": 1,
        "broken_lines": [{"source": "calls.jsonl", "line": 2, "problem": "it is not JSON", "text": "{oops"}],
        "foreign": 0,
        "unpriced": 0,
        "unpriced_models": {},
    }


def test_dry_run_adds_nothing(desk: Desk) -> None:
    """A dry run reads and judges everything, and makes no ledger."""
    path = log(desk.folder / "calls.jsonl", *costs("1", "2"))
    assert desk.ok("import", "--dry-run", path) == "2 calls read, $3.00. Nothing was added: this was a dry run.\n"
    assert not (desk.folder / ".spendgate").exists()


def test_import_reads_stdin(desk: Desk) -> None:
    """`-` is stdin; its broken lines are named after it."""
    result = desk.run("import", "-", stdin="\n".join([*costs("1"), "{oops"]))
    assert result.stdout.startswith("1 call read, $1.00: 1 added")
    assert "stdin:2: it is not JSON" in result.stderr


def test_import_fills_in_what_a_log_leaves_open(desk: Desk) -> None:
    """Service and time zone come from the options where the records do not say."""
    record = {"timestamp": "2026-10-26 08:33:20", "model": "claude-haiku-4-5", "tokens": 1, "cost": 1}
    path = log(desk.folder / "calls.jsonl", record)
    assert "--timezone" in desk.fails("import", "--format", "cost-log", path, code=1)
    desk.ok("import", "--format", "cost-log", "--timezone", "Europe/Berlin", "--service", "old", path)
    (entry,) = ledger(desk.folder).entries()
    assert (entry.call.service, entry.held_at) == ("old", 1_793_000_000_000_000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch.jsonl",), "does not exist"),
        (("--format", "excel", "calls.jsonl"), "excel"),
        (("--timezone", "Mars/Olympus", "calls.jsonl"), "no time zone"),
        (("notes.txt",), "none of the first lines is a record"),
        (("empty",), "has no .jsonl"),
        ((), "LOG"),
    ],
)
def test_import_refuses_what_it_cannot_read(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """What is no log ends with exit code 2 and says what is wrong."""
    log(desk.folder / "calls.jsonl", *costs("1"))
    log(desk.folder / "notes.txt", "hello", "world")
    (desk.folder / "empty").mkdir()
    assert said in desk.fails("import", *arguments)


def test_one_bad_log_of_several_does_not_stop_the_others(desk: Desk) -> None:
    """Among several logs, one that is none is named and the others are added."""
    good = log(desk.folder / "calls.jsonl", *costs("1"))
    bad = log(desk.folder / "notes.txt", "hello")
    result = desk.run("import", bad, good)
    assert result.exit_code == 1
    assert "notes.txt" in result.stderr
    assert "1 added" in result.stdout


def test_recorded_transcripts_are_imported(desk: Desk, shared_data: Path) -> None:
    """Real transcripts come in with what they state, summed here on their own."""
    path = shared_data / "history" / "claude_code_alpha.jsonl"
    stated = [json.loads(line, parse_float=Decimal)["costUSD"] for line in path.read_text().splitlines()]
    data = desk.json("import", str(path))
    assert (data["added"], Decimal(data["usd"])) == (len(stated), sum(stated))
    codex = desk.json("import", str(shared_data / "history" / "codex_alpha.jsonl"))
    assert (codex["added"], codex["unpriced"]) == (2, 0)
    tokens = {
        entry.call.resource: entry.weight.tokens
        for entry in ledger(desk.folder).entries()
        if entry.call.service == "codex"
    }
    assert tokens == {"gpt-5.2-codex": 1125, "gpt-5.3-codex": 2800}


def spend_something(desk: Desk) -> None:
    """One call of every fate: settled, voided, lapsed, overrun, and some history."""
    with desk.gate() as gate:
        gate.reserve(resource="api", service="a", at_most="0.02", tags={"customer": "=acme"}).settle("0.003100001")
        gate.reserve(resource="api", service="a", at_most="0.5").void()
        gate.reserve(resource="claude-haiku-4-5", provider="anthropic", service="b", task="t", at_most="0.02").settle(
            usage={"input_tokens": 10, "output_tokens": 20}
        )
        gate.reserve(resource="api", service="b", at_most="0.01").settle("0.03")
        gate.reserve(resource="api", service="c", at_most="0.07")
        desk.clock.advance(3600)
        gate.reserve(resource="api", service="c", at_most="0.01").settle("0.01")
    desk.ok("import", log(desk.folder / "calls.jsonl", *costs("1.5")))


def test_round_trip(desk: Desk, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export read into a new ledger gives equal sums, and again adds nothing; so does one's own export."""
    spend_something(desk)
    exported = desk.folder / "out.jsonl"
    desk.ok("export", "-o", str(exported))
    before = sums(ledger(desk.folder))
    assert desk.json("import", str(exported))["added"] == 0
    assert sums(ledger(desk.folder)) == before

    other = Desk(tmp_path_factory.mktemp("other"), desk.clock)
    monkeypatch.chdir(other.folder)
    other.configure((desk.folder / "spendgate.toml").read_text())
    desk.run("import", str(exported))
    assert len(before) > 4
    assert sums(ledger(other.folder)) == before
    assert desk.run("import", "--json", str(exported)).stdout.count('"added": 0') == 1


def test_export_to_stdout(desk: Desk) -> None:
    """Entries come first, then events, one JSON object a line."""
    spend_something(desk)
    records = [json.loads(line) for line in desk.ok("export").splitlines()]
    assert Counter(record["type"] for record in records) == {"entry": 7, "event": 1}
    assert [record["type"] for record in records] == ["entry"] * 7 + ["event"]
    assert sum(Decimal(record["usd"]) for record in records[:7]) == Decimal("1.613210001")


def test_export_as_csv(desk: Desk) -> None:
    """CSV has the same amounts, and nothing that a spreadsheet would run."""
    spend_something(desk)
    rows = list(csv.DictReader(io.StringIO(desk.ok("export", "--format", "csv"))))
    assert sum(Decimal(row["usd"]) for row in rows) == Decimal("1.613210001")
    assert not [cell for row in rows for cell in row.values() if cell.startswith("=")]


def test_export_of_a_period(desk: Desk) -> None:
    """--since and --until choose entries and events by their instants."""
    spend_something(desk)
    period = ("export", "--since", "10min", "--until", "2026-03-31")
    records = [json.loads(line) for line in desk.ok(*period).splitlines()]
    assert [record["service"] for record in records] == ["c"]
    records = [json.loads(line) for line in desk.ok("export", "--until", "2026-02-28").splitlines()]
    assert records == []
    assert "not after" in desk.fails("export", "--since", "1h", "--until", "2020-01-01")


def test_export_of_nothing(desk: Desk) -> None:
    """Without a ledger an export is empty, and makes none."""
    assert desk.ok("export") == ""
    assert desk.ok("export", "--format", "csv").startswith("id,state,")
    assert not (desk.folder / ".spendgate").exists()


def test_exported_file_is_private_and_whole(desk: Desk) -> None:
    """A file appears when it is whole, readable by its owner alone, and leaves nothing beside it."""
    spend_something(desk)
    before = set(desk.folder.iterdir())
    result = desk.run("export", "-o", "out.jsonl")
    assert result.stdout == ""
    assert "8 lines written to out.jsonl." in result.stderr
    path = desk.folder / "out.jsonl"
    assert set(desk.folder.iterdir()) - before == {path}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_failed_export_leaves_the_old_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that breaks off leaves what was there, and no half-written file."""
    spend_something(desk)
    (desk.folder / "out.jsonl").write_text("old")
    before = set(desk.folder.iterdir())

    def broken(*_: Any) -> Any:
        yield "new\n"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spendgate.cli.transfer.export_jsonl", broken)
    assert "No space left" in desk.fails("export", "-o", "out.jsonl")
    assert (desk.folder / "out.jsonl").read_text() == "old"
    assert set(desk.folder.iterdir()) == before


def test_export_into_nowhere(desk: Desk) -> None:
    """A folder that does not exist is said to be the reason."""
    assert "cannot be written" in desk.fails("export", "-o", "nosuch/out.jsonl")


def test_a_log_in_memory_gives_the_same(desk: Desk) -> None:
    """What the command adds is what the importer reads."""
    from spendgate.history.formats import read
    from spendgate.history.load import load
    from spendgate.history.results import ImportOptions

    lines = costs("0.5", "0.25", "0.25")
    desk.ok("import", log(desk.folder / "calls.jsonl", *lines))
    store = MemoryStore()
    load(store, read(lines, ImportOptions()))
    assert sums(store) == sums(ledger(desk.folder))
