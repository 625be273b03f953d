"""`spendgate notify test`: whether alerts would reach anybody."""

import click

from spendgate.cli.printing import json_option, print_json, say, show
from spendgate.cli.session import Session


@click.group(short_help="Try the routes that tell people.")
def notify() -> None:
    """What `[notify]` in spendgate.toml tells people, and whether it reaches them."""


@notify.command("test")
@json_option
@click.pass_obj
def try_routes(session: Session, as_json: bool) -> None:
    """Sends a test message by every route and says how each fared. Exit code 1 where one failed or there is none.

    \b
    Examples:
      spendgate notify test
    """  # noqa: D301 - click reads the \b itself
    settings = session.settings()
    if not settings.notify:
        if as_json:
            print_json({"deliveries": []})
        say(f"No route is configured, so nobody is told anything: add [notify] to {settings.file}.")
        click.get_current_context().exit(1)
    from spendgate.alerts.notifier import Notifier

    deliveries = Notifier(settings.notify).test(session.clock.now())
    if as_json:
        rows = [{"route": one.route, "delivered": not one.error, "error": one.error} for one in deliveries]
        print_json({"deliveries": rows})
    else:
        for one in deliveries:
            fate, colour = ("failed", "red") if one.error else ("sent", "green")
            show(f"{click.style(f'{fate:8}', fg=colour)}  {one.route}  {one.error}".rstrip())
    if any(one.error for one in deliveries):
        click.get_current_context().exit(1)
