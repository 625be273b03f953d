"""Counters and their buckets, kept in step: moved on with time, weighed, and built anew from the entries."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from spendgate.admission import Counter, still_told
from spendgate.budgets import TASK_SPAN, drawn
from spendgate.budgets import window as window_of
from spendgate.ledger import Entry
from spendgate.limits import EVERY, OTHER, Limit
from spendgate.reservation import State
from spendgate.stores.force import InForce
from spendgate.stores.tables import Tables
from spendgate.stores.weighing import brought
from spendgate.taskterms import MAX_WITHIN
from spendgate.windows import Rolling, Window


def advance(tables: Tables, limit: Limit, limit_id: int, scope: str, counter: Counter, *, at: int) -> None:
    """Lets the buckets that have left the window go, and writes what that leaves."""
    oldest = limit.window.oldest(at)
    counter.stands_until = limit.window.leaves_at(oldest)
    if oldest <= counter.oldest:
        return
    held_buckets = counter.newest >= counter.oldest and counter.settled
    counter.oldest = oldest
    if held_buckets:
        counter.settled -= tables.expire_buckets(limit_id, scope, oldest)
        tables.put_counter(limit_id, scope, counter)


def add(tables: Tables, limit: Limit, limit_id: int, scope: str, counter: Counter, *, parts: int, at: int) -> None:
    """Books parts in the bucket of an instant, unless that bucket has already left the window."""
    bucket = limit.window.bucket(at)
    if parts == 0 or bucket < counter.oldest:
        return
    counter.settled += parts
    counter.newest = max(counter.newest, bucket)
    tables.add_bucket(limit_id, scope, bucket, parts)


def frees_at(tables: Tables, limit: Limit, limit_id: int, scopes: tuple[str, ...], needed: int) -> int | None:
    """When at least `needed` parts will have left the window; None where settled spending is not enough for that."""
    freed = 0
    for bucket, parts in sorted(row for scope in scopes for row in tables.buckets(limit_id, scope)):
        freed += parts
        if freed >= needed:
            return limit.window.leaves_at(bucket)
    return None


@dataclass(slots=True)
class Tally:
    """What a counter and its buckets must be, from the entries alone."""

    held: int = 0
    buckets: dict[int, int] = field(default_factory=dict)


def tally(entries: Iterable[Entry], force: InForce, at: int) -> dict[tuple[int, str], Tally]:
    """The counters that these entries make at an instant, by limit number and scope."""
    tallies: dict[tuple[int, str], Tally] = {}
    for entry in entries:
        rows = force.applying(entry.call, "lost" in entry.marks)
        for limit, limit_id, own_scope in (*rows, *drawn(entry.call, entry.marks)):
            if not _weighs(entry, limit, at):
                continue
            parts = brought(limit, entry.weight)
            scope = OTHER if limit_id in entry.others else own_scope
            found = tallies.setdefault((limit_id, scope), Tally())
            if entry.state is State.HELD:
                found.held += parts
            else:
                bucket = limit.window.bucket(entry.counted_at)
                found.buckets[bucket] = found.buckets.get(bucket, 0) + parts
    return tallies


def carry_warnings(tables: Tables, before: InForce, after: InForce) -> None:
    """Where the thresholds of a limit have changed, only those that were told before stay told."""
    old = {limit_id: limit for limit, limit_id in before.rows}
    for limit, limit_id in after.rows:
        was = old.get(limit_id, limit)
        if was.thresholds == limit.thresholds:
            continue
        for scope, counter in tables.counters(limit_id):
            if counter.warned:
                counter.warned = still_told(counter.warned, was, limit)
                tables.put_counter(limit_id, scope, counter)


def rebuild(tables: Tables, force: InForce, limit_ids: set[int], at: int, max_scopes: int) -> None:
    """Makes the rows of some limits anew from the entries; warnings and episodes stay as they were."""
    rows = [(limit, limit_id) for limit, limit_id in force.rows if limit_id in limit_ids]
    if not rows:
        return
    kept = {(limit_id, scope): counter for _, limit_id in rows for scope, counter in tables.counters(limit_id)}
    for _, limit_id in rows:
        tables.drop_counters(limit_id)
    entries = tables.weighing(min(limit.window.starts_at(at) for limit, _ in rows))
    own = {limit_id: {scope for other, scope in kept if other == limit_id} - {OTHER, EVERY} for limit_id in limit_ids}
    found = tally(_with_scopes(tables, force, own, entries, max_scopes=max_scopes, at=at), force, at)
    limits = {limit_id: limit for limit, limit_id in rows}
    for (limit_id, scope), sums in found.items():
        if limit_id in limits:
            _write(tables, limits[limit_id].window, limit_id, scope, sums, old=kept.pop((limit_id, scope), None), at=at)
    for (limit_id, scope), counter in kept.items():
        if counter.blocked_at or counter.next_at > at:
            _write(tables, limits[limit_id].window, limit_id, scope, Tally(), old=counter, at=at)


def rebuild_budgets(tables: Tables, force: InForce, at: int) -> None:
    """Makes the rows of all budgets anew from the entries; episodes stay as they were."""
    numbers, longest = tables.budget_numbers(), Rolling(TASK_SPAN if tables.tasks() else MAX_WITHIN)
    kept = {(number, scope): counter for number in numbers for scope, counter in tables.counters(number)}
    for (number, _), counter in kept.items():
        blocked_until = window_of(number).leaves_at(window_of(number).bucket(at))
        counter.next_at = min(counter.next_at, blocked_until)
    for number in numbers:
        tables.drop_counters(number)
    found = tally(tables.weighing(longest.starts_at(at)), force, at)
    for (number, scope), sums in found.items():
        if number < 0:
            _write(tables, window_of(number), number, scope, sums, old=kept.pop((number, scope), None), at=at)
    for (number, scope), counter in kept.items():
        if counter.blocked_at:
            _write(tables, window_of(number), number, scope, Tally(), old=counter, at=at)


def _write(
    tables: Tables, window: Window, limit_id: int, scope: str, sums: Tally, *, old: Counter | None, at: int
) -> None:
    counter = replace(old) if old else Counter(oldest=0)
    counter.oldest, counter.stands_until = window.oldest(at), 0
    counter.newest = max(sums.buckets, default=0)
    counter.settled = sum(sums.buckets.values())
    counter.held = sums.held
    counter.blocked_at = min(counter.blocked_at, at)
    tables.put_counter(limit_id, scope, counter)
    for bucket, parts in sums.buckets.items():
        tables.add_bucket(limit_id, scope, bucket, parts)


def _with_scopes(
    tables: Tables, force: InForce, own: dict[int, set[str]], entries: Iterable[Entry], *, max_scopes: int, at: int
) -> list[Entry]:
    """Decides anew, in order, which entries count among the `other` scopes of the limits being rebuilt.

    `own` has those limits' numbers with the scopes that they keep apart so far; these stay apart.
    """
    decided = []
    for entry in entries:
        others = {i for i in entry.others if i not in own}
        for limit, limit_id, scope in force.applying(entry.call, "lost" in entry.marks):
            if limit_id in own and scope != EVERY and scope not in own[limit_id] and _weighs(entry, limit, at):
                if len(own[limit_id]) < max_scopes or not limit.per:
                    own[limit_id].add(scope)
                else:
                    others.add(limit_id)
        if others != set(entry.others):
            decided.append(replace(entry, others=tuple(sorted(others))))
            tables.update(decided[-1])
        else:
            decided.append(entry)
    return decided


def _weighs(entry: Entry, limit: Limit, at: int) -> bool:
    """Whether an entry counts under a limit at an instant."""
    if brought(limit, entry.weight, entry.state is State.VOIDED) == 0:
        return False
    return entry.state is State.HELD or limit.window.bucket(entry.counted_at) >= limit.window.oldest(at)
