"""Calls that a framework has asked the gate for, seen again below it, where they are sent: they are asked for once.

A framework's handler sets money aside for a call of a model, and the model's SDK may send it through a client that
passes the gate as well. What it sends first is covered by the handler. What it sends again after that failed is a
further attempt, for which the cover sets money aside anew: below the framework retries can be seen. Nothing else is
covered, so that no other call slips through in its place.
"""

import threading
from collections.abc import Callable
from contextvars import ContextVar

_COVERS: ContextVar[tuple["Cover", ...]] = ContextVar("spendgate_covers", default=())


class Cover:
    """A reservation that stands for what is sent below. `sent` counts the requests that were sent under it.

    Args:
        again: sets money aside for one more attempt, after one that cost nothing (True) or may have been billed.
            Raises as `Gate.reserve` does.
    """

    def __init__(self, again: Callable[[bool], object]) -> None:
        self.sent = 0
        self._again = again
        self._is_waiting = True
        self._is_over = False
        self._was_free = True
        self._guard = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, as far as the framework is concerned."""
        return self._is_over

    def end(self) -> None:
        """The call is over: nothing is covered any more."""
        self._is_over = True

    def take(self) -> bool:
        """Whether it covers a request that is about to be sent: the first, or one after a request that failed."""
        with self._guard:
            is_free_to_send, self._is_waiting = self._is_waiting and not self._is_over, False
            self.sent += is_free_to_send
            return is_free_to_send

    @property
    def is_again(self) -> bool:
        """Whether what was taken is not the first, so that money must be set aside for it."""
        return self.sent > 1

    def begin_again(self) -> None:
        """Sets that money aside. Raises as `Gate.reserve` does."""
        self._again(self._was_free)

    def failed(self, *, is_free: bool) -> None:
        """What was sent brought no answer, or an error: the SDK may send it again."""
        with self._guard:
            self._was_free, self._is_waiting = is_free, True


def add(cover: Cover) -> None:
    """Covers what is sent from here on, in this thread or task and in those that it begins, until the cover ends."""
    _COVERS.set((*(one for one in _COVERS.get() if not one.is_over), cover))


def taken() -> Cover | None:
    """The cover of a request that is about to be sent, if there is one: the innermost that is still to be sent."""
    covers = _COVERS.get()
    return next((one for one in reversed(covers) if one.take()), None) if covers else None
