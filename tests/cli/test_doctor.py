"""`spendgate doctor`: everything examined, each fault with its remedy."""

import os
from pathlib import Path

import pytest

from spendgate.cli.holders import holders
from spendgate.clock import DAY
from tests.cli.conftest import CONFIG, Desk


def levels(desk: Desk, *args: str, code: int = 0) -> dict[str, str]:
    """The worst level by what was examined."""
    order = ("ok", "warning", "problem")
    found: dict[str, str] = {}
    for one in desk.json("doctor", *args, code=code)["findings"]:
        found[one["name"]] = max(found.get(one["name"], "ok"), one["level"], key=order.index)
    return found


def test_a_healthy_ledger(desk: Desk) -> None:
    """Where all is well nothing is a problem, and everything was looked at."""
    with desk.gate() as gate, gate.call("clearbit.enrich", service="n"):
        pass
    found = levels(desk)
    assert "problem" not in found.values()
    examined = {"config", "permissions", "disk", "locks", "ledger", "sqlite", "tail", "contents", "clock", "spending"}
    assert examined | {"lapsed", "limits", "prices", "notify"} <= found.keys()
    text = desk.ok("doctor")
    assert "every checksum, sum and counter agrees" in text
    assert "contents" not in desk.ok("doctor", "--quick")


def test_before_the_first_call(desk: Desk) -> None:
    """A doctor examines a configuration without a ledger, and makes none."""
    assert "none yet" in desk.ok("doctor")
    assert [path.name for path in desk.folder.iterdir()] == ["spendgate.toml"]


def test_without_a_configuration(empty: Desk) -> None:
    """No configuration is a problem with its remedy."""
    result = empty.run("doctor")
    assert result.exit_code == 1
    assert "spendgate init" in result.stdout


def test_a_lost_tail(desk: Desk) -> None:
    """A ledger that is not the one it was is a problem, and can be accepted with a charge."""
    desk.spend("3")
    for file in (desk.folder / ".spendgate").glob("ledger.db*"):
        if not file.name.endswith(".head"):
            file.unlink()
    assert levels(desk, code=1)["tail"] == "problem"
    desk.fails("hold", "--service", "n", "--at-most", "0.1")
    found = desk.json("doctor", "--accept-loss", "--charge", "4.5")
    assert found["charged"] == "4.50"
    assert levels(desk)["tail"] == "ok"
    desk.fails("hold", "--service", "n", "--at-most", "1", code=1)
    desk.ok("hold", "--service", "n", "--at-most", "0.4")


def test_a_loss_of_known_size_is_charged(desk: Desk) -> None:
    """Without --charge what is known to be missing is charged."""
    folder = desk.folder / ".spendgate"
    desk.spend("1")
    backup = (folder / "ledger.db").read_bytes()
    desk.spend("2.5")
    for file in folder.glob("ledger.db-*"):
        file.unlink()
    (folder / "ledger.db").write_bytes(backup)
    assert desk.json("doctor", "--accept-loss")["charged"] == "2.50"


def test_no_loss_to_accept(desk: Desk) -> None:
    """On a whole ledger nothing is charged."""
    desk.spend("1")
    assert "nothing was charged" in desk.run("doctor", "--accept-loss").stderr
    assert desk.json("report")["total"]["usd"] == "1.00"


@pytest.mark.parametrize(
    "args",
    [
        ["--accept-loss", "--charge", "NaN"],
        ["--accept-loss", "--charge", "-1"],
        ["--charge", "1"],
        ["--compact", "--accept-loss"],
    ],
)
def test_wrong_use(desk: Desk, args: list[str]) -> None:
    """What cannot be meant is exit code 2."""
    desk.spend("1")
    desk.fails("doctor", *args)


def test_a_damaged_ledger(desk: Desk) -> None:
    """A file that is no ledger is a problem, not a crash."""
    file = desk.folder / ".spendgate" / "ledger.db"
    file.parent.mkdir()
    file.write_text("these are the notes of last week's meeting\n" * 40, encoding="utf-8")
    assert levels(desk, code=1)["ledger"] == "problem"


