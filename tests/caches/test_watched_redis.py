"""`redis-py` and `valkey-py`, against a real Valkey server: clients behave as before, and their lookups are counted."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey

from spendgate import aio
from tests.caches.watching import counted, make_gate

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated (setex|psetex|hmset|getset)")

Step = tuple[str, Callable[[Any], Any]]
STEPS: list[Step] = [
    ("a miss", lambda r: r.get("a")),
    ("storing", lambda r: r.set("a", 1)),
    ("a hit", lambda r: r.get("a")),
    ("storing for a while", lambda r: r.setex("b", 60, "two")),
    ("storing for milliseconds", lambda r: r.psetex("p", 60_000, "p")),
    ("storing what is new", lambda r: r.set("a", 2, nx=True)),
    ("storing and reading", lambda r: r.set("a", 3, get=True)),
    ("reading and keeping", lambda r: r.getex("b", ex=90)),
    ("many", lambda r: r.mget("a", "b", "none")),
    ("many in a list", lambda r: r.mget(["a", "none"])),
    ("storing many", lambda r: r.mset({"c": 1, "d": 2})),
    ("asking", lambda r: r.exists("c")),
    ("asking for many", lambda r: r.exists("c", "none")),
    ("a field that is missing", lambda r: r.hget("h", "f")),
    ("storing a field", lambda r: r.hset("h", "f", "v")),
    ("storing fields", lambda r: r.hset("h", mapping={"g": 1, "i": 2})),
    ("a field", lambda r: r.hget("h", "f")),
    ("fields", lambda r: r.hmget("h", ["f", "none"])),
    ("all fields", lambda r: r.hgetall("h")),
    ("all fields of nothing", lambda r: r.hgetall("none")),
    ("asking for a field", lambda r: r.hexists("h", "f")),
    ("reading and deleting", lambda r: r.getdel("c")),
    ("deleting", lambda r: r.delete("d", "none")),
    ("bytes as a key", lambda r: (r.set(b"\xff\x00", b"\xfe"), r.get(b"\xff\x00"))),
    ("a number as a key", lambda r: (r.set(7, "seven"), r.get(7))),
    ("a key of ten megabytes", lambda r: r.get("k" * 10_000_000)),
    ("no key at all", lambda r: r.get(None)),
    ("a key of the wrong kind", lambda r: r.get({"a": 1})),
    ("a value of another kind", lambda r: r.get("h")),
    ("a command by its name", lambda r: r.execute_command("get", "a")),
    ("a command that does not exist", lambda r: r.execute_command("NOSUCH")),
    ("no command", lambda r: r.execute_command()),
    ("counting up", lambda r: (r.incr("n"), r.ttl("b") > 60)),
    ("a pipeline", lambda r: r.pipeline().get("a").set("e", 5).get("none").hget("h", "f").execute()),
    ("a pipeline without a transaction", lambda r: r.pipeline(transaction=False).get("a").mget("a", "none").execute()),
    ("an empty pipeline", lambda r: r.pipeline().execute()),
    ("a pipeline that fails", lambda r: r.pipeline().get("h").get("a").execute()),
    ("a pipeline that goes on", lambda r: len(r.pipeline().get("h").get("a").execute(raise_on_error=False))),
    ("a transaction", lambda r: r.transaction(lambda pipe: pipe.get("a"), "a")),
    ("a lock", lambda r: r.lock("l", timeout=1).acquire(blocking=False)),
    ("scanning", lambda r: sorted(r.scan_iter("h*"))),
]


def outcome(step: Any, client: Any) -> Any:
    """A value, or an exception with its text."""
    try:
        return repr(step(client))
    except Exception as fault:  # noqa: BLE001 - whatever it raises is compared
        return type(fault), str(fault)


@pytest.fixture(params=["redis", "valkey"])
def client(request: pytest.FixtureRequest, valkey_port: int) -> Iterator[Any]:
    """A client of an empty database, of either library."""
    kind = {"redis": redis.Redis, "valkey": valkey.Valkey}[request.param]
    with kind(port=valkey_port) as found:
        found.flushall()
        yield found


def test_it_behaves_as_before(client: Any) -> None:
    """Answers, exceptions and pipelines of a watched client are those of the bare one."""
    watched = make_gate().watch_cache("people", client)
    assert isinstance(watched, type(client))
    found = []
    for one in (client, watched):
        client.flushall()
        found.append([(name, outcome(step, one)) for name, step in STEPS])
    assert found[0] == found[1]
    assert repr(watched) == repr(client)


def test_lookups_are_counted(client: Any) -> None:
    """Each key that is asked for is a hit or a miss, by what the server answered, in pipelines too."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    assert people.get("a") is None
    people.setex("a", 60, 1)
    assert people.get("a") == b"1"
    assert people.mget("a", "b") == [b"1", None]
    people.hset("h", "f", "v")
    assert (people.hget("h", "f"), people.hget("h", "g"), people.hmget("h", ["f", "g"])) == (
        b"v",
        None,
        [b"v", None],
    )
    assert people.pipeline().get("a").get("b").set("c", 1).execute() == [b"1", None, True]
    assert counted(gate) == {"hits": 5, "misses": 5, "sets": 3}


