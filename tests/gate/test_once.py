"""`gate.once`: at most one caller within a span, whatever dies, and what happens when the ledger is away."""

import asyncio
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import spendgate
from spendgate import aio
from spendgate.clock import HOUR
from spendgate.errors import AmountError, LostTailError, StoreError
from spendgate.gate import Gate
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import FakeClock
from tests.conftest import ROOT
from tests.gate.conftest import MakeGate

CONFIG = '[[limits]]\nusd = "1.00"\nwindow = "day"\n'
KEYS = [f"customer-{number}" for number in range(100)]


def test_one_caller_goes_on(gate: Gate, clock: FakeClock) -> None:
    """The same action for the same key is done once within its span; another key or action is another thing."""
    assert gate.once("mail", "7", within="24h")
    assert not gate.once("mail", "7", within="24h")
    assert gate.once("mail", "8")
    assert gate.once("page", "7")
    clock.advance(24 * 3600 - 0.000001)
    assert not gate.once("mail", "7")
    clock.advance(0.000001)
    assert gate.once("mail", "7")


def test_names_do_not_run_into_each_other(gate: Gate) -> None:
    """Where the action ends and the key begins is part of what is asked."""
    for action, key in (("mail", "er7"), ("mailer", "7"), ("mail", "er:7"), ("mail:er", "7")):
        assert gate.once(action, key)


@pytest.mark.parametrize("key", ["x" * 10_000_000, "a\nb\x00c", "\ud800", "ключ", " "])
def test_any_text_is_a_key(gate: Gate, key: str) -> None:
    """A key may be long, and may have any character in it."""
    assert gate.once("mail", key)
    assert not gate.once("mail", key)


@pytest.mark.parametrize(
    ("action", "key", "within"),
    [
        ("", "7", "1h"),
        ("mail", "", "1h"),
        (7, "7", "1h"),
        ("mail", 7, "1h"),
        ("mail", None, "1h"),
        ("mail", b"7", "1h"),
        ("two\nlines", "7", "1h"),
        ("x" * 201, "7", "1h"),
        ("mail", "7", "0s"),
        ("mail", "7", "401d"),
        ("mail", "7", "1 hour"),
        ("mail", "7", 3600),
        ("mail", "7", None),
        ("mail", "7", "9" * 10_000),
    ],
)
def test_bad_input_takes_nothing(gate: Gate, action: Any, key: Any, within: Any) -> None:
    """What is no name, key or span is an error, and nothing is taken by it."""
    with pytest.raises(AmountError) as error:
        gate.once(action, key, within)
    assert error.value.value in (action, key, within), "the message shows what was given"
    assert gate.once("mail", "7")


def test_the_key_is_not_kept(tmp_path: Path) -> None:
    """Neither the ledger nor its side files hold the key."""
    store = SqliteStore(tmp_path / "ledger.db")
    gate = Gate(store)
    assert gate.once("welcome-mail", "someone@example.com")
    gate.close()
    for path in tmp_path.iterdir():
        assert b"someone@example" not in path.read_bytes()


def test_rows_are_reclaimed(tmp_path: Path, clock: FakeClock) -> None:
    """However long it goes on, the ledger keeps little more than what is not over, and a day of what is."""
    store = SqliteStore(tmp_path / "ledger.db")
    gate = Gate(store, clock=clock)
    for number in range(1500):
        assert gate.once("mail", str(number), within="1h")
        clock.advance(1800)
    rows = store._read(lambda tables: tables.connection.execute("SELECT count(*) FROM once").get)  # type: ignore[attr-defined]
    assert rows <= 200
    gate.close()


class _Away(MemoryStore):
    """A ledger that cannot be reached."""

    fault_raised: type[StoreError] = StoreError

    def once(self, digest: str, span: int, now_at: int) -> bool:
        raise self.fault_raised("the ledger is away")


def test_without_the_ledger_nobody_goes_on(make_gate: MakeGate) -> None:
    """With `unavailable = "refuse"` a ledger that is away is an error, and nobody is let through."""
    gate = make_gate(store=_Away())
    with pytest.raises(StoreError):
        gate.once("mail", "7")
    assert gate.unrecorded_onces == 0


def test_without_the_ledger_everybody_goes_on_where_the_config_says_so(
    make_gate: MakeGate, caplog: pytest.LogCaptureFixture
) -> None:
    """With `unavailable = "allow"` everybody goes on, which is counted and said."""
    gate = make_gate(store=_Away(), unavailable="allow")
    with caplog.at_level(logging.WARNING, "spendgate"):
        assert [gate.once("mail", "7") for _ in range(3)] == [True] * 3
    assert gate.unrecorded_onces == 3
    assert caplog.text.count("mail goes on") == 3
    other = make_gate(store=_Away(), mode="observe")
    assert other.once("mail", "7")
    assert (other.unrecorded_onces, gate.unrecorded_onces) == (1, 3)


