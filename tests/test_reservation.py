"""The life of a reservation: what may follow what."""

from itertools import product

import pytest

from spendgate.errors import ReservationStateError
from spendgate.reservation import Action, State, after

FOLLOWS: dict[tuple[State, Action], State] = {
    (State.HELD, "settle"): State.SETTLED,
    (State.HELD, "void"): State.VOIDED,
    (State.HELD, "lapse"): State.LAPSED,
    (State.LAPSED, "settle"): State.SETTLED,
    (State.LAPSED, "void"): State.VOIDED,
}
ACTIONS: tuple[Action, ...] = ("settle", "void", "lapse")


@pytest.mark.parametrize(("state", "action"), list(product(State, ACTIONS)))
def test_a_reservation_ends_once(state: State, action: Action) -> None:
    """Held ends in three ways, lapsed is still corrected once, settled and voided are final."""
    if (state, action) in FOLLOWS:
        assert after(state, action) is FOLLOWS[state, action]
    else:
        with pytest.raises(ReservationStateError, match="Nothing was changed"):
            after(state, action, "12-ab")


def test_no_life_is_endless() -> None:
    """Whatever happens, no reservation is held again, and after two steps nothing can happen any more."""
    for first, second, third in product(ACTIONS, repeat=3):
        state, steps = State.HELD, 0
        while steps < 3 and (state, action := (first, second, third)[steps]) in FOLLOWS:
            state, steps = after(state, action), steps + 1
            assert state is not State.HELD
        assert steps < 3


def test_the_error_says_which_and_why() -> None:
    """The message names the reservation, where it stands and what was asked."""
    with pytest.raises(ReservationStateError, match="12-ab is already voided and cannot be settled"):
        after(State.VOIDED, "settle", "12-ab")
