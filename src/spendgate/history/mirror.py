"""The ledger beside itself as text, for `grep` and `jq`: one file a day, written and never read.

Nothing depends on it: a line that cannot be written is counted, and the call goes on.
"""

import logging
import os
import re
from datetime import date, timedelta
from pathlib import Path

from spendgate.clock import moment
from spendgate.history.ledger_lines import entry_line, event_line
from spendgate.ledger import Entry, Event

log = logging.getLogger("spendgate")

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Mirror:
    """Appends lines to `<day>.jsonl` in `folder` and deletes the files of days (UTC) more than `keep_days` ago.

    Each line is one `write` to a file opened for appending, so that several processes may share a folder. `failures`
    counts the lines that are missing, `last_error` says why the last of them is.
    """

    def __init__(self, folder: Path | str, keep_days: int = 30) -> None:
        self.folder = Path(folder)
        self.keep_days = keep_days
        self.failures = 0
        self.last_error = ""
        self._day = ""
        self._torn = False
        self._failing = False

    def write(self, what: Entry | Event, at: int) -> None:
        """Appends one line to the file of the day of `at`. Never raises."""
        try:
            line = entry_line(what) if isinstance(what, Entry) else event_line(what)
            today = moment(at).date()
            self._append(today.isoformat(), line.encode() + b"\n")
            if self._day != today.isoformat():
                self._day = today.isoformat()
                self._drop_before(today - timedelta(days=self.keep_days))
            self._failing = False
        except Exception as error:  # noqa: BLE001 - an observer must not stop what it observes
            self.failures += 1
            self.last_error = f"{type(error).__name__}: {error}"
            if not self._failing:
                log.warning("spendgate: the mirror in %s misses lines: %s", self.folder, self.last_error)
            self._failing = True

    def _append(self, day: str, line: bytes) -> None:
        # After half a line, the next begins on its own.
        line = b"\n" + line if self._torn else line
        descriptor = self._open(self.folder / f"{day}.jsonl")
        try:
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
        self._torn = 0 < written < len(line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written: is the disk full?")

    def _open(self, path: Path) -> int:
        try:
            return os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, _FLAGS, 0o600)

    def _drop_before(self, first: date) -> None:
        """Deletes files that this mirror would have written before a day, and no others."""
        for path in self.folder.iterdir():
            named = _NAME.fullmatch(path.name)
            if named and _is_before(named[1], first):
                path.unlink(missing_ok=True)


def _is_before(day: str, first: date) -> bool:
    try:
        return date.fromisoformat(day) < first
    except ValueError:
        return False
