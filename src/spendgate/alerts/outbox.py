"""What is still to be told: a bounded queue that one daemon thread empties.

Putting something in never waits for it to be delivered. A forked child starts with an empty queue and a thread of its
own: what the parent had queued is the parent's to deliver.
"""

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

from spendgate.clock import monotonic
from spendgate.ledger import Event

EXIT_FLUSH_S = 3.0
"""How many seconds the end of the program waits for messages on their way."""

_Item = Event | threading.Event | None
"""An event to deliver, a mark to set when it is reached, or None: nobody will put anything in any more."""

_alive: "weakref.WeakSet[Outbox]" = weakref.WeakSet()


class Outbox:
    """Hands each event to `deliver`, in order, on a thread that starts with the first of them."""

    def __init__(self, deliver: Callable[[Event], None], capacity: int) -> None:
        self.dropped = 0
        self._deliver = deliver
        self._capacity = capacity
        self._start_afresh()
        _alive.add(self)

    def put(self, event: Event) -> None:
        """Queues an event, or counts it in `dropped` where too many wait already."""
        # Reentrant: a signal handler may spend money in the middle of this.
        with self._lock:
            if self._queue.qsize() >= self._capacity:
                self.dropped += 1
                return
            self._queue.put(event)
            self._run()

    def flush(self, timeout_s: float) -> bool:
        """Waits until all that was put in has been handed on, at most so many seconds; whether it was."""
        with self._lock:
            if self._thread is None and self._queue.empty():
                return True
            reached = threading.Event()
            self._queue.put(reached)
            self._run()
        return reached.wait(timeout_s)

    def close(self) -> None:
        """Lets the thread end once it has delivered what waits."""
        self._queue.put(None)

    def _start_afresh(self) -> None:
        self._lock = threading.RLock()
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def _run(self) -> None:
        """Starts the thread unless it runs."""
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._work, name="spendgate-notify", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread is to be had now: too many, or the interpreter is ending. The next event tries again.
            return
        self._thread = thread
        _say_goodbye_in_workers()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._deliver(item)


def _flush_all() -> None:
    """Gives what is still on its way a moment before the program ends."""
    deadline = monotonic() + EXIT_FLUSH_S
    for outbox in list(_alive):
        outbox.flush(max(0.0, deadline - monotonic()))


def _say_goodbye_in_workers() -> None:
    """Processes of `multiprocessing` end without `atexit`; they have finalizers of their own."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _flush_all, exitpriority=100)


def _after_fork() -> None:
    for outbox in list(_alive):
        outbox._start_afresh()


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
