"""What commands print: data on stdout, talk on stderr, tables that stay aligned, and JSON that stays the same.

Colours and fitted columns are for a terminal only; piped, a table is plain text and whole.
"""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import click

from spendgate.clock import DAY, HOUR, MINUTE, SECOND, moment
from spendgate.limits import in_units
from spendgate.money import NANOS_PER_USD, usd

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: exact amounts, instants in UTC.")


def say(text: str = "") -> None:
    """Talks to the person: on stderr, so that data on stdout stays data."""
    click.echo(text, err=True)


def show(text: str = "") -> None:
    """Prints data, in colours only where a terminal asks for them."""
    click.echo(text, color=coloured())


def print_json(data: Any) -> None:
    """Prints plain data as JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def coloured() -> bool:
    """Whether stdout gets colours: it is a terminal, and NO_COLOR is not set; or FORCE_COLOR says so."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal() and os.environ.get("TERM") != "dumb")


def is_narrow() -> bool:
    """Whether a table has to do without what only decorates it: a terminal of less than 100 columns."""
    return is_terminal() and shutil.get_terminal_size().columns < 100


def iso(at: int | None) -> str | None:
    """An instant as ISO 8601 in UTC; None for none and for 0.

    >>> iso(1_793_000_000_000_000), iso(0)
    ('2026-10-26T07:33:20Z', None)
    """
    return moment(at).isoformat().replace("+00:00", "Z") if at else None


def exact(amount_nanos: int) -> str:
    """Nano-dollars as exact text.

    >>> exact(3_100_000), exact(5_000_000_000)
    ('0.0031', '5.00')
    """
    return f"{usd(amount_nanos):f}"


def amount_text(parts: int, unit: str) -> str:
    """A number of a unit's smallest parts as exact text.

    >>> amount_text(20_000, "calls"), amount_text(2_500_000_000, "usd")
    ('20000', '2.50')
    """
    return exact(parts) if unit == "usd" else _digits(in_units(parts, unit))


def amount(parts: int, unit: str) -> str:
    """The same for a reader.

    >>> amount(20_000, "calls"), amount(2_500_000_000, "usd"), amount(1_500_000, "gb")
    ('20,000', '$2.50', '1.5')
    """
    return aligned([parts])[0] if unit == "usd" else f"{in_units(parts, unit).normalize():,f}"


def _digits(number: Decimal) -> str:
    return f"{number.normalize():f}"


def aligned(amounts: Sequence[int], least: int = 2) -> list[str]:
    """Nano-dollars as a column: all with as many digits after the point as the finest of them needs.

    >>> aligned([5_000_000_000, 3_100_000])
    ['$5.0000', '$0.0031']
    """
    places = max((len(f"{abs(one) % NANOS_PER_USD:09d}".rstrip("0")) for one in amounts), default=least)
    places = max(places, least)
    shown = []
    for one in amounts:
        whole, part = divmod(abs(one), NANOS_PER_USD)
        shown.append(f"{'-' * (one < 0)}${whole:,}.{f'{part:09d}'[:places]}")
    return shown


def span(length: int) -> str:
    """About how long: two units, the greater one first; `length` in microseconds.

    >>> span(90 * MINUTE), span(3 * DAY + 2 * HOUR), span(DAY), span(5 * SECOND), span(59 * SECOND + 1)
    ('1h 30m', '3d 2h', '24h', '5s', '1m')
    """
    length = -(-max(length, 0) // SECOND) * SECOND
    for unit, name, below, lower in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "m"), (MINUTE, "m", SECOND, "s")):
        if length >= (2 * DAY if unit == DAY else unit):
            whole, rest = divmod(length, unit)
            return f"{whole}{name} {rest // below}{lower}" if rest // below else f"{whole}{name}"
    return f"{length // SECOND}s"


def clock_time(at: int, now_at: int) -> str:
    """An instant for a reader: the time, with the day where it is another one; UTC.

    >>> clock_time(1_793_000_000_000_000, 1_793_000_060_000_000)
    '07:33:20 UTC'
    """
    when = moment(at)
    same_day = when.date() == moment(now_at).date()
    return f"{when:%H:%M:%S} UTC" if same_day else f"{when:%Y-%m-%d %H:%M} UTC"


