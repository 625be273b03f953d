"""What becomes of calls that the gate refuses: waited for, asked for less, replaced, skipped; plain and awaited."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from spendgate import aio
from spendgate.clock import MINUTE
from spendgate.errors import (
    AmountError,
    BlockedError,
    LoopError,
    RefusedError,
    ReservationStateError,
    SpendLimitError,
    StoreError,
)
from spendgate.gate import Gate
from spendgate.ledger import Actor, Breaker, Event
from spendgate.policies import ServiceRules, Services, WhenRefused, policy
from spendgate.testing import FakeClock
from tests.gate.conftest import MakeGate

ONE: dict[str, Any] = {"resource": "api", "at_most": "1.00"}


def services(**policies: Any) -> Services:
    """Policies by the name of their service; `all` stands for the glob of everything."""
    return Services({("*" if name == "all" else name): ServiceRules(one) for name, one in policies.items()})


def fill(gate: Gate, usd: str = "5.00", service: str = "") -> None:
    """Spends so much."""
    gate.reserve(resource="api", at_most=usd, service=service).settle(usd)


def skipped(gate: Gate) -> list[Event]:
    return [event for event in gate.store.events() if event.kind == "skipped"]


def resources(gate: Gate) -> list[tuple[str, str]]:
    """The resource of each entry and what it stands in for."""
    return [(entry.call.resource, entry.call.field("tags.fallback_for")) for entry in gate.store.entries()]


def made(gate: Gate, function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function, awaited where its gate is."""
    result = function(*args)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (({}, {}, {}), "raise"),
        (({}, {}, {"when_refused": "skip"}), "skip"),
        (({}, {"when_refused": "raise"}, {"when_refused": "skip"}), "raise"),
        (({"when_refused": "skip"}, {"when_refused": "raise"}, {"when_refused": "raise"}), "skip"),
        (({}, {"wait": 7200}, {"when_refused": "skip"}), "pass"),
        (({"wait": 7200}, {"when_refused": "skip"}, {}), "pass"),
        (({"when_refused": "raise"}, {"wait": 7200}, {"when_refused": "wait", "wait": 7200}), "raise"),
        (({"clamp": 5}, {}, {"when_refused": "skip"}), "skip"),
        (({}, {"clamp": 5}, {"when_refused": "wait", "wait": 7200}), "pass"),
        (({}, {"tags": {"a": "b"}}, {"when_refused": "skip"}), "skip"),
    ],
)
@pytest.mark.parametrize("awaited", [False, True])
def test_the_nearest_policy_holds(make_gate: MakeGate, said: tuple[Any, Any, Any], outcome: str, awaited: bool) -> None:
    """A call's own word comes before the scope's, and that before the configuration's."""
    call, scope, service = said
    gate = make_gate(services=services(research=policy(**service), all=policy("raise")))
    fill(gate, service="research")

    def ask() -> Any:
        with gate.scope("research", **scope):
            if not awaited:
                return gate.reserve(**ONE, **call)
            return asyncio.run(aio.Gate(gate).reserve(**ONE, **call))

    if outcome == "pass":
        ask()
    else:
        with pytest.raises(SpendLimitError):
            ask()
    assert len(skipped(gate)) == (outcome == "skip")


def test_the_rules_of_one_name_hold() -> None:
    """A service's own table comes before globs, a longer glob before a shorter, and none is completed by another."""
    rules = {
        name: ServiceRules(policy(clamp=number)) for number, name in enumerate(("*", "re*", "research*", "research"))
    }
    found = Services(rules)
    assert [found.of(name).refused.clamp for name in ("x", "rest", "research-2", "research")] == [0, 1, 2, 3]
    assert Services({"a": ServiceRules()}).of("b") == ServiceRules()


def test_a_wait_ends_with_room_or_at_its_time(make_gate: MakeGate, clock: FakeClock) -> None:
    """A call waits until enough has left the window, to the microsecond; a second less and it is refused at once."""
    gate = make_gate()
    fill(gate)
    with pytest.raises(SpendLimitError) as caught:
        gate.reserve(**ONE)
    wait_s = caught.value.retry_after_s
    before = clock.now()
    assert wait_s is not None
    with pytest.raises(SpendLimitError):
        gate.reserve(**ONE, wait=Decimal(str(wait_s)) - 1)
    assert clock.now() == before
    gate.reserve(**ONE, wait=Decimal(str(wait_s)))
    assert clock.now() - before == round(wait_s * 1_000_000)


