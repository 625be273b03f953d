"""`spendgate breaker`: blocks calls by hand, and lets them through again."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click

from spendgate.call import FIELDS
from spendgate.cli.printing import (
    Column,
    clock_time,
    counted,
    exact,
    iso,
    json_option,
    print_json,
    say,
    show,
    span,
    table,
)
from spendgate.cli.session import Session
from spendgate.ledger import Breaker, Event
from spendgate.money import dollars
from spendgate.windows import parse_span

EVERY = ("*", "*")


@click.group(short_help="Block calls by hand.")
def breaker() -> None:
    """A tripped breaker refuses every call that fits, whatever the limits say, in every process, at once."""


def scope_of(scope: str | None, every: bool) -> tuple[str, str]:
    """The field and glob that a scope on the command line means: a service's name alone, or field=glob."""
    if every == (scope is not None):
        raise click.UsageError("name one scope, such as research or model=*opus*, or say --all")
    if scope is None:
        return EVERY
    name, equals, pattern = scope.partition("=")
    if not equals:
        name, pattern = "service", scope
    if name not in FIELDS and not (name.startswith("tags.") and len(name) > 5):
        close = get_close_matches(name, FIELDS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise click.UsageError(f"{name!r} is none of {', '.join(FIELDS)}, tags.NAME.{hint}")
    if not pattern:
        raise click.UsageError(f"{scope!r} names no {name}: write {name}=NAME, or a glob such as {name}=*")
    return name, pattern


def _span(_: click.Context, option: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_span(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


scope_argument = click.argument("scope", required=False)
all_option = click.option("--all", "every", is_flag=True, help="Every call: the kill switch.")


@breaker.command()
@scope_argument
@all_option
@click.option("--reason", required=True, help="Why; every refused caller is told.")
@click.option(
    "--for", "length", callback=_span, metavar="SPAN", help="Until when, such as 30m; without it until reset."
)
@json_option
@click.pass_obj
def trip(
    session: Session, /, *, scope: str | None, every: bool, reason: str, length: int | None, as_json: bool
) -> None:
    """Refuses every call of a service, or of what field=glob fits, from the next decision on, in every process.

    SCOPE is the name of a service, or one of service, provider, resource, model, task, tags.NAME with a glob. Tripped
    again, it takes the new reason and time.

    \b
    Examples:
      spendgate breaker trip research --reason "looping since the deploy"
      spendgate breaker trip "model=*opus*" --reason "too dear tonight" --for 8h
      spendgate breaker trip --all --reason "stop everything"
    """  # noqa: D301 - click reads the \b itself
    from spendgate.opening import actor

    field, pattern = scope_of(scope, every)
    settings, now_at = session.settings(), session.clock.now()
    reset_at = None if length is None else now_at + length
    with session.store(settings) as store:
        before = next((one for one in store.breakers(now_at) if (one.field, one.pattern) == (field, pattern)), None)
        event = store.trip(Breaker(field, pattern, now_at, reason, reset_at), actor(), now_at)
    session.tell(settings, [event])
    if as_json:
        data = {"scope": event.scope, "since": iso(event.at), "reason": reason, "reset_at": iso(reset_at)}
        print_json({**data, "replaced": as_data(before) if before else None})
        return
    until = f"until {clock_time(reset_at, now_at)}" if reset_at else "until it is reset"
    target = "--all" if (field, pattern) == EVERY else _quoted(event.scope)
    say(f"Tripped: every call of {_spoken(event.scope)} is refused {until}.")
    if before is not None:
        say(_replaced(before, now_at))
    say(f"`spendgate breaker reset {target}` lets calls through again.")
    if settings.mode != "enforce":
        say(f"mode is {settings.mode!r} in {settings.file}: programs with this setting do not refuse anything.")


def _replaced(before: Breaker, now_at: int) -> str:
    """What a second trip takes the place of: its end and its count are gone."""
    end = f"until {clock_time(before.reset_at, now_at)}" if before.reset_at else "until reset"
    refused = f"{counted(before.refused_calls, 'call')}, {dollars(before.refused_usd)}"
    since = clock_time(before.since_at, now_at)
    return f"It replaces the trip of {since} ({before.reason}), {end}, which had refused {refused}; it counts anew."


@breaker.command()
@scope_argument
@all_option
@json_option
@click.pass_obj
def reset(session: Session, scope: str | None, every: bool, as_json: bool) -> None:
    """Lets the calls through again and says what was refused. Exit code 1 where nothing was tripped.

    \b
    Examples:
      spendgate breaker reset research
      spendgate breaker reset --all
    """  # noqa: D301 - click reads the \b itself
    from spendgate.opening import actor

    field, pattern = scope_of(scope, every)
    settings = session.settings()
    with session.store(settings) as store:
        events = [e for e in store.reset(field, pattern, actor(), session.clock.now()) if e.kind == "reset"]
    session.tell(settings, events)
    if as_json:
        print_json({"reset": [_refused(event) for event in events]})
    for event in events:
        calls, usd = event.data.get("refused_calls", 0), event.data.get("refused_usd", 0)
        say(f"Reset: calls of {_spoken(event.scope)} pass again. It refused {counted(calls, 'call')}, {dollars(usd)}.")
    if not events:
        say(f"Nothing is tripped for {_spoken('*' if every else f'{field}={pattern}')}.")
        click.get_current_context().exit(1)


def _refused(event: Event) -> dict[str, Any]:
    data = event.data
    return {
        "scope": event.scope,
        "since": iso(data.get("since_at")),
        "refused_calls": data.get("refused_calls", 0),
        "refused_usd": exact(data.get("refused_usd", 0)),
    }


@breaker.command("list")
@json_option
@click.pass_obj
def list_breakers(session: Session, as_json: bool) -> None:
    """Lists the breakers that are tripped: since when, by whom, why, and what they have refused since.

    \b
    Examples:
      spendgate breaker list
    """  # noqa: D301 - click reads the \b itself
    now_at = session.clock.now()
    with session.existing(session.settings()) as store:
        tripped = store.breakers(now_at) if store is not None else ()
        first_at = min((one.since_at for one in tripped), default=now_at)
        events = list(store.events(first_at)) if store is not None and tripped else []
    if as_json:
        print_json({"breakers": [as_data(one, events) for one in tripped]})
    elif not tripped:
        say("No breaker is tripped.")
    else:
        show(breakers_table(tripped, events, now_at))


def breakers_table(tripped: Iterable[Breaker], events: Iterable[Event], now_at: int) -> str:
    """The tripped breakers for a reader."""
    who = _who(events)
    columns = (
        Column("breaker"),
        Column("since"),
        Column("until"),
        Column("refused"),
        Column("by", cut=True),
        Column("reason", cut=True),
    )
    rows = [
        (
            _spoken(str(one)),
            f"{clock_time(one.since_at, now_at)} ({span(now_at - one.since_at)})",
            clock_time(one.reset_at, now_at) if one.reset_at else "reset",
            f"{counted(one.refused_calls, 'call')}, {dollars(one.refused_usd)}",
            who.get(str(one), ""),
            one.reason,
        )
        for one in tripped
    ]
    return table(columns, rows)


def as_data(one: Breaker, events: Iterable[Event] = ()) -> dict[str, Any]:
    """A tripped breaker as plain data."""
    return {
        "scope": str(one),
        "since": iso(one.since_at),
        "reset_at": iso(one.reset_at),
        "reason": one.reason,
        "by": _who(events).get(str(one)),
        "refused_calls": one.refused_calls,
        "refused_usd": exact(one.refused_usd),
    }


def _who(events: Iterable[Event]) -> dict[str, str]:
    """Who tripped each breaker last."""
    found = {}
    for event in events:
        if event.kind == "tripped":
            data = event.data
            found[event.scope] = f"{data.get('program') or 'process'} {data.get('pid', '')} on {data.get('host', '')}"
    return found


def _spoken(scope: str) -> str:
    return "all services" if scope == "*" else scope


def _quoted(scope: str) -> str:
    from shlex import quote

    return quote(scope)
