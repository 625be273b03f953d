"""Logs as arguments of a command: how they are read, and what is said about lines that could not be."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from spendgate.cli.printing import counted, say
from spendgate.history.formats import FORMATS, FormatError, read, read_path
from spendgate.history.results import SHOWN_BROKEN, BrokenLine, Counts, Imported, ImportOptions
from spendgate.pricing.book import PriceBook

if TYPE_CHECKING:
    from spendgate.config import Settings

STDIN = Path("-")
F = TypeVar("F", bound=Callable[..., Any])


def log_options(command: F) -> F:
    """Adds the arguments that say which logs, and how to read what they leave open."""
    for option in (
        click.option("--timezone", metavar="ZONE", callback=_zone, help="The zone of timestamps that name none."),
        click.option("--provider", metavar="NAME", default="", help="The provider, where a record names none."),
        click.option("--service", metavar="NAME", default="", help="The service, where a record names none."),
        click.option(
            "--format",
            "format_name",
            type=click.Choice(["auto", *FORMATS]),
            default="auto",
            show_default=True,
            help="What kind of log it is.",
        ),
        click.argument(
            "logs",
            nargs=-1,
            required=True,
            type=click.Path(path_type=Path, exists=True, allow_dash=True),
            metavar="LOG...",
        ),
    ):
        command = option(command)
    return command


def _zone(_: click.Context, option: click.Parameter, name: str | None) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is no time zone; write one such as Europe/Berlin", param=option) from None


def import_options(settings: "Settings", service: str, provider: str, timezone: str) -> ImportOptions:
    """How to read what a log leaves open, priced by the configuration's rate card."""
    return ImportOptions(service, provider, timezone, PriceBook(settings.prices))


def results(logs: Sequence[Path], options: ImportOptions, format_name: str) -> Iterator[Imported]:
    """The calls of all logs, one after the other. Among several, one that cannot be read is a broken line of its own.

    Raises:
        FormatError: there is one log, and nobody can tell its format.
        OSError: there is one log, and it cannot be read.
    """
    name = "" if format_name == "auto" else format_name
    for log in logs:
        try:
            yield from _of(log, options, name)
        except (FormatError, OSError) as error:
            if len(logs) == 1:
                raise
            yield BrokenLine(1, str(error), source=str(log))


def _of(log: Path, options: ImportOptions, name: str) -> Iterable[Imported]:
    if log != STDIN:
        return read_path(log, options, name)
    found = read(sys.stdin.buffer, options, name)
    return (replace(one, source="stdin") if isinstance(one, BrokenLine) else one for one in found)


def tell_problems(counts: Counts) -> None:
    """Names on stderr what could not be read, and what has no price."""
    if counts.broken:
        say(f"spendgate: {counted(counts.broken, 'line')} could not be read:")
        for line in counts.first_broken:
            say(f"  {line}")
        if counts.broken > SHOWN_BROKEN:
            say(f"  ... and {counted(counts.broken - SHOWN_BROKEN, 'more line')}")
    if counts.foreign:
        were = "line was no record" if counts.foreign == 1 else "lines were no records"
        say(f"spendgate: {counts.foreign:,} {were} of the format, and passed over.")
    if counts.unpriced:
        models = sorted(counts.unpriced_models.items(), key=lambda pair: (-pair[1], pair[0]))
        named = ", ".join(f"{model or '(no name)'} ({number:,})" for model, number in models[:SHOWN_BROKEN])
        say(
            f"spendgate: {counted(counts.unpriced, 'call')} without a price, which is not free: {named}. "
            "Give each a price under [prices]."
        )


def problems_data(counts: Counts) -> dict[str, Any]:
    """The same as plain data."""
    lines = [
        {"source": line.source, "line": line.line, "problem": line.problem, "text": line.text}
        for line in counts.first_broken
    ]
    return {
        "broken": counts.broken,
        "broken_lines": lines,
        "foreign": counts.foreign,
        "unpriced": counts.unpriced,
        "unpriced_models": counts.unpriced_models,
    }
