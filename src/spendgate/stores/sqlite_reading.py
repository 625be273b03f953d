"""What reports, exports and the doctor read from an SQLite ledger."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from spendgate.errors import StoreError
from spendgate.ledger import MAX_LAPSE_AFTER, Entry, Event, Sum, Totals
from spendgate.stores import sqlite_rows as rows
from spendgate.stores.checking import check_counters
from spendgate.stores.force import InForce
from spendgate.stores.sqlite_schema import ENTRY_COLUMNS
from spendgate.stores.sqlite_tables import SqliteTables
from spendgate.stores.summing import FIELDS, STATED, known_groups

_ALL = ", ".join((*ENTRY_COLUMNS, "chk"))
_CHUNK = 1000
T = TypeVar("T")
Look = Callable[[Callable[[SqliteTables], list[Entry]]], list[Entry]]


def entry(tables: SqliteTables, hold_id: str) -> Entry | None:
    """One reservation by its id."""
    seq = hold_id.partition("-")[0]
    found = tables.entry(int(seq)) if seq.isascii() and seq.isdigit() and len(seq) < 19 else None
    return found if found is not None and found.id == hold_id else None


def entries(look: Look, since_at: int, until_at: int) -> Iterator[Entry]:
    """Imported entries, then the ledger's own, read a chunk at a time."""
    for table in ("imported", "entries"):
        first = 0

        def chunk(tables: SqliteTables, table: str = table) -> list[Entry]:
            name = "id" if table == "imported" else "''"
            sql = (
                f"SELECT {name}, {_ALL} FROM {table} WHERE seq >= ? AND held_at >= ? AND held_at < ? "
                f"ORDER BY seq LIMIT {_CHUNK}"
            )
            return [tables.read(row[1:], row[0]) for row in tables.run(sql, (first, since_at, until_at)).fetchall()]

        while found := look(chunk):
            yield from found
            first = found[-1].seq + 1


def events(tables: SqliteTables, since_at: int) -> list[Event]:
    """The events from an instant on."""
    found = tables.run("SELECT at, kind, limit_name, scope, data FROM events WHERE at >= ? ORDER BY id", (since_at,))
    return [Event(at, kind, limit, scope, json.loads(data)) for at, kind, limit, scope, data in found]


_STATE = "CASE state " + " ".join(f"WHEN {n} THEN '{state}'" for n, state in enumerate(rows.STATES)) + " END"
_PRICED = (
    f"(SELECT CASE WHEN source = '{STATED}' THEN source WHEN marks LIKE '%unpriced%' THEN 'unpriced' "
    "WHEN exact THEN 'exact' ELSE 'pattern' END FROM pricings WHERE id = pricing)"
)
_BOOKED = {"state": _STATE, "priced": _PRICED}
_ROLLED = {"state": "'settled'", "priced": "'exact'"}
"""Groups that entries are asked for, and what stands for them in daily sums."""


def sums(tables: SqliteTables, by: Sequence[str], since_at: int, until_at: int, every: int) -> list[Sum]:
    """`summing.sum_entries`, done by SQLite."""
    known_groups(by)
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


def work(tables: SqliteTables, since_at: int, until_at: int) -> list[tuple[str, int, int]]:
    """The work done, by service and minute."""
    sql = "SELECT service, minute_at, count FROM work WHERE minute_at >= ? AND minute_at < ? ORDER BY 1, 2"
    return tables.run(sql, (since_at, until_at)).fetchall()


def totals(tables: SqliteTables) -> Totals:
    """Head, running total, latest instant, number of entries."""
    meta = tables.meta()
    count = int(tables.run("SELECT count(*) FROM entries").get)
    return Totals(meta.head, meta.total, meta.latest_at, count)


def check(tables: SqliteTables, force: InForce) -> list[str]:
    """Everything that can be told to be wrong with the file."""
    found = [f"SQLite: {row[0]}" for row in tables.run("PRAGMA integrity_check") if row[0] != "ok"]
    if found:
        return found
    for table in ("entries", "imported"):
        for row in tables.run(f"SELECT {_ALL} FROM {table}"):
            if rows.checksum(row[:-1]) != row[-1]:
                found.append(f"{table}: row {row[0]} is not what was written")
    try:
        meta = tables.meta()
        booked = tables.run("SELECT coalesce(sum(usd), 0) FROM entries").get
        rolled = tables.run("SELECT coalesce(sum(usd), 0) FROM daily").get
        if booked + rolled != meta.total:
            found.append(f"the running total is {meta.total} nano-dollars, the entries sum to {booked + rolled}")
        found.extend(check_counters(tables, force, meta.latest_at))
    except StoreError as fault:
        found.append(str(fault))
    return found