def test_permissions(desk: Desk) -> None:
    """A ledger that others can use, and a configuration that others can write, are pointed out."""
    desk.spend("1")
    (desk.folder / ".spendgate" / "ledger.db").chmod(0o644)
    (desk.folder / "spendgate.toml").chmod(0o666)
    remedies = [one["remedy"] for one in desk.json("doctor")["findings"] if one["name"] == "permissions"]
    assert [remedy.split()[:2] for remedy in remedies] == [["chmod", "go-w"], ["chmod", "600"]]


def test_a_clock_behind_the_ledger(desk: Desk) -> None:
    """A machine whose clock is behind what the ledger has seen is a problem; a jump that was booked is remembered."""
    desk.spend("1")
    desk.clock.jump(desk.clock.now() - 3 * 3_600_000_000)
    assert levels(desk, code=1)["clock"] == "problem"
    desk.spend("1")
    assert levels(desk)["clock"] == "warning"


def test_lapsed_reservations(desk: Desk) -> None:
    """Reservations that nobody ended are counted by service."""
    desk.ok("hold", "--service", "forgetful", "--at-most", "0.5")
    desk.clock.advance(20 * 60)
    desk.spend("0.1", resource="clearbit.enrich")
    text = desk.ok("doctor")
    assert "forgetful 1 ($0.50)" in text


def test_unpriced_and_unattributed(desk: Desk) -> None:
    """Spending that has no price or no owner is a warning; what still runs may yet get both."""
    hold_id = desk.ok("hold", "--resource", "mystery", "--at-most", "0.5").strip()
    assert "unpriced" not in levels(desk)
    desk.ok("settle", hold_id)
    found = levels(desk)
    assert (found["unpriced"], found["unattributed"]) == ("warning", "warning")
    desk.clock.jump(desk.clock.now() + 8 * DAY)
    assert "unpriced" not in levels(desk)


def test_a_missing_total(desk: Desk) -> None:
    """Limits that `limits check` would complain about are a problem here too."""
    desk.configure('[[limits]]\nname = "hourly"\nusd = "5"\nwindow = "1h"\nper = ["service"]\n')
    assert levels(desk, code=1)["limits"] == "problem"


def test_two_files_that_overrule_each_other(desk: Desk) -> None:
    """Two configurations that keep changing each other's limits are named."""
    other = desk.folder / "other.toml"
    other.write_text(CONFIG.replace('"5.00"', '"6.00"'), encoding="utf-8")
    desk.ok("limits", "apply")
    desk.ok("--config", "other.toml", "limits", "apply")
    assert levels(desk)["limits"] == "warning"
    desk.ok("limits", "apply")
    result = desk.run("doctor")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "overruling" in line]
    assert str(other) in line
    assert str(desk.folder / "spendgate.toml") in line


def test_one_file_that_was_changed_back_is_no_quarrel(desk: Desk) -> None:
    """Somebody who tries a limit and takes it back is left alone."""
    desk.ok("limits", "apply")
    desk.configure(CONFIG.replace('"5.00"', '"6.00"'))
    desk.ok("limits", "apply")
    desk.configure(CONFIG)
    desk.ok("limits", "apply")
    assert levels(desk)["limits"] == "ok"


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_a_gate_that_does_not_enforce(desk: Desk, mode: str) -> None:
    """A mode that refuses nothing is a warning."""
    desk.configure(f'[gate]\nmode = "{mode}"\n{CONFIG}')
    assert levels(desk)["mode"] == "warning"


