"""What a command works with: the configuration, the ledger and the clock, opened when they are asked for."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spendgate.clock import Clock, SystemClock

if TYPE_CHECKING:
    from spendgate.config import Settings
    from spendgate.gate import Gate
    from spendgate.ledger import Store


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

    @contextmanager
    def store(self, settings: "Settings | None" = None) -> "Iterator[Store]":
        """The ledger, to look at or to change by hand: opening it puts no limits in force."""
        from spendgate.opening import store_for

        store = store_for(settings or self.settings())
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def gate(self, settings: "Settings | None" = None) -> "Iterator[Gate]":
        """The gate, as a program would open it: the file's limits are in force from here on."""
        from spendgate.opening import gate_for

        gate = gate_for(settings or self.settings(), self.clock)
        try:
            yield gate
        finally:
            gate.close()


def here() -> Session:
    """The session of the command that runs now."""
    return click.get_current_context().ensure_object(Session)