def bar(spent: float, held: float = 0.0, cells: int = 12) -> str:
    """How full: spent, then held, then what is left. What is above 0 shows, and what is not full does not look it.

    >>> bar(0.5, 0.25, cells=8)
    '████▒▒░░'
    """
    used = min(spent + held, 1.0)
    filled = min(_cells(used, cells), cells if used >= 1 else cells - 1)
    dark = min(_cells(min(spent, 1.0), cells) if spent >= held else round(spent * cells), filled)
    full, half, empty = "█▒░" if _is_unicode() else "#+."
    return full * dark + half * (filled - dark) + empty * (cells - filled)


def _cells(share: float, cells: int) -> int:
    return max(round(share * cells), 1) if share > 0 else 0


def _is_unicode() -> bool:
    return "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its title, whether it is numbers (set right), and how it gives way to fit a terminal.

    It may be `cut`; or it is left out whole, the column of the greatest `drop` first, before any other is cut short.
    """

    title: str
    right: bool = False
    cut: bool = False
    drop: int = 0


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Rows under their titles. Columns in which every cell is empty are left out."""
    cells = [list(row) for row in rows]
    used = [i for i in range(len(columns)) if any(row[i] for row in cells)]
    shown = [columns[i] for i in used]
    cells = [[row[i] for i in used] for row in cells]
    widths = [max(width(text) for text in (c.title, *(row[i] for row in cells))) for i, c in enumerate(shown)]
    kept = _kept(shown, widths, len(indent))
    shown, widths = [shown[i] for i in kept], [widths[i] for i in kept]
    cells = [[row[i] for i in kept] for row in cells]
    _fit(shown, widths, len(indent))
    lines = [_line([click.style(c.title, bold=True) for c in shown], shown, widths)]
    lines += [_line(row, shown, widths) for row in cells]
    return "\n".join((indent + line).rstrip() for line in lines)


def _kept(columns: Sequence[Column], widths: Sequence[int], indent: int) -> list[int]:
    """The columns that a terminal has room for once those that may be cut are cut."""
    kept = list(range(len(columns)))
    if not is_terminal():
        return kept
    least = [_least(column, wide) if column.cut else wide for column, wide in zip(columns, widths, strict=True)]
    room = shutil.get_terminal_size().columns - indent
    for i in sorted(kept, key=lambda i: -columns[i].drop):
        if columns[i].drop and sum(least[i] + 2 for i in kept) - 2 > room:
            kept.remove(i)
    return kept


def _least(column: Column, wide: int) -> int:
    """How narrow a column may be cut."""
    return min(wide, max(width(column.title), 8))


def _fit(columns: Sequence[Column], widths: list[int], indent: int) -> None:
    """Narrows the columns that may be cut, where a terminal is not wide enough."""
    if not is_terminal():
        return
    excess = indent + sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    for i, column in sorted(enumerate(columns), key=lambda pair: -widths[pair[0]]):
        if excess > 0 and column.cut:
            less = min(excess, widths[i] - _least(column, widths[i]))
            widths[i] -= less
            excess -= less


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = []
    for text, column, wide in zip(cells, columns, widths, strict=True):
        shown = _shorten(text, wide) if width(text) > wide else text
        gap = " " * (wide - width(shown))
        padded.append(gap + shown if column.right else shown + gap)
    return "  ".join(padded)


def _shorten(text: str, wide: int) -> str:
    return click.unstyle(text)[: wide - 1] + "…"


def width(text: str) -> int:
    """How many cells of a terminal a text takes.

    >>> width("abc"), width("日本")
    (3, 4)
    """
    plain = click.unstyle(text)
    if plain.isascii():
        return len(plain)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in plain
    )


def counted(number: int, thing: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "call"), counted(1200, "call"), counted(0, "entry", "entries")
    ('1 call', '1,200 calls', '0 entries')
    """
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


@contextmanager
def working(text: str) -> Iterator[None]:
    """Says what takes a while, with a sign of life where a person looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{text} ..."):
        yield
