"""The first incident from its first month to the hour in which everything has noticed it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spendgate.cacheminutes import minute_of
from spendgate.caches.missrate import MissRate
from spendgate.cli.demo.pipeline import story
from spendgate.cli.demo.pipeline.program import Key, Pipeline
from spendgate.cli.demo.pipeline.results import Results
from spendgate.cli.demo.pipeline.services import Client, Services, company
from spendgate.clock import DAY, HOUR, MINUTE, SECOND
from spendgate.gate import Gate
from spendgate.money import nanos
from spendgate.opening import open as open_gate

FINDINGS = {"churn": "key churn", "duplicates": "duplicate work"}
MISSES = "miss rate"
BUDGET = {"warned": "daily call budget, 80 %", "observed": "daily call budget"}
WATCHES = (*FINDINGS.values(), MISSES, *BUDGET.values())
"""Everything that is meant to notice it."""
Progress = Callable[[str, float], object]


class PlayedClock:
    """A clock that stands where it is set: a month passes in no time."""

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        """This instant of the story."""
        return self.at

    def sleep(self, span_s: float) -> None:
        """Lets so much of the story pass."""
        self.at += round(span_s * SECOND)

    async def sleep_async(self, span_s: float) -> None:
        """Lets so much of the story pass."""
        self.sleep(span_s)


@dataclass(frozen=True, slots=True)
class Noticed:
    """Who noticed it: when, after how many lookups since the deploy, and after how many dollars, in nano-dollars."""

    by: str
    at: int
    lookups: int
    usd: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, from the deploy to `ended_at`.

    `hit_rate` is the cache's before the deploy. `right` says whether every row of results has what the API says of its
    record; `rows_again` and `mails_again` count those that there had been already. `usd` is what the services charged,
    `ledger_usd` what the ledger says of it. `unseen_usd` is what three weeks of it would have cost beyond the usual.
    """

    noticed: tuple[Noticed, ...]
    ended_at: int
    hit_rate: float
    lookups: int
    calls: int
    usd: int
    ledger_usd: int
    right: bool
    rows_again: int
    mails_again: int
    unseen_usd: int

    @property
    def complete(self) -> bool:
        """Whether everything that is meant to notice it did, and the books agree."""
        return {one.by for one in self.noticed} == set(WATCHES) and self.usd == self.ledger_usd


