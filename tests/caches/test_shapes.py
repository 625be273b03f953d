"""Keys as pieces: what they look like, and which instants they may stand for."""

import random
import uuid
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath

import pytest

from spendgate.caches.plain import CUT, plain
from spendgate.caches.shapes import masked, pieces
from spendgate.clock import MINUTE, SECOND, instant

NOW = datetime(2026, 11, 25, 10, 11, 12, 123456, tzinfo=UTC)
AT = instant(NOW)
INDIA = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
NEW_YORK = NOW.astimezone(timezone(timedelta(hours=-5)))
LOCAL = INDIA.replace(tzinfo=None)

Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Query:
    name: str
    asked_at: datetime


class Colour(Enum):
    RED = 1


def ulid(at: int) -> str:
    letters, number = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", at // 1000
    return "".join(letters[number >> 5 * (9 - place) & 31] for place in range(10)) + "3XJ9WQ5N0TP2V7AB"


def ksuid(at: int) -> str:
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, text = (at // SECOND - 1_400_000_000) << 128 | 12345678901234567890, ""
    for _ in range(27):
        number, rest = divmod(number, 62)
        text = letters[rest] + text
    return text


def uuid1(at: int) -> uuid.UUID:
    ticks = at * 10 + 0x01B21DD213814000
    return uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, 1))


