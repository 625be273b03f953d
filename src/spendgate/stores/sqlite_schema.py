"""The tables of a ledger file, version by version. `PRAGMA user_version` says which one a file has.

Every row ends in `chk`, a checksum over its other columns (see `sqlite_rows`); whole numbers come before texts.
"""

APPLICATION_ID = 0x53504754
"""Marks a file as a spendgate ledger: "SPGT"."""

ENTRY_COLUMNS = (
    "seq", "state", "attempt", "held_at", "lapse_at", "counted_at", "ended_at",
    "held_usd", "held_calls", "held_tokens", "usd", "calls", "tokens",
    "actor", "pricing", "tariff_units", "tariff_position", "list_usd", "rev", "total",
    "nonce", "service", "provider", "resource", "task", "key", "tags",
    "held_units", "units", "tariff", "usage", "marks", "others",
)  # fmt: skip
"""An entry's columns, but for its checksum."""
ENTRY_NUMBERS = 20
"""How many of them are numbers; the others are texts."""

_ENTRIES = ", ".join(
    ["seq INTEGER PRIMARY KEY"]
    + [f"{name} INTEGER NOT NULL" for name in ENTRY_COLUMNS[1:ENTRY_NUMBERS]]
    + [f"{name} TEXT NOT NULL" for name in ENTRY_COLUMNS[ENTRY_NUMBERS:]]
    + ["chk INTEGER NOT NULL"]
)

_LEDGER = f"""
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), head INTEGER NOT NULL, total INTEGER NOT NULL, latest_at INTEGER NOT NULL,
    limits_version INTEGER NOT NULL, next_lapse_at INTEGER NOT NULL, lost_until INTEGER NOT NULL,
    breakers TEXT NOT NULL, ledger TEXT NOT NULL, chk INTEGER NOT NULL
);
CREATE TABLE counters (
    limit_id INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL, settled INTEGER NOT NULL,
    held INTEGER NOT NULL, next_at INTEGER NOT NULL, warned INTEGER NOT NULL, blocked_at INTEGER NOT NULL,
    refused_calls INTEGER NOT NULL, refused_usd INTEGER NOT NULL, scope TEXT NOT NULL, chk INTEGER NOT NULL,
    PRIMARY KEY (limit_id, scope)
) WITHOUT ROWID;
CREATE TABLE buckets (
    limit_id INTEGER NOT NULL, bucket INTEGER NOT NULL, scope TEXT NOT NULL, parts INTEGER NOT NULL,
    chk INTEGER NOT NULL, PRIMARY KEY (limit_id, scope, bucket)
) WITHOUT ROWID;
CREATE TABLE entries ({_ENTRIES});
CREATE INDEX held_by_lapse ON entries (lapse_at) WHERE state = 0;
CREATE TABLE actors (
    id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, host TEXT NOT NULL, program TEXT NOT NULL, chk INTEGER NOT NULL,
    UNIQUE (host, pid, program)
);
CREATE TABLE pricings (
    id INTEGER PRIMARY KEY, exact INTEGER NOT NULL, source TEXT NOT NULL, dated TEXT NOT NULL, chk INTEGER NOT NULL,
    UNIQUE (source, dated, exact)
);
CREATE TABLE tariffs (
    period INTEGER NOT NULL, used INTEGER NOT NULL, name TEXT NOT NULL, chk INTEGER NOT NULL, PRIMARY KEY (name, period)
) WITHOUT ROWID;
CREATE TABLE limit_ids (id INTEGER NOT NULL UNIQUE, key TEXT PRIMARY KEY, chk INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE limits_versions (
    version INTEGER PRIMARY KEY, at INTEGER NOT NULL, source TEXT NOT NULL, actor TEXT NOT NULL, limits TEXT NOT NULL,
    chk INTEGER NOT NULL
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, limit_name TEXT NOT NULL, scope TEXT NOT NULL,
    data TEXT NOT NULL, chk INTEGER NOT NULL
);
CREATE INDEX events_by_time ON events (at);
"""

_HISTORY = f"""
CREATE TABLE imported ({_ENTRIES}, id TEXT NOT NULL UNIQUE);
CREATE TABLE daily (
    at INTEGER NOT NULL, calls INTEGER NOT NULL, usd INTEGER NOT NULL, tokens INTEGER NOT NULL,
    list_usd INTEGER NOT NULL, overrun_usd INTEGER NOT NULL,
    service TEXT NOT NULL, provider TEXT NOT NULL, resource TEXT NOT NULL, task TEXT NOT NULL, chk INTEGER NOT NULL,
    PRIMARY KEY (service, provider, resource, task, at)
) WITHOUT ROWID;
CREATE TABLE work (
    minute_at INTEGER NOT NULL, service TEXT NOT NULL, count INTEGER NOT NULL, chk INTEGER NOT NULL,
    PRIMARY KEY (service, minute_at)
) WITHOUT ROWID;
"""

