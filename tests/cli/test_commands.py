"""The door of the command line: help, errors, exit codes, and what is loaded when."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from spendgate.cli.commands import COMMANDS, main
from tests.cli.conftest import Desk

HEAVY = ("rich", "genai_prices", "apsw", "asyncio", "numpy")


def spendgate(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spendgate", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=60)


def test_help_loads_no_command(tmp_path: Path) -> None:
    """`spendgate --help` lists every command without loading any of them, nor anything heavy."""
    program = (
        "import sys\nfrom spendgate.cli import main\n"
        "try:\n    main(['--help'], prog_name='spendgate')\nexcept SystemExit:\n    pass\n"
        f"assert not set(sys.modules) & {set(HEAVY)}, set(sys.modules) & {set(HEAVY)}\n"
        "assert not [m for m in sys.modules if m in ('spendgate.cli.init', 'spendgate.cli.status')]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.short in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_examples(name: str) -> None:
    """The help of every command shows how it is used."""

    def leaves(command: click.Command) -> list[click.Command]:
        if isinstance(command, click.Group):
            return [leaf for inner in command.commands.values() for leaf in leaves(inner)]
        return [command]

    command = main.get_command(click.Context(main), name)
    assert command is not None
    for leaf in leaves(command):
        assert re.search("Examples?:", leaf.help or ""), leaf.name
        assert f"spendgate {name}" in (leaf.help or ""), leaf.name


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    """`python -m spendgate` is the same program, and says its version."""
    done = spendgate("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "spendgate")


def test_without_a_configuration_it_says_how_to_begin(tmp_path: Path) -> None:
    """Where there is no configuration a command names `spendgate init`, in one line, with exit code 2."""
    done = spendgate("status", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "spendgate init" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_slip_in_a_command_is_named(desk: Desk) -> None:
    """A misspelt command names the nearest one; one that is near to none names the help."""
    assert "Did you mean `status`?" in desk.fails("statsu")
    assert "`spendgate --help`" in desk.fails("xyzzy")


def test_a_slip_in_the_configuration_is_named(desk: Desk) -> None:
    """An unknown key is an error with file, line and the nearest known name."""
    desk.configure('[[limits]]\nusd = "5.00"\nwindw = "1h"\n')
    assert "spendgate.toml:3" in (said := desk.fails("status"))
    assert "`window`" in said


def test_another_configuration_can_be_named(desk: Desk) -> None:
    """`--config` stands before the command and names the file."""
    (desk.folder / "other.toml").write_text('[[limits]]\nname = "mine"\nusd = "1"\nwindow = "day"\n', encoding="utf-8")
    assert desk.ok("--config", "other.toml", "limits", "check").startswith("mine: ")


def test_a_ledger_in_memory_cannot_be_seen_from_outside(desk: Desk) -> None:
    """A ledger that only its program can see is an error here, with what to use instead."""
    desk.configure('[store]\nurl = "memory:"\n[[limits]]\nusd = "1"\nwindow = "day"\n')
    for command in (["status"], ["hold", "--at-most", "1"], ["breaker", "list"], ["report"]):
        assert "gate.status()" in desk.fails(*command)


def test_what_is_no_ledger_is_left_alone(desk: Desk) -> None:
    """A file that is no ledger is named, not changed, and the exit code is 2."""
    file = desk.folder / ".spendgate" / "ledger.db"
    file.parent.mkdir()
    file.write_text("these are the notes of last week's meeting\n" * 40, encoding="utf-8")
    before = file.read_bytes()
    assert "not a spendgate ledger" in desk.fails("status")
    assert file.read_bytes() == before


def test_a_fault_of_the_system_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses is said in one line with exit code 2, without a traceback."""

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/etc/shadow")

    monkeypatch.setattr("spendgate.config.load", fails)
    assert desk.fails("status") == "spendgate: /etc/shadow: Permission denied\n"


def test_a_closed_pipe_is_no_fault(desk: Desk) -> None:
    """A reader that has seen enough, such as `head`, is not answered with a traceback."""
    shell = f'"{sys.executable}" -m spendgate prices list | head -1'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, cwd=desk.folder, check=False)
    assert done.stdout.startswith("name")
    assert "Traceback" not in done.stderr