@pytest.mark.parametrize(
    "terms",
    [
        {"when_refused": "retry"},
        {"when_refused": "wait"},
        {"when_refused": "fallback"},
        {"when_refused": "raise", "wait": 3},
        {"wait": -1},
        {"wait": float("nan")},
        {"wait": float("inf")},
        {"wait": True},
        {"wait": 1e9},
        {"clamp": -1},
        {"clamp": 1.5},
        {"clamp": True},
        {"when_refused": "skip", "fallback": "m"},
        {"when_refused": "raise", "fallback": "m"},
        {"fallback": 5},
    ],
)
def test_what_is_no_policy_is_an_error(gate: Gate, terms: Any) -> None:
    """A policy that contradicts itself, or has no such word or number, is refused where it is stated."""
    with pytest.raises(AmountError):
        gate.scope(**terms)
    if "fallback" not in terms:
        with pytest.raises(AmountError):
            gate.reserve(**ONE, **terms)
        assert list(gate.store.entries()) == []


MODEL: dict[str, Any] = {"provider": "openai", "resource": "gpt-4o", "input_tokens": 0}
"""$10 for a million tokens of output."""


@pytest.mark.parametrize(
    ("left", "clamp", "tokens"), [("0.001", 100, 100), ("0.000999999", 100, None), ("0.05", 1, 5000)]
)
@pytest.mark.parametrize("awaited", [False, True])
def test_a_call_asks_for_what_is_left(
    make_gate: MakeGate, left: str, clamp: int, tokens: int | None, awaited: bool
) -> None:
    """With `clamp`, as many tokens are set aside as the limit pays for, if they are worth it; to the nano-dollar."""
    gate = make_gate(f'[[limits]]\nusd = "{left}"\nwindow = "1h"')

    def ask() -> Any:
        stated = {**MODEL, "max_output_tokens": 16_000, "clamp": clamp}
        return asyncio.run(aio.Gate(gate).reserve(**stated)).reservation if awaited else gate.reserve(**stated)

    if tokens is None:
        with pytest.raises(SpendLimitError):
            ask()
    else:
        hold = ask()
        assert hold.max_output_tokens == tokens
        assert hold.at_most <= Decimal(left)


THREE = """
[[limits]]
name = "long"
usd = "0.003"
window = "24h"
[[limits]]
name = "short"
usd = "0.002"
window = "1h"
[[limits]]
name = "tokens"
tokens = 100
window = "10m"
"""


def test_a_call_asks_for_what_is_left_of_every_limit(make_gate: MakeGate) -> None:
    """Where several limits refuse, one after the other, what fits into all of them is set aside, in any unit."""
    gate = make_gate(THREE)
    hold = gate.reserve(**MODEL, max_output_tokens=16_000, clamp=100)
    assert (hold.max_output_tokens, hold.at_most) == (100, Decimal("0.001"))
    hold.void()
    with pytest.raises(SpendLimitError) as caught:
        gate.reserve(**MODEL, max_output_tokens=16_000, clamp=101)
    assert caught.value.limit == "tokens"


def test_a_retry_asks_for_what_is_left_of_its_budget(make_gate: MakeGate) -> None:
    """A retry budget is a limit like others: a retry that does not fit is asked for with less output."""
    gate = make_gate()
    with gate.task("t", retry_budget="0.001"):
        hold = gate.reserve(**MODEL, max_output_tokens=16_000, clamp=100, attempt=2)
    assert hold.max_output_tokens == 100


@pytest.mark.parametrize("place", ["scope", "config"])
def test_only_who_states_a_clamp_is_held_to_less(make_gate: MakeGate, place: str) -> None:
    """A clamp that the caller of `reserve` did not state never lowers what is set aside: he would not know."""
    rules = services(all=policy(clamp=1)) if place == "config" else services()
    gate = make_gate('[[limits]]\nusd = "0.001"\nwindow = "1h"', services=rules)
    with pytest.raises(SpendLimitError), gate.scope(clamp=1 if place == "scope" else None):
        gate.reserve(**MODEL, max_output_tokens=16_000)


