"""`spendgate status`: every limit and scope, the worst first."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from spendgate.cli import main
from spendgate.cli.session import Session
from spendgate.testing import FakeClock
from tests.cli.conftest import CONFIG, Desk


def test_nothing_there_yet(desk: Desk) -> None:
    """Before the first call a status shows the file's limits, says what to do, and makes no files."""
    result = desk.run("status")
    assert result.exit_code == 0
    assert "hourly" in result.stdout
    assert "no ledger at" in result.stderr
    assert "gate = spendgate.open()" in result.stderr
    assert [path.name for path in desk.folder.iterdir()] == ["spendgate.toml"]
    found = desk.json("status")
    assert (found["exists"], found["limits_version"]) == (False, None)


def test_every_limit_and_scope(desk: Desk) -> None:
    """Each limit shows each scope with what is spent, held and left, exactly."""
    desk.spend("1.25")
    desk.ok("hold", "--service", "nightly", "--at-most", "0.50")
    found = {(one["limit"], one["scope"]): one for one in desk.json("status")["limits"]}
    assert found["hourly", "service=research"].pop("frees_at").startswith("2026-03-02T13:00:3")
    assert found["hourly", "service=research"] == {
        "limit": "hourly",
        "scope": "service=research",
        "window": "1h",
        "unit": "usd",
        "at_limit": "refuse",
        "amount": "5.00",
        "spent": "1.25",
        "held": "0.00",
        "headroom": "3.75",
        "blocked_since": None,
        "refused_calls": 0,
        "refused_usd": "0.00",
    }
    assert found["hourly", "service=nightly"]["held"] == "0.50"
    assert found["total", ""]["headroom"] == "78.25"
    text = desk.ok("status")
    assert "research" in text
    assert "in 1h" in text


def test_a_blocked_scope_is_said_first(desk: Desk) -> None:
    """While calls are being refused, the first line says whose, by which limit, since when and how much."""
    desk.spend("4.9")
    desk.clock.advance(60)
    for _ in range(3):
        desk.fails("hold", "--service", "research", "--at-most", "0.2", code=1)
    desk.clock.advance(120)
    first = desk.ok("status").splitlines()[0]
    assert first == "Blocked: research by hourly, since 12:01:00 UTC (2m): 3 calls, $0.60 refused."
    (scope,) = [one for one in desk.json("status")["limits"] if one["refused_calls"]]
    assert (scope["blocked_since"], scope["refused_usd"]) == ("2026-03-02T12:01:00Z", "0.60")


def test_an_episode_that_is_over_is_not_blocked(desk: Desk) -> None:
    """Once the window has room again nothing is said to be blocked, though nobody has called since."""
    desk.spend("4.9")
    desk.fails("hold", "--service", "research", "--at-most", "0.2", code=1)
    desk.clock.advance(2 * 3600)
    assert "Blocked" not in desk.ok("status")
    assert all(one["blocked_since"] is None for one in desk.json("status")["limits"])


def test_a_breaker_is_said_first(desk: Desk) -> None:
    """A tripped breaker stands above the limits, with its reason and what it refused."""
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    desk.fails("hold", "--service", "research", "--at-most", "0.2", code=1)
    first = desk.ok("status").splitlines()[0]
    assert first == (
        "Breaker: service=research until it is reset, since 12:00:00 UTC (0s): looping. 1 call, $0.20 refused."
    )
    (breaker,) = desk.json("status")["breakers"]
    assert (breaker["scope"], breaker["refused_calls"], breaker["refused_usd"]) == ("service=research", 1, "0.20")


def test_a_faulty_ledger_is_said_before_all(desk: Desk) -> None:
    """A ledger that lost its tail is said in the first words, and the exit code is 1."""
    desk.spend("1")
    for file in (desk.folder / ".spendgate").glob("ledger.db*"):
        if not file.name.endswith(".head"):
            file.unlink()
    result = desk.run("status")
    assert result.exit_code == 1
    assert result.stdout.startswith("The ledger refuses every call.")
    assert "--accept-loss" in result.stdout
    assert "not the ledger" in desk.json("status", code=1)["fault"]


def test_one_limit_or_one_service(desk: Desk) -> None:
    """A status can be asked for one limit, or for what weighs on one service."""
    desk.spend("1", service="research")
    desk.spend("1", service="nightly")
    assert {one["limit"] for one in desk.json("status", "--limit", "total")["limits"]} == {"total"}
    found = desk.json("status", "--service", "nightly")["limits"]
    assert [(one["limit"], one["scope"]) for one in found] == [("hourly", "service=nightly"), ("total", "")]
    assert "there are: hourly, total" in desk.fails("status", "--limit", "huorly")


def test_many_scopes_show_the_fullest(desk: Desk) -> None:
    """Of many scopes the fullest are shown, and how many there are besides; JSON has them all."""
    with desk.gate() as gate:
        for number in range(60):
            gate.reserve(service=f"s{number:02}", resource="api", at_most=f"0.{number + 10}")
    text = desk.ok("status", "--limit", "hourly")
    assert "hourly: 10 more scopes, less full" in text
    assert "s59" in text
    assert "s09" not in text
    assert "hourly: 57 more scopes" in desk.ok("status", "--top", "3")
    assert len(desk.json("status", "--limit", "hourly")["limits"]) == 60


