"""Undoes the content-encoding of an answer as it comes by, without ever holding more than a piece of it.

Gzip and deflate always; Brotli and Zstandard where the library is installed with which the caller's client reads them.
"""

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Protocol

PIECE = 1 << 16
"""Bytes that are handed on at a time: a small answer can unpack to a very large one."""


class DecodingError(ValueError):
    """The bytes are not what the content-encoding says."""


class Decoder(Protocol):
    """Takes encoded bytes in any pieces."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What these bytes decode to, in pieces.

        Raises:
            DecodingError: they do not.
        """


def decoder(encoding: str) -> Decoder | None:
    """A decoder for a content-encoding; None where it cannot be undone here.

    >>> list(decoder("identity").feed(b"abc"))
    [b'abc']
    """
    name = encoding.strip().lower()
    if name in {"", "identity", "none", "utf-8", "aws-chunked"}:
        return Plain()
    if name in {"gzip", "x-gzip", "deflate"}:
        return Zlib(name)
    if name == "br":
        return _library(("brotli", "brotlicffi"), lambda library: library.Decompressor().process)
    if name == "zstd":
        return _library(("compression.zstd", "zstandard"), _zstd)
    return None


class Plain:
    """Nothing to undo."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class Zlib:
    """Gzip, and deflate with or without its header. What turns out to be decoded already passes as it is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start = b""
        self._stream: Any = None
        self._plain = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._stream is None and not self._plain:
            self._start += chunk
            if len(self._start) < 2:
                return
            chunk = self._start
            self._begin(chunk)
        if self._plain:
            yield chunk
            return
        while chunk:
            try:
                piece = self._stream.decompress(chunk, PIECE)
            except zlib.error as fault:
                raise DecodingError(f"it is not {self._name}: {fault}") from None
            if piece:
                yield piece
            chunk = self._stream.unconsumed_tail
            if self._stream.eof:
                chunk = self._stream.unused_data.lstrip(b"\0")
                if chunk:
                    self._begin(chunk)

    def _begin(self, start: bytes) -> None:
        if self._name != "deflate":
            self._plain = self._stream is None and start[:2] != b"\x1f\x8b"
            self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            return
        self._plain = start[:1] in b"{["
        has_header = start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
        self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


class Library:
    """A decoder that a library brought along."""

    def __init__(self, process: Callable[[bytes], bytes]) -> None:
        self._process = process

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        for at in range(0, len(chunk), 1024):
            try:
                piece = self._process(chunk[at : at + 1024])
            except Exception as fault:  # noqa: BLE001 - each library has errors of its own
                raise DecodingError(f"it cannot be decoded: {fault}") from None
            if piece:
                yield piece


def _library(names: tuple[str, ...], begin: Callable[[Any], Callable[[bytes], bytes]]) -> Decoder | None:
    for name in names:
        try:
            return Library(begin(import_module(name)))
        except (ImportError, AttributeError):
            continue
    return None


def _zstd(library: Any) -> Callable[[bytes], bytes]:
    begin = library.ZstdDecompressor
    found = begin().decompressobj() if hasattr(begin, "decompressobj") else begin()
    process: Callable[[bytes], bytes] = found.decompress
    return process
