"""Inputs whose keys are pinned for ever in golden_keys.json. `python -m tests.caches.pinned` adds new ones to it."""

import dataclasses
import enum
import json
from collections import OrderedDict, defaultdict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic

from spendgate import stable_key

GOLDEN = Path(__file__).with_name("golden_keys.json")
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class Colour(enum.Enum):
    RED = 1
    ALSO_RED = 1  # noqa: PIE796 - an alias


class Size(enum.StrEnum):
    LARGE = "large"


class OldSize(str, enum.Enum):  # noqa: UP042 - the older way to write it, still everywhere
    LARGE = "large"


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = 1
    WRITE = 2


Point = namedtuple("Point", ["x", "y"])


@dataclasses.dataclass
class Person:
    name: str
    born: date | None = None
    seen_at: float = dataclasses.field(default=0.0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    inner: Person


@attrs.define
class Attrs:
    name: str
    note: str = attrs.field(default="", eq=False)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    tags: set[str] = set()


class Struct(msgspec.Struct):
    name: str
    sizes: list[int] = []


class Name(str):
    """Adds nothing to text."""

    __slots__ = ()


PERSON = Person("Ada", date(1815, 12, 10), seen_at=1.5)

INPUTS: dict[str, tuple[object, ...]] = {
    "two parts": ("enrichment", 4711),
    "text that looks like a number": ("enrichment", "4711"),
    "one colon here": ("a:b", "c"),
    "one colon there": ("a", "b:c"),
    "a tuple of parts": (("a", "b"), "c"),
    "empty text": ("",),
    "two empty texts": ("", ""),
    "umlauts": ("Käse", "日本語", "🎉"),
    "composed": ("\u00e9",),
    "decomposed": ("e\u0301",),
    "half a pair": ("\ud83c",),
    "spaces, line breaks, nothing": (" a\n\t\0b ",),
    "punctuation": ("!none", "~x", "'x", "(a)", "[b]", "%41", "a=b", "a,b", "x;v=1", "-1", "1.5", "."),
    "long text": ("enrichment", "x" * 1000),
    "text at the limit": ("x" * 120,),
    "many parts": ("enrichment", *range(100)),
    "many parts without a name": (4711, *range(100)),
    "whole numbers": (0, -1, 10**30, 10**200, -(10**200), 10**40),
    "a number of thousands of digits": (7**10_000,),
    "truth values": (True, False),
    "none": (None,),
    "bytes": (b"abc", b"", b"\x00\xff:", b"x" * 500),
    "floats": (1.0, 0.1, -0.5, 1e300, 5e-324, 0.0),
    "minus zero": (-0.0,),
    "decimals": (Decimal("1.0"), Decimal("1.00"), Decimal("-0.001"), Decimal("1E+50"), Decimal("-0"), Decimal(1200)),
    "a date": (date(2026, 11, 22),),
    "a time of day": (time(9, 30),),
    "a span": (timedelta(days=1, microseconds=1), timedelta(-1)),
    "an instant": (datetime(2026, 11, 22, 12, 0, 0, 5, UTC),),
    "the same instant elsewhere": (datetime(2026, 11, 22, 13, 0, 0, 5, timezone(timedelta(hours=1))),),
    "the second half past two": (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),),
    "the last hour there is": (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5))),),
    "a uuid": (UUID("12345678-1234-5678-1234-567812345678"),),
    "enums": (Colour.RED, Colour.ALSO_RED, Size.LARGE, OldSize.LARGE, Level.HIGH),
    "flags": (Access.READ, Access.READ | Access.WRITE, Access(0)),
    "paths": (PurePosixPath("a/b c"), PureWindowsPath("C:\\A\\b"), PurePosixPath("/")),
    "tuples": ((), (1,), (1, (2, 3))),
    "lists": ([], [1], [1, [2, 3]]),
    "sets": (set(), {3, 1, 2}, frozenset({"b", "a"})),
    "dictionaries": ({}, {"b": 1, "a": [None]}, {1: "x", "1": "y", None: "z"}, {(1, 2): {"c": 3}}),
    "other dictionaries": (defaultdict(list, b=1, a=2), MappingProxyType({"b": 1, "a": 2}), OrderedDict(b=1, a=2)),
    "a named tuple": (Point(1, 2),),
    "a dataclass": (PERSON,),
    "a dataclass in a dataclass": (Slotted(PERSON),),
    "attrs": (Attrs("Ada", "not compared"),),
    "pydantic": (Model(name="Ada", tags={"b", "a"}, more=1),),
    "msgspec": (Struct("Ada", [1, 2]),),
    "a subclass that adds nothing": (Name("abc"),),
}

TERMS: dict[str, dict[str, Any]] = {
    "no window": {},
    "a version": {"version": 2},
    "a version as text": {"version": "2"},
    "24h": {"window": "24h"},
    "24h without a phase": {"window": "24h", "phase": False},
    "36h": {"window": "36h"},
    "1h30m": {"window": timedelta(minutes=90), "version": (1, "b")},
}


def keys() -> dict[str, dict[str, str]]:
    """Every pinned key as this version makes it."""
    found = {name: stable_key.at(*parts) for name, parts in INPUTS.items()}
    found |= {
        f"two parts, {name}": stable_key.at("enrichment", 4711, **terms, now=NOW) for name, terms in TERMS.items()
    }
    return {name: {"key": one.key, "readable": one.readable, "digest": one.digest} for name, one in found.items()}


if __name__ == "__main__":
    old = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    new = {**keys(), **old}
    GOLDEN.write_text(json.dumps(new, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
