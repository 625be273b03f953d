"""Cuts the bytes of an answer into JSON documents: one, an array of them, lines, events of either kind of stream.

Each document comes with the name of its event. `[DONE]`, with which OpenAI ends a stream, is handed on as that text.
"""

import re
from collections.abc import Iterator
from typing import Any, Protocol

from spendgate.wire.eventstream import EventStreamError, FrameDecoder
from spendgate.wire.fields import load
from spendgate.wire.sse import MAX_EVENT, EventDecoder

MAX_DOCUMENT = 64 << 20
"""The most bytes of one JSON document that are kept."""

Document = tuple[Any, str]

_STRUCTURE = re.compile(rb'["\\{}\[\]]')
_SPACE = b" \t\r\n"


class FramingError(ValueError):
    """The bytes are not what they are said to be, or too many to keep; the text says which."""


class Framing(Protocol):
    """Takes bytes in any pieces."""

    def feed(self, chunk: bytes) -> Iterator[Document]:
        """The documents that are complete with these bytes.

        Raises:
            FramingError: they make no sense.
        """

    def end(self) -> Iterator[Document]:
        """The document that is complete now that nothing more comes.

        Raises:
            FramingError: what came is none.
        """


def framing(content_type: str) -> Framing:
    """How an answer of this type is cut; by its first bytes where the type does not say."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return Events()
    if kind == "application/vnd.amazon.eventstream":
        return Frames()
    if kind in {"application/x-ndjson", "application/jsonl", "application/x-jsonl", "application/x-jsonlines"}:
        return Lines()
    if kind in {"application/stream+json", "application/binary", "application/octet-stream"}:
        return Lines()  # the last two are how results of batches are downloaded
    return Sniffed()


class Whole:
    """One JSON document; or one a line, which some send without saying so."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Document]:
        if len(self._kept) + len(chunk) > MAX_DOCUMENT:
            self._kept.clear()
            raise FramingError(f"it is longer than {MAX_DOCUMENT >> 20} MiB")
        self._kept += chunk
        yield from ()

    def end(self) -> Iterator[Document]:
        data = bytes(self._kept)
        self._kept.clear()
        if not data.strip():
            raise FramingError("it is empty")
        try:
            documents = [_json(data)]
        except FramingError:
            lines = [line for line in data.splitlines() if line.strip()]
            if len(lines) < 2:
                raise
            documents = [_json(line) for line in lines]
        yield from ((document, "") for document in documents)


class Elements:
    """An array of JSON documents, each handed on when it is complete: how Gemini streams without `alt=sse`."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._depth = 0
        self._in_text = False
        self._escaped = False

    def feed(self, chunk: bytes) -> Iterator[Document]:
        at, escaped_at = 0, 0 if self._escaped else -1
        for found in _STRUCTURE.finditer(chunk):
            here, mark = found.start(), found.group()
            if here == escaped_at:
                continue
            if mark == b"\\":
                escaped_at = here + 1
                continue
            before, self._depth = self._depth, self._depth + self._step(mark)
            if (before, self._depth) == (1, 2):
                at = here
            elif (before, self._depth) == (2, 1):
                yield _json(bytes(self._kept) + chunk[at : here + 1]), ""
                self._kept.clear()
        self._escaped = escaped_at == len(chunk) if chunk else self._escaped
        if self._depth >= 2:
            self._kept += chunk[at:]
            if len(self._kept) > MAX_EVENT:
                raise FramingError(f"one of its documents is longer than {MAX_EVENT >> 20} MiB")

    def _step(self, mark: bytes) -> int:
        """How much deeper a mark leads; a quote begins or ends a text, in which nothing else counts."""
        if mark == b'"':
            self._in_text = not self._in_text
        if self._in_text or mark == b'"':
            return 0
        return 1 if mark in b"{[" else -1

    def end(self) -> Iterator[Document]:
        if self._depth:
            raise FramingError("it ends in the middle of a document")
        yield from ()


class Events:
    """Server-sent events whose data is JSON. What is none (a ping, half an event) says nothing about a bill."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()

    def feed(self, chunk: bytes) -> Iterator[Document]:
        for event in self._decoder.feed(chunk):
            yield from _event(event.data, event.name)
        if self._decoder.oversized:
            raise FramingError(f"one of its events is longer than {MAX_EVENT >> 20} MiB")

    def end(self) -> Iterator[Document]:
        yield from ()


class Frames:
    """Frames of an AWS event stream, named after their event, or after the exception that came in its place."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()

    def feed(self, chunk: bytes) -> Iterator[Document]:
        try:
            for frame in self._decoder.feed(chunk):
                yield from _event(frame.payload.decode("utf-8", "replace"), frame.event)
        except EventStreamError as fault:
            raise FramingError(str(fault)) from None

    def end(self) -> Iterator[Document]:
        yield from ()


class Lines:
    """JSON documents, one a line. An event's name and the word `data:` may stand before it."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Document]:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._kept += line
            yield from self._taken()
        self._kept += rest
        if len(self._kept) > MAX_EVENT:
            raise FramingError(f"one of its lines is longer than {MAX_EVENT >> 20} MiB")

    def end(self) -> Iterator[Document]:
        yield from self._taken()

    def _taken(self) -> Iterator[Document]:
        line = bytes(self._kept).strip()
        self._kept.clear()
        if line:
            yield from _event(line.removeprefix(b"data:").decode("utf-8", "replace"), "")


class Sniffed:
    """Decides by the first byte that is no space what the answer is."""

    def __init__(self) -> None:
        self._found: Framing | None = None

    def feed(self, chunk: bytes) -> Iterator[Document]:
        if self._found is None:
            chunk = chunk.lstrip(_SPACE)
            if not chunk:
                return
            self._found = _by_first_byte(chunk[:1])
        yield from self._found.feed(chunk)

    def end(self) -> Iterator[Document]:
        yield from (self._found or Whole()).end()


def _by_first_byte(first: bytes) -> Framing:
    if first == b"[":
        return Elements()
    return Events() if first in b"dei:" else Whole()


def _event(data: str, name: str) -> Iterator[Document]:
    text = data.strip()
    if text == "[DONE]":
        yield text, name
    elif text:
        try:
            yield load(text), name
        except ValueError:
            return


def _json(data: bytes) -> Any:
    try:
        return load(data)
    except ValueError as fault:
        raise FramingError(f"it is no JSON: {fault}") from None
