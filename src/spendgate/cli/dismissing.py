"""`spendgate finding`: what costs money and does not look meant, and how somebody says that it is meant."""

from collections.abc import Iterable

import click

from spendgate.cli.commands import REFUSED
from spendgate.cli.noticed import as_rows, title, wanting
from spendgate.cli.printing import Column, aligned, clock_time, json_option, print_json, say, show, table
from spendgate.cli.session import Session
from spendgate.findings import Finding


@click.group(short_help="List findings, and dismiss what is meant.")
def finding() -> None:
    """A finding is what costs money and does not look meant. One that is meant, or known, can be dismissed."""


@finding.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that were dismissed or are over.")
@json_option
@click.pass_obj
def list_findings(session: Session, /, *, every: bool, as_json: bool) -> None:
    """Lists the findings that go on: their numbers, what they are of, since when, and what they have cost so far.

    \b
    Examples:
      spendgate finding list
      spendgate finding list --all
    """  # noqa: D301 - click reads the \b itself
    with session.existing(session.settings()) as store:
        known = store.findings() if store is not None else []
    shown = known if every else wanting(known)
    if as_json:
        print_json({"findings": as_rows(shown)})
    elif not shown:
        say("Nothing was ever found." if every else "Nothing is found that goes on.")
    else:
        show(_table(shown, session.clock.now()))
        if wanting(shown):
            say("`spendgate finding dismiss ID` says that one is meant, or known.")


@finding.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@click.option("--reason", default="", help="Why; it is kept with the finding.")
@json_option
@click.pass_obj
def dismiss(session: Session, /, *, number: int, reason: str, as_json: bool) -> None:
    """Says that a finding is meant, or known, as of a cache that was retired: it leaves status and later reports.

    It stays dismissed until what it is about is over; after that the same thing is a new finding. Nothing is stopped,
    and the calls stand in every report. Exit code 1 where the finding is over already.

    \b
    Examples:
      spendgate finding dismiss 4711 --reason "the old search is switched off"
    """  # noqa: D301 - click reads the \b itself
    from spendgate.escalating import spoken
    from spendgate.opening import actor
    from spendgate.stores.findings import event_of

    settings, now_at = session.settings(), session.clock.now()
    with session.existing(settings) as store:
        by = spoken(actor())
        known = None if store is None else store.dismiss_finding(number, now_at, by=by, reason=reason)
    if known is None:
        raise click.UsageError(f"there is no finding {number}; `spendgate finding list` has the numbers")
    if known.is_news:
        session.tell(settings, [event_of(known, known.dismissed_at)])
    if as_json:
        print_json(as_rows([known])[0])
    elif not known.is_running:
        say(f"Finding {number} is over: {title(known)}, since {clock_time(known.ended_at, now_at)}.")
    elif known.is_news:
        say(f"Dismissed: {title(known)}. It is told again when it is over.")
    else:
        by, at = known.dismissal["dismissed_by"], clock_time(known.dismissed_at, now_at)
        say(f"Finding {number} was dismissed already: {title(known)}, by {by} at {at}.")
    if not known.is_running:
        click.get_current_context().exit(REFUSED)


def _table(findings: Iterable[Finding], now_at: int) -> str:
    columns = (
        Column("id", right=True),
        Column("finding", cut=True),
        Column("since"),
        Column("cost", right=True),
        Column("state"),
        Column("by", cut=True, drop=1),
        Column("reason", cut=True),
    )
    shown = list(findings)
    money = aligned([one.usd for one in shown])
    return table(columns, [_row(one, cost, now_at) for one, cost in zip(shown, money, strict=True)])


def _row(one: Finding, cost: str, now_at: int) -> tuple[str, ...]:
    state = "over" if not one.is_running else "dismissed" if one.dismissed_at else "goes on"
    by, reason = one.dismissal.get("dismissed_by", ""), one.dismissal.get("reason", "")
    return (str(one.id), title(one), clock_time(one.began_at, now_at), cost, state, by, reason)
