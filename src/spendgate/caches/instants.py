"""Which instants a piece of a cache key may stand for: times in all common spellings, and ids that begin with one.

>>> of_number("1793000000123")[0].words
'timestamp (ms)'
>>> of_number("1793000000123")[0].near(1_793_000_001_000_000)
0
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from spendgate.clock import MINUTE, SECOND

CLOSE = 2 * SECOND
"""How far from a lookup an instant in its key may lie and still be the lookup's own."""
QUARTER = 15 * MINUTE
FARTHEST_ZONE = 14 * 4
"""The most quarter-hours that a local time is away from UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_CROCKFORD = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_BASE62 = {
    letter: value for value, letter in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
}
_GREGORIAN = 0x01B21DD213814000
"""1970 in the clock of UUIDs: tenths of microseconds since October 1582."""
_KSUID = 1_400_000_000
_SNOWFLAKES = (1_288_834_974_657, 1_420_070_400_000)
"""Where snowflake ids begin, in milliseconds: Twitter's and Discord's."""

ISO = (
    r"(?<!\d)(?P<year>(?:19|20|21)\d\d)[-/.]?(?P<month>[01]\d)[-/.]?(?P<day>[0-3]\d)(?:%20|[T t_+-])?"
    r"(?P<hour>[0-2]\d)(?:%3A|[:.h-])?(?P<minute>[0-5]\d)(?:%3A|[:.m-])?(?P<second>[0-6]\d)"
    r"(?:[.,]?(?P<fraction>\d{9}|\d{6}|\d{3})|[.,](?P<odd>\d{1,8}))?(?!\d)"
    r"(?: ?(?P<zone>Z\b|UTC\b|GMT\b|(?:%2B|[+-])\d\d(?:(?::|%3A)?\d\d)?(?!\d)))?"
)
"""ISO 8601 with and without its marks, `str(datetime)`, log spellings, fourteen digits; URL-escaped too."""
ENGLISH = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? (?:"
    r"(?P<en_day>\d\d?)[ -](?P<en_month>[A-Z][a-z]{2})[ -](?P<en_year>\d{4}) "
    r"(?P<en_time>\d\d:\d\d:\d\d)(?P<en_zone> GMT| UTC| [+-]\d{4})?"
    r"|(?P<c_month>[A-Z][a-z]{2}) +(?P<c_day>\d\d?) (?P<c_time>\d\d:\d\d:\d\d) (?P<c_year>\d{4}))"
)
"""HTTP dates, dates of mails, and what C's `ctime` writes."""
SLASHED = r"(?<!\d)(?P<s_one>\d\d)[./-](?P<s_two>\d\d)[./-](?P<s_year>\d{4})[ T,_]+(?P<s_time>\d\d:\d\d:\d\d)(?!\d)"
"""Day and month before the year, in either order."""
REPR = r"datetime\.datetime\((?P<parts>\d{4}(?:, \d+){4,6})(?P<repr_zone>, tzinfo=[^)]*(?:UTC|utc)[^)]*\)?)?"
"""`repr(datetime)`, where a key is made of `repr`s."""


