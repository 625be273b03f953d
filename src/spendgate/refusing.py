"""A call that asks to be let through, and what becomes of it where the gate says no. Plain and awaited gates share it.

A policy is looked for from the call outwards: what is stated with it, the `gate.scope` around it, the client that makes
it, the configuration of its service. Whoever can ask for something else does so himself: `paying` another function,
`metering` another model. Here are the ways that every call has: to wait, to ask for less, to be skipped.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from spendgate.call import Call
from spendgate.clock import Clock
from spendgate.errors import (
    BlockedError,
    EscalationError,
    LoopError,
    RefusedError,
    ReservationStateError,
    RetryBudgetError,
    SpendLimitError,
    StoreError,
    TierLockedError,
)
from spendgate.estimating import estimate, most_output
from spendgate.ledger import Event, Store
from spendgate.limits import unit_scale
from spendgate.money import MAX_LIMIT_NANOS, nanos, scaled
from spendgate.policies import NOTHING, RAISE, Policy, Services, nearest, needs_fallback, over, policy
from spendgate.reserved import Reservation
from spendgate.stating import Ask, Stated

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook

log = logging.getLogger("spendgate")

STATED = frozenset({"when_refused", "wait", "clamp"})
"""What a call states of its own policy."""
HEARD = 8
"""How many refusals a block remembers, in case one of them leaves it."""


class Desk(Protocol):
    """The gate, as far as refusals need it."""

    store: Store
    clock: Clock
    prices: "PriceBook"
    services: Services
    defaults: tuple[int, int]

    def ask(self, resource: str, stated: Stated) -> Ask:
        """What a caller states, read strictly and completed from the scope around the call."""

    def deadline(self, wait_s: float) -> int:
        """The instant up to which a call waits for room."""

    def attempt(self, ask: Ask, deadline_at: int) -> Reservation | float:
        """Tries once: the reservation, or how many seconds to wait before trying again."""

    def tell(self, events: tuple[Event, ...]) -> None:
        """Tells the listeners."""


class Asking:
    """A call on its way in: `step` is tried until it gives the reservation, with a pause before each further time."""

    def __init__(self, desk: Desk, resource: str, stated: Stated) -> None:
        """Reads what is stated.

        Raises:
            AmountError: an argument is no amount, no name or no policy.
        """
        self._desk = desk
        self.ask = desk.ask(resource, stated)
        said = said_by(stated)
        needs_fallback(said)
        self.policy = policy_of(desk, self.ask.call.service, said)
        self._least = said.least_output
        self._deadline_at = desk.deadline(self.policy.wait) if self.policy.wait else 0

    def step(self) -> Reservation | float:
        """Tries once: the reservation, or how many seconds to wait before the next time. Raises as `Gate.reserve`."""
        while True:
            try:
                return self._desk.attempt(self.ask, self._deadline_at)
            except RefusedError as refusal:
                if not self._asks_for_less(refusal):
                    hear(self._desk, refusal, self.ask, skips=self.policy.when_refused == "skip")
                    raise

    def _asks_for_less(self, refusal: RefusedError) -> bool:
        """Whether the call goes on with less output. Only where it was stated with the call: its caller must know."""
        if not self._least:
            return False
        fitting = fitting_output(self._desk, self.ask, refusal)
        if fitting < self._least:
            return False
        self.ask = replace(self.ask, max_output_tokens=fitting)
        return True


def said_by(stated: Stated) -> Policy:
    """What a call states of its own policy."""
    if not STATED.intersection(stated):
        return NOTHING
    if stated.get("when_refused") == "raise" and not ("wait" in stated or "clamp" in stated):
        return RAISE
    return policy(stated.get("when_refused", ""), wait=stated.get("wait", 0), clamp=stated.get("clamp"))


def policy_of(desk: Desk, service: str, *said: Policy) -> Policy:
    """The policy that holds for a call, by what was said of it, nearest first: the scope's stands after the first."""
    call, *others = said
    if call is RAISE or (not desk.services.rules and around() is NOTHING and said.count(NOTHING) == len(said)):
        return RAISE
    return nearest(call, around(), *others, desk.services.of(service).refused)


def fitting_output(desk: Desk, ask: Ask, refusal: RefusedError) -> int:
    """The most tokens of output with which a call fits into what it was refused by; 0 where none do.

    Several limits may refuse a call one after the other: each time fewer fit. Where no fewer would help, none do.
    """
    if isinstance(refusal, SpendLimitError):
        unit, headroom = refusal.unit, refusal.headroom
    elif isinstance(refusal, RetryBudgetError):
        unit, headroom = "usd", max(refusal.budget - refusal.spent - refusal.held, Decimal(0))
    else:
        return 0
    left = scaled(headroom, unit_scale(unit), "headroom", MAX_LIMIT_NANOS)
    most = most_output(ask, desk.prices, desk.clock.now(), unit=unit, left=left, default_input=desk.defaults[0])
    return most if ask.max_output_tokens is None or most < ask.max_output_tokens else 0


