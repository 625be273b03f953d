"""The $912 night: an endless retry that climbs to the dearest model, before limits of $5, $15 and $50."""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendgate.clock import HOUR, MINUTE, SECOND, instant
from spendgate.errors import LoopError, RefusedError, RetryBudgetError, SpendLimitError, TierLockedError
from spendgate.gate import Gate
from spendgate.reserved import Reservation
from spendgate.testing import FakeClock
from tests.incidents.conftest import USD, MakeGate, at

ONE = at("2026-11-12T01:00")
BEGIN = instant(ONE)
SEVEN = BEGIN + 6 * HOUR
HEALTHY = ("crawler", "tagging", "digest", "support", "translate")
HAIKU, SONNET, OPUS = ("claude-haiku-4-5", 1, 5), ("claude-sonnet-4-6", 3, 15), ("claude-opus-4-6", 5, 25)

LIMITS = """
[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"
per = ["service"]

[[limits]]
name = "six-hourly"
usd = "15.00"
window = "6h"
per = ["service"]

[[limits]]
name = "daily"
usd = "50.00"
window = "24h"
per = ["service"]

[[limits]]
name = "total"
usd = "80.00"
window = "24h"
"""


@dataclass
class Night:
    """Six workers and one paid API on one clock. `bill` is the API's: (instant, service, nano-dollars)."""

    clock: FakeClock
    gate: Gate | None = None
    stated_output: int | None = None
    around: Callable[[Gate], AbstractContextManager[object]] = lambda _: nullcontext()
    """What the runaway's job stands in: a task, where it has one."""
    fingerprints: bool = False
    bill: list[tuple[int, str, int]] = field(default_factory=list)
    refusals: list[tuple[int, str, RefusedError]] = field(default_factory=list)
    overruns: list[tuple[int, int]] = field(default_factory=list)

    def play(self) -> None:
        """Lets every worker act in the order of time, until 07:00."""
        runaway = self.runaway()
        if self.gate is not None:
            runaway = self.within(self.around(self.gate), runaway)
        actors = [self.healthy(name) for name in HEALTHY] + [runaway]
        due = [(BEGIN, number, actor) for number, actor in enumerate(actors)]
        while due[0][0] < SEVEN:
            now_at, number, actor = heapq.heappop(due)
            self.clock.jump(now_at)
            heapq.heappush(due, (next(actor), number, actor))

    @staticmethod
    def within(around: AbstractContextManager[object], actor: Iterator[int]) -> Iterator[int]:
        """An actor whose every step is taken inside of a context of its own."""
        context = copy_context()
        context.run(around.__enter__)
        try:
            while True:
                yield context.run(next, actor)
        finally:
            context.run(around.__exit__, None, None, None)

    def healthy(self, service: str) -> Iterator[int]:
        """Four Haiku calls every hour, $0.07 a run."""
        for hour in range(7):
            for call in range(4):
                yield BEGIN + hour * HOUR + call * 40 * SECOND
                yield from self.ask(service, HAIKU, 5_000, 2_500, 12 * SECOND)
        yield SEVEN

    def runaway(self) -> Iterator[int]:
        """A run like the others', and from 01:02 on an answer that cannot be read, retried without end."""
        for call in range(3):
            yield BEGIN + call * 40 * SECOND
            yield from self.ask("research", HAIKU, 5_000, 2_500, 12 * SECOND)
        yield BEGIN + 2 * MINUTE
        for attempt in range(1, 1_000_000):
            model = HAIKU if attempt <= 2 else SONNET if attempt == 3 else OPUS
            size = (5_000, 2_500) if attempt <= 2 else (48_000, 1_280)
            refused = len(self.refusals)
            yield from self.ask("research", model, *size, 6_400_000, **self.stated(model, attempt))
            # The broad `except`: a refusal is one more reason to try again.
            yield self.clock.now() + (10 * SECOND if len(self.refusals) > refused else 0)

    def stated(self, model: tuple[str, int, int], attempt: int) -> dict[str, Any]:
        """What the clients that spendgate wraps state of a call by themselves."""
        body = hashlib.sha256(f"{model[0]}, the record, the answer that cannot be read".encode()).hexdigest()
        return {"fingerprint": body} if self.fingerprints else {"attempt": attempt}

    def ask(
        self, service: str, model: tuple[str, int, int], tokens_in: int, tokens_out: int, takes: int, **more: Any
    ) -> Iterator[int]:
        """One paid call, with the gate before it where there is one."""
        name, read_usd, written_usd = model
        reservation: Reservation | None = None
        if self.gate is not None:
            try:
                reservation = self.gate.reserve(
                    resource=name,
                    provider="anthropic",
                    service=service,
                    input_tokens=tokens_in,
                    max_output_tokens=tokens_out if self.stated_output is None else self.stated_output,
                    **more,
                )
            except RefusedError as refusal:
                self.refusals.append((self.clock.now(), service, refusal))
                return
        yield self.clock.now() + takes
        cost = tokens_in * read_usd * 1_000 + tokens_out * written_usd * 1_000
        self.bill.append((self.clock.now(), service, cost))
        if reservation is not None:
            receipt = reservation.settle(usage={"input_tokens": tokens_in, "output_tokens": tokens_out})
            if receipt.overrun:
                self.overruns.append((self.clock.now(), int((receipt.cost - receipt.reserved) * USD)))

    def billed(self, service: str) -> int:
        """What the API charged one service."""
        return sum(cost for _, name, cost in self.bill if name == service)

    def worst(self, service: str, span: int) -> int:
        """The most that was charged to a service within any `span`, less the overruns within it."""
        charges = [(when, cost) for when, name, cost in self.bill if name == service]
        return max(
            sum(cost for when, cost in charges if end - span < when <= end)
            - sum(cost for when, cost in self.overruns if end - span < when <= end)
            for end, _ in charges
        )


