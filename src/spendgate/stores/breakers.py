"""Breakers tripped by hand, as the ledger keeps them: a list of states in JSON, in its one row about itself."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from spendgate.call import Call
from spendgate.ledger import Breaker
from spendgate.limits import matches


def blocks(breaker: Breaker, call: Call) -> bool:
    """Whether a tripped breaker stops a call."""
    return breaker.field == "*" or matches(breaker.pattern, call.field(breaker.field))


def read_breaker(state: dict[str, object]) -> Breaker:
    """The breaker in a state that `write_breaker` wrote."""
    fields = ("field", "pattern", "since_at", "reason", "reset_at", "refused_calls", "refused_usd")
    return Breaker(**{name: state[name] for name in fields})  # type: ignore[arg-type]


def write_breaker(breaker: Breaker) -> dict[str, object]:
    """A breaker as plain data, with what it has refused so far."""
    return {**asdict(breaker), "refused_calls": 0, "refused_usd": 0}


def read_breakers(text: str) -> Iterable[Breaker]:
    """The breakers in the ledger's own spelling."""
    return [read_breaker(state) for state in json.loads(text)] if text else []
