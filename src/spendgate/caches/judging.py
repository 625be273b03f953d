"""From counts to findings: after each flush, what the ledger knows of a cache is held against its own past.

Keys that cannot repeat, and a cache that is too small, are seen by each process for itself. Misses and silence are
judged over all processes together, by one of them, until it is gone: what is known of the past is in the ledger, so a
restart forgets nothing.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from spendgate.cacheminutes import CacheMinute, minute_of
from spendgate.caches.churn import Churn
from spendgate.caches.evictions import Evictions
from spendgate.caches.missrate import MissRate
from spendgate.caches.monitor import CacheMonitor
from spendgate.caches.silence import Rhythm
from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.errors import StoreError
from spendgate.findings import Finding, Kind
from spendgate.ledger import Store
from spendgate.money import dollars

log = logging.getLogger("spendgate")

SETTLES_AFTER = 5 * SECOND
"""How long after its end a minute is complete: all processes have flushed by then."""
UNCONFIRMED = 10 * MINUTE
"""After so long a finding that only the processes themselves can see ends, when none of them has seen it."""
TAKES_OVER = 3 * MINUTE
"""After so long without a judgement of its past another process takes a cache over."""
AHEAD = HOUR
"""A cache that was judged so far ahead of now was so by a clock that has been set back since."""
NEVER = 1 << 62
LOOKED_BACK = 28 * DAY
"""From how far back a cache's past is learned where nothing is known of it yet."""
ZEROS = HOUR
"""Up to so long a time without minutes in the ledger is a time without lookups, and not one without a program."""


