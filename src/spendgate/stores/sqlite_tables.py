"""The ledger's rows in SQLite, one statement each."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import apsw

from spendgate.admission import Counter
from spendgate.ledger import MAX_LAPSE_AFTER, Actor, Entry, Event, LimitsVersion, Pricing
from spendgate.limits import LimitSet
from spendgate.stores import sqlite_rows as rows
from spendgate.stores.sqlite_schema import ENTRY_COLUMNS
from spendgate.stores.summing import Summing, fold_days
from spendgate.stores.tables import NEVER, Meta

_ALL = ", ".join((*ENTRY_COLUMNS, "chk"))
_CHUNK = 1000
_INSERT = f"INSERT INTO entries ({_ALL}) VALUES ({', '.join('?' * (len(ENTRY_COLUMNS) + 1))})"
_UPDATE = f"UPDATE entries SET {', '.join(f'{name} = ?' for name in (*ENTRY_COLUMNS[1:], 'chk'))} WHERE seq = ?"
_META = "head, total, latest_at, limits_version, next_lapse_at, breakers, lost_until"
_COUNTER = (
    "limit_id, scope, oldest, newest, settled, held, next_at, warned, blocked_at, refused_calls, refused_usd, chk"
)


class SqliteTables:
    """What one transaction reads and writes. `ledger` is the file's random name, set when it was made."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.ledger = ""
        self.written: Meta | None = None
        self._meta: Meta | None = None
        self._numbers: dict[Actor | Pricing, int] = {}
        self._named: dict[tuple[str, int], Actor | Pricing] = {}

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        """Executes one statement."""
        return self.connection.execute(sql, values)

    def begin(self, kind: str = "IMMEDIATE") -> None:
        """Starts a transaction."""
        self._meta = self.written = None
        self.run("BEGIN " + kind)

    def commit(self) -> None:
        """Keeps what the transaction wrote."""
        self.run("COMMIT")

    def rollback(self) -> None:
        """Undoes the transaction, and forgets the numbers that it may have made up."""
        if self.written is not None:
            self._numbers.clear()
            self._named.clear()
        self.written = None
        if self.connection.in_transaction:
            self.run("ROLLBACK")

    def meta(self) -> Meta:
        if self._meta is not None:
            return self._meta
        row = self.run(f"SELECT {_META}, ledger, chk FROM meta WHERE id = 1").fetchone()
        if row is None or rows.checksum(row[:-1]) != row[-1]:
            raise rows.damaged("the first row")
        self.ledger = row[7]
        self._meta = Meta(*row[:7])
        return self._meta

    def put_meta(self, meta: Meta) -> None:
        m = self.written = meta
        row = (
            m.head, m.total, m.latest_at, m.limits_version, m.next_lapse_at, m.breakers, m.lost_until, self.ledger,
        )  # fmt: skip
        self.run(
            "UPDATE meta SET head = ?, total = ?, latest_at = ?, limits_version = ?, next_lapse_at = ?, breakers = ?, "
            "lost_until = ?, ledger = ?, chk = ? WHERE id = 1",
            (*row, rows.checksum(row)),
        )

    def counter(self, limit_id: int, scope: str) -> Counter | None:
        row = self.run(
            f"SELECT {_COUNTER} FROM counters WHERE limit_id = ? AND scope = ?", (limit_id, scope)
        ).fetchone()
        return None if row is None else rows.read_counter(row)

    def put_counter(self, limit_id: int, scope: str, counter: Counter) -> None:
        self.run(
            f"INSERT OR REPLACE INTO counters ({_COUNTER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows.counter_row(limit_id, scope, counter),
        )

    def counters(self, limit_id: int) -> list[tuple[str, Counter]]:
        found = self.run(f"SELECT {_COUNTER} FROM counters WHERE limit_id = ?", (limit_id,))
        return [(row[1], rows.read_counter(row)) for row in found]

    def verify_counters(self) -> None:
        """Reads every counter, so that a damaged one is noticed before the first decision."""
        for row in self.run(f"SELECT {_COUNTER} FROM counters"):
            rows.read_counter(row)

    def count_counters(self, limit_id: int) -> int:
        return int(self.run("SELECT count(*) FROM counters WHERE limit_id = ?", (limit_id,)).get)

    def drop_counters(self, limit_id: int) -> None:
        self.run("DELETE FROM counters WHERE limit_id = ?", (limit_id,))
        self.run("DELETE FROM buckets WHERE limit_id = ?", (limit_id,))

    def reclaim_counters(self, limit_id: int, oldest: int) -> list[tuple[str, Counter]]:
        idle = "SELECT scope FROM counters WHERE limit_id = ? AND held = 0 AND newest < ?"
        told = idle.replace("scope", _COUNTER, 1) + " AND blocked_at != 0"
        found = [(row[1], rows.read_counter(row)) for row in self.run(told, (limit_id, oldest))]
        self.run(f"DELETE FROM buckets WHERE limit_id = ? AND scope IN ({idle})", (limit_id, limit_id, oldest))
        self.run(f"DELETE FROM counters WHERE limit_id = ? AND scope IN ({idle})", (limit_id, limit_id, oldest))
        return found

    def add_bucket(self, limit_id: int, scope: str, bucket: int, parts: int) -> None:
        self.run(
            "INSERT INTO buckets VALUES (?, ?, ?, ?) "
            "ON CONFLICT (limit_id, scope, bucket) DO UPDATE SET parts = parts + excluded.parts",
            (limit_id, scope, bucket, parts),
        )

    def expire_buckets(self, limit_id: int, scope: str, oldest: int) -> int:
        where, key = "limit_id = ? AND scope = ? AND bucket < ?", (limit_id, scope, oldest)
        gone = int(self.run(f"SELECT coalesce(sum(parts), 0) FROM buckets WHERE {where}", key).get)
        self.run(f"DELETE FROM buckets WHERE {where}", key)
        return gone

    def buckets(self, limit_id: int, scope: str) -> list[tuple[int, int]]:
        sql = "SELECT bucket, parts FROM buckets WHERE limit_id = ? AND scope = ? ORDER BY bucket"
        return self.run(sql, (limit_id, scope)).fetchall()

    def entry(self, seq: int) -> Entry | None:
        row = self.run(f"SELECT {_ALL} FROM entries WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else self.read(row)

    def insert(self, entry: Entry) -> None:
        self.run(_INSERT, self._row(entry))

    def update(self, entry: Entry) -> None:
        row = self._row(entry)
        self.run(_UPDATE, (*row[1:], row[0]))

    def due(self, at: int, most: int) -> list[Entry]:
        sql = f"SELECT {_ALL} FROM entries WHERE state = 0 AND lapse_at <= ? ORDER BY lapse_at, seq LIMIT ?"
        return [self.read(row) for row in self.run(sql, (at, most)).fetchall()]

    def next_lapse(self) -> int:
        found = self.run("SELECT min(lapse_at) FROM entries WHERE state = 0").get
        return NEVER if found is None else int(found)

    def weighing(self, since_at: int) -> Iterator[Entry]:
        first = self.first_seq(since_at - MAX_LAPSE_AFTER)
        for row in self.run(
            f"SELECT {_ALL} FROM entries WHERE state = 0 AND seq < ? ORDER BY seq", (first,)
        ).fetchall():
            yield self.read(row)
        yield from self.scan("(state = 0 OR counted_at >= ?)", (since_at,), first)

    def scan(self, where: str, values: tuple[Any, ...], first: int = 0) -> Iterator[Entry]:
        """Entries from a sequence number on, a chunk at a time, so that rows may be written meanwhile."""
        sql = f"SELECT {_ALL} FROM entries WHERE seq >= ? AND {where} ORDER BY seq LIMIT {_CHUNK}"
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
        row = self.run("SELECT used FROM tariffs WHERE name = ? AND period = ?", (name, period)).fetchone()
        return row[0] if row else 0

    def put_tariff_used(self, name: str, period: int, parts: int) -> None:
        self.run("INSERT OR REPLACE INTO tariffs VALUES (?, ?, ?)", (name, period, parts))

    def add_event(self, event: Event) -> None:
        values = (event.at, event.kind, event.limit, event.scope, json.dumps(event.data))
        self.run("INSERT INTO events (at, kind, limit_name, scope, data) VALUES (?, ?, ?, ?, ?)", values)

    def limit_ids(self) -> dict[str, int]:
        return dict(self.run("SELECT key, id FROM limit_ids").fetchall())

    def put_limit_ids(self, ids: dict[str, int]) -> None:
        self.run("DELETE FROM limit_ids")
        self.connection.executemany("INSERT INTO limit_ids VALUES (?, ?)", list(ids.items()))

    def limits_version(self, version: int) -> LimitsVersion | None:
        row = self.run("SELECT * FROM limits_versions WHERE version = ?", (version,)).fetchone()
        return _limits_version(row) if row else None

    def limits_versions(self) -> list[LimitsVersion]:
        return [_limits_version(row) for row in self.run("SELECT * FROM limits_versions ORDER BY version")]

    def add_limits_version(self, version: LimitsVersion) -> None:
        actor = json.dumps(asdict(version.actor))
        values = (version.version, version.at, version.source, actor, version.limits.dumps())
        self.run("INSERT INTO limits_versions VALUES (?, ?, ?, ?, ?)", values)

    def add_work(self, service: str, minute_at: int, count: int) -> None:
        self.run(
            "INSERT INTO work VALUES (?, ?, ?) "
            "ON CONFLICT (service, minute_at) DO UPDATE SET count = count + excluded.count",
            (service, minute_at, count),
        )

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        added = seen = 0
        top = int(self.run("SELECT coalesce(max(seq), 0) FROM imported").get)
        sql = f"INSERT OR IGNORE INTO imported (id, {_ALL}) VALUES (?, {', '.join('?' * (len(ENTRY_COLUMNS) + 1))})"
        for entry in entries:
            seen += 1
            values = (top + added + 1, *self._row(entry)[1:-1])
            self.run(sql, (entry.id, *values, rows.checksum(values)))
            added += self.connection.changes()
        return added, seen - added

    def compact(self, before_at: int) -> int:
        days: dict[tuple[str, ...], Summing] = {}
        old = "state != 0 AND ended_at < ? AND counted_at < ?"
        fold_days(days, self.scan(old, (before_at, before_at)))
        for day in days.values():
            self.run(
                "INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "calls = calls + excluded.calls, usd = usd + excluded.usd, tokens = tokens + excluded.tokens, "
                "list_usd = list_usd + excluded.list_usd, overrun_usd = overrun_usd + excluded.overrun_usd",
                tuple(asdict(day).values()),
            )
        self.run(f"DELETE FROM entries WHERE {old}", (before_at, before_at))
        return self.connection.changes()

    def read(self, row: tuple[Any, ...], entry_id: str = "") -> Entry:
        """An entry from its row."""
        actor, pricing = self._who(row[22]), self._priced(row[23])
        return rows.read_entry(row, actor, pricing, entry_id)

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        actor = self._number("actors", entry.actor, (entry.actor.host, entry.actor.pid, entry.actor.program))
        price = entry.pricing
        return rows.entry_row(entry, actor, self._number("pricings", price, (price.source, price.dated, price.exact)))

    def _number(self, table: str, thing: Actor | Pricing, values: tuple[Any, ...]) -> int:
        found = self._numbers.get(thing)
        if found is None:
            marks = ", ".join("?" * len(values))
            self.run(f"INSERT OR IGNORE INTO {table} VALUES (NULL, {marks})", values)
            columns = "host, pid, program" if table == "actors" else "source, dated, exact"
            found = int(self.run(f"SELECT id FROM {table} WHERE ({columns}) = ({marks})", values).get)
            self._numbers[thing] = found
        return found

    def _who(self, number: int) -> Actor:
        found = self._named.get(("actors", number))
        if found is None:
            row = self.run("SELECT host, pid, program FROM actors WHERE id = ?", (number,)).fetchone()
            found = self._named["actors", number] = Actor(*row) if row else Actor()
        return found  # type: ignore[return-value]

    def _priced(self, number: int) -> Pricing:
        found = self._named.get(("pricings", number))
        if found is None:
            row = self.run("SELECT source, dated, exact FROM pricings WHERE id = ?", (number,)).fetchone()
            found = self._named["pricings", number] = Pricing(row[0], row[1], bool(row[2])) if row else Pricing()
        return found  # type: ignore[return-value]


def _limits_version(row: tuple[Any, ...]) -> LimitsVersion:
    version, at, source, actor, limits = row
    return LimitsVersion(version, at, source, Actor(**json.loads(actor)), LimitSet.loads(limits))
