"""What answers bill is booked a moment later, and nobody is refused for it."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spendgate
from spendgate.backlog import MOST, Backlog
from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.reserved import Reservation
from tests.gate.conftest import MakeGate

DOLLAR = """
[[limits]]
name = "dollar"
usd = "1.00"
window = "1h"
"""


def hold(gate: Gate, usd: str) -> Reservation:
    """So much set aside."""
    return gate.reserve(resource="clearbit.enrich", at_most=usd)


def test_what_is_added_is_booked_without_anybody_asking() -> None:
    """A booking is made by itself, soon."""
    backlog, booked = Backlog(), threading.Event()
    backlog.add(booked.set)
    assert booked.wait(10)


def test_all_is_booked_in_its_order_when_somebody_looks() -> None:
    """After a flush there is nothing left, whoever made the bookings."""
    backlog, booked = Backlog(), list[int]()
    for number in range(100):
        backlog.add(lambda number=number: booked.append(number))  # type: ignore[misc]
    backlog.flush()
    assert booked == list(range(100))
    assert not backlog


def test_a_booking_that_fails_is_said_and_the_next_is_made(caplog: pytest.LogCaptureFixture) -> None:
    """One fault costs one booking."""
    backlog, booked = Backlog(), threading.Event()
    backlog.add(lambda: 1 / 0)
    backlog.add(booked.set)
    backlog.flush()
    assert booked.is_set()
    assert "the whole hold counts" in caplog.text


def test_a_booking_may_look_at_the_ledger(gate: Gate) -> None:
    """Status inside of a booking does not wait for that booking."""
    found: list[int] = []
    gate.backlog.add(lambda: found.append(len(gate.status())))
    gate.backlog.flush()
    assert found == [0]


def test_more_than_can_wait_is_left_held(caplog: pytest.LogCaptureFixture) -> None:
    """A ledger that hangs fills the backlog to its end, and what comes then is said and dropped."""
    backlog, hangs, stuck, booked = Backlog(), threading.Event(), threading.Event(), list[int]()

    def hang() -> None:
        stuck.set()
        hangs.wait(60)

    backlog.add(hang, at_once=True)
    assert stuck.wait(10)
    with caplog.at_level(logging.ERROR):
        for number in range(MOST):
            backlog.add(lambda number=number: booked.append(number))  # type: ignore[misc]
    assert caplog.text.count("stays held, and counts whole") == 1
    hangs.set()
    backlog.flush()
    assert booked == list(range(MOST - 1))


@pytest.mark.parametrize(("more", "fits"), [("0.6", True), ("0.600000001", False)])
def test_before_a_call_is_refused_all_is_booked(make_gate: MakeGate, more: str, fits: bool) -> None:
    """Held money whose bill is known frees what it did not cost, to the nano-dollar."""
    gate = make_gate(DOLLAR)
    first = hold(gate, "0.9")
    gate.backlog.add(lambda: first.settle("0.4"))
    if fits:
        hold(gate, more)
    else:
        with pytest.raises(SpendLimitError) as refusal:
            hold(gate, more)
        assert (str(refusal.value.spent), str(refusal.value.held)) == ("0.40", "0.00")
    assert not gate.backlog


def test_a_call_that_fits_after_all_was_never_refused(make_gate: MakeGate) -> None:
    """Neither an event nor a count of refusals tells of the first look at the limit."""
    gate = make_gate(DOLLAR)
    first = hold(gate, "0.9")
    gate.backlog.add(lambda: first.settle("0.4"))
    hold(gate, "0.6")
    [standing] = gate.store.standings(gate.clock.now())
    assert list(gate.store.events()) == [] or {event.kind for event in gate.store.events()} == {"limits"}
    assert (standing.refused_calls, standing.blocked_at) == (0, 0)


def test_a_gate_that_closes_books_first(make_gate: MakeGate) -> None:
    """Nothing is lost by closing."""
    gate = make_gate(DOLLAR)
    first = hold(gate, "0.9")
    gate.backlog.add(lambda: first.settle("0.4"))
    store = gate.store
    closed: list[str] = []
    store.close = lambda: closed.extend(entry.state.value for entry in store.entries())  # type: ignore[method-assign]
    gate.close()
    assert closed == ["settled"]


PROGRAM = """
import os, signal, sys
import spendgate
gate = spendgate.open({config!r})
hold = gate.reserve(resource="clearbit.enrich", at_most="0.9")
gate.backlog.add(lambda: hold.settle("0.4"))
{end}
"""


@pytest.fixture
def states(tmp_path: Path) -> Callable[[str], list[str]]:
    """Runs a program that leaves a booking in the backlog and ends in some way: how its reservation stands then."""
    config = tmp_path / "spendgate.toml"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/ledger.db"\n{DOLLAR}')

    def run(end: str) -> list[str]:
        program = PROGRAM.format(config=str(config), end=end)
        subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=os.environ, check=False, timeout=60)
        with spendgate.open(config) as gate:
            return [entry.state.value for entry in gate.store.entries()]

    return run


FINALIZER = """
import concurrent.futures.thread, faulthandler
from spendgate.backlog import Backlog

