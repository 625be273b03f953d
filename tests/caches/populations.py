"""Simulated caches: what they are asked for, when, and whether it was a hit. Healthy ones, and a few that churn."""

import hashlib
import random
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import accumulate

from spendgate.clock import DAY, HOUR, MINUTE, SECOND, moment

BEGAN_AT = 1_793_000_000_000_000
Lookup = tuple[object, int]
"""A key and the instant of its lookup."""
Stream = Iterator[Lookup]
Maker = Callable[[random.Random], Stream]


def times(rng: random.Random, per_hour: float) -> Iterator[int]:
    """Instants of lookups that come by chance, so many an hour."""
    at = BEGAN_AT + rng.randrange(365 * DAY)
    while True:
        at += max(1, int(rng.expovariate(per_hour) * HOUR))
        yield at


def rate(rng: random.Random) -> float:
    """From 10 lookups an hour to 100 a second."""
    return 10 ** rng.uniform(1, 5.5)


def draw(rng: random.Random, many: int, skew: float) -> Callable[[], int]:
    """Draws numbers below `many`, small ones more often the larger the skew."""
    weights = list(accumulate(1 / (rank + 1) ** skew for rank in range(many)))
    return lambda: rng.choices(range(many), cum_weights=weights)[0]


def new_uuid(rng: random.Random) -> uuid.UUID:
    """A UUID of version 4."""
    return uuid.UUID(int=rng.getrandbits(128), version=4)