class Desk(Protocol):
    """The gate, as far as findings go."""

    store: Store

    def begin_finding(self, finding: Finding) -> Finding:
        """Writes a finding down and tells people, or gives the one that runs already."""

    def update_finding(
        self,
        finding_id: int,
        *,
        usd: int | None = None,
        text: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Finding | None:
        """Changes what a running finding says."""

    def end_finding(self, finding_id: int) -> Finding | None:
        """Ends a finding and tells people."""


class CacheJudge:
    """Judges the caches of one gate. One thread at a time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ours: dict[CacheMonitor, _Ours] = {}

    def judge(self, monitors: Iterable[CacheMonitor], now_at: int) -> None:
        """Called after each flush. What cannot be read or written now is judged later."""
        for monitor in monitors:
            ours = self._ours.get(monitor)
            if ours is None:
                ours = self._ours[monitor] = _Ours(self._desk, monitor, now_at)
            try:
                ours.judge(now_at)
            except StoreError as fault:
                log.debug("spendgate: cache %s is judged later: %s", monitor.name, fault)


class _Ours:
    """What this process knows of one cache."""

    def __init__(self, desk: Desk, monitor: CacheMonitor, now_at: int) -> None:
        self._desk = desk
        self._monitor = monitor
        self._evictions = Evictions()
        self._past: _Past | None = None
        self._past_at = 0
        self._is_new = True
        self._minute_at = minute_of(now_at)
        self._churns = False
        self._looks = 0
        self._last = (0, 0)

    def judge(self, now_at: int) -> None:
        """Looks at keys each time, at everything else once a minute."""
        minute_at = minute_of(now_at)
        is_next = minute_at != self._minute_at and now_at - minute_at >= SETTLES_AFTER
        churns = self._judge_keys(now_at, is_next=is_next)
        if is_next:
            self._minute_at = minute_at
            self._judge_evictions(now_at)
            self._judge_past(now_at, minute_at, churns=churns)

    def _judge_keys(self, now_at: int, *, is_next: bool) -> bool:
        churn = self._monitor.churn
        if not isinstance(churn, Churn):
            return False
        verdict = churn.verdict(now_at)
        churns = verdict.kind == "churning"
        is_asked = is_next and verdict.lookups != self._looks  # a verdict that nobody adds to confirms nothing
        if churns and (is_asked or not self._churns):
            began_at, usd = self._since_the_last_hit(now_at)
            text = f"{verdict.sentence(self._monitor.name)} {_went(usd, began_at, now_at)}"
            data = {name: getattr(verdict, name) for name in verdict.__dataclass_fields__}
            self._run("churn", text, usd, data | {"seen_at": now_at}, began_at)
        elif is_next:
            self._end_unconfirmed("churn", now_at)
        if is_next:
            self._looks = verdict.lookups
        self._churns = churns
        return churns

    def _judge_evictions(self, now_at: int) -> None:
        monitor, churn = self._monitor, self._monitor.churn
        again, looked = (churn.missed_again, churn.missed) if isinstance(churn, Churn) else (0, 0)
        hits, misses, evicted = monitor.since_last_asked()
        ended = self._evictions.feed(
            now_at,
            hits=hits,
            misses=misses,
            evicted=evicted,
            size=monitor.size,
            capacity=monitor.capacity,
            again=again - self._last[0],
            looked=looked - self._last[1],
        )
        self._last = again, looked
        episode = self._evictions.episode
        if episode is not None:
            usd = sum(one.miss_usd for one in self._minutes(episode.began_at, now_at))
            text = f"{episode.sentence(monitor.name)} {_went(usd, episode.began_at, now_at)}"
            self._run("evictions", text, usd, _plain(episode) | {"seen_at": now_at}, episode.began_at)
        elif ended is None or ended.ended_at:
            self._end_unconfirmed("evictions", now_at, at_once=ended is not None)

    def _judge_past(self, now_at: int, minute_at: int, *, churns: bool) -> None:
        """Feeds the minutes that are complete to what the ledger knows, unless another process was faster."""
        monitor, store = self._monitor, self._desk.store
        judged_at, text = store.cache_past(monitor.name, monitor.service)
        since_at = judged_at if judged_at < now_at + AHEAD else minute_at - MINUTE
        if since_at >= minute_at:
            return
        past, self._past = self._past, None
        if past is None or judged_at != self._past_at:
            if text and 0 <= now_at - judged_at < TAKES_OVER:
                return
            past = _Past.read(text)
        restarted_at = max(since_at, minute_of(monitor.begun_at)) if self._is_new and not monitor.is_shared else NEVER
        minutes = self._minutes(max(since_at, minute_at - LOOKED_BACK), minute_at)
        past.feed(minutes, since_at, minute_at, restarted_at)
        if not store.put_cache_past(monitor.name, monitor.service, judged_at, minute_at, past.text()):
            return
        self._past, self._past_at, self._is_new = past, minute_at, False
        missed, silent = past.rate.episode, past.rhythm.silence
        if missed is not None and not churns and self._running("churn") is None:
            usd = sum(one.miss_usd for one in self._minutes(missed.began_at, now_at))
            words = f"{missed.sentence(monitor.name)} {_went(usd, missed.began_at, now_at)}"
            self._run("misses", words, usd, _plain(missed), missed.began_at)
        else:
            self._end("misses")
        if silent is not None:
            self._run("silent", silent.sentence(monitor.name), 0, _plain(silent), silent.began_at)
        else:
            self._end("silent")

    def _minutes(self, since_at: int, until_at: int) -> list[CacheMinute]:
        found = self._desk.store.cache_minutes(minute_of(since_at), until_at, self._monitor.name)
        return [one for one in found if one.service == self._monitor.service]

    def _since_the_last_hit(self, now_at: int) -> tuple[int, int]:
        """Since when hardly anything has hit, as far as the last day goes, and what misses have cost since."""
        began_at, usd = now_at, 0
        for one in reversed(self._minutes(now_at - DAY, now_at + 1)):
            if one.version != self._monitor.version:
                continue
            if one.hits > 0.05 * one.lookups:
                break
            began_at, usd = min(began_at, one.minute_at), usd + one.miss_usd
        return max(began_at, self._monitor.begun_at) if not self._monitor.is_shared else began_at, usd

    def _running(self, kind: Kind) -> Finding | None:
        of = kind, self._monitor.name, self._monitor.service
        return next((one for one in self._desk.store.findings(NEVER, running_only=True) if one.of == of), None)

    def _run(self, kind: Kind, text: str, usd: int, data: dict[str, Any], began_at: int) -> None:
        """Begins a finding, or says of the one that runs how it stands."""
        monitor, words = self._monitor, text.strip().rstrip(".")
        running = self._running(kind)
        if running is None:
            named = (monitor.name, monitor.service, monitor.version)
            self._desk.begin_finding(Finding(kind, *named, words, usd, data, began_at))
        else:
            self._desk.update_finding(running.id, usd=max(usd, running.usd), text=words, data=data)

    def _end(self, kind: Kind) -> None:
        running = self._running(kind)
        if running is not None:
            self._desk.end_finding(running.id)

    def _end_unconfirmed(self, kind: Kind, now_at: int, *, at_once: bool = False) -> None:
        """Ends what only processes see for themselves, when none of them does any more."""
        running = self._running(kind)
        if running is not None:
            seen_at = running.data.get("seen_at", 0)
            if at_once or not 0 <= now_at - seen_at < UNCONFIRMED:
                self._desk.end_finding(running.id)


class _Past:
    """What is known of a cache, over all processes and restarts."""

    def __init__(self, rate: MissRate, rhythm: Rhythm) -> None:
        self.rate = rate
        self.rhythm = rhythm

    @classmethod
    def read(cls, text: str) -> "_Past":
        """What was written down; nothing where it cannot be read."""
        try:
            found = json.loads(text) if text else {}
            rate = MissRate.from_json(found["rate"]) if "rate" in found else MissRate()
            rhythm = Rhythm.from_json(found["rhythm"]) if "rhythm" in found else Rhythm()
        except (ValueError, TypeError):
            return cls(MissRate(), Rhythm())
        return cls(rate, rhythm)

    def text(self) -> str:
        """All of it, to be written down."""
        return json.dumps({"rate": self.rate.to_json(), "rhythm": self.rhythm.to_json()})

    def feed(self, minutes: list[CacheMinute], since_at: int, until_at: int, restarted_at: int) -> None:
        """Takes what happened in a stretch of time; minutes without lookups, too, where a program was there.

        The cache was empty at `restarted_at`.
        """
        sums: dict[int, tuple[int, int]] = {}
        for one in minutes:
            hits, misses = sums.get(one.minute_at, (0, 0))
            sums[one.minute_at] = hits + one.hits, misses + one.misses
        if 0 < until_at - since_at <= ZEROS:
            sums = {at: sums.get(at, (0, 0)) for at in range(minute_of(since_at), until_at, MINUTE)}
        for at, (hits, misses) in sorted(sums.items()):
            if at >= restarted_at:
                self.rate.restarted(restarted_at)
                restarted_at = NEVER
            self.rate.feed(at, hits, misses)
            self.rhythm.feed(at, hits + misses)


def _plain(episode: Any) -> dict[str, Any]:
    return {name: getattr(episode, name) for name in episode.__dataclass_fields__}


def _went(usd: int, began_at: int, now_at: int) -> str:
    """What it has cost, in a sentence; nothing where nobody knows."""
    if not usd:
        return ""
    minutes = max((now_at - began_at) // MINUTE, 1)
    units = ((minutes // 1440, "days"), (minutes // 60, "hours"), (minutes, "minutes"))
    span = next((f"{count} {unit}" for count, unit in units if count > 2), "minute" if minutes == 1 else "2 minutes")
    return f"{dollars(usd)} in the last {span} went to misses."
