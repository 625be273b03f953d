"""The notifier: delivers each event once, and never keeps anybody waiting."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from spendgate.alerts.message import Message
from spendgate.alerts.notifier import Delivery, Notifier
from spendgate.alerts.routes import Route
from spendgate.alerts.sinks import SinkError
from spendgate.ledger import Event
from tests.alerts.servers import Hook, listening

AT = 1_793_000_000_000_000
LONG_S = 60.0


def blocked(number: int = 0) -> Event:
    return Event(AT + number, "blocked", f"limit-{number}", "service=research")


def command(name: str = "pager", on: frozenset[str] = frozenset({"blocked"})) -> Route:
    return Route("command", ("true",), on=on, name=name)


class Held:
    """A sink that keeps what it gets, and holds on to it until it may go on."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, route: Route, message: Message) -> None:
        self.reached.set()
        assert self.go_on.wait(LONG_S)
        self.got.append((route.label, message.limit))


def test_a_server_that_never_answers_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a webhook's server keeps silent, telling hundreds of events returns, and the overflow is counted."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with listening(Hook(silent=True)) as hook:
        notifier = Notifier([Route("webhook", (hook.url,), timeout_s=60)], capacity=10)
        notifier.tell([blocked(0)])
        assert hook.reached.wait(LONG_S)
        notifier.tell(blocked(number) for number in range(1, 500))
        assert len(hook.posts) == 1
        assert notifier.dropped == 489
        assert notifier.flush(0) is False
        hook.speak.set()
        assert notifier.flush(LONG_S) is True
    assert len(hook.posts) == 11
    assert notifier.health[0].delivered == 11


def test_each_event_is_delivered_once_in_order() -> None:
    """Every event reaches every route that asks for its kind, once, in the order it was told."""
    sink = Held()
    sink.go_on.set()
    routes = [
        command("first"),
        command("second", frozenset({"blocked", "reset"})),
        command("third", frozenset({"lost"})),
    ]
    notifier = Notifier(routes, sink=sink)
    notifier.tell([blocked(1), Event(AT, "limits"), Event(AT, "reset", "limit-2")])
    notifier.tell([blocked(3)])
    assert notifier.flush(LONG_S)
    first, second = ("first", "second")
    assert sink.got == [
        (first, "limit-1"),
        (second, "limit-1"),
        (second, "limit-2"),
        (first, "limit-3"),
        (second, "limit-3"),
    ]


def test_a_failing_sink_is_counted_and_the_next_gets_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a sink raises is logged and counted, and neither the next route nor the next event suffers."""

    def sink(route: Route, message: Message) -> None:
        if route.label == "bad":
            raise SinkError(f"no luck with {message.limit}")
        if route.label == "worse":
            raise KeyError(message.limit)

    notifier = Notifier([command("bad"), command("worse"), command("good")], sink=sink)
    notifier.tell([blocked(1), blocked(2)])
    assert notifier.flush(LONG_S)
    bad, worse, good = notifier.health
    assert (bad.delivered, bad.failed, bad.last_error, bad.failed_at) == (0, 2, "no luck with limit-2", AT + 2)
    assert (worse.failed, worse.last_error) == (2, "KeyError: 'limit-2'")
    assert (good.delivered, good.failed, good.last_error) == (2, 0, "")
    assert "bad was not told of 'blocked': no luck with limit-1" in caplog.text


def test_a_test_tries_every_route_at_once() -> None:
    """`test` tries each route whatever it asks for, in the caller's thread, and says how each fared."""
    tried = []

    def sink(route: Route, message: Message) -> None:
        tried.append((threading.current_thread(), message.kind))
        if route.label == "bad":
            raise SinkError("nobody there")

    notifier = Notifier([command("good", frozenset({"lost"})), command("bad")], sink=sink)
    assert notifier.test(AT) == [Delivery("good"), Delivery("bad", "nobody there")]
    assert tried == [(threading.current_thread(), "test")] * 2


def test_nothing_wanted_starts_no_thread() -> None:
    """A notifier without routes, or without an event that a route asks for, costs no thread."""
    before = set(threading.enumerate())
    Notifier([]).tell([blocked()])
    notifier = Notifier([command(on=frozenset({"lost"}))], sink=Held())
    notifier.tell([blocked()])
    assert notifier.flush(0)
    assert set(threading.enumerate()) <= before


def test_an_abandoned_notifier_delivers_what_it_was_told() -> None:
    """A notifier that nobody holds any more delivers what was told and then lets its thread end."""
    sink = Held()
    others = set(threading.enumerate())
    notifier = Notifier([command()], sink=sink)
    gone = weakref.ref(notifier)
    notifier.tell([blocked(1), blocked(2)])
    assert sink.reached.wait(LONG_S)
    (thread,) = set(threading.enumerate()) - others
    del notifier
    gc.collect()
    assert gone() is None
    sink.go_on.set()
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert [limit for _, limit in sink.got] == ["limit-1", "limit-2"]


def run(program: str, *arguments: str) -> None:
    """Runs a program of its own, so that its end and its forks are real."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


PROGRAM = """
import os, sys, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)
from spendgate.alerts.notifier import Notifier
from spendgate.alerts.routes import Route
from spendgate.ledger import Event

def sink(route, message):
    if os.environ.get("HOLD"):
        reached.set()
        go_on.wait()
    with open(sys.argv[1], "a") as out:
        out.write(f"{message.limit} {os.getpid() == parent}\\n")

import threading
reached, go_on = threading.Event(), threading.Event()
parent = os.getpid()
notifier = Notifier([Route("command", ("true",))], sink=sink)
tell = lambda name: notifier.tell([Event(0, "blocked", name)])
"""


# Exit handlers run last one first: the sink goes on as the end begins, and has been waited for when `check` is reached.
LAST = """
import atexit, os, sys

def check():
    if not os.path.exists(sys.argv[1]):
        os._exit(5)

atexit.register(check)
os.environ["HOLD"] = "1"
PROGRAM
atexit.register(go_on.set)
tell("last words")
reached.wait()
"""


def test_the_end_of_the_program_waits_for_messages(tmp_path: Path) -> None:
    """A program that ends right after an event was told still delivers it."""
    out = tmp_path / "told"
    run(LAST.replace("PROGRAM", PROGRAM), str(out))
    assert out.read_text() == "last words True\n"


def test_a_hanging_sink_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A sink that never comes back does not keep the program from ending."""
    out = tmp_path / "told"
    run("import os; os.environ['HOLD'] = '1'\n" + PROGRAM + "tell('never'); reached.wait()", str(out))
    assert not out.exists()


FORK = """
os.environ["HOLD"] = "1"
tell("parent 1")
reached.wait()
tell("parent 2")
child = os.fork()
if child == 0:
    del os.environ["HOLD"]
    tell("child")
    notifier.flush(60)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
go_on.set()
notifier.flush(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_delivers_its_own_events_only(tmp_path: Path) -> None:
    """A child forked in the midst of a delivery starts empty and delivers its own; the parent's are told once."""
    out = tmp_path / "told"
    run(PROGRAM + FORK, str(out))
    assert sorted(out.read_text().splitlines()) == ["child False", "parent 1 True", "parent 2 True"]


WORKER = """
import multiprocessing
context = multiprocessing.get_context("fork")
worker = context.Process(target=tell, args=("worker",))
worker.start()
worker.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_worker_process_delivers_before_it_ends(tmp_path: Path) -> None:
    """A multiprocessing worker, which ends without exit handlers, still delivers what it told last."""
    out = tmp_path / "told"
    run(PROGRAM + WORKER, str(out))
    assert out.read_text() == "worker False\n"
