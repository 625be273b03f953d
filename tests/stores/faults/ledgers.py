"""A ledger to be harmed, and the words that the proofs about it are written in."""

from pathlib import Path

from spendgate.call import Call
from spendgate.ledger import Actor, Held, HoldRequest, Outcome, Weight
from spendgate.limits import Limit, LimitSet
from spendgate.money import NANOS_PER_USD
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from spendgate.windows import parse_window

USD = NANOS_PER_USD
CENT = USD // 100
DAY = parse_window("24h", "UTC")
TEN_DOLLARS = LimitSet((Limit("total", "usd", 10 * USD, DAY),))
ROOMY = LimitSet(
    (
        Limit("hourly", "usd", 10**6 * USD, parse_window("1h", "UTC"), per=("service",)),
        Limit("total", "usd", 10**6 * USD, DAY),
        Limit("calls", "calls", 10**9, DAY, per=("service",)),
    )
)
SOMEBODY = Actor("host", 7, "proof")


def cent(service: str = "research", usd: int = CENT) -> HoldRequest:
    """A call declared at a cent."""
    return HoldRequest(Call(service=service), Weight(usd=usd, calls=1), SOMEBODY)


def begin(path: Path, limits: LimitSet = ROOMY) -> None:
    """Makes a ledger with limits in force."""
    store = SqliteStore(path)
    store.apply_limits(limits, "proof", SOMEBODY, START_AT)
    store.close()


def held(store: SqliteStore, at: int = START_AT, service: str = "research", usd: int = CENT) -> str:
    """The id of a call that was admitted."""
    found = store.hold(cent(service, usd), at)
    assert isinstance(found, Held), found
    return found.id


def book(store: SqliteStore, count: int, first: int = 0) -> None:
    """Books pairs of hold and settle, half a minute apart; every third call stays held."""
    for number in range(first, first + count):
        at = START_AT + number * 30_000_000
        found = held(store, at, f"service-{number % 4}")
        if number % 3:
            store.settle(found, Outcome(usd=CENT // 2), at + 1)
