"""Answers that are paid for again: which calls these are, and when there are so many that somebody should know.

A call is judged when it is settled, in the transaction that books it: only what was paid for is a duplicate, and calls
that say nothing about freshness read and write nothing here. For each service and resource a streak counts, much as
a bucket with a leak: a duplicate adds to it, any other call takes away.
"""

from dataclasses import replace

from spendgate.clock import HOUR
from spendgate.findings import Finding
from spendgate.freshness import DUPLICATE, read_mark
from spendgate.ledger import Entry, Weight
from spendgate.stores.findings import begin, end, remember
from spendgate.stores.tables import Meta, Streak, Tables
from spendgate.stores.telling import Telling

LEAST = 20
"""A finding needs at least so many duplicates."""
PER_DUPLICATE = 9
"""As many other calls make up for one duplicate: below a tenth, duplicates are no finding."""
FULL = LEAST * PER_DUPLICATE
"""A streak of so many points is a finding; it ends when the streak is empty."""
QUIET = 6 * HOUR
"""Without a duplicate for so long, a streak is over."""


def marked(
    telling: Telling, meta: Meta, entry: Entry, weight: Weight, marks: frozenset[str], *, version: str = ""
) -> frozenset[str]:
    """The marks of a call that is settled, and `duplicate` where its answer had been paid for.

    A finding that begins with it names the version of the program that settles it.
    """
    fresh = read_mark(marks)
    if fresh is None:
        return marks
    digest, span = fresh
    seen = telling.tables.seen(digest)
    remember(telling.tables, digest, span, at=telling.at, is_new=seen is None)
    is_duplicate = seen is not None and entry.held_at < seen[0] + span
    _count(telling, meta, entry, weight.usd if is_duplicate else None, version)
    return marks | {DUPLICATE} if is_duplicate else marks


def _count(telling: Telling, meta: Meta, entry: Entry, duplicate_usd: int | None, version: str) -> None:
    """Adds a call to the streak of its service and resource; `duplicate_usd` is None for one that is no duplicate."""
    tables, call = telling.tables, entry.call
    streak = tables.streak(call.service, call.resource)
    if streak is not None and telling.at >= streak.last_at + QUIET:
        _over(telling, streak, streak.last_at + QUIET)
        streak = None
    if duplicate_usd is None:
        if streak is not None:
            left = replace(streak, points=streak.points - 1, calls=streak.calls + 1)
            if left.points > 0:
                tables.put_streak(left)
            else:
                _over(telling, left, telling.at)
        return
    streak = streak or Streak(call.service, call.resource)
    streak = replace(
        streak,
        points=min(streak.points + PER_DUPLICATE, FULL),
        calls=streak.calls + 1,
        duplicates=streak.duplicates + 1,
        usd=streak.usd + duplicate_usd,
        last_at=telling.at,
    )
    if not streak.finding and streak.points >= FULL:
        begun = _brought(Finding("duplicates", call.resource, call.service, version), streak)
        streak = replace(streak, finding=begin(telling, meta, begun).id)
    tables.put_streak(streak)


def up_to_date(tables: Tables, finding: Finding) -> Finding:
    """The finding as it is now: while duplicates go on, their streak alone is written."""
    if finding.kind != "duplicates" or not finding.is_running:
        return finding
    streak = tables.streak(finding.service, finding.subject)
    return _brought(finding, streak) if streak is not None and streak.finding == finding.id else finding


def _brought(finding: Finding, streak: Streak) -> Finding:
    """The finding with what its streak counts by now."""
    counts = {"calls": streak.calls, "duplicates": streak.duplicates, "last_at": streak.last_at}
    return replace(finding, text=_text(streak), usd=streak.usd).saying(counts)


def _text(streak: Streak) -> str:
    who = streak.service or "calls of no service"
    return (
        f"{streak.duplicates:,} of {streak.calls:,} calls of {streak.resource} by {who} asked again for an answer that "
        "was paid for and still fresh"
    )


def _over(telling: Telling, streak: Streak, ended_at: int) -> None:
    """The duplicates have stopped: their finding, if there was one, ends."""
    telling.tables.drop_streak(streak.service, streak.resource)
    finding = telling.tables.finding(streak.finding) if streak.finding else None
    if finding is not None and finding.is_running:
        end(telling, _brought(finding, streak), ended_at)


def reclaim(telling: Telling) -> None:
    """Ends the streaks that have been quiet for long, and forgets what is no longer remembered."""
    for streak in telling.tables.streaks():
        if telling.at >= streak.last_at + QUIET:
            _over(telling, streak, streak.last_at + QUIET)