def test_asking_first_is_one_lookup(client: Any) -> None:
    """EXISTS and the GET after it are one lookup."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    for key in ("a", "a", "b"):
        if not people.exists(key):
            people.set(key, 1)
        assert people.get(key) == b"1"
    assert counted(gate) == {"hits": 1, "misses": 2, "sets": 2}


def test_the_client_that_was_given_is_not_watched(client: Any) -> None:
    """It shares its connections with the watched one, and neither's end is the other's."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    client.get("queue")
    assert type(client).__module__ == type(people).__module__
    del people
    gc.collect()
    assert client.ping()
    assert counted(gate) == {}


def test_errors_are_counted(client: Any) -> None:
    """What the server, or the way to it, refuses is an error and no miss."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    people.hset("h", "f", "v")
    with pytest.raises(Exception, match="WRONGTYPE"):
        people.get("h")
    people.pipeline().get("h").get("a").execute(raise_on_error=False)
    nowhere = gate.watch_cache("people", type(client)(port=1, retry=None))
    with pytest.raises(Exception, match="onnect"):
        nowhere.get("a")
    nowhere.close()
    assert counted(gate) == {"misses": 1, "sets": 1, "errors": 3}


def test_commands_of_no_cache_are_no_errors_of_it(client: Any) -> None:
    """A script that the server does not know yet, as that of a lock at first, is not counted."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    with pytest.raises(Exception, match="No matching script"):
        people.evalsha("0" * 40, 0)
    with pytest.raises(Exception, match="unknown command"):
        people.execute_command("NOSUCH")
    assert counted(gate) == {}


def test_text_answers_are_counted(valkey_port: int) -> None:
    """A client that decodes answers is counted alike, and a user's own callback is his."""
    gate = make_gate()
    with redis.Redis(port=valkey_port, decode_responses=True) as client:
        client.flushall()
        client.set_response_callback("GET", lambda answer, **_: answer or "nothing")
        people = gate.watch_cache("people", client)
        assert (people.get("a"), people.hget("h", "f")) == ("nothing", None)
    assert counted(gate) == {"hits": 1, "misses": 1}


def test_a_load_has_its_cost(client: Any) -> None:
    """What is paid for between GET and SET is what the miss cost."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    if people.get("a") is None:
        with gate.call("clearbit.enrich"):
            pass
        people.set("a", 1)
    assert counted(gate) == {"misses": 1, "sets": 1, "miss_usd": 4_000_000}


def test_a_lock_that_is_taken_before_paying_ends_no_load(client: Any) -> None:
    """Of many that miss one is to pay: it holds a lock meanwhile, and what it pays is what the miss cost."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    locks: list[Callable[[], Any]] = [
        lambda: people.lock("lock", timeout=60).acquire(),
        lambda: people.set("other lock", 1, nx=True, ex=60),
        lambda: people.setnx("third lock", 1),
    ]
    for number, lock in enumerate(locks):
        assert people.get(f"a{number}") is None
        assert lock()
        with gate.call("clearbit.enrich"):
            pass
        people.set(f"a{number}", 1)
    assert counted(gate) == {"misses": 3, "sets": 6, "miss_usd": 12_000_000}


def test_a_value_that_is_stored_only_where_there_is_none_ends_its_load(client: Any) -> None:
    """After the call SET NX stores what was paid for: what is paid later is nothing of this miss."""
    gate = make_gate()
    people = gate.watch_cache("people", client)
    assert people.get("a") is None
    with gate.call("clearbit.enrich"):
        pass
    assert people.set("a", 1, nx=True)
    with gate.call("clearbit.enrich"):
        pass
    people.set("b", 1)
    assert counted(gate) == {"misses": 1, "sets": 2, "miss_usd": 4_000_000}


@pytest.mark.parametrize("kind", [redis.asyncio.Redis, valkey.asyncio.Valkey])
def test_the_awaited_client_is_counted(kind: Any, valkey_port: int) -> None:
    """The awaited client behaves as before, in pipelines too, and each task has its own loads."""
    gate = make_gate()

    async def steps(people: Any) -> list[Any]:
        found = [await people.get("a"), await people.setex("a", 60, 1), await people.get("a")]
        found += [await people.mget("a", "b"), await people.hset("h", "f", "v"), await people.hgetall("h")]
        async with people.pipeline() as pipe:
            found.append(await pipe.get("a").get("none").execute())
        try:
            await people.get("h")
        except Exception as fault:  # noqa: BLE001 - compared below
            found.append(str(fault))
        return found

    async def load(people: Any, record: int) -> None:
        if await people.get(f"r{record}") is None:
            async with aio.Gate(gate).call("clearbit.enrich"):
                pass
            await people.set(f"r{record}", record)

    async def main() -> None:
        bare = kind(port=valkey_port)
        await bare.flushall()
        was = await steps(bare)
        await bare.flushall()
        watched = gate.watch_cache("people", bare)
        assert isinstance(watched, kind)
        assert await steps(watched) == was
        await asyncio.gather(*(load(watched, record) for record in range(10)))
        await watched.aclose()
        await bare.aclose()

    asyncio.run(main())
    assert counted(gate) == {"hits": 4, "misses": 13, "sets": 12, "errors": 1, "miss_usd": 40_000_000}
