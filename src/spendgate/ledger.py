"""What the ledger holds, and what a store must be able to do.

A store is whatever passes `spendgate.testing.StoreContract`. Instants are whole microseconds since the epoch; money is
whole nano-dollars; other units are counted in their smallest parts (see `spendgate.limits.unit_scale`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from spendgate.cacheminutes import CacheStore
from spendgate.call import Call
from spendgate.clock import DAY, HOUR, MINUTE
from spendgate.findings import FindingStore
from spendgate.limits import Limit, LimitSet
from spendgate.reservation import State
from spendgate.taskterms import Lock, TaskStore, TaskTerms

if TYPE_CHECKING:  # the parts of pricing load when a gate is opened, not with `import spendgate`
    from spendgate.pricing.tariff import Tariff

LAPSE_AFTER = 15 * MINUTE
"""How long a call may run before its reservation lapses and counts as spent."""
LAPSE_AFTER_BATCH = 25 * HOUR
"""The same for batch and background calls, which providers answer within a day."""
MAX_LAPSE_AFTER = 7 * DAY

Units = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """How heavily an entry weighs on windows, per unit, in smallest parts; `usd` is in nano-dollars."""

    usd: int = 0
    calls: int = 0
    tokens: int = 0
    units: Units = ()

    def of(self, unit: str) -> int:
        """The weight in one unit; 0 where the entry has none.

        >>> Weight(usd=5, calls=1, units=(("rows", 7_000_000),)).of("rows")
        7000000
        """
        if unit == "usd":
            return self.usd
        if unit == "calls":
            return self.calls
        if unit == "tokens":
            return self.tokens
        return next((parts for name, parts in self.units if name == unit), 0)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who wrote an entry."""

    host: str = ""
    pid: int = 0
    program: str = ""


