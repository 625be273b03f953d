"""The gate in front of every paid call: the path of a dollar, top to bottom.

A call is estimated, that much is reserved in the ledger, the caller makes the call, what it cost settles the
reservation. What is not settled stays held, lapses, and counts as spent.
"""

import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, Self, TypeVar, Unpack

from spendgate import attribution
from spendgate.answers import Receipt, Status, blocked_error, limit_error, pause, receipt, status
from spendgate.call import Call, tags_from
from spendgate.clock import SECOND, Clock, SystemClock
from spendgate.errors import AmountError, LostTailError, PriceError, ReservationStateError, StoreError
from spendgate.estimating import (
    TIER,
    Ask,
    Estimate,
    Report,
    Stated,
    check_stated,
    estimate,
    keyed,
    outcome,
    read_ask,
    report,
)
from spendgate.ledger import (
    LAPSE_AFTER,
    LAPSE_AFTER_BATCH,
    Actor,
    Breaker,
    Entry,
    Event,
    Held,
    HoldRequest,
    Settled,
    Store,
    Weight,
)
from spendgate.limits import applying
from spendgate.money import Amount, decimal, quantity, usd
from spendgate.pricing.usage import Usage
from spendgate.reserved import PaidCall, Reservation
from spendgate.unrecorded import Unrecorded

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price

log = logging.getLogger("spendgate")

P = ParamSpec("P")
R = TypeVar("R")
Mode = Literal["enforce", "observe", "off"]


class Listener(Protocol):
    """Somebody who is told what happened. It must not block, and what it raises is not noticed."""

    def entry(self, entry: Entry) -> None:
        """A reservation ended."""

    def events(self, events: tuple[Event, ...]) -> None:
        """States changed."""

    def close(self) -> None:
        """No more will come."""


