"""What the first bytes of images, sounds and documents say about their size. Nothing is decoded beyond that.

Everything is handed over as base64, with or without the `data:...;base64,` in front of it.
"""

import base64
import binascii
import re
import struct

HEAD_CHARS = 4 * 64
"""Base64 that holds the size of a PNG, GIF or WebP, and the byte rate of a WAV."""
JPEG_CHARS = 4 * 65_536
"""Base64 of a JPEG that is looked through: a camera's remarks stand before the size."""
PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")


def payload(data: str) -> str:
    """The base64 itself, without the start of a data URL."""
    return data.partition(",")[2] if data.startswith("data:") else data


def bytes_in(data: str) -> int:
    """How many bytes a base64 text holds, at most.

    >>> bytes_in("data:text/plain;base64,SGVsbG8=")
    6
    """
    return len(payload(data)) * 3 // 4


def pixels(data: str) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP; None where its first bytes do not say.

    >>> pixels("R0lGODlhAQACAIAAAP///wAAACwAAAAAAQACAAACAkQBADs=")
    (1, 2)
    """
    head = _decoded(data, HEAD_CHARS)
    try:
        if head[:2] == b"\xff\xd8":
            return _jpeg(_decoded(data, JPEG_CHARS))
        return _framed(head)
    except (struct.error, IndexError):
        return None


def seconds(data: str, least_bytes_s: int) -> int:
    """The most seconds that a sound or a film can last.

    A WAV states its bytes per second; for everything else `least_bytes_s` are taken.
    """
    head = _decoded(data, HEAD_CHARS)
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and len(head) >= 32:
        least_bytes_s = max(int.from_bytes(head[28:32], "little"), least_bytes_s)
    return -(-bytes_in(data) // least_bytes_s)


def pages(data: str) -> int | None:
    """How many pages a PDF has; None where it keeps them in compressed objects, or is no PDF."""
    document = _decoded(data, len(data))
    if not document.startswith(b"%PDF") or b"/ObjStm" in document or b"/Encrypt" in document:
        return None
    return len(PAGE.findall(document)) or None


def _decoded(data: str, chars: int) -> bytes:
    start = data.find(",") + 1 if data.startswith("data:") else 0
    part = data[start : start + chars]
    try:
        return base64.b64decode(part[: len(part) // 4 * 4], altchars=b"-_" if "-" in part or "_" in part else None)
    except (binascii.Error, ValueError):
        return b""


def _framed(head: bytes) -> tuple[int, int] | None:
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">II", head[16:24])
    if head[:4] == b"GIF8":
        return struct.unpack("<HH", head[6:10])
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """Goes from marker to marker until one starts a frame: that one states height and width."""
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