_TASKS = """
CREATE TABLE begun (
    at INTEGER NOT NULL, work TEXT PRIMARY KEY, hold_id TEXT NOT NULL, chk INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tasks (
    retry_budget INTEGER NOT NULL, budget INTEGER NOT NULL, opened_at INTEGER NOT NULL, seen_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL, id TEXT PRIMARY KEY, provider TEXT NOT NULL, tier TEXT NOT NULL, ladder TEXT NOT NULL,
    parent TEXT NOT NULL, chk INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE escalations (
    id INTEGER PRIMARY KEY, budget INTEGER NOT NULL, asked_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    decided_at INTEGER NOT NULL, task TEXT NOT NULL, child TEXT NOT NULL, model TEXT NOT NULL, reason TEXT NOT NULL,
    asked_by TEXT NOT NULL, state TEXT NOT NULL, decided_by TEXT NOT NULL, answer TEXT NOT NULL, chk INTEGER NOT NULL
);
"""

_FINDINGS = """
CREATE TABLE once (
    at INTEGER NOT NULL, until_at INTEGER NOT NULL, digest TEXT PRIMARY KEY, chk INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE streaks (
    points INTEGER NOT NULL, calls INTEGER NOT NULL, duplicates INTEGER NOT NULL, usd INTEGER NOT NULL,
    last_at INTEGER NOT NULL, finding INTEGER NOT NULL, service TEXT NOT NULL, resource TEXT NOT NULL,
    chk INTEGER NOT NULL, PRIMARY KEY (service, resource)
) WITHOUT ROWID;
CREATE TABLE findings (
    id INTEGER PRIMARY KEY, began_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, usd INTEGER NOT NULL,
    kind TEXT NOT NULL, subject TEXT NOT NULL, service TEXT NOT NULL, version TEXT NOT NULL, text TEXT NOT NULL,
    data TEXT NOT NULL, chk INTEGER NOT NULL
);
CREATE UNIQUE INDEX running_findings ON findings (kind, subject, service) WHERE ended_at = 0;
"""

_CACHES = """
CREATE TABLE cache_minutes (
    minute_at INTEGER NOT NULL, hits INTEGER NOT NULL, misses INTEGER NOT NULL, sets INTEGER NOT NULL,
    evictions INTEGER NOT NULL, errors INTEGER NOT NULL, load_us INTEGER NOT NULL, miss_usd INTEGER NOT NULL,
    size INTEGER NOT NULL, capacity INTEGER NOT NULL, cache TEXT NOT NULL, service TEXT NOT NULL, version TEXT NOT NULL,
    chk INTEGER NOT NULL, PRIMARY KEY (minute_at, cache, service, version)
) WITHOUT ROWID;
CREATE TABLE cache_pasts (
    judged_at INTEGER NOT NULL, cache TEXT NOT NULL, service TEXT NOT NULL, past TEXT NOT NULL, chk INTEGER NOT NULL,
    PRIMARY KEY (cache, service)
);
"""

MIGRATIONS = (_LEDGER, _HISTORY, _TASKS, _FINDINGS, _CACHES)
"""What takes a file from version N to N + 1: 1 keeps the ledger, 2 adds history, daily sums and work done, 3 tasks and
the work that providers do in the background, 4 findings and what must happen once, 5 what caches did."""
VERSION = len(MIGRATIONS)

NUMBERS = {
    "meta": 7, "counters": 10, "entries": ENTRY_NUMBERS, "imported": ENTRY_NUMBERS, "actors": 2, "pricings": 2,
    "tariffs": 2, "limit_ids": 1, "limits_versions": 2, "events": 2, "daily": 6,
    "begun": 1, "tasks": 5, "escalations": 5, "once": 2, "streaks": 6, "findings": 4,
    "cache_minutes": 10, "cache_pasts": 1,
}  # fmt: skip
"""How many numbers a row of a table begins with, before its texts."""
SUMS = ("buckets", "work")
"""Tables of two key columns, a third and an amount that is added to; their checksum is added to as well."""
