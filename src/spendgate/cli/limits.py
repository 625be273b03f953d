"""`spendgate limits`: what the limits say in words, which are in force, and putting others in force."""

from typing import TYPE_CHECKING, Any

import click

from spendgate.cli.printing import amount_text, counted, iso, json_option, print_json, say, show
from spendgate.cli.session import Session
from spendgate.clock import moment
from spendgate.explain import Remark, remarks, sentence
from spendgate.ledger import LimitsVersion
from spendgate.limits import Limit, LimitSet

if TYPE_CHECKING:
    from spendgate.config import Settings

Change = tuple[str, str]
"""How a limit changed (`added`, `changed`, `removed`), and what it says now, or said."""


@click.group(short_help="Explain, show and apply the limits.")
def limits() -> None:
    """What may be spent: by the file, by the ledger that every process evaluates, and how that changed."""


@limits.command()
@json_option
@click.pass_obj
def check(session: Session, as_json: bool) -> None:
    """Says in words what the file allows, and what is doubtful about it. Exit code 1 where there is a problem.

    \b
    Examples:
      spendgate limits check
      spendgate --config staging/spendgate.toml limits check
    """  # noqa: D301 - click reads the \b itself
    settings = session.settings()
    found = [*remarks(settings.limits, settings.prices), *_in_clear(settings)]
    problem = any(one.severity == "problem" for one in found)
    if as_json:
        data = [{"severity": one.severity, "text": one.text, "limits": list(one.limits)} for one in found]
        print_json({"file": str(settings.file), "limits": as_data(settings.limits), "remarks": data})
    else:
        for limit in settings.limits.limits:
            show(sentence(limit))
        if settings.mode != "enforce":
            show(f"mode is {settings.mode!r}: whatever the limits say, nothing is refused.")
        show_remarks(found)
    if problem:
        click.get_current_context().exit(1)


def _in_clear(settings: "Settings") -> list[Remark]:
    from spendgate.config.notify import in_clear

    text = "The webhook to {} is not encrypted, and its URL is a secret to whoever reads along: write https://."
    return [Remark("hint", text.format(host)) for host in in_clear(settings.notify)]


def show_remarks(found: list[Remark]) -> None:
    """Prints what is doubtful, problems first."""
    for one in found:
        show(f"{click.style(one.severity, fg='red' if one.severity == 'problem' else 'yellow')}: {one.text}")


@limits.command("show")
@json_option
@click.pass_obj
def show_limits(session: Session, as_json: bool) -> None:
    """Shows the limits in force: what every process evaluates, since when, and who put it in force.

    \b
    Examples:
      spendgate limits show
    """  # noqa: D301 - click reads the \b itself
    settings = session.settings()
    with session.existing(settings) as store:
        version = store.limits() if store is not None else None
    if version is None or not version.version:
        version = None
    same = version is not None and version.limits.says_the_same(settings.limits)
    if as_json:
        print_json({"in_force": _version(version) if version else None, "file_differs": not same})
        return
    if version is None:
        say("No limits are in force yet: they will be when a program opens the gate, or by `spendgate limits apply`.")
        return
    show(_title(version))
    for limit in version.limits.limits:
        show(f"  {sentence(limit)}")
    if not same:
        say(f"{settings.file} says otherwise; `spendgate limits apply` puts it in force. It would change:")
        _show_changes(changes(version.limits, settings.limits), talk=True)


@limits.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@json_option
@click.pass_obj
def apply(session: Session, dry_run: bool, as_json: bool) -> None:
    """Puts the file's limits in force, for every process that uses the ledger, from their next decision on.

    \b
    Examples:
      spendgate limits apply --dry-run
      spendgate limits apply
    """  # noqa: D301 - click reads the \b itself
    from spendgate.opening import actor

    settings = session.settings()
    with session.store(settings) as store:
        before, now_at = store.limits(), session.clock.now()
        done = not dry_run and store.apply_limits(settings.limits, str(settings.file or ""), actor(), now_at)
        version = store.limits().version
        events = [event for event in store.events(now_at) if event.kind == "limits"] if done else []
    session.tell(settings, events)
    found = changes(before.limits, settings.limits)
    if as_json:
        rows = [{"change": change, "limit": text} for change, text in found]
        print_json({"applied": done, "version": version, "changes": rows})
        return
    _show_changes(found)
    if dry_run:
        say("Nothing was changed." if found else "These limits are in force already.")
    elif done:
        say(f"In force from now on, as version {version}: {counted(len(settings.limits.limits), 'limit')}.")
    else:
        say(f"These limits are in force already, as version {version}.")


@limits.command()
@json_option
@click.pass_obj
def history(session: Session, as_json: bool) -> None:
    """Lists every set of limits that was ever in force: since when, who, from where, and what changed.

    \b
    Examples:
      spendgate limits history
    """  # noqa: D301 - click reads the \b itself
    with session.existing(session.settings()) as store:
        versions = store.limits_history() if store is not None else []
    if as_json:
        print_json({"versions": [_version(version) for version in versions]})
        return
    if not versions:
        say("No limits were ever in force.")
    before = LimitSet(())
    for version in versions:
        show(_title(version))
        _show_changes(changes(before, version.limits))
        before = version.limits


def changes(before: LimitSet, after: LimitSet) -> list[Change]:
    """What is different between two sets of limits, by the names of the limits."""
    old = {limit.name: limit for limit in before.limits}
    new = {limit.name: limit for limit in after.limits}
    found = [("added", sentence(limit)) for name, limit in new.items() if name not in old]
    found += [
        ("changed", f"{sentence(limit)} Before: {_may(old[name])}")
        for name, limit in new.items()
        if name in old and old[name] != limit
    ]
    return found + [("removed", sentence(limit)) for name, limit in old.items() if name not in new]


def _may(limit: Limit) -> str:
    return sentence(limit).removeprefix(f"{limit.name}: ")


def _show_changes(found: list[Change], talk: bool = False) -> None:
    colours = {"added": "green", "changed": "yellow", "removed": "red"}
    for change, text in found:
        (say if talk else show)(f"  {click.style(change, fg=colours[change])} {text}")


def _title(version: LimitsVersion) -> str:
    who = version.actor
    by = f" by {who.program} (process {who.pid} on {who.host})" if who.program or who.host else ""
    source = f", from {version.source}" if version.source else ""
    return f"Version {version.version}, in force since {moment(version.at):%Y-%m-%d %H:%M:%S} UTC{by}{source}:"


def _version(version: LimitsVersion) -> dict[str, Any]:
    who = version.actor
    return {
        "version": version.version,
        "since": iso(version.at),
        "source": version.source,
        "by": {"host": who.host, "pid": who.pid, "program": who.program},
        "limits": as_data(version.limits),
    }


def as_data(found: LimitSet) -> list[dict[str, Any]]:
    """Limits as plain data: amounts as exact text in the limit's unit."""
    return [
        {
            "name": limit.name,
            "unit": limit.unit,
            "amount": amount_text(limit.amount, limit.unit),
            "window": str(limit.window),
            "timezone": getattr(limit.window, "timezone", None),
            "match": dict(limit.match),
            "per": list(limit.per),
            "warn_at": [str(share) for share in limit.warn_at],
            "at_limit": limit.at_limit,
            "says": sentence(limit),
        }
        for limit in found.limits
    ]
