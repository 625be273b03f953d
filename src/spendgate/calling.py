"""The ways in which a program makes its paid calls: blocks and functions, for whom they are, and by which policy."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, ParamSpec, TypeVar, Unpack

from spendgate import attribution, refusing
from spendgate.escalating import EscalationDesk
from spendgate.paying import Instead, paid
from spendgate.policies import Chooser, Fallback, Services, needs_fallback, policy
from spendgate.refusing import Asking, Skipping
from spendgate.reserved import PaidCall, Reservation
from spendgate.stating import Stated, check_stated, keyed

P = ParamSpec("P")
R = TypeVar("R")


class CallDesk(EscalationDesk):
    """The gate, as far as making calls goes."""

    service: str
    services: Services

    @abstractmethod
    def reserve(self, *, resource: str, **stated: Unpack[Stated]) -> Reservation:
        """Sets the most that a call can cost aside, or raises."""

    def asking(self, resource: str, stated: Stated) -> Asking:
        """A call on its way in, by the policy that holds for it."""
        return Asking(self, resource, stated)  # type: ignore[arg-type]

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
        fallback: Callable[..., Any] | None = None,
        skip_value: Any = None,
        **stated: Unpack[Stated],
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Makes every call of a function, or every run of a generator, a paid call.

        Args:
            resource: what has a price.
            key_from: from the function's arguments to the piece of work it is for.
            settle_from: from what the function returns to the arguments of `settle`.
            fallback: another function, called with the same arguments where this one is refused. It is gated too: as
                the paid function that it is, else as a call of its own name that costs nothing.
            skip_value: what a call gives that is skipped.
            stated: what `reserve` takes.

        Raises:
            TypeError: a name is not known, or a function is of another kind than the gate. Nothing was changed.
            AmountError: an argument is no amount, no name or no policy.
        """
        if inspect.iscoroutinefunction(fallback):
            raise TypeError(f"{fallback!r} is asynchronous: use a gate of spendgate.aio.open()")
        own, instead = instead_of(self, resource, stated, fallback=fallback, gated=self.paid, skip_value=skip_value)

        def start(args: Any, kwargs: Any) -> PaidCall:
            return self.call(resource, **keyed(own, key_from, args, kwargs))

        return lambda function: paid(function, start, settle_from, instead)

    def scope(
        self,
        service: str = "",
        *,
        task: str = "",
        tags: Mapping[str, object] | None = None,
        key: str = "",
        fresh_for: str = "",
        when_refused: str = "",
        wait: float = 0,
        clamp: int | None = None,
        fallback: Fallback | Chooser | str | None = None,
    ) -> AbstractContextManager[None]:
        """Says for whom the calls inside a `with` block are made, where they do not say so themselves.

        Args:
            service: for whom.
            task: the job they belong to.
            tags: names of your own to match and count by.
            key: the piece of work they are for.
            fresh_for: for how long their answers are good, such as `24h`.
            when_refused: what becomes of the calls inside that are refused, as docs/refusals.md says: nearer than what
                their client or the configuration says.
            wait: how many seconds they wait for room.
            clamp: the least tokens of output that are still worth a call of a wrapped client; 0 never asks for less.
            fallback: what wrapped clients ask instead.

        Raises:
            AmountError: an argument is no amount, no name, no span or no policy; some only on entering.
        """
        attributed = attribution.scope(service, task, tags, key=key, fresh_for=fresh_for)
        said = policy(when_refused, wait=wait, clamp=clamp, fallback=fallback)
        needs_fallback(said)
        if said == policy():
            return attributed
        return _Both(attributed, refusing.holding(said))

    def skipping(self, key: str = "") -> Skipping:
        """A block around the work on one record, which ends quietly where the gate refuses a call of it.

        The refusal is written into the ledger, for review, once: `spendgate report` shows what was skipped. Anything
        else that is raised inside leaves the block as it is.

        Args:
            key: the record, where the refused call names none.

        Raises:
            AmountError: the key is too long, or has control characters in it.
        """
        return Skipping(self, key)  # type: ignore[arg-type]


def instead_of(
    desk: CallDesk,
    resource: str,
    stated: Stated,
    *,
    fallback: Callable[..., Any] | None,
    gated: Callable[..., Callable[..., Any]],
    skip_value: object,
) -> tuple[Stated, Instead]:
    """What is stated for the calls of a function of `paid`, and what becomes of those that are refused.

    `gated` is the `paid` of the gate, plain or awaited: a fallback that does not pass the gate by itself is made to.

    Raises:
        TypeError: a name is not known, or a function was told to ask for less.
        AmountError: what is stated is no policy, or contradicts the fallback.
    """
    check_stated(stated)
    way, wait_s, service = stated.get("when_refused", ""), stated.get("wait", 0), stated.get("service", "")
    said = policy(way, wait=wait_s, clamp=stated.get("clamp"), fallback=fallback)
    needs_fallback(said)
    if said.clamp:
        raise TypeError("a function cannot be told to ask for less: state `clamp` with gate.call")
    if fallback is not None:
        stated = Stated({**stated, "when_refused": "wait" if wait_s else "raise"})
        if not hasattr(fallback, "spendgate_resource"):
            name: str = getattr(fallback, "__name__", type(fallback).__name__)
            fallback = gated(name[:100], free=True, when_refused="raise")(fallback)

    def current() -> str:
        name = service or attribution.current().service or desk.service
        return refusing.policy_of(desk, name, said).when_refused  # type: ignore[arg-type]

    return stated, Instead(resource, current, fallback, skip_value)


class _Both(AbstractContextManager[None]):
    """Two blocks as one."""

    def __init__(self, *blocks: AbstractContextManager[None]) -> None:
        self._blocks = blocks
        self._stack = ExitStack()

    def __enter__(self) -> None:
        for block in self._blocks:
            self._stack.enter_context(block)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
