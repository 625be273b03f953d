"""What each line of defence came to: the rows of the closing table, and the facts below it."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from spendgate.cli.demo.running import Outcome
from spendgate.cli.demo.story import RUNAWAY, WORKERS
from spendgate.clock import moment
from spendgate.limits import in_units
from spendgate.money import usd

SCOPE = f"service={RUNAWAY}"
SPANS = {"1h": "an hour", "6h": "in six hours", "24h": "a day"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of defence against the runaway: what was billed until it held, when that was, and what held."""

    name: str
    usd: int
    calls: int
    stopped_at: int
    by: str


@dataclass(frozen=True, slots=True)
class Others:
    """How the workers fared who did nothing wrong."""

    answered: int
    refused: int
    failed: int
    usd: int

    @property
    def unharmed(self) -> bool:
        """Whether none of their calls was refused or failed."""
        return not (self.refused or self.failed)


def lines(outcome: Outcome) -> list[Line]:
    """The lines of defence of one night, in the order in which they held."""
    charges = [charge for charge in outcome.charges if charge.customer == RUNAWAY]
    if outcome.ledger_usd is None:
        spent = sum(charge.usd for charge in charges)
        return [Line("nothing", spent, len(charges), outcome.ended_at, "")]
    if outcome.defence.line:
        stopped_at = outcome.tallies[RUNAWAY].get("refused_at", 0) or outcome.ended_at
        before = [charge.usd for charge in charges if charge.at <= stopped_at]
        return [Line(outcome.defence.line, sum(before), len(before), stopped_at, outcome.defence.by)]
    found: dict[str, Line] = {}
    for event in outcome.events:
        if event.kind == "blocked" and event.scope == SCOPE and event.limit not in found:
            before = [charge.usd for charge in charges if charge.at <= event.at]
            name = f"${in_units(event.data['amount'], 'usd'):.0f} {SPANS[event.data['window']]} per service"
            found[event.limit] = Line(name, sum(before), len(before), event.at, event.limit)
    return list(found.values())


def others(outcome: Outcome) -> Others:
    """The other workers of a night, together."""
    tallies = [outcome.tallies[name] for name in WORKERS if name != RUNAWAY]
    spent = sum(charge.usd for charge in outcome.charges if charge.customer != RUNAWAY)
    answered, refused, failed = (sum(tally[name] for tally in tallies) for name in ("answered", "refused", "failed"))
    return Others(answered, refused, failed, spent)


def plain(outcome: Outcome) -> dict[str, object]:
    """A night as plain data; dollars as text."""
    fared = others(outcome)
    return {
        "defence": outcome.defence.name,
        "billed_usd": str(usd(outcome.usd)),
        "calls": len(outcome.charges),
        "ledger_usd": None if outcome.ledger_usd is None else str(usd(outcome.ledger_usd)),
        "ledger_calls": outcome.ledger_calls,
        "ledger_agrees": None if outcome.ledger_usd is None else outcome.agree,
        "refused": outcome.tallies[RUNAWAY]["refused"],
        "lines": [
            {
                "name": line.name,
                "billed_usd": str(usd(line.usd)),
                "calls": line.calls,
                "stopped_at": moment(line.stopped_at).isoformat(),
                "by": line.by or None,
            }
            for line in lines(outcome)
        ],
        "others": {
            "answered": fared.answered,
            "refused": fared.refused,
            "failed": fared.failed,
            "billed_usd": str(usd(fared.usd)),
        },
    }


def cents(amount: int) -> str:
    """Nano-dollars for a reader in a hurry.

    >>> cents(912_472_500_000)
    '$912.47'
    """
    return f"${Decimal(amount).scaleb(-9).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
