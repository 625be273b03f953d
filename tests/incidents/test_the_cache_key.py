"""The $80,000 cache key: a deploy makes every lookup miss, and a daily budget of calls stands before the paid API."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from spendgate.clock import DAY, moment
from spendgate.errors import SpendLimitError
from spendgate.gate import Gate
from spendgate.testing import FakeClock
from tests.incidents.conftest import USD, MakeGate, at

START = at("2026-03-02T00:00")
DEPLOY = at("2026-03-04T09:00")
WEEKS_AFTER = timedelta(weeks=3)
PRICE = USD * 12 // 100
FREE_A_MONTH = 30_000
BUDGET = 3_000
THROTTLED_A_DAY = 24 * 60

CONFIG = """
[prices."enrich.lookup"]
per_call = "0.12"
free_calls_per_month = 30000

[[limits]]
name = "enrichment"
match = { resource = "enrich.*" }
calls = 3000
window = "day"
warn_at = [0.8]
at_limit = "throttle"
throttle_to = "1/min"
"""


@dataclass
class Pipeline:
    """Enriches 8,000-15,000 records a day behind a cache. `calls` counts what the API was asked, by day."""

    clock: FakeClock
    gate: Gate | None = None
    cache: dict[str, str] = field(default_factory=dict)
    calls: Counter[date] = field(default_factory=Counter)
    refused: int = 0

    def run(self, until: datetime) -> None:
        """Works through everything that comes in until then."""
        for when, record in arrivals(until):
            self.clock.jump(when)
            key = f"enrichment:{record}"
            if when >= DEPLOY:
                key = f"enrichment:{record}:{when.isoformat()}"  # the deploy
            if key not in self.cache:
                self.enrich(key, record, when)

    def enrich(self, key: str, record: int, when: datetime) -> None:
        """Asks the paid API, unless the gate says no: then the record goes on without."""
        if self.gate is not None:
            try:
                with self.gate.call("enrich.lookup", service="pipeline", key=str(record)):
                    pass
            except SpendLimitError:
                self.refused += 1
                return
        self.calls[when.date()] += 1
        self.cache[key] = "enriched"

    def bill(self) -> int:
        """What the API charges: what is above the free tier of each month."""
        months: Counter[tuple[int, int]] = Counter()
        for day, count in self.calls.items():
            months[day.year, day.month] += count
        return sum(max(count - FREE_A_MONTH, 0) * PRICE for count in months.values())


def arrivals(until: datetime) -> Iterator[tuple[datetime, int]]:
    """Records as they come in: a tenth of them new, and a few that are worked on dozens of times a day."""
    draw = random.Random(80_000)
    known, day = 20_000, START
    while day < until:
        count = draw.randint(8_000, 15_000)
        fresh = range(known, known + count // 10)
        known += len(fresh)
        records = [*fresh, *(draw.randrange(known - 20_000, known) for _ in range(count - len(fresh)))]
        records += [record for record in draw.sample(records, count // 50) for _ in range(50)]
        draw.shuffle(records)
        for index, record in enumerate(records):
            when = day + timedelta(microseconds=index * DAY // len(records))
            if when >= until:
                return
            yield when, record
        day += timedelta(days=1)


def warm() -> dict[str, str]:
    """The cache after eleven months."""
    return {f"enrichment:{record}": "enriched" for record in range(20_000)}


def gated(gate: Gate) -> Pipeline:
    assert isinstance(gate.clock, FakeClock)
    return Pipeline(gate.clock, gate, warm())


def events(gate: Gate, kind: str) -> list[datetime]:
    return [moment(event.at) for event in gate.store.events() if event.kind == kind]


def test_before_the_deploy(make_gate: MakeGate) -> None:
    """With a key that repeats, the API is asked for new records only: free, and no warning."""
    pipeline = gated(make_gate(CONFIG, START))
    pipeline.run(DEPLOY)
    assert all(700 < count < 1_600 for count in list(pipeline.calls.values())[:2])
    assert pipeline.bill() == pipeline.gate.store.totals().usd == 0
    assert pipeline.refused == 0
    assert events(pipeline.gate, "warned") == []


def test_the_day_of_the_deploy(make_gate: MakeGate) -> None:
    """The budget warns within two hours of the deploy and slows the calls to one a minute within three."""
    pipeline = gated(make_gate(CONFIG, START))
    pipeline.run(DEPLOY + timedelta(hours=6))
    (warned,) = events(pipeline.gate, "warned")
    assert (warned.date(), warned.hour) == (DEPLOY.date(), 10)
    assert DEPLOY < warned < DEPLOY + timedelta(hours=2)
    blocked = events(pipeline.gate, "blocked")[0]
    assert warned < blocked < DEPLOY + timedelta(hours=3)
    assert BUDGET < pipeline.calls[DEPLOY.date()] <= BUDGET + THROTTLED_A_DAY * 5 // 24
    assert pipeline.refused > 2_000
    assert pipeline.bill() == pipeline.gate.store.totals().usd == 0  # all of it still within the free tier


@pytest.mark.long
def test_days_that_nobody_looks(make_gate: MakeGate) -> None:
    """Even if nobody heeds the warnings of four days, the budget keeps within the free tier what costs thousands."""
    without = Pipeline(FakeClock(START), None, warm())
    without.run(DEPLOY + timedelta(days=4))
    pipeline = gated(make_gate(CONFIG, START))
    pipeline.run(DEPLOY + timedelta(days=4))
    assert without.bill() > 5_000 * USD
    assert pipeline.bill() == pipeline.gate.store.totals().usd == 0
    assert all(count <= BUDGET + THROTTLED_A_DAY for count in pipeline.calls.values())
    assert [when.date() - DEPLOY.date() for when in events(pipeline.gate, "warned")] == [
        timedelta(days=n) for n in range(5)
    ]


def test_three_weeks_in_figures() -> None:
    """Without the gate the deploy costs tens of thousands; the budget's own arithmetic bounds it to a few."""
    without = Pipeline(FakeClock(START), None, warm())
    without.run(DEPLOY + WEEKS_AFTER)
    assert 40_000 * USD < without.bill() < 80_000 * USD
    most = 22 * (BUDGET + THROTTLED_A_DAY) * PRICE
    assert most < without.bill() // 3
