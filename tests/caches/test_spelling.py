"""Spelling: one for each value, one value for each, and a clear refusal of what has none."""

import dataclasses
import enum
import functools
import io
import math
import subprocess
import sys
import types
from collections import Counter, OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.caches.spelling import spell
from spendgate.clock import monotonic
from spendgate.errors import UnstableKeyError
from tests.caches.pinned import Attrs, Colour, Level, Model, Name, OldSize, Person, Point, Size, Struct

SIGNS = ":,;=()[]{}'\"!%~@#*+-_./ \\\n\0abA019é\ud800"
TEXT = st.text(st.sampled_from(SIGNS), max_size=4) | st.text(max_size=3)
WORDS = st.sampled_from(["!none", "none", "%21none", "float(1.0)", "set(1,2)", "1", "-1", "'1", "a,b", "a=b", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, 2.0])
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(-2, 2, places=2)
    | st.binary(max_size=3)
    | TEXT
    | WORDS
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([*Colour, *Size, *OldSize, *Level])
    | st.builds(PurePosixPath, TEXT.filter(lambda text: "\0" not in text))
)
HASHABLE = SCALARS | st.tuples(SCALARS, SCALARS) | st.frozensets(SCALARS, max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.builds(Point, inner, inner)
        | st.builds(Person, inner)
        | st.builds(Struct, inner)
    ),
    max_leaves=6,
)


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same input: of the same type, equal, and so is all that is in them."""
    if type(left) is not type(right):
        return {type(left), type(right)} == {set, frozenset} and same(frozenset(left), frozenset(right))
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, set | frozenset):
        return len(left) == len(right) and all(any(same(a, b) for b in right) for a in left)
    if isinstance(left, dict):
        pairs = list(right.items())
        return len(left) == len(pairs) and all(any(same(one, other) for other in pairs) for one in left.items())
    if isinstance(left, Person | Struct):
        return same(left.name, right.name)
    return bool(left == right)


@given(VALUES, VALUES)
def test_one_spelling_for_one_value(left: Any, right: Any) -> None:
    """Two values are spelled the same if and only if they are the same input."""
    assert (spell(left) == spell(right)) == same(left, right)


@given(st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
def test_parts_stay_apart(left: list[Any], right: list[Any]) -> None:
    """Joined by colons, parts are still told apart: no part has a colon outside its brackets that is not its own."""
    joined = [":".join(map(spell, parts)) for parts in (left, right)]
    if left and right:
        assert (joined[0] == joined[1]) == same(left, right)


@given(st.lists(TEXT, min_size=1, max_size=3), st.lists(TEXT, min_size=1, max_size=3))
def test_texts_stay_apart(left: list[str], right: list[str]) -> None:
    """Texts of punctuation do not run into each other."""
    assert (":".join(map(spell, left)) == ":".join(map(spell, right))) == (left == right)


@given(st.dictionaries(HASHABLE, VALUES, max_size=4), st.randoms(use_true_random=False))
def test_order_does_not_count(value: dict[Any, Any], random: Any) -> None:
    """A dictionary filled in another order is spelled the same, and so is a set."""
    items = list(value.items())
    random.shuffle(items)
    assert spell(dict(items)) == spell(value)
    assert spell({key for key, _ in items}) == spell(set(value))


@given(VALUES)
def test_a_spelling_is_plain_text(value: Any) -> None:
    """Spellings are printable ASCII without spaces, and the same when asked again."""
    spelt = spell(value)
    assert spelt.isascii()
    assert spelt.isprintable()
    assert " " not in spelt
    assert spelt == spell(value)


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, "1", Decimal(1), b"1", "True", Level(3)),
        ("large", Size.LARGE, OldSize.LARGE),
        ((1, 2), [1, 2], Point(1, 2), {1, 2}),
        (b"abc", "abc", Path("abc"), PureWindowsPath("abc")),
        (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01", time(0)),
        ({"a": 1}, OrderedDict(a=1), [("a", 1)], {("a", 1)}),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
        (None, "None", "", 0, False, (), [], {}),
        ("\ud83c\udf89", "🎉"),
        ("é", "e\u0301"),
        (UUID(int=1), UUID(int=1).hex, str(UUID(int=1)), 1),
        ("x" * 200, b"x" * 200, spell("x" * 200)),
        (10**40, hex(10**40), f"int({hex(10**40)})"),
        (Person("a"), Attrs("a"), Struct("a"), Model(name="a"), ("a",)),
        (PurePosixPath("A"), PurePosixPath("a")),
    ],
)
def test_types_are_told_apart(values: tuple[object, ...]) -> None:
    """Values of different types never share a spelling, however alike they look."""
    assert len({spell(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (0.0, -0.0),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("1E+2"), Decimal(100)),
        (Decimal(0), Decimal("-0.00")),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
        ({1, 2}, frozenset({2, 1})),
        (Path("a/b"), PurePosixPath("a//b/.")),
        (PureWindowsPath("A\\b"), PureWindowsPath("a/B")),
        (Name("abc"), "abc"),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Person("a", seen_at=1), Person("a", seen_at=2)),
        (Attrs("a", "x"), Attrs("a", "y")),
        (Colour.RED, Colour.ALSO_RED),
    ],
)
def test_equal_values_of_a_type_are_one_input(left: object, right: object) -> None:
    """What Python calls equal within a type has one spelling, however it was written down."""
    assert left == right
    assert spell(left) == spell(right)


def test_extra_fields_of_a_model_count() -> None:
    """Two pydantic models that differ in an extra field differ in their spelling; cached properties do not count."""

    class Cached(Model):
        @functools.cached_property
        def heavy(self) -> object:
            return object()

    one = Cached(name="a", more=1)
    before = spell(one)
    assert one.heavy is one.heavy
    assert spell(one) == before != spell(Cached(name="a", more=2))


def test_a_model_of_pydantic_1_has_fields_too() -> None:
    """Models of the older pydantic are known by what they have in common with the newer ones."""
    spelt = spell(pydantic.RootModel[list[int]]([1, 2]))
    assert spelt.endswith(",root=[1,2])")


def test_classes_of_one_name_are_told_apart() -> None:
    """Records and enums carry the module and the name of their class."""
    first = dataclasses.make_dataclass("Thing", ["a"])
    second = dataclasses.make_dataclass("Other", ["a"])
    assert spell(first(1)) != spell(second(1))
    assert spell(enum.Enum("A", "RED").RED) != spell(enum.Enum("B", "RED").RED)  # type: ignore[attr-defined]


class Loud(str):
    __slots__ = ("volume",)


class Rounded(float):
    def __eq__(self, other: object) -> bool:
        return round(self) == other

    __hash__ = float.__hash__


class Plain:
    pass


class Noted(dict):  # type: ignore[type-arg]
    pass


NOTED = Noted(a=1)
NOTED.note = "more"  # type: ignore[attr-defined]


@dataclasses.dataclass
class Listed(list):  # type: ignore[type-arg]
    name: str = ""


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "address"),
        (Plain(), "address"),
        (lambda: 1, "lambda"),
        (len, "function len"),
        ("".join, "function"),
        (functools.partial(print), "function"),
        (spell, "function spell"),
        (Plain, "class Plain"),
        (sys, "module sys"),
        ((one for one in "ab"), "iterator"),
        (iter([1]), "iterator"),
        (io.StringIO(), "open file"),
        (math.nan, "no number"),
        (math.inf, "no number"),
        (Decimal("nan"), "no number"),
        (Decimal("sNaN"), "no number"),
        (Decimal("-Infinity"), "no number"),
        (datetime(2026, 1, 1), "naive"),  # noqa: DTZ001
        (time(1, tzinfo=UTC), "time of day"),
        (bytearray(b"a"), "bytes that may change"),
        (memoryview(b"a"), "bytes that may change"),
        (deque([1]), "collection of its own"),
        (range(3), "collection of its own"),
        ({}.keys(), "collection of its own"),
        (Counter("a"), "mapping of its own"),
        (NOTED, "mapping of its own"),
        (Listed(), "collection of its own"),
        (Loud("a"), "a str with more to it"),
        (Rounded(1.5), "a float with more to it"),
        (1j, "without a spelling"),
        (Fraction(1, 2), "without a spelling"),
        (Ellipsis, "without a spelling"),
    ],
)
def test_what_has_no_stable_spelling_is_refused(value: object, kind: str) -> None:
    """The refusal says what it is, where it is, and what to pass instead."""
    with pytest.raises(UnstableKeyError) as caught:
        spell({"a": [(1, value)]}, "parts[0]")
    assert caught.value.path == "parts[0]['a'][0][1]"
    assert kind in caught.value.kind
    assert caught.value.remedy


def test_numpy_scalars_are_named() -> None:
    """Numbers of numpy look like Python's own; the remedy turns them into those."""
    numpy = pytest.importorskip("numpy")
    for value in (numpy.float64(1.5), numpy.int64(1), numpy.str_("a"), numpy.array([1])):
        with pytest.raises(UnstableKeyError, match=r"value\.item\(\)"):
            spell(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({(1, Plain): 2}, "value.keys()[1]"),
        ({1: Plain}, "value[1]"),
        ({1, Plain}, "value{...}"),
        (Person(Plain), "value.name"),  # type: ignore[arg-type]
        (Point(1, [Plain]), "value.y[0]"),
        (Struct("a", [Plain]), "value.sizes[0]"),  # type: ignore[list-item]
        (Model(name="a", more=Plain), "value.more"),
    ],
)
def test_paths_lead_to_the_culprit(value: object, path: str) -> None:
    """A path has the indices, keys and fields that lead from the argument to what cannot be spelled."""
    with pytest.raises(UnstableKeyError) as caught:
        spell(value)
    assert caught.value.path == path