def ids(rng: random.Random, many: int) -> list[str]:
    """So many record ids of one kind: UUIDs, numbers, hexadecimal, words with a number, times of creation."""
    make = rng.choice(
        [
            lambda _: str(new_uuid(rng)),
            lambda number: str(number + 1),
            lambda number: str(10**9 + number * 7),
            lambda _: f"{rng.getrandbits(64):016x}",
            lambda number: f"rec-{number}",
            lambda number: f"person{number}@example.com",
            lambda _: str((BEGAN_AT - rng.randrange(300 * DAY)) // 1000),
        ]
    )
    return [make(number) for number in range(many)]


def skewed(rng: random.Random) -> Stream:
    """Records that are asked for again and again, some far more often than others."""
    records = ids(rng, rng.choice([50, 500, 5000]))
    one = draw(rng, len(records), rng.uniform(0.6, 1.3))
    for at in times(rng, rate(rng)):
        yield f"enrichment:{records[one()]}", at


def scanning(rng: random.Random) -> Stream:
    """Records that all come once."""
    for at in times(rng, rate(rng)):
        yield f"enrichment:{new_uuid(rng)}", at


def scanning_again(rng: random.Random) -> Stream:
    """The same records, one pass after the other, in their order."""
    records = ids(rng, rng.randint(200, 3000))
    for number, at in enumerate(times(rng, rate(rng))):
        yield ("enrichment", records[number % len(records)]), at


def scanning_tenants(rng: random.Random) -> Stream:
    """New records of a few customers."""
    tenants = rng.randint(2, 40)
    for at in times(rng, rate(rng)):
        yield f"tenant-{rng.randrange(tenants)}/{new_uuid(rng)}", at


def scanning_in_order(rng: random.Random) -> Stream:
    """New records of many customers, one customer after the other."""
    customer = 1000
    for at in times(rng, rate(rng)):
        customer += rng.random() < 0.05
        yield f"{customer}:{new_uuid(rng)}", at


def cold(rng: random.Random) -> Stream:
    """A large working set, just begun: hardly anything comes twice yet."""
    many = rng.choice([20_000, 200_000])
    for at in times(rng, rate(rng)):
        yield f"user:{rng.randrange(many) * 104_729 % 10**9:09d}", at


def tenants_and_users(rng: random.Random) -> Stream:
    """Users of customers, some far more often than others."""
    users = [f"{number * 31 % 200}:{new_uuid(rng)}" for number in range(20_000)]
    one = draw(rng, len(users), rng.uniform(0.9, 1.2))
    for at in times(rng, rate(rng)):
        yield f"profile:{users[one()]}", at


def content(rng: random.Random) -> Stream:
    """Hashes of what an answer depends on; a part of it comes again."""
    again = rng.uniform(0, 0.5)
    texts = [rng.getrandbits(64) for _ in range(200)]
    kind = rng.choice([hashlib.sha256, hashlib.md5, hashlib.sha1])
    for at in times(rng, rate(rng)):
        text = rng.choice(texts) if rng.random() < again else rng.getrandbits(64)
        yield f"embed:model-3:{kind(str(text).encode()).hexdigest()}", at


def prompts(rng: random.Random) -> Stream:
    """Hashes of what each of many users has asked, most of it never again."""
    for at in times(rng, rate(rng)):
        text = rng.randrange(50) if rng.random() < 0.04 else rng.getrandbits(64)
        yield f"answer:{rng.randrange(400)}:{hashlib.sha256(str(text).encode()).hexdigest()}", at


def dated(rng: random.Random) -> Stream:
    """Records by the day on which they are asked for."""
    records = ids(rng, rng.choice([100, 1000]))
    spelling = rng.choice(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y-%m-%dT00:00:00+00:00"])
    one = draw(rng, len(records), 0.8)
    for at in times(rng, rate(rng)):
        yield f"report:{moment(at):{spelling}}:{records[one()]}", at


def updated(rng: random.Random) -> Stream:
    """Records with the instant of their last change, which is data."""
    many = rng.choice([100, 1000])
    changed = [BEGAN_AT - rng.randrange(200 * DAY) for _ in range(many)]
    one = draw(rng, many, 0.8)
    for at in times(rng, rate(rng)):
        number = one()
        if rng.random() < 0.01:
            changed[number] = at - rng.randrange(HOUR)
        yield f"enrichment:{number}:{moment(changed[number]).isoformat()}", at


def updated_once(rng: random.Random) -> Stream:
    """A scan over records with the local time of their last change."""
    for number, at in enumerate(times(rng, rate(rng))):
        yield f"enrichment:{number}:{moment(at - rng.randrange(5 * SECOND, 90 * DAY)).replace(tzinfo=None)}", at


def windowed(rng: random.Random) -> Stream:
    """Records by the window in which they are asked for."""
    window = rng.choice([30, 60, 300, 900, 3600, 86_400]) * SECOND
    records = ids(rng, rng.choice([20, 300]))
    one = draw(rng, len(records), 1.0)
    as_text = rng.choice([lambda at: str(at // SECOND), lambda at: moment(at).isoformat(), str])
    for at in times(rng, max(rate(rng), 3600 * SECOND / window * 20)):
        yield f"price:{records[one()]}:{as_text(at // window * window)}", at


def on_the_hour(rng: random.Random) -> Stream:
    """A job on the hour, whose keys have the hour: each of its lookups is within two seconds of it."""
    hour = BEGAN_AT // HOUR * HOUR
    every = rng.choice([5 * MINUTE, 15 * MINUTE, HOUR])
    records = ids(rng, 300)
    while True:
        for number, record in enumerate(records):
            yield f"report:{record}:{moment(hour).isoformat()}", hour + number * 5000
        hour += every


def sequential(rng: random.Random) -> Stream:
    """New records, numbered one after the other, of many customers."""
    number = 10 ** rng.randint(4, 11)
    customers = rng.choice([1, 20, 500])
    for at in times(rng, rate(rng)):
        number += rng.randint(1, 3)
        yield f"order:{rng.randrange(customers)}:{number}", at


def sessions(rng: random.Random) -> Stream:
    """Sessions: new ones all the time, each asked for some times."""
    alive = [new_uuid(rng) for _ in range(20)]
    for at in times(rng, rate(rng)):
        if rng.random() < 0.15:
            alive[rng.randrange(20)] = new_uuid(rng)
        yield f"session:{rng.choice(alive)}", at


def fresh_events(rng: random.Random) -> Stream:
    """Events that are asked for as soon as they are there, by an id that begins with their time."""
    for at in times(rng, rate(rng)):
        stamp = (at - rng.randrange(SECOND)) // 1000
        yield f"event:{uuid.UUID(int=stamp << 80 | 7 << 76 | 2 << 62 | rng.getrandbits(60))}", at


def urls(rng: random.Random) -> Stream:
    """Addresses of pages."""
    one = draw(rng, 2000, 1.0)
    for at in times(rng, rate(rng)):
        number = one()
        yield f"https://api.example.com/v1/people/{number}?page={number % 7}&fields=name,mail", at


def arguments(rng: random.Random) -> Stream:
    """Tuples of arguments, as decorators make them."""
    one = draw(rng, 800, 0.9)
    for at in times(rng, rate(rng)):
        number = one()
        yield ("enrich", number, number % 3 == 0, None, 0.5, frozenset({"a", "b"})), at


def decimals(rng: random.Random) -> Stream:
    """Coordinates of places, of which some are asked for often."""
    places = [(rng.uniform(-90, 90), rng.uniform(-180, 180)) for _ in range(500)]
    one = draw(rng, len(places), 0.8)
    for at in times(rng, rate(rng)):
        yield "weather:{:.6f},{:.6f}".format(*places[one()]), at


def raw(rng: random.Random) -> Stream:
    """Bytes of a digest."""
    for at in times(rng, rate(rng)):
        yield b"k:" + hashlib.md5(str(rng.randrange(3000)).encode()).digest(), at


HEALTHY: list[Maker] = [
    *(skewed, scanning, scanning_again, scanning_tenants, scanning_in_order, cold, tenants_and_users, content, prompts),
    *(dated, updated, updated_once, windowed, on_the_hour, sequential, sessions, fresh_events, urls, arguments),
    *(decimals, raw),
]


class Answering:
    """A cache that says whether it has a key: bounded, the longest unused goes first, and entries expire."""

    def __init__(self, room: int, expires_after: int) -> None:
        self.room = room
        self.expires_after = expires_after
        self.kept: OrderedDict[object, int] = OrderedDict()

    def ask(self, key: object, at: int) -> bool:
        """Whether it is a hit; after a miss it is kept."""
        if self.kept.get(key, -self.expires_after) + self.expires_after > at:
            self.kept.move_to_end(key)
            return True
        self.kept[key] = at
        self.kept.move_to_end(key)
        if len(self.kept) > self.room:
            self.kept.popitem(last=False)
        return False


def spelled(rng: random.Random, at: int) -> str:
    """An instant in one of the spellings that people put into keys."""
    local = moment(at) + timedelta(minutes=15 * rng.randint(-48, 56))
    return rng.choice(
        [
            moment(at).isoformat(),
            str(moment(at)),
            local.replace(tzinfo=None).isoformat(),
            str(local.replace(tzinfo=None)),
            f"{moment(at):%Y%m%d%H%M%S%f}",
            str(at / 1e6),
            str(at // 1000),
            str(at),
            str(at * 1000 + 17),
            f"{at:x}",
        ]
    )