@pytest.mark.parametrize(
    ("spent", "runs"),
    [("4.996", True), ("4.996000001", False)],
)
@pytest.mark.parametrize("way", ["skip", "fallback", "raise"])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_function_that_is_refused_is_replaced(
    make_gate: MakeGate, spent: str, runs: bool, way: str, awaited: bool
) -> None:
    """A paid function runs where exactly its price is left; a nano-dollar less, and its policy decides."""
    gate = make_gate()
    fill(gate, spent)
    calls: list[str] = []

    def body(name: str) -> Any:
        def plain(n: int) -> str:
            calls.append(name)
            return f"{name} {n}"

        async def coroutine(n: int) -> str:
            return plain(n)

        found: Any = coroutine if awaited else plain
        found.__name__ = name
        return found

    paid: Any = aio.Gate(gate).paid if awaited else gate.paid
    terms: dict[str, Any] = {"skip": {"when_refused": "skip", "skip_value": "nothing"}, "raise": {}}.get(
        way, {"fallback": body("cheap")}
    )
    enrich = paid("clearbit.enrich", **terms)(body("dear"))
    if runs:
        assert made(gate, enrich, 7) == "dear 7"
    elif way == "raise":
        with pytest.raises(SpendLimitError):
            made(gate, enrich, 7)
    else:
        assert made(gate, enrich, 7) == ("nothing" if way == "skip" else "cheap 7")
    assert calls == (["dear"] if runs else ["cheap"] if way == "fallback" else [])
    assert len(skipped(gate)) == (way == "skip" and not runs)
    assert resources(gate)[1:] == (
        [("clearbit.enrich", "")] if runs else [("cheap", "clearbit.enrich")] if way == "fallback" else []
    )


def test_a_fallback_passes_the_gate(make_gate: MakeGate) -> None:
    """A fallback with a price of its own is reserved, settled and refused by itself; calls inside it carry the tag."""
    gate = make_gate(CHEAPER)
    inside: list[Any] = []

    @gate.paid("cheap.lookup", when_refused="raise")
    def lookup(n: int) -> int:
        inside.append(gate.reserve(resource="api", at_most="0.001").settle())
        return -n

    @gate.paid("dear.lookup", fallback=lookup)
    def enrich(n: int) -> int:
        return n

    assert enrich(1) == -1
    assert resources(gate) == [("cheap.lookup", "dear.lookup"), ("api", "dear.lookup")]
    assert [entry.weight.usd for entry in gate.store.entries()] == [2_000_000, 1_000_000]
    fill(gate, "0.005")
    with pytest.raises(SpendLimitError):
        enrich(2)
    assert len(inside) == 1


CHEAPER = """
[[limits]]
usd = "0.009"
window = "1h"
[prices."dear.lookup"]
per_call = "0.01"
[prices."cheap.lookup"]
per_call = "0.002"
"""


def test_a_plain_fallback_costs_nothing_and_passes_breakers_and_call_budgets(make_gate: MakeGate) -> None:
    """Where no dollar is left a function without a price goes on, until calls themselves are refused."""
    gate = make_gate('[[limits]]\nusd = "0"\nwindow = "1h"\n[[limits]]\nname = "calls"\ncalls = 2\nwindow = "1h"')

    @gate.paid("api", at_most="0.004", fallback=lambda n: -n)
    def enrich(n: int) -> int:
        return n

    assert [enrich(1), enrich(2)] == [-1, -2]
    with pytest.raises(SpendLimitError) as caught:
        enrich(3)
    assert caught.value.limit == "calls"
    assert [entry.weight.usd for entry in gate.store.entries()] == [0, 0]


def test_what_a_function_raises_is_its_own(make_gate: MakeGate) -> None:
    """A refusal inside the function is no refusal of the function: it leaves it, and nothing else is called."""
    gate = make_gate()

    def never(*_: object) -> None:
        raise AssertionError

    @gate.paid("clearbit.enrich", fallback=never)
    def enrich() -> None:
        gate.reserve(resource="api", at_most="9.00")

    with pytest.raises(SpendLimitError):
        enrich()

    @gate.paid("clearbit.enrich", when_refused="skip")
    def broken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert skipped(gate) == []


def test_a_fallback_that_fails_says_so(make_gate: MakeGate) -> None:
    """What a fallback raises reaches the caller."""
    gate = make_gate()
    fill(gate)

    def broken() -> None:
        raise KeyError("cheap")

    with pytest.raises(KeyError, match="cheap"):
        gate.paid("clearbit.enrich", fallback=broken)(lambda: None)()


