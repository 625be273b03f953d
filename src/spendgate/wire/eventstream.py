"""AWS event streams, taken apart as they arrive: frames of headers and payload, each with two checksums.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html describes the frames;
https://smithy.io/2.0/aws/amazon-eventstream.html what their headers say.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

PRELUDE = struct.Struct(">III")
"""Length of the frame, length of its headers, and the checksum of both."""
CRC_BYTES = 4
MAX_FRAME = 25 << 20
"""The longest frame that is believed: AWS allows payloads of 24 MiB."""
MAX_HEADERS = 128 << 10

SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; the types 6 (bytes) and 7 (text) state their length."""
TEXT = 7


class EventStreamError(ValueError):
    """The bytes are no event stream, or were altered on their way; the text says how that was noticed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: those of its headers that are text, and its payload."""

    headers: dict[str, str]
    payload: bytes

    @property
    def event(self) -> str:
        """The name of the event, or of the exception or error that came in its place."""
        names = (":event-type", ":exception-type", ":error-code")
        return next((self.headers[name] for name in names if name in self.headers), "")

    @property
    def failed(self) -> bool:
        """Whether it says that something went wrong."""
        return self.headers.get(":message-type", "event") != "event"


@dataclass(slots=True)
class FrameDecoder:
    """Takes bytes in any pieces and gives the frames that they complete. It holds no more than one frame.

    What stands before a fault is given first. After one the stream cannot be read any further, and nothing more comes.
    """

    broken: bool = False
    _held: bytearray = field(default_factory=bytearray)
    _needed: int = PRELUDE.size
    _whole: bool = False

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that are complete with this piece.

        Raises:
            EventStreamError: a checksum or a length is wrong.
        """
        at = 0
        while at < len(chunk) and not self.broken:
            missing = self._needed - len(self._held)
            self._held += chunk[at : at + missing]
            at += missing
            if len(self._held) < self._needed:
                return
            try:
                frame = self._step()
            except EventStreamError:
                self.broken = True
                self._held.clear()
                raise
            if frame is not None:
                yield frame

    @property
    def pending(self) -> bool:
        """Whether a frame has begun that is not complete."""
        return bool(self._held)

    def _step(self) -> Frame | None:
        """Goes from a complete prelude to waiting for its frame, and from a complete frame to the next prelude."""
        if not self._whole:
            self._needed = _length(bytes(self._held))
            self._whole = True
            return None
        frame = _frame(bytes(self._held))
        self._held.clear()
        self._needed, self._whole = PRELUDE.size, False
        return frame


def _length(prelude: bytes) -> int:
    length, headers, checksum = PRELUDE.unpack(prelude)
    if crc32(prelude[:8]) != checksum:
        raise EventStreamError("the checksum of a frame's length is wrong")
    if headers > MAX_HEADERS or length > MAX_FRAME or length < PRELUDE.size + headers + CRC_BYTES:
        raise EventStreamError(f"a frame of {length:,} bytes with {headers:,} of headers is not believed")
    return int(length)


def _frame(data: bytes) -> Frame:
    if crc32(data[:-CRC_BYTES]) != int.from_bytes(data[-CRC_BYTES:], "big"):
        raise EventStreamError("the checksum of a frame is wrong")
    begin = PRELUDE.size + int.from_bytes(data[4:8], "big")
    return Frame(_headers(data[PRELUDE.size : begin]), data[begin:-CRC_BYTES])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name = data[at + 1 : at + 1 + data[at]].decode()
            at += 1 + data[at]
            kind = data[at]
            at += 1
            size = SIZES.get(kind)
            if size is None:
                if kind not in {6, TEXT}:
                    raise EventStreamError(f"a header has the unknown type {kind}")
                size = int.from_bytes(data[at : at + 2], "big")
                at += 2
            if at + size > len(data):
                raise EventStreamError("a header is longer than all of them")
            if kind == TEXT:
                found[name] = data[at : at + size].decode()
            at += size
    except (IndexError, UnicodeDecodeError):
        raise EventStreamError("the headers of a frame cannot be read") from None
    return found
