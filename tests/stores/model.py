"""A ledger so simple that it can be read at a glance: a list of reservations, every sum taken anew at each question.

It shares no code with the stores. Rolling windows are exact here; the stores may refuse for one bucket (a hundredth of
the window) longer, which is what `slack` allows for, and never for less.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from spendgate.call import Call
from spendgate.clock import DAY
from spendgate.limits import Limit
from spendgate.windows import Calendar

TOLERANCE = 5_000_000
PAUSE = 3_000_000
"""How long the throttled limit of the tests pauses."""
LOOP_SPAN = 20_000_000
"""The window in which the same request is counted."""
FREE_UNITS, UNIT_PRICE = 2, 4
"""The tariff of the tests: so many units a month are free, every further one costs so many nano-dollars."""


def tariff_cost(position: int, units: int) -> int:
    """What units cost that begin at a position."""
    return UNIT_PRICE * (max(position + units, FREE_UNITS) - max(position, FREE_UNITS))


def local_day(at: int, zone: str) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).date()


@dataclass
class Reservation:
    """One call. `weight` is by unit; `state` is held, settled, voided or lapsed."""

    id: str
    call: Call
    held_at: int
    lapse_at: int
    reserved: dict[str, int]
    weight: dict[str, int]
    state: str = "held"
    counted_at: int = 0
    priced: bool = False
    units: int = 0
    position: int = 0
    lost: bool = False
    overrun: int = 0
    budgets: tuple[tuple[Limit, str], ...] = ()
    requests: int = 0
    fingerprint: str = ""


@dataclass
class Model:
    """What the ledger must know."""

    reservations: list[Reservation] = field(default_factory=list)
    limits: tuple[Limit, ...] = ()
    latest_at: int = 0
    next_at: dict[tuple[str, str], int] = field(default_factory=dict)
    blocked: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Until when a request that looped is blocked: surely, and at most."""
    tasks: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """The budgets of each task: for its retries, and for all."""

    def decide_at(self, now_at: int) -> int:
        """The instant of a decision. A clock set back by more than the tolerance dates the future back."""
        if now_at >= self.latest_at - TOLERANCE:
            self.latest_at = max(self.latest_at, now_at)
            return self.latest_at
        for one in self.reservations:
            if one.held_at > now_at:
                one.lapse_at -= one.held_at - now_at
                one.held_at = now_at
            one.counted_at = min(one.counted_at, now_at)
        self.next_at = {key: min(at, now_at + PAUSE) for key, at in self.next_at.items()}
        self.blocked = {
            scope: (
                min(low, now_at + LOOP_SPAN) if self.latest_at < low else 0,
                min(high, now_at + LOOP_SPAN + LOOP_SPAN // 100),
            )
            for scope, (low, high) in self.blocked.items()
        }
        self.latest_at = now_at
        return now_at

    def lapse(self, at: int) -> None:
        """What is due counts as spent from the instant at which it was due."""
        for one in self.reservations:
            if one.state == "held" and at >= one.lapse_at:
                one.state, one.counted_at = "lapsed", one.lapse_at

    def scopes(self, call: Call) -> Iterator[tuple[Limit, str]]:
        """The limits that see a call, each with the scope that it counts in."""
        for limit in self.limits:
            if all(fnmatchcase(call.field(name), pattern) for name, pattern in limit.match):
                yield limit, ",".join(f"{name}={call.field(name)}" for name in limit.per)

    def counted(self, limit: Limit, scope: str) -> Iterator[tuple[Reservation, int]]:
        """The reservations that a limit counts in a scope, with their weight. What was lost counts in every scope."""
        for one in self.reservations:
            lost = one.lost and limit.unit == "usd"
            weight = one.weight.get(limit.unit, 0)
            if (limit, scope) in one.budgets:
                yield one, weight if limit.unit == "usd" else one.requests * (one.state != "voided")
            elif (
                limit in self.limits and weight and (lost or (not one.lost and (limit, scope) in self.scopes(one.call)))
            ):
                yield one, weight

    def held(self, limit: Limit, scope: str, at: int) -> int:
        """What is held at an instant."""
        counted = self.counted(limit, scope)
        return sum(weight for one, weight in counted if one.state == "held" and at < one.lapse_at)

    def spent(self, limit: Limit, scope: str, at: int, slack: int = 0) -> int:
        """What has been spent in the window that ends at an instant, lapsed or settled in it."""
        total = 0
        for one, weight in self.counted(limit, scope):
            if one.state == "held" and at < one.lapse_at:
                continue
            since_at = one.lapse_at if one.state == "held" else one.counted_at
            if self._inside(limit, since_at, at, slack):
                total += weight
        return total

    def used(self, limit: Limit, scope: str, at: int) -> int:
        """What counts against a limit at an instant, exactly."""
        return self.held(limit, scope, at) + self.spent(limit, scope, at)

    def used_at_most(self, limit: Limit, scope: str, at: int) -> int:
        """The same with a bucket's tolerance."""
        return self.held(limit, scope, at) + self.spent(limit, scope, at, slack(limit))

    def loops(self, limit: Limit, scope: str, requests: int, at: int) -> bool | None:
        """Whether so many more of the same request are a loop; None where it may be told either way."""
        low, high = self.blocked.get(scope, (0, 0))
        if at < low or self.used(limit, scope, at) + requests > limit.amount:
            return True
        return None if at < high or self.used_at_most(limit, scope, at) + requests > limit.amount else False

    def tried(self, scope: str, at: int, *, surely: bool) -> None:
        """Somebody has tried a request that loops, or may do so."""
        low, high = self.blocked.get(scope, (0, 0))
        self.blocked[scope] = (at + LOOP_SPAN if surely else low, max(high, at + LOOP_SPAN + LOOP_SPAN // 100))

    def was_sent(self, task: str, fingerprint: str, at: int) -> bool | None:
        """Whether the same request was sent in the same task within a day; None for a moment after it."""
        same = [
            one
            for one in self.reservations
            if fingerprint and (one.call.task, one.fingerprint) == (task, fingerprint) and one.state != "voided"
        ]
        if any(one.state == "held" or one.counted_at > at - DAY for one in same):
            return True
        return None if any(one.counted_at > at - DAY - DAY // 100 for one in same) else False

    def position(self, at: int) -> int:
        """How many of the tariff's units are used in the month of an instant."""
        month = local_day(at, "UTC").replace(day=1)
        priced = (one for one in self.reservations if one.priced and one.state != "voided")
        return sum(one.units for one in priced if local_day(one.held_at, "UTC").replace(day=1) == month)

    def total(self) -> int:
        """Everything held and spent, ever, in nano-dollars."""
        return sum(one.weight["usd"] for one in self.reservations)

    def end(self, one: Reservation, state: str, weight: dict[str, int], at: int) -> None:
        """Ends a reservation. A word that comes after the lapse counts where the lapse was counted."""
        if one.state == "held" and at >= one.lapse_at:
            one.state, one.counted_at = "lapsed", one.lapse_at
        if one.state == "held":
            one.counted_at = at
        one.state, one.weight = state, weight
        one.overrun = max(weight.get("usd", 0) - one.reserved["usd"], 0)

    @staticmethod
    def _inside(limit: Limit, since_at: int, at: int, slack: int) -> bool:
        window = limit.window
        if isinstance(window, Calendar):
            return local_day(since_at, window.timezone) == local_day(at, window.timezone)
        return since_at > at - window.span - slack


def slack(limit: Limit) -> int:
    """For how much longer than its window a limit may count."""
    return 0 if isinstance(limit.window, Calendar) else limit.window.span // 100
