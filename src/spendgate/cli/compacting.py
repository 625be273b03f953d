"""The doctor's two interventions: rolling old detail up, and going on after a loss."""

from typing import TYPE_CHECKING

import click

from spendgate.cli.printing import clock_time, counted, exact, iso, print_json, say, working
from spendgate.cli.session import Session
from spendgate.clock import DAY
from spendgate.errors import ConfigError
from spendgate.ledger import Store
from spendgate.money import MAX_LIMIT_NANOS, dollars, nanos

if TYPE_CHECKING:
    from spendgate.config import Settings

Group = tuple[str, ...]
Amounts = tuple[int, ...]


def compact(session: Session, as_json: bool) -> None:
    """Rolls entries older than the configuration keeps into daily sums, and shows that they come to the same.

    Raises:
        ConfigError: windows may still need entries that the configuration does not keep.
    """
    settings, now_at = session.settings(), session.clock.now()
    before_at = now_at - settings.store.keep
    with session.existing(settings) as store:
        if store is None:
            say("There is no ledger yet, so there is nothing to roll up.")
            return
        with working("Rolling old entries into daily sums"):
            before = _sums(store, before_at)
            rolled = _roll(store, settings, before_at, now_at)
            after = _sums(store, before_at)
    calls, usd = sum(one[0] for one in after.values()), sum(one[1] for one in after.values())
    if as_json:
        data = {"before": iso(before_at), "rolled": rolled, "unchanged": before == after}
        print_json({**data, "calls": calls, "usd": exact(usd)})
    elif before == after:
        say(
            f"{counted(rolled, 'entry', 'entries')} older than {clock_time(before_at, now_at)} rolled into daily sums. "
            f"No total changed: {counted(calls, 'call')}, {dollars(usd)} before and after."
        )
    if before != after:
        say("The sums before and after differ. Restore a backup, and do not use this ledger: run `spendgate doctor`.")
        click.get_current_context().exit(1)


def _roll(store: Store, settings: "Settings", before_at: int, now_at: int) -> int:
    try:
        return store.compact(before_at, now_at)
    except ValueError as error:
        keep = f"{settings.store.keep // DAY}d"
        problem = f"with {keep} nothing was rolled up: {error}"
        raise ConfigError(problem, file=str(settings.file or ""), key="store.keep") from None


def _sums(store: Store, until_at: int) -> dict[Group, Amounts]:
    """What the old entries come to, for everything that daily sums keep apart."""
    found = store.sums(("service", "provider", "resource", "task"), 0, until_at)
    return {s.fields: (s.calls, s.usd, s.tokens, s.list_usd, s.overrun_usd, s.imported_usd) for s in found}


def accept_loss(session: Session, charge: str | None, as_json: bool) -> None:
    """Goes on after a lost tail, with a charge in place of what was lost.

    Raises:
        AmountError: the charge is no amount. Nothing was charged.
    """
    from spendgate.opening import actor

    usd = None if charge is None else nanos(charge, "charge", MAX_LIMIT_NANOS)
    settings, now_at = session.settings(), session.clock.now()
    with session.store(settings) as store:
        fault = store.fault()
        charged = store.accept_loss(usd, "accepted by hand", actor(), now_at) if fault else 0
        events = [event for event in store.events(now_at) if event.kind == "lost"] if fault else []
    session.tell(settings, events)
    if as_json:
        print_json({"fault": fault or None, "charged": exact(charged)})
    elif not fault:
        say("The ledger is whole: there is no loss to accept, and nothing was charged.")
    else:
        say(f"It was: {fault}")
        say(f"The ledger goes on. {dollars(charged)} now weigh on every limit in dollars, in place of what was lost.")
