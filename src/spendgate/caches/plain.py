"""A cache key, whatever it is, as one bounded text: what its pieces are read from. Nothing of it is kept.

>>> plain(("enrichment", 4711, None)).text.split(BETWEEN)
['enrichment', '4711', 'None']
"""

from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import NamedTuple
from uuid import UUID

HEAD = 1024
"""How many characters of a long key are read from its beginning."""
TAIL = 512
"""And how many from its end, where a nonce usually stands."""
BETWEEN = "\x1f"
"""Stands between the elements of a tuple, a list, a dict, or the fields of an object."""
OBJECT = "\x02"
"""Stands before what has no spelling: the digits of its hash follow."""
CUT = "\x1d"
"""Stands where the middle of a long key was left out."""

_MOST_PARTS = 64
_MOST_DEPTH = 4
_MOST_BITS = 512
_SPELT = (date, time, UUID, Decimal, PurePath)


class Plain(NamedTuple):
    """A key as text.

    Attributes:
        text: at most 1,537 characters.
        whole: whether nothing was left out, so that two keys with the same text are the same.
    """

    text: str
    whole: bool


def plain(key: object) -> Plain:
    """The key as text: as it is, decoded, or spelled element by element.

    Raises:
        Exception: whatever the key's own methods raise.
    """
    text = key if type(key) is str else _Speller().spell(key, 0)
    if len(text) <= HEAD + TAIL:
        return Plain(text, CUT not in text)
    return Plain(f"{text[:HEAD]}{CUT}{text[-TAIL:]}", whole=False)


class _Speller:
    """Spells one key, and stops after so many parts."""

    def __init__(self) -> None:
        self.left = _MOST_PARTS

    def spell(self, value: object, depth: int) -> str:  # noqa: C901 -- one branch for each kind of key
        self.left -= 1
        if value is None or isinstance(value, bool):
            return repr(value)
        if isinstance(value, Enum):
            return f"{type(value).__name__}.{value.name}"
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__repr__(value) if int.bit_length(value) <= _MOST_BITS else _hashed(value)
        if isinstance(value, float):
            return float.__repr__(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return _decoded(value)
        if isinstance(value, _SPELT):
            return str(value)
        if depth < _MOST_DEPTH:
            if isinstance(value, Mapping):
                return self._joined(value.items(), depth)
            if isinstance(value, tuple | list):
                return self._joined(value, depth)
            if isinstance(value, set | frozenset):
                return self._joined(sorted(map(str, value)) if len(value) <= _MOST_PARTS else [_hashed(value)], depth)
            names = _field_names(type(value))
            if names:
                return self._joined([getattr(value, name) for name in names], depth)
        return _hashed(value)

    def _joined(self, values: Iterable[object], depth: int) -> str:
        parts = []
        for value in values:
            if self.left <= 0:
                parts.append(CUT)
                break
            parts.append(self.spell(value, depth + 1))
        return BETWEEN.join(parts)


def _hashed(value: object) -> str:
    try:
        return f"{OBJECT}{hash(value) & 0xFFFFFFFFFFFFFFFF:016x}"
    except TypeError:
        return OBJECT + CUT


def _decoded(value: bytes | bytearray | memoryview) -> str:
    raw = bytes(value[:HEAD]) + bytes(value[-TAIL:]) if len(value) > HEAD + TAIL else bytes(value)
    cut = "" if len(raw) == len(value) else CUT
    try:
        return raw.decode() + cut
    except UnicodeDecodeError:
        return raw.hex() + cut


def _field_names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, of attrs, pydantic or msgspec; none of anything else."""
    fields = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "__pydantic_fields__", None)
    if fields:
        return tuple(fields)
    attributes = getattr(kind, "__attrs_attrs__", None)
    if attributes:
        return tuple(attribute.name for attribute in attributes)
    return tuple(getattr(kind, "__struct_fields__", ()))
