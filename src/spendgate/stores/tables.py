"""The rows that a store keeps, read and written inside one transaction.

The decisions in `posting` know only this protocol, so that a ledger in memory, in SQLite or elsewhere books alike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from spendgate.admission import Counter
from spendgate.cacheminutes import CacheMinute
from spendgate.findings import Finding
from spendgate.ledger import Entry, Event, LimitsVersion
from spendgate.taskterms import Escalation, TaskTerms

NEVER = 1 << 62
"""An instant after all others."""


@dataclass(slots=True)
class Meta:
    """The ledger's one row about itself.

    `head` counts writes; `total` is the running total in nano-dollars; `latest_at` the latest instant seen;
    `next_lapse_at` no later than the first lapse due; `breakers` the tripped breakers as JSON, or empty; `lost_until`
    the instant up to which a charge for lost entries weighs on every scope.
    """

    head: int = 0
    total: int = 0
    latest_at: int = 0
    limits_version: int = 0
    next_lapse_at: int = NEVER
    breakers: str = ""
    lost_until: int = 0


@dataclass(frozen=True, slots=True)
class Streak:
    """How much is paid for again of one resource by one service, since the streak began (see `stores.repeats`).

    `points` say how near it is to being a finding; `calls` and `duplicates` count since the first duplicate, `usd` is
    what the duplicates cost, `last_at` the latest of them, `finding` the number of the finding, 0 for none.
    """

    service: str
    resource: str
    points: int = 0
    calls: int = 0
    duplicates: int = 0
    usd: int = 0
    last_at: int = 0
    finding: int = 0


def redated(entry: Entry, now_at: int) -> Entry:
    """The entry with no instant after `now_at` but its lapse, which stays as far from the hold as it was."""
    held_at = min(entry.held_at, now_at)
    return replace(
        entry,
        held_at=held_at,
        lapse_at=min(entry.lapse_at, held_at + entry.lapse_at - entry.held_at),
        counted_at=min(entry.counted_at, now_at),
        ended_at=min(entry.ended_at, now_at),
    )


class Tables(Protocol):
    """What a transaction can read and write. A limit's rows go by its number, `limit_id`."""

    def meta(self) -> Meta: ...
    def put_meta(self, meta: Meta) -> None: ...

    def counter(self, limit_id: int, scope: str) -> Counter | None: ...
    def put_counter(self, limit_id: int, scope: str, counter: Counter) -> None: ...
    def counters(self, limit_id: int) -> list[tuple[str, Counter]]: ...
    def count_counters(self, limit_id: int) -> int: ...
    def drop_counters(self, limit_id: int) -> None: ...
    def reclaim_counters(self, limit_id: int, oldest: int) -> list[tuple[str, Counter]]:
        """Forgets the scopes that weigh nothing: nothing held, no bucket from `oldest` on. Those with an episode."""

    def add_bucket(self, limit_id: int, scope: str, bucket: int, parts: int) -> None: ...
    def expire_buckets(self, limit_id: int, scope: str, oldest: int) -> int:
        """Deletes the buckets before `oldest`; what they summed to."""

    def buckets(self, limit_id: int, scope: str) -> list[tuple[int, int]]: ...

    def budget_numbers(self) -> list[int]:
        """The numbers below 0 that have rows (see `spendgate.budgets`)."""

    def entry(self, seq: int) -> Entry | None: ...
    def insert(self, entry: Entry) -> None: ...
    def update(self, entry: Entry) -> None: ...
    def due(self, at: int, most: int) -> list[Entry]:
        """Held entries whose lapse has come, earliest first."""

    def next_lapse(self) -> int:
        """The earliest lapse among the held entries, or `NEVER`."""

    def weighing(self, since_at: int) -> Iterator[Entry]:
        """Every entry that is held, or whose `counted_at` may be at or after an instant, in order."""

    def tariff_used(self, name: str, period: int) -> int: ...
    def put_tariff_used(self, name: str, period: int, parts: int) -> None: ...

    def add_event(self, event: Event) -> None: ...

    def limit_ids(self) -> dict[str, int]:
        """The numbers of the limits that have rows, by their key."""

    def put_limit_ids(self, ids: dict[str, int]) -> None: ...
    def limits_version(self, version: int) -> LimitsVersion | None: ...
    def limits_versions(self) -> list[LimitsVersion]: ...
    def add_limits_version(self, version: LimitsVersion) -> None: ...

    def task(self, task_id: str) -> TaskTerms | None: ...
    def put_task(self, terms: TaskTerms) -> None: ...
    def drop_task(self, task_id: str) -> None: ...
    def tasks(self) -> list[TaskTerms]: ...
    def put_escalation(self, escalation: Escalation) -> None: ...
    def escalations(self) -> list[Escalation]:
        """All of them, oldest first."""

    def cache_minute(self, like: CacheMinute) -> CacheMinute | None:
        """The minute with the same key, or None."""

    def put_cache_minute(self, minute: CacheMinute) -> None: ...
    def cache_minutes(self, since_at: int, until_at: int, cache: str) -> list[CacheMinute]:
        """In the order of their keys; of all caches where none is named."""

    def fold_cache_minutes(self, before_at: int) -> None:
        """Sums the minutes before an instant to days."""

    def cache_past(self, cache: str, service: str) -> tuple[int, str]: ...
    def put_cache_past(self, cache: str, service: str, judged_at: int, past: str) -> None: ...

    def seen(self, digest: str) -> tuple[int, int] | None:
        """When something happened, and until when that is remembered; None where it is not known to have happened."""

    def put_seen(self, digest: str, at: int, until_at: int) -> None: ...
    def forget_seen(self, digest: str, at: int, most: int) -> None:
        """Looks at up to `most` digests, such as those after this one, and forgets whose time was up at an instant."""

    def redate_seen(self, now_at: int) -> None:
        """Dates what happened after `now_at` at `now_at`; it is remembered for as long as it was."""

    def streak(self, service: str, resource: str) -> Streak | None: ...
    def put_streak(self, streak: Streak) -> None: ...
    def drop_streak(self, service: str, resource: str) -> None: ...
    def streaks(self) -> list[Streak]: ...

    def finding(self, finding_id: int) -> Finding | None: ...
    def running_finding(self, kind: str, subject: str, service: str) -> Finding | None: ...
    def put_finding(self, finding: Finding) -> None: ...
    def findings(self, since_at: int) -> list[Finding]:
        """Those that run, and those that ended at or after an instant."""

    def drop_findings(self, before_at: int) -> None:
        """Forgets those that ended before an instant."""

    def add_work(self, service: str, minute_at: int, count: int) -> None: ...
    def put_begun(self, work: str, hold_id: str, at: int) -> None: ...
    def begun(self, work: str) -> str: ...
    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]: ...
    def compact(self, before_at: int) -> int: ...
