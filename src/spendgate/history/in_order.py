"""Entries in the order of time, however they come and however many: what does not fit in memory waits in a file.

>>> from spendgate.history.past import past_call, stated
>>> from spendgate.call import Call
>>> from spendgate.pricing.usage import Usage
>>> calls = [past_call(str(at), Call(), at, Usage(), stated(1, "log")) for at in (3, 1, 2)]
>>> with InOrder(calls, chunk=2) as ordered:
...     ordered.first_at, ordered.last_at, [entry.held_at for entry in ordered]
(1, 3, [1, 2, 3])
"""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

from spendgate.ledger import Entry

CHUNK = 50_000
"""How many entries are kept in memory."""


class InOrder:
    """Reads all entries, sorts them by the instant at which they were held, and hands them out, any number of times.

    `first_at` and `last_at` are the instants of the first and the last; both 0 where there is none. Leaving the block
    removes the files.
    """

    def __init__(self, entries: Iterable[Entry], chunk: int = CHUNK) -> None:
        self.first_at = 0
        self.last_at = 0
        self._files: list[IO[bytes]] = []
        self._rest: list[Entry] = []
        with ExitStack() as stack:
            found = iter(entries)
            while part := sorted(islice(found, chunk), key=_when):
                self.first_at = min(self.first_at or part[0].held_at, part[0].held_at)
                self.last_at = max(self.last_at, part[-1].held_at)
                if len(part) < chunk:
                    self._rest = part
                    break
                file = stack.enter_context(TemporaryFile(prefix="spendgate-"))
                for entry in part:
                    pickle.dump(entry, file, pickle.HIGHEST_PROTOCOL)
                self._files.append(file)
            self._left = stack.pop_all()

    def __iter__(self) -> Iterator[Entry]:
        return merge(*(_read(file) for file in self._files), self._rest, key=_when)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.close()


def _when(entry: Entry) -> int:
    return entry.held_at


def _read(file: IO[bytes]) -> Iterator[Entry]:
    file.seek(0)
    while True:
        try:
            entry = pickle.load(file)  # noqa: S301 - a file of our own, without a name
        except EOFError:
            return
        yield entry
