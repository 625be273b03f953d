# ruff: noqa: S608 - names of tables and columns come from this package, values never do
"""What reports, exports and the doctor read from an SQLite ledger."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import apsw

from spendgate.budgets import RETRY_MARK
from spendgate.errors import StoreError
from spendgate.freshness import DUPLICATE, FRESH, SHOWN, Duplicates, group_duplicates
from spendgate.ledger import MAX_LAPSE_AFTER, Entry, Event, Sum, Totals
from spendgate.policies import FALLBACK_FOR
from spendgate.reservation import State
from spendgate.stores import sqlite_rows as rows
from spendgate.stores.checking import check_counters
from spendgate.stores.force import InForce
from spendgate.stores.sqlite_schema import NUMBERS, SUMS
from spendgate.stores.sqlite_tables import ALL, CHUNK, SqliteTables
from spendgate.stores.summing import FIELDS, GROUPS, STATED
from spendgate.stores.tables import SCANNED, Meta

T = TypeVar("T")


class Look(Protocol):
    """Something that reads on one snapshot of the tables."""

    def __call__(self, work: Callable[[SqliteTables], T], /) -> T: ...


def entry(tables: SqliteTables, hold_id: str) -> Entry | None:
    """One reservation by its id."""
    seq = hold_id.partition("-")[0]
    found = tables.entry(int(seq)) if seq.isascii() and seq.isdigit() and len(seq) < 19 else None
    return found if found is not None and found.id == hold_id else None


def entries(look: Look, since_at: int, until_at: int) -> Iterator[Entry]:
    """Imported entries, then the ledger's own, read a chunk at a time."""
    yield from _chunks(look, "imported", "id", "held_at >= ? AND held_at < ?", (since_at, until_at))
    first = look(lambda tables: tables.first_seq(since_at))
    for found in _chunks(look, "entries", "''", "held_at >= ?", (since_at,), first=first):
        if found.held_at >= until_at:
            return
        yield found


def _chunks(
    look: Look, table: str, name: str, where: str, values: tuple[int, ...], *, first: int = 0
) -> Iterator[Entry]:
    sql = f"SELECT {name}, {ALL} FROM {table} WHERE seq >= ? AND {where} ORDER BY seq LIMIT {CHUNK}"

    def chunk(tables: SqliteTables) -> list[tuple[int, Entry]]:
        return [(row[1], tables.read(row[1:], row[0])) for row in tables.run(sql, (first, *values)).fetchall()]

    while found := look(chunk):
        yield from (entry for _, entry in found)
        first = found[-1][0] + 1


def latest(tables: SqliteTables, kind: tuple[str, str, str], most: int) -> list[Entry]:
    """Calls of one service, provider and resource that were settled or lapsed, among the latest entries."""
    ended = ", ".join(str(rows.STATES.index(state)) for state in (State.SETTLED, State.LAPSED))
    sql = (
        f"SELECT {ALL} FROM entries WHERE seq > (SELECT coalesce(max(seq), 0) FROM entries) - {SCANNED} "
        f"AND service = ? AND provider = ? AND resource = ? AND state IN ({ended}) ORDER BY seq DESC LIMIT ?"
    )
    return [tables.read(row) for row in tables.run(sql, (*kind, most)).fetchall()]


def events(tables: SqliteTables, since_at: int) -> list[Event]:
    """The events from an instant on."""
    sql = "SELECT * FROM events WHERE at >= ? ORDER BY id"
    found = [rows.opened("events", row, f"event {row[0]}") for row in tables.run(sql, (since_at,)).fetchall()]
    return [Event(at, kind, limit, scope, json.loads(data)) for _, at, kind, limit, scope, data in found]


_STATE = "CASE state " + " ".join(f"WHEN {n} THEN '{state}'" for n, state in enumerate(rows.STATES)) + " END"
_PRICED = (
    f"(SELECT CASE WHEN source = '{STATED}' THEN source WHEN marks LIKE '%unpriced%' THEN 'unpriced' "
    "WHEN exact THEN 'exact' ELSE 'pattern' END FROM pricings WHERE id = pricing)"
)
_ATTEMPT = f"iif(',' || marks || ',' LIKE '%,{RETRY_MARK},%', 'retry', 'first')"
_FALLBACK_FOR = (
    f"iif(instr(tags, '\"{FALLBACK_FOR}\"'), coalesce((SELECT json_extract(value, '$[1]') FROM json_each(tags) "
    f"WHERE json_extract(value, '$[0]') = '{FALLBACK_FOR}'), ''), '')"
)
_BOOKED = {"state": _STATE, "priced": _PRICED, "attempt": _ATTEMPT, FALLBACK_FOR: _FALLBACK_FOR}
_ROLLED = {"state": "'settled'", "priced": "'exact'", "attempt": "'first'", FALLBACK_FOR: "''"}
"""Groups that entries are asked for, and what stands for them in daily sums."""


