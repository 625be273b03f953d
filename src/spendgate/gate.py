"""The gate in front of every paid call: the path of a dollar, top to bottom.

A call is estimated, that much is reserved in the ledger, the caller makes the call, what it cost settles the
reservation. What is not settled stays held, lapses, and counts as spent.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, Unpack

from spendgate import attribution
from spendgate.answers import Receipt, Status, blocked_error, pause, receipt, refusal_error, status
from spendgate.backlog import Backlog
from spendgate.billing import settlement
from spendgate.cache_watching import CacheDesk
from spendgate.call import MAX_NAME, Call, check_text, tags_from
from spendgate.calling import CallDesk
from spendgate.clock import SECOND, Clock, SystemClock
from spendgate.errors import AmountError, LostTailError, ReservationStateError, StoreError
from spendgate.estimating import Estimate, Report, estimate, outcome, report
from spendgate.freshness import span_for
from spendgate.learning import Learned, in_full
from spendgate.ledger import (
    LAPSE_AFTER,
    LAPSE_AFTER_BATCH,
    Actor,
    Breaker,
    Entry,
    Event,
    Held,
    HoldRequest,
    Outcome,
    Refused,
    Settled,
    Store,
    Weight,
)
from spendgate.money import Amount, quantity, usd
from spendgate.once import OnceDesk
from spendgate.policies import Services
from spendgate.pricing.usage import MAX_OUTPUT_TOKENS, Usage
from spendgate.recalled import recalled
from spendgate.reservation import State
from spendgate.reserved import Reservation
from spendgate.sights import Sights
from spendgate.stating import Ask, Stated, check_stated, read_ask
from spendgate.tasks import counts_dollars
from spendgate.taskterms import TaskRules, TaskTerms
from spendgate.unrecorded import Unrecorded
from spendgate.wire.exchange import Bill

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook

log = logging.getLogger("spendgate")

C = TypeVar("C")
Mode = Literal["enforce", "observe", "off"]


class Listener(Protocol):
    """Somebody who is told what happened. It must not block, and what it raises is not noticed."""

    def entry(self, entry: Entry) -> None:
        """A reservation ended."""

    def events(self, events: tuple[Event, ...]) -> None:
        """States changed."""

    def close(self) -> None:
        """No more will come."""


class Gate(CallDesk, OnceDesk, CacheDesk):
    """Sets money aside before a paid call is sent, or refuses it. Threads may share a gate; so may forked children.

    `spendgate.open()` makes one from a configuration; here every part is handed in.

    Raises:
        AmountError: `version` is not one line of at most 200 characters.
    """

    def __init__(
        self,
        store: Store,
        *,
        actor: Callable[[], Actor] = Actor,
        clock: Clock | None = None,
        prices: "PriceBook | None" = None,
        service: str = "",
        version: str = "",
        mode: Mode = "enforce",
        unavailable: Literal["refuse", "allow"] = "refuse",
        lapse_after: int = LAPSE_AFTER,
        lapse_after_batch: int = LAPSE_AFTER_BATCH,
        default_input_tokens: int = 0,
        default_output_tokens: int = 0,
        listeners: tuple[Listener, ...] = (),
        rules: TaskRules | None = None,
        services: Services | None = None,
    ) -> None:
        self.store = store
        self.clock: Clock = clock or SystemClock()
        self.prices = prices or _price_list()
        check_text("version", version, MAX_NAME)
        self.service = service
        self.version = version
        self.mode = mode
        self.unavailable = unavailable
        self.listeners = listeners
        self._actor = actor
        self._lapse = {False: lapse_after, True: lapse_after_batch}
        self.default_output_tokens = default_output_tokens or MAX_OUTPUT_TOKENS
        self.defaults = (default_input_tokens, default_output_tokens)
        self._unrecorded = Unrecorded()
        self.backlog = Backlog(lambda: not getattr(store, "in_midst", False))
        self.rules = rules or TaskRules()
        self.services = services or Services()
        self._learned = Learned()
        self._known: dict[str, TaskTerms] = {}
        self._locked: set[tuple[str, str]] = set()
        self._sights = Sights(self.rules.same_request, self.rules.within)

    def reserve(self, *, resource: str, **stated: Unpack[Stated]) -> Reservation:
        """Sets the most that a call can cost aside, in every limit that applies, or nothing.

        Args:
            resource: what has a price: a model's name, or an API such as `clearbit.enrich`.
            stated: what is known of the call, and what becomes of it where there is no room: see `Stated`.

        Raises:
            SpendLimitError: a limit leaves no room. Nothing was reserved.
            BlockedError: the breaker was tripped. Nothing was reserved.
            RetryBudgetError: the task has no money left for retries. Nothing was reserved.
            TierLockedError: the task is held to a cheaper model. Nothing was reserved.
            LoopError: the same request was sent too often. Nothing was reserved.
            PriceError: no price is known and a limit in dollars applies. Nothing was reserved.
            StoreError: the ledger cannot be read or written. Nothing was reserved.
            AmountError: an argument is no amount or no name. Nothing was reserved.
        """
        asking = self.asking(resource, stated)
        while True:
            found = asking.step()
            if isinstance(found, Reservation):
                return found
            self.clock.sleep(found)

    def attempt(self, ask: Ask, deadline_at: int) -> Reservation | float:
        """Tries once: the reservation, or how many seconds to wait before trying again. Raises as `reserve` does."""
        now_at = self.clock.now()
        guess = self._estimate(ask, now_at)
        if self.mode == "off":
            return Reservation(self, guess)
        sight = self._sights.look(ask.call.service, ask.fingerprint, now_at)
        request = guess.request(self._actor(), self.mode == "enforce", sight.mark, bool(self.backlog))
        answer: Held | Refused | Breaker | Reservation | None = None
        try:
            self._unrecorded.book(self.store, now_at)
            if guess.unpriced and counts_dollars(self.store, request):
                raise guess.fault or AssertionError
            answer = self.hold_in_task(guess, request, now_at)
        except LostTailError:
            raise
        except StoreError as fault:
            answer = self._without_ledger(guess, request, fault)
        finally:
            if not isinstance(answer, (Held, Reservation)):
                self._sights.undo(sight)
        if isinstance(answer, Held):
            self.tell(answer.events)
            self._note_load(answer.id)
            return Reservation(self, guess, answer)
        if isinstance(answer, Reservation):
            return answer
        if isinstance(answer, Breaker):
            raise blocked_error(answer)
        self.tell(answer.events)
        span = pause(answer, now_at, deadline_at)
        if span is None:
            raise refusal_error(answer, ask.call, guess.remedy)
        return span / SECOND

    def _estimate(self, ask: Ask, now_at: int) -> Estimate:
        """The most that a call can cost; where its service learns, the most that such calls have cost."""
        guess = estimate(ask, self.prices, now_at, *self.defaults)
        if self.mode == "off" or not self.services.of(ask.call.service).learns:
            return guess
        return self._learned.lower(guess, self.store, self.prices, now_at, self.defaults[0])

    def wrap(self, client: C, **terms: Any) -> C:
        """A client like the one given, whose calls pass the gate: refused before anything is sent, or settled.

        It may be of an LLM's SDK or of an HTTP library; docs/clients.md says which ones. The one given stays as it is.

        Args:
            client: the client.
            terms: how its calls are made where nothing nearer to a call says otherwise: see `spendgate.metering.Terms`.

        Raises:
            TypeError: nothing is known of such clients, or a term is not known.
        """
        wrapped: C = import_module("spendgate.integrations").wrap(self, client, **terms)
        return wrapped

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
        return self.finish(hold_id, recalled(entry, self.prices), said, entry.tariff is not None)

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
        self.backlog.flush()
        return [status(standing) for standing in self.store.standings(self.clock.now())]

    def close(self) -> None:
        """Tells the listeners what is left, and lets go of the ledger. What is still held stays held."""
        self.backlog.flush()
        self._close_caches()
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
        found = self.outcome(guess, said, has_tariff)
        if self.version and guess.ask.fresh_for:  # the others are no duplicates, and begin no finding
            found = replace(found, version=self.version)
        return self._told(self.store.settle(hold_id, found, now_at))

    def outcome(self, guess: Estimate, said: Report, has_tariff: bool) -> Outcome:
        """What a reservation is settled with, by what was said of its cost."""
        if said.bills:
            return in_full(guess, settlement(guess, said, self.prices, self.clock.now()))
        return in_full(guess, outcome(guess.ask, guess.price, said, has_tariff))

    def begin(self, work: str, reservation: Reservation) -> None:
        """A provider goes on with a call in the background, under a name by which its bill is collected later."""
        try:
            self.store.begin(work, reservation.id, self.clock.now())
        except StoreError as fault:
            log.warning("spendgate: %s stays held, and counts whole: %s", reservation.id, fault)

    def collect(self, work: str, bills: tuple[Bill, ...]) -> None:
        """Settles the reservation of a provider's work, whoever began it, once its bill is seen. Again is fine.

        Raises:
            StoreError: the ledger cannot be read or written; the reservation is still held.
        """
        entry = self.store.entry(self.store.begun(work))
        if entry is not None and entry.state is not State.SETTLED:
            self.finish(entry.id, recalled(entry, self.prices), Report(bills=bills), entry.tariff is not None)

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
            attempt=stated.get("attempt", around.attempt or 1),
            key=stated.get("key", around.key),
            tags=tags_from({**dict(around.tags), **(stated.get("tags") or {})}),
        )
        lapse_after = self._lapse[bool(stated.get("batch") or stated.get("background"))]
        fresh = span_for(stated, around.fresh_for, self.rules.fresh, call)
        return read_ask(call, stated, lapse_after, fresh)

    def deadline(self, wait_s: float) -> int:
        """The instant up to which a call waits for room."""
        return self.clock.now() + round(wait_s * SECOND)

    def _without_ledger(self, guess: Estimate, request: HoldRequest, fault: StoreError) -> Reservation:
        if self.unavailable == "refuse" and self.mode == "enforce":
            raise fault
        log.warning("spendgate: a call to %s goes unrecorded: %s", request.call.resource, fault)
        return Reservation(self, guess, unrecorded=self._unrecorded.begin(request))


def _text(hold_id: object) -> str:
    if not isinstance(hold_id, str):
        raise AmountError("hold_id", hold_id, "it must be the text that `reserve` gave as id")
    return hold_id


def _price_list() -> "PriceBook":
    from spendgate.pricing.book import PriceBook

    return PriceBook()
