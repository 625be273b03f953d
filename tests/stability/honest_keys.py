"""Fifty honest key functions, as people write them, and what they are called with. The kit must let every one pass.

Interpreters import this module again and again, so it imports nothing heavy.
"""

import dataclasses
import datetime as dt
import enum
import functools
import hashlib
import json
import time
import uuid
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from spendgate import stable_key


class Case(NamedTuple):
    function: Callable[..., Any]
    inputs: Any = None
    window: str | None = None


class Kind(enum.StrEnum):
    PERSON = "person"
    COMPANY = "company"


@dataclasses.dataclass(frozen=True)
class Query:
    text: str
    limit: int = 10
    since: dt.date | None = None


class Customer:
    def __init__(self, customer_id: int, name: str) -> None:
        self.customer_id = customer_id
        self.name = name

    def __repr__(self) -> str:
        return f"Customer({self.customer_id})"


def plain(record_id: int) -> str:
    return f"enrichment:{record_id}"


def text(name: str) -> str:
    return f"name:{name}"


def stable(record_id: int) -> str:
    return stable_key("enrichment", record_id)


def stable_of_two(first: str, second: str) -> str:
    return stable_key("pair", first, second)


def stable_of_anything(value: dict[str, list[int]]) -> str:
    return stable_key("filters", value)


def stable_set(tags: set[str]) -> str:
    return stable_key("tags", tags)


def stable_record(query: Query) -> str:
    return stable_key("search", query)


def stable_floats(latitude: float, longitude: float) -> str:
    return stable_key("weather", latitude, longitude)


def stable_decimals(amount: Decimal) -> str:
    return stable_key("tax", amount)


def stable_instant(doc_id: int, updated_at: dt.datetime) -> str:
    return stable_key("doc", doc_id, updated_at)


def stable_bytes(body: bytes) -> str:
    return stable_key("body", body)


def stable_digest(prompt: str, model: str) -> str:
    return stable_key.digest("llm", model, prompt)


def stable_versioned(prompt: str) -> str:
    return stable_key("llm", prompt, version="gpt-4o-2024-08-06")


def stable_optional(name: str, country: str | None) -> str:
    return stable_key("company", name, country)


def stable_uuid(person: uuid.UUID) -> str:
    return stable_key("person", person)


def stable_enum(kind: Kind, number: int) -> str:
    return stable_key(kind, number)


def stable_5h(record_id: int) -> str:
    return stable_key("enrichment", record_id, window="5h")


def stable_24h(record_id: int) -> str:
    return stable_key("enrichment", record_id, window="24h")


def stable_36h(record_id: int) -> str:
    return stable_key("enrichment", record_id, window="36h")


def stable_48h(record_id: int) -> str:
    return stable_key("enrichment", record_id, window="48h")


def stable_72h(record_id: int) -> str:
    return stable_key("enrichment", record_id, window="72h")


def stable_90s(record_id: int) -> str:
    return stable_key("price", record_id, window="90s", phase=False)


def stable_week(record_id: int) -> str:
    return stable_key("report", record_id, window="7d")


def floored_seconds(record_id: int) -> str:
    return f"enrichment:{record_id}:{int(time.time()) // 18_000}"


def utc_day(record_id: int) -> str:
    return f"enrichment:{record_id}:{dt.datetime.now(dt.UTC):%Y-%m-%d}"


def utc_hour(record_id: int) -> str:
    return f"enrichment:{record_id}:{dt.datetime.now(dt.UTC):%Y-%m-%dT%H}"


