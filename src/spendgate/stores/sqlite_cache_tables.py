"""What caches did as rows of SQLite."""

from collections.abc import Callable
from typing import Any

from spendgate.cacheminutes import CacheMinute, by_day
from spendgate.stores import sqlite_rows as rows

_FIND = "SELECT * FROM cache_minutes WHERE (minute_at, cache, service, version) = (?, ?, ?, ?)"
_PUT = "INSERT OR REPLACE INTO cache_minutes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteCacheTables:
    """The part of `SqliteTables` that knows caches."""

    run: Callable[..., Any]

    def cache_minute(self, like: CacheMinute) -> CacheMinute | None:
        row = self.run(_FIND, like.key).fetchone()
        return _minute(row) if row else None

    def put_cache_minute(self, minute: CacheMinute) -> None:
        values = (minute.minute_at, *minute.numbers, minute.cache, minute.service, minute.version)
        self.run(_PUT, rows.sealed("cache_minutes", values))

    def cache_minutes(self, since_at: int, until_at: int, cache: str) -> list[CacheMinute]:
        sql = (
            "SELECT * FROM cache_minutes WHERE minute_at >= ? AND minute_at < ? AND (?3 = '' OR cache = ?3) "
            "ORDER BY minute_at, cache, service, version"
        )
        return [_minute(row) for row in self.run(sql, (since_at, until_at, cache)).fetchall()]

    def fold_cache_minutes(self, before_at: int) -> None:
        days = by_day(self.cache_minutes(0, before_at, ""))
        self.run("DELETE FROM cache_minutes WHERE minute_at < ?", (before_at,))
        for day in days:
            self.put_cache_minute(day)

    def cache_past(self, cache: str, service: str) -> tuple[int, str]:
        row = self.run("SELECT * FROM cache_pasts WHERE (cache, service) = (?, ?)", (cache, service)).fetchone()
        if row is None:
            return 0, ""
        judged_at, _, _, past = rows.opened("cache_pasts", row, f"what is known of cache {cache!r}")
        return judged_at, past

    def put_cache_past(self, cache: str, service: str, judged_at: int, past: str) -> None:
        row = rows.sealed("cache_pasts", (judged_at, cache, service, past))
        self.run("INSERT OR REPLACE INTO cache_pasts VALUES (?, ?, ?, ?, ?)", row)


def _minute(row: rows.Row) -> CacheMinute:
    minute_at, *numbers, cache, service, version = rows.opened("cache_minutes", row, f"a minute of cache {row[10]!r}")
    return CacheMinute(cache, service, version, minute_at, *numbers)
