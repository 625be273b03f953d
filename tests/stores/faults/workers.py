"""What the other processes of a proof do. They are started from a server that was forked once, in milliseconds."""

import fcntl
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any

from spendgate.ledger import Held, Outcome
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import CENT, cent, held

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.stores.faults.workers"])
SPAWNED = multiprocessing.get_context("spawn")


class Worker:
    """A process with a pipe to it, killed at the latest when the proof is over."""

    def __init__(self, context: ForkServerContext | SpawnContext, target: Callable[..., None], *args: Any) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()

    def kill(self) -> None:
        """Kills it, wherever it is, and waits until it is gone."""
        self.process.kill()
        self.join()

    def stop(self) -> None:
        """Halts it, wherever it is."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Lets it run again."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def join(self) -> int | None:
        """Waits for its end; how it ended."""
        self.process.join()
        return self.process.exitcode


@contextmanager
def working(target: Callable[..., None], *args: Any, context: Any = FORKED) -> Iterator[Worker]:
    """A worker, and nothing left of it afterwards."""
    worker = Worker(context, target, *args)
    try:
        yield worker
    finally:
        worker.kill()
        worker.pipe.close()


def spend_in_threads(pipe: Connection, path: Path, threads: int, attempts: int) -> None:
    """Opens the ledger, waits for the word, then tries from many threads; sends how many calls were admitted."""
    store = SqliteStore(path, timeout_s=60)
    pipe.send("ready")
    pipe.recv()
    admitted = in_threads(threads, lambda: spend(store, attempts))
    store.close()
    pipe.send(admitted)


def spend(store: SqliteStore, attempts: int) -> int:
    """Tries so often, settles every other call at what was held; how many were admitted."""
    admitted = 0
    for number in range(attempts):
        found = store.hold(cent(), START_AT + number)
        if isinstance(found, Held):
            admitted += 1
            if number % 2:
                store.settle(found.id, Outcome(usd=CENT), START_AT + number)
    return admitted


def in_threads(threads: int, work: Callable[[], int]) -> int:
    """Runs something in many threads at once; the sum of what they return. A thread's error is an error here."""
    barrier, found, faults = threading.Barrier(threads), [], []

    def run() -> None:
        try:
            barrier.wait()
            found.append(work())
        except Exception as fault:
            faults.append(fault)
            raise

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if faults:
        raise faults[0]
    return sum(found)


def book_and_acknowledge(pipe: Connection, path: Path, synchronous: str) -> None:
    """Holds and settles for ever; says so only when the store has returned."""
    store = SqliteStore(path, synchronous=synchronous, timeout_s=60)  # type: ignore[arg-type]
    number = 0
    while True:
        number += 1
        at = START_AT + number * 1000
        found = held(store, at, f"service-{number % 3}")
        pipe.send(("held", found))
        store.settle(found, Outcome(usd=number), at + 1)
        pipe.send(("settled", found, number))


def keep_writing(pipe: Connection, path: Path) -> None:
    """Keeps a transaction open until it is told to end it."""
    store = SqliteStore(path, timeout_s=60)

    def wait(_: object) -> None:
        pipe.send("writing")
        pipe.recv()

    store._write(wait)
    store.close()
    pipe.send("done")


def keep_lock(pipe: Connection, path: Path) -> None:
    """Takes a `flock` on a file and keeps it until it is told to let go."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    pipe.send("locked")
    pipe.recv()
    fcntl.flock(file, fcntl.LOCK_UN)
    pipe.send("free")
    pipe.recv()


def overwrite(pipe: Connection, path: Path, position: int, mask: int) -> None:
    """Flips bits of one byte of a file. Another process does it: closing a ledger's file here would drop its locks."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ mask]))
    pipe.send(byte)
