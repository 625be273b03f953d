"""Forks of a process that has a ledger open, each in a fresh interpreter: `python -m tests.stores.faults.forking NAME`.

Prints, as JSON, the ids of every reservation that either side was told of.
"""

import ctypes
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from spendgate.errors import StoreError
from spendgate.ledger import Outcome
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import CENT, held


class Child:
    """A forked child that does something and sends what it returns; it ends as scripts do, or as if it were killed."""

    def __init__(
        self, work: Callable[[], list[str]], fork: Callable[[], int] = os.fork, end: Callable[[int], object] = sys.exit
    ) -> None:
        self._read, write = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            try:
                os.write(write, json.dumps(work()).encode())
                os.close(write)
            except Exception:
                traceback.print_exc()
                os._exit(1)
                raise
            end(0)
        os.close(write)

    def result(self) -> list[str]:
        """What it sent, once it has ended well."""
        with os.fdopen(self._read) as file:
            text = file.read()
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        return list(json.loads(text))


def pairs(store: SqliteStore, count: int) -> list[str]:
    """Holds and settles so often."""
    found = []
    for _ in range(count):
        found.append(held(store))
        store.settle(found[-1], Outcome(usd=CENT // 2), START_AT)
    return found


def parent_closes_first(store: SqliteStore) -> list[str]:
    """The child goes on after the parent has closed, which used to take its log away."""
    found = pairs(store, 3)
    (booked, told), (closed, tell) = os.pipe(), os.pipe()

    def go_on() -> list[str]:
        mine = pairs(store, 2)
        os.write(told, b"x")
        os.read(closed, 1)
        return [*mine, *pairs(store, 5)]

    child = Child(go_on, end=os._exit)
    os.read(booked, 1)
    store.close()
    os.write(tell, b"x")
    return [*found, *child.result()]


def both_go_on(store: SqliteStore) -> list[str]:
    found = pairs(store, 3)
    child = Child(lambda: pairs(store, 20))
    found += pairs(store, 20)
    return [*found, *child.result(), *pairs(store, 3)]


def child_leaves_without_closing(store: SqliteStore) -> list[str]:
    found = pairs(store, 3)
    child = Child(lambda: [held(store)])
    return [*found, *child.result(), *pairs(store, 3)]


def child_never_asks(store: SqliteStore) -> list[str]:
    found = pairs(store, 3)
    child = Child(list)
    return [*found, *child.result(), *pairs(store, 3)]


def fork_of_a_fork(store: SqliteStore) -> list[str]:
    found = pairs(store, 2)
    child = Child(lambda: [*pairs(store, 2), *Child(lambda: pairs(store, 2)).result(), *pairs(store, 2)])
    return [*found, *child.result(), *pairs(store, 2)]


def four_children(store: SqliteStore) -> list[str]:
    found = pairs(store, 2)
    children = [Child(lambda: pairs(store, 10)) for _ in range(4)]
    found += pairs(store, 10)
    return [*found, *(one for child in children for one in child.result())]


def within(store: SqliteStore, wait: Callable[[threading.Event, threading.Event], object]) -> list[str]:
    """Forks while another thread is at it; that thread ends as soon as the fork waits for it."""
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)  # later Pythons warn of any fork beside threads
    found = pairs(store, 3)
    inside, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=wait, args=(inside, go_on))
    thread.start()
    inside.wait()
    lock = store._writer.lock if wait.__name__ == "write" else store._reader.lock

    class Telling:
        """The lock, telling the other thread that the fork has come to it."""

        def acquire(self, *, timeout: float) -> bool:
            go_on.set()
            return lock.acquire(timeout=timeout)

        def release(self) -> None:
            lock.release()

        def __enter__(self) -> None:
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    link = store._writer if wait.__name__ == "write" else store._reader
    link.lock = Telling()  # type: ignore[assignment]
    child = Child(lambda: pairs(store, 5))
    thread.join()
    found += pairs(store, 5)
    return [*found, *child.result()]


def fork_within_a_transaction(store: SqliteStore) -> list[str]:
    booked: list[str] = []

    def write(inside: threading.Event, go_on: threading.Event) -> None:
        def wait(_: object) -> None:
            inside.set()
            go_on.wait()

        store._write(wait)
        booked.extend(pairs(store, 2))

    return [*within(store, write), *booked]


def fork_within_a_read(store: SqliteStore) -> list[str]:
    def read(inside: threading.Event, go_on: threading.Event) -> None:
        def wait(_: object) -> None:
            inside.set()
            go_on.wait()

        store._look(wait)

    return within(store, read)


def fork_while_waiting(store: SqliteStore) -> list[str]:
    """Another thread waits for a process that has the ledger; the fork does not wait for either."""
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)
    found = pairs(store, 2)
    other = SqliteStore(store.path)
    assert other._lock.acquire(10)
    booked: list[str] = []
    thread = threading.Thread(target=lambda: booked.extend(pairs(store, 2)))
    thread.start()
    while store._lock._waiter is None or store._lock._waiter.idle:
        os.sched_yield()
    child = Child(lambda: pairs(store, 5))
    other._lock.release()
    thread.join()
    other.close()
    return [*found, *booked, *child.result()]


def fork_unknown_to_python(store: SqliteStore) -> list[str]:
    """A fork that Python is not told of cannot be made good: the child is refused, and told what to do."""
    found = pairs(store, 3)

    def refused() -> list[str]:
        for again in (lambda: store, lambda: SqliteStore(store.path)):
            with pytest.raises(StoreError, match="after the fork"):
                held(again())
        return []

    child = Child(refused, fork=ctypes.CDLL(None).fork)
    return [*found, *child.result(), *pairs(store, 3)]


if __name__ == "__main__":
    ledger = SqliteStore(Path(sys.argv[2]), timeout_s=60)
    seen = globals()[sys.argv[1]](ledger)
    ledger.close()
    print(json.dumps(seen))
