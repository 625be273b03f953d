"""Celery, the real one: a worker in this process, over a broker in memory."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import billiard
import pytest
from celery import Celery, signals
from celery.concurrency.prefork import process_destructor
from celery.contrib.testing.worker import start_worker
from celery.result import allow_join_result

import spendgate
from spendgate import BlockedError, SpendLimitError
from spendgate.config import read
from spendgate.gate import Gate
from spendgate.integrations.celery import GatedTask
from spendgate.ledger import Actor, Breaker
from spendgate.pricing.book import PriceBook
from spendgate.stores.memory import MemoryStore
from tests.integrations.frameworks.conftest import MakeGate, attempts, entries

# Celery and kombu leave connections of a broker in memory to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning")

app = Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False)
GATED: Any = {"base": GatedTask, "shared": False}


class Here:
    """What the tasks of a test use: the worker is in this process."""

    gate: Gate
    runs = 0


def pay(amount: str = "0.10") -> None:
    """Makes a paid call."""
    Here.runs += 1
    Here.gate.reserve(resource="api", at_most=amount).settle()


@app.task(bind=True, max_retries=0, **GATED)
def once(self: Any) -> tuple[int, int]:
    """Pays once; answers which retry it is, and how often it ran."""
    pay()
    return self.request.retries, Here.runs


@app.task(autoretry_for=(Exception,), dont_autoretry_for=(), retry_kwargs={"countdown": 0}, **GATED)
def insisting() -> None:
    """Retries whatever happens, as far as it is asked."""
    pay()


@app.task(bind=True, **GATED)
def retrying(self: Any) -> None:
    """Asks for its retry itself."""
    try:
        pay()
    except BlockedError as refused:
        self.retry(exc=refused, countdown=0)


@app.task(
    retry_budget="0.20", autoretry_for=(ConnectionError,), retry_kwargs={"countdown": 0, "max_retries": 50}, **GATED
)
def failing() -> None:
    """Pays, and fails."""
    pay()
    raise ConnectionError("again")


@app.task(autoretry_for=(ConnectionError,), retry_kwargs={"countdown": 0}, **GATED)
def flaky() -> None:
    """Pays, and fails every other time."""
    pay()
    if Here.runs % 2:
        raise ConnectionError("again")


@pytest.fixture(scope="module")
def worker() -> Iterator[None]:
    """A worker for all tests here. It sets the level of the root logger, which is not its own alone."""
    root = logging.getLogger()
    level = root.level
    with start_worker(app, perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=20):
        yield
    root.setLevel(level)


@pytest.fixture
def running(worker: None, gate: Gate) -> Callable[[Any], Any]:
    """Sends a task, and waits for its result."""
    Here.gate, Here.runs = gate, 0

    def result(task: Any) -> Any:
        with allow_join_result():
            return task.delay().get(timeout=20, interval=0.02)

    return result


@pytest.fixture
def put_back() -> Iterator[list[dict[str, Any]]]:
    """The headers of messages that were sent with a time to wait for."""
    found: list[dict[str, Any]] = []

    def note(headers: dict[str, Any] | None = None, **_: Any) -> None:
        if headers and headers.get("eta"):
            found.append(headers)

    signals.before_task_publish.connect(note)
    yield found
    signals.before_task_publish.disconnect(note)


def real_time(calls: int, window: str) -> Gate:
    """A gate on the real clock, which allows so many calls per window."""
    settings = read(f'[[limits]]\nname = "few"\ncalls = {calls}\nwindow = "{window}"\n')
    store = MemoryStore()
    gate = Gate(store, prices=PriceBook(settings.prices))
    store.apply_limits(settings.limits, "test", Actor(), gate.clock.now())
    return gate


def test_a_refused_task_is_put_back_for_as_long_as_the_refusal_says(
    running: Any, put_back: list[dict[str, Any]]
) -> None:
    """It comes back when there is room, as the same attempt, and its result is the caller's."""
    Here.gate = real_time(1, "4s")
    Here.gate.reserve(resource="api", at_most="0.01").settle()
    retries, runs = running(once)
    assert retries == 0
    assert runs == len(put_back) + 1 >= 2
    assert attempts(Here.gate) == [1, 1]


def test_a_refusal_that_waiting_cannot_help_fails_the_task(
    running: Any, make_gate: MakeGate, put_back: list[dict[str, Any]]
) -> None:
    """What is larger than its limit will never fit; neither retries nor a countdown are spent on it."""
    Here.gate = make_gate("0.05")
    with pytest.raises(Exception, match="will never fit"):
        running(insisting)
    assert Here.runs == 1
    assert put_back == []


@pytest.mark.parametrize("task", [insisting, retrying], ids=["autoretry", "self.retry"])
def test_a_tripped_breaker_fails_the_task(task: Any, running: Any, gate: Gate) -> None:
    """Nobody knows for how long it blocks."""
    gate.store.trip(Breaker("*", "*", gate.clock.now(), "stop"), Actor(), gate.clock.now())
    with pytest.raises(Exception, match="breaker"):
        running(task)
    assert Here.runs == 1


def test_retries_of_celery_are_attempts_and_draw_on_the_retry_budget(running: Any, gate: Gate) -> None:
    """A cheap call gets its retries, until their budget is spent; then the refusal fails the task."""
    failing.gate = gate
    with pytest.raises(Exception, match="RetryBudgetError"):  # results are JSON, which knows no classes
        running(failing)
    assert Here.runs == 4
    assert attempts(gate) == [1, 2, 3]
    assert len({entry.call.task for entry in entries(gate)}) == 1


def test_whom_it_was_sent_for_is_whom_it_runs_for(running: Any, gate: Gate) -> None:
    """Service, task and tags travel with the message, over retries too; the task's budget is that of its sender."""
    with gate.task("job-1", retry_budget="1.00"), gate.scope("research", tags={"customer": "acme"}):
        running(flaky)
    running(flaky)
    calls = [entry.call for entry in entries(gate)]
    assert [(call.service, call.task) for call in calls[:2]] == [("research", "job-1")] * 2
    assert calls[1].tags == (("customer", "acme"),)
    assert calls[2].service.endswith("flaky")
    assert [call.attempt for call in calls] == [1, 2, 1, 2]


def test_what_cannot_be_put_back_raises_its_refusal(tight: Gate) -> None:
    """An eager task, and one that is called as a function, has no queue to wait in."""
    Here.gate = tight
    with pytest.raises(SpendLimitError):
        once.apply(throw=True)
    with pytest.raises(SpendLimitError):
        once()


def pay_at_last(path: str) -> None:
    """What a worker's process does: it pays, hands the answer on, and is ended as Celery ends it."""
    with_gate = spendgate.open(path)
    hold = with_gate.reserve(resource="api", at_most="0.9")
    with_gate.backlog.add(lambda: hold.settle("0.4"))
    process_destructor(os.getpid(), 0)


def test_the_last_calls_of_a_workers_process_are_booked(tmp_path: Path) -> None:
    """Celery ends its processes without the steps of a program's end: what is left is booked before."""
    config = tmp_path / "spendgate.toml"
    limits = '[[limits]]\nname = "hourly"\nusd = "5.00"\nwindow = "1h"\n'
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/ledger.db"\n{limits}')
    process = billiard.Process(target=pay_at_last, args=(str(config),))
    process.start()
    process.join()
    with spendgate.open(config) as gate:
        assert [entry.state.value for entry in gate.store.entries()] == ["settled"]
