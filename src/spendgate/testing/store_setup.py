"""How the checks of the contract get their stores, and the short words that they are written in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from spendgate.call import Call
from spendgate.clock import instant
from spendgate.ledger import Actor, Answer, Breaker, Event, Held, HoldRequest, Refused, Standing, Store, Weight
from spendgate.limits import MAX_SCOPES, Limit, LimitSet
from spendgate.testing.fakeclock import START_AT
from spendgate.windows import parse_window

SOMEBODY = Actor("host", 7, "contract")
Fault = TypeVar("Fault", bound=Exception)


class StoreSetup:
    """What a subclass says about its store, and how a check opens one."""

    max_scopes: int = MAX_SCOPES
    """How many scopes the stores of `make_store` keep apart. With few, the check of the rest is quick."""

    def make_store(self, tmp_path: Path) -> Store:
        """A new and empty store. `tmp_path` is a directory of this check's own."""
        raise NotImplementedError("say how to make your store")

    def reopen(self, store: Store) -> Store | None:  # noqa: ARG002
        """A further handle on the ledger of `store`, as another process would open it.

        None, as here, says that the ledger is forgotten with its handle; checks that need a second one then pass.
        """
        return None

    @contextmanager
    def opened(self, tmp_path: Path, *limits: Limit) -> Iterator[Store]:
        """A new store with these limits in force. Afterwards its rows must agree with each other."""
        store = self.make_store(tmp_path)
        try:
            if limits:
                store.apply_limits(LimitSet(limits), "contract", SOMEBODY, START_AT)
            yield store
            assert store.check() == []
        finally:
            store.close()

    @contextmanager
    def again(self, store: Store) -> Iterator[Store | None]:
        """A second handle on the same ledger, or None."""
        other = self.reopen(store)
        try:
            yield other
        finally:
            if other is not None:
                other.close()


def limit(amount: int, window: str = "1h", *, unit: str = "usd", zone: str = "UTC", **more: Any) -> Limit:
    """A limit in smallest parts; shares may be given as text."""
    for name in ("warn_at", "pace_from"):
        if isinstance(more.get(name), str):
            shares = tuple(Decimal(share) for share in more[name].split())
            more[name] = shares if name == "warn_at" else shares[0]
    return Limit(more.pop("name", "limit"), unit, amount, parse_window(window, zone), **more)


def ask(usd: int = 0, *, calls: int = 1, tokens: int = 0, rows: int = 0, **more: Any) -> HoldRequest:
    """A request for so much, in smallest parts; names of `Call` fields go to the call, the rest to the request."""
    fields = {name: more.pop(name) for name in list(more) if name in Call.__dataclass_fields__}
    fields.setdefault("service", "research")
    units = (("rows", rows),) if rows else ()
    return HoldRequest(Call(**fields), Weight(usd, calls, tokens, units), SOMEBODY, **more)


def held(answer: Answer) -> Held:
    """The answer, which must be that the money is set aside."""
    assert isinstance(answer, Held), answer
    return answer


def refused(answer: Answer) -> Refused:
    """The answer, which must be that a limit leaves no room."""
    assert isinstance(answer, Refused), answer
    return answer


def blocked(answer: Answer) -> Breaker:
    """The answer, which must be that a breaker is tripped."""
    assert isinstance(answer, Breaker), answer
    return answer


@contextmanager
def fails(kind: type[Fault]) -> Iterator[None]:
    """Demands that the block ends with an error of this kind."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def standing(store: Store, at: int, scope: str = "", name: str = "limit") -> Standing | None:
    """How a limit stands in a scope; None where nothing is known there."""
    found = [one for one in store.standings(at) if (one.limit.name, one.scope) == (name, scope)]
    assert len(found) <= 1
    return found[0] if found else None


def weighs(store: Store, at: int, scope: str = "", name: str = "limit") -> tuple[int, int]:
    """What is spent and held under a limit in a scope."""
    found = standing(store, at, scope, name)
    return (found.spent, found.held) if found else (0, 0)


def told(store: Store, *kinds: str) -> list[Event]:
    """The events of these kinds, oldest first."""
    return [event for event in store.events() if event.kind in kinds]


def utc(*when: int) -> int:
    """An instant from year, month, day, hour, minute, second in UTC."""
    return instant(datetime(*when, tzinfo=UTC))  # type: ignore[arg-type,misc]
