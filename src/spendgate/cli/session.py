"""What a command works with: the configuration, the ledger and the clock, opened when they are asked for."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spendgate.cli.printing import say
from spendgate.clock import DAY, Clock, SystemClock
from spendgate.errors import StoreError

if TYPE_CHECKING:
    from spendgate.config import Settings
    from spendgate.gate import Gate
    from spendgate.ledger import Event, Store


FLUSH_S = 15.0
"""How long a command waits for people to be told."""


@dataclass(slots=True)
class Session:
    """One run of the command line. Commands get it with `@click.pass_obj`."""

    config: Path | None = None
    clock: Clock = field(default_factory=SystemClock)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def settings(self) -> "Settings":
        """The settings in force here.

        Raises:
            ConfigError: there is no configuration, or it does not say what it must.
        """
        from spendgate.config import load

        return load(self.config, self.env)

    def settings_or_none(self) -> "Settings | None":
        """The settings in force here; None where no configuration is named or found."""
        from spendgate.config import find

        if self.config is None and find(Path.cwd(), self.env) is None:
            return None
        return self.settings()

    @contextmanager
    def store(self, settings: "Settings | None" = None) -> Iterator["Store"]:
        """The ledger, to look at or to change by hand; it is made where there is none. Puts no limits in force."""
        from spendgate.opening import store_for

        store = store_for(on_disk(settings or self.settings()))
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def existing(self, settings: "Settings") -> Iterator["Store | None"]:
        """The ledger to look at, or None where there is none yet: looking makes no files."""
        if not has_ledger(on_disk(settings)):
            yield None
            return
        with self.store(settings) as store:
            yield store

    @contextmanager
    def gate(self, settings: "Settings | None" = None) -> Iterator["Gate"]:
        """The gate, as a program would open it: the file's limits are in force from here on."""
        from spendgate.opening import gate_for

        gate = gate_for(on_disk(settings or self.settings()), self.clock)
        try:
            yield gate
        finally:
            gate.close()

    def tell(self, settings: "Settings", events: Iterable["Event"]) -> None:
        """Tells people and the mirror what a command has changed by hand, as a gate would."""
        told = tuple(events)
        if settings.mirror is not None:
            from spendgate.history.mirror import Mirror

            mirror = Mirror(settings.mirror.dir, settings.mirror.keep // DAY)
            for event in told:
                mirror.write(event, event.at)
        if settings.notify and told:
            from spendgate.alerts.notifier import Notifier

            notifier = Notifier(settings.notify)
            notifier.tell(told)
            notifier.flush(FLUSH_S)
            for health in notifier.health:
                if health.failed:
                    say(f"spendgate: {health.route} was not told: {health.last_error}")


def on_disk(settings: "Settings") -> "Settings":
    """The settings themselves.

    Raises:
        StoreError: they keep the ledger in the memory of one program, where nobody else can see it.
    """
    if settings.store.path is None:
        raise StoreError(
            'the ledger is in memory ([store] url = "memory:"), so only the program itself can see it: gate.status().'
        )
    return settings


def has_ledger(settings: "Settings") -> bool:
    """Whether there is a ledger: its file, or the record beside it of how far it had come."""
    path = settings.store.path
    return path is not None and (path.exists() or path.with_name(path.name + ".head").exists())
