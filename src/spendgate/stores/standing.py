"""How limits stand, as the next decision would see it, without writing anything."""

from dataclasses import replace

from spendgate.admission import blocked
from spendgate.ledger import Standing
from spendgate.limits import EVERY
from spendgate.reservation import State
from spendgate.stores.counting import Tally, tally
from spendgate.stores.force import InForce
from spendgate.stores.tables import NEVER, Tables


def standings(tables: Tables, force: InForce, at: int) -> list[Standing]:
    """Every limit in every scope that has spent, held or refused something. What is due to lapse counts as spent."""
    due = tables.due(at, NEVER)
    leaving = tally(due, force, at)
    coming = tally((replace(one, state=State.LAPSED, counted_at=one.lapse_at) for one in due), force, at)
    found = []
    for limit, limit_id in force.rows:
        oldest = limit.window.oldest(at)
        lost = sum(parts for bucket, parts in tables.buckets(limit_id, EVERY) if bucket >= oldest)
        for scope, counter in sorted(tables.counters(limit_id)):
            rows = [row for row in tables.buckets(limit_id, scope) if row[0] >= oldest]
            live = [*rows, *coming.get((limit_id, scope), Tally()).buckets.items()]
            spent = sum(parts for _, parts in live) + (lost if scope != EVERY else 0)
            held = counter.held - leaving.get((limit_id, scope), Tally()).held
            first = min((bucket for bucket, parts in live if parts), default=None)
            frees_at = None if first is None else limit.window.leaves_at(first)
            stands = replace(counter, settled=spent, held=held)
            recent = limit.window.bucket(counter.blocked_at) >= oldest
            refused = (counter.blocked_at, counter.refused_calls, counter.refused_usd)
            refused = refused if blocked(limit, stands, recent=recent) else (0, 0, 0)
            if any(parts for _, parts in live) or held or refused[0]:
                found.append(Standing(limit, scope, spent, held, frees_at, *refused))
    return found