SPELLINGS = {
    "isoformat": NOW.isoformat(),
    "str": str(NOW),
    "with an offset": INDIA.isoformat(),
    "with a negative offset": str(NEW_YORK),
    "with Z": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
    "with Z and milliseconds": f"{NOW:%Y-%m-%dT%H:%M:%S}.123Z",
    "local": LOCAL.isoformat(),
    "local, as str": str(LOCAL),
    "local, of a place that is behind": str(NEW_YORK.replace(tzinfo=None)),
    "logged": f"{LOCAL:%Y-%m-%d %H:%M:%S},123",
    "basic": f"{NOW:%Y%m%dT%H%M%SZ}",
    "digits": f"{NOW:%Y%m%d%H%M%S}",
    "digits to the microsecond": f"{NOW:%Y%m%d%H%M%S%f}",
    "of a file name": f"{NOW:%Y-%m-%d_%H-%M-%S}",
    "escaped": NOW.isoformat().replace(":", "%3A").replace("+", "%2B"),
    "repr": repr(NOW),
    "repr of a local one": repr(LOCAL),
    "an HTTP date": f"{NOW:%a, %d %b %Y %H:%M:%S GMT}",
    "ctime": f"{NOW:%a %b %d %H:%M:%S %Y}",
    "day first": f"{NOW:%d/%m/%Y %H:%M:%S}",
    "month first": f"{NOW:%m/%d/%Y %H:%M:%S}",
    "seconds": str(AT // SECOND),
    "seconds as a float": str(AT / SECOND),
    "milliseconds": str(AT // 1000),
    "microseconds": str(AT),
    "nanoseconds": str(AT * 1000 + 7),
    "hexadecimal seconds": f"{AT // SECOND:x}",
    "hexadecimal milliseconds": f"{AT // 1000:x}",
    "hexadecimal microseconds": hex(AT),
    "hexadecimal nanoseconds": f"{AT * 1000:X}",
    "ULID": ulid(AT),
    "KSUID": ksuid(AT),
    "UUID of version 1": str(uuid1(AT)),
    "UUID of version 7": str(uuid.UUID(int=AT // 1000 << 80 | 7 << 76 | 2 << 62 | 12345)),
    "UUID of version 7 without dashes": uuid.UUID(int=AT // 1000 << 80 | 7 << 76 | 2 << 62 | 12345).hex,
    "Twitter's snowflake": str((AT // 1000 - 1_288_834_974_657) << 22 | 4711),
    "Discord's snowflake": str((AT // 1000 - 1_420_070_400_000) << 22 | 4711),
    "ObjectId": f"{AT // SECOND:08x}a1b2c3d4e5f60718",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("around", ["{}", "enrichment:4711:{}", "a/b|{}?x=1", "user-{}-7", "page_{}.json"])
def test_an_instant_is_found_in_every_spelling(text: str, around: str) -> None:
    """A piece that is this instant is read as such, wherever it stands, and not as one an hour or ten seconds away."""
    found, _ = pieces(around.format(text))
    readings = [reading for piece in found for reading in piece.readings]
    assert any(reading.near(AT) is not None for reading in readings)
    assert all(reading.near(AT + 10 * SECOND) is None for reading in readings)
    assert all(reading.near(AT + 61 * MINUTE) is None for reading in readings)


@pytest.mark.parametrize("key", [NOW, LOCAL, ("enrichment", 4711, NOW), Query("x", NOW), {"at": NOW}, AT, AT / SECOND])
def test_instants_are_found_in_keys_that_are_no_text(key: object) -> None:
    """Tuples, dataclasses, dicts, datetimes and numbers are read like their text."""
    found, _ = pieces(plain(key).text)
    assert any(reading.near(AT) is not None for piece in found for reading in piece.readings)


@pytest.mark.parametrize("text", ["2026-13-45T10:11:12", "2026-02-30 10:11:12", "99999999999999", "1.2.3", "10:11:12"])
def test_what_is_no_instant_is_not_read_as_one(text: str) -> None:
    """Days that do not exist, versions and times without a day stand for no instant."""
    found, _ = pieces(f"a:{text}")
    assert not [reading for piece in found for reading in piece.readings if reading.near(AT) is not None]


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("enrichment:4711", "word:number of 4 digits"),
        ("enrichment:4711:2026-11-25T10:11:12.123456", "word:number of 4 digits:ISO timestamp"),
        ("a/b|c,d?e=1&f=2", "word/word|word,word?word=digit&word=digit"),
        ("u:6f1b1a2e-0c0d-4d7e-9d1c-3f0f5a9c0001", "word:UUID"),
        ("h:" + "0a" * 32, "word:64 hexadecimal digits"),
        ("t:Zx81kQpLm0aaBc7yTr", "word:token of 18 characters"),
        ("jane.doe@example.com", "word.word@word.word"),
        (("enrich", 7, None), "word,digit,word"),
        (Point(1, "x"), "digit,word"),
        (b"raw:4711", "word:number of 4 digits"),
        (b"\xff\xfe\x00\x01\x9a\x7b\x11\xc0", "16 hexadecimal digits"),
        (None, "word"),
        (0.123456, "decimal number"),
        (Decimal("0.5"), "decimal number"),
        (Colour.RED, "word.word"),
        (date(2026, 11, 25), "number of 4 digits-number of 2 digits-number of 2 digits"),
        (PurePosixPath("/a/b"), "/word/word"),
        (object(), "object"),
        ("", ""),
    ],
)
def test_keys_are_shown_masked(key: object, shape: str) -> None:
    """Of a key only its separators and the looks of its pieces are shown."""
    assert masked(key) == shape


def test_no_word_of_a_key_is_shown() -> None:
    """Whatever a key is made of, nothing but digits' counts and separators comes through the mask."""
    rng = random.Random(4)
    for _ in range(300):
        words = ["".join(rng.choice("ghkqvwxyzäöü") for _ in range(rng.randint(2, 30))) for _ in range(4)]
        shown = masked(rng.choice(":/|,-_ ").join(words))
        assert not any(word in shown for word in words)


def test_a_long_key_is_read_at_both_ends() -> None:
    """Of ten megabytes the first and the last characters are read, where a nonce stands, and it takes no time."""
    text = plain("x" * 10_000_000 + ":" + NOW.isoformat())
    assert len(text.text) < 1600
    assert not text.whole
    assert CUT in text.text
    assert [reading.near(AT) for piece in pieces(text.text)[0] for reading in piece.readings] == [0]
    for key in (b"y" * 10_000_000, tuple(range(10**6)), 10**5000, [[[[[[["deep"]]]]]]], "1" * 10_000_000):
        assert len(plain(key).text) < 1600


def test_a_list_that_contains_itself_ends() -> None:
    """A list that contains itself is a key like any other, cut off somewhere."""
    endless: list[object] = ["a"]
    endless.append(endless)
    assert plain(endless).text
