"""`spendgate once`: side effects of shell scripts that must not repeat."""

import click

from spendgate.cli.commands import REFUSED
from spendgate.cli.printing import json_option, print_json, say
from spendgate.cli.session import Session


@click.command(short_help="Go on only if nobody has done this within a span.")
@click.argument("action")
@click.argument("key")
@click.option("--within", default="24h", show_default=True, metavar="SPAN", help="For how long it must not repeat.")
@json_option
@click.pass_obj
def once(session: Session, /, *, action: str, key: str, within: str, as_json: bool) -> None:
    """Exit code 0 for exactly one caller within a span, among all scripts and programs with this ledger; 1 for others.

    The ledger keeps it before this ends, so it is *at most* once: a script that dies right afterwards has had its turn.
    A ledger that cannot be read is exit code 2: do not go on.

    \b
    Examples:
      spendgate once welcome-mail customer-7 && send-welcome-mail customer-7
      spendgate once nightly-report "$(date +%F)" --within 20h || exit 0
    """  # noqa: D301 - click reads the \b itself
    with session.gate() as gate:
        is_first = gate.once(action, key, within)
    if as_json:
        print_json({"first": is_first, "action": action, "within": within})
    elif not is_first:
        say(f"spendgate: {action} was done already for this key, less than {within} ago.")
    if not is_first:
        click.get_current_context().exit(REFUSED)
