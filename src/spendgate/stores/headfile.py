"""How far the ledger had come, kept beside it: a ledger that is behind this file has lost its tail.

One line of fixed length, written in place after each commit: the ledger's name, head, running total and a checksum.
A crash between commit and write leaves the ledger ahead of the file, which is as it should be.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_LENGTH = 68


@dataclass(frozen=True, slots=True)
class Head:
    """The ledger's random name, its count of writes and its running total in nano-dollars."""

    ledger: str
    head: int
    total: int


class HeadFile:
    """The side file of one ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def read(self) -> Head | None:
        """What the file says; None where it is missing or was tampered with."""
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDWR)
            line = os.pread(self._file, _LENGTH, 0)
            text, check = line[:58], line[59:67]
            if len(line) == _LENGTH and f"{zlib.crc32(text):08x}".encode() == check and os.fstat(self._file).st_nlink:
                return Head(text[:16].decode(), int(text[17:37]), int(text[38:58]))
        except (OSError, ValueError):
            pass
        self.close()
        return None

    def write(self, head: Head) -> None:
        """Overwrites the line in place.

        Raises:
            OSError: the file cannot be written; the ledger itself is as it was.
        """
        if self._file < 0:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        text = f"{head.ledger:<16.16} {head.head:020d} {head.total:020d}".encode()
        os.pwrite(self._file, text + b" %08x\n" % zlib.crc32(text), 0)

    def close(self) -> None:
        """Closes the file; it opens again by itself."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