class Gate:
    """Sets money aside before a paid call is sent, or refuses it. Threads may share a gate; so may forked children.

    `spendgate.open()` makes one from a configuration; here every part is handed in.
    """

    def __init__(
        self,
        store: Store,
        *,
        actor: Callable[[], Actor] = Actor,
        clock: Clock | None = None,
        prices: "PriceBook | None" = None,
        service: str = "",
        mode: Mode = "enforce",
        unavailable: Literal["refuse", "allow"] = "refuse",
        lapse_after: int = LAPSE_AFTER,
        lapse_after_batch: int = LAPSE_AFTER_BATCH,
        default_input_tokens: int = 0,
        default_output_tokens: int = 0,
        listeners: tuple[Listener, ...] = (),
    ) -> None:
        self.store = store
        self.clock: Clock = clock or SystemClock()
        self.prices = prices or _price_list()
        self.service = service
        self.mode = mode
        self.unavailable = unavailable
        self.listeners = listeners
        self._actor = actor
        self._lapse = {False: lapse_after, True: lapse_after_batch}
        self._defaults = (default_input_tokens, default_output_tokens)
        self._unrecorded = Unrecorded()

    def reserve(self, *, resource: str, **stated: Unpack[Stated]) -> Reservation:
        """Sets the most that a call can cost aside, in every limit that applies, or nothing.

        Args:
            resource: what has a price: a model's name, or an API such as `clearbit.enrich`.
            stated: what is known of the call: see `Stated`. `wait` is how many seconds to wait for room.

        Raises:
            SpendLimitError: a limit leaves no room. Nothing was reserved.
            BlockedError: the breaker was tripped. Nothing was reserved.
            PriceError: no price is known and a limit in dollars applies. Nothing was reserved.
            StoreError: the ledger cannot be read or written. Nothing was reserved.
            AmountError: an argument is no amount or no name. Nothing was reserved.
        """
        ask = self.ask(resource, stated)
        deadline_at = self.deadline(stated)
        while True:
            found = self.attempt(ask, deadline_at)
            if isinstance(found, Reservation):
                return found
            self.clock.sleep(found)

    def attempt(self, ask: Ask, deadline_at: int) -> Reservation | float:
        """Tries once: the reservation, or how many seconds to wait before trying again. Raises as `reserve` does."""
        now_at = self.clock.now()
        guess = estimate(ask, self.prices, now_at, *self._defaults)
        if self.mode == "off":
            return Reservation(self, guess)
        request = guess.request(self._actor(), self.mode == "enforce")
        try:
            self._unrecorded.book(self.store, now_at)
            if guess.unpriced and self._counts_dollars(request):
                raise guess.fault or AssertionError
            answer = self.store.hold(request, now_at)
        except LostTailError:
            raise
        except StoreError as fault:
            return self._without_ledger(guess, request, fault)
        if isinstance(answer, Held):
            self.tell(answer.events)
            return Reservation(self, guess, answer)
        if isinstance(answer, Breaker):
            raise blocked_error(answer)
        self.tell(answer.events)
        span = pause(answer, now_at, deadline_at)
        if span is None:
            raise limit_error(answer, guess.remedy)
        return span / SECOND

    def call(self, resource: str, **stated: Unpack[Stated]) -> PaidCall:
        """A block around a paid call: reserved on entering, settled on leaving. Takes what `reserve` takes.

        Left normally without `settle` or `void`, it is settled from the rate card, or with the whole hold where that
        cannot say what it cost. Left by an exception, it stays held and lapses: it counts as spent.
        """
        return PaidCall(lambda: self.reserve(resource=resource, **stated))

    def paid(
        self,
        resource: str,
        *,
        key_from: Callable[..., object] | None = None,
        settle_from: Callable[[Any], Mapping[str, Any]] | None = None,
        **stated: Unpack[Stated],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Makes every call of a function, or every run of a generator, a paid call.

        Args:
            resource: what has a price.
            key_from: from the function's arguments to the piece of work it is for.
            settle_from: from what the function returns to the arguments of `settle`.
            stated: what `reserve` takes.
        """
        check_stated(stated)

        def wrap(function: Callable[P, R]) -> Callable[P, R]:
            check_function(function)

            def start(args: Any, kwargs: Any) -> PaidCall:
                return self.call(resource, **keyed(stated, key_from, args, kwargs))

            @functools.wraps(function)
            def run(*args: P.args, **kwargs: P.kwargs) -> R:
                with start(args, kwargs) as call:
                    result = function(*args, **kwargs)
                    if inspect.isawaitable(result):
                        call.void()
                        raise TypeError(f"{function!r} gives something to await: use a gate of spendgate.aio.open()")
                    call.settle_from(settle_from, result)
                    return result

            @functools.wraps(function)
            def run_generator(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
                with start(args, kwargs) as call:
                    result = yield from function(*args, **kwargs)  # type: ignore[misc]
                    call.settle_from(settle_from, result)
                    return result  # type: ignore[no-any-return]

            return run_generator if inspect.isgeneratorfunction(function) else run  # type: ignore[return-value]

        return wrap

    def scope(
        self, service: str = "", *, task: str = "", tags: Mapping[str, object] | None = None
    ) -> AbstractContextManager[None]:
        """Says for whom the calls inside a `with` block are made, where they do not say so themselves."""
        return attribution.scope(service, task, tags)

    def settle(
        self,
        hold_id: str,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Settles a reservation by its id, from any process. See `Reservation.settle`.

        An empty id, which a gate that is off gives, is nothing to settle.
        """
        said = report(cost, usage, units)
        if hold_id == "" and (self.mode == "off" or self.unavailable == "allow"):
            return Receipt("", usd(said.cost or 0), usd(0))
        entry = self.store.entry(_text(hold_id))
        if entry is None:
            raise ReservationStateError(f"reservation {hold_id[:60]!r} is not known here. Nothing was changed.")
        ask = _ask_again(entry)
        price = self._price_then(entry)
        result = self.store.settle(hold_id, outcome(ask, price, said, entry.tariff is not None), self.clock.now())
        return self._told(result)

    def _price_then(self, entry: Entry) -> "Price | None":
        try:
            return self.prices.price(entry.call.provider, entry.call.resource, entry.held_at)
        except PriceError:
            return None

    def void(self, hold_id: str) -> Receipt:
        """Ends a reservation by its id: the call was not made, or is known to cost nothing."""
        if hold_id == "" and (self.mode == "off" or self.unavailable == "allow"):
            return Receipt("", usd(0), usd(0))
        return self._told(self.store.void(_text(hold_id), self.clock.now()))

    def processed(self, count: int, *, service: str = "") -> None:
        """Adds to the work done: what cost is compared with.

        Raises:
            AmountError: `count` is no whole number from 0 on. Nothing was added.
        """
        count = quantity(count, "count")
        if self.mode != "off":
            name = service or attribution.current().service or self.service
            self.store.processed(Call(service=name).service, count, self.clock.now())

    def status(self) -> list[Status]:
        """How every limit stands, in every scope that has spent, held or refused something."""
        return [status(standing) for standing in self.store.standings(self.clock.now())]

    def close(self) -> None:
        """Tells the listeners what is left, and lets go of the ledger. What is still held stays held."""
        self.book_unrecorded()
        for listener in self.listeners:
            listener.close()
        self.store.close()

    @property
    def unrecorded_calls(self) -> int:
        """How many calls were let through while the ledger was away, so far."""
        return self._unrecorded.calls

    def book_unrecorded(self) -> None:
        """Books the calls that were let through while the ledger was away; a call still running counts whole."""
        self._unrecorded.close(self.store, self.clock.now())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def finish(self, hold_id: str, guess: Estimate, said: Report | None, has_tariff: bool) -> Receipt:
        """Ends a reservation of this process: settled with what was said, or voided where that is None."""
        now_at = self.clock.now()
        if said is None:
            return self._told(self.store.void(hold_id, now_at))
        return self._told(self.store.settle(hold_id, outcome(guess.ask, guess.price, said, has_tariff), now_at))

    def remember(self, token: int, weight: Weight | None) -> None:
        """A call that was let through without the ledger has ended: books it later, unless it weighs nothing."""
        self._unrecorded.end(token, weight)

    def tell(self, events: tuple[Event, ...]) -> None:
        """Tells the listeners; whatever they do, the gate goes on."""
        for listener in self.listeners if events else ():
            try:
                listener.events(events)
            except Exception:
                log.exception("spendgate: a listener failed; the gate goes on")

    def _told(self, settled: Settled) -> Receipt:
        for listener in self.listeners:
            try:
                listener.entry(settled.entry)
            except Exception:
                log.exception("spendgate: a listener failed; the gate goes on")
        self.tell(settled.events)
        return receipt(settled)

    def ask(self, resource: str, stated: Stated) -> Ask:
        """What a caller states, read strictly and completed from the scope around the call.

        Raises:
            AmountError: an argument is no amount or no name.
        """
        check_stated(stated)
        if not resource:
            raise AmountError("resource", resource, "name what is paid for, such as clearbit.enrich or a model")
        around = attribution.current()
        call = Call(
            service=stated.get("service") or around.service or self.service,
            provider=stated.get("provider", ""),
            resource=resource,
            task=stated.get("task") or around.task,
            attempt=stated.get("attempt", 1),
            key=stated.get("key", ""),
            tags=tags_from({**dict(around.tags), **(stated.get("tags") or {})}),
        )
        return read_ask(call, stated, self._lapse[bool(stated.get("batch"))])

    def deadline(self, stated: Stated) -> int:
        """The instant up to which a call waits for room."""
        return self.clock.now() + round(float(decimal(str(stated.get("wait", 0)), "wait")) * SECOND)

    def _counts_dollars(self, request: HoldRequest) -> bool:
        """Whether a limit in dollars applies, so that a call without a price must not pass."""
        if not request.enforce:
            return False
        rows = applying(self.store.limits().limits.limits, request.call)
        return any(limit.unit == "usd" and limit.at_limit != "observe" for limit, _ in rows)

    def _without_ledger(self, guess: Estimate, request: HoldRequest, fault: StoreError) -> Reservation:
        if self.unavailable == "refuse" and self.mode == "enforce":
            raise fault
        log.warning("spendgate: a call to %s goes unrecorded: %s", request.call.resource, fault)
        return Reservation(self, guess, unrecorded=self._unrecorded.begin(request))


def check_function(function: Callable[..., object]) -> None:
    """Looks at what is to be made a paid function.

    Raises:
        TypeError: it is asynchronous, or not a function yet.
    """
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise TypeError(f"{function!r} is no function yet: put the decorator below @staticmethod and @classmethod")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function!r} is asynchronous: use a gate of spendgate.aio.open()")


def _text(hold_id: object) -> str:
    if not isinstance(hold_id, str):
        raise AmountError("hold_id", hold_id, "it must be the text that `reserve` gave as id")
    return hold_id


def _ask_again(entry: Entry) -> Ask:
    """What was asked when an entry was held, as far as the ledger knows."""
    units = tuple((name, Decimal(parts).scaleb(-6)) for name, parts in entry.reserved.units)
    tier = next((mark.removeprefix(TIER) for mark in entry.marks if mark.startswith(TIER)), "")
    return Ask(
        entry.call,
        entry.reserved.usd,
        calls=entry.reserved.calls,
        units=units,
        batch="batch" in entry.marks,
        service_tier=tier,
    )


def _price_list() -> "PriceBook":
    from spendgate.pricing.book import PriceBook

    return PriceBook()