def test_without_a_gate() -> None:
    """Nothing in the story but the missing gate makes it cost what it did cost: about $912 by 07:00."""
    night = Night(FakeClock(ONE))
    night.play()
    assert 850 * USD < night.billed("research") < 980 * USD
    assert [night.billed(name) for name in HEALTHY] == [6 * 70_000_000] * 5


@pytest.mark.parametrize("stated_output", [None, 20], ids=["estimates hold", "estimates too low"])
def test_with_the_gate(make_gate: MakeGate, stated_output: int | None) -> None:
    """$5 an hour stops the night by 01:08, $15 in six hours holds until 07:00, and nobody else notices."""
    gate = make_gate(LIMITS, ONE)
    assert isinstance(gate.clock, FakeClock)
    night = Night(gate.clock, gate, stated_output)
    night.play()

    stopped_at, service, refusal = night.refusals[0]
    assert isinstance(refusal, SpendLimitError)
    assert service == "research"
    assert stopped_at <= BEGIN + 8 * MINUTE
    assert (refusal.limit, refusal.scope) == ("hourly", "service=research")
    assert refusal.frees_at is not None
    assert timedelta(minutes=50) < refusal.frees_at - ONE < timedelta(minutes=70)

    assert night.worst("research", HOUR) <= 5 * USD
    assert night.worst("research", 6 * HOUR) <= 15 * USD
    assert bool(night.overruns) == (stated_output is not None)
    assert night.billed("research") > 10 * USD  # the limit is a limit, not a switch: what frees may be spent

    assert {name for _, name, _ in night.refusals} == {"research"}
    assert [night.billed(name) for name in HEALTHY] == [6 * 70_000_000] * 5
    assert gate.store.totals().usd == sum(cost for _, _, cost in night.bill)
    assert gate.store.check() == []


CURES: list[Any] = [
    pytest.param(
        {"around": lambda gate: gate.task("research-01:00", retry_budget="0.25", tiers=["*"])},
        RetryBudgetError,
        "0.0875",
        id="only the retry budget",
    ),
    pytest.param(
        {"around": lambda gate: gate.task("research-01:00", tier="claude-haiku-4-5")},
        TierLockedError,
        "0.0875",
        id="only the tier lock",
    ),
    pytest.param({"fingerprints": True}, LoopError, "2.9707", id="only loop detection"),
]


@pytest.mark.parametrize(("cure", "error", "billed"), CURES)
def test_with_one_cure_alone(make_gate: MakeGate, cure: dict[str, Any], error: type[RefusedError], billed: str) -> None:
    """Without any limit in dollars each of the cures ends the night for cents, or for a few dollars, by 01:04."""
    gate = make_gate("", ONE)
    assert isinstance(gate.clock, FakeClock)
    night = Night(gate.clock, gate, **cure)
    night.play()

    stopped_at, service, refusal = night.refusals[0]
    assert isinstance(refusal, error)
    assert service == "research"
    assert stopped_at < BEGIN + 4 * MINUTE
    assert Decimal(night.billed("research")).scaleb(-9) == Decimal(billed)
    assert len(night.refusals) > 1_000  # the loop goes on asking until 07:00, and nothing more is sent

    assert {name for _, name, _ in night.refusals} == {"research"}
    assert [night.billed(name) for name in HEALTHY] == [6 * 70_000_000] * 5
    assert gate.store.totals().usd == sum(cost for _, _, cost in night.bill)
    assert gate.store.check() == []


def test_the_ledger_tells_the_night(make_gate: MakeGate) -> None:
    """Thousands of refusals are a few events: each says which limit, since when, and how much it refused."""
    gate = make_gate(LIMITS, ONE)
    assert isinstance(gate.clock, FakeClock)
    night = Night(gate.clock, gate)
    night.play()
    events = [event for event in gate.store.events() if event.kind in ("blocked", "allowing")]
    assert len(night.refusals) > 1_000
    assert len(events) < 50
    assert events[0].at == night.refusals[0][0]
    assert {event.scope for event in events} == {"service=research"}
    six_hourly = [event for event in events if event.limit == "six-hourly"]
    assert [event.kind for event in six_hourly] == ["blocked"]
    (standing,) = [one for one in gate.status() if one.limit == "six-hourly" and one.scope == "service=research"]
    assert standing.blocked_since is not None
    assert standing.refused_calls > 500
