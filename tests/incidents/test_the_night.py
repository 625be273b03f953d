"""The $912 night: an endless retry that climbs to the dearest model, before limits of $5, $15 and $50."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from spendgate.clock import HOUR, MINUTE, SECOND, instant
from spendgate.errors import SpendLimitError
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
    bill: list[tuple[int, str, int]] = field(default_factory=list)
    refusals: list[tuple[int, str, SpendLimitError]] = field(default_factory=list)
    overruns: list[tuple[int, int]] = field(default_factory=list)

    def play(self) -> None:
        """Lets every worker act in the order of time, until 07:00."""
        actors = [self.healthy(name) for name in HEALTHY] + [self.runaway()]
        due = [(BEGIN, number, actor) for number, actor in enumerate(actors)]
        while due[0][0] < SEVEN:
            now_at, number, actor = heapq.heappop(due)
            self.clock.jump(now_at)
            heapq.heappush(due, (next(actor), number, actor))

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
            yield from self.ask("research", model, *size, 6_400_000)
            # The broad `except`: a refusal is one more reason to try again.
            yield self.clock.now() + (10 * SECOND if len(self.refusals) > refused else 0)

    def ask(
        self, service: str, model: tuple[str, int, int], tokens_in: int, tokens_out: int, takes: int
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
                )
            except SpendLimitError as refusal:
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
