"""`spendgate caches`: what the watched caches did, what their misses cost, and what does not look right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from spendgate.cli.chart import sparkline
from spendgate.cli.noticed import as_rows, of_period, past_text, running_text, wanting
from spendgate.cli.periods import Period, period_options, read_period
from spendgate.cli.printing import Column, aligned, exact, iso, json_option, print_json, say, show, table
from spendgate.cli.session import Session
from spendgate.findings import Finding
from spendgate.report.caches import CacheSums, sum_caches

KINDS = ("churn", "misses", "evictions", "silent")
"""The findings that are of caches."""
NONE_YET = """\
No cache was watched {when}. A program watches one with:

    cache = gate.watch_cache("enrichment", cache, miss_cost="0.004")
"""


@dataclass(frozen=True, slots=True)
class Caches:
    """All that is shown."""

    at: int
    period: Period
    rows: list[CacheSums]
    findings: list[Finding]


@click.command(short_help="What the watched caches did.")
@click.option("--cache", "name", default="", metavar="NAME", help="Only this cache.")
@click.option("--service", default="", help="Only what this service asked.")
@period_options
@json_option
@click.pass_obj
def caches(session: Session, /, *, name: str, service: str, since: str, until: str | None, as_json: bool) -> None:
    """Shows each watched cache: lookups, hits over time, misses, evictions, errors, and what the misses cost.

    Rows are by cache, service and version. On top stands what does not look right: keys that cannot repeat, more misses
    than usual, a cache that is too small, or one that nobody asks any more.

    \b
    Examples:
      spendgate caches
      spendgate caches --cache enrichment --since 6h
      spendgate caches --json | jq '.findings[].text'
    """  # noqa: D301 - click reads the \b itself
    found = gather(session, name, service, since, until)
    if as_json:
        print_json(as_data(found))
    elif not found.rows and not found.findings:
        say(NONE_YET.format(when=f"since {since}" if since == "all" else f"in the last {since}"))
    else:
        for line in text(found):
            show(line)


def gather(session: Session, name: str, service: str, since: str, until: str | None) -> Caches:
    """What the ledger says about caches in a period."""
    settings, at = session.settings(), session.clock.now()
    period = read_period(since, until, settings.timezone, at)
    with session.existing(settings) as store:
        if store is None:
            return Caches(at, period, [], [])
        minutes = store.cache_minutes(period.since_at, period.until_at, name)
        findings = of_period(store.findings(period.since_at), period)
    rows = sum_caches(one for one in minutes if service in ("", one.service))
    chosen = [one for one in findings if one.kind in KINDS and name in ("", one.subject)]
    return Caches(at, period, rows, [one for one in chosen if service in ("", one.service)])


def text(found: Caches) -> Iterator[str]:
    """The caches for a reader, what goes on first."""
    current = wanting(found.findings)
    yield from (running_text(one, found.at) for one in current)
    if found.rows:
        yield _table(found)
    over = [one for one in found.findings if one not in current]
    if over:
        which = ", or were dismissed" if any(one.is_running for one in over) else ""
        yield click.style(f"\nFindings that are over{which}", bold=True)
        yield from (past_text(one, found.at) for one in over)


def _table(found: Caches) -> str:
    columns = (
        *(Column("cache", cut=True), Column("service", drop=2), Column("version", cut=True)),
        *(Column("lookups", right=True), Column("hits", right=True), Column("over time", drop=5)),
        *(Column("misses", right=True), Column("evicted", right=True, drop=3), Column("errors", right=True, drop=1)),
        *(Column("load", right=True, drop=4), Column("cost of misses", right=True), Column("size", right=True, drop=6)),
    )
    money = aligned([one.total.miss_usd for one in found.rows])
    return table(columns, [_row(one, cost) for one, cost in zip(found.rows, money, strict=True)])


def _row(one: CacheSums, cost: str) -> tuple[str, ...]:
    total = one.total
    rate = "" if one.hit_rate is None else f"{one.hit_rate:.0%}"
    load = "" if one.load_ms is None else _span(one.load_ms)
    size = f"{total.size:,}" + (f" of {total.capacity:,}" if total.capacity else "") if total.size else ""
    counts = (f"{total.lookups:,}", rate, _over_time(one.rates), f"{total.misses:,}")
    failures = (f"{total.evictions:,}" if total.evictions else "", f"{total.errors:,}" if total.errors else "")
    return (total.cache, total.service or "(none)", total.version, *counts, *failures, load, cost, size)


def _span(ms: float) -> str:
    """A short span in three digits.

    >>> _span(0.0584), _span(250), _span(1234.5), _span(86_400_000)
    ('0.0584 ms', '250 ms', '1.23 s', '86,400 s')
    """
    if ms < 999.5:
        return f"{ms:.3g} ms"
    return f"{ms / 1000:.3g} s" if ms < 999_500 else f"{ms / 1000:,.0f} s"


def _over_time(rates: tuple[float | None, ...]) -> str:
    """The share of hits as a line of blocks; a blank where nobody asked."""
    drawn = sparkline([rate or 0 for rate in rates], top=1)
    return "".join(block if rate is not None else " " for block, rate in zip(drawn, rates, strict=True))


def as_data(found: Caches) -> dict[str, Any]:
    """The caches as plain data."""
    return {
        "at": iso(found.at),
        "since": iso(found.period.since_at),
        "until": None if found.period.is_open else iso(found.period.until_at),
        "caches": [_data(one) for one in found.rows],
        "findings": as_rows(found.findings),
    }


def _data(one: CacheSums) -> dict[str, Any]:
    total = one.total
    return {
        "cache": total.cache,
        "service": total.service,
        "version": total.version,
        "first_at": iso(one.first_at),
        "last_at": iso(one.last_at),
        "lookups": total.lookups,
        "hits": total.hits,
        "misses": total.misses,
        "hit_rate": None if one.hit_rate is None else round(one.hit_rate, 6),
        "sets": total.sets,
        "evictions": total.evictions,
        "errors": total.errors,
        "load_s": total.load_us / 1_000_000,
        "miss_usd": exact(total.miss_usd),
        "size": total.size or None,
        "capacity": total.capacity or None,
        "hit_rates": [None if rate is None else round(rate, 6) for rate in one.rates],
    }
