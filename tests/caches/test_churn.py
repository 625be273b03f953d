"""Keys that cannot repeat are named, and those that can are left alone."""

import gc
import hashlib
import random
import sys
import threading
import types
import uuid
from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.caches.churn import Churn
from spendgate.caches.churn_verdict import ChurnVerdict
from spendgate.caches.plain import plain
from spendgate.caches.shapes import masked, pieces
from spendgate.clock import DAY, HOUR, MINUTE, SECOND, moment
from tests.caches.populations import (
    BEGAN_AT,
    HEALTHY,
    Answering,
    Maker,
    draw,
    new_uuid,
    rate,
    spelled,
    times,
)

KeyOf = Callable[[random.Random, int, int], object]
"""A key from chance, the instant and the number of the lookup."""


def ask(churn: Churn, key: object, at: int, hit: bool | None = None) -> None:
    """A lookup, handed on as the contract says."""
    if not hash(key) & churn.mask:
        churn.look(key, at, hit)


def convicted(key_of: KeyOf, most: int, seed: int = 1, every: int = 50) -> tuple[ChurnVerdict, int]:
    """The first verdict "churning", and after how many lookups; or the last verdict and 0."""
    rng, churn = random.Random(seed), Churn()
    verdict = ChurnVerdict("cannot tell yet")
    for number, at in enumerate(islice(times(rng, rate(rng)), most), 1):
        ask(churn, key_of(rng, at, number), at)
        if number % every == 0:
            verdict = churn.verdict(at)
            if verdict.kind == "churning":
                return verdict, number
    return verdict, 0


@pytest.mark.parametrize("records", [1, 80, 811, 10**9])
@pytest.mark.parametrize("seed", range(5))
def test_the_key_with_the_time_of_its_lookup_is_named(records: int, seed: int) -> None:
    """The article's key is convicted within 200 lookups at any rate, whether or not a record repeats among them."""
    verdict, after = convicted(
        lambda rng, at, _: f"enrichment:{rng.randrange(records)}:{moment(at).replace(tzinfo=None).isoformat()}",
        200,
        seed,
    )
    assert 0 < after <= 200
    assert (verdict.segment, verdict.shape, verdict.own_instant) == (3, "ISO timestamp", True)
    assert "segment 3" in verdict.sentence("enrichment")


@pytest.mark.parametrize("seed", range(30))
def test_any_spelling_of_the_time_convicts(seed: int) -> None:
    """Local times without an offset, digits, seconds as a float, hexadecimal: each within 200 lookups."""
    verdict, after = convicted(lambda rng, at, number: f"a:{number}:{spelled(random.Random(seed), at)}", 200, seed)
    assert 0 < after <= 200
    assert verdict.segment == 3


