"""Tells people, later: whoever has an event to tell goes on at once, and a thread delivers it to every route.

The gate must not notice its observers: `Notifier.tell` never waits and never raises, whatever a sink does. Import this
module only where there are routes: it brings `smtplib` and `urllib` with it.
"""

import logging
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spendgate.alerts.message import Message, compose, drill
from spendgate.alerts.outbox import EXIT_FLUSH_S, Outbox
from spendgate.alerts.routes import Route
from spendgate.alerts.sinks import SinkError, deliver
from spendgate.ledger import Event

log = logging.getLogger("spendgate")

CAPACITY = 1000
"""How many events wait for delivery at most; what comes on top is counted in `Notifier.dropped`."""

Sink = Callable[[Route, Message], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one message fared on one route; `error` is empty where it arrived."""

    route: str
    error: str = ""


@dataclass(slots=True)
class Health:
    """What became of one route's messages in this process. `failed_at` is the instant of the last event that failed."""

    route: str
    delivered: int = 0
    failed: int = 0
    last_error: str = ""
    failed_at: int = 0


class Notifier:
    """Delivers each event it is told once, to every route that asks for its kind. Nothing is tried twice."""

    def __init__(self, routes: Sequence[Route], *, capacity: int = CAPACITY, sink: Sink = deliver) -> None:
        self._rounds = _Rounds(routes, sink)
        self._wanted = frozenset[str]().union(*(route.on for route in routes))
        self._outbox = Outbox(self._rounds, capacity)
        # The thread knows only the rounds, so that a notifier nobody holds goes away, after the last delivery.
        weakref.finalize(self, self._outbox.close).atexit = False

    @property
    def dropped(self) -> int:
        """Events that were never delivered because too many were waiting."""
        return self._outbox.dropped

    @property
    def health(self) -> tuple[Health, ...]:
        """What became of the messages, route by route."""
        return tuple(self._rounds.health)

    def tell(self, events: Iterable[Event]) -> None:
        """Puts events on their way and returns at once. Never raises; overflow is counted in `dropped`."""
        for event in events:
            if event.kind in self._wanted:
                self._outbox.put(event)

    def flush(self, timeout_s: float = EXIT_FLUSH_S) -> bool:
        """Waits until all that was told has been tried, at most `timeout_s` seconds; whether it was."""
        return self._outbox.flush(timeout_s)

    def test(self, now_at: int) -> list[Delivery]:
        """Sends a test message by every route, whatever kinds it asks for, and says how each fared."""
        rounds = self._rounds
        return [Delivery(route.label, rounds.attempt(route, lambda: compose(drill(now_at)))) for route in rounds.routes]


class _Rounds:
    """Takes an event to each route that wants it, and keeps count."""

    def __init__(self, routes: Sequence[Route], sink: Sink) -> None:
        self.routes = tuple(routes)
        self.health = [Health(route.label) for route in self.routes]
        self._sink = sink

    def __call__(self, event: Event) -> None:
        for route, health in zip(self.routes, self.health, strict=True):
            if event.kind not in route.on:
                continue
            error = self.attempt(route, lambda: compose(event))
            if error:
                log.warning("spendgate: %s was not told of %r: %s", health.route, event.kind, error)
                health.failed += 1
                health.last_error, health.failed_at = error, event.at
            else:
                health.delivered += 1

    def attempt(self, route: Route, message: Callable[[], Message]) -> str:
        """Words an event and tries one route; why it failed, or nothing."""
        try:
            self._sink(route, message())
        except SinkError as error:
            return str(error) or "failed"
        except Exception as error:  # noqa: BLE001 - whatever one event or sink does, the next gets its turn
            return f"{type(error).__name__}: {error}"
        return ""
