"""`spendgate hold`, `settle` and `void`: the gate for shell scripts and other languages."""

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import click

from spendgate.answers import Receipt
from spendgate.cli.pricing_gaps import UNNAMED
from spendgate.cli.printing import json_option, print_json, say
from spendgate.cli.session import Session
from spendgate.errors import AmountError
from spendgate.stating import Stated

NOTHING_HELD = "-"
"""What `hold` prints where nothing is set aside: the gate is off, or the ledger is away and calls may pass."""


def pairs(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Reads `name=value` options."""
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param=option)
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice", param=option)
        found[name] = value
    return found


@click.command(short_help="Set money aside for a call.")
@click.option("--service", default="", help="For whom the call is made.")
@click.option("--at-most", metavar="USD", help="The most it can cost, such as 0.02. Without it the price book says.")
@click.option("--resource", help="What is paid for: an API, or a model's name. Without it, say --at-most.")
@click.option("--provider", default="", help="Whose model it is; leave it out for other APIs.")
@click.option("--task", default="", help="The job the call belongs to.")
@click.option("--key", default="", help="The piece of work the call is for.")
@click.option(
    "--fresh-for", default="", metavar="SPAN", help="How long its answer is good: the key again is a duplicate."
)
@click.option("--attempt", type=click.IntRange(1), default=1, help="1 for the first try.")
@click.option("--fingerprint", default="", metavar="HEX", help="A digest of what is sent: the same again is a retry.")
@click.option("--tag", "tags", multiple=True, callback=pairs, metavar="NAME=VALUE", help="To match and count by.")
@click.option("--unit", "units", multiple=True, callback=pairs, metavar="NAME=AMOUNT", help="Such as rows=500.")
@click.option("--input-tokens", type=click.IntRange(0), help="The most tokens a model is sent.")
@click.option("--max-output-tokens", type=click.IntRange(0), help="The cap on what a model may write.")
@click.option("--calls", type=click.IntRange(1), help="How many calls it is billed as; 1 unless said.")
@click.option("--service-tier", default="", help="The provider's name for a faster or slower service.")
@click.option("--batch", is_flag=True, help="Priced as a batch call; it may run 25 hours before it lapses.")
@click.option("--wait", default="0", metavar="SECONDS", help="How long to wait for room.")
@json_option
@click.pass_obj
def hold(session: Session, /, as_json: bool, **given: Any) -> None:
    """Sets money aside for a call, in every limit that applies, and prints the id of the reservation.

    Where a limit leaves no room, nothing is set aside, the reason goes to stderr and the exit code is 1: do not make
    the call. What is neither settled nor voided lapses, and counts as spent.

    \b
    Examples:
      id=$(spendgate hold --service nightly --at-most 0.02) || exit 1
      curl ... && spendgate settle "$id" --cost 0.003
      spendgate hold --service nightly --provider anthropic --resource claude-haiku-4-5 --input-tokens 2000
    """  # noqa: D301 - click reads the \b itself
    resource = given.pop("resource")
    if resource is None:
        if given["at_most"] is None:
            raise click.UsageError("say what it can cost with --at-most, or what is paid for with --resource")
        resource = UNNAMED
    with session.gate() as gate:
        reservation = gate.reserve(resource=resource, **_stated(given))
    found = reservation.id or NOTHING_HELD
    if found == NOTHING_HELD:
        say("spendgate: nothing was set aside: the gate is off, or the ledger is away and calls may pass.")
    if as_json:
        print_json({"id": found, "at_most": f"{reservation.at_most:f}", "service": reservation.call.service})
    else:
        click.echo(found)


def _stated(given: Mapping[str, Any]) -> Stated:
    """What was said on the command line, without what was not."""
    stated: Any = {
        name: value
        for name, value in given.items()
        if value is not None and value is not False and value not in ("", {})
    }
    if "wait" in stated and stated["wait"] == "0":
        del stated["wait"]
    return cast("Stated", stated)


@click.command(short_help="Say what a call did cost.")
@click.argument("hold_id", metavar="ID")
@click.option("--cost", metavar="USD", help="What it did cost, such as 0.003.")
@click.option("--usage", metavar="JSON", help='Such as {"input_tokens": 1200, "output_tokens": 300}; - reads stdin.')
@click.option("--units", multiple=True, metavar="N|NAME=AMOUNT", help="How many calls, or units such as rows=480.")
@json_option
@click.pass_obj
def settle(
    session: Session, /, *, hold_id: str, cost: str | None, usage: str | None, units: tuple[str, ...], as_json: bool
) -> None:
    """Ends a reservation with what the call did cost: as stated, or as its usage or units are priced.

    With nothing stated it costs what the rate card says, or all that was set aside where that cannot say. The same
    settle again is the same answer; another amount is an error.

    \b
    Examples:
      spendgate settle 12-1f2e3d4c --cost 0.003
      spendgate settle 12-1f2e3d4c --usage '{"input_tokens": 1200, "output_tokens": 300}'
      spendgate settle 12-1f2e3d4c --units rows=480
    """  # noqa: D301 - click reads the \b itself
    if hold_id == NOTHING_HELD:
        say("spendgate: nothing was set aside, so nothing is settled.")
        return
    used, counted = _usage(usage), _units(units)
    with session.gate() as gate:
        found = gate.settle(hold_id, cost, usage=used, units=counted)
    over = ", more than was set aside" if found.overrun else ""
    late = "; it had lapsed already, and counts where it lapsed" if found.late else ""
    _receipt(found, f"settled {found.id}: ${found.cost:,f} of ${found.reserved:,f} held{over}{late}", as_json)


@click.command(short_help="Say that a call was not made.")
@click.argument("hold_id", metavar="ID")
@json_option
@click.pass_obj
def void(session: Session, hold_id: str, as_json: bool) -> None:
    """Ends a reservation: the call was not made, or is known to cost nothing. Its money is free at once.

    \b
    Examples:
      spendgate void 12-1f2e3d4c
    """  # noqa: D301 - click reads the \b itself
    if hold_id == NOTHING_HELD:
        say("spendgate: nothing was set aside, so nothing is voided.")
        return
    with session.gate() as gate:
        found = gate.void(hold_id)
    _receipt(found, f"voided {found.id}: ${found.reserved:,f} are free again", as_json)


def _receipt(found: Receipt, text: str, as_json: bool) -> None:
    if not as_json:
        say(text)
        return
    data = {"id": found.id, "cost": f"{found.cost:f}", "reserved": f"{found.reserved:f}"}
    print_json({**data, "overrun": found.overrun, "late": found.late})


def _usage(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(sys.stdin.read() if text == "-" else text, parse_float=Decimal, parse_constant=_no_number)
    except ValueError as error:
        raise AmountError("usage", text, f"it is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise AmountError("usage", text, 'write an object, such as {"input_tokens": 1200}')
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no count")


def _units(given: tuple[str, ...]) -> int | dict[str, str] | None:
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        if not (given[0].isascii() and given[0].isdigit()):
            raise AmountError("units", given[0], "write a whole number of calls, or amounts by name such as rows=480")
        return int(given[0])
    named: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name in named:
            raise AmountError("units", text, "write each unit once, as NAME=AMOUNT")
        named[name] = value
    return named
