"""What a client asks instead of a request that was refused: less output, another model, a model elsewhere.

Decisions without bytes: `metering` plans and reserves each request that is found here, so each passes the gate.
"""

import logging
import os
from typing import Any

from spendgate import attribution
from spendgate.errors import AmountError, LoopError, PriceError, RefusedError
from spendgate.gate import Gate
from spendgate.policies import FALLBACK_FOR, NOTHING, Fallback, Policy, may_fall_back
from spendgate.refusing import fitting_output, hear, policy_of
from spendgate.stating import Ask, Stated
from spendgate.wire.exchange import Asked, Request
from spendgate.wire.substituting import changed, elsewhere, with_model, writes

log = logging.getLogger("spendgate")

SIGNED = "AWS4-"
"""How the authorization of a request begins whose body is signed, so that it must not be changed."""
UNLISTED = "local"
"""Whose price list holds at an address that is not known."""


class Ways:
    """The ways to make a client's request, one after the other: `after` a refusal it gives the next one, or raises."""

    def __init__(self, gate: Gate, client: Policy, service: str, original: Request, is_fixed: bool = False) -> None:
        """`original` is the request as the caller made it; `is_fixed` that it must be sent as it is, or not at all."""
        self._gate = gate
        self._original = original
        self._is_fixed = is_fixed or original.headers.get("authorization", "").startswith(SIGNED)
        name = service or attribution.current().service or gate.service
        self._policy = policy_of(gate, name, NOTHING, client)
        self._first: tuple[RefusedError, Ask] | None = None
        self._has_fallen_back = False
        self._fingerprint = self._otherwise = ""
        self._attempt = 0
        self.stands_for = ""
        self.provider = ""
        self.is_elsewhere = False

    def complete(self, stated: Stated) -> None:
        """Adds to what is stated of a request: how long it waits, what it stands for, and whose repetition it is.

        A request with less output, or of another model, is a repetition of the one that the caller made: a loop stays
        a loop, a retry a retry.
        """
        if self._policy.wait and not self._has_fallen_back:
            stated["wait"] = self._policy.wait
        else:
            stated["when_refused"] = "raise"
        if self.stands_for:
            stated["tags"] = {**stated.get("tags", {}), FALLBACK_FOR: self.stands_for}
        self._fingerprint = self._fingerprint or stated.get("fingerprint", "")
        if self._fingerprint:
            stated["fingerprint"] = self._fingerprint
        self._attempt = self._attempt or stated.get("attempt", 0)
        if self._attempt:  # the header that says so is not for other addresses
            stated["attempt"] = self._attempt

    def after(self, fault: RefusedError | PriceError, asked: Asked | None, ask: Ask, request: Request) -> Request:
        """The request to try next, once one was refused.

        Args:
            fault: why it was.
            asked: what it asks for.
            ask: what was stated of it.
            request: itself, as it was to be sent.

        Raises:
            RefusedError: there is no other way: the first refusal, which says of later ones.
            PriceError: the caller's own request has no price.
        """
        if self._first is None:
            if isinstance(fault, PriceError):
                raise fault
            self._first = fault, ask
        other = None
        if not self._is_fixed and writes(asked) and asked is not None and isinstance(fault, RefusedError):
            other = self._with_less(fault, asked, ask, request) or self._of_another(fault, asked, ask)
        if other is None:
            self._give_up(fault)
        return other  # type: ignore[return-value]

    def _with_less(self, fault: RefusedError, asked: Asked, ask: Ask, request: Request) -> Request | None:
        least = self._policy.least_output
        if not least or not asked.cap:
            return None
        fitting = fitting_output(self._gate, ask, fault) // asked.answers
        if fitting < least:
            return None
        self._otherwise = f"with {fitting:,} tokens of output"
        return changed(request, [(asked.cap, fitting)])

    def _of_another(self, fault: RefusedError, asked: Asked, ask: Ask) -> Request | None:
        if self._policy.when_refused != "fallback" or self._has_fallen_back or not may_fall_back(fault):
            return None
        self._has_fallen_back = True
        other = self._chosen(fault)
        if other is None:
            return None
        if other.url:
            key = os.environ.get(other.key_env, "") if other.key_env else ""
            request = elsewhere(self._original, asked, other.model, other.url, key)
            self.provider = other.provider or UNLISTED
        else:
            request = with_model(self._original, other.model)
        if request is None:
            fault.add_note(f"It could not be sent to {other.model} instead: requests of {asked.api} are not, there.")
            return None
        self.stands_for, self.is_elsewhere = ask.call.resource, bool(other.url)
        self._otherwise = f"with {other.model}"
        return request

    def _chosen(self, fault: RefusedError) -> Fallback | None:
        """What the policy names, or its function, which may fail: then the refusal stands, and says so."""
        named: Any = self._policy.fallback
        if isinstance(named, Fallback):
            return named
        try:
            said = named(fault)
            found = Fallback(said) if isinstance(said, str) else said
            if not isinstance(found, Fallback | None):
                raise AmountError("fallback", found, "it must be a model, a Fallback or None")
            return found
        except Exception as problem:
            log.exception("spendgate: the function that says what to ask instead failed")
            fault.add_note(f"The function that says what to ask instead failed: {problem!r}")
            return None

    def _give_up(self, fault: RefusedError | PriceError) -> None:
        """Raises the first refusal, or a loop; where the policy is to skip the call, that is written down."""
        assert self._first is not None  # noqa: S101 - `after` sets it
        first, ask = self._first
        if isinstance(fault, LoopError):
            first = fault
        elif fault is not first:
            first.add_note(f"It was tried {self._otherwise}, in vain: {fault}")
            if isinstance(fault, PriceError):
                log.warning("spendgate: what is asked instead of %s has no price: %s", self.stands_for, fault)
        hear(self._gate, first, ask, skips=self._policy.when_refused == "skip")
        raise first