def digest_of_text(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def digest_of_bytes(body: bytes) -> str:
    return "body:" + hashlib.blake2b(body, digest_size=16).hexdigest()


def checksum(body: bytes) -> int:
    return zlib.crc32(body)


def sorted_json(payload: dict[str, int]) -> str:
    return json.dumps(payload, sort_keys=True)


def digest_of_json(payload: dict[str, list[str]]) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sorted_tags(tags: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(tags))


def frozen_tags(tags: frozenset[int]) -> frozenset[int]:
    return tags


def a_tuple(name: str, page: int) -> tuple[str, str, int]:
    return ("search", name, page)


def record_as_key(query: Query) -> Query:
    return query


def own_repr(customer: Customer) -> str:
    return repr(customer)


def by_attribute(customer: Customer) -> str:
    return f"customer:{customer.customer_id}"


def escaped(first: str, second: str) -> str:
    return f"{quote(first, safe='')}:{quote(second, safe='')}"


def as_query(name: str, page: int) -> str:
    return urlencode([("name", name), ("page", page)])


def exact_float(latitude: float) -> str:
    return f"weather:{latitude!r}"


def hexadecimal(latitude: float) -> str:
    return latitude.hex()


def cents(amount: int) -> str:
    return f"{amount / 100:.2f}"


def of_a_path(path: PurePosixPath) -> str:
    return f"file:{path.as_posix()}"


def of_an_update(doc_id: int, updated_at: dt.datetime) -> str:
    return f"doc:{doc_id}:{updated_at.isoformat()}"


def of_a_day(day: dt.date) -> str:
    return f"report:{day.isoformat()}"


def of_an_epoch(created_at: int) -> str:
    return f"day:{dt.datetime.fromtimestamp(created_at, dt.UTC).isoformat()}"


def named_uuid(url: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, url))


def with_defaults(name: str, language: str = "en", *, page: int = 1) -> str:
    return f"{language}/{page}/{name}"


def keywords(**filters: int) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(filters.items()))


async def awaited(record_id: int) -> str:
    return f"enrichment:{record_id}"


def raises_for_some(record_id: int) -> str:
    if record_id < 0:
        raise ValueError("there is no such record")
    return f"enrichment:{record_id}"


def nested(record_id: int) -> tuple[str, tuple[str, int]]:
    return ("v1", ("enrichment", record_id))


class Keys:
    @staticmethod
    def of(record_id: int) -> str:
        return f"static:{record_id}"

    def __call__(self, record_id: int) -> str:
        return f"called:{record_id}"


INSTANTS = [(1, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), (1, dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC))]
CUSTOMERS = [Customer(1, "Ada"), Customer(2, "Ada")]
WORDS = [("a:b", "c"), ("a", "b:c"), ("", ":"), (":", "")]

CASES = [
    *map(Case, [plain, text, stable, stable_of_two, stable_of_anything, stable_set, stable_record, stable_floats]),
    *map(Case, [stable_decimals, stable_instant, stable_bytes, stable_digest, stable_versioned, stable_optional]),
    *map(Case, [stable_uuid, stable_enum, digest_of_text, digest_of_bytes, checksum, sorted_json, digest_of_json]),
    *map(Case, [sorted_tags, frozen_tags, a_tuple, record_as_key, escaped, as_query, exact_float, hexadecimal, cents]),
    *map(Case, [of_a_day, named_uuid, with_defaults, awaited, raises_for_some, nested, Keys.of]),
    Case(stable_5h, window="5h"),
    Case(stable_24h, window="24h"),
    Case(stable_36h, window="36h"),
    Case(stable_48h, window="48h"),
    Case(stable_72h, window="72h"),
    Case(stable_90s, window="90s"),
    Case(stable_week, window="7d"),
    Case(floored_seconds, window="5h"),
    Case(utc_day, window="24h"),
    Case(utc_hour, window="1h"),
    Case(stable_of_two, WORDS),
    Case(own_repr, CUSTOMERS),
    Case(by_attribute, CUSTOMERS),
    Case(of_a_path, [PurePosixPath("a"), PurePosixPath("b/c")]),
    Case(of_an_update, INSTANTS),
    Case(of_an_epoch, range(0, 2**31, 2**27)),
    Case(functools.partial(a_tuple, "ada"), [1, 2, 3]),
    Case(Keys(), [1, 2]),
    Case(lambda record_id: f"lambda:{record_id}", range(20)),
]
