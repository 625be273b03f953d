"""`spendgate import` and `spendgate export`: recorded calls into the ledger, and the ledger out for other programs."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import click

from spendgate.cli.logs import import_options, log_options, problems_data, results, tell_problems
from spendgate.cli.periods import read_period
from spendgate.cli.printing import counted, exact, json_option, print_json, say, show
from spendgate.cli.progress import progress
from spendgate.cli.session import Session
from spendgate.errors import SpendgateError
from spendgate.history.csv_export import export_csv
from spendgate.history.ledger_lines import export_jsonl
from spendgate.history.load import BATCH, load
from spendgate.history.results import Counts
from spendgate.ledger import Event
from spendgate.money import dollars

if TYPE_CHECKING:
    from spendgate.ledger import Store

TELL_EVERY = 1_000


@click.command("import", short_help="Add recorded calls to the ledger.")
@log_options
@click.option("--dry-run", is_flag=True, help="Read everything, add nothing.")
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    /,
    *,
    logs: tuple[Path, ...],
    format_name: str,
    service: str,
    provider: str,
    timezone: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Adds recorded calls to the ledger: files, folders of them, or - for stdin.

    They count in reports and replays, never in limits. Importing again adds nothing. A line that cannot be read is
    named, and the others are read; the exit code is then 1.

    \b
    Examples:
      spendgate import calls.jsonl
      spendgate import ~/.claude/projects
      spendgate import --dry-run --timezone Europe/Berlin old.jsonl.gz
      zcat archive.gz | spendgate import --format cost-log -
    """  # noqa: D301 - click reads the \b itself
    session: Session = ctx.obj
    settings = session.settings()
    found = results(logs, import_options(settings, service, provider, timezone), format_name)
    try:
        with progress("reading") as tell:

            def so_far(counts: Counts) -> None:
                tell(f"{counted(counts.entries, 'call')}, {dollars(counts.usd)}")

            if dry_run:
                counts = Counts()
                for number, _ in enumerate(counts.entries_of(found)):
                    if number % BATCH == 0:
                        so_far(counts)
            else:
                with session.store(settings) as store:
                    counts = load(store, found, so_far)
    except OSError as error:
        raise SpendgateError(f"{error.filename or 'the log'} cannot be read: {error.strerror or error}") from error
    if as_json:
        print_json(_data(counts, dry_run))
    else:
        tell_problems(counts)
        show(_summary(counts, dry_run))
    if counts.problems:
        ctx.exit(1)


def _summary(counts: Counts, dry_run: bool) -> str:
    read = f"{counted(counts.entries, 'call')} read, {dollars(counts.usd)}"
    if dry_run:
        return f"{read}. Nothing was added: this was a dry run."
    return f"{read}: {counts.added:,} added, {counts.known:,} known already."


def _data(counts: Counts, dry_run: bool) -> dict[str, object]:
    return {
        "read": counts.entries,
        "usd": exact(counts.usd),
        "added": counts.added,
        "known": counts.known,
        "dry_run": dry_run,
        **problems_data(counts),
    }


@click.command(short_help="Write the ledger as JSONL or CSV.")
@click.option("--format", "format_name", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--since",
    default="all",
    show_default=True,
    metavar="WHEN",
    help="A span back from now (7d, 6h), a date (2026-11-01), a time (2026-11-01T14:00), or all.",
)
@click.option("--until", metavar="WHEN", help="The same; a date includes its day. Without it, now.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Into a file, whole or not."
)
@click.pass_obj
def export(session: Session, /, *, format_name: str, since: str, until: str | None, output: Path | None) -> None:
    """Writes entries, and in JSONL the events after them, to stdout or a file.

    A file is written beside its place and moved there when it is whole. Its owner alone can read it.

    \b
    Examples:
      spendgate export -o ledger.jsonl
      spendgate export --format csv --since 2026-11-01 --until 2026-11-30 > november.csv
      spendgate export | jq -r 'select(.type == "entry") | [.service, .usd] | @tsv'
    """  # noqa: D301 - click reads the \b itself
    settings = session.settings()
    period = read_period(since, until, settings.timezone, session.clock.now())
    with session.existing(settings) as store:
        lines = _lines(store, format_name, period.since_at, period.until_at)
        if output is None:
            for line in lines:
                sys.stdout.write(line)
            return
        with progress("writing") as tell:
            count = 0
            for count in _saved(output, lines):
                if count % TELL_EVERY == 0:
                    tell(counted(count, "line"))
    say(f"{counted(count, 'line')} written to {output}.")


def _lines(store: "Store | None", format_name: str, since_at: int, until_at: int) -> Iterator[str]:
    entries = store.entries(since_at, until_at) if store is not None else iter(())
    if format_name == "csv":
        return export_csv(entries)
    events: Iterable[Event] = store.events(since_at) if store is not None else ()
    return export_jsonl(entries, (event for event in events if event.at < until_at))


def _saved(path: Path, lines: Iterable[str]) -> Iterator[int]:
    """Writes lines to a file that appears when it is whole; counts them on the way.

    Raises:
        SpendgateError: it cannot be written. What was there before is as it was.
    """
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}-", delete=False
        ) as file:
            try:
                for count, line in enumerate(lines, 1):
                    file.write(line)
                    yield count
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise SpendgateError(
            f"{path} cannot be written: {error.strerror}. What was there before is as it was."
        ) from error
