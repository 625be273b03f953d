"""What a reservation weighs once it has ended, and which figures can be a weight at all."""

from spendgate.errors import AmountError
from spendgate.ledger import MAX_LAPSE_AFTER, Entry, HoldRequest, Outcome, Weight
from spendgate.money import MAX_LIMIT_NANOS, quantity
from spendgate.reservation import State


def check_request(request: HoldRequest) -> None:
    """Looks at the figures of a request.

    Raises:
        AmountError: one of them is negative, absurd or no whole number.
    """
    check_weight(request.weight)
    quantity(request.tariff_units, "tariff_units", MAX_LIMIT_NANOS)
    if not 0 < request.lapse_after <= MAX_LAPSE_AFTER:
        raise AmountError("lapse_after", request.lapse_after, "it must be above 0 and at most 7 days")


def check_weight(weight: Weight) -> Weight:
    """The weight, if it is one.

    Raises:
        AmountError: something in it is negative, absurd or no whole number.
    """
    quantity(weight.usd, "usd", MAX_LIMIT_NANOS)
    quantity(weight.calls, "calls", MAX_LIMIT_NANOS)
    quantity(weight.tokens, "tokens", MAX_LIMIT_NANOS)
    for name, parts in weight.units:
        quantity(parts, name, MAX_LIMIT_NANOS)
    return weight


def settled_weight(entry: Entry, outcome: Outcome) -> Weight:
    """What a reservation weighs once settled; what the outcome leaves out stays as it was held.

    Settled already, only the dollars are asked again: the same amount is the same answer.
    """
    was = entry.weight if entry.state is State.SETTLED else entry.reserved
    usd = entry.reserved.usd if outcome.usd is None else outcome.usd
    if entry.tariff is not None and outcome.tariff_units is not None:
        quantity(outcome.tariff_units, "tariff_units", MAX_LIMIT_NANOS)
        charged = entry.tariff.cost(entry.tariff_position, entry.tariff_units)
        rest = max(was.usd - charged, 0) if outcome.usd is None else outcome.usd
        usd = rest + entry.tariff.cost(entry.tariff_position, outcome.tariff_units)
    return Weight(
        usd=usd,
        calls=was.calls if outcome.calls is None else outcome.calls,
        tokens=was.tokens if outcome.tokens is None else outcome.tokens,
        units=was.units if outcome.units is None else outcome.units,
    )
