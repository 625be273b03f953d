"""An imported call as an entry of the ledger: settled at its own instant, priced, and the same each time it is read."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from spendgate.call import MAX_NAME, Call
from spendgate.errors import PriceError
from spendgate.history.results import LineError
from spendgate.ledger import Entry, Pricing, Weight
from spendgate.pricing.book import PriceBook
from spendgate.pricing.usage import Usage
from spendgate.reservation import State


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, in nano-dollars, and how that is known."""

    usd: int
    list_usd: int
    pricing: Pricing
    marks: frozenset[str] = frozenset()


def past_call(identity: str, call: Call, at: int, usage: Usage, cost: Cost) -> Entry:
    """An entry for a call that was made, counted and paid at `at`. The same `identity` makes the same id."""
    weight = Weight(usd=cost.usd, calls=1, tokens=usage.tokens)
    used = usage.to_json()
    return Entry(
        seq=0,
        id=f"import-{hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}",
        state=State.SETTLED,
        call=call,
        held_at=at,
        lapse_at=at,
        counted_at=at,
        reserved=weight,
        weight=weight,
        pricing=cost.pricing,
        ended_at=at,
        list_usd=cost.list_usd,
        usage=json.dumps(used) if used else "",
        marks=cost.marks | {"imported"},
    )


def price(book: PriceBook, call: Call, usage: Usage, at: int, service_tier: str = "") -> Cost:
    """What the price book says a call did cost; marked `unpriced` where it cannot say, which is not free."""
    try:
        found = book.price(call.provider, call.resource, at)
        usd = found.cost(usage, service_tier=service_tier)
        listed = found.list_cost(usage, service_tier=service_tier)
    except PriceError:
        return Cost(0, 0, Pricing(exact=False), frozenset({"unpriced"}))
    if found.tariff is not None:
        # Which monthly step the call fell on is not known any more: the dearest.
        extra = found.tariff.most(found.tariff.parts(usage))
        usd, listed = usd + extra, (listed or 0) + extra
    marks = {"priced", "subscription"} if found.billing == "subscription" else {"priced"}
    pricing = Pricing(found.source, found.dated, found.exact)
    return Cost(usd, usd if listed is None else listed, pricing, frozenset(marks))


def stated(usd: int, source: str) -> Cost:
    """A cost that the log itself states, in nano-dollars."""
    return Cost(usd, usd, Pricing(source))


def text_of(data: dict[str, Any], name: str) -> str:
    """A name in a record, or nothing.

    Raises:
        LineError: it is there and is no text.
    """
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LineError(f"{name} is {str(value)[:40]!r}, not text")
    return value


def count_of(data: dict[str, Any], name: str) -> int:
    """A count in a record; 0 where there is none.

    Raises:
        LineError: it is there and is no whole number from 0 on.
    """
    value = data.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise LineError(f"{name} is {str(value)[:40]!r}, not a whole number from 0 on")
    return value


def table_of(data: dict[str, Any], name: str) -> dict[str, Any]:
    """A table in a record; an empty one where there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def tag(text: str) -> str:
    """Any text as the value of a tag: printable, and its end where it is too long.

    >>> tag("/home/me/a" + chr(9) + "b")
    '/home/me/a?b'
    """
    return "".join(sign if sign.isprintable() else "?" for sign in text[-MAX_NAME:])
