"""Reads recorded calls, whatever format they are in: lines, a file, or a folder of files.

>>> detect(['{"timestamp": 1793000000, "service": "research", "model": "m", "tokens": 5, "cost": 0.1}'])
'cost-log'
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spendgate.errors import SpendgateError
from spendgate.history import claude_code, codex, cost_log, ledger_lines
from spendgate.history.lines import Record, files_in, read_lines, records
from spendgate.history.results import BrokenLine, ForeignLine, Imported, ImportOptions

LOOKED_AT = 200
"""How many lines are looked at to tell a format."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of log. `is_ours` judges a single record; `read` makes results of lines, in the order they come."""

    name: str
    is_ours: Callable[[dict[str, Any]], bool]
    read: Callable[[Iterable[str | bytes], ImportOptions], Iterator[Imported]]


_ALL = (
    Format("spendgate", ledger_lines.is_ours, ledger_lines.read),
    Format("codex", codex.is_ours, codex.read),
    Format("claude-code", claude_code.is_ours, claude_code.read),
    Format("cost-log", cost_log.is_ours, cost_log.read),
)
FORMATS = {one.name: one for one in _ALL}


class FormatError(SpendgateError):
    """Nobody can tell which format a log is in. Nothing was imported."""

    def __init__(self, problem: str) -> None:
        self.formats = tuple(FORMATS)
        super().__init__(f"{problem}. Say which it is with --format: {', '.join(self.formats)}.")


def detect(lines: Iterable[str | bytes]) -> str:
    """The name of the format that the first recognisable record is in; looks at no more than 200 lines.

    Raises:
        FormatError: none of them is a record of a known format.
    """
    found = (record for record in records(islice(lines, LOOKED_AT)) if isinstance(record, Record))
    for record in found:
        for one in _ALL:
            if one.is_ours(record.data):
                return one.name
    raise FormatError("none of the first lines is a record of a format that is known here")


def read(lines: Iterable[str | bytes], options: ImportOptions, format_name: str = "") -> Iterator[Imported]:
    """The calls in lines of one format, which is detected unless named.

    Raises:
        FormatError: the format is not known; nothing was read yet but the lines looked at.
    """
    if format_name:
        return _format(format_name).read(lines, options)
    rest = iter(lines)
    first = list(islice(rest, LOOKED_AT))
    return _format(detect(first)).read(chain(first, rest), options)


def read_path(path: Path, options: ImportOptions, format_name: str = "") -> Iterator[Imported]:
    """The calls in a file, or in all `.jsonl` and `.jsonl.gz` files below a folder; a call in several files comes once.

    Raises:
        FormatError: the format is not known, or the folder has no such file.
        OSError: the file cannot be read. In a folder that is a broken line of its own, and the others are read.
    """
    if not path.is_dir():
        return _through(read(read_lines(path), options, format_name), path.name)
    files = files_in(path)
    if not files:
        raise FormatError(f"{path} has no .jsonl or .jsonl.gz file in it")
    if format_name:
        _format(format_name)
    return _once(chain.from_iterable(_of_file(file, path, options, format_name) for file in files))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise FormatError(f"{name!r} is no format")
    return FORMATS[name]


def _of_file(file: Path, folder: Path, options: ImportOptions, format_name: str) -> Iterator[Imported]:
    source = str(file.relative_to(folder))
    try:
        if file.stat().st_size:
            yield from _through(read(read_lines(file), options, format_name), source)
    except (FormatError, OSError) as error:
        yield BrokenLine(1, str(error), source=source)


def _through(results: Iterator[Imported], source: str) -> Iterator[Imported]:
    """Results with the file's name on broken lines; a file that ends in the midst is one more of them."""
    last = 0
    try:
        for result in results:
            if isinstance(result, BrokenLine):
                last = result.line
                yield replace(result, source=source)
            else:
                yield result
    except OSError as error:
        yield BrokenLine(last + 1, f"the file cannot be read to its end: {error}", source=source)


def _once(results: Iterable[Imported]) -> Iterator[Imported]:
    """Leaves out calls that came already: transcripts of resumed sessions repeat each other."""
    seen: set[int] = set()
    for result in results:
        if not isinstance(result, BrokenLine | ForeignLine):
            key = hash(result.id)
            if key in seen:
                continue
            seen.add(key)
        yield result
