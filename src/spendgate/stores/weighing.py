"""What a reservation weighs once it has ended, and which figures can be a weight at all."""

from spendgate.budgets import Budget
from spendgate.errors import AmountError
from spendgate.ledger import MAX_LAPSE_AFTER, Entry, HoldRequest, Outcome, Weight
from spendgate.limits import Limit, in_units
from spendgate.money import MAX_LIMIT_NANOS, dollars, quantity
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
    for name, parts in (("usd", weight.usd), ("calls", weight.calls), ("tokens", weight.tokens), *weight.units):
        if type(parts) is not int or not 0 <= parts <= MAX_LIMIT_NANOS:
            quantity(parts, name, MAX_LIMIT_NANOS)  # says what is wrong with it
    return weight


def by_unit(weight: Weight) -> dict[str, int]:
    """What `Weight.of` says of every unit that the weight has, for who asks for many."""
    found = {"usd": weight.usd, "calls": weight.calls, "tokens": weight.tokens}
    for name, parts in weight.units:
        found.setdefault(name, parts)
    return found


def brought(limit: Limit, weight: Weight, is_void: bool = False) -> int:
    """The parts that a weight has under a budget that its call brought along; under a limit those of its unit."""
    return limit.parts(weight.usd, is_void) if isinstance(limit, Budget) else weight.of(limit.unit)


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


def settled_twice(entry: Entry, weight: Weight, outcome: Outcome) -> str:
    """What to say of a settle that differs from the one before it: by how much of what."""
    was = entry.weight
    names = dict.fromkeys(("usd", "calls", "tokens", *(name for name, _ in (*was.units, *weight.units))))
    differ = [(name, was.of(name), weight.of(name)) for name in names if was.of(name) != weight.of(name)]
    if not differ:  # only the place in the month's tariff is another one, and it costs the same
        differ = [(entry.tariff.unit if entry.tariff else "units", entry.tariff_units, outcome.tariff_units or 0)]
    before = ", ".join(_spelled(unit, parts) for unit, parts, _ in differ)
    now = ", ".join(_spelled(unit, parts) for unit, _, parts in differ)
    return (
        f"{entry.id} is already settled at {before} and cannot be settled again at {now}: a reservation ends once. "
        "Nothing was changed."
    )


def _spelled(unit: str, parts: int) -> str:
    return dollars(parts) if unit == "usd" else f"{in_units(parts, unit):,f} {unit}"
