"""Side effects that must not repeat, such as a notification: one caller among all processes may go on.

It is *at most* once: the ledger says so before the effect happens, so a program that dies between the two has had its
turn, and nobody gets another within the span.
"""

import logging
import threading

from spendgate.call import MAX_NAME
from spendgate.clock import Clock
from spendgate.errors import AmountError, LostTailError, StoreError
from spendgate.freshness import digest, span_of
from spendgate.ledger import Store

log = logging.getLogger("spendgate")


class OnceDesk:
    """The gate, as far as things go that must happen once."""

    store: Store
    clock: Clock
    mode: str
    unavailable: str
    _passed_unseen: int = 0
    _counting = threading.Lock()

    def once(self, action: str, key: str, within: str = "24h") -> bool:
        """True for exactly one caller within a span, across threads and processes; False for all others.

        The ledger has kept it before this returns: a process that is killed right afterwards has had its turn. What is
        kept is a digest, never the key. The span with which a key was taken holds for it: exactly at its end the key is
        free again.

        Args:
            action: what must not repeat, such as `welcome-mail`.
            key: for whom or what, such as a customer's number; as long as you like.
            within: the span, such as `"24h"`, at most 400 days.

        Returns:
            Whether this caller is the first. While the ledger is away and `[store] unavailable` is "allow", or `mode`
            is not "enforce", everybody is, which is logged and counted in `unrecorded_onces`. With `mode = "off"` the
            ledger is not asked, and everybody is.

        Raises:
            AmountError: an argument is no text, is empty, or is no span. Nothing was taken.
            StoreError: the ledger cannot be read or written. Do not go on; it may have been taken.
        """
        named, span = _named(action, key), span_of(within, "within")
        if self.mode == "off":
            return True
        try:
            return self.store.once(named, span, self.clock.now())
        except LostTailError:
            raise
        except StoreError as fault:
            if self.unavailable == "refuse" and self.mode == "enforce":
                raise
            with self._counting:
                self._passed_unseen += 1
            log.warning("spendgate: %s goes on, and nobody knows whether for the first time: %s", action, fault)
            return True

    @property
    def unrecorded_onces(self) -> int:
        """How often `once` let a caller go on because the ledger was away, so far."""
        return self._passed_unseen


def _named(action: object, key: object) -> str:
    """The digest of an action and its key."""
    for name, value in (("action", action), ("key", key)):
        if not isinstance(value, str):
            raise AmountError(name, value, "it must be text")
        if not value:
            raise AmountError(name, value, "it must not be empty")
    if len(action) > MAX_NAME or not action.isprintable():  # type: ignore[arg-type,attr-defined]
        raise AmountError("action", action, f"it must be one line of at most {MAX_NAME} characters")
    return digest("once", action, key)  # type: ignore[arg-type]
