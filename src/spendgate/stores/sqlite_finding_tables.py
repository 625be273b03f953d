"""What happened once, streaks of duplicates, and findings as rows of SQLite."""

import json
from collections.abc import Callable
from typing import Any

from spendgate.findings import Finding
from spendgate.stores import sqlite_rows as rows
from spendgate.stores.tables import Streak

_REMEMBERED = 4096


class SqliteFindingTables:
    """The part of `SqliteTables` that knows findings. Streaks that were asked for stay in memory like counters do."""

    run: Callable[..., Any]

    def seen(self, digest: str) -> tuple[int, int] | None:
        row = self.run("SELECT * FROM once WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            return None
        at, until_at, _ = rows.opened("once", row, f"what happened as {digest[:8]}")
        return at, until_at

    def put_seen(self, digest: str, at: int, until_at: int) -> None:
        self.run("INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?)", rows.sealed("once", (at, until_at, digest)))

    def forget_seen(self, digest: str, at: int, most: int) -> None:
        """Looks at the rows beside the one that is written next: digests are scattered, so all have their turn."""
        beside = "SELECT digest, until_at FROM once WHERE digest > ? ORDER BY digest LIMIT ?"
        for other, until_at in self.run(beside, (digest, most)).fetchall():
            if until_at <= at:
                self.run("DELETE FROM once WHERE digest = ?", (other,))

    def redate_seen(self, now_at: int) -> None:
        for row in self.run("SELECT * FROM once WHERE at > ?", (now_at,)).fetchall():
            at, until_at, digest = rows.opened("once", row, f"what happened as {row[2][:8]}")
            self.put_seen(digest, now_at, now_at + until_at - at)

    def forget_findings(self) -> None:
        """Forgets what somebody else may have changed."""
        self._streaks: dict[tuple[str, str], Streak | None] = {}

    def streak(self, service: str, resource: str) -> Streak | None:
        if (service, resource) not in self._streaks:
            sql = "SELECT * FROM streaks WHERE service = ? AND resource = ?"
            row = self.run(sql, (service, resource)).fetchone()
            self._keep(service, resource, _streak(row) if row else None)
        return self._streaks[service, resource]

    def _keep(self, service: str, resource: str, streak: Streak | None) -> None:
        if len(self._streaks) >= _REMEMBERED:
            self._streaks.clear()
        self._streaks[service, resource] = streak

    def put_streak(self, streak: Streak) -> None:
        s = streak
        values = (s.points, s.calls, s.duplicates, s.usd, s.last_at, s.finding, s.service, s.resource)
        self.run("INSERT OR REPLACE INTO streaks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.sealed("streaks", values))
        self._keep(s.service, s.resource, s)

    def drop_streak(self, service: str, resource: str) -> None:
        self.run("DELETE FROM streaks WHERE service = ? AND resource = ?", (service, resource))
        self._keep(service, resource, None)

    def streaks(self) -> list[Streak]:
        return [_streak(row) for row in self.run("SELECT * FROM streaks").fetchall()]

    def finding(self, finding_id: int) -> Finding | None:
        row = self.run("SELECT * FROM findings WHERE id = ?", (finding_id,)).fetchone()
        return _finding(row) if row else None

    def running_finding(self, kind: str, subject: str, service: str) -> Finding | None:
        sql = "SELECT * FROM findings WHERE kind = ? AND subject = ? AND service = ? AND ended_at = 0"
        row = self.run(sql, (kind, subject, service)).fetchone()
        return _finding(row) if row else None

    def put_finding(self, finding: Finding) -> None:
        f = finding
        texts = (f.kind, f.subject, f.service, f.version, f.text, json.dumps(dict(f.data)))
        row = rows.sealed("findings", (f.id, f.began_at, f.ended_at, f.usd, *texts))
        self.run("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def findings(self, since_at: int) -> list[Finding]:
        found = self.run("SELECT * FROM findings WHERE ended_at = 0 OR ended_at >= ?", (since_at,)).fetchall()
        return [_finding(row) for row in found]

    def drop_findings(self, before_at: int) -> None:
        self.run("DELETE FROM findings WHERE ended_at != 0 AND ended_at < ?", (before_at,))


def _streak(row: rows.Row) -> Streak:
    *counts, service, resource = rows.opened("streaks", row, f"the streak of {row[6]!r} and {row[7]!r}")
    return Streak(service, resource, *counts)


def _finding(row: rows.Row) -> Finding:
    number, began_at, ended_at, usd, *texts = rows.opened("findings", row, f"finding {row[0]}")
    kind, subject, service, version, text, data = texts
    return Finding(
        kind=kind,
        subject=subject,
        service=service,
        version=version,
        text=text,
        usd=usd,
        data=json.loads(data),
        began_at=began_at,
        ended_at=ended_at,
        id=number,
    )
