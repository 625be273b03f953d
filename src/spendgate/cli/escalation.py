"""`spendgate escalation`: requests to go on with a dearer model, and the yes or no that they wait for."""

from collections.abc import Iterable
from typing import Any, Literal

import click

from spendgate.cli.printing import Column, clock_time, exact, iso, json_option, print_json, say, show, span, table
from spendgate.cli.session import Session
from spendgate.money import dollars
from spendgate.taskterms import Escalation


@click.group(short_help="Allow a task a dearer model, or not.")
def escalation() -> None:
    """A task that is held to a model may ask for a dearer one, with a budget of its own. Somebody here decides."""


@escalation.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that were decided or have expired.")
@click.option("--task", default="", metavar="ID", help="Only those of this task.")
@json_option
@click.pass_obj
def list_escalations(session: Session, /, *, every: bool, task: str, as_json: bool) -> None:
    """Lists the requests that wait: who asks for what, why, for how much, and until when.

    \b
    Examples:
      spendgate escalation list
      spendgate escalation list --all --task research-123
    """  # noqa: D301 - click reads the \b itself
    now_at = session.clock.now()
    with session.existing(session.settings()) as store:
        found = store.escalations(task) if store is not None else []
    found = [one for one in found if every or one.state_at(now_at) == "asked"]
    if as_json:
        print_json({"escalations": [as_data(one, now_at) for one in found]})
    elif not found:
        say("Nobody asks for a dearer model." if not every else "Nobody ever asked for a dearer model.")
    else:
        show(_table(found, now_at))
        if any(one.state_at(now_at) == "asked" for one in found):
            say("`spendgate escalation approve ID` says yes, `spendgate escalation deny ID` no.")


number_argument = click.argument("number", metavar="ID", type=click.IntRange(1))
reason_option = click.option("--reason", default="", help="Why; it is kept with the decision.")


@escalation.command()
@number_argument
@reason_option
@json_option
@click.pass_obj
def approve(session: Session, /, *, number: int, reason: str, as_json: bool) -> None:
    """Says yes: the task goes on with the dearer model, as a task of its own, up to the budget it asked for.

    What was decided already, has expired, or belongs to a task that ended cannot be approved; exit code 2.

    \b
    Examples:
      spendgate escalation approve 3 --reason "the customer waits"
    """  # noqa: D301 - click reads the \b itself
    _decide(session, number, "approved", reason, as_json)


@escalation.command()
@number_argument
@reason_option
@json_option
@click.pass_obj
def deny(session: Session, /, *, number: int, reason: str, as_json: bool) -> None:
    """Says no: the program that waits is told so, and nothing is spent.

    \b
    Examples:
      spendgate escalation deny 3 --reason "Haiku has to do"
    """  # noqa: D301 - click reads the \b itself
    _decide(session, number, "denied", reason, as_json)


def _decide(session: Session, number: int, verdict: Literal["approved", "denied"], reason: str, as_json: bool) -> None:
    from spendgate.escalating import spoken
    from spendgate.opening import actor

    settings, now_at = session.settings(), session.clock.now()
    with session.store(settings) as store:
        done = store.decide_escalation(number, verdict, spoken(actor()), reason, now_at)
        told = [one for one in store.events(now_at) if one.kind == "escalation" and one.data.get("id") == number]
    session.tell(settings, told)
    if as_json:
        print_json(as_data(done, now_at))
    elif verdict == "approved":
        say(f"Approved: task {done.task} may spend {dollars(done.budget)} with {done.to}, as task {done.child}.")
    else:
        say(f"Denied: task {done.task} stays with the model it has.")


def _table(found: Iterable[Escalation], now_at: int) -> str:
    columns = (
        Column("id", right=True),
        Column("task", cut=True),
        Column("asks for"),
        Column("budget", right=True),
        Column("state"),
        Column("until", drop=1),
        Column("by", cut=True, drop=2),
        Column("reason", cut=True),
    )
    return table(columns, [_row(one, now_at) for one in found])


def _row(one: Escalation, now_at: int) -> tuple[str, ...]:
    state = one.state_at(now_at)
    waits = state == "asked"
    until = f"{clock_time(one.expires_at, now_at)} ({span(one.expires_at - now_at)})" if waits else ""
    who, why = (one.asked_by, one.reason) if waits else (one.decided_by, one.answer or one.reason)
    return (str(one.id), one.task, one.to, dollars(one.budget), state, until, who, why)


def as_data(one: Escalation, now_at: int) -> dict[str, Any]:
    """A request as plain data."""
    return {
        "id": one.id,
        "task": one.task,
        "child": one.child,
        "to": one.to,
        "budget": exact(one.budget),
        "reason": one.reason,
        "state": one.state_at(now_at),
        "asked_at": iso(one.asked_at),
        "asked_by": one.asked_by,
        "expires_at": iso(one.expires_at),
        "decided_at": iso(one.decided_at),
        "decided_by": one.decided_by or None,
        "answer": one.answer or None,
    }
