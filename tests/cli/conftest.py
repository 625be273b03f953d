"""A new user's folder, a clock that stands still, and the command line in it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from spendgate.cli import main
from spendgate.cli.session import Session
from spendgate.config import load
from spendgate.gate import Gate
from spendgate.opening import gate_for
from spendgate.testing import FakeClock

CONFIG = """
[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "total"
usd = "80.00"
window = "24h"
warn_at = [0.8]

[prices."clearbit.enrich"]
per_call = "0.004"
"""


@dataclass
class Desk:
    """A folder with a configuration, and commands run in it at the clock's instant."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)

    def run(self, *args: str, stdin: str | None = None) -> Result:
        """Runs one command."""
        session = Session(clock=self.clock, env={})
        return CliRunner().invoke(main, list(args), obj=session, input=stdin, catch_exceptions=False)

    def ok(self, *args: str) -> str:
        """What a command prints on stdout that must succeed."""
        result = self.run(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str, code: int = 0) -> Any:
        """What a command says with --json."""
        result = self.run(*args, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def fails(self, *args: str, code: int = 2, stdin: str | None = None) -> str:
        """What a command says on stderr that must fail, in one message and without a traceback."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.stderr
        return result.stderr

    def configure(self, text: str) -> None:
        """Writes another configuration."""
        (self.folder / "spendgate.toml").write_text(text, encoding="utf-8")

    def gate(self) -> Gate:
        """The gate of a program in this folder; close it."""
        return gate_for(load(self.folder / "spendgate.toml", {}), self.clock)

    def spend(self, cost: str, service: str = "research", **stated: Any) -> None:
        """A call of a program, made and settled."""
        with self.gate() as gate:
            stated = {"resource": "api", "at_most": cost, **stated}
            gate.reserve(service=service, **stated).settle(cost)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPENDGATE_CONFIG", raising=False)
    return Desk(tmp_path)


@pytest.fixture
def desk(empty: Desk) -> Desk:
    """A folder with a configuration and no ledger yet."""
    empty.configure(CONFIG)
    return empty
