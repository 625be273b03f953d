"""Estimates that are learned: a service's calls of a model are estimated by what such calls have written before.

A request may write as much as its cap allows, and most write far less. Where the configuration says so, and enough
calls have ended, output is estimated at a high quantile of their output instead of the cap. Input is estimated as
always, so no estimate falls below what the request's own input costs. The cap itself stays: what comes out longer is an
overrun, booked in full. What says nothing of its usage counts as the most it can cost, not as what was set aside.

>>> quantile([10] * 197 + [500, 600, 700]), quantile([10] * 197 + [UNKNOWN] * 3)
(600, None)
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spendgate.call import Call
from spendgate.clock import MINUTE
from spendgate.errors import StoreError
from spendgate.estimating import Estimate, estimate
from spendgate.ledger import Entry, Outcome, Store
from spendgate.reservation import State

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook

HISTORY = 200
"""How many calls of a service and model must have ended before anything is learned from them."""
MOST = 1_000
"""How many are looked at, the latest ones."""
PERCENT = 99
"""The quantile: of a hundred calls like those before, one may write more than it was estimated at."""
REFRESH = 10 * MINUTE
"""For how long what was learned is used before the ledger is asked again."""
REMEMBERED = 1_000
"""Of how many services and models at most a process remembers what it learned."""
UNKNOWN = 1 << 62
"""The output of a call that did not say how much it was."""

Kind = tuple[str, str, str]


class Learned:
    """What one gate has learned of its services' models: one number each, looked up in the ledger now and then.

    Threads may share it: two may look at once, and find the same.
    """

    def __init__(self) -> None:
        self._known: dict[Kind, tuple[int, int | None]] = {}

    def lower(self, guess: Estimate, store: Store, book: "PriceBook", at: int, default_input: int = 0) -> Estimate:
        """The estimate, with the output that such calls have written in place of the cap, where that is less."""
        ask = guess.ask
        if guess.price is None or not ask.call.provider or ask.at_most is not None or ask.free or ask.calls != 1:
            return guess
        most = self.most_output(ask.call, store, at)
        if most is None or (ask.max_output_tokens is not None and ask.max_output_tokens <= most):
            return guess
        less = estimate(replace(ask, max_output_tokens=most), book, at, default_input)
        if less.tariff_units or less.weight.usd > guess.weight.usd or less.weight.tokens >= guess.weight.tokens:
            return guess
        return replace(guess, weight=less.weight, full=guess.weight)

    def most_output(self, call: Call, store: Store, at: int) -> int | None:
        """The most that a call writes, but for one in a hundred; None where too little is known."""
        kind = call.service, call.provider, call.resource
        known = self._known.get(kind)
        if known is None or not 0 <= at - known[0] < REFRESH:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[kind] = at, _looked_up(store, kind)
        return known[1]


def quantile(outputs: Sequence[int]) -> int | None:
    """The output that all but one of a hundred calls stay below or at; None where that is not known.

    >>> quantile([5] * 199) is None, quantile([5] * 200)
    (True, 5)
    """
    if len(outputs) < HISTORY:
        return None
    place = min(-(-(len(outputs) + 1) * PERCENT // 100), len(outputs))
    found = sorted(outputs)[place - 1]
    return None if found == UNKNOWN else found


def outputs(entries: Iterable[Entry]) -> list[int]:
    """What ended calls have written: without streams that broke off, and `UNKNOWN` for what counted whole."""
    return [_output(entry) for entry in entries if "cut" not in entry.marks and entry.weight.calls == 1]


def in_full(guess: Estimate, outcome: Outcome) -> Outcome:
    """What a call is settled with: where it says nothing of its cost, the most that it can be, not what was learned."""
    full = guess.full
    if full is None:
        return outcome
    usd = full.usd if outcome.usd is None else outcome.usd
    tokens = full.tokens if outcome.tokens is None else outcome.tokens
    return replace(outcome, usd=usd, tokens=tokens)


def _looked_up(store: Store, kind: Kind) -> int | None:
    try:
        return quantile(outputs(store.latest(*kind, MOST)))
    except StoreError:
        return None  # the decision itself will say so


def _output(entry: Entry) -> int:
    if entry.state is not State.SETTLED or "unpriced" in entry.marks or not entry.usage:
        return UNKNOWN
    try:
        usage = json.loads(entry.usage)
        return int(usage.get("output_tokens", 0)) if usage else UNKNOWN
    except (ValueError, TypeError, AttributeError):
        return UNKNOWN
