"""The ledger in memory: the reference that other stores are held against, and a quick one for tests."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from spendgate.admission import Counter
from spendgate.cacheminutes import CacheMinute, by_day
from spendgate.freshness import Duplicates, group_duplicates
from spendgate.ledger import MAX_LAPSE_AFTER, Actor, Entry, Event, LimitsVersion, Sum, Totals
from spendgate.limits import MAX_SCOPES
from spendgate.reservation import State
from spendgate.stores.checking import check_counters
from spendgate.stores.keeping import LedgerStore, find
from spendgate.stores.memory_findings import MemoryFindingTables, repeated
from spendgate.stores.summing import Summing, fold_days, sum_entries
from spendgate.stores.tables import NEVER, SCANNED, Meta, Tables
from spendgate.taskterms import Escalation, TaskTerms

T = TypeVar("T")


class MemoryTables(MemoryFindingTables):
    """Rows in dictionaries. Not atomic by itself: the decisions write only after nothing can fail any more."""

    def __init__(self) -> None:
        super().__init__()
        self._meta = Meta()
        self._counters: dict[int, dict[str, Counter]] = {}
        self._buckets: dict[tuple[int, str], dict[int, int]] = {}
        self._tariffs: dict[tuple[str, int], int] = {}
        self._ids: dict[str, int] = {}
        self._versions: list[LimitsVersion] = []
        self.held: dict[int, Entry] = {}
        self.entries: dict[int, Entry] = {}
        self.imported: dict[str, Entry] = {}
        self.daily: dict[tuple[str, ...], Summing] = {}
        self.events: list[Event] = []
        self.work: dict[tuple[str, int], int] = {}
        self.begun_works: dict[str, str] = {}
        self._tasks: dict[str, TaskTerms] = {}
        self._escalations: dict[int, Escalation] = {}
        self._cache_minutes: dict[tuple[int, str, str, str], CacheMinute] = {}
        self._cache_pasts: dict[tuple[str, str], tuple[int, str]] = {}

    def meta(self) -> Meta:
        return replace(self._meta)

    def put_meta(self, meta: Meta) -> None:
        self._meta = meta

    def counter(self, limit_id: int, scope: str) -> Counter | None:
        found = self._counters.get(limit_id, {}).get(scope)
        return replace(found) if found else None

    def put_counter(self, limit_id: int, scope: str, counter: Counter) -> None:
        self._counters.setdefault(limit_id, {})[scope] = replace(counter)

    def counters(self, limit_id: int) -> list[tuple[str, Counter]]:
        return [(scope, replace(counter)) for scope, counter in self._counters.get(limit_id, {}).items()]

    def count_counters(self, limit_id: int) -> int:
        return len(self._counters.get(limit_id, {}))

    def drop_counters(self, limit_id: int) -> None:
        for scope in self._counters.pop(limit_id, {}):
            self._buckets.pop((limit_id, scope), None)

    def reclaim_counters(self, limit_id: int, oldest: int) -> list[tuple[str, Counter]]:
        scopes = self._counters.get(limit_id, {})
        idle = [(scope, counter) for scope, counter in scopes.items() if not counter.held and counter.newest < oldest]
        for scope, _ in idle:
            del scopes[scope]
            self._buckets.pop((limit_id, scope), None)
        return [(scope, counter) for scope, counter in idle if counter.blocked_at]

    def add_bucket(self, limit_id: int, scope: str, bucket: int, parts: int) -> None:
        buckets = self._buckets.setdefault((limit_id, scope), {})
        buckets[bucket] = buckets.get(bucket, 0) + parts

    def expire_buckets(self, limit_id: int, scope: str, oldest: int) -> int:
        buckets = self._buckets.get((limit_id, scope), {})
        return sum(buckets.pop(bucket) for bucket in [one for one in buckets if one < oldest])

    def buckets(self, limit_id: int, scope: str) -> list[tuple[int, int]]:
        return sorted(self._buckets.get((limit_id, scope), {}).items())

    def budget_numbers(self) -> list[int]:
        return [number for number, scopes in self._counters.items() if number < 0 and scopes]

    def task(self, task_id: str) -> TaskTerms | None:
        return self._tasks.get(task_id)

    def put_task(self, terms: TaskTerms) -> None:
        self._tasks[terms.id] = terms

    def drop_task(self, task_id: str) -> None:
        del self._tasks[task_id]

    def tasks(self) -> list[TaskTerms]:
        return list(self._tasks.values())

    def put_escalation(self, escalation: Escalation) -> None:
        self._escalations[escalation.id] = escalation

    def escalations(self) -> list[Escalation]:
        return list(self._escalations.values())

    def cache_minute(self, like: CacheMinute) -> CacheMinute | None:
        return self._cache_minutes.get(like.key)

    def put_cache_minute(self, minute: CacheMinute) -> None:
        self._cache_minutes[minute.key] = minute

    def cache_minutes(self, since_at: int, until_at: int, cache: str) -> list[CacheMinute]:
        found = [one for _, one in sorted(self._cache_minutes.items()) if since_at <= one.minute_at < until_at]
        return [one for one in found if cache in ("", one.cache)]

    def fold_cache_minutes(self, before_at: int) -> None:
        minutes = [self._cache_minutes.pop(one.key) for one in self.cache_minutes(0, before_at, "")]
        self._cache_minutes |= {day.key: day for day in by_day(minutes)}

    def cache_past(self, cache: str, service: str) -> tuple[int, str]:
        return self._cache_pasts.get((cache, service), (0, ""))

    def put_cache_past(self, cache: str, service: str, judged_at: int, past: str) -> None:
        self._cache_pasts[cache, service] = judged_at, past

    def entry(self, seq: int) -> Entry | None:
        return self.entries.get(seq)

    def insert(self, entry: Entry) -> None:
        self.entries[entry.seq] = entry
        self.held[entry.seq] = entry

    def update(self, entry: Entry) -> None:
        self.entries[entry.seq] = entry
        self.held.pop(entry.seq, None)
        if entry.state is State.HELD:
            self.held[entry.seq] = entry

    def due(self, at: int, most: int) -> list[Entry]:
        due = [entry for entry in self.held.values() if entry.lapse_at <= at]
        return sorted(due, key=lambda entry: (entry.lapse_at, entry.seq))[:most]

    def next_lapse(self) -> int:
        return min((entry.lapse_at for entry in self.held.values()), default=NEVER)

    def weighing(self, since_at: int) -> Iterator[Entry]:
        floor_at = since_at - MAX_LAPSE_AFTER
        for entry in list(self.entries.values()):
            if entry.state is State.HELD or (entry.held_at >= floor_at and entry.counted_at >= since_at):
                yield entry

    def tariff_used(self, name: str, period: int) -> int:
        return self._tariffs.get((name, period), 0)

    def put_tariff_used(self, name: str, period: int, parts: int) -> None:
        self._tariffs[name, period] = parts

    def add_event(self, event: Event) -> None:
        self.events.append(event)

    def limit_ids(self) -> dict[str, int]:
        return dict(self._ids)

    def put_limit_ids(self, ids: dict[str, int]) -> None:
        self._ids = dict(ids)

    def limits_version(self, version: int) -> LimitsVersion | None:
        return next((one for one in self._versions if one.version == version), None)

    def limits_versions(self) -> list[LimitsVersion]:
        return list(self._versions)

    def add_limits_version(self, version: LimitsVersion) -> None:
        self._versions.append(version)

    def add_work(self, service: str, minute_at: int, count: int) -> None:
        self.work[service, minute_at] = self.work.get((service, minute_at), 0) + count

    def put_begun(self, work: str, hold_id: str, at: int) -> None:  # noqa: ARG002 - when, only files forget
        self.begun_works[work] = hold_id

    def begun(self, work: str) -> str:
        return self.begun_works.get(work, "")

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        added = known = 0
        for entry in entries:
            if entry.id in self.imported:
                known += 1
            else:
                self.imported[entry.id] = entry
                added += 1
        return added, known

    def compact(self, before_at: int) -> int:
        old = [e for e in self.entries.values() if e.state is not State.HELD and e.ended_at < before_at]
        old = [entry for entry in old if entry.counted_at < before_at]
        fold_days(self.daily, old)
        for entry in old:
            del self.entries[entry.seq]
        return len(old)


class MemoryStore(LedgerStore):
    """A ledger that is forgotten with the process. Threads may share it.

    >>> from spendgate.call import Call
    >>> from spendgate.ledger import HoldRequest, Weight
    >>> store = MemoryStore()
    >>> store.hold(HoldRequest(Call(service="research"), Weight(usd=5, calls=1)), now_at=0).weight.usd
    5
    """

    def __init__(self, max_scopes: int = MAX_SCOPES) -> None:
        super().__init__(max_scopes)
        self._tables = MemoryTables()
        self._mutex = threading.RLock()

    def _write(self, work: Callable[[Tables], T]) -> T:
        with self._mutex:
            return work(self._tables)

    def _read(self, work: Callable[[Tables], T]) -> T:
        with self._mutex:
            return work(self._tables)

    def fault(self) -> str:
        """Never: what is in memory cannot lose its tail."""
        return ""

    def accept_loss(self, usd: int | None, note: str, actor: Actor, now_at: int) -> int:
        """Charges `usd` to every limit in dollars; nothing is ever known to be missing here."""
        self.charge_lost(usd or 0, note, actor, now_at)
        return usd or 0

    def entry(self, hold_id: str) -> Entry | None:
        """One reservation, or None."""
        return self._read(lambda tables: find(tables, hold_id))

    def entries(self, since_at: int = 0, until_at: int = NEVER) -> Iterator[Entry]:
        """The entries held or imported in a stretch of time, imported ones first."""
        found = self._read(lambda _: [*self._tables.imported.values(), *self._tables.entries.values()])
        return (entry for entry in found if since_at <= entry.held_at < until_at)

    def latest(self, service: str, provider: str, resource: str, most: int) -> list[Entry]:
        """Calls of one kind that were settled or lapsed, the latest first."""
        kind, ended = (service, provider, resource), (State.SETTLED, State.LAPSED)

        def look(_: Tables) -> list[Entry]:
            found = islice(reversed(self._tables.entries.values()), SCANNED)
            same = (e for e in found if (e.call.service, e.call.provider, e.call.resource) == kind and e.state in ended)
            return list(islice(same, most))

        return self._read(look)

    def events(self, since_at: int = 0) -> Iterator[Event]:
        """The events, oldest first."""
        return iter(self._read(lambda _: [event for event in self._tables.events if event.at >= since_at]))

    def duplicates(self, since_at: int, until_at: int, top: int = 10) -> list[Duplicates]:
        """What was paid for again in a stretch of time, by service and resource, the dearest first."""

        def look(_: Tables) -> list[Duplicates]:
            entries = [*self._tables.entries.values(), *self._tables.imported.values()]
            return group_duplicates(repeated(entries, since_at, until_at), top)

        return self._read(look)

    def sums(self, by: Sequence[str], since_at: int, until_at: int, every: int = 0) -> Iterator[Sum]:
        """Entries summed by fields and, with `every`, by stretches of that many microseconds."""

        def look(_: Tables) -> list[Sum]:
            entries = [*self._tables.entries.values(), *self._tables.imported.values()]
            return sum_entries(entries, self._tables.daily.values(), by, since_at, until_at, every=every)

        return iter(self._read(look))

    def work(self, since_at: int, until_at: int) -> list[tuple[str, int, int]]:
        """(service, minute as an instant, count) of the work done."""
        rows = self._read(lambda _: [(service, at, count) for (service, at), count in self._tables.work.items()])
        return sorted(row for row in rows if since_at <= row[1] < until_at)

    def totals(self) -> Totals:
        """Head, running total, latest instant and number of entries."""

        def look(tables: Tables) -> Totals:
            meta = tables.meta()
            return Totals(meta.head, meta.total, meta.latest_at, len(self._tables.entries))

        return self._read(look)

    def check(self) -> list[str]:
        """What is wrong with the ledger, in words. Empty where all is well."""

        def look(tables: Tables) -> list[str]:
            meta = tables.meta()
            found = list(check_counters(tables, self._in_force(tables, meta), meta.latest_at))
            booked = sum(e.weight.usd for e in self._tables.entries.values())
            if booked + sum(day.usd for day in self._tables.daily.values()) != meta.total:
                found.append("the running total is not the sum of the entries")
            return found

        return self._read(look)

    def close(self) -> None:
        """Nothing to let go of."""
