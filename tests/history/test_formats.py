"""Telling formats apart, and reading files and folders."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendgate.history.formats import FormatError, detect, read, read_path
from spendgate.history.ledger_lines import event_line
from spendgate.history.load import BATCH, load
from spendgate.history.results import BrokenLine, Counts, ImportOptions
from spendgate.ledger import Entry, Event
from spendgate.stores.memory import MemoryStore

OPTIONS = ImportOptions()


def cost_line(number: int = 0) -> str:
    timestamp = 1_793_000_000 + number
    return json.dumps({"timestamp": timestamp, "service": "s", "model": "m", "tokens": 5, "cost": 0.001}) + "\n"


def answer(message_id: str) -> str:
    message = {"id": message_id, "role": "assistant", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 5}}
    line = {"type": "assistant", "timestamp": "2026-10-26T07:33:20Z", "sessionId": "s", "message": message}
    return json.dumps(line | {"costUSD": 0.001}) + "\n"


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([event_line(Event(0, "blocked"))], "spendgate"),
        ([cost_line()], "cost-log"),
        (['{"timestamp": 1793000000, "model": "m", "cost": 0.1}'], "cost-log"),
        ([answer("a")], "claude-code"),
        (['{"type": "summary", "summary": "x", "leafUuid": "u"}'], "claude-code"),
        (['{"type": "user", "sessionId": "s", "timestamp": "2026-10-26T07:33:20Z", "message": {}}'], "claude-code"),
        (['{"type": "session_meta", "timestamp": "2026-10-26T07:33:20Z", "payload": {}}'], "codex"),
        (["", "{torn", "[]", '{"something": "else"}', cost_line()], "cost-log"),
    ],
)
def test_a_format_is_told_by_its_records(lines: list[str], name: str) -> None:
    """The first record that a format knows decides, whatever stands before it."""
    assert detect(lines) == name
    assert detect(line.encode() for line in lines) == name


def test_real_transcripts_are_told_apart(shared_data: Path) -> None:
    """Recorded transcripts are recognised, and a file and its lines give the same entries."""
    for name in ("claude-code", "codex"):
        path = shared_data / "history" / f"{name.replace('-', '_')}_alpha.jsonl"
        assert detect(path.read_bytes().splitlines()) == name
        found = list(read_path(path, OPTIONS))
        assert found == list(read(path.read_text().splitlines(), OPTIONS, name))
        assert found
        assert all(isinstance(one, Entry) for one in found)


@pytest.mark.parametrize("lines", [[], [""], ["{torn"], ['{"a": 1}'] * 500 + [cost_line()]])
def test_an_unknown_format_is_an_error_that_names_the_known_ones(lines: list[str]) -> None:
    """Where nobody can tell the format, nothing is imported and the known formats are named."""
    with pytest.raises(FormatError, match="--format: spendgate, codex, claude-code, cost-log"):
        read(lines, OPTIONS)


def test_a_named_format_is_taken_at_its_word() -> None:
    """A format that is named is not detected: what does not fit it is broken; a name that is none is an error."""
    (found,) = read([answer("a")], OPTIONS, "cost-log")
    assert isinstance(found, BrokenLine)
    with pytest.raises(FormatError, match="'csv' is no format"):
        read([], OPTIONS, "csv")


def test_reading_streams() -> None:
    """A result comes out before the log is at its end, so that a log may be larger than memory."""
    drawn = 0

    def endless() -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield cost_line(drawn)

    results = read(endless(), OPTIONS)
    for _ in range(1000):
        next(results)
    assert drawn <= 1201


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    """Every log below a folder is read in its own format, compressed ones too; a call in several files comes once."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.jsonl").write_text(answer("1") + answer("2"))
    (tmp_path / "a" / "resumed.jsonl").write_text(answer("1") + answer("2") + answer("3"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(cost_line().encode() * 2))
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "notes.txt").write_text("no log")
    found = list(read_path(tmp_path, OPTIONS))
    assert all(isinstance(one, Entry) for one in found)
    assert len(found) == 5


def test_a_bad_file_in_a_folder_stops_nothing(tmp_path: Path) -> None:
    """A file of no known format, and one that ends in the midst, are broken lines with their names; others are read."""
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    whole = gzip.compress("".join(cost_line(number) for number in range(2000)).encode())
    (tmp_path / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.jsonl").write_text(cost_line(5000) + "{torn\n")
    counts = Counts()
    entries = list(counts.entries_of(read_path(tmp_path, OPTIONS)))
    assert [broken.source for broken in counts.first_broken] == ["a.jsonl", "b.jsonl.gz", "c.jsonl"]
    assert "damaged" in counts.first_broken[1].problem
    assert str(counts.first_broken[2]) == "c.jsonl:2: it is not JSON: {torn"
    assert len(entries) > 1


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    """A folder with nothing to read is a slip, not an empty import."""
    with pytest.raises(FormatError, match=r"no \.jsonl"):
        read_path(tmp_path, OPTIONS)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A single file that cannot be opened raises before anything is imported."""
    with pytest.raises(FileNotFoundError):
        read_path(tmp_path / "none.jsonl", OPTIONS)


def test_a_log_is_loaded_in_batches() -> None:
    """The ledger takes a log a batch at a time, and progress is told after each."""
    lines = [cost_line(number) for number in range(2 * BATCH + 1)]
    seen: list[int] = []
    store = MemoryStore()
    counts = load(store, read([*lines, "{torn"], OPTIONS), lambda so_far: seen.append(so_far.added))
    assert seen == [BATCH, 2 * BATCH, 2 * BATCH + 1]
    assert (counts.added, counts.broken, counts.usd) == (2 * BATCH + 1, 1, (2 * BATCH + 1) * 1_000_000)
    assert sum(found.imported_usd for found in store.sums((), 0, 1 << 62)) == counts.usd
    assert store.totals().usd == 0
