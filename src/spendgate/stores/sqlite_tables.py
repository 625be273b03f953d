# ruff: noqa: S608 - names of tables and columns come from this package, values never do
"""The ledger's rows in SQLite.

What a transaction read or wrote stays in memory for as long as nobody else commits to the file, and counters and
buckets are written together when it ends: a booking of a process that has the ledger to itself reads nothing at all.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from typing import Any

import apsw

from spendgate.admission import Counter
from spendgate.budgets import SENT
from spendgate.ledger import MAX_LAPSE_AFTER, Actor, Entry, Event, LimitsVersion, Pricing
from spendgate.limits import LimitSet
from spendgate.reservation import State
from spendgate.stores import sqlite_rows as rows
from spendgate.stores.sqlite_cache_tables import SqliteCacheTables
from spendgate.stores.sqlite_finding_tables import SqliteFindingTables
from spendgate.stores.sqlite_schema import ENTRY_COLUMNS
from spendgate.stores.sqlite_task_tables import SqliteTaskTables
from spendgate.stores.summing import Summing, fold_days
from spendgate.stores.tables import NEVER, Meta

ALL = ", ".join((*ENTRY_COLUMNS, "chk"))
"""An entry's columns, as `SqliteTables.read` needs them."""
CHUNK = 1000
"""How many rows a transaction reads, imports or compacts at once."""
_REMEMBERED = 4096

_INSERT = f"INSERT INTO entries ({ALL}) VALUES ({', '.join('?' * (len(ENTRY_COLUMNS) + 1))})"
_IMPORT = _INSERT.replace("INTO entries (", "OR IGNORE INTO imported (id, ").replace("VALUES (", "VALUES (?, ")
_UPDATE = (
    f"UPDATE entries SET {', '.join(f'{name} = ?{place}' for place, name in enumerate((*ENTRY_COLUMNS[1:], 'chk'), 2))}"
    " WHERE seq = ?1"
)
_PUT_META = (
    "UPDATE meta SET head = ?2, total = ?3, latest_at = ?4, limits_version = ?5, next_lapse_at = ?6, lost_until = ?7, "
    "breakers = ?8, ledger = ?9, chk = ?10 WHERE id = ?1"
)
_PUT_COUNTER = f"INSERT OR REPLACE INTO counters VALUES ({', '.join('?' * 12)})"
_ADD_BUCKET = (
    "INSERT INTO buckets VALUES (?, ?, ?, ?, ?) ON CONFLICT (limit_id, scope, bucket) "
    "DO UPDATE SET parts = parts + excluded.parts, chk = chk - excluded.parts"
)
_ADD_WORK = (
    "INSERT INTO work VALUES (?, ?, ?, ?) ON CONFLICT (service, minute_at) "
    "DO UPDATE SET count = count + excluded.count, chk = chk - excluded.count"
)
_OLD = "state != 0 AND ended_at < ? AND counted_at < ? AND seq < ?"

Key = tuple[int, str]


