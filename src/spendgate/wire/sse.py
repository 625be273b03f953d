r"""Server-sent events, taken apart as they arrive: https://html.spec.whatwg.org/multipage/server-sent-events.html.

>>> decoder = EventDecoder()
>>> list(decoder.feed(b"event: delta\ndata: 1\n")), list(decoder.feed(b"data: 2\r\n\r\n"))
([], [Event(data='1\n2', name='delta')])
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_EVENT = 8 << 20
"""The most bytes of one event that are kept; a longer one is skipped, and `oversized` says so."""

LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """What one event carries, and its name; empty for the usual one."""

    data: str
    name: str = ""


@dataclass(slots=True)
class EventDecoder:
    """Takes bytes in any pieces and gives the events that they complete.

    An event counts when the empty line after it has arrived: what the end of a stream cuts off is dropped, as the
    specification says. `id` and `retry` say nothing about a bill and are left out.
    """

    limit: int = MAX_EVENT
    oversized: bool = False
    _line: bytearray = field(default_factory=bytearray)
    _held: int = 0
    _data: list[bytes] = field(default_factory=list)
    _name: str = ""
    _skipping: bool = False
    _after_return: bool = False
    _started: bool = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are complete with this piece."""
        at = 0
        if self._after_return and chunk:
            at = int(chunk.startswith(b"\n"))  # the second half of a line's end, whose line was taken already
            self._after_return = False
        for end in LINE_END.finditer(chunk, at):
            self._keep(chunk[at : end.start()])
            at = end.end()
            event = self._take_line()
            if event is not None:
                yield event
        if at < len(chunk):
            self._keep(chunk[at:])
        self._after_return = chunk.endswith(b"\r") if chunk else self._after_return

    def _keep(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self.limit:
            self._skipping = self.oversized = True
            self._line.clear()
            self._data.clear()
        if piece and not self._skipping:
            self._line += piece
        elif piece:
            self._line[:] = b"x"  # the line is not empty, and that is all that is still asked of it

    def _take_line(self) -> Event | None:
        line = bytes(self._line)
        self._line.clear()
        if not self._started:
            self._started = True
            line = line.removeprefix(BOM)
        if not line:
            return self._dispatch()
        if self._skipping:
            return None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        else:
            self._held -= len(line)
            if name == b"event":
                self._name = value[:200].decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        data, name, skipped = self._data, self._name, self._skipping
        self._data, self._name, self._held, self._skipping = [], "", 0, False
        if skipped or not data:
            return None
        return Event(b"\n".join(data).decode("utf-8", "replace"), name)
