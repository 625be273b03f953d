"""A lock between processes that is handed on fairly and can be waited for with a time limit.

`flock` on a file of its own: the kernel lets go of it when a process dies, and closing other descriptors of the ledger
does not. Two files make a turnstile: whoever wants the lock first passes the queue file and keeps it until the lock is
his, so a process that lets go and comes straight back cannot overtake the one that has been waiting.
"""

import fcntl
import os
import threading
from pathlib import Path


class FairLock:
    """Excludes other processes, and other `FairLock`s of this one, while held. Not re-entrant, one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._queue = os.open(path.with_name(path.name + "-queue"), os.O_RDWR | os.O_CREAT, 0o600)
        self._waiter: _Waiter | None = None

    def acquire(self, timeout_s: float) -> bool:
        """Takes the lock; False where somebody else kept it for all of `timeout_s` seconds."""
        if (self._waiter is None or self._waiter.idle) and self._try():
            return True
        if self._waiter is None:
            self._waiter = _Waiter(self._queue, self._lock)
        return self._waiter.wait(timeout_s)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
        return True

    def release(self) -> None:
        """Hands the lock on."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the files; in a forked child that leaves the parent's lock as it is."""
        os.close(self._lock)
        os.close(self._queue)


class _Waiter:
    """Waits in a thread of its own, since `flock` knows no time limit. It is only asked where the lock is taken."""

    def __init__(self, queue: int, lock: int) -> None:
        self._files = (queue, lock)
        self._turn = threading.Condition()
        self._state = "idle"
        threading.Thread(target=self._run, name="spendgate-lock", daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether nobody is waiting, and nobody gave up waiting a moment ago."""
        return self._state == "idle"

    def wait(self, timeout_s: float) -> bool:
        """Takes the lock, or gives up after `timeout_s` seconds; then the thread lets go of it as soon as it has it."""
        with self._turn:
            self._state = "waiting"
            self._turn.notify_all()
            if self._turn.wait_for(lambda: self._state == "got", timeout_s):
                self._state = "idle"
                return True
            self._state = "abandoned"
            return False

    def _run(self) -> None:
        queue, lock = self._files
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._state == "waiting")
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX)
            fcntl.flock(queue, fcntl.LOCK_UN)
            with self._turn:
                if self._state == "abandoned":
                    fcntl.flock(lock, fcntl.LOCK_UN)
                    self._state = "idle"
                else:
                    self._state = "got"
                    self._turn.notify_all()
