"""Whether the rows of a ledger agree with each other: counters with buckets, buckets with entries, sums with totals."""

from collections.abc import Iterator

from spendgate.budgets import TASK_SPAN, of_rows, window
from spendgate.stores.counting import Tally, tally
from spendgate.stores.force import InForce
from spendgate.stores.tables import Tables
from spendgate.windows import Window


def check_counters(tables: Tables, force: InForce, at: int) -> Iterator[str]:
    """What replaying the entries does not give: every counter and bucket must be the sum of its entries."""
    names = {limit_id: f"limit {limit.name!r}" for limit, limit_id in force.rows}
    windows: dict[int, Window] = {limit_id: limit.window for limit, limit_id in force.rows}
    windows |= {number: window(number) for number in tables.budget_numbers()}
    since_at = min((at - TASK_SPAN, *(one.starts_at(at) for one in windows.values())))
    expected = tally(tables.weighing(since_at), force, at)
    for limit_id, counted in windows.items():
        oldest = counted.oldest(at)
        for scope, counter in tables.counters(limit_id):
            name = f"{names.get(limit_id) or of_rows(limit_id, scope, None).name}, scope {scope!r}"
            every = dict(tables.buckets(limit_id, scope))
            live = {bucket: parts for bucket, parts in every.items() if bucket >= oldest and parts}
            want = expected.pop((limit_id, scope), Tally())
            if counter.settled != sum(parts for bucket, parts in every.items() if bucket >= counter.oldest):
                yield f"{name}: the running total is not the sum of its buckets"
            if counter.held != want.held:
                yield f"{name}: {counter.held} are held, the entries say {want.held}"
            if live != {bucket: parts for bucket, parts in want.buckets.items() if parts}:
                yield f"{name}: the buckets are not the sums of their entries"
    for (limit_id, scope), want in expected.items():
        if want.held or any(want.buckets.values()):
            name = names.get(limit_id) or of_rows(limit_id, scope, None).name
            yield f"{name}, scope {scope!r}: the counter is missing"