def test_generators_are_skipped_but_not_replaced(make_gate: MakeGate) -> None:
    """A refused generator that is skipped has no items; a fallback for one is a slip that is said at once."""
    gate = make_gate(services=services(all=policy("skip")))
    awaited = aio.Gate(gate)
    fill(gate)

    @gate.paid("clearbit.enrich")
    def rows() -> Iterator[int]:
        yield 1

    @awaited.paid("clearbit.enrich")  # type: ignore[arg-type]
    async def later() -> AsyncIterator[int]:
        yield 1

    async def read() -> list[int]:
        return [row async for row in later()]

    assert (list(rows()), asyncio.run(read())) == ([], [])
    assert len(skipped(gate)) == 2
    with pytest.raises(TypeError, match="generator"):
        gate.paid("clearbit.enrich", fallback=print)(rows)
    with pytest.raises(TypeError, match="asynchronous"):
        gate.paid("clearbit.enrich", fallback=read)
    with pytest.raises(TypeError, match="not asynchronous"):
        awaited.paid("clearbit.enrich", fallback=print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ask for less"):
        gate.paid("clearbit.enrich", clamp=5)


@pytest.mark.parametrize("key", ["", "4711"])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_block_ends_quietly_at_a_refusal(make_gate: MakeGate, key: str, awaited: bool) -> None:
    """What follows the refused call is left out, and one event says which call, for how much, refused by what."""
    gate = make_gate()
    fill(gate, service="s")
    after: list[int] = []

    def work() -> Any:
        with gate.skipping(key) as record:
            gate.reserve(resource="clearbit.enrich", service="s", task="t", key="own" if not key else "")
            after.append(1)
        return record

    async def work_later() -> Any:
        awaited_gate = aio.Gate(gate)
        async with awaited_gate.skipping(key) as record:
            stated = {"service": "s", "task": "t", "key": "own" if not key else ""}
            async with awaited_gate.call("clearbit.enrich", **stated):  # type: ignore[arg-type]
                after.append(1)
        return record

    record = asyncio.run(work_later()) if awaited else work()
    assert (after, record.is_skipped, type(record.refusal)) == ([], True, SpendLimitError)
    (event,) = skipped(gate)
    assert (event.limit, event.scope) == ("hourly", "service=s")
    assert event.data == {
        "service": "s", "provider": "", "resource": "clearbit.enrich", "task": "t", "key": key or "own",
        "usd": 4_000_000, "error": "SpendLimitError",
    }  # fmt: skip


@pytest.mark.parametrize("fault", [KeyError("x"), KeyboardInterrupt(), StoreError("away"), AmountError("a", 1, "b")])
def test_a_block_keeps_nothing_but_refusals(make_gate: MakeGate, fault: BaseException) -> None:
    """Whatever else is raised leaves the block, and nothing is written down."""
    gate = make_gate()
    with pytest.raises(type(fault)), gate.skipping():
        raise fault
    with pytest.raises(ExceptionGroup), gate.skipping():
        raise ExceptionGroup("several", [KeyError()])
    assert skipped(gate) == []


def test_a_refusal_that_is_handled_inside_is_not_skipped(make_gate: MakeGate) -> None:
    """A block that goes on after a refusal was not ended by it; nested, the inner one has it."""
    gate = make_gate()
    fill(gate)
    with gate.skipping() as record, pytest.raises(RefusedError):
        gate.reserve(**ONE)
    assert (record.is_skipped, skipped(gate)) == (False, [])
    with gate.skipping("outer") as outer, gate.skipping("inner") as inner:
        gate.reserve(**ONE)
    assert (outer.is_skipped, inner.is_skipped) == (False, True)
    assert [event.data["key"] for event in skipped(gate)] == ["inner"]
    with pytest.raises(ReservationStateError):
        outer.enter()


@pytest.mark.parametrize("service", ["research", ""])
def test_a_skip_is_written_down_once(make_gate: MakeGate, service: str) -> None:
    """A call whose policy is to skip, inside a block that ends with it, is one event."""
    gate = make_gate(services=services(research=policy("skip")))
    fill(gate, service="research")
    fill(gate)
    with gate.skipping("4711"):
        gate.reserve(**ONE, service=service)
    assert [event.data["key"] for event in skipped(gate)] == ["4711"]


def test_every_refusal_can_be_skipped(make_gate: MakeGate, clock: FakeClock) -> None:
    """Breakers, loops and budgets are named as what refused; dollars are those that were asked for."""
    gate = make_gate()
    digest = {"fingerprint": "0123abcd"}
    with gate.task("t", retry_budget="0.5", tier="claude-haiku-4-5"):
        with gate.skipping():
            gate.reserve(**ONE, attempt=2)
        with gate.skipping():
            gate.reserve(resource="claude-opus-4-6", provider="anthropic", at_most="0.25")
    for _ in range(11):
        with gate.skipping():
            gate.reserve(resource="api", at_most="0.01", **digest)  # type: ignore[arg-type]
    gate.store.trip(Breaker("*", "*", clock.now(), "stop"), Actor(), clock.now())
    with gate.skipping():
        gate.reserve(**ONE)
    found = [(event.limit, event.data["error"], event.data["usd"]) for event in skipped(gate)]
    assert found == [
        ("retry budget", "RetryBudgetError", 10**9),
        ("tier", "TierLockedError", 250_000_000),
        ("same-request", "LoopError", 10_000_000),
        ("breaker", "BlockedError", 10**9),
    ]


def test_a_loop_is_not_sent_elsewhere(make_gate: MakeGate) -> None:
    """The same request over and over is refused, whatever its fallback; a tripped breaker is a reason to fall back."""
    gate = make_gate()
    asked = gate.paid("api", at_most="0.01", fingerprint="0123abcd", fallback=lambda: "elsewhere")(lambda: "here")
    assert [asked() for _ in range(10)] == ["here"] * 10
    with pytest.raises(LoopError):
        asked()
    gate.store.trip(Breaker("resource", "b", gate.clock.now(), "stop"), Actor(), gate.clock.now())
    other = gate.paid("b", at_most="0.01", fallback=lambda: "elsewhere")(lambda: "here")
    assert other() == "elsewhere"
    with pytest.raises(BlockedError):
        gate.reserve(resource="b", at_most="0.01")


def test_a_skip_without_the_ledger_is_still_a_skip(
    make_gate: MakeGate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written down is in the log, and the call is skipped all the same."""
    gate = make_gate()
    fill(gate)

    def away(_: Event) -> Event:
        raise StoreError("the disk is full")

    monkeypatch.setattr(gate.store, "note", away)
    with caplog.at_level(logging.WARNING, "spendgate"), gate.skipping("4711") as record:
        gate.reserve(**ONE)
    assert record.is_skipped
    assert "the disk is full" in caplog.text


def test_listeners_are_told_of_skips(make_gate: MakeGate) -> None:
    """A route that asks for `skipped` is told of each."""

    class Listener:
        def __init__(self) -> None:
            self.kinds: list[str] = []

        def entry(self, entry: object) -> None: ...

        def events(self, events: tuple[Event, ...]) -> None:
            self.kinds += [event.kind for event in events]

        def close(self) -> None: ...

    listener = Listener()
    gate = make_gate(listeners=(listener,))
    fill(gate)
    with gate.skipping():
        gate.reserve(**ONE)
    assert listener.kinds.count("skipped") == 1


@pytest.mark.parametrize("way", ["raise", "skip"])
def test_a_gate_that_is_off_refuses_nothing(make_gate: MakeGate, way: WhenRefused) -> None:
    """With the gate off, or observing, no policy has anything to do."""
    for mode in ("off", "observe"):
        gate = make_gate(mode=mode)
        fill(gate)
        gate.reserve(**ONE, when_refused=way)
        assert skipped(gate) == []


def test_a_free_call_passes_a_limit_that_is_full(make_gate: MakeGate) -> None:
    """What is declared to be free weighs no nano-dollar, and is booked in full where a bill comes after all."""
    gate = make_gate()
    fill(gate)
    hold = gate.reserve(resource="cache", free=True)
    assert hold.settle().cost == 0
    other = gate.reserve(resource="cache", free=True)
    assert other.settle("0.5").overrun


def test_scopes_are_left_as_they_were(make_gate: MakeGate) -> None:
    """A scope's policy ends with its block, and an inner scope takes what it leaves out from the outer one."""
    gate = make_gate()
    fill(gate)
    with gate.scope(when_refused="skip"):
        with gate.scope(wait=MINUTE / 10**6), pytest.raises(SpendLimitError):
            gate.reserve(**ONE)
        assert skipped(gate) == []
        with gate.scope(clamp=3), pytest.raises(SpendLimitError):
            gate.reserve(**ONE)
        assert len(skipped(gate)) == 1
    with pytest.raises(SpendLimitError):
        gate.reserve(**ONE)
    assert len(skipped(gate)) == 1
