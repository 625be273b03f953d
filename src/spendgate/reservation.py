"""The life of a reservation, as a table: held, then settled, voided or lapsed.

A lapsed reservation has ended for the windows, which go on counting it whole; the word that arrives late still corrects
what was booked, once.

>>> after(State.HELD, "settle"), after(State.LAPSED, "settle")
(<State.SETTLED: 'settled'>, <State.SETTLED: 'settled'>)
"""

from enum import StrEnum
from typing import Literal

from spendgate.errors import ReservationStateError


class State(StrEnum):
    """Where a reservation stands."""

    HELD = "held"
    SETTLED = "settled"
    VOIDED = "voided"
    LAPSED = "lapsed"


Action = Literal["settle", "void", "lapse"]

_AFTER: dict[tuple[State, Action], State] = {
    (State.HELD, "settle"): State.SETTLED,
    (State.HELD, "void"): State.VOIDED,
    (State.HELD, "lapse"): State.LAPSED,
    (State.LAPSED, "settle"): State.SETTLED,
    (State.LAPSED, "void"): State.VOIDED,
}


def after(state: State, action: Action, name: str = "the reservation") -> State:
    """The state that an action leads to.

    Raises:
        ReservationStateError: the reservation has already ended; nothing was changed.

    >>> after(State.VOIDED, "settle", "12-ab")
    Traceback (most recent call last):
    spendgate.errors.ReservationStateError: 12-ab is already voided and cannot be settled...
    """
    found = _AFTER.get((state, action))
    if found is None:
        verb = {"settle": "settled", "void": "voided", "lapse": "lapsed"}[action]
        raise ReservationStateError(
            f"{name} is already {state} and cannot be {verb}: a reservation ends once. Nothing was changed."
        )
    return found