def test_routes_whose_secret_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route that reads a variable which is not set would never deliver: that is a problem."""
    monkeypatch.delenv("SPENDGATE_HOOK", raising=False)
    desk.configure(f'{CONFIG}\n[notify]\nwebhook = "env:SPENDGATE_HOOK"\n')
    assert levels(desk, code=1)["notify"] == "problem"
    monkeypatch.setenv("SPENDGATE_HOOK", "https://hooks.example.com/hush")
    assert levels(desk)["notify"] == "ok"
    assert "hush" not in desk.ok("doctor")


def test_a_tripped_breaker_is_mentioned(desk: Desk) -> None:
    """A breaker that somebody forgot is a warning with the command that resets it."""
    desk.ok("breaker", "trip", "research", "--reason", "looping")
    assert "spendgate breaker reset service=research" in desk.ok("doctor")


def test_compacting_changes_no_total(desk: Desk) -> None:
    """Old detail is rolled into daily sums; the report says the same before and after."""
    desk.spend("0.1", task="a")
    desk.spend("0.2", task="b")
    desk.clock.jump(desk.clock.now() + 500 * DAY)
    desk.spend("0.4", task="a")
    before = desk.json("report", "--since", "all", "--by", "task")
    found = desk.json("doctor", "--compact")
    assert (found["rolled"], found["unchanged"], found["calls"], found["usd"]) == (2, True, 2, "0.30")
    assert desk.json("report", "--since", "all", "--by", "task") == before
    assert "No total changed" in desk.run("doctor", "--compact").stderr
    assert levels(desk)["contents"] == "ok"


def test_the_limits_in_force_say_what_is_needed(desk: Desk) -> None:
    """A file whose windows are short does not shorten those in force: what they need stays, and is counted."""
    long = '[[limits]]\nname = "long"\nusd = "80.00"\nwindow = "90d"\n'
    keep = '\n[store]\nkeep = "50d"\n'
    desk.configure(f"{long}{keep}")
    desk.spend("1")
    desk.clock.jump(desk.clock.now() + 60 * DAY)
    desk.configure(f'{long.replace("90d", "1h")}{keep}[gate]\nlimits_from = "ledger"\n')
    assert "store.keep" in desk.fails("doctor", "--compact")
    assert desk.json("status")["limits"][0]["spent"] == "1.00"


def test_what_windows_need_is_not_rolled_up(desk: Desk) -> None:
    """A `keep` that windows do not allow is an error that names it."""
    desk.configure(f'{CONFIG}\n[store]\nkeep = "5d"\n')
    desk.spend("1")
    assert "store.keep" in desk.fails("doctor", "--compact")


def test_who_has_the_ledger_open(tmp_path: Path) -> None:
    """Other processes are found by their open files, and the one that writes by its lock."""
    ledger, proc = tmp_path / "ledger.db", tmp_path / "proc"
    lock = tmp_path / "ledger.db.lock"
    ledger.touch()
    lock.touch()
    for pid, files in (
        (101, [ledger]),
        (102, [tmp_path / "else"]),
        (103, [tmp_path / "ledger.db-wal"]),
        (os.getpid(), [ledger]),
    ):
        (proc / str(pid) / "fd").mkdir(parents=True)
        (proc / str(pid) / "cmdline").write_bytes(f"/usr/bin/python3\0-u\0worker{pid}.py\0--fast\0".encode())
        (proc / str(pid) / "comm").write_text("python3\n", encoding="utf-8")
        for number, file in enumerate(files):
            (proc / str(pid) / "fd" / str(number)).symlink_to(file)
    assert holders(ledger, proc) is None
    (proc / "self").mkdir()
    line = f"1: FLOCK  ADVISORY  WRITE 103 fe:00:{lock.stat().st_ino} 0 EOF\n"
    (proc / "locks").write_text(line, encoding="utf-8")
    assert [str(one) for one in holders(ledger, proc) or []] == [
        "python3 worker101.py (101)",
        "python3 worker103.py (103, writing)",
    ]


def test_a_loss_is_told(desk: Desk) -> None:
    """Accepting a loss is an event that people hear of."""
    told = desk.folder / "told"
    desk.configure(f'{CONFIG}\n[notify]\ncommand = ["sh", "-c", "cat > {told}"]\n')
    desk.spend("1")
    (desk.folder / ".spendgate" / "ledger.db.head").unlink()
    desk.ok("doctor", "--accept-loss", "--charge", "2")
    assert "lost" in told.read_text(encoding="utf-8")
