"""What happened once, streaks of duplicates, and findings in dictionaries; and how duplicates are counted."""

import heapq
from collections.abc import Iterable
from dataclasses import replace

from spendgate.findings import Finding
from spendgate.freshness import DUPLICATE, SHOWN, read_mark
from spendgate.ledger import Entry
from spendgate.reservation import State
from spendgate.stores.tables import Streak


class MemoryFindingTables:
    """The part of `MemoryTables` that knows findings."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}
        self._ends: list[tuple[int, str]] = []
        """The digests by when they are over, with some that were written anew since."""
        self._streaks: dict[tuple[str, str], Streak] = {}
        self._findings: dict[int, Finding] = {}

    def seen(self, digest: str) -> tuple[int, int] | None:
        return self._seen.get(digest)

    def put_seen(self, digest: str, at: int, until_at: int) -> None:
        self._seen[digest] = at, until_at
        heapq.heappush(self._ends, (until_at, digest))

    def forget_seen(self, digest: str, at: int, most: int) -> None:  # noqa: ARG002 - here they are in order
        while most and self._ends and self._ends[0][0] <= at:
            until_at, other = heapq.heappop(self._ends)
            if self._seen.get(other, (0, 0))[1] == until_at:
                del self._seen[other]
                most -= 1

    def redate_seen(self, now_at: int) -> None:
        for digest, (at, until_at) in list(self._seen.items()):
            if at > now_at:
                self.put_seen(digest, now_at, now_at + until_at - at)

    def streak(self, service: str, resource: str) -> Streak | None:
        return self._streaks.get((service, resource))

    def put_streak(self, streak: Streak) -> None:
        self._streaks[streak.service, streak.resource] = streak

    def drop_streak(self, service: str, resource: str) -> None:
        self._streaks.pop((service, resource), None)

    def streaks(self) -> list[Streak]:
        return list(self._streaks.values())

    def finding(self, finding_id: int) -> Finding | None:
        return self._findings.get(finding_id)

    def running_finding(self, kind: str, subject: str, service: str) -> Finding | None:
        running = (one for one in self._findings.values() if one.is_running)
        return next((one for one in running if one.of == (kind, subject, service)), None)

    def put_finding(self, finding: Finding) -> None:
        self._findings[finding.id] = replace(finding, is_news=False)

    def findings(self, since_at: int) -> list[Finding]:
        return [one for one in self._findings.values() if one.is_running or one.ended_at >= since_at]

    def drop_findings(self, before_at: int) -> None:
        for one in list(self._findings.values()):
            if not one.is_running and one.ended_at < before_at:
                del self._findings[one.id]


Row = tuple[str, str, str, int, int, int]


def repeated(entries: Iterable[Entry], since_at: int, until_at: int) -> list[Row]:
    """What was paid for again: (service, resource, key, calls, duplicates, what these cost); each store's must agree.

    A request without a key stands as the first digits of its digest.
    """
    found: dict[tuple[str, str, str], list[int]] = {}
    for entry in entries:
        fresh = read_mark(entry.marks)
        if fresh is None or entry.state is State.VOIDED or not since_at <= entry.counted_at < until_at:
            continue
        key = entry.call.key or f"request {fresh[0][:SHOWN]}"
        sums = found.setdefault((entry.call.service, entry.call.resource, key), [0, 0, 0])
        sums[0] += 1
        if DUPLICATE in entry.marks:
            sums[1] += 1
            sums[2] += entry.weight.usd
    return [(*of, sums[0], sums[1], sums[2]) for of, sums in found.items() if sums[1]]
