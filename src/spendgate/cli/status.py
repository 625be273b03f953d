"""`spendgate status`: how every limit stands, in every scope."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from spendgate.budgets import NAMES
from spendgate.cli.noticed import as_rows, running_text, wanting
from spendgate.cli.printing import (
    Column,
    aligned,
    amount,
    amount_text,
    bar,
    clock_time,
    coloured,
    counted,
    exact,
    is_narrow,
    is_terminal,
    iso,
    json_option,
    print_json,
    say,
    show,
    span,
    table,
)
from spendgate.cli.session import Session, on_disk
from spendgate.errors import SpendgateError
from spendgate.findings import Finding
from spendgate.ledger import Breaker, LimitsVersion, Standing
from spendgate.money import dollars
from spendgate.report.standings import LimitRows, rows_by_budget, rows_by_limit, share, spoken

EVERY_S = 2.0
TOP = 50
EVERYTHING = 1 << 31
FIRST_CALL = """\
The first call makes it:

    import spendgate
    gate = spendgate.open()
    with gate.call("my-api", service="my-service", at_most="0.01") as call: ...
"""


@dataclass(frozen=True, slots=True)
class View:
    """All that a status shows, at one instant. `fault` is why the ledger refuses every booking."""

    at: int
    ledger: Path
    exists: bool
    mode: str
    fault: str
    version: LimitsVersion | None
    differs: bool
    rows: list[LimitRows]
    breakers: tuple[Breaker, ...]
    findings: list[Finding]


@click.command(short_help="How every limit stands.")
@click.option("--limit", "name", default="", metavar="NAME", help="Only this limit.")
@click.option("--service", default="", help="Only what weighs on this service.")
@click.option("--top", type=click.IntRange(1), help=f"How many scopes of each limit; {TOP}, with --json all.")
@click.option("--watch", is_flag=True, help="Draw it again every 2 seconds, until Ctrl-C.")
@json_option
@click.pass_obj
def status(session: Session, /, *, watch: bool, as_json: bool, top: int | None, **chosen: Any) -> None:
    """Shows every limit in every scope: what is spent, held and left, when it frees, and what was refused.

    `frees` is when the oldest spending leaves the window. Exit code 1 where the ledger refuses every booking.

    \b
    Examples:
      spendgate status
      spendgate status --service research --watch
      spendgate status --json | jq '.limits[] | select(.blocked_since)'
    """  # noqa: D301 - click reads the \b itself
    chosen["top"] = top or (EVERYTHING if as_json else TOP)
    if watch:
        _watch(session, as_json, chosen)
        return
    view = look(session, **chosen)
    if as_json:
        print_json(as_data(view))
    else:
        for line in text(view):
            show(line)
        _talk(view)
    if view.fault:
        click.get_current_context().exit(1)


def look(session: Session, name: str = "", service: str = "", top: int = TOP) -> View:
    """How the limits stand now.

    Raises:
        UsageError: there is no limit of that name.
    """
    settings = session.settings()
    path = on_disk(settings).store.path or Path()
    at, fault = session.clock.now(), ""
    version: LimitsVersion | None = None
    standings: list[Standing] = []
    breakers: tuple[Breaker, ...] = ()
    findings: list[Finding] = []
    with session.existing(settings) as store:
        if store is not None:
            version, standings, fault = store.limits(), store.standings(at), store.fault()
            breakers, findings = store.breakers(at), wanting(store.findings(at, running_only=True))
    in_force = version.limits if version is not None and version.version else settings.limits
    if name and name not in (*NAMES.values(), *(limit.name for limit in in_force.limits)):
        known = ", ".join(limit.name for limit in in_force.limits) or "none"
        raise click.UsageError(f"there is no limit {name!r}; there are: {known}")
    return View(
        at=at,
        ledger=path,
        exists=version is not None,
        mode=settings.mode,
        fault=fault,
        version=version if version is not None and version.version else None,
        differs=not in_force.says_the_same(settings.limits),
        rows=[
            *rows_by_limit(in_force.limits, standings, top, name, service),
            *rows_by_budget(standings, top, name, service),
        ],
        breakers=breakers,
        findings=[one for one in findings if not service or one.service == service],
    )


def text(view: View) -> Iterator[str]:
    """The status for a reader, the worst first."""
    if view.fault:
        yield click.style("The ledger refuses every call.", fg="red", bold=True) + f" {view.fault}\n"
    yield from (running_text(one, view.at) for one in view.findings)
    for one in view.breakers:
        until = f"until {clock_time(one.reset_at, view.at)}" if one.reset_at else "until it is reset"
        refused = f"{counted(one.refused_calls, 'call')}, {dollars(one.refused_usd)} refused"
        what = "all calls" if str(one) == "*" else str(one)
        head = click.style(f"Breaker: {what}", fg="red", bold=True)
        yield f"{head} {until}, since {_ago(one.since_at, view.at)}: {one.reason}. {refused}.\n"
    blocked = [one for limit in view.rows for one in limit.shown if one.blocked_at]
    for scope in blocked:
        refused = f"{counted(scope.refused_calls, 'call')}, {dollars(scope.refused_usd)} refused"
        head = click.style(f"Blocked: {spoken(scope.limit, scope.scope)}", fg="red", bold=True)
        yield f"{head} by {scope.limit.name}, since {_ago(scope.blocked_at, view.at)}: {refused}."
    if blocked:
        yield ""
    yield _table(view)
    for limit in view.rows:
        if limit.hidden:
            yield f"{limit.limit.name}: {limit.hidden:,} more scopes, less full; --top and --json show them."


def _table(view: View) -> str:
    columns = (
        *(
            Column("limit", cut=True),
            Column("allows", drop=3),
            Column("scope", cut=True),
            Column("used"),
            Column("used" if is_narrow() else "", right=True),
        ),
        *(Column("spent", right=True, drop=2), Column("held", right=True, drop=4), Column("left", right=True)),
        *(Column("frees", drop=1), Column("refused", drop=5)),
    )
    every = [one for limit in view.rows for one in limit.shown]
    spent, held, left = (_amounts(every, part) for part in ("spent", "held", "headroom"))
    found = {id(one): cells for one, *cells in zip(every, spent, held, left, strict=True)}
    rows: list[tuple[str, ...]] = []
    for limit in view.rows:
        allows = f"{amount(limit.limit.amount, limit.limit.unit)}{_unit(limit.limit.unit)} / {limit.limit.window}"
        if not limit.shown:
            rows.append((limit.limit.name, allows, "none yet", *[""] * 7))
        for number, one in enumerate(limit.shown):
            title = (limit.limit.name, allows) if number == 0 else ("", "")
            rows.append((*title, *_row(one, view.at, found[id(one)])))
    return table(columns, rows)


def _row(one: Standing, at: int, amounts: list[str]) -> tuple[str, ...]:
    full = share(one)
    colour = "red" if full >= 0.95 else "yellow" if full >= 0.7 else "green"
    spent = one.spent / one.limit.amount if one.limit.amount else full
    refused = "" if not one.blocked_at else f"{one.refused_calls:,}"
    frees = span(one.frees_at - at) if one.frees_at is not None and one.frees_at > at else ""
    drawn = "" if is_narrow() else click.style(bar(spent, full - spent), fg=colour)
    percent = click.style(f"{full:.0%}", fg=colour)
    return (spoken(one.limit, one.scope), drawn, percent, *amounts, f"in {frees}" * bool(frees), refused)


def _amounts(every: list[Standing], part: str) -> list[str]:
    """One column: the dollars aligned, other units as they are."""
    values = [getattr(one, part) for one in every]
    money = iter(aligned([v for v, one in zip(values, every, strict=True) if one.limit.unit == "usd"]))
    return [
        next(money) if one.limit.unit == "usd" else amount(value, one.limit.unit)
        for value, one in zip(values, every, strict=True)
    ]


def _unit(unit: str) -> str:
    return "" if unit == "usd" else f" {unit}"


def _ago(at: int, now_at: int) -> str:
    return f"{clock_time(at, now_at)} ({span(now_at - at)})"


def _talk(view: View) -> None:
    """What is not data: what to do next."""
    if not view.exists:
        say(f"\nNothing was spent yet: there is no ledger at {view.ledger}.\n{FIRST_CALL}")
    elif view.version is None:
        say("\nNo limits are in force yet; these are the file's. The first call puts them in force.")
    elif view.differs:
        say("\nThe file says otherwise; `spendgate limits show` says what, `spendgate limits apply` puts it in force.")
    if view.findings:
        say("\nIs it meant? `spendgate finding list` has its number, `spendgate finding dismiss ID` dismisses it.")
    if view.mode == "observe":
        say('\nmode is "observe": what does not fit is reported, not refused.')
    if view.mode == "off":
        say('\nmode is "off": every call passes, and nothing is recorded.')


def _watch(session: Session, as_json: bool, chosen: dict[str, Any]) -> None:
    """Shows it again and again; a ledger that cannot be read for a moment is said, and tried again."""

    def frame() -> str:
        try:
            view = look(session, **chosen)
        except SpendgateError as error:
            return json.dumps({"error": str(error)}) if as_json else f"spendgate: {error}"
        if as_json:
            return json.dumps(as_data(view), ensure_ascii=False)
        return "\n".join((f"{clock_time(view.at, view.at)}, every {EVERY_S:g} s; Ctrl-C ends.\n", *text(view)))

    shown = frame()
    try:
        if as_json or not is_terminal():
            while True:
                show(shown)
                session.clock.sleep(EVERY_S)
                shown = frame()
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(no_color=not coloured()), screen=True, auto_refresh=False) as live:
            while True:
                live.update(Text.from_ansi(shown, no_wrap=True, overflow="ellipsis"), refresh=True)
                session.clock.sleep(EVERY_S)
                shown = frame()
    except KeyboardInterrupt:
        if is_terminal() and not as_json:
            show(shown)


def as_data(view: View) -> dict[str, Any]:
    """The status as plain data."""
    return {
        "at": iso(view.at),
        "ledger": str(view.ledger),
        "exists": view.exists,
        "mode": view.mode,
        "fault": view.fault or None,
        "limits_version": view.version.version if view.version else None,
        "file_differs": view.differs,
        "limits": [_standing(one) for limit in view.rows for one in limit.shown],
        "hidden": {limit.limit.name: limit.hidden for limit in view.rows if limit.hidden},
        "breakers": [
            {
                "scope": str(one),
                "since": iso(one.since_at),
                "reset_at": iso(one.reset_at),
                "reason": one.reason,
                "refused_calls": one.refused_calls,
                "refused_usd": exact(one.refused_usd),
            }
            for one in view.breakers
        ],
        "findings": as_rows(view.findings),
    }


def _standing(one: Standing) -> dict[str, Any]:
    limit = one.limit
    return {
        "limit": limit.name,
        "scope": one.scope,
        "window": str(limit.window),
        "unit": limit.unit,
        "at_limit": limit.at_limit,
        "amount": amount_text(limit.amount, limit.unit),
        "spent": amount_text(one.spent, limit.unit),
        "held": amount_text(one.held, limit.unit),
        "headroom": amount_text(one.headroom, limit.unit),
        "frees_at": iso(one.frees_at),
        "blocked_since": iso(one.blocked_at),
        "refused_calls": one.refused_calls,
        "refused_usd": exact(one.refused_usd),
    }
