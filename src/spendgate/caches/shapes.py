"""What a cache key looks like, piece by piece: a UUID, a number of 13 digits, a timestamp, a word. Never its letters.

A key is cut into segments at the separators that people use (`:` `/` `|` `,` `?` `&` `=`, and between the elements of a
tuple), and a segment into pieces at everything else that is no letter or digit. Instants are found first, since they
contain separators themselves.

>>> masked("enrichment:4711:2026-11-25T10:11:12.123456")
'word:number of 4 digits:ISO timestamp'
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from spendgate.caches import instants
from spendgate.caches.instants import Reading
from spendgate.caches.plain import BETWEEN, OBJECT, plain

_TOKEN = re.compile(
    "|".join(
        [
            rf"(?P<sep>[:/|,?&={BETWEEN}]+)",
            rf"(?P<iso>{instants.ISO})",
            r"(?P<uuid>(?<![0-9A-Za-z])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9A-Za-z]))",
            rf"(?P<english>{instants.ENGLISH})",
            rf"(?P<slashed>{instants.SLASHED})",
            rf"(?P<repr>{instants.REPR})",
            rf"(?P<object>{OBJECT}[0-9a-f]*)",
            r"(?P<fraction_number>(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?(?![\w.]))",
            r"(?P<word>[^\W_]+)",
        ]
    )
)
_HEX = re.compile(r"(?:0x)?([0-9a-f]+|[0-9A-F]+)")
_HASH_DIGITS = frozenset((32, 40, 56, 64, 96, 128))

STABLE = "word"
"""The shape of what is no evidence: words, short numbers, everything that is not made new for each key."""


class Shape(NamedTuple):
    """What a piece looks like.

    Attributes:
        words: for people: "UUID", "number of 13 digits", "word".
        nonce: whether keys that are made new each time carry such pieces: UUIDs, hashes, hexadecimal, long numbers.
        hashed: whether it may well be the hash of what the cached answer depends on.
        number: the number that it is, to tell a sequence from what is drawn; -1 for others.
    """

    words: str
    nonce: bool = False
    hashed: bool = False
    number: int = -1


class Piece(NamedTuple):
    """A part of a key.

    Attributes:
        segment: the number of its segment, from 1.
        place: its number within the segment, from 1.
        start: where it begins in the text.
        end: where it ends.
        shape: what it looks like.
        readings: the instants that it may stand for.
    """

    segment: int
    place: int
    start: int
    end: int
    shape: Shape
    readings: tuple[Reading, ...]


WORD = Shape(STABLE)
_UUID = Shape("UUID", nonce=True)
_OBJECT = Shape("object", nonce=True)
_INSTANT = Shape("instant")

_INSTANTS: dict[str, Callable[["re.Match[str]"], tuple[Reading, ...]]] = {
    "iso": instants.of_iso,
    "english": instants.of_english,
    "slashed": instants.of_slashed,
    "repr": instants.of_repr,
}


def pieces(text: str) -> tuple[list[Piece], int]:
    """The pieces of a key's text that may be evidence, in their order, and how many segments it has; no words."""
    every = list(_pieces(text))
    return [piece for piece in every if piece.shape is not WORD], every[-1].segment if every else 0


def masked(key: object) -> str:
    """The whole key as shapes, its separators kept: what may be shown and stored where the key must not be.

    Raises:
        Exception: whatever the key's own methods raise.
    """
    text, said, last = plain(key).text, [], 0
    for piece in _pieces(text):
        between = text[last : piece.start].replace(BETWEEN, ",")
        said.append("".join(letter if letter in ":/|,?&=-_.;#@ " else "…" for letter in between[:8]))
        said.append(piece.readings[0].words if piece.shape is _INSTANT and piece.readings else piece.shape.words)
        last = piece.end
    return "".join(said)[:200]


def _pieces(text: str) -> Iterator[Piece]:
    segment, place, begun = 1, 0, False
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind == "sep":
            if begun:
                segment, place, begun = segment + 1, 0, False
            continue
        begun = True
        place += 1
        shape, readings = _look(kind, found)
        yield Piece(segment, place, found.start(), found.end(), shape, readings)


def _look(kind: str, found: "re.Match[str]") -> tuple[Shape, tuple[Reading, ...]]:
    if kind == "word":
        return _word(found.group())
    if kind == "uuid":
        return _UUID, instants.of_uuid(found.group())
    if kind == "fraction_number":
        return _fraction(found.group())
    if kind == "object":
        return _OBJECT, ()
    return _INSTANT, _INSTANTS[kind](found)


def _fraction(text: str) -> tuple[Shape, tuple[Reading, ...]]:
    decimals = len(text.partition(".")[2])
    return Shape("decimal number", nonce=decimals >= 4), instants.of_number(text) if "e" not in text else ()


def _word(text: str) -> tuple[Shape, tuple[Reading, ...]]:
    length = len(text)
    if not text.isascii():
        return WORD, ()
    if text.isdigit():
        if length > 40:
            return Shape(f"number of {length} digits", nonce=True, hashed=True), ()
        shape = Shape(
            f"number of {length} digits" if length > 1 else "digit",
            nonce=length >= 9,
            number=int(text) if length >= 9 else -1,
        )
        return shape, instants.of_number(text) if length >= 8 else ()
    if length < 8 or text.isalpha():
        return WORD, ()
    found = _HEX.fullmatch(text)
    if found:
        digits = found[1]
        shape = Shape(f"{len(digits)} hexadecimal digits", nonce=True, hashed=len(digits) in _HASH_DIGITS)
        return shape, instants.of_hex(digits)
    readings = instants.of_token(text)
    mixed = not text.islower() and not text.isupper()
    if readings or (length >= 16 and (mixed or sum(map(str.isdigit, text)) >= 3)):
        return Shape(f"token of {length} characters", nonce=True), readings
    return WORD, ()
