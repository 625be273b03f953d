"""`spendgate report`: what was spent, by whom and on what, in parts that add up."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from spendgate.cli import refused
from spendgate.cli.noticed import as_rows, duplicate_rows, of_period, paid_again, past_text
from spendgate.cli.periods import Period, period_options, read_period
from spendgate.cli.printing import Column, aligned, bar, counted, exact, iso, json_option, print_json, say, show, table
from spendgate.cli.refused import Refusals
from spendgate.cli.session import Session
from spendgate.clock import moment
from spendgate.findings import Finding
from spendgate.freshness import Duplicates
from spendgate.money import dollars
from spendgate.report.spending import DIMENSIONS, PARTS, Row, Spending, fold, needed

NOBODY = "(none)"
"""What stands for an empty name."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows."""

    period: Period
    timezone: str
    spending: Spending
    refusals: Refusals
    duplicates: list[Duplicates]
    findings: list[Finding]
    at: int


def _dimensions(_: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in DIMENSIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(DIMENSIONS)}", param=option)
    return names


@click.command(short_help="What was spent.")
@click.option(
    "--by",
    default="service",
    show_default=True,
    callback=_dimensions,
    metavar="NAMES",
    help=f"One or more of {', '.join(DIMENSIONS)}.",
)
@period_options
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@click.pass_obj
def report(
    session: Session, /, *, by: tuple[str, ...], since: str, until: str | None, as_csv: bool, as_json: bool
) -> None:
    """Sums what was spent, with totals that add up to the nano-dollar.

    The cost counts all that limits count: settled, lapsed, and what is still held. Imported history is part of it.
    Days are those of the configuration's time zone. Below: how many calls fell back to something else, and which
    calls were skipped because they were refused; --json lists each of those with its key.

    \b
    Examples:
      spendgate report
      spendgate report --by day,service --since 14d
      spendgate report --by model --since 2026-11-01 --until 2026-11-15
      spendgate report --by task --since all --csv > tasks.csv
    """  # noqa: D301 - click reads the \b itself
    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    found = gather(session, by, since, until)
    if as_json:
        print_json(as_data(found))
    elif as_csv:
        _write_csv(found.spending)
    elif not found.spending.rows and not found.refusals and not found.findings:
        say(f"Nothing was spent {_spoken(found)}. `--since all` looks further back.")
    else:
        for line in text(found):
            show(line)


def gather(session: Session, by: Sequence[str], since: str, until: str | None) -> Report:
    """What the ledger says about a period."""
    settings = session.settings()
    at = session.clock.now()
    period = read_period(since, until, settings.timezone, at)
    asked, every = needed(by)
    with session.existing(settings) as store:
        if store is None:
            return Report(period, settings.timezone, fold((), asked, by, settings.timezone), Refusals(), [], [], at)
        sums = store.sums(asked, period.since_at, period.until_at, every)
        spending = fold(sums, asked, by, settings.timezone)
        refusals = refused.gather(store, period)
        again = store.duplicates(period.since_at, period.until_at)
        findings = of_period(store.findings(period.since_at), period)
        return Report(period, settings.timezone, spending, refusals, again, findings, at)


def text(found: Report) -> Iterator[str]:
    """The report for a reader."""
    spending = found.spending
    yield click.style(f"Spent {_spoken(found)}: {dollars(spending.total.usd)}", bold=True) + "\n"
    if spending.rows:
        yield _table(spending)
    unpriced, nobodys = spending.unpriced, spending.unattributed
    if unpriced.calls:
        sums = f"{counted(unpriced.calls, 'call')}, counted as {dollars(unpriced.usd)}"
        yield f"\nunpriced: {sums}; `spendgate prices check` names them."
    if nobodys.calls:
        sums = f"{counted(nobodys.calls, 'call')}, {dollars(nobodys.usd)} for no service"
        yield f"\nunattributed: {sums}; name it in the call, gate.scope(service=...) or SPENDGATE_SERVICE."
    yield from refused.text(found.refusals)
    if found.duplicates:
        yield f"\n{paid_again(found.duplicates)}"
    if found.findings:
        yield click.style("\nFindings", bold=True)
        yield from (past_text(one, found.at) for one in found.findings)


def _table(spending: Spending) -> str:
    shown = [*spending.rows, spending.total]
    total = spending.total
    titles = {"usd": "cost", "held_usd": "held", "overrun_usd": "overrun", "imported_usd": "imported"}
    if any(row.list_usd > row.usd for row in shown):
        titles["list_usd"] = "list price"
    money = {part: aligned([getattr(row, part) for row in shown]) for part in titles if getattr(total, part)}
    columns = [Column(name, cut=name in ("task", "resource")) for name in spending.by]
    columns += [Column("calls", right=True), Column("tokens", right=True)]
    columns += [Column(titles[part], right=True) for part in money] + [Column("share")]
    rows = []
    for number, row in enumerate(shown):
        names = [name or NOBODY for name in row.names] or ["total", *[""] * (len(spending.by) - 1)]
        counts = [f"{row.calls:,}", f"{row.tokens:,}" if total.tokens else ""]
        share = row.usd / total.usd if total.usd and row is not total else 0
        drawn = f"{bar(share)} {share:4.0%}" if share else ""
        rows.append((*names, *counts, *(money[part][number] for part in money), drawn))
    lines = table(columns, rows).split("\n")
    return "\n".join([*lines[:-1], click.style(lines[-1], bold=True)])


def _spoken(found: Report) -> str:
    zone = ZoneInfo(found.timezone)

    def say_at(at: int) -> str:
        when: datetime = moment(at).astimezone(zone)
        return f"{when:%Y-%m-%d}" if when.hour == when.minute == 0 else f"{when:%Y-%m-%d %H:%M}"

    start = f"since {say_at(found.period.since_at)}" if found.period.since_at else "since the beginning"
    until = ""
    if not found.period.is_open:
        last = moment(found.period.until_at - 1).astimezone(zone)
        ends_a_day = (last.hour, last.minute, last.second) == (23, 59, 59)
        until = f" through {last:%Y-%m-%d}" if ends_a_day else f" until {say_at(found.period.until_at)}"
    return f"{start}{until} ({found.timezone})"


def as_data(found: Report) -> dict[str, Any]:
    """The report as plain data."""
    spending = found.spending
    return {
        "since": iso(found.period.since_at),
        "until": None if found.period.is_open else iso(found.period.until_at),
        "timezone": found.timezone,
        "by": list(spending.by),
        "rows": [{**dict(zip(spending.by, row.names, strict=True)), **_parts(row)} for row in spending.rows],
        "total": _parts(spending.total),
        "unpriced": {"calls": spending.unpriced.calls, "usd": exact(spending.unpriced.usd)},
        "unattributed": {"calls": spending.unattributed.calls, "usd": exact(spending.unattributed.usd)},
        **refused.as_data(found.refusals),
        "duplicates": duplicate_rows(found.duplicates),
        "findings": as_rows(found.findings),
    }


def _parts(row: Row) -> dict[str, Any]:
    return {part: exact(getattr(row, part)) if part.endswith("usd") else getattr(row, part) for part in PARTS}


def _write_csv(spending: Spending) -> None:
    from spendgate.history.csv_export import safe

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*spending.by, *PARTS))
    for row in spending.rows:
        writer.writerow((*(safe(name) for name in row.names), *_parts(row).values()))