class SqliteTables(SqliteTaskTables, SqliteFindingTables, SqliteCacheTables):
    """What one transaction reads and writes. `ledger` is the file's random name, set when it was made."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._writer = connection.cursor()
        """For what every booking writes. It finds nothing; a new cursor each time would take as long as a statement."""
        self.ledger = ""
        self.written: Meta | None = None
        self._version = -1
        self._numbers: dict[Actor | Pricing, int] = {}
        self._actor: tuple[Actor | None, int] = None, 0
        self._pricing: tuple[Pricing | None, int] = None, 0
        self._named: dict[tuple[str, int], Any] = {}
        self._changed: dict[Key, Counter] = {}
        self._added: defaultdict[tuple[int, int, str], int] = defaultdict(int)
        self._forget()

    def _forget(self) -> None:
        """Forgets what somebody else may have changed."""
        self.forget_tasks()
        self.forget_findings()
        self._meta: Meta | None = None
        self._counters: dict[Key, Counter] = {}
        self._entries: dict[int, Entry] = {}

    def begin(self, kind: str = "IMMEDIATE") -> None:
        """Starts a transaction."""
        if self.connection.in_transaction:  # an interrupt kept the last one from being undone
            self.rollback()
        self.written = None
        self._writer.execute("BEGIN " + kind)
        if kind != "IMMEDIATE" or self.connection.data_version() != self._version:
            self._forget()

    def commit(self) -> None:
        """Keeps what the transaction wrote."""
        self._flush()
        self._writer.execute("COMMIT")
        self._version = self.connection.data_version()

    def rollback(self) -> None:
        """Undoes the transaction, and forgets what it may have made up."""
        self._forget()
        self._numbers.clear()
        self._actor = self._pricing = None, 0
        self._named.clear()
        self._changed.clear()
        self._added.clear()
        self.written = None
        if self.connection.in_transaction:
            self.run("ROLLBACK")

    def _flush(self) -> None:
        """Writes the counters and buckets that were changed in memory so far."""
        if self._changed:
            self._writer.executemany(_PUT_COUNTER, rows.counter_rows(self._changed))
            self._changed.clear()
        if self._added:
            self._writer.executemany(_ADD_BUCKET, rows.bucket_rows(self._added))
            self._added.clear()

    def meta(self) -> Meta:
        if self._meta is None:
            row = self.run("SELECT * FROM meta").fetchone()
            _, head, total, latest_at, version, next_lapse_at, lost_until, breakers, self.ledger = rows.opened(
                "meta", row or (0,), "the first row"
            )
            self._meta = Meta(head, total, latest_at, version, next_lapse_at, breakers, lost_until)
        return self._meta

    def put_meta(self, meta: Meta) -> None:
        self._meta = self.written = meta
        self._writer.execute(_PUT_META, rows.meta_row(meta, self.ledger))

    def counter(self, limit_id: int, scope: str) -> Counter | None:
        counter = self._counters.get((limit_id, scope))
        if counter is None:
            row = self.run("SELECT * FROM counters WHERE limit_id = ? AND scope = ?", (limit_id, scope)).fetchone()
            if row is None:
                return None
            counter = self._counters[limit_id, scope] = _named_counter(row)[1]
        return counter

    def put_counter(self, limit_id: int, scope: str, counter: Counter) -> None:
        key = limit_id, scope
        self._counters[key] = self._changed[key] = counter

    def counters(self, limit_id: int) -> list[tuple[str, Counter]]:
        self._flush()
        found = self.run("SELECT * FROM counters WHERE limit_id = ?", (limit_id,)).fetchall()
        return [_named_counter(row) for row in found]

    def verify_counters(self) -> None:
        """Reads every counter, so that a damaged one is noticed before the first decision.

        Raises:
            StoreError: one is damaged, or cannot be found.
        """
        for problem in self.run("PRAGMA integrity_check('counters')"):
            if problem != ("ok",):
                raise rows.damaged(f"the table of counters ({problem[0]})")
        for row in self.run("SELECT * FROM counters WHERE limit_id != ?", (SENT,)):  # those are no money, and many
            _named_counter(row)

    def budget_numbers(self) -> list[int]:
        self._flush()
        return [number for (number,) in self.run("SELECT DISTINCT limit_id FROM counters WHERE limit_id < 0")]

    def count_counters(self, limit_id: int) -> int:
        self._flush()
        return int(self.run("SELECT count(*) FROM counters WHERE limit_id = ?", (limit_id,)).get)

    def drop_counters(self, limit_id: int) -> None:
        self._flush()
        self._counters.clear()
        self.run("DELETE FROM counters WHERE limit_id = ?", (limit_id,))
        self.run("DELETE FROM buckets WHERE limit_id = ?", (limit_id,))

    def reclaim_counters(self, limit_id: int, oldest: int) -> list[tuple[str, Counter]]:
        self._flush()
        self._counters.clear()
        idle, key = "counters WHERE limit_id = ? AND held = 0 AND newest < ?", (limit_id, oldest)
        told = self.run(f"SELECT * FROM {idle} AND blocked_at != 0", key).fetchall()
        self.run(f"DELETE FROM buckets WHERE limit_id = ? AND scope IN (SELECT scope FROM {idle})", (limit_id, *key))
        self.run(f"DELETE FROM {idle}", key)
        return [_named_counter(row) for row in told]

    def add_bucket(self, limit_id: int, scope: str, bucket: int, parts: int) -> None:
        self._added[limit_id, bucket, scope] += parts

    def expire_buckets(self, limit_id: int, scope: str, oldest: int) -> int:
        gone = [(bucket, parts) for bucket, parts in self.buckets(limit_id, scope) if bucket < oldest]
        self.run("DELETE FROM buckets WHERE limit_id = ? AND scope = ? AND bucket < ?", (limit_id, scope, oldest))
        return sum(parts for _, parts in gone)

    def buckets(self, limit_id: int, scope: str) -> list[tuple[int, int]]:
        self._flush()
        sql = "SELECT limit_id, bucket, scope, parts, chk FROM buckets WHERE limit_id = ? AND scope = ? ORDER BY bucket"
        found = self.run(sql, (limit_id, scope)).fetchall()
        if not all(map(rows.intact_sum, found)):
            raise rows.damaged(f"a bucket for scope {scope!r}")
        return [(row[1], row[3]) for row in found]

    def entry(self, seq: int) -> Entry | None:
        found = self._entries.get(seq)
        if found is None:
            row = self.run(f"SELECT {ALL} FROM entries WHERE seq = ?", (seq,)).fetchone()
            found = None if row is None else self.read(row)
        return found

    def insert(self, entry: Entry) -> None:
        self._writer.execute(_INSERT, self._row(entry))
        self._remember(entry)

    def update(self, entry: Entry) -> None:
        self._writer.execute(_UPDATE, self._row(entry))
        self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        if entry.state is not State.HELD:
            self._entries.pop(entry.seq, None)
            return
        if len(self._entries) >= _REMEMBERED:
            self._entries.clear()
        self._entries[entry.seq] = entry

    def due(self, at: int, most: int) -> list[Entry]:
        sql = f"SELECT {ALL} FROM entries WHERE state = 0 AND lapse_at <= ? ORDER BY lapse_at, seq LIMIT ?"
        return [self.read(row) for row in self.run(sql, (at, most)).fetchall()]

    def next_lapse(self) -> int:
        found = self.run("SELECT min(lapse_at) FROM entries WHERE state = 0").get
        return NEVER if found is None else int(found)

    def weighing(self, since_at: int) -> Iterator[Entry]:
        first = self.first_seq(since_at - MAX_LAPSE_AFTER)
        held = f"SELECT {ALL} FROM entries INDEXED BY held_by_lapse WHERE state = 0 AND seq < ? ORDER BY seq"
        for row in self.run(held, (first,)).fetchall():
            yield self.read(row)
        yield from self.scan("(state = 0 OR counted_at >= ?)", (since_at,), first)

    def scan(self, where: str, values: tuple[Any, ...], first: int = 0) -> Iterator[Entry]:
        """Entries from a sequence number on, a chunk at a time, so that rows may be written meanwhile."""
        sql = f"SELECT {ALL} FROM entries WHERE seq >= ? AND {where} ORDER BY seq LIMIT {CHUNK}"
        while chunk := self.run(sql, (first, *values)).fetchall():
            for row in chunk:
                yield self.read(row)
            first = chunk[-1][0] + 1

    def first_seq(self, since_at: int) -> int:
        """The first entry held at or after an instant: `held_at` grows with `seq`, so halving finds it."""
        low = int(self.run("SELECT coalesce(min(seq), 0) FROM entries").get)
        high = int(self.run("SELECT coalesce(max(seq), 0) + 1 FROM entries").get)
        while low < high:
            middle = (low + high) // 2
            sql = "SELECT seq, held_at FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1"
            row = self.run(sql, (middle,)).fetchone()
            if row is None or row[1] >= since_at:
                high = middle
            else:
                low = row[0] + 1
        return low

    def tariff_used(self, name: str, period: int) -> int:
        sql = "SELECT period, used, name, chk FROM tariffs WHERE name = ? AND period = ?"
        row = self.run(sql, (name, period)).fetchone()
        return int(rows.opened("tariffs", row, f"the month's use of {name!r}")[1]) if row else 0

    def put_tariff_used(self, name: str, period: int, parts: int) -> None:
        row = rows.sealed("tariffs", (period, parts, name))
        self.run("INSERT OR REPLACE INTO tariffs (period, used, name, chk) VALUES (?, ?, ?, ?)", row)

    def add_event(self, event: Event) -> None:
        number = int(self.run("SELECT coalesce(max(id), 0) + 1 FROM events").get)
        values = (number, event.at, event.kind, event.limit, event.scope, json.dumps(event.data))
        self.run("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows.sealed("events", values))

    def limit_ids(self) -> dict[str, int]:
        found = self.run("SELECT id, key, chk FROM limit_ids").fetchall()
        return {key: i for i, key in (rows.opened("limit_ids", row, "the numbering of limits") for row in found)}

    def put_limit_ids(self, ids: dict[str, int]) -> None:
        self.run("DELETE FROM limit_ids")
        sealed = [rows.sealed("limit_ids", (number, key)) for key, number in ids.items()]
        self.connection.executemany("INSERT INTO limit_ids (id, key, chk) VALUES (?, ?, ?)", sealed)

    def limits_version(self, version: int) -> LimitsVersion | None:
        row = self.run("SELECT * FROM limits_versions WHERE version = ?", (version,)).fetchone()
        return _limits_version(row) if row else None

    def limits_versions(self) -> list[LimitsVersion]:
        return [_limits_version(row) for row in self.run("SELECT * FROM limits_versions ORDER BY version").fetchall()]

    def add_limits_version(self, version: LimitsVersion) -> None:
        actor = json.dumps(astuple(version.actor))
        values = (version.version, version.at, version.source, actor, version.limits.dumps())
        self.run("INSERT INTO limits_versions VALUES (?, ?, ?, ?, ?, ?)", rows.sealed("limits_versions", values))

    def add_work(self, service: str, minute_at: int, count: int) -> None:
        self.run(_ADD_WORK, (minute_at, service, count, rows.seal_of_sum(minute_at, service) - count))

    def put_begun(self, work: str, hold_id: str, at: int) -> None:
        self.run("INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?)", rows.sealed("begun", (at, work, hold_id)))

    def begun(self, work: str) -> str:
        row = self.run("SELECT * FROM begun WHERE work = ?", (work,)).fetchone()
        return str(rows.opened("begun", row, f"the reservation of {work!r}")[2]) if row else ""

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        added = seen = 0
        top = int(self.run("SELECT coalesce(max(seq), 0) FROM imported").get)
        for entry in entries:
            seen += 1
            row = rows.sealed("imported", (top + added + 1, *self._row(entry)[1:-1]))
            self.run(_IMPORT, (entry.id, *row))
            added += self.connection.changes()
        return added, seen - added

    def compact(self, before_at: int) -> int:
        """Rolls the oldest entries up, no more than a chunk of them: call again until there are none."""
        where = (before_at, before_at, self.first_seq(before_at))
        found = self.run(f"SELECT {ALL} FROM entries WHERE {_OLD} ORDER BY seq LIMIT {CHUNK}", where).fetchall()
        days: dict[tuple[str, ...], Summing] = {}
        fold_days(days, map(self.read, found))
        for day in days.values():
            self._add_day(astuple(day))
        if found:
            self.run(f"DELETE FROM entries WHERE {_OLD} AND seq <= ?", (*where, found[-1][0]))
        self.run("DELETE FROM begun WHERE at < ?", (before_at,))
        return len(found)

    def _add_day(self, day: tuple[Any, ...]) -> None:
        key, sums = day[:5], day[5:]
        where = "(service, provider, resource, task, at) = (?, ?, ?, ?, ?)"
        old = self.run(f"SELECT * FROM daily WHERE {where}", key).fetchone()
        if old:
            before = rows.opened("daily", old, "a daily sum")[1:6]
            sums = tuple(a + b for a, b in zip(before, sums, strict=True))
        self.run(
            f"INSERT OR REPLACE INTO daily VALUES ({', '.join('?' * 11)})",
            rows.sealed("daily", (key[4], *sums, *key[:4])),
        )

    def read(self, row: tuple[Any, ...], entry_id: str = "") -> Entry:
        """An entry from its row."""
        return rows.read_entry(row, self._who(row[13]), self._priced(row[14]), entry_id)

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        """An entry as a row. Most have the actor and the price of the one before, which are known again by identity."""
        actor, price = entry.actor, entry.pricing
        if actor is not self._actor[0]:
            self._actor = actor, self._number("actors", actor, (actor.pid, actor.host, actor.program))
        if price is not self._pricing[0]:
            self._pricing = price, self._number("pricings", price, (int(price.exact), price.source, price.dated))
        return rows.entry_row(entry, self._actor[1], self._pricing[1])

    def _number(self, table: str, thing: Actor | Pricing, values: tuple[Any, ...]) -> int:
        known = self._numbers.get(thing)
        if known is not None:
            return known
        columns = "pid, host, program" if table == "actors" else "exact, source, dated"
        found = self.run(f"SELECT id FROM {table} WHERE ({columns}) = (?, ?, ?)", values).get
        if found is None:
            found = int(self.run(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").get)
            self.run(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows.sealed(table, (found, *values)))
        self._numbers[thing] = number = int(found)
        return number

    def _who(self, number: int) -> Actor:
        if (found := self._named.get(("actors", number))) is None:
            row = self.run("SELECT * FROM actors WHERE id = ?", (number,)).fetchone()
            _, pid, host, program = rows.opened("actors", row or (0,), f"the name of program {number}")
            found = self._named["actors", number] = Actor(host, pid, program)
        return found

    def _priced(self, number: int) -> Pricing:
        if (found := self._named.get(("pricings", number))) is None:
            row = self.run("SELECT * FROM pricings WHERE id = ?", (number,)).fetchone()
            _, exact, source, dated = rows.opened("pricings", row or (0,), f"the source of price {number}")
            found = self._named["pricings", number] = Pricing(source, dated, bool(exact))
        return found


def _named_counter(row: rows.Row) -> tuple[str, Counter]:
    return row[10], rows.read_counter(rows.opened("counters", row, f"the counter for scope {row[10]!r}"))


def _limits_version(row: rows.Row) -> LimitsVersion:
    version, at, source, actor, limits = rows.opened("limits_versions", row, f"version {row[0]} of the limits")
    return LimitsVersion(version, at, source, Actor(*json.loads(actor)), LimitSet.loads(limits))