@pytest.mark.parametrize("late", [0, SECOND // 2, SECOND])
def test_keys_of_other_kinds_are_convicted_too(late: int) -> None:
    """Tuples with a datetime, bytes, keys made a moment before the lookup, whatever stands in front."""
    for key_of in (
        lambda _, at, number: ("enrichment", number, moment(at - late)),
        lambda _, at, number: f"enrichment:{number}:{moment(at - late).isoformat()}".encode(),
        lambda _, at, number: (at - late) // 1000,
        lambda rng, at, number: f"{'x:' * rng.randint(1, 9)}{number}:{at - late}",
        lambda _, at, number: "p" * 5000 + f":{number}:{at - late}",
        lambda _, at, number: f"key_{number}_{at - late}",
    ):
        assert convicted(key_of, 200)[0].kind == "churning"


def test_seconds_convict_once_they_have_moved() -> None:
    """A time in whole seconds is told from the window of a fast job only after some seconds."""
    churn = Churn()
    for number in range(4000):
        at = BEGAN_AT + number * 2000
        ask(churn, f"a:{number}:{at // SECOND}", at)
    assert churn.verdict(at).kind == "cannot tell yet"
    for number in range(40_000):
        at = BEGAN_AT + number * 2000
        ask(churn, f"b:{number}:{at // SECOND}", at)
    assert churn.verdict(at).kind == "churning"


NEW_EACH_TIME: dict[str, tuple[KeyOf, int]] = {
    "UUID": (lambda rng, _, __: f"enrichment:{rng.randrange(811)}:{new_uuid(rng)}", 3),
    "UUID in front": (lambda rng, _, number: f"{new_uuid(rng)}/{number % 100}", 1),
    "UUID in a tuple": (lambda rng, _, __: ("enrichment", rng.randrange(60), new_uuid(rng)), 3),
    "UUID as hexadecimal": (lambda rng, _, __: f"enrichment:{rng.randrange(300)}:{new_uuid(rng).hex[:31]}", 3),
    "random number": (lambda rng, _, __: f"enrichment|{rng.randrange(300)}|{rng.random()}", 3),
    "hexadecimal": (lambda rng, _, __: f"enrichment_{rng.randrange(300)}_{rng.getrandbits(64):016x}", 1),
    "id(...)": (lambda rng, _, __: f"enrichment:{rng.randrange(300)}:{140_000_000_000_000 + rng.getrandbits(34)}", 3),
    "default repr": (
        lambda rng, _, __: (
            f"enrichment:{rng.randrange(300)}:<Client object at {0x7F0000000000 + rng.getrandbits(34):#x}>"
        ),
        3,
    ),
    "two of them": (lambda rng, _, __: f"{new_uuid(rng)}:{rng.choice(UUIDS)}", 1),
}
UUIDS = [new_uuid(random.Random(seed)) for seed in range(400)]


@pytest.mark.parametrize("name", NEW_EACH_TIME)
@pytest.mark.parametrize("seed", range(2))
def test_a_part_that_is_new_each_time_is_named(name: str, seed: int) -> None:
    """A UUID, or a number that is drawn, in a key whose rest repeats is convicted within 2,000 lookups."""
    key_of, segment = NEW_EACH_TIME[name]
    verdict, after = convicted(key_of, 2000, seed, every=100)
    assert 0 < after <= 2000
    assert (verdict.segment, verdict.own_instant) == (segment, False)
    assert verdict.different_without is not None
    assert verdict.different_without < verdict.different


def test_a_hash_of_something_new_takes_longer() -> None:
    """A hash that never repeats while the rest does is convicted after ten thousand lookups: it may be of content."""

    def key_of(rng: random.Random, at: int, _: int) -> str:
        return f"enrichment:{rng.randrange(300)}:{hashlib.md5(str(at).encode()).hexdigest()}"

    verdict, after = convicted(key_of, 14_000, seed=3, every=500)
    assert after >= 10_000
    assert verdict.shape == "32 hexadecimal digits"


def test_the_sentence_counts() -> None:
    """9,812 lookups of 811 records, each with its time: said in these words."""
    churn = Churn()
    for number in range(9812):
        at = BEGAN_AT + number * SECOND // 4 + number
        churn.look(f"enrichment:{number % 811}:{moment(at).isoformat()}", at)
        churn.mask = 0
    verdict = churn.verdict(at)
    without = verdict.data()["different_without"]
    assert verdict.sentence("enrichment") == (
        f"enrichment: 9,812 lookups, 9,812 different keys; without the ISO timestamp in segment 3 there are {without}. "
        "This cache cannot hit."
    )
    assert 800 <= without <= 811, "one in 400 is taken for another, by a hash that each process keys anew"


@pytest.mark.parametrize("make", HEALTHY, ids=lambda make: make.__name__)
def test_healthy_caches_are_left_alone(make: Maker) -> None:
    """No verdict on caches that are cold, scanned, skewed, expiring, keyed by content, dates, windows or sessions."""
    assert [accused(make, seed, 1500) for seed in range(8)] == [""] * 8


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("make", HEALTHY, ids=lambda make: make.__name__)
def test_thousands_of_healthy_caches_are_left_alone(make: Maker) -> None:
    """Of 2,100 caches with 6,000 lookups each, judged 60 times each, none is convicted."""
    assert [said for seed in range(1000, 1100) if (said := accused(make, seed, 6000))] == []


def accused(make: Maker, seed: int, lookups: int) -> str:
    """What is said against a healthy cache, if anything is; every third one tells its hits."""
    rng, churn = random.Random(seed), Churn()
    cache = Answering(rng.choice([100, 10_000]), rng.choice([HOUR, DAY, 30 * DAY]))
    tells = rng.random() < 1 / 3
    for number, (key, at) in enumerate(islice(make(rng), lookups)):
        hit = cache.ask(key, at) if tells else None
        ask(churn, key, at, hit)
        if number % 100 == 99 and (verdict := churn.verdict(at)).kind == "churning":
            return verdict.sentence(f"{make.__name__} {seed}")
    return ""


def test_a_cache_that_hits_is_healthy() -> None:
    """After a restart in front of a warm cache no key has come twice yet, but they hit."""
    rng, churn = random.Random(1), Churn()
    for number, at in enumerate(islice(times(rng, 5000), 3000)):
        ask(churn, f"{number % 500}:{new_uuid(rng)}", at, hit=rng.random() < 0.6)
    assert churn.verdict(at).kind == "healthy"


def test_keys_that_begin_to_churn_are_found_in_a_running_process() -> None:
    """A switch is thrown: a few hundred lookups later the key is named, and some after it is back, it is healthy."""
    rng, churn = random.Random(2), Churn()
    one, at = draw(rng, 300, 0.8), BEGAN_AT
    kinds = []
    for number in range(9000):
        at += MINUTE + rng.randrange(SECOND)
        switched = 5000 <= number < 7000
        ask(churn, f"enrichment:{one()}" + (f":{moment(at).isoformat()}" if switched else ""), at)
        if number % 50 == 49:
            kinds.append(churn.verdict(at).kind)
    assert set(kinds[2:100]) == {"healthy"}
    assert set(kinds[108:139]) == {"churning"}
    assert set(kinds[150:]) == {"healthy"}


def test_the_numbers_of_a_verdict_are_about_the_churn_alone() -> None:
    """What was counted while the cache was well does not dilute the verdict."""
    churn, at = Churn(), BEGAN_AT
    for number in range(4000):
        at += SECOND
        ask(churn, f"enrichment:{number % 100}" + (f":{at}" if number >= 2000 else ""), at)
        if number % 20 == 19:
            verdict = churn.verdict(at)
    assert verdict.kind == "churning"
    assert verdict.different > verdict.lookups * 0.98
    assert verdict.different_without == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("jump", [-400 * DAY, -HOUR, -SECOND, HOUR, 400 * DAY])
def test_a_clock_that_jumps_does_not_hide_the_churn_for_long(jump: int) -> None:
    """The clock jumps for both, or for one of them for a while: 200 lookups after they agree the key is named."""
    for shared in (True, False):
        churn, at = Churn(), BEGAN_AT
        for number in range(1200):
            at += MINUTE + (jump if shared and number == 300 else 0)
            off = jump if not shared and 300 <= number < 900 else 0
            ask(churn, f"enrichment:{number % 80}:{moment(at + off).isoformat()}", at)
            if number in (200, 1100):
                assert churn.verdict(at).kind == "churning"


def test_a_clock_that_jumps_convicts_nobody() -> None:
    """Old instants in keys do not become the lookup's own, wherever the clock goes."""
    rng, churn = random.Random(5), Churn()
    changed = [BEGAN_AT - rng.randrange(DAY) for _ in range(5000)]
    for number in range(8000):
        at = BEGAN_AT + number * SECOND + rng.choice([0, 0, -DAY, DAY, 30 * DAY])
        record = rng.randrange(5000)
        ask(churn, f"enrichment:{record}:{moment(changed[record]).isoformat()}", at)
        if number % 50 == 0:
            assert churn.verdict(at).kind != "churning"


def test_a_clock_that_stands_still_convicts_nobody() -> None:
    """Where time does not move, an instant in the key is a constant like any other."""
    churn = Churn()
    for number in range(3000):
        ask(churn, f"enrichment:{number}:{moment(BEGAN_AT).isoformat()}", BEGAN_AT)
    assert churn.verdict(BEGAN_AT).kind == "cannot tell yet"


@pytest.mark.parametrize("per_second", [2, 50, 100_000])
def test_few_lookups_are_looked_at_in_the_end(per_second: int) -> None:
    """Beyond the first 2,048, about 32 lookups a second are looked at, and the verdicts stay right."""
    for churning in (False, True):
        rng, churn, looked = random.Random(3), Churn(), 0
        lookups = 30_000
        for number in range(lookups):
            at = BEGAN_AT + number * SECOND // per_second + number
            key = f"enrichment:{rng.randrange(2000)}" + (f":{moment(at).isoformat()}" if churning else "")
            if not hash(key) & churn.mask:
                looked += number > 2048
                churn.look(key, at)
        assert looked < 64 * 32 + 100 * lookups / per_second
        assert churn.verdict(at).kind == ("churning" if churning else "healthy")


def test_lookups_that_become_rare_are_looked_at_again() -> None:
    """After a burst the monitor looks at more lookups again, so that churn in slow hours is seen."""
    churn, at = Churn(), BEGAN_AT
    for number in range(100_000):
        at = BEGAN_AT + number * 2
        ask(churn, f"warm:{number % 1000}", at)
    assert churn.mask > 200
    for number in range(2000):
        at += MINUTE
        ask(churn, f"enrichment:{number % 80}:{moment(at).isoformat()}", at)
        verdict = churn.verdict(at)
    assert churn.mask == 0
    assert verdict.kind == "churning"


class Raising:
    def __hash__(self) -> int:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")


ODD = [
    *(None, b"", b"\xff\x00", "", 0, -1, 1.5, float("nan"), True, 10**400, (), ((),), [1], {"a": [2]}, {1}, Raising()),
    *("x" * 10_000_000, b"y" * 10_000_000, (b"z" * 10_000_000,), object(), int, print, Text("a"), "\ud800", range(9)),
    *(bytearray(b"q" * 5000), memoryview(b"w"), uuid.UUID(int=7), frozenset({"a"}), {"k": Raising()}, Ellipsis),
]


def test_keys_may_be_anything() -> None:
    """Bytes, None, ten megabytes, what cannot be hashed, what raises: nothing is raised, nothing is convicted."""
    churn = Churn()
    for number in range(60):
        for key in ODD:
            churn.look(key, BEGAN_AT + number * SECOND)
    assert churn.verdict(BEGAN_AT + MINUTE).kind == "healthy"


@given(st.text() | st.binary() | st.integers() | st.floats() | st.datetimes() | st.tuples(st.text(), st.uuids()))
def test_no_key_is_too_odd_to_be_read(key: object) -> None:
    """Whatever text, bytes, numbers and datetimes there are, they are cut, masked and decoded without an error."""
    found, segments = pieces(plain(key).text)
    assert all(0 < piece.segment <= segments for piece in found)
    assert len(masked(key)) <= 200
    for piece in found:
        for reading in piece.readings:
            reading.near(BEGAN_AT)


@given(st.from_regex(r"[0-9a-fA-FTZ:/,.+ _-]{8,40}", fullmatch=True))
def test_no_digits_are_too_odd_to_be_read(key: str) -> None:
    """The same for what looks like times and ids but is none."""
    assert pieces(plain(key).text)[1] >= 0
    assert len(masked(key)) <= 200


def size(thing: object, seen: set[int]) -> int:
    """Bytes that a thing and all it refers to take."""
    if id(thing) in seen or isinstance(thing, type | types.ModuleType | types.FunctionType | types.BuiltinFunctionType):
        return 0
    seen.add(id(thing))
    return sys.getsizeof(thing) + sum(size(part, seen) for part in gc.get_referents(thing))


def worst(rng: random.Random, at: int, number: int) -> str:
    """A key that asks for as much state as there can be."""
    parts = [str(new_uuid(rng)), f"{rng.getrandbits(64):x}", str(number), spelled(rng, at), str(rng.random())]
    rng.shuffle(parts)
    return ":".join(parts[: rng.randint(2, 5)])


def test_the_state_stays_below_50_kilobytes() -> None:
    """Whatever comes, and however much of it, all that is kept of a cache's keys stays below 50 kB."""
    rng, churn, most = random.Random(7), Churn(), 0
    for number in range(12_000):
        at = BEGAN_AT + number * MINUTE
        churn.look(worst(rng, at, number), at)
        if number % 500 == 499:
            churn.verdict(at)
            most = max(most, size(churn, set()))
    assert most < 50_000


def test_no_key_is_kept() -> None:
    """No text of a key, nor any part of it, can be reached from what is kept."""
    churn = Churn()
    for number in range(3000):
        churn.look(
            f"jane.doe.{number}@example.com:secret-{number}:{new_uuid(random.Random(number))}", BEGAN_AT + number
        )
    seen: set[int] = set()
    texts: list[str] = []

    def walk(thing: object) -> None:
        if id(thing) in seen or isinstance(thing, type | types.ModuleType | types.FunctionType):
            return
        seen.add(id(thing))
        if isinstance(thing, str):
            texts.append(thing)
        for part in gc.get_referents(thing):
            walk(part)

    walk(churn)
    assert not [text for text in texts if "jane" in text or "secret" in text or "example" in text]


def test_threads_may_look_at_once() -> None:
    """Threads that look and judge at the same time do no harm; a lookup that would have to wait is left out."""
    churn, raised = Churn(), []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for number in range(3000):
                churn.look(
                    f"enrichment:{rng.randrange(80)}:{moment(BEGAN_AT + number * SECOND).isoformat()}",
                    BEGAN_AT + number * SECOND,
                )
                if number % 100 == 0:
                    churn.verdict(BEGAN_AT + number * SECOND)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it fails the test
            raised.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def test_a_key_whose_hash_asks_the_cache_does_no_harm() -> None:
    """A key that looks something up while it is hashed, or a finalizer that does, neither waits nor raises."""
    churn = Churn()

    class Nested:
        def __hash__(self) -> int:
            churn.look("inner", BEGAN_AT)
            return 7

    for _ in range(200):
        churn.look(Nested(), BEGAN_AT)
    assert churn.verdict(BEGAN_AT).kind == "healthy"