@dataclass(frozen=True, slots=True)
class Pricing:
    """Where an entry's price came from. `exact` is False where the model was matched only by a pattern."""

    source: str = ""
    dated: str = ""
    exact: bool = True


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """So much to set aside for a call, before it is sent.

    `weight.usd` leaves out what `tariff` charges for `tariff_units`: that depends on the position in the month and is
    added by the store. With `enforce` False limits are recorded but never refuse. `fingerprint` is a digest of what is
    sent: within a task the same again is a retry. `compared` is what the caller has held the call's model against: a
    task that is held to something else answers with its terms. A `tentative` one that is refused leaves no trace: the
    caller has bookings to make before he takes no for an answer.
    """

    call: Call
    weight: Weight
    actor: Actor = Actor()
    pricing: Pricing = Pricing()
    tariff: "Tariff | None" = None
    tariff_units: int = 0
    lapse_after: int = LAPSE_AFTER
    enforce: bool = True
    marks: frozenset[str] = frozenset()
    fingerprint: str = ""
    compared: Lock = ("", "", ())
    tentative: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call did cost. A field left None keeps what was held for it.

    `tariff_units` are charged by the tariff that the reservation was priced with, on top of `usd`. `version` is the
    program's: a finding that begins with the call says so.
    """

    usd: int | None = None
    calls: int | None = None
    tokens: int | None = None
    units: Units | None = None
    tariff_units: int | None = None
    list_usd: int | None = None
    usage: str = ""
    pricing: Pricing | None = None
    marks: frozenset[str] = frozenset()
    version: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A change of state worth telling.

    `kind` is `blocked` or `observed` (an episode of refusals begins), `allowing` (it is over), `warned`, `tripped`,
    `reset`, `limits`, `clock`, `lost`, `escalation`, `finding`, `locked` (a tier refused a model) or `skipped`.
    """

    at: int
    kind: str
    limit: str = ""
    scope: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One reservation, or one imported call, as the ledger has it.

    `weight` is what it counts for now: what is held, or what it cost. `counted_at` is the instant from which a
    settled or lapsed weight counts in windows; `total` the ledger's running total after its last write, `rev` the
    ledger's head then. `marks` are among `overrun`, `late`, `unpriced`, `throttled`, `observed`, `unrecorded`, `cut`,
    `imported`, `lost`, `batch`, `subscription`, `retry`, `learned:` with the most it can cost, its budgets, and what
    `spendgate.freshness` says of its answer.
    """

    seq: int
    id: str
    state: State
    call: Call
    held_at: int
    lapse_at: int
    counted_at: int
    reserved: Weight
    weight: Weight
    actor: Actor = Actor()
    pricing: Pricing = Pricing()
    tariff: "Tariff | None" = None
    tariff_units: int = 0
    tariff_position: int = 0
    ended_at: int = 0
    list_usd: int = 0
    usage: str = ""
    marks: frozenset[str] = frozenset()
    others: tuple[int, ...] = ()
    rev: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """The call may be sent: this much is set aside under `id`."""

    id: str
    weight: Weight
    at: int
    marks: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must not be sent; nothing is set aside. Amounts are in the limit's smallest parts.

    With `takes_turns` the call only has to wait for its turn under a throttled or paced limit, which is at `frees_at`.
    """

    limit: Limit
    scope: str
    spent: int
    held: int
    requested: int
    frees_at: int | None
    retry_after: int | None
    reason: str = ""
    events: tuple[Event, ...] = ()
    takes_turns: bool = False


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker tripped by hand: `field` and glob `pattern` choose the calls, `*` on `*` all of them.

    `refused_calls` and `refused_usd` are what it has refused since, in nano-dollars; `Store.breakers` fills them in.
    """

    field: str
    pattern: str
    since_at: int
    reason: str
    reset_at: int | None = None
    refused_calls: int = 0
    refused_usd: int = 0

    def __str__(self) -> str:
        return "*" if self.field == "*" else f"{self.field}={self.pattern}"


@dataclass(frozen=True, slots=True)
class Settled:
    """How a reservation ended. `before` is what was held."""

    entry: Entry
    before: Weight
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands in one scope, in smallest parts. `frees_at` is when the oldest spending leaves the window."""

    limit: Limit
    scope: str
    spent: int
    held: int
    frees_at: int | None
    blocked_at: int = 0
    refused_calls: int = 0
    refused_usd: int = 0

    @property
    def headroom(self) -> int:
        """What is left, never below 0."""
        return max(self.limit.amount - self.spent - self.held, 0)


@dataclass(frozen=True, slots=True)
class LimitsVersion:
    """A set of limits and who put it in force."""

    version: int
    at: int
    source: str
    actor: Actor
    limits: LimitSet


@dataclass(frozen=True, slots=True)
class Sum:
    """What the entries of one group come to. `fields` are in the order asked for; `at` is the start of the group's
    stretch of time, or 0 where none was asked for.
    """

    fields: tuple[str, ...]
    at: int
    calls: int
    usd: int
    tokens: int
    held_usd: int = 0
    list_usd: int = 0
    overrun_usd: int = 0
    imported_usd: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """The ledger as a whole. `usd` is the running total of everything held, settled or lapsed, in nano-dollars."""

    head: int
    usd: int
    latest_at: int
    entries: int


Answer = Held | Refused | Breaker | TaskTerms
"""What a hold is answered with."""

GroupField = Literal["service", "provider", "resource", "task", "state", "priced", "attempt", "fallback_for"]


