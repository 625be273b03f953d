"""What the matrix needs to know of a client: how it is made, how it is asked, and what it does by itself."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any

MESSAGES: Any = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True)
class Setup:
    """What a client is made with. `tries` is how often it may send one call, where it sends again by itself."""

    url: str
    wrap: Callable[[Any], Any]
    timeout_s: float
    tries: int


@dataclass(frozen=True)
class Asking:
    """A client in use. `plain` reads a whole answer, or gives what to await for it; `stream` is left by its block."""

    plain: Callable[[], Any]
    stream: Callable[[], Any]


Sync = Callable[[Setup], AbstractContextManager[Asking]]
Awaited = Callable[[Setup], AbstractAsyncContextManager[Asking]]
Pieces = Iterator[Any] | AsyncIterator[Any]


@dataclass(frozen=True)
class Client:
    """A kind of client.

    Attributes:
        package: what `gate.wrap` knows it by.
        cost: nano-dollars of the provider's answer.
        retries: whether it sends again by itself what was turned away or failed.
        sync: makes one that blocks; None where the library has none, so that the cell does not exist.
        awaited: makes one that is awaited; None likewise.
        turned_away: what its caller sees of a 429 that it does not send again.
        failed: what its caller sees of a 500.
        timed_out: what its caller sees where no answer came in time.
        broken: what its caller sees of a plain answer that breaks off; None where it is handed to him as it is.
        repeats_timeouts: whether it sends again also where no answer came in time.
        left_counts: how a stream counts that is left early: `cut`, or `whole` where the model reasons unseen.
    """

    package: str
    cost: int
    retries: bool
    sync: Sync | None
    awaited: Awaited | None
    failed: type[BaseException]
    timed_out: type[BaseException]
    broken: type[BaseException] | None
    turned_away: type[BaseException] | None = None
    repeats_timeouts: bool = True
    left_counts: str = "cut"

    @property
    def tries(self) -> int:
        """How often it sends a call that goes on failing."""
        return 3 if self.retries else 1
