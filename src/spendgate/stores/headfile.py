"""How far the ledger had come, kept beside it: a ledger that is behind this file has lost its tail.

One line of fixed length, written in place after each commit: the ledger's name, head, running total and a checksum.
A crash between commit and write leaves the ledger ahead of the file, which is as it should be.
"""

import os
import zlib
from pathlib import Path
from typing import NamedTuple

_LENGTH = 68
_TRIES = 3
"""A line is read again where it does not fit its checksum: it may be half-written by another process just then."""


class Head(NamedTuple):
    """The ledger's random name, its count of writes and its running total in nano-dollars."""

    ledger: str
    head: int
    total: int


class HeadFile:
    """The side file of one ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._known = (b"", Head("", 0, 0))

    @property
    def missing(self) -> bool:
        """Whether there is no such file, damaged or not."""
        return not self.path.exists()

    def read(self) -> Head | None:
        """What the file says; None where it is missing or was tampered with.

        Raises:
            PermissionError: the file may not be read or written.
        """
        if self._file >= 0 and not os.fstat(self._file).st_nlink:
            self.close()
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return None
        for _ in range(_TRIES):
            line = os.pread(self._file, _LENGTH + 1, 0)
            if line == self._known[0]:
                return self._known[1]
            if len(line) == _LENGTH and line[58:] == _seal(line[:58]):
                self._known = (line, Head(line[:16].decode().rstrip(), int(line[17:37]), int(line[38:58])))
                return self._known[1]
        return None

    def write(self, head: Head) -> None:
        """Overwrites the line in place.

        Raises:
            OSError: the file cannot be written; the ledger itself is as it was.
        """
        if self._file < 0:
            self._make()
        text = b"%-16.16s %020d %020d" % (head.ledger.encode(), head.head, head.total)
        line = text + _seal(text)
        os.pwrite(self._file, line, 0)
        self._known = (line, head)

    def _make(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _LENGTH)

    def sync(self) -> None:
        """Waits until the disk has the file and its name: a power cut just after it was made does not take it away."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(self._file)
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Closes the file; it opens again by itself."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()


def _seal(text: bytes) -> bytes:
    return b" %08x\n" % zlib.crc32(text)
