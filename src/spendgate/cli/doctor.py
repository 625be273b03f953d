"""`spendgate doctor`: examines everything, says what is wrong and what to do; rolls up old detail; accepts a loss."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from spendgate.cli.compacting import accept_loss, compact
from spendgate.cli.examine_files import examine_files
from spendgate.cli.examine_ledger import examine_ledger
from spendgate.cli.examine_rules import examine_rules
from spendgate.cli.findings import Finding, ok, print_all, problem
from spendgate.cli.printing import json_option
from spendgate.cli.session import Session, has_ledger
from spendgate.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from spendgate.config import Settings


@click.command(short_help="Examine everything.")
@click.option("--quick", is_flag=True, help="Do not read every entry of the ledger.")
@click.option("--compact", "compacting", is_flag=True, help="Roll entries older than `[store] keep` into daily sums.")
@click.option("--accept-loss", "accepting", is_flag=True, help="Go on after the ledger has lost entries.")
@click.option("--charge", metavar="USD", help="With --accept-loss: what to charge to every limit in dollars.")
@json_option
@click.pass_obj
def doctor(
    session: Session, /, *, quick: bool, compacting: bool, accepting: bool, charge: str | None, as_json: bool
) -> None:
    """Examines configuration, ledger, disk, clock, prices and limits, and says what to do about what is wrong.

    --compact changes no total: it says what the rolled up days came to before and after. --accept-loss books what is
    known to be missing, or --charge, to every limit in dollars, so that lost entries are not taken for headroom.
    Exit code 1 where there is a problem.

    \b
    Examples:
      spendgate doctor
      spendgate doctor --quick --json
      spendgate doctor --compact
      spendgate doctor --accept-loss --charge 20
    """  # noqa: D301 - click reads the \b itself
    if compacting and accepting:
        raise click.UsageError("--compact or --accept-loss, not both")
    if charge is not None and not accepting:
        raise click.UsageError("--charge belongs to --accept-loss")
    if compacting:
        compact(session, as_json)
    elif accepting:
        accept_loss(session, charge, as_json)
    else:
        found = list(examine(session, thorough=not quick))
        print_all(found, as_json)
        if any(one.level == "problem" for one in found):
            click.get_current_context().exit(1)


def examine(session: Session, *, thorough: bool) -> Iterator[Finding]:
    """Everything there is to say."""
    yield ok("program", f"spendgate {version('spendgate')}, Python {platform.python_version()}")
    try:
        settings = session.settings()
    except ConfigError as error:
        yield problem("config", str(error))
        return
    yield ok("config", f"{settings.file}, mode {settings.mode}")
    now_at = session.clock.now()
    if settings.store.path is None:
        yield ok("ledger", "in memory: only the program itself can see it")
        yield from examine_rules(settings, None, now_at)
        return
    yield from _on_disk(session, settings, now_at, thorough)


def _on_disk(session: Session, settings: "Settings", now_at: int, thorough: bool) -> Iterator[Finding]:
    path = settings.store.path
    assert path is not None  # noqa: S101 - the caller has asked
    if not has_ledger(settings):
        yield ok("ledger", f"none yet: the first call makes {path}")
        yield from examine_rules(settings, None, now_at)
        return
    yield ok("store", str(path))
    yield from examine_files(settings, path)
    try:
        with session.store(settings) as store:
            yield from examine_ledger(store, now_at, thorough=thorough)
            yield from examine_rules(settings, store, now_at)
    except StoreError as error:
        yield problem("ledger", str(error))
