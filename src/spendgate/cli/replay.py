"""`spendgate replay`: what limits would have done to a recorded log, as a table and a chart."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spendgate.cli.chart import columns
from spendgate.cli.logs import import_options, log_options, problems_data, results, tell_problems
from spendgate.cli.periods import Period, read_period
from spendgate.cli.printing import Column, aligned, counted, exact, iso, json_option, print_json, show, span, table
from spendgate.cli.progress import progress
from spendgate.cli.session import Session
from spendgate.clock import DAY, HOUR, MINUTE, moment
from spendgate.errors import SpendgateError
from spendgate.history.results import Counts
from spendgate.money import dollars

if TYPE_CHECKING:
    from spendgate.config import Settings
    from spendgate.history.replay import Replay, Trip
    from spendgate.ledger import Entry

STRETCHES = (
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28)),
)
WIDTH = 60
"""The most columns of the chart."""
HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Tally:
    """What one limit would have done in one scope, all its trips together."""

    limit: str
    scope: str
    trips: int
    first_at: int
    calls: int
    usd: int
    observed: bool


@click.command(short_help="What these limits would have done to a recorded log.")
@log_options
@click.option(
    "--limits",
    "limits_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A spendgate.toml whose limits and prices to try, instead of the one in force.",
)
@click.option("--since", default="all", show_default=True, metavar="WHEN", help="A date, a time, a span back, or all.")
@click.option("--until", metavar="WHEN", help="The same; a date includes its day.")
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    *,
    logs: tuple[Path, ...],
    format_name: str,
    service: str,
    provider: str,
    timezone: str,
    limits_file: Path | None,
    since: str,
    until: str | None,
    as_json: bool,
) -> None:
    """Runs recorded calls through limits, on the log's own time: when each would have tripped, and what it would
    have kept from being spent. Nothing is written; the ledger is not touched.

    A refused call costs nothing, and what it led to is not undone: the loop in the log goes on asking.

    \b
    Examples:
      spendgate replay ~/.claude/projects
      spendgate replay --limits tighter.toml --since 2026-11-01 calls.jsonl
      spendgate export | spendgate replay --limits tighter.toml -
    """  # noqa: D301 - click reads the \b itself
    session: Session = ctx.obj
    settings = _settings(session, limits_file)
    period = read_period(since, until, settings.timezone, session.clock.now())
    found = results(logs, import_options(settings, service, provider, timezone), format_name)
    counts = Counts()
    entries = _within(counts.entries_of(found), period)
    every, outcome = _replayed(_once(entries) if len(logs) > 1 else entries, settings)
    if as_json:
        print_json(_data(outcome, counts, every))
    else:
        tell_problems(counts)
        for line in _text(outcome, every):
            show(line)
    if counts.problems:
        ctx.exit(1)


def _settings(session: Session, file: Path | None) -> "Settings":
    if file is None:
        return session.settings()
    from spendgate.config import load

    return load(file.absolute(), session.env)


def _within(entries: "Iterable[Entry]", period: Period) -> "Iterator[Entry]":
    return (entry for entry in entries if period.since_at <= entry.held_at < period.until_at)


def _once(entries: "Iterable[Entry]") -> "Iterator[Entry]":
    """Leaves out what another log has already: transcripts of resumed sessions repeat each other."""
    seen: set[int] = set()
    for entry in entries:
        key = hash(entry.id)
        if key not in seen:
            seen.add(key)
            yield entry


def _replayed(entries: "Iterable[Entry]", settings: "Settings") -> "tuple[int, Replay]":
    from spendgate.history.in_order import InOrder
    from spendgate.history.replay import Replay
    from spendgate.history.replay import replay as run

    with ExitStack() as stack:
        tell = stack.enter_context(progress("reading"))
        try:
            ordered = stack.enter_context(InOrder(entries))
        except OSError as error:
            raise SpendgateError(f"{error.filename or 'the log'} cannot be read: {error.strerror or error}") from error
        every = stretch(ordered.last_at - ordered.first_at)

        def so_far(found: Replay) -> None:
            tell(f"{counted(found.calls, 'call')} replayed, up to {moment(found.last_at):%Y-%m-%d %H:%M}")

        return every, run(ordered, settings.limits, every, so_far)


def stretch(length: int) -> int:
    """How long a column of the chart is, so that a log of a length fits.

    >>> stretch(6 * HOUR) // MINUTE, stretch(30 * DAY) // HOUR
    (10, 24)
    """
    return next((one for one in STRETCHES if length // one < WIDTH - 1), -(-length // (WIDTH - 2)))


def tallies(trips: "Sequence[Trip]") -> list[Tally]:
    """The trips by limit and scope, the first to trip first."""
    found: dict[tuple[str, str], Tally] = {}
    for trip in trips:
        key = (trip.limit, trip.scope)
        was = found.get(key, Tally(*key, 0, trip.at, 0, 0, trip.observed))
        found[key] = Tally(
            *key, was.trips + 1, was.first_at, was.calls + trip.refused_calls, was.usd + trip.refused_usd, trip.observed
        )
    return list(found.values())


def _text(found: "Replay", every: int) -> Iterator[str]:
    """The replay for a reader."""
    if not found.calls:
        yield "There are no calls in it."
        return
    when = f"{moment(found.first_at):%Y-%m-%d %H:%M} to {moment(found.last_at):%Y-%m-%d %H:%M} UTC"
    yield click.style(f"{counted(found.calls, 'call')}, {when}", bold=True) + f"  ({span(every)} a column)"
    yield ""
    yield from _chart(found, every)
    yield _sums(found)
    yield ""
    rows = tallies(found.trips)
    if not rows:
        yield f"No limit would have tripped. {counted(len(found.warnings), 'warning')} would have been sent."
        return
    yield _table(rows)
    yield ""
    yield "A call that several limits refuse counts in each of their rows."


def _sums(found: "Replay") -> str:
    sums = aligned([found.usd, found.passed_usd, found.refused_usd])
    wide = max(len(one) for one in sums)
    without, with_limits, refused = (
        click.style(f"{one:>{wide}}", bold=True, fg=colour)
        for one, colour in zip(sums, ("red", "green", None), strict=True)
    )
    return "\n".join(
        (
            f"  ░ as it was         {without}  {counted(found.calls, 'call')}",
            f"  █ with these limits {with_limits}  {counted(found.passed_calls, 'call')}",
            f"  refused             {refused}  {counted(found.refused_calls, 'call')}",
        )
    )


def _table(rows: Sequence[Tally]) -> str:
    titles = (
        *(Column("limit"), Column("scope", cut=True), Column("tripped", right=True), Column("first at")),
        *(Column("refused", right=True), Column("dollars", right=True)),
    )
    cells = [
        (
            *(one.limit, one.scope, f"{one.trips}×", f"{moment(one.first_at):%Y-%m-%d %H:%M}"),
            *(f"{one.calls:,}" + " (observed)" * one.observed, amount),
        )
        for one, amount in zip(rows, aligned([one.usd for one in rows]), strict=True)
    ]
    return table(titles, cells, indent="  ")


def _chart(found: "Replay", every: int) -> Iterator[str]:
    first = found.first_at - found.first_at % every
    starts = range(first, found.last_at + 1, every)
    spent = [found.stretches[at].usd if at in found.stretches else 0 for at in starts]
    passed = [found.stretches[at].passed_usd if at in found.stretches else 0 for at in starts]
    top = dollars(max(spent))
    for row, (low, high) in enumerate(columns(spent, passed, HEIGHT)):
        cells = "".join(
            _painted(one, "green") if one != " " else _painted(two, "red") for one, two in zip(low, high, strict=True)
        )
        yield f"  {top if row == 0 else '':>{len(top)}} ┤{cells}".rstrip()
    ends = f"{moment(first):%m-%d %H:%M}", f"{moment(found.last_at):%m-%d %H:%M}"
    gap = max(len(spent) - len(ends[0]) - len(ends[1]), 2)
    yield f"  {'0':>{len(top)}} └{'─' * len(spent)}"
    yield f"  {'':>{len(top)}}  {ends[0]}{' ' * gap}{ends[1]}"
    yield ""


def _painted(cell: str, colour: str) -> str:
    return click.style(cell, fg=colour) if cell != " " else cell


def _data(found: "Replay", counts: Counts, every: int) -> dict[str, object]:
    return {
        "first_at": iso(found.first_at),
        "last_at": iso(found.last_at),
        "calls": found.calls,
        "usd": exact(found.usd),
        "passed_calls": found.passed_calls,
        "passed_usd": exact(found.passed_usd),
        "refused_calls": found.refused_calls,
        "refused_usd": exact(found.refused_usd),
        "trips": [
            {
                "limit": trip.limit,
                "scope": trip.scope,
                "at": iso(trip.at),
                "until": iso(trip.until_at),
                "refused_calls": trip.refused_calls,
                "refused_usd": exact(trip.refused_usd),
                "observed": trip.observed,
            }
            for trip in found.trips
        ],
        "warnings": [
            {"limit": one.limit, "scope": one.scope, "at": iso(one.at), "share": one.data["share"]}
            for one in found.warnings
        ],
        "every_s": every // 1_000_000,
        "stretches": [
            {"at": iso(one.at), "usd": exact(one.usd), "passed_usd": exact(one.passed_usd)}
            for one in found.stretches.values()
        ],
        **problems_data(counts),
    }
