"""Examines what is in a ledger: whether it is whole, whether time and money in it can be believed."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from spendgate.cli.examine_files import size
from spendgate.cli.findings import Finding, ok, problem, warning
from spendgate.cli.printing import clock_time, counted, span, working
from spendgate.clock import DAY, MINUTE, SECOND
from spendgate.ledger import Store, Sum
from spendgate.money import dollars

NEVER = 1 << 62
SHOWN = 10


def examine_ledger(store: Store, now_at: int, *, thorough: bool) -> Iterator[Finding]:
    """Everything about a ledger that could be opened."""
    totals = store.totals()
    counts = f"{counted(totals.entries, 'entry', 'entries')}, {dollars(totals.usd)} in all"
    yield ok("ledger", counts)
    yield from _sqlite(store)
    fault = store.fault()
    yield problem("tail", fault) if fault else ok("tail", "the ledger is as far as its record beside it")
    if thorough and not fault:
        with working(f"Reading {counted(totals.entries, 'entry', 'entries')} (--quick leaves this out)"):
            wrong = store.check()
        yield from _checks(wrong)
    yield from _clock(store, totals.latest_at, now_at)
    yield from _breakers(store, now_at)
    yield from _spending(store, now_at)
    yield from _lapsed(store, now_at)


def _sqlite(store: Store) -> Iterator[Finding]:
    from spendgate.stores.sqlite import SqliteStore
    from spendgate.stores.sqlite_facts import facts

    if not isinstance(store, SqliteStore):
        return
    found = facts(store)
    text = f"SQLite {found.version}, format {found.format}, {size(found.size)}, synchronous = {found.synchronous}"
    if not found.is_safe:
        yield problem("sqlite", f"{text}: it can lose commits", "pip install --upgrade apsw")
    elif found.journal_mode != "wal":
        remedy = "put it on a local disk: network file systems cannot keep one"
        yield problem("sqlite", f"{text}, journal mode {found.journal_mode} and not wal", remedy)
    else:
        yield ok("sqlite", f"{text}, WAL")
    yield from _wal(store.path, found.size)


def _wal(ledger: Path, length: int) -> Iterator[Finding]:
    wal = ledger.with_name(ledger.name + "-wal")
    if wal.exists() and wal.stat().st_size > max(2 * length, 256_000_000):
        text = f"the write-ahead log has grown to {size(wal.stat().st_size)}: somebody reads without end"
        yield warning("sqlite", text, "end the process named under locks that reads the ledger")


def _checks(found: list[str]) -> Iterator[Finding]:
    remedy = "restore a backup, or export what is left and import it into a new ledger"
    for text in found[:SHOWN]:
        yield problem("contents", text, remedy)
    if len(found) > SHOWN:
        yield problem("contents", f"and {len(found) - SHOWN:,} more", remedy)
    if not found:
        yield ok("contents", "every checksum, sum and counter agrees with the entries")


def _clock(store: Store, latest_at: int, now_at: int) -> Iterator[Finding]:
    ahead = latest_at - now_at
    remedy = "check the time synchronisation of this machine"
    if ahead > MINUTE:
        text = f"the ledger has seen {clock_time(latest_at, now_at)}, {span(ahead)} ahead of this machine's clock"
        yield problem("clock", text, remedy)
    elif ahead > 5 * SECOND:
        yield warning("clock", f"the ledger is {span(ahead)} ahead of this machine's clock", remedy)
    else:
        yield ok("clock", "the ledger has seen nothing later than now")
    jumps = [event for event in store.events(max(now_at - 7 * DAY, 0)) if event.kind == "clock"]
    if jumps:
        text = (
            f"the clock went back {counted(len(jumps), 'time')} in 7 days, last at {clock_time(jumps[-1].at, now_at)}"
        )
        yield warning("clock", text, remedy)


def _breakers(store: Store, now_at: int) -> Iterator[Finding]:
    for one in store.breakers(now_at):
        target = "--all" if str(one) == "*" else str(one)
        text = f"{'all calls' if str(one) == '*' else str(one)} blocked since {clock_time(one.since_at, now_at)}"
        yield warning("breaker", f"{text}: {one.reason}", f"`spendgate breaker reset {target}` when that is over")


def _spending(store: Store, now_at: int) -> Iterator[Finding]:
    found = list(store.sums(("service", "priced", "state"), max(now_at - 7 * DAY, 0), NEVER))
    unpriced = [one for one in found if one.fields[1] == "unpriced" and one.fields[2] != "held"]
    nameless = [one for one in found if not one.fields[0]]
    if unpriced:
        text = f"in 7 days {_sum(unpriced)} had no price, and counts with what was set aside"
        yield warning("unpriced", text, "`spendgate prices check` names them")
    if nameless:
        remedy = "name it in the call, with gate.scope(service=...) or SPENDGATE_SERVICE"
        yield warning("unattributed", f"in 7 days {_sum(nameless)} belonged to no service", remedy)
    if not (unpriced or nameless):
        yield ok("spending", f"in 7 days {_sum(found)}, all priced and for a service")


def _lapsed(store: Store, now_at: int) -> Iterator[Finding]:
    found = [one for one in store.sums(("service", "state"), max(now_at - DAY, 0), NEVER) if one.fields[1] == "lapsed"]
    if found:
        dearest = sorted(found, key=lambda one: -one.usd)
        named = ", ".join(f"{one.fields[0] or '(none)'} {one.calls:,} ({dollars(one.usd)})" for one in dearest[:5])
        text = f"in a day {_sum(found)} lapsed: nobody said what they cost, so they count whole: {named}"
        yield warning("lapsed", text, "settle or void each call, or make it in a `with gate.call(...)` block")
    else:
        yield ok("lapsed", "in a day no reservation lapsed")


def _sum(found: Iterable[Sum]) -> str:
    several = list(found)
    return f"{counted(sum(one.calls for one in several), 'call')} ({dollars(sum(one.usd for one in several))})"