def test_what_contains_itself_is_refused() -> None:
    """A structure that leads back to itself is an error, not an endless loop; one that is only shared is none."""
    circle: dict[str, Any] = {}
    circle["a"] = [circle]
    with pytest.raises(UnstableKeyError, match="contains itself") as caught:
        spell(circle)
    assert caught.value.path == "value['a'][0]"
    shared = [1]
    assert spell([shared, shared]) == "[[1],[1]]"


def test_what_is_nested_too_deep_is_refused() -> None:
    """A hundred levels are enough; ten thousand are an error with a path, not a crash."""
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(UnstableKeyError, match="more than 100 deep"):
        spell(deep)


def test_a_field_that_was_never_set_is_refused() -> None:
    """A record with a hole has no spelling."""
    hole = Person.__new__(Person)
    hole.name = "a"
    del hole.__dict__["name"]
    with pytest.raises(UnstableKeyError, match="never set"):
        spell(hole)


def test_ten_megabytes_take_no_time() -> None:
    """Large texts, bytes and numbers are spelled as their digest, within a second or two."""
    started = monotonic()
    for value in ("é" * 5_000_000, bytes(10_000_000), 1 << 80_000_000, ["x" * 1000] * 10_000):
        spelt = spell(value)
        assert isinstance(value, list) or len(spelt) < 100
    assert monotonic() - started < 20


def test_no_library_is_imported_for_it() -> None:
    """attrs, pydantic and msgspec are looked for only where they are loaded already."""
    program = (
        "import sys; from spendgate import stable_key; stable_key('a', {'b': 1}, window='5h')\n"
        "try: stable_key(object())\nexcept TypeError: pass\n"
        "mine = [name for name in sys.modules if name.startswith('spendgate.')]\n"
        "assert not {'attr', 'attrs', 'pydantic', 'msgspec', 'asyncio', 'click'} & {*sys.modules}, sys.modules\n"
        "print(*sorted(mine))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "spendgate.caches",
        "spendgate.caches.keys",
        "spendgate.caches.records",
        "spendgate.caches.refused",
        "spendgate.caches.spelling",
        "spendgate.clock",
        "spendgate.errors",
    ]


def test_attrs_of_the_old_kind_are_known() -> None:
    """Classes made with attr.s are known by their fields too."""
    made = attrs.make_class("Old", ["a", "b"])
    assert spell(made(1, 2)).endswith(",a=1,b=2)")
    assert isinstance(PurePath("a"), PurePath)
