"""The mirror: text beside the ledger, and never in its way."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spendgate.call import Call
from spendgate.clock import DAY, HOUR
from spendgate.history.mirror import Mirror
from spendgate.history.past import past_call, stated
from spendgate.ledger import Entry, Event
from spendgate.pricing.usage import Usage

AT = 1_793_000_000_000_000
"""2026-10-26, 07:33:20 UTC."""


def entry(name: str = "research", at: int = AT) -> Entry:
    return past_call(f"{name}{at}", Call(service=name), at, Usage(), stated(1, "test"))


def test_entries_and_events_are_lines_of_their_day(tmp_path: Path) -> None:
    """Each line goes to the file of its day in UTC, which only its owner may read."""
    mirror = Mirror(tmp_path / "deep" / "log")
    mirror.write(entry(), AT)
    mirror.write(Event(AT, "blocked", "hourly"), AT + HOUR)
    mirror.write(entry(), AT + DAY)
    files = sorted((tmp_path / "deep" / "log").iterdir())
    assert [path.name for path in files] == ["2026-10-26.jsonl", "2026-10-27.jsonl"]
    kinds = [json.loads(line)["type"] for line in files[0].read_text().splitlines()]
    assert kinds == ["entry", "event"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert mirror.failures == 0


def test_old_days_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    """Files of days more than `keep_days` ago go; every file that this mirror would not have written stays."""
    mirror = Mirror(tmp_path, keep_days=2)
    strangers = {"2026-10-01.jsonl.gz", "2026-13-01.jsonl", "notes.jsonl", "x2026-10-01.jsonl", "2026-10-01.json"}
    for name in strangers:
        (tmp_path / name).write_text("mine")
    for day in range(6):
        mirror.write(entry(), AT + day * DAY)
    left = {path.name for path in tmp_path.iterdir()}
    assert left - strangers == {"2026-10-29.jsonl", "2026-10-30.jsonl", "2026-10-31.jsonl"}
    assert strangers <= left


def test_what_cannot_be_written_is_counted_and_never_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is a file, or a planted link, costs lines, not calls; it works again when the way is free."""
    (tmp_path / "log").write_text("in the way")
    mirror = Mirror(tmp_path / "log")
    mirror.write(entry(), AT)
    mirror.write(entry(), AT)
    assert mirror.failures == 2
    assert "log" in mirror.last_error
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    (tmp_path / "log").unlink()
    mirror.write(entry(), AT)
    assert mirror.failures == 2
    (tmp_path / "log" / "2026-10-27.jsonl").symlink_to(tmp_path / "elsewhere")
    mirror.write(entry(), AT + DAY)
    assert mirror.failures == 3
    assert not (tmp_path / "elsewhere").exists()


PROGRAM = """
import sys
from spendgate.call import Call
from spendgate.history.mirror import Mirror
from spendgate.history.past import past_call, stated
from spendgate.pricing.usage import Usage

mirror = Mirror(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(500):
    call = Call(service=sys.argv[2], key="x" * number)
    mirror.write(past_call(f"{sys.argv[2]} {number}", call, 1_793_000_000_000_000, Usage(), stated(1, "test")), 0)
assert mirror.failures == 0, mirror.last_error
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    """Lines that several processes write at once are all there, each whole."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"worker-{number}"], **pipes) for number in range(4)]  # type: ignore[call-overload]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n")
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    lines = (tmp_path / "1970-01-01.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == 2000


FULL = """
import resource, signal, sys
from spendgate.ledger import Event
from spendgate.history.mirror import Mirror

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
mirror = Mirror(sys.argv[1])
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150, most))
for number in range(3):
    mirror.write(Event(number, "blocked"), 0)
assert mirror.failures == 2, mirror.failures
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
mirror.write(Event(9, "blocked"), 0)
assert mirror.failures == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits on the size of files")
def test_a_full_disk_costs_lines_and_spoils_no_other(tmp_path: Path) -> None:
    """A line that is cut off for want of room is counted, and the next line after it stands on its own."""
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True)
    lines = (tmp_path / "1970-01-01.jsonl").read_text().splitlines()
    assert [json.loads(line)["at"] for line in lines if line.endswith("}")] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000009Z",
    ]
