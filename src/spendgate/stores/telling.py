"""What people are told: the changes of state that a transaction makes become events, once each."""

from collections.abc import Mapping
from typing import Literal

from spendgate.admission import (
    OBSERVED_ONLY,
    TOO_LARGE,
    Counter,
    begins_episode,
    crossed,
    episode_kind,
    episode_over,
)
from spendgate.budgets import Budget
from spendgate.ledger import Event
from spendgate.limits import Limit
from spendgate.stores.breakers import read_breaker
from spendgate.stores.tables import Tables


class Telling:
    """What one transaction at one instant tells: `events` are those so far."""

    tables: Tables
    at: int
    events: list[Event]

    def tell_state(self, limit: Limit, scope: str, counter: Counter) -> None:
        """Says that an episode is over, or that a threshold is reached, where that is so.

        A counter of which nothing was told yet, and that is below `limit.warns_from`, has nothing to say.
        """
        if counter.blocked_at and episode_over(limit, counter):
            self._end_episode(limit, scope, counter)
        for index in crossed(limit, counter):
            data = {"spent": counter.settled, "held": counter.held, "amount": limit.amount}
            self._tell("warned", limit, scope, {**data, "share": str(limit.warn_at[index])})

    def tell_refusal(
        self, limit: Limit, scope: str, counter: Counter, event: Literal["blocked", "observed"], *, parts: int, usd: int
    ) -> None:
        """Counts a refusal. The first one begins an episode: one event, however many follow. A graver one ends it."""
        kind = episode_kind(limit, counter, refuses=event == "blocked")
        if begins_episode(counter, kind):
            if counter.blocked_at:
                self._end_episode(limit, scope, counter)
            counter.blocked_at = self.at
            counter.warned |= kind
            data = {"spent": counter.settled, "held": counter.held, "requested": parts, "amount": limit.amount}
            self._tell(event, limit, scope, data)
        counter.refused_calls += 1
        counter.refused_usd += usd

    def tell_reset(self, state: dict[str, object], reason: str) -> None:
        """Says that a breaker lets calls through again, and what it refused meanwhile."""
        self.add(Event(self.at, "reset", "", str(read_breaker(state)), {**state, "because": reason}))

    def tell_escalation(self, task: str, data: dict[str, object]) -> None:
        """Says that a dearer model was asked for, or what became of that."""
        self.add(Event(self.at, "escalation", "", task, data))

    def _end_episode(self, limit: Limit, scope: str, counter: Counter) -> None:
        data = {"since_at": counter.blocked_at, "spent": counter.settled}
        data |= {"refused_calls": counter.refused_calls, "refused_usd": counter.refused_usd}
        self._tell("allowing", limit, scope, data)
        counter.blocked_at = counter.refused_calls = counter.refused_usd = 0
        counter.warned &= ~(OBSERVED_ONLY | TOO_LARGE)

    def _tell(self, kind: str, limit: Limit, scope: str, data: Mapping[str, object]) -> None:
        counted = {"unit": limit.unit, "window": str(limit.window)}
        if isinstance(limit, Budget):
            counted["budget"] = limit.kind
        self.add(Event(self.at, kind, limit.name, scope, {**data, **counted}))

    def add(self, event: Event) -> None:
        """Writes an event down; it is among what the transaction has told."""
        self.events.append(event)
        self.tables.add_event(event)
