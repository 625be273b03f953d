"""How limits stand, as the next decision would see it, without writing anything."""

from dataclasses import dataclass, replace

from spendgate.admission import Counter, blocked
from spendgate.budgets import SENT, Budget, of_rows
from spendgate.ledger import Standing
from spendgate.limits import EVERY, Limit
from spendgate.reservation import State
from spendgate.stores.counting import Tally, tally
from spendgate.stores.drawing import task_named
from spendgate.stores.force import InForce
from spendgate.stores.tables import NEVER, Tables


def standings(tables: Tables, force: InForce, at: int) -> list[Standing]:
    """Every limit in every scope that has spent, held or refused something. What is due to lapse counts as spent.

    After the limits come the budgets of tasks that have not ended, and the requests that are blocked as loops.
    """
    due = tables.due(at, NEVER)
    leaving = tally(due, force, at)
    coming = tally((replace(one, state=State.LAPSED, counted_at=one.lapse_at) for one in due), force, at)
    found = []
    for limit, limit_id in force.rows:
        oldest = limit.window.oldest(at)
        lost = sum(parts for bucket, parts in tables.buckets(limit_id, EVERY) if bucket >= oldest)
        for scope, counter in sorted(tables.counters(limit_id)):
            row = _Row(limit, limit_id, scope, counter, lost if scope != EVERY else 0)
            found.append(_standing(tables, row, leaving, coming, at))
    for number in sorted(tables.budget_numbers(), reverse=True):
        for scope, counter in sorted(tables.counters(number)) if number != SENT else ():
            terms = tables.task(task_named(scope))
            row = _Row(of_rows(number, scope, terms), number, scope, counter, 0)
            if counter.blocked_at or (terms is not None and not terms.ended_at):
                found.append(_standing(tables, row, leaving, coming, at))
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class _Row:
    limit: Limit
    limit_id: int
    scope: str
    counter: Counter
    lost: int


def _standing(
    tables: Tables, row: _Row, leaving: dict[tuple[int, str], Tally], coming: dict[tuple[int, str], Tally], at: int
) -> Standing | None:
    """How one row stands; None where it weighs nothing and refuses nothing."""
    limit, counter, key = row.limit, row.counter, (row.limit_id, row.scope)
    oldest = limit.window.oldest(at)
    rows = [one for one in tables.buckets(*key) if one[0] >= oldest]
    live = [*rows, *coming.get(key, Tally()).buckets.items()]
    spent = sum(parts for _, parts in live) + row.lost
    held = counter.held - leaving.get(key, Tally()).held
    first = min((bucket for bucket, parts in live if parts), default=None)
    frees_at = None if first is None else limit.window.leaves_at(first)
    stands = replace(counter, settled=spent, held=held)
    recent = limit.window.bucket(counter.blocked_at) >= oldest
    refused = (counter.blocked_at, counter.refused_calls, counter.refused_usd)
    loops = isinstance(limit, Budget) and limit.kind == "same"
    is_blocked = at < counter.next_at if loops else blocked(limit, stands, recent=recent)
    refused = refused if is_blocked else (0, 0, 0)
    frees_at = counter.next_at if loops and is_blocked else frees_at
    if any(parts for _, parts in live) or held or refused[0]:
        return Standing(limit, row.scope, spent, held, frees_at, *refused)
    return None
