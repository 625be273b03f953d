"""The public face of spendgate as a typed program: `mypy --strict` must accept every line. It is never run."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import openai

import spendgate
from spendgate import aio
from spendgate.testing import arguments, assert_key_stable, unstable_on_purpose


def plain() -> None:
    """Blocks, functions, reservations, scopes and how limits stand."""
    with spendgate.open("spendgate.toml") as gate:
        with gate.call("clearbit.enrich", service="pipeline", key="4711", tags={"customer": "acme"}) as call:
            receipt: spendgate.Receipt = call.settle(cost="0.004")
            cost: Decimal = receipt.cost
        with gate.call("claude-haiku-4-5", provider="anthropic", input_tokens=900, max_output_tokens=500) as call:
            call.settle(usage=spendgate.Usage(input_tokens=900, output_tokens=120))
        if gate.once("welcome-mail", "4711", within="24h"):
            finding: spendgate.Finding = gate.begin_finding(spendgate.Finding("churn", "enrichment", text="..."))
            gate.dismiss_finding(finding.id, reason="it is meant")
            gate.end_finding(finding.id)
        with gate.scope(key="4711", fresh_for="24h"), gate.call("clearbit.enrich", fresh_for="1h"):
            running: list[spendgate.Finding] = gate.findings(running_only=True)
            print(running)
        with gate.call("mail.send", units={"mails": 3}, wait=30):
            gate.processed(3, service="pipeline")

        hold: spendgate.Reservation = gate.reserve(
            service="research", provider="anthropic", resource="claude-haiku-4-5", at_most=Decimal("0.02")
        )
        try:
            hold.settle(cost=cost)
        except spendgate.ReservationStateError:
            hold.void()
        gate.settle(hold.id, "0.003")
        gate.void(hold.id)

        with gate.scope("research", task="t-1"):
            for status in gate.status():
                frees_at: datetime | None = status.frees_at
                print(status.limit, status.scope, status.spent, status.held, status.headroom, frees_at)

        @gate.paid("clearbit.enrich", service="pipeline", key_from=lambda record_id: record_id)
        def enrich(record_id: int) -> str:
            return str(record_id)

        name: str = enrich(4711)

        @gate.paid("clearbit.enrich")
        def rows() -> Iterator[str]:
            yield name

        for row in rows():
            row.upper()


def keys(record_id: int, now: datetime) -> datetime | None:
    """Keys for caches, and until when they hold."""
    key: str = spendgate.stable_key("enrichment", record_id, window="24h", version="v2")
    digest: str = spendgate.stable_key.digest("enrichment", {"id": record_id})
    found: spendgate.StableKey = spendgate.stable_key.at(key, digest, window="36h", phase=False, now=now)
    return found.expires_at


def key_tests(kept: dict[str, int]) -> None:
    """Tests of keys take any callable."""

    @unstable_on_purpose("case does not matter", "distinct")
    def key(name: str) -> str:
        return name.lower()

    assert_key_stable(key, ["a", arguments(name="b")], "24h", cache=kept, allow={"time": "a reason"})
    text: str = key("a")
    text.upper()


def caches(gate: spendgate.Gate) -> None:
    """A watched cache is of the type that was given."""
    people: dict[str, int] = gate.watch_cache("people", {"a": 1}, miss_cost="0.004", service="pipeline")
    double: Callable[[int], int] = gate.watch_cache("doubles", lru_cache(maxsize=10)(abs), miss_cost=Decimal(1))
    monitor: spendgate.CacheMonitor = gate.cache_monitor("pages", miss_cost="clearbit.enrich")
    monitor.hit("a")
    monitor.miss("b")
    monitor.set("b")
    monitor.evict(2)
    monitor.error()
    with monitor.load("c"):
        people["c"] = double(-3)
    gate.flush_caches()


async def awaited_caches(gate: aio.Gate) -> None:
    """The awaited gate watches the same ones, at once."""
    people: dict[str, int] = gate.watch_cache("people", {"a": 1})
    gate.cache_monitor("people").hit(people)
    await gate.flush_caches()


def clients(gate: spendgate.Gate, client: openai.OpenAI) -> None:
    """A wrapped client is one of its own kind; jobs have budgets and a tier."""
    wrapped: openai.OpenAI = gate.wrap(client, service="research", wait=30, fallback="gpt-4o-mini")
    with gate.task("t-1", retry_budget="0.25", tier="gpt-4o") as task:
        token: str = task.token
        wrapped.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": token}])
    spendgate.instrument(gate, service="research")
    spendgate.uninstrument()


def refused(gate: spendgate.Gate, client: openai.OpenAI) -> None:
    """What becomes of refused calls."""

    def choose(refusal: spendgate.RefusedError) -> str | None:
        return "gpt-4o-mini" if isinstance(refusal, spendgate.SpendLimitError) else None

    home = spendgate.Fallback("qwen3:8b", url="http://127.0.0.1:11434/v1", provider="ollama", key_env="KEY")
    for fallback in (home, choose, "gpt-4o-mini"):
        gate.wrap(client, fallback=fallback, clamp=256, wait=5).close()
    gate.wrap(client, when_refused="skip").close()

    @gate.paid("clearbit.enrich", fallback=str, wait=2.5)
    def enrich(record_id: int) -> str:
        return str(record_id)

    @gate.paid("clearbit.enrich", when_refused="skip", skip_value="")
    def look_up(record_id: int) -> str:
        return str(record_id)

    with gate.skipping(key="4711") as record:
        text: str = enrich(4711) + look_up(4711)
    why: spendgate.RefusedError | None = record.refusal
    print(text, why, record.is_skipped)
    with gate.scope("research", when_refused="wait", wait=30, clamp=0):
        hold = gate.reserve(
            resource="gpt-4o", provider="openai", max_output_tokens=900, clamp=100, when_refused="raise"
        )
        most: int | None = hold.max_output_tokens
        print(most, gate.reserve(resource="cache", free=True).at_most)


def jobs(gate: spendgate.Gate) -> str:
    """Tasks, requests for more, and what their refusals say."""
    with gate.task("t-1", retry_budget="0.25", budget=Decimal(2), tiers=["*haiku*", "*opus*"]) as task:
        try:
            gate.reserve(resource="clearbit.enrich", attempt=2, fingerprint="0123abcd")
        except spendgate.RetryBudgetError as refused:
            left: Decimal = refused.budget - refused.spent - refused.held
            print(refused.task, left, refused.requested)
        except spendgate.TierLockedError as locked:
            number: int | None = locked.escalation
            print(locked.task, locked.locked, locked.requested, number)
        except spendgate.LoopError as loop:
            print(loop.service, loop.count, loop.window_s, loop.frees_at)

        def decide(asked: spendgate.Escalation) -> bool:
            return asked.budget < 10**9 and asked.to != "claude-opus-4-6"

        try:
            with gate.escalate(
                task, to="claude-opus-4-6", budget="1.00", reason="why", wait=60, approve=decide
            ) as more:
                more.end()
        except spendgate.EscalationError as no:
            print(no.state, no.by, no.answer)
        except spendgate.TaskError as wrong:
            print(wrong.task, wrong.reason)
        token: str = task.token
    with gate.task(token=token) as joined:
        again: spendgate.Task = joined
        gate.end_task(again.id)
    return token


def refusals(gate: spendgate.Gate) -> float | None:
    """Every error has typed fields."""
    try:
        gate.reserve(resource="claude-opus-4-6", provider="anthropic")
    except spendgate.SpendLimitError as refused:
        left: Decimal = refused.headroom
        return None if left else refused.retry_after_s
    except spendgate.BlockedError as blocked:
        print(blocked.since.isoformat(), blocked.reason, blocked.reset_at)
    except spendgate.PriceError as unknown:
        print(unknown.provider, unknown.model, unknown.nearest)
    except (spendgate.RefusedError, spendgate.StoreError, spendgate.ConfigError, spendgate.AmountError):
        raise
    return None


async def awaited() -> None:
    """The same, awaited."""
    async with aio.open() as gate:
        async with gate.call("clearbit.enrich", service="pipeline") as call:
            receipt: spendgate.Receipt = await call.settle(units=2)
        hold = await gate.reserve(resource="x", at_most="0.02")
        await hold.settle(cost=receipt.cost)

        @gate.paid("clearbit.enrich", service="pipeline")
        async def enrich(record_id: int) -> str:
            return str(record_id)

        @gate.paid("clearbit.enrich", fallback=enrich, wait=5)
        async def dearer(record_id: int) -> str:
            return str(record_id)

        async with gate.skipping("4711") as record:
            with gate.scope("research", when_refused="skip"):
                print(await dearer(4711))
        print(record.is_skipped, record.refusal)

        async with gate.task("t-1", retry_budget="0.25") as task:
            more = await gate.escalate(task, to="claude-opus-4-6", budget="1.00")
            async with more:
                await more.end()
        await gate.end_task("t-1")
        print((await enrich(4711)).upper(), await gate.status(), task.token)
