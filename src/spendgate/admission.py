"""Whether a limit leaves room: pure decisions over one counter, shared by every store.

A `Counter` is one limit in one scope: what was settled in the window, what is held, and where its warnings and its
episode of refusals stand. Amounts are in the limit's smallest parts, instants in microseconds.
"""

from dataclasses import dataclass, field
from typing import Literal

from spendgate.limits import Limit

REARM = 9
"""Tenths of a threshold below which a warning may fire again, and of a limit below which an episode is over."""
OBSERVED_ONLY = 1 << 62
"""The bit of `Counter.warned` that says that an episode has refused nothing yet: its first refusal is news."""
TOO_LARGE = 1 << 61
"""The bit that says that an episode is of calls larger than what was left, while smaller ones may have had room."""


@dataclass(slots=True)
class Counter:
    """A limit's running totals in one scope.

    `settled` sums the buckets from `oldest` to `newest`; `held` weighs in every window however old it is. `next_at`
    is the first instant at which a paced or throttled call may go; `warned` has a bit per threshold that has fired.
    `stands_until` is no row's: the first instant at which `oldest` has left the window, or 0 until that is looked up.
    """

    oldest: int
    newest: int = 0
    settled: int = 0
    held: int = 0
    next_at: int = 0
    warned: int = 0
    blocked_at: int = 0
    refused_calls: int = 0
    refused_usd: int = 0
    stands_until: int = field(default=0, compare=False)

    @property
    def used(self) -> int:
        """What counts against the limit now."""
        return self.settled + self.held


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one limit says to one call. `next_at` is the counter's new one; None leaves it as it is."""

    kind: Literal["fits", "over", "wait"]
    next_at: int | None = None
    wait_until: int = 0
    mark: str = ""
    reason: str = ""

    @property
    def used_up(self) -> bool:
        """Whether the limit has no room left, as opposed to a call that only waits for its pace."""
        return self.kind == "over" or self.mark == "observed" or (self.kind == "wait" and self.mark == "throttled")


FITS = Verdict("fits")
"""What most calls are told: they fit, and there is nothing to be said about it."""


def judge(limit: Limit, counter: Counter, parts: int, at: int, extra: int = 0) -> Verdict:
    """Whether `parts` more fit at an instant; `extra` weighs on the scope from outside its counter."""
    used = counter.settled + counter.held + extra
    if parts == 0:
        return FITS
    if used + parts <= limit.amount:
        if limit.pace_above < 0 or used + parts <= limit.pace_above:
            return FITS
        return _paced(limit, counter, parts, used, at)
    if limit.at_limit == "observe":
        return Verdict("fits", mark="observed")
    if limit.at_limit == "throttle":
        return _throttled(limit, counter, at)
    return Verdict("over")


def _paced(limit: Limit, counter: Counter, parts: int, used: int, at: int) -> Verdict:
    """Spreads what is left evenly over the rest of the period."""
    if at < counter.next_at:
        return Verdict("wait", counter.next_at, counter.next_at, reason="What is left is spread over the period.")
    ends_at = limit.window.leaves_at(limit.window.bucket(at))
    pause = -(-parts * (ends_at - at) // (limit.amount - used))
    return Verdict("fits", at + pause)


def _throttled(limit: Limit, counter: Counter, at: int) -> Verdict:
    """One call per pause, however far beyond the limit; a pause set by pacing is not waited out."""
    next_at = min(counter.next_at, at + limit.throttle_every)
    if at < next_at:
        return Verdict("wait", next_at, next_at, mark="throttled", reason="The limit is used up; calls go on slowly.")
    return Verdict("fits", at + limit.throttle_every, mark="throttled")


def crossed(limit: Limit, counter: Counter) -> list[int]:
    """The thresholds (as indices) that the counter has newly reached; re-arms those it has fallen well below."""
    fired = []
    for index, threshold in enumerate(limit.thresholds):
        bit = 1 << index
        if counter.used >= threshold > 0:
            if not counter.warned & bit:
                counter.warned |= bit
                fired.append(index)
        elif counter.warned & bit and counter.used * 10 < threshold * REARM:
            counter.warned &= ~bit
    return fired


def still_told(warned: int, before: Limit, now: Limit) -> int:
    """The bits of `Counter.warned` after a limit has changed: a threshold that stays where it was stays told."""
    told = {threshold for index, threshold in enumerate(before.thresholds) if warned >> index & 1}
    kept = sum(1 << index for index, threshold in enumerate(now.thresholds) if threshold in told)
    return kept | warned & (OBSERVED_ONLY | TOO_LARGE)


def episode_over(limit: Limit, counter: Counter) -> bool:
    """Whether an episode of refusals has ended: the scope is blocked in name, and well below its limit again.

    One of calls that were too large ends when the window is empty: small ones come and go under it all the time.
    """
    if counter.warned & TOO_LARGE:
        return counter.blocked_at != 0 and counter.used == 0
    return counter.blocked_at != 0 and counter.used * 10 < limit.amount * REARM


def blocked(limit: Limit, counter: Counter, *, recent: bool) -> bool:
    """Whether a scope stands as blocked: no room is left, or nothing has got through since a `recent` refusal."""
    if not counter.blocked_at:
        return False
    return counter.used * 10 >= limit.amount * REARM or (recent and counter.used == 0)


def episode_kind(limit: Limit, counter: Counter, refuses: bool) -> int:
    """The bit of the episode that a refusal begins now; the graver, the smaller: 0 where no room is left at all."""
    if not refuses:
        return OBSERVED_ONLY
    return TOO_LARGE if counter.used * 10 < limit.amount * REARM else 0


def begins_episode(counter: Counter, kind: int) -> bool:
    """Whether a refusal is news: the first one, or graver than those of the episode that runs."""
    return not counter.blocked_at or kind < counter.warned & (OBSERVED_ONLY | TOO_LARGE)
