"""From a configuration to a gate: the parts put together."""

import atexit
import logging
import os
import sys
import weakref
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from spendgate.clock import DAY, SECOND, Clock, SystemClock
from spendgate.gate import Gate, Listener
from spendgate.ledger import Actor, Entry, Event, Store

if TYPE_CHECKING:
    from pathlib import Path

    from spendgate.config import Settings

log = logging.getLogger("spendgate")


def open(path: "Path | str | None" = None, *, clock: Clock | None = None, env: Mapping[str, str] | None = None) -> Gate:  # noqa: A001
    """A gate over the ledger that the nearest spendgate.toml, or `SPENDGATE_CONFIG`, names.

    Its limits are put in force for every process, unless the configuration leaves that to `spendgate limits apply`.

    Raises:
        ConfigError: there is no configuration, or it does not say what it must. Nothing was opened.
        StoreError: the ledger cannot be opened.
    """
    from spendgate.config import load

    settings = load(path, os.environ if env is None else env)
    return gate_for(settings, clock or SystemClock())


def gate_for(settings: "Settings", clock: Clock, store: Store | None = None) -> Gate:
    """A gate with these settings, over the store that they name unless it is given another one."""
    from spendgate.pricing.book import PriceBook

    store = store_for(settings) if store is None else store
    opened_at = clock.now()
    try:
        is_new = put_in_force(settings, store, opened_at)
    except BaseException:
        store.close()
        raise
    gate = Gate(
        store,
        actor=actor,
        clock=clock,
        prices=PriceBook(settings.prices),
        service=settings.service,
        version=settings.version,
        mode=settings.mode,
        unavailable=settings.store.unavailable,
        lapse_after=settings.lapse_after,
        lapse_after_batch=settings.lapse_after_batch,
        default_input_tokens=settings.default_max_input_tokens,
        default_output_tokens=settings.default_max_output_tokens,
        listeners=_listeners(settings),
        rules=settings.rules,
        services=settings.services,
    )
    atexit.register(_close_quietly, weakref.ref(gate))
    if is_new and gate.listeners:
        gate.tell(tuple(event for event in store.events(opened_at) if event.kind == "limits")[-1:])
    return gate


def store_for(settings: "Settings") -> Store:
    """The store that the settings name."""
    if settings.store.path is None:
        from spendgate.stores.memory import MemoryStore

        return MemoryStore()
    from spendgate.stores.sqlite import SqliteStore

    return SqliteStore(
        settings.store.path,
        synchronous=settings.store.synchronous,
        timeout_s=settings.store.timeout / SECOND,
        on_lost_tail=settings.store.on_lost_tail,
    )


def put_in_force(settings: "Settings", store: Store, now_at: int) -> bool:
    """Applies the file's limits, unless the ledger keeps its own; a ledger that has none yet always takes them."""
    if settings.mode == "off" or store.fault():
        return False
    before, source = store.limits(), str(settings.file or "")
    if settings.limits_from == "ledger" and before.version:
        return False
    is_new = store.apply_limits(settings.limits, source, actor(), now_at)
    if is_new and before.version and before.source != source:
        log.warning("spendgate: the limits of %s now hold for every process, not those of %s", source, before.source)
    return is_new


def actor() -> Actor:
    """Who is running here."""
    return _actor(os.getpid())


@lru_cache(maxsize=8)
def _actor(pid: int) -> Actor:
    import platform

    program = os.path.basename(sys.argv[0] if sys.argv and sys.argv[0] else sys.executable)  # noqa: PTH119
    return Actor(platform.node()[:100], pid, program[:100])


def _listeners(settings: "Settings") -> tuple[Listener, ...]:
    found: list[Listener] = []
    if settings.notify:
        found.append(_Telling(settings))
    if settings.mirror is not None:
        found.append(_Mirroring(settings))
    return tuple(found)


class _Telling:
    """Hands events to the notifier, which delivers them from a thread of its own."""

    def __init__(self, settings: "Settings") -> None:
        from spendgate.alerts.notifier import Notifier

        self.notifier = Notifier(settings.notify)

    def entry(self, entry: Entry) -> None:
        """Nobody is woken for a call."""

    def events(self, events: tuple[Event, ...]) -> None:
        """Delivers events, soon."""
        self.notifier.tell(events)

    def close(self) -> None:
        """Waits a moment for what is on its way."""
        self.notifier.flush()


class _Mirroring:
    """Writes what happened to the day's JSONL file."""

    def __init__(self, settings: "Settings") -> None:
        from spendgate.history.mirror import Mirror

        assert settings.mirror is not None  # noqa: S101 - `_listeners` asks before
        self.mirror = Mirror(settings.mirror.dir, settings.mirror.keep // DAY)

    def entry(self, entry: Entry) -> None:
        """Mirrors a call that ended."""
        self.mirror.write(entry, entry.ended_at)

    def events(self, events: tuple[Event, ...]) -> None:
        """Mirrors changes of state."""
        for event in events:
            self.mirror.write(event, event.at)

    def close(self) -> None:
        """Nothing is buffered."""


def _close_quietly(found: "weakref.ref[Gate]") -> None:
    """Delivers what is left when the program ends without closing its gate."""
    gate = found()
    if gate is not None and gate.unrecorded_calls:
        gate.book_unrecorded()
    for listener in gate.listeners if gate is not None else ():
        try:
            listener.close()
        except Exception:
            log.exception("spendgate: a listener failed at exit")
