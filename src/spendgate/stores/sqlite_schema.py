"""The tables of a ledger file, version by version. `PRAGMA user_version` says which one a file has."""

APPLICATION_ID = 0x53504754
"""Marks a file as a spendgate ledger: "SPGT"."""

ENTRY_COLUMNS = (
    "seq", "nonce", "state", "service", "provider", "resource", "task", "attempt", "key", "tags",
    "held_at", "lapse_at", "counted_at", "ended_at",
    "held_usd", "held_calls", "held_tokens", "held_units", "usd", "calls", "tokens", "units",
    "actor", "pricing", "tariff", "tariff_units", "tariff_position", "list_usd", "usage", "marks", "others",
    "rev", "total",
)  # fmt: skip
"""An entry's columns, in the order that its checksum is taken over."""

_ENTRIES = """
    seq INTEGER PRIMARY KEY, nonce TEXT NOT NULL, state INTEGER NOT NULL,
    service TEXT NOT NULL, provider TEXT NOT NULL, resource TEXT NOT NULL, task TEXT NOT NULL,
    attempt INTEGER NOT NULL, key TEXT NOT NULL, tags TEXT NOT NULL,
    held_at INTEGER NOT NULL, lapse_at INTEGER NOT NULL, counted_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
    held_usd INTEGER NOT NULL, held_calls INTEGER NOT NULL, held_tokens INTEGER NOT NULL, held_units TEXT NOT NULL,
    usd INTEGER NOT NULL, calls INTEGER NOT NULL, tokens INTEGER NOT NULL, units TEXT NOT NULL,
    actor INTEGER NOT NULL, pricing INTEGER NOT NULL,
    tariff TEXT NOT NULL, tariff_units INTEGER NOT NULL, tariff_position INTEGER NOT NULL,
    list_usd INTEGER NOT NULL, usage TEXT NOT NULL, marks TEXT NOT NULL, others TEXT NOT NULL,
    rev INTEGER NOT NULL, total INTEGER NOT NULL, chk INTEGER NOT NULL
"""

_LEDGER = f"""
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1), ledger TEXT NOT NULL,
    head INTEGER NOT NULL, total INTEGER NOT NULL, latest_at INTEGER NOT NULL, limits_version INTEGER NOT NULL,
    next_lapse_at INTEGER NOT NULL, breakers TEXT NOT NULL, lost_until INTEGER NOT NULL, chk INTEGER NOT NULL
);
CREATE TABLE counters (
    limit_id INTEGER NOT NULL, scope TEXT NOT NULL,
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL, settled INTEGER NOT NULL, held INTEGER NOT NULL,
    next_at INTEGER NOT NULL, warned INTEGER NOT NULL, blocked_at INTEGER NOT NULL,
    refused_calls INTEGER NOT NULL, refused_usd INTEGER NOT NULL, chk INTEGER NOT NULL,
    PRIMARY KEY (limit_id, scope)
) WITHOUT ROWID;
CREATE TABLE buckets (
    limit_id INTEGER NOT NULL, scope TEXT NOT NULL, bucket INTEGER NOT NULL, parts INTEGER NOT NULL,
    PRIMARY KEY (limit_id, scope, bucket)
) WITHOUT ROWID;
CREATE TABLE entries ({_ENTRIES});
CREATE INDEX held_by_lapse ON entries (lapse_at) WHERE state = 0;
CREATE TABLE actors (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, program TEXT NOT NULL,
    UNIQUE (host, pid, program)
);
CREATE TABLE pricings (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, dated TEXT NOT NULL, exact INTEGER NOT NULL,
    UNIQUE (source, dated, exact)
);
CREATE TABLE tariffs (
    name TEXT NOT NULL, period INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (name, period)
) WITHOUT ROWID;
CREATE TABLE limit_ids (key TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE limits_versions (
    version INTEGER PRIMARY KEY, at INTEGER NOT NULL, source TEXT NOT NULL, actor TEXT NOT NULL, limits TEXT NOT NULL
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, limit_name TEXT NOT NULL, scope TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);
"""

_HISTORY = f"""
CREATE TABLE imported (id TEXT NOT NULL UNIQUE, {_ENTRIES});
CREATE TABLE daily (
    service TEXT NOT NULL, provider TEXT NOT NULL, resource TEXT NOT NULL, task TEXT NOT NULL, at INTEGER NOT NULL,
    calls INTEGER NOT NULL, usd INTEGER NOT NULL, tokens INTEGER NOT NULL, list_usd INTEGER NOT NULL,
    overrun_usd INTEGER NOT NULL, PRIMARY KEY (service, provider, resource, task, at)
) WITHOUT ROWID;
CREATE TABLE work (
    service TEXT NOT NULL, minute_at INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (service, minute_at)
) WITHOUT ROWID;
"""

MIGRATIONS = (_LEDGER, _HISTORY)
"""What takes a file from version N to N + 1: 1 keeps the ledger, 2 adds history, daily sums and work done."""
VERSION = len(MIGRATIONS)