class Store(TaskStore, FindingStore, CacheStore, Protocol):
    """A durable ledger with one atomic step, `hold`."""

    def hold(self, request: HoldRequest, now_at: int) -> Answer:
        """Reads every window that applies and sets the money aside, or sets nothing aside.

        The terms of its task are the answer, and nothing is set aside, where a model's call was not compared with them.
        """

    def settle(self, hold_id: str, outcome: Outcome, now_at: int) -> Settled:
        """Ends a reservation with what the call did cost. The same again is the same answer.

        Raises:
            ReservationStateError: it ended otherwise, or is not known; nothing was changed.
        """

    def void(self, hold_id: str, now_at: int) -> Settled:
        """Ends a reservation of a call that cost nothing. The same again is the same answer."""

    def book(self, request: HoldRequest, now_at: int) -> Settled:
        """Books a call that was made without a reservation, whatever the limits say."""

    def standings(self, now_at: int) -> list[Standing]:
        """Every limit in every scope that has spent, held or refused something."""

    def limits(self) -> LimitsVersion:
        """The limits in force."""

    def limits_history(self) -> list[LimitsVersion]:
        """Every set of limits that ever was in force, oldest first."""

    def apply_limits(self, limits: LimitSet, source: str, actor: Actor, now_at: int) -> bool:
        """Puts a set of limits in force for every process. False where it already is."""

    def breakers(self, now_at: int) -> tuple[Breaker, ...]:
        """The breakers that are tripped."""

    def trip(self, breaker: Breaker, actor: Actor, now_at: int) -> Event:
        """Blocks every call that the breaker's pattern fits."""

    def reset(self, breaker_field: str, pattern: str, actor: Actor, now_at: int) -> tuple[Event, ...]:
        """Lets the calls through again; empty where nothing was tripped."""

    def processed(self, service: str, count: int, now_at: int) -> None:
        """Adds to the work done by a service: what cost is compared with."""

    def work(self, since_at: int, until_at: int) -> list[tuple[str, int, int]]:
        """(service, minute as an instant, count) of the work done."""

    def begin(self, work: str, hold_id: str, now_at: int) -> None:
        """Remembers under which name a provider knows the work of a reservation, until its bill is collected."""

    def begun(self, work: str) -> str:
        """The reservation of a provider's work, from whatever process it was begun; empty where none is known."""

    def once(self, digest: str, span: int, now_at: int) -> bool:
        """True for one caller among all processes within a span, in microseconds; kept before it returns."""

    def add_imported(self, entries: Iterable[Entry]) -> tuple[int, int]:
        """Adds history that counts in reports and never in windows: (added, already there, by `Entry.id`)."""

    def entries(self, since_at: int = 0, until_at: int = 1 << 62) -> Iterator[Entry]:
        """The entries held or imported in a stretch of time, in order, without reading them all at once."""

    def entry(self, hold_id: str) -> Entry | None:
        """One reservation, or None."""

    def latest(self, service: str, provider: str, resource: str, most: int) -> list[Entry]:
        """Calls of one kind that were settled or lapsed, latest first, among the latest 50,000 or so of all calls."""

    def events(self, since_at: int = 0) -> Iterator[Event]:
        """The events, oldest first."""

    def note(self, event: Event) -> Event:
        """Writes down what a program says has happened; the event as the ledger has it, with the instant it took."""

    def sums(self, by: Sequence[str], since_at: int, until_at: int, every: int = 0) -> Iterator[Sum]:
        """Entries summed by `GroupField`s and, with `every`, by stretches of that many microseconds.

        Imported history and daily sums are in it. `priced` is `exact`, `pattern` (the model's name only fits a
        pattern), `stated` (the caller said what it cost) or `unpriced`; `attempt` is `first` or `retry`; `fallback_for`
        is what a call stands in for. Daily sums are `settled`, `exact`, `first`, and stand in for nothing.
        """

    def totals(self) -> Totals:
        """Head, running total, latest instant and number of entries."""

    def compact(self, before_at: int, now_at: int) -> int:
        """Rolls entries that ended before an instant into daily sums; how many. No total changes."""

    def fault(self) -> str:
        """Why the ledger refuses every booking, such as a lost tail; empty where it does not."""

    def accept_loss(self, usd: int | None, note: str, actor: Actor, now_at: int) -> int:
        """Goes on after a lost tail: charges `usd`, or what is known to be missing, to every limit in dollars.

        Returns:
            The nano-dollars charged.
        """

    def check(self) -> list[str]:
        """What is wrong with the ledger, in words: buckets against entries, sums, checksums. Empty where all is well.

        Reads everything: for `spendgate doctor`, not for decisions.
        """

    def close(self) -> None:
        """Lets go of files and connections. A second close is fine."""
