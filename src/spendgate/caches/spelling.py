"""One spelling for each value, and one value for each spelling: the text that keys are made of.

Text and whole numbers stand for themselves, everything else says what it is: `date(2026-11-22)`. Whatever could be
taken for punctuation is percent-encoded, so that no value can look like another one, or like two.

>>> spell({"b": [1, None], "a": "x:y"})
'dict(a=x%3Ay,b=[1,!none])'
"""

import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from hashlib import sha256
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import quote_from_bytes
from uuid import UUID

from spendgate.caches.records import fields_of, home_of
from spendgate.caches.refused import refusal
from spendgate.errors import UnstableKeyError

LONG = 120
"""Texts and bytes above so many bytes are spelled as their digest: a document in a key costs 64 characters."""
DEEPEST = 100

_MICROSECOND = timedelta(microseconds=1)
_UNSET = object()
_NO_NUMBER = "decide what stands for it, such as None"


def spell(value: object, name: str = "value") -> str:
    """The one spelling of a value, in printable ASCII without spaces.

    Raises:
        UnstableKeyError: the value, or something inside it, cannot be spelled the same everywhere; paths begin with
            `name`.
    """
    return _Speller(name).value(value)


class _Speller:
    """Spells one value; knows where in it we are, for what has to be refused and for what contains itself."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._steps: list[str] = []
        self._around: list[int] = []

    def value(self, value: Any) -> str:
        """The spelling of a value."""
        kind = type(value)
        plain = _PLAIN.get(kind)
        if plain is not None:
            return self._plain(plain, value)
        nested = _NESTED.get(kind)
        if nested is None and isinstance(value, Enum):
            return _enum(value)
        if nested is None:
            fields = fields_of(value)
            if fields is not None:
                return self._within(value, lambda speller, record: speller._record(record, fields))
        if nested is None:
            base = next((base for base in _BASES if isinstance(value, base)), None)
            if base is None or not _adds_nothing(value, base):
                self._refuse(*refusal(value, base))
            plain, nested = _PLAIN.get(base), _NESTED.get(base)
        if plain is not None:
            return self._plain(plain, value)
        assert nested is not None  # noqa: S101 - every base is in one of the two tables
        return self._within(value, nested)

    def _within(self, value: object, spelling: "Callable[[_Speller, Any], str]") -> str:
        if id(value) in self._around:
            self._refuse("a structure that contains itself", "leave the part out that leads back")
        if len(self._around) >= DEEPEST:
            self._refuse(f"nested more than {DEEPEST} deep", "pass what identifies it, or a digest of it")
        self._around.append(id(value))
        spelt = spelling(self, value)
        self._around.pop()
        return spelt

    def _plain(self, spelling: Callable[[Any], str], value: object) -> str:
        try:
            return spelling(value)
        except _Unspellable as fault:
            self._refuse(fault.kind, fault.remedy)

    def _record(self, value: object, names: Iterable[str]) -> str:
        found = []
        for name in sorted(names):
            self._steps.append(f".{name}")
            part = getattr(value, name, _UNSET)
            if part is _UNSET:
                self._refuse("a field that was never set", "set it, or leave it out of comparisons")
            found.append(f",{_quoted(name)}={self.value(part)}")
            self._steps.pop()
        return f"record({_home(type(value))}{''.join(found)})"

    def row(self, value: Iterable[Any]) -> str:
        """Values in their order."""
        return f"({','.join(self._items(tuple.__iter__(value)))})"  # type: ignore[arg-type]

    def listing(self, value: Iterable[object]) -> str:
        """Values in their order."""
        return f"[{','.join(self._items(list.__iter__(value)))}]"  # type: ignore[arg-type]

    def unordered(self, value: Iterable[object]) -> str:
        """Values without an order: a frozen set is the same."""
        base = set if isinstance(value, set) else frozenset
        found = []
        items: Iterable[Any] = base.__iter__(value)  # type: ignore[arg-type]
        for item in items:
            self._steps.append("{...}")
            found.append(self.value(item))
            self._steps.pop()
        return f"set({','.join(sorted(found))})"

    def mapping(self, value: Mapping[object, object]) -> str:
        """Names and their values, in whatever order they came."""
        items = value.items() if isinstance(value, MappingProxyType) else dict.items(value)  # type: ignore[arg-type]
        return f"dict({','.join(sorted(self._pairs(items)))})"

    def ordered(self, value: Mapping[object, object]) -> str:
        """Names and their values in an order that counts: two of them in different orders are not equal."""
        return f"ordered({','.join(self._pairs(OrderedDict.items(value)))})"  # type: ignore[arg-type]

    def _items(self, values: Iterable[Any]) -> Iterator[str]:
        for number, item in enumerate(values):
            self._steps.append(f"[{number}]")
            yield self.value(item)
            self._steps.pop()

    def _pairs(self, items: Iterable[tuple[Any, Any]]) -> Iterator[str]:
        for key, item in items:
            self._steps.append(".keys()")
            spelt = self.value(key)
            self._steps[-1] = f"[{key[:40]!r}]" if type(key) is str else f"[{spelt[:40]}]"
            yield f"{spelt}={self.value(item)}"
            self._steps.pop()

    def _refuse(self, kind: str, remedy: str) -> NoReturn:
        raise UnstableKeyError(path=self._name + "".join(self._steps), kind=kind, remedy=remedy)


class _Unspellable(Exception):  # noqa: N818 - it never leaves this module
    def __init__(self, kind: str, remedy: str) -> None:
        self.kind = kind
        self.remedy = remedy


def _adds_nothing(value: object, base: type) -> bool:
    """Whether a value of a subclass is known by its base alone: no equality of its own, nothing more to remember."""
    own = [cls for cls in type(value).__mro__ if cls not in base.__mro__]
    return not any("__eq__" in vars(cls) or vars(cls).get("__slots__") for cls in own) and not getattr(
        value, "__dict__", None
    )


def _quoted(text: str) -> str:
    # Unpaired surrogates are spelled too: three bytes that no valid text has.
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="")


def _text(value: str) -> str:
    data = str.encode(value, "utf-8", "surrogatepass")
    if len(data) > LONG:
        return f"str.sha256({sha256(data).hexdigest()})"
    spelt = quote_from_bytes(data, safe="")
    return f"'{spelt}" if not spelt or spelt[0] in "-0123456789" else spelt


def _bytes(value: bytes) -> str:
    if len(value) > LONG:
        return f"bytes.sha256({sha256(value).hexdigest()})"
    return f"bytes({quote_from_bytes(bytes(value), safe='')})"


def _whole(value: int) -> str:
    if int.bit_length(value) > 128:  # Python refuses to spell thousands of digits in tens, and takes long over it
        spelt = int.__format__(value, "x")
        return f"int.sha256({sha256(spelt.encode()).hexdigest()})" if len(spelt) > LONG else f"int(0x{spelt})"
    return int.__format__(value, "d")


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise _Unspellable(f"{float.__repr__(value)}, a float that is no number", _NO_NUMBER)
    return f"float({float.__repr__(float.__add__(value, 0.0))})"  # minus zero equals zero, and adding zero makes it so


def _decimal(value: Decimal) -> str:
    sign, digits, exponent = Decimal.as_tuple(value)
    if not isinstance(exponent, int):
        raise _Unspellable(f"{value}, a Decimal that is no number", _NO_NUMBER)
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "decimal(0)"
    exponent += len(text) - len(short)
    spelt = f"{'-' * sign}{short}" + (f"e{exponent}" if exponent else "")
    if len(spelt) > LONG:
        return f"decimal.sha256({sha256(spelt.encode()).hexdigest()})"
    if -30 <= exponent <= 30:
        spelt = format(Decimal((sign, tuple(map(int, short)), exponent)), "f")
    return f"decimal({spelt})"


def _datetime(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        raise _Unspellable(
            "a naive datetime, which names another instant in every time zone",
            "give it its zone, for example when.replace(tzinfo=datetime.UTC), or pass its date",
        )
    naive = datetime(  # noqa: DTZ001 - the offset is taken off by hand, so that the first and last days work too
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond
    )
    try:
        return f"datetime({(naive - offset).isoformat()}Z)"
    except OverflowError:
        since = naive - datetime(1970, 1, 1)  # noqa: DTZ001
        return f"datetime({since // _MICROSECOND - offset // _MICROSECOND}us)"


def _time(value: time) -> str:
    if value.tzinfo is not None:
        raise _Unspellable("a time of day with a zone and no date", "pass the instant, or time and zone name apart")
    return f"time({time(value.hour, value.minute, value.second, value.microsecond).isoformat()})"


def _date(value: date) -> str:
    return f"date({date(value.year, value.month, value.day).isoformat()})"


def _home(kind: type) -> str:
    return ".".join(map(_quoted, home_of(kind)))


def _enum(value: Enum) -> str:
    if isinstance(value, Flag):  # the names of combinations are spelled differently by versions of Python
        return f"enum({_home(type(value))},{int(value._value_)})"
    return f"enum({_home(type(value))}.{_quoted(value._name_)})"


def _digested(kind: str, text: str) -> str:
    spelt = _quoted(text)
    return f"{kind}.sha256({sha256(spelt.encode()).hexdigest()})" if len(spelt) > LONG else f"{kind}({spelt})"


_PLAIN: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: _whole,
    bool: lambda value: "!true" if value else "!false",
    type(None): lambda _: "!none",
    bytes: _bytes,
    float: _float,
    Decimal: _decimal,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: lambda value: f"timedelta({value // _MICROSECOND}us)",
    UUID: lambda value: f"uuid({value.int:032x})",
    PurePosixPath: lambda value: _digested("path", value.as_posix()),
    PureWindowsPath: lambda value: _digested("winpath", value.as_posix().lower()),
}
_PLAIN |= {PosixPath: _PLAIN[PurePosixPath], WindowsPath: _PLAIN[PureWindowsPath]}
_NESTED: dict[type, Callable[[_Speller, Any], str]] = {
    tuple: _Speller.row,
    list: _Speller.listing,
    set: _Speller.unordered,
    frozenset: _Speller.unordered,
    dict: _Speller.mapping,
    defaultdict: _Speller.mapping,
    MappingProxyType: _Speller.mapping,
    OrderedDict: _Speller.ordered,
}
# A datetime is a date too, and an ordered dictionary a dictionary: what says more is looked for first.
_SCALARS: tuple[type, ...] = (str, int, bytes, float, Decimal, datetime, date, time, timedelta, UUID)
_BASES: tuple[type, ...] = (*_SCALARS, OrderedDict, dict, list, tuple, set, frozenset)
