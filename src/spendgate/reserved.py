"""What a caller holds while a paid call runs: the reservation, and the `with` block around it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Protocol, Self

from spendgate.answers import Receipt
from spendgate.call import Call
from spendgate.errors import AmountError, PriceError, ReservationStateError, StoreError
from spendgate.estimating import Estimate, Report, report
from spendgate.ledger import Held, Outcome, Weight
from spendgate.money import Amount, usd
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Bill

log = logging.getLogger("spendgate")


class Desk(Protocol):
    """The gate, as far as a reservation needs it."""

    def finish(self, hold_id: str, guess: Estimate, said: Report | None, has_tariff: bool) -> Receipt:
        """Ends a reservation: settled with what was said, or voided where that is None."""

    def outcome(self, guess: Estimate, said: Report, has_tariff: bool) -> Outcome:
        """What a reservation is settled with, by what was said of its cost."""

    def remember(self, token: int, weight: Weight | None) -> None:
        """A call that was let through without the ledger has ended: books it later, unless it weighs nothing."""


class Reservation:
    """Money set aside for one call. It ends once: settled, voided, or lapsed.

    `id` is empty where nothing was set aside: the gate is off, or the ledger is away and calls are let through.
    """

    def __init__(self, gate: Desk, guess: Estimate, held: Held | None = None, unrecorded: int | None = None) -> None:
        self._gate = gate
        self._guess = guess
        self._held = held
        self._unrecorded = unrecorded
        self.id = held.id if held else ""

    @property
    def call(self) -> Call:
        """What is paid for."""
        return self._guess.ask.call

    @property
    def max_output_tokens(self) -> int | None:
        """How much the model may be told to write: less than was stated where `clamp` was; None where nobody said."""
        return self._guess.ask.max_output_tokens

    @property
    def at_most(self) -> Decimal:
        """The dollars set aside."""
        return usd(self._held.weight.usd if self._held else self._guess.weight.usd)

    def settle(
        self,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Ends the reservation with what the call did cost: as stated, or as its usage or units are priced.

        With nothing stated it costs what the rate card says, or the whole hold where that cannot say. The same settle
        again is the same answer.

        Raises:
            ReservationStateError: it was settled with another amount, or voided. Nothing was changed.
            AmountError: an amount is none. Nothing was changed; the reservation is still held.
            PriceError: the price says nothing about such usage. The reservation is still held.
            StoreError: the ledger cannot be written. The reservation is still held.
        """
        return self._end(report(cost, usage, units))

    def settle_quietly(self, **said: Any) -> None:
        """Settles, for a caller who has a paid answer in hand: what goes wrong is logged, and the call counts whole."""
        try:
            self.settle(**said)
        except ReservationStateError:
            pass  # it was ended by its id, inside the block
        except (AmountError, PriceError, TypeError) as fault:
            log.warning("spendgate: %s counts whole: %s", self.call.resource, fault)
            self.settle_whole()
        except StoreError as fault:
            log.warning("spendgate: %s stays held, and counts whole: %s", self.id, fault)

    def settle_bills(self, bills: tuple[Bill, ...], marks: frozenset[str] = frozenset()) -> None:
        """Settles with what an answer was read to bill, quietly; the marks say how it was read."""
        try:
            self._end(Report(bills=bills, marks=marks))
        except ReservationStateError as fault:
            log.warning("spendgate: %s was ended already: %s", self.id, fault)
        except (AmountError, PriceError) as fault:
            log.warning("spendgate: %s counts whole: %s", self.call.resource, fault)
            self.settle_whole(marks)
        except StoreError as fault:
            log.warning("spendgate: %s stays held, and counts whole: %s", self.id, fault)

    def settle_whole(self, marks: frozenset[str] = frozenset()) -> None:
        """Settles with all that was set aside, quietly."""
        try:
            self._end(Report(whole=True, marks=marks))
        except (StoreError, ReservationStateError) as fault:
            log.warning("spendgate: %s stays held, and counts whole: %s", self.id, fault)

    def void_quietly(self) -> None:
        """Voids, for a caller who has an answer in hand: what goes wrong is logged, and the call counts whole."""
        try:
            self.void()
        except (StoreError, ReservationStateError) as fault:
            log.warning("spendgate: %s stays held, and counts whole: %s", self.id, fault)

    def void(self) -> Receipt:
        """Ends the reservation: the call was not made, or is known to cost nothing.

        Raises:
            ReservationStateError: it was settled already. Nothing was changed.
        """
        return self._end(None)

    def _end(self, said: Report | None) -> Receipt:
        guess = self._guess
        if self._held is not None:
            return self._gate.finish(self.id, guess, said, guess.tariff_units > 0)
        cost = 0 if said is None else self._gate.outcome(guess, said, has_tariff=False).usd
        weight = guess.weight if cost is None else replace(guess.weight, usd=cost)
        if self._unrecorded is not None:
            self._gate.remember(self._unrecorded, None if said is None else weight)
            self._unrecorded = None
        return Receipt("", usd(weight.usd), usd(guess.weight.usd))

    def abandon(self) -> None:
        """Leaves the reservation held: it will lapse. A call without the ledger is kept, to be booked whole."""
        if self._unrecorded is not None:
            self._gate.remember(self._unrecorded, self._guess.weight)
            self._unrecorded = None


class PaidCall:
    """A `with` block around one paid call. Inside it, `settle` and `void` say what it did cost."""

    def __init__(self, reserve: Callable[[], Reservation]) -> None:
        self._reserve = reserve
        self._ended = False
        self.reservation: Reservation | None = None

    def __enter__(self) -> Self:
        if self.reservation is not None:
            raise ReservationStateError("a call's block is entered once: write gate.call(...) anew for each call")
        self.reservation = self._reserve()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self.reservation is None or self._ended:
            return
        if kind is not None:
            self.reservation.abandon()
            return
        self.reservation.settle_quietly()

    def settle_from(self, settle_from: Callable[[Any], Mapping[str, Any]] | None, result: object) -> None:
        """Settles with what a result says; where that fails the call counts whole, and the result is kept."""
        if settle_from is None:
            return
        try:
            said = dict(settle_from(result) or {})
        except Exception as fault:  # noqa: BLE001 - whatever it raises, the answer is paid for
            log.warning("spendgate: what %r says of the cost cannot be read: %r", settle_from, fault)
            self._inside().settle_whole()
        else:
            self._inside().settle_quietly(**said)
        self._ended = True

    @property
    def id(self) -> str:
        """The reservation's id."""
        return self._inside().id

    def settle(
        self,
        cost: Amount | None = None,
        *,
        usage: Usage | Mapping[str, object] | None = None,
        units: int | Mapping[str, Amount] | None = None,
    ) -> Receipt:
        """Says what the call did cost. See `Reservation.settle`."""
        found = self._inside().settle(cost, usage=usage, units=units)
        self._ended = True
        return found

    def void(self) -> Receipt:
        """Says that the call was not made, or is known to cost nothing."""
        found = self._inside().void()
        self._ended = True
        return found

    def _inside(self) -> Reservation:
        if self.reservation is None:
            raise ReservationStateError("nothing is reserved yet: use the call inside its `with` block")
        return self.reservation