def test_other_units_are_shown_in_themselves(desk: Desk) -> None:
    """A budget of calls is shown in calls."""
    desk.configure('[[limits]]\nname = "budget"\ncalls = 20000\nwindow = "day"\n')
    desk.spend("0.5")
    assert "20,000 calls / day" in (text := desk.ok("status"))
    assert "19,999" in text
    assert desk.json("status")["limits"][0]["headroom"] == "19999"


def test_a_file_that_says_otherwise_is_pointed_out(desk: Desk) -> None:
    """What is shown is what is in force; where the file differs, that is said."""
    desk.spend("1")
    desk.configure(CONFIG.replace('"5.00"', '"6.00"'))
    result = desk.run("status")
    assert "$5.00 / 1h" in result.stdout
    assert "spendgate limits apply" in result.stderr
    assert desk.json("status")["file_differs"] is True


@pytest.mark.parametrize(("mode", "said"), [("observe", "not refused"), ("off", "nothing is recorded")])
def test_a_gate_that_does_not_enforce_says_so(desk: Desk, mode: str, said: str) -> None:
    """Nobody takes a gate that only watches for one that holds."""
    desk.configure(f'[gate]\nmode = "{mode}"\n{CONFIG}')
    assert said in desk.run("status").stderr


@dataclass
class Watcher:
    """A clock whose owner presses Ctrl-C at the n-th wait."""

    clock: FakeClock
    waits: int

    def now(self) -> int:
        return self.clock.now()

    def sleep(self, span_s: float) -> None:
        self.waits -= 1
        if self.waits == 0:
            raise KeyboardInterrupt
        self.clock.advance(span_s)

    async def sleep_async(self, span_s: float) -> None:
        raise NotImplementedError


def test_watching_draws_again_until_interrupted(desk: Desk) -> None:
    """--watch shows a new status every two seconds of the clock, and ends with Ctrl-C as if nothing were wrong."""
    desk.spend("1")
    session = Session(clock=Watcher(desk.clock, waits=3), env={})
    result = CliRunner().invoke(main, ["status", "--watch", "--json"], obj=session)
    assert result.exit_code == 0
    assert [json.loads(line)["at"][11:19] for line in result.stdout.splitlines()] == [
        "12:00:00",
        "12:00:02",
        "12:00:04",
    ]


def test_watching_outlives_a_fault(desk: Desk) -> None:
    """A ledger that cannot be read is said in place of the status, and looked at again."""
    desk.spend("1")
    (desk.folder / "spendgate.toml").write_text("[[limits]]\n", encoding="utf-8")
    session = Session(clock=Watcher(desk.clock, waits=2), env={})
    result = CliRunner().invoke(main, ["status", "--watch"], obj=session)
    assert result.exit_code == 0
    assert result.stdout.count("spendgate: ") == 2


def terminal(desk: Desk, *args: str, **env: str) -> str:
    """What a command writes to a terminal, of 100 columns unless `COLUMNS` says otherwise."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "100", "LINES": "40", "TERM": "xterm", **env}
    command = [sys.executable, "-m", "spendgate", *args]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=desk.folder, env=environment
    ) as done:
        os.close(theirs)
        written = b""
        try:
            while chunk := os.read(ours, 65536):
                written += chunk
        except OSError:
            pass
        finally:
            os.close(ours)
    assert done.returncode == 0, written
    return written.decode()


def test_colours_are_for_terminals(desk: Desk) -> None:
    """A terminal gets colours, unless NO_COLOR is set; a pipe never does."""
    terminal(desk, "hold", "--service", "research", "--at-most", "4.9")
    assert "\x1b[31m" in terminal(desk, "status")
    assert "\x1b" not in terminal(desk, "status", NO_COLOR="1")
    assert "\x1b" not in desk.ok("status")


def test_lines_fit_the_terminal(desk: Desk) -> None:
    """Long names are cut to what a terminal holds, and kept whole in a pipe."""
    name = "a-service-with-a-name-that-somebody-made-up-on-a-friday-afternoon-" * 2
    desk.spend("1", service=name)
    shown = terminal(desk, "status", NO_COLOR="1").splitlines()
    assert max(map(len, shown[:4])) <= 100
    assert name in desk.ok("status")


@pytest.mark.parametrize("columns", [40, 50, 70, 90])
def test_a_narrow_terminal_shows_whole_amounts(desk: Desk, columns: int) -> None:
    """Where there is no room for every column, some are left out; what is left is shown whole at any width."""
    terminal(desk, "hold", "--service", "research-with-a-long-name", "--at-most", "1.234567891")
    shown = terminal(desk, "status", NO_COLOR="1", COLUMNS=str(columns)).splitlines()
    assert max(map(len, shown[:3])) <= columns
    assert "$3.765432109" in shown[1]
    assert "$…" not in "".join(shown)