class Reading(NamedTuple):
    """An instant that a piece of a key may stand for.

    Attributes:
        at: the instant, in microseconds since 1970 UTC; of a local time without an offset, as if it were UTC.
        words: the spelling, for people.
        local: whether it has no time zone, so that every offset has to be tried.
        is_id: whether it is the first part of an id, which a fresh record has as well as a fresh key.
    """

    at: int
    words: str
    local: bool = False
    is_id: bool = False

    def near(self, at: int) -> int | None:
        """How many quarter-hours the reading's zone is ahead if it is this instant, within two seconds; else None."""
        away = self.at - at
        if -CLOSE <= away <= CLOSE:
            return 0
        if self.local:
            quarters = (away + QUARTER // 2) // QUARTER
            if -FARTHEST_ZONE <= quarters <= FARTHEST_ZONE and -CLOSE <= away - quarters * QUARTER <= CLOSE:
                return quarters
        return None


def of_iso(found: "re.Match[str]") -> tuple[Reading, ...]:
    """The instant of an ISO spelling; none where there is no such day."""
    year, month, day, hour, minute, second, fraction, odd, zone = found.group(
        "year", "month", "day", "hour", "minute", "second", "fraction", "odd", "zone"
    )
    micros = int(((fraction or odd or "") + "000000")[:6])
    at = _instant(int(year), int(month), int(day), int(hour), int(minute), int(second))
    if at is None:
        return ()
    words = "ISO timestamp" if found.end("day") < found.start("hour") else "timestamp of digits"
    return (Reading(at + micros - _offset(zone), words, local=zone is None),)


def of_english(found: "re.Match[str]") -> tuple[Reading, ...]:
    """The instant of an HTTP date, of a mail's date, or of `ctime`."""
    day, month, year, time, zone = found.group("en_day", "en_month", "en_year", "en_time", "en_zone")
    words = "HTTP date"
    if day is None:
        day, month, year, time = found.group("c_day", "c_month", "c_year", "c_time")
        words = "date and time in English"
    hour, minute, second = map(int, time.split(":"))
    at = _instant(int(year), _MONTHS.get(month.lower(), 0), int(day), hour, minute, second)
    return () if at is None else (Reading(at - _offset(zone and zone.strip()), words, local=zone is None),)


def of_slashed(found: "re.Match[str]") -> tuple[Reading, ...]:
    """The instants of a date whose day and month may stand in either order."""
    one, two, year = int(found["s_one"]), int(found["s_two"]), int(found["s_year"])
    hour, minute, second = map(int, found["s_time"].split(":"))
    both = (_instant(year, month, day, hour, minute, second) for month, day in {(one, two), (two, one)})
    return tuple(Reading(at, "date and time", local=True) for at in both if at is not None)


def of_repr(found: "re.Match[str]") -> tuple[Reading, ...]:
    """The instant of `repr(datetime)`."""
    parts = [int(part) for part in found["parts"].split(", ")] + [0, 0]
    at = _instant(*parts[:6])
    if at is None:
        return ()
    return (Reading(at + parts[6], "datetime", local=found["repr_zone"] is None),)


def of_number(text: str) -> tuple[Reading, ...]:
    """The instants of a number: seconds since 1970 and their thousandths, a snowflake, hexadecimal without letters."""
    whole, _, part = text.partition(".")
    length = len(whole)
    if length == 10:
        words = "timestamp (s)"
        return (Reading(int(whole) * SECOND + int((part + "000000")[:6]), words),)
    if length == 13:
        return (Reading(int(whole) * 1000, "timestamp (ms)"), *of_hex(whole))
    if length == 16:
        return (Reading(int(whole), "timestamp (µs)"), *of_hex(whole))
    if length < 17 or length > 19:
        return of_hex(whole) if length in (8, 11) and not part else ()
    ids = tuple(Reading(((int(whole) >> 22) + begin) * 1000, "snowflake id", is_id=True) for begin in _SNOWFLAKES)
    return (Reading(int(whole) // 1000, "timestamp (ns)"), *ids) if length == 19 else ids


def of_hex(text: str) -> tuple[Reading, ...]:
    """The instants of hexadecimal digits: a count since 1970, an ObjectId, a UUID without its dashes."""
    length = len(text)
    if length == 8:
        return (Reading(int(text, 16) * SECOND, "hexadecimal timestamp"),)
    if length == 11:
        return (Reading(int(text, 16) * 1000, "hexadecimal timestamp"),)
    if length == 13:
        return (Reading(int(text, 16), "hexadecimal timestamp"),)
    if length == 16:
        return (Reading(int(text, 16) // 1000, "hexadecimal timestamp"),)
    if length == 24:
        return (Reading(int(text[:8], 16) * SECOND, "ObjectId", is_id=True),)
    return of_uuid(text) if length == 32 else ()


def of_uuid(text: str) -> tuple[Reading, ...]:
    """The instant in a UUID of version 1, 6 or 7."""
    digits = text.replace("-", "")
    version = digits[12]
    if version == "7":
        return (Reading(int(digits[:12], 16) * 1000, "time-ordered UUID", is_id=True),)
    if version == "1":
        ticks = int(digits[13:16] + digits[8:12] + digits[:8], 16)
    elif version == "6":
        ticks = int(digits[:12] + digits[13:16], 16)
    else:
        return ()
    return (Reading((ticks - _GREGORIAN) // 10, "time-based UUID", is_id=True),)


def of_token(text: str) -> tuple[Reading, ...]:
    """The instant in a ULID (26 characters) or a KSUID (27)."""
    if len(text) == 26 and text[0] in "01234567":
        letters = text[:10].upper()
        if all(letter in _CROCKFORD for letter in letters):
            return (Reading(_digits(letters, _CROCKFORD, 32) * 1000, "ULID", is_id=True),)
    if len(text) == 27 and text.isascii():
        return (Reading(((_digits(text, _BASE62, 62) >> 128) + _KSUID) * SECOND, "KSUID", is_id=True),)
    return ()


def _digits(text: str, values: dict[str, int], radix: int) -> int:
    number = 0
    for letter in text:
        number = number * radix + values.get(letter, 0)
    return number


def _instant(*parts: int) -> int | None:
    """The instant of a year, a month, a day, an hour, a minute and a second of UTC; None where there is none such."""
    year, month, day, hour, minute, second = parts
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND


def _offset(zone: str | None) -> int:
    """Microseconds that a written offset is ahead of UTC."""
    if zone is None or zone[0] in "ZUG":
        return 0
    digits = zone.replace("%2B", "+").replace("%3A", "").replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5] or 0)
    return (-minutes if digits[0] == "-" else minutes) * MINUTE
