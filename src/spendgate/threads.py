"""Threads of the gate's own, so that a program's full executor cannot hold up a decision."""

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_all: "weakref.WeakSet[Threads]" = weakref.WeakSet()


class Threads:
    """Up to `most` threads, begun when they are needed; new ones after a fork. They finish before the program ends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin_anew()
        _all.add(self)

    def _begin_anew(self) -> None:
        self._guard = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Begins a step.

        Raises:
            RuntimeError: the program is ending; the step was not begun.
        """
        return self.pool().submit(work)

    def pool(self) -> ThreadPoolExecutor:
        """The threads as an executor."""
        with self._guard:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._most, "spendgate")
            return self._pool


def _after_fork() -> None:
    for one in list(_all):
        one._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
