"""What the ledger answers, as callers see it: errors, receipts and how limits stand, in dollars and datetimes."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from spendgate.clock import SECOND, moment
from spendgate.errors import BlockedError, SpendLimitError
from spendgate.ledger import Breaker, Refused, Settled, Standing
from spendgate.limits import in_units
from spendgate.money import usd


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a reservation ended: what the call did cost, in dollars, and what had been set aside for it."""

    id: str
    cost: Decimal
    reserved: Decimal
    overrun: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How a limit stands in one scope, in its unit: dollars for `usd`.

    `frees_at` is when the oldest spending leaves the window. `blocked_since` is set while the scope's calls are being
    refused; `refused_calls` and `refused_usd` count what was refused since.
    """

    limit: str
    scope: str
    window: str
    unit: str
    amount: Decimal
    spent: Decimal
    held: Decimal
    headroom: Decimal
    frees_at: datetime | None
    blocked_since: datetime | None
    refused_calls: int
    refused_usd: Decimal


def receipt(settled: Settled) -> Receipt:
    """A settled reservation for its caller."""
    entry = settled.entry
    marks = entry.marks
    return Receipt(entry.id, usd(entry.weight.usd), usd(entry.reserved.usd), "overrun" in marks, "late" in marks)


def status(standing: Standing) -> Status:
    """A standing for its reader."""
    limit = standing.limit
    return Status(
        limit=limit.name,
        scope=standing.scope,
        window=str(limit.window),
        unit=limit.unit,
        amount=in_units(limit.amount, limit.unit),
        spent=in_units(standing.spent, limit.unit),
        held=in_units(standing.held, limit.unit),
        headroom=in_units(standing.headroom, limit.unit),
        frees_at=None if standing.frees_at is None else moment(standing.frees_at),
        blocked_since=moment(standing.blocked_at) if standing.blocked_at else None,
        refused_calls=standing.refused_calls,
        refused_usd=usd(standing.refused_usd),
    )


def limit_error(refused: Refused, remedy: str = "") -> SpendLimitError:
    """A refusal as the error that the caller gets, with what the caller can do about the size of the request."""
    limit = refused.limit
    return SpendLimitError(
        limit=limit.name,
        scope=refused.scope,
        window=str(limit.window),
        unit=limit.unit,
        amount=in_units(limit.amount, limit.unit),
        spent=in_units(refused.spent, limit.unit),
        held=in_units(refused.held, limit.unit),
        requested=in_units(refused.requested, limit.unit),
        frees_at=None if refused.frees_at is None else moment(refused.frees_at),
        retry_after_s=None if refused.retry_after is None else refused.retry_after / SECOND,
        reason=" ".join(part for part in (refused.reason, remedy) if part),
        takes_turns=refused.takes_turns,
    )


def blocked_error(breaker: Breaker) -> BlockedError:
    """A tripped breaker as the error that the caller gets."""
    reset_at = None if breaker.reset_at is None else moment(breaker.reset_at)
    return BlockedError(scope=str(breaker), since=moment(breaker.since_at), reason=breaker.reason, reset_at=reset_at)


def pause(refused: Refused, now_at: int, deadline_at: int) -> int | None:
    """Microseconds to wait before asking again, or None where waiting until the deadline cannot help."""
    if refused.retry_after is None or now_at + refused.retry_after > deadline_at:
        return None
    return max(refused.retry_after, 1)