def test_a_lost_tail_is_an_error_in_any_case(make_gate: MakeGate) -> None:
    """A ledger that has lost its tail may have lost who went on: nobody does, also where it may be away."""

    class Lost(_Away):
        fault_raised = LostTailError

    gate = make_gate(store=Lost(), unavailable="allow")
    with pytest.raises(LostTailError):
        gate.once("mail", "7")


def test_a_gate_that_is_off_asks_nobody(make_gate: MakeGate) -> None:
    """With `mode = "off"` the ledger is not asked, everybody goes on, and arguments are still looked at."""
    gate = make_gate(store=_Away(), mode="off")
    assert gate.once("mail", "7")
    assert gate.unrecorded_onces == 0
    with pytest.raises(AmountError):
        gate.once("mail", "")


def test_awaited_callers_share_it(tmp_path: Path) -> None:
    """Of many coroutines that ask at once exactly one goes on."""
    config = tmp_path / "spendgate.toml"
    config.write_text(CONFIG)

    async def ask() -> int:
        async with aio.open(config) as gate:
            return sum(await asyncio.gather(*(gate.once("mail", "7", within="24h") for _ in range(40))))

    assert asyncio.run(ask()) == 1
    assert asyncio.run(ask()) == 0


def _race(config: str, start: Any, answers: Any) -> None:
    """Sixteen threads ask for all keys, each in another order; the keys for which they were the first."""
    with spendgate.open(config) as gate:
        won: list[str] = []
        barrier = threading.Barrier(16)

        def ask(shift: int) -> None:
            barrier.wait()
            won.extend(key for key in KEYS[shift:] + KEYS[:shift] if gate.once("mail", key))

        start.wait()
        threads = [threading.Thread(target=ask, args=(6 * number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    answers.put(won)


def test_processes_and_threads_win_each_key_once(tmp_path: Path) -> None:
    """Four processes of sixteen threads ask for the same hundred keys: each is won exactly once."""
    config = tmp_path / "spendgate.toml"
    config.write_text(CONFIG + '[store]\ntimeout = "60s"\n')
    context = multiprocessing.get_context("forkserver")
    start, answers = context.Event(), context.Queue()
    started = [context.Process(target=_race, args=(str(config), start, answers)) for _ in range(4)]
    for process in started:
        process.start()
    start.set()
    won = [key for _ in started for key in answers.get(timeout=200)]
    for process in started:
        process.join()
    assert sorted(won) == sorted(KEYS)


WINNER = """
import os, sys
import spendgate
with spendgate.open(sys.argv[1]) as gate:
    for key in sys.argv[2].split(","):
        if gate.once("mail", key):
            os.write(1, (key + "\\n").encode())
"""


def _winner(config: Path, keys: list[str]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", WINNER, str(config), ",".join(keys)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=config.parent)


@pytest.mark.parametrize("after", [1, 7, 30])
def test_a_kill_gives_nobody_a_second_turn(tmp_path: Path, after: int) -> None:
    """Killed right after it was told to go on, a process has had its turn: nobody gets another, and none is lost."""
    keys = [f"customer-{number}" for number in range(1500)]
    config = tmp_path / "spendgate.toml"
    config.write_text(CONFIG)
    spendgate.open(config).close()
    with _winner(config, keys) as doomed:
        assert doomed.stdout is not None
        first = [doomed.stdout.readline().decode().strip() for _ in range(after)]
        doomed.send_signal(signal.SIGKILL)
        first += doomed.stdout.read().decode().split()
    assert len(first) < len(keys)
    done = [_winner(config, keys) for _ in range(2)]
    later = [key for one in done for key in one.communicate(timeout=60)[0].decode().split()]
    assert len(later) == len(set(later))
    assert not set(first) & set(later)
    never = set(keys) - set(first) - set(later)
    assert len(never) <= 1  # the one that was taken and not yet spoken of when the process died
    path = tmp_path / ".spendgate" / "ledger.db"
    store = SqliteStore(path)
    assert store.check() == []
    clock = FakeClock(store.totals().latest_at + 24 * HOUR)
    gate = Gate(store, clock=clock)
    assert all(gate.once("mail", key) for key in keys)
    gate.close()