class Play:
    """The pipeline with everything that it needs, on a clock of its own."""

    def __init__(self, folder: Path, services: Services, client: Client, results: Results) -> None:
        self.config = folder / "spendgate.toml"
        self.config.write_text(story.CONFIG, encoding="utf-8")
        self.clock = PlayedClock(story.BEGINS_AT)
        self.services = services
        self.client = client
        self.results = results
        self.kept: dict[str, Any] = {}
        self.known: list[str] = []

    @cached_property
    def morning(self) -> list[tuple[int, str]]:
        """The work of the last day until the deploy, every record of it."""
        return [one for one in self._last_day if one[0] < story.DEPLOY_AT]

    @cached_property
    def afternoon(self) -> list[tuple[int, str]]:
        """The work of that day from the deploy on."""
        return [one for one in self._last_day if one[0] >= story.DEPLOY_AT]

    @cached_property
    def _last_day(self) -> list[tuple[int, str]]:
        return story.day(story.DEPLOY_AT // DAY * DAY, self.known)

    @contextmanager
    def running(self, version: str, key: Key) -> Iterator[tuple[Gate, Pipeline]]:
        """A version of the program, over the cache that the last one has filled."""
        env = {"SPENDGATE_VERSION": version, "SPENDGATE_SERVICE": story.SERVICE}
        with open_gate(self.config, clock=self.clock, env=env) as gate:
            cache = gate.watch_cache(story.CACHE, self.kept, miss_cost=story.RESOURCE)
            yield gate, Pipeline(gate, cache, self.client, self.results, key)

    def good_months(self, progress: Progress) -> float:
        """Eleven months, one day of each with one record in eight, and the last morning. The hit rate of that."""
        with self.running("2025-12-01", story.before) as (gate, pipeline):
            for month in range(story.MONTHS):
                begins_at = story.BEGINS_AT + month * story.MONTH
                self._work(gate, pipeline, story.day(begins_at, self.known, story.MONTHS_AT_ONCE))
                progress("eleven good months", (month + 1) / (story.MONTHS + 1))
            paid = self.services.enriched.total()
            self._work(gate, pipeline, self.morning)
            progress("eleven good months", 1)
        return 1 - (self.services.enriched.total() - paid) / len(self.morning)

    def _work(self, gate: Gate, pipeline: Pipeline, work: Sequence[tuple[int, str]]) -> None:
        """Processes records, each at its time."""
        for at, record in work:
            if at // HOUR != self.clock.at // HOUR:
                gate.flush_caches()
            self.clock.at = at
            pipeline.process(record, at)

    def after_deploy(self, progress: Progress) -> tuple[list[Noticed], int]:
        """From the deploy on, until everything has noticed it or the day is over; and the number of lookups."""
        noticed: dict[str, Noticed] = {}
        rate = self._rate()
        with self.running("2026-10-27", story.after) as (gate, pipeline):
            paid = self.usd
            for lookups, (at, record) in enumerate(self.afternoon):
                if at // MINUTE != self.clock.at // MINUTE:
                    gate.flush_caches()
                    for by, text in (*told(gate), *missed(gate, rate, self.clock.at)):
                        noticed.setdefault(by, Noticed(by, self.clock.at, lookups, self.usd - paid, text))
                    progress("a deploy at 14:00", len(noticed) / len(WATCHES))
                if len(noticed) == len(WATCHES):
                    return list(noticed.values()), lookups
                self.clock.at = at
                pipeline.process(record, at)
        return list(noticed.values()), len(self.afternoon)

    def _rate(self) -> MissRate:
        """What the cache's past says about its misses, for somebody who looks at nothing else."""
        rate = MissRate()
        with open_gate(self.config, clock=self.clock, env={}) as gate:
            for minute in gate.store.cache_minutes(0, story.DEPLOY_AT):
                rate.feed(minute.minute_at, minute.hits, minute.misses)
        rate.restarted(story.DEPLOY_AT)
        return rate

    @property
    def usd(self) -> int:
        """What the services have charged, in nano-dollars."""
        mails = self.services.mailed.total() * nanos(story.USD_A_MAIL)
        return self.services.enriched.total() * nanos(story.USD_A_CALL) + mails

    def is_right(self) -> bool:
        """Whether every row says what the API says of its record."""
        rows = self.results.said()
        return all(said == company(record) for record, said in rows)


def told(gate: Gate) -> Iterator[tuple[str, str]]:
    """What has been noticed so far, and in which words."""
    for finding in gate.store.findings(story.DEPLOY_AT):
        if finding.kind in FINDINGS:
            yield FINDINGS[finding.kind], finding.text
    for event in gate.store.events(story.DEPLOY_AT):
        if event.kind in BUDGET:
            yield BUDGET[event.kind], ""


def missed(gate: Gate, rate: MissRate, at: int) -> Iterator[tuple[str, str]]:
    """What the miss rate alone says of the last minute. The gate leaves it out while it knows the reason: churn."""
    for minute in gate.store.cache_minutes(minute_of(at) - MINUTE, minute_of(at)):
        rate.feed(minute.minute_at, minute.hits, minute.misses)
    if rate.episode is not None:
        yield MISSES, rate.episode.sentence(story.CACHE)


def play(folder: Path, progress: Progress) -> Outcome:
    """Plays it all, in a folder of its own."""
    with ExitStack() as stack:
        services = stack.enter_context(Services())
        client = stack.enter_context(closing(Client(services.port)))
        results = stack.enter_context(closing(Results()))
        game = Play(folder, services, client, results)
        hit_rate = game.good_months(progress)
        before = services.enriched.total()
        noticed, lookups = game.after_deploy(progress)
        per_record = nanos(story.USD_A_CALL) + nanos(story.USD_A_MAIL)
        unseen = (story.LOOKUPS_A_DAY - story.NEW) * 7 * story.WEEKS_UNSEEN * per_record
        with open_gate(game.config, clock=game.clock, env={}) as gate:
            booked = gate.store.totals().usd
        return Outcome(
            noticed=tuple(noticed),
            ended_at=game.clock.at,
            hit_rate=hit_rate,
            lookups=lookups,
            calls=services.enriched.total() - before,
            usd=game.usd,
            ledger_usd=booked,
            right=game.is_right(),
            rows_again=results.again(),
            mails_again=sum(times - 1 for times in services.mailed.values()),
            unseen_usd=unseen,
        )