def sums(tables: SqliteTables, by: Sequence[str], since_at: int, until_at: int, every: int) -> list[Sum]:
    """`summing.sum_entries`, done by SQLite."""
    if unknown := set(by) - set(GROUPS):
        raise ValueError(f"sums can be taken by {', '.join(GROUPS)}, not by {', '.join(sorted(unknown))}")
    first = tables.first_seq(since_at - MAX_LAPSE_AFTER) if since_at > 0 else 0
    fields = ", ".join(f"{name}_" if name in _BOOKED else name for name in by)
    over = "CASE WHEN held_usd < usd AND marks LIKE '%overrun%' THEN usd - held_usd ELSE 0 END"
    columns = ", ".join((*FIELDS, "calls", "tokens", "list_usd"))
    extra = "".join(f", {_BOOKED[name]} AS {name}_" for name in by if name in _BOOKED)
    extra_daily = "".join(f", {_ROLLED[name]}" for name in by if name in _BOOKED)
    live = "counted_at >= ?1 AND counted_at < ?2 AND state != 2"
    rows_sql = (
        f"SELECT {columns}, counted_at AS at, usd, iif(state = 0, usd, 0) AS held, {over} AS over, 0 AS past{extra} "
        f"FROM entries WHERE seq >= ?4 AND {live} "
        f"UNION ALL SELECT {columns}, counted_at, usd, 0, {over}, usd{extra} FROM imported WHERE {live} "
        f"UNION ALL SELECT {columns}, at, usd, 0, overrun_usd, 0{extra_daily} FROM daily WHERE at >= ?1 AND at < ?2"
    )
    groups = ", ".join(str(number) for number in range(1, len(by) + 2))
    sql = (
        f"SELECT {fields + ', ' if by else ''}iif(?3 = 0, 0, at - at % max(?3, 1)) AS stretch, sum(calls), sum(usd), "
        f"sum(tokens), sum(held), sum(list_usd), sum(over), sum(past) FROM ({rows_sql}) GROUP BY {groups}"
    )
    found = tables.run(sql, (since_at, until_at, every, first)).fetchall()
    width = len(by)
    return [Sum(tuple(row[:width]), *row[width:]) for row in found]


def duplicates(tables: SqliteTables, since_at: int, until_at: int, top: int) -> list[Duplicates]:
    """`memory_findings.repeated`, done by SQLite, and grouped."""
    first = tables.first_seq(since_at - MAX_LAPSE_AFTER) if since_at > 0 else 0
    place = f"instr(marks, '{FRESH}') + {len(FRESH)}"
    columns = f"service, resource, iif(key != '', key, 'request ' || substr(marks, {place}, {SHOWN})) AS asked, usd"
    again = f"marks LIKE '%{DUPLICATE}%'"
    live = f"counted_at >= ?1 AND counted_at < ?2 AND state != 2 AND marks LIKE '%{FRESH}%'"
    rows_sql = (
        f"SELECT {columns}, {again} AS again FROM entries WHERE seq >= ?3 AND {live} "
        f"UNION ALL SELECT {columns}, {again} FROM imported WHERE {live}"
    )
    sql = (
        f"SELECT service, resource, asked, count(*), sum(again), sum(iif(again, usd, 0)) FROM ({rows_sql}) "
        "GROUP BY 1, 2, 3 HAVING sum(again) > 0"
    )
    return group_duplicates(tables.run(sql, (since_at, until_at, first)), top)


def work(tables: SqliteTables, since_at: int, until_at: int) -> list[tuple[str, int, int]]:
    """The work done, by service and minute."""
    sql = "SELECT service, minute_at, count FROM work WHERE minute_at >= ? AND minute_at < ? ORDER BY 1, 2"
    return list(tables.run(sql, (since_at, until_at)))


def totals(tables: SqliteTables) -> Totals:
    """Head, running total, latest instant, number of entries."""
    meta = tables.meta()
    count = int(tables.run("SELECT count(*) FROM entries").get)
    return Totals(meta.head, meta.total, meta.latest_at, count)


def check(tables: SqliteTables, force: Callable[[Meta], InForce]) -> list[str]:
    """Everything that can be told to be wrong with the file; counters are compared where the rows are sound."""
    try:
        found = [*_structure(tables)] or [*_seals(tables)]
        if not found:
            meta = tables.meta()
            found = [*_totals(tables, meta), *check_counters(tables, force(meta), meta.latest_at)]
    except (StoreError, apsw.Error, ValueError) as fault:
        found = [f"the file cannot be read to its end: {fault}"]
    return found


def _structure(tables: SqliteTables) -> Iterator[str]:
    for (problem,) in tables.run("PRAGMA integrity_check"):
        if problem != "ok":
            yield f"SQLite: {problem}"


def _seals(tables: SqliteTables) -> Iterator[str]:
    for table in NUMBERS:
        columns = ALL if table == "imported" else "*"
        for row in tables.run(f"SELECT {columns} FROM {table}"):
            if not rows.intact(table, row):
                yield f"{table}: the row {row[:2]} is not what was written"
    for table in SUMS:
        for row in tables.run(f"SELECT * FROM {table}"):
            if not rows.intact_sum(row):
                yield f"{table}: the row {row[:3]} is not what was written"


def _totals(tables: SqliteTables, meta: Meta) -> Iterator[str]:
    booked = tables.run("SELECT coalesce(sum(usd), 0) FROM entries").get
    rolled = tables.run("SELECT coalesce(sum(usd), 0) FROM daily").get
    if booked + rolled != meta.total:
        yield f"the running total is {meta.total} nano-dollars, the entries sum to {booked + rolled}"
    last = tables.run("SELECT coalesce(max(rev), 0) FROM entries").get
    if last > meta.head:
        yield f"the ledger counts {meta.head} writes, an entry was written as number {last}"
