"""Key functions that are unstable, each in one way. `CASES` says with what they are called and what must be found."""

import datetime as dt
import getpass
import itertools
import json
import locale
import os
import platform
import random
import secrets
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

STARTED = dt.datetime.now().isoformat()
RUN = uuid.uuid4().hex
COUNT = itertools.count()
CALLS: list[int] = []


class Record:
    """Has no repr of its own, and no equality."""

    def __init__(self, record_id: int) -> None:
        self.record_id = record_id


class Case(NamedTuple):
    """A key function, its inputs, the check that must fail, and the source that must be named."""

    function: Callable[..., Any]
    inputs: Any
    check: str
    source: str
    window: str | None = None


def article(record_id: int) -> str:
    return f"enrichment:{record_id}:{dt.datetime.now().isoformat()}"


def utc_timestamp(record_id: int) -> str:
    return f"enrichment:{record_id}:{dt.datetime.now(dt.UTC).timestamp()}"


def epoch_seconds(record_id: int) -> tuple[str, int, int]:
    return ("enrichment", record_id, int(time.time()))


def epoch_nanoseconds(record_id: int) -> str:
    return f"{record_id}:{time.time_ns()}"


def formatted_hour(record_id: int) -> str:
    return f"{record_id}:{time.strftime('%Y-%m-%d %H')}"


def today(record_id: int) -> str:
    return f"{record_id}:{dt.datetime.now(dt.UTC).date()}"


def local_day(record_id: int) -> str:
    return f"{record_id}:{dt.date.today()}"


def hour_of_day(record_id: int) -> str:
    return f"{record_id}:{dt.datetime.now(dt.UTC).hour}"


def stopwatch(record_id: int) -> str:
    return f"{record_id}:{time.perf_counter_ns()}"


def hashed(name: str) -> str:
    return f"name:{hash(name)}"


def hashed_unseen(name: str) -> str:
    return "names:" + ",".join(str(one) for one in map(hash, (name, "x")))


def random_uuid(record_id: int) -> str:
    return f"{record_id}:{uuid.uuid4()}"


def timed_uuid(record_id: int) -> str:
    return f"{record_id}:{uuid.uuid1().hex}"


def address(record: Record) -> str:
    return f"record:{id(record)}"


def default_repr(record: Record) -> str:
    return f"record:{record}"


def default_repr_inside(record: Record) -> str:
    return json.dumps({"records": [record]}, default=str)


def object_as_key(record: Record) -> Record:
    return record


def set_in_order(tags: set[str]) -> str:
    return "tags:" + ",".join(tags)


def set_spelled(tags: list[str]) -> str:
    return f"tags:{set(tags)}"


def dictionary_spelled(filters: dict[str, int]) -> str:
    return f"filters:{filters}"


def dictionary_dumped(filters: dict[str, int]) -> str:
    return json.dumps(filters)


def keywords_in_order(**filters: int) -> str:
    return "&".join(f"{name}={value}" for name, value in filters.items())


def rounded(latitude: float, longitude: float) -> str:
    return f"{latitude:.2f}:{longitude:.2f}"


def six_digits(amount: float) -> str:
    return f"{amount:g}"


def time_zone(record_id: int) -> str:
    return f"{record_id}:{time.tzname[0]}"


def naive_day(created_at: int) -> str:
    return f"day:{dt.datetime.fromtimestamp(created_at).date()}"


def process(record_id: int) -> str:
    return f"{os.getpid()}:{record_id}"


def host(record_id: int) -> str:
    return f"{socket.gethostname()}:{record_id}"


def node(record_id: int) -> str:
    return f"{platform.node()}:{record_id}"


def drawn(record_id: int) -> str:
    return f"{record_id}:{random.random()}"


def drawn_token(record_id: int) -> str:
    return f"{record_id}:{secrets.token_hex(4)}"


def counted(record_id: int) -> str:
    return f"{record_id}:{next(COUNT)}"


def counted_by_hand(record_id: int) -> str:
    CALLS.append(record_id)
    return f"{record_id}:{len(CALLS)}"


def imported_at(record_id: int) -> str:
    return f"{STARTED}:{record_id}"


def made_at_import(record_id: int) -> str:
    return f"{RUN}:{record_id}"


