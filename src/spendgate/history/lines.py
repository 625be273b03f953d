"""Lines of a log as JSON objects, one at a time, with their numbers; what is no object is a broken line.

>>> [found.line if isinstance(found, BrokenLine) else found for found in records(['{"a": 0.1}', "", "{"])]
[Record(line=1, data={'a': Decimal('0.1')}, text='{"a": 0.1}'), 3]
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from spendgate.history.results import SHOWN_CHARS, BrokenLine, ForeignLine

MAX_LINE_BYTES = 64 << 20
"""A longer line is no record, but something else altogether."""
SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class Record:
    """One line that is a JSON object. Fractions are `Decimal`, so that an amount is what the file says."""

    line: int
    data: dict[str, Any]
    text: str

    def broken(self, problem: object) -> BrokenLine:
        """The record as a line that could not be used."""
        return BrokenLine(self.line, str(problem), shown(self.text))


def records(lines: Iterable[str | bytes]) -> Iterator[Record | BrokenLine]:
    """Every line that is not blank, in order."""
    for number, raw in enumerate(lines, 1):
        if isinstance(raw, str):
            text = raw
        elif len(raw) > MAX_LINE_BYTES:
            yield BrokenLine(number, f"it is longer than {MAX_LINE_BYTES >> 20} MB", _decoded(raw[:SHOWN_CHARS]))
            continue
        else:
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                yield BrokenLine(number, "it is not UTF-8 text", _decoded(raw))
                continue
        if text.strip():
            yield _record(number, text)


def records_of(
    name: str, is_ours: Callable[[dict[str, Any]], bool], lines: Iterable[str | bytes]
) -> Iterator[Record | BrokenLine | ForeignLine]:
    """Every record of one format; other objects are foreign lines. Where all are, a broken line says so at the end."""
    ours, foreign = 0, 0
    for record in records(lines):
        if isinstance(record, BrokenLine):
            yield record
        elif is_ours(record.data):
            ours += 1
            yield record
        else:
            foreign += 1
            yield ForeignLine()
    if foreign and not ours:
        yield BrokenLine(1, f"no line of it is a record of the format {name}; --format auto finds out what it is")


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, plain or compressed with gzip. A line that is too long comes cut, but marked by its length.

    Raises:
        OSError: the file cannot be read, or is damaged.
    """
    try:
        with _open(path) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield line
                while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES + 1)
    except (EOFError, zlib.error) as error:
        raise OSError(f"the compressed file is damaged: {error}") from None


def files_in(folder: Path) -> list[Path]:
    """The `.jsonl` and `.jsonl.gz` files below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())


def shown(text: str) -> str:
    """The beginning of a line, fit for a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:SHOWN_CHARS]).strip()


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _record(number: int, text: str) -> Record | BrokenLine:
    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _NoNumberError) else "it is not JSON"
        return BrokenLine(number, what, shown(text))
    if not isinstance(data, dict):
        return BrokenLine(number, "it is no JSON object", shown(text))
    return Record(number, data, text)


class _NoNumberError(ValueError):
    pass


def _no_number(name: str) -> NoReturn:
    raise _NoNumberError(f"{name} is no number that money or time could be")


def _decoded(raw: bytes) -> str:
    return shown(raw[: SHOWN_CHARS * 4].decode("utf-8", "replace"))