_policy: ContextVar[Policy] = ContextVar("spendgate_policy", default=NOTHING)


def around() -> Policy:
    """What the scopes around this place say of refused calls."""
    return _policy.get()


@contextmanager
def holding(said: Policy) -> Iterator[None]:
    """Around calls for which a policy holds; what an inner one leaves out is the outer one's."""
    token = _policy.set(over(said, _policy.get()))
    try:
        yield
    finally:
        _policy.reset(token)


@dataclass(slots=True)
class Heard:
    """A refusal that left the gate: of which call, the nano-dollars it asked for, and whether it is written down."""

    refusal: RefusedError
    call: Call
    usd: int
    is_written: bool = False


class Skipping:
    """A block around the work on one record, which ends quietly where a call of it is refused: see `Gate.skipping`.

    `refusal` is what ended it, or None. Nothing but a refusal is kept from leaving.
    """

    def __init__(self, desk: Desk, key: str) -> None:
        self.key = Call(key=key).key
        self.refusal: RefusedError | None = None
        self._desk = desk
        self._heard: list[Heard] = []
        self._leave: Callable[[], None] | None = None

    @property
    def is_skipped(self) -> bool:
        """Whether a refusal ended the block."""
        return self.refusal is not None

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> bool:
        self.leave()
        return self.ends_quietly(fault)

    def enter(self) -> None:
        """Begins to hear of refusals in this thread or asyncio task; the first half of entering and leaving."""
        if self._leave is not None:
            raise ReservationStateError("a block of gate.skipping is entered once: write it anew for each record")
        token = _block.set(self)
        self._leave = lambda: _block.reset(token)

    def leave(self) -> None:
        """Ends what `enter` began."""
        if self._leave is not None:
            self._leave()

    def ends_quietly(self, fault: BaseException | None) -> bool:
        """Whether what leaves the block is a refusal, which is written down then, once."""
        if not isinstance(fault, RefusedError):
            return False
        self.refusal = fault
        heard = next((one for one in self._heard if one.refusal is fault), Heard(fault, Call(), asked(fault, 0)))
        if not heard.is_written:
            write(self._desk, heard, self.key)
        return True

    def hears(self, heard: Heard) -> None:
        """Remembers a refusal: it may be the one that leaves the block."""
        others = [one for one in self._heard if one.refusal is not heard.refusal]
        self._heard = [*others[-HEARD + 1 :], heard]


_block: ContextVar[Skipping | None] = ContextVar("spendgate_skipping", default=None)


def hear(desk: Desk, refusal: RefusedError, ask: Ask, *, skips: bool) -> None:
    """Tells the block around a call that it was refused for good, and writes it down where its policy is to skip."""
    block = _block.get()
    if block is None and not skips:
        return
    usd = estimate(ask, desk.prices, desk.clock.now(), *desk.defaults).weight.usd
    heard = Heard(refusal, ask.call, asked(refusal, usd))
    if skips:
        write(desk, heard, block.key if block is not None else "")
    if block is not None:
        block.hears(heard)


def write(desk: Desk, heard: Heard, key: str) -> None:
    """Writes a skipped call into the ledger, for review. A ledger that is away is said, and the call is skipped."""
    heard.is_written = True
    call = heard.call
    limit, scope = refused_by(heard.refusal)
    data: dict[str, Any] = {name: getattr(call, name) for name in ("service", "provider", "resource", "task")}
    data |= {"key": call.key or key, "usd": heard.usd, "error": type(heard.refusal).__name__}
    try:
        desk.tell((desk.store.note(Event(desk.clock.now(), "skipped", limit, scope, data)),))
    except StoreError as fault:
        log.warning("spendgate: a call to %s was skipped, and that is not in the ledger: %s", call.resource, fault)


def asked(refusal: RefusedError, usd: int) -> int:
    """The nano-dollars that a refused call asked for: as its refusal says, else as it was estimated."""
    in_dollars = isinstance(refusal, RetryBudgetError) or (
        isinstance(refusal, SpendLimitError) and refusal.unit == "usd"
    )
    return nanos(refusal.requested, "requested", MAX_LIMIT_NANOS) if in_dollars else usd  # type: ignore[attr-defined]


def refused_by(refusal: RefusedError) -> tuple[str, str]:
    """What refused a call, and the scope that it counted there."""
    if isinstance(refusal, SpendLimitError):
        return refusal.limit, refusal.scope
    if isinstance(refusal, BlockedError):
        return "breaker", refusal.scope
    if isinstance(refusal, LoopError):
        return "same-request", f"service={refusal.service}"
    names = {RetryBudgetError: "retry budget", TierLockedError: "tier", EscalationError: "escalation"}
    return names.get(type(refusal), "refused"), getattr(refusal, "task", "")