def default_argument(record_id: int, now: str = STARTED) -> str:
    return f"{now}:{record_id}"


def local_number(amount: int) -> str:
    return locale.format_string("%.2f", amount)


def decimal_point(amount: int) -> str:
    return f"{amount}{locale.localeconv()['decimal_point']}00"


def variable(record_id: int) -> str:
    return f"{os.environ.get('DEPLOY_ID', 'none')}:{record_id}"


def user(record_id: int) -> str:
    return f"{getpass.getuser()}:{record_id}"


def directory(name: str) -> str:
    return f"file:{Path(name).absolute()}"


def temporary(record_id: int) -> str:
    return f"{tempfile.mkdtemp()}:{record_id}"


def thread(record_id: int) -> str:
    return f"{threading.current_thread().name}:{record_id}"


def forgets_an_argument(record_id: int, language: str) -> str:
    return f"{record_id}"


def joined(first: str, second: str) -> str:
    return f"{first}:{second}"


def glued(first: str, second: str) -> str:
    return first + second


IDS = [0, 1, 4711]
RECORDS = [(Record(1),), (Record(2),)]

CASES = [
    Case(article, IDS, "time", "clock"),
    Case(utc_timestamp, IDS, "time", "clock"),
    Case(epoch_seconds, IDS, "time", "clock"),
    Case(epoch_nanoseconds, IDS, "time", "clock"),
    Case(formatted_hour, IDS, "time", "clock"),
    Case(today, IDS, "time", "date"),
    Case(local_day, IDS, "time", "date"),
    Case(local_day, IDS, "interpreters", "time zone", "24h"),
    Case(hour_of_day, IDS, "time", "window", "1h"),
    Case(stopwatch, IDS, "repeat", "stopwatch"),
    Case(hashed, None, "interpreters", "hash"),
    Case(hashed_unseen, ["a", "b"], "interpreters", "hash"),
    Case(random_uuid, None, "repeat", "uuid"),
    Case(timed_uuid, IDS, "repeat", "uuid"),
    Case(address, RECORDS, "copies", "id"),
    Case(default_repr, RECORDS, "copies", "default repr"),
    Case(default_repr_inside, RECORDS, "copies", "default repr"),
    Case(object_as_key, RECORDS, "copies", "default repr"),
    Case(set_in_order, [set("abcdefghijkl"), set("xyz")], "order", "set order"),
    Case(set_spelled, [(["a", "b", "c"],), (["x", "y", "z"],)], "interpreters", "set order"),
    Case(dictionary_spelled, [{"a": 1, "b": 2}, {"c": 3}], "order", "dict order"),
    Case(dictionary_dumped, None, "order", "dict order"),
    Case(rounded, None, "distinct", "float formatting"),
    Case(six_digits, [1234567.0, 1234568.0], "distinct", "float formatting"),
    Case(time_zone, IDS, "interpreters", "time zone"),
    Case(naive_day, [1_793_000_000, 1_790_000_000], "interpreters", "time zone"),
    Case(process, IDS, "interpreters", "process id"),
    Case(host, IDS, "interpreters", "host name"),
    Case(node, IDS, "interpreters", "host name"),
    Case(drawn, IDS, "repeat", "random"),
    Case(drawn_token, IDS, "repeat", "random"),
    Case(counted, IDS, "repeat", "counter"),
    Case(counted_by_hand, IDS, "repeat", "counter"),
    Case(imported_at, IDS, "interpreters", "import"),
    Case(made_at_import, IDS, "interpreters", "import"),
    Case(default_argument, IDS, "interpreters", "import"),
    Case(local_number, IDS, "interpreters", "locale"),
    Case(decimal_point, IDS, "interpreters", "locale"),
    Case(variable, IDS, "interpreters", "environment"),
    Case(user, IDS, "interpreters", "environment"),
    Case(directory, ["a.csv", "b.csv"], "interpreters", "working directory"),
    Case(temporary, IDS, "repeat", "random"),
    Case(thread, IDS, "thread", "thread"),
    Case(forgets_an_argument, [(1, "de"), (1, "en")], "distinct", "missing argument"),
    Case(joined, None, "distinct", "separator"),
    Case(glued, [("ab", "c"), ("a", "bc")], "distinct", "separator"),
]