other = Backlog()

class Dropped:
    def __del__(self):
        other.add(lambda: hold.settle("0.4"))

faulthandler.dump_traceback_later(10, exit=True)
gate.backlog._works.clear()
dropped = Dropped()
with concurrent.futures.thread._global_shutdown_lock:
    del dropped
"""
PROCESS = """
import multiprocessing

def use(hold):
    gate.backlog.add(lambda: hold.settle("0.4"))

gate.backlog._works.clear()
process = multiprocessing.get_context("fork").Process(target=use, args=(hold,))
process.start()
process.join()
"""
LAST = """
import threading

def use():
    threading.main_thread().join()
    gate.backlog.add(lambda: hold.settle("0.4"))

gate.backlog._works.clear()
threading.Thread(target=use).start()
"""

ENDS = {
    "the end of the program": "",
    "an exit": "sys.exit(3)",
    "an exception": "1 / 0",
    "a finalizer, whose thread holds what executors wait for": FINALIZER,
    "a process of multiprocessing": PROCESS,
    "a thread that outlives the others": LAST,
    "a child, whose parent books": "if pid := os.fork(): os.waitpid(pid, 0)\nelse: os._exit(gate.backlog.flush() or 0)",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_ends_has_booked(states: Callable[[str], list[str]], end: str) -> None:
    """However a program ends by itself, what was left to be booked is booked once."""
    assert states(ENDS[end]) == ["settled"]


def test_a_program_that_is_killed_leaves_the_hold(states: Callable[[str], list[str]]) -> None:
    """Killed before it was booked, a call stays held and counts whole."""
    assert states(f"os.kill(os.getpid(), {int(signal.SIGKILL)})") == ["held"]


def test_a_booking_that_ends_its_thread_does_not_end_all_bookings(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised in it, the thread that books goes on."""
    backlog, booked, faults = Backlog(), threading.Event(), [SystemExit()]

    def work() -> None:
        if faults:
            raise faults.pop()
        booked.set()

    backlog.add(work, at_once=True)
    other = Backlog()
    seen = threading.Event()
    other.add(seen.set)
    assert seen.wait(10)
    backlog.add(lambda: None)
    assert booked.wait(10)


def test_what_interrupts_a_booking_leaves_the_others_for_later(tmp_path: Path) -> None:
    """A signal's handler that closes or looks, in the midst of a booking, loses none and waits for none."""
    config = tmp_path / "spendgate.toml"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/ledger.db"\n{DOLLAR}')
    with spendgate.open(config) as gate:
        first = hold(gate, "0.9")
        store: Any = gate.store
        gate.backlog._works.append(lambda: first.settle_quietly(cost="0.4"))
        store._exclusively(lambda _: gate.status())
        assert gate.backlog
        gate.status()
        assert [entry.state.value for entry in gate.store.entries()] == ["settled"]
