"""One budget for all processes of a machine, through the public face."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

import spendgate
from spendgate import aio
from spendgate.errors import SpendLimitError
from spendgate.report.refusals import FALLEN_BY, fallen

CONFIG = """
[[limits]]
name = "total"
usd = "1.00"
window = "day"
"""


def spend(config: str, calls: int) -> int:
    """How many calls of one cent get through from one process, eight threads at a time."""
    with spendgate.open(config) as gate, ThreadPoolExecutor(8) as threads:

        def one(_: int) -> bool:
            try:
                with gate.call("x", service="worker", at_most="0.01"):
                    return True
            except SpendLimitError:
                return False

        return sum(threads.map(one, range(calls)))


@pytest.fixture
def config(tmp_path: Path) -> str:
    """$1.00 a day for everybody."""
    path = tmp_path / "spendgate.toml"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_share_one_budget(config: str, method: str) -> None:
    """Three processes ask for 150 cents of a dollar: exactly 100 calls get through."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        admitted = [pool.submit(spend, config, 50) for _ in range(3)]
        assert sum(future.result() for future in admitted) == 100


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_the_gate_it_inherited(config: str) -> None:
    """Parent and forked child use one gate object, before and after the fork, and draw on one budget."""
    gate = spendgate.open(config)
    gate.reserve(resource="x", at_most="0.40").settle()
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[str] = context.Queue()

    def child() -> None:
        gate.reserve(resource="x", at_most="0.40").settle()
        try:
            gate.reserve(resource="x", at_most="0.30")
        except SpendLimitError as refused:
            answers.put(str(refused.headroom))

    process = context.Process(target=child)
    process.start()
    assert answers.get(timeout=60) == "0.20"
    process.join()
    with pytest.raises(SpendLimitError):
        gate.reserve(resource="x", at_most="0.21")
    gate.reserve(resource="x", at_most="0.20").settle()
    (status,) = gate.status()
    assert (status.spent, status.headroom) == (Decimal(1), Decimal(0))
    gate.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_awaits_its_own_threads(config: str) -> None:
    """The awaited gate's threads do not survive a fork; the child gets new ones."""
    import asyncio

    gate = aio.open(config)

    async def one() -> None:
        async with gate.call("x", at_most="0.25"):
            pass

    asyncio.run(one())
    process = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(one()))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert [status.spent for status in gate.gate.status()] == [Decimal("0.50")]
    gate.gate.close()


def work(config: str, records: int) -> tuple[int, int]:
    """How many records of one process are done, and how many are skipped."""
    with spendgate.open(config) as gate:
        done = skipped = 0
        for number in range(records):
            with gate.skipping(f"{number}") as record, gate.call("x", service="worker", at_most="0.01"):
                done += 1
            skipped += record.is_skipped
        return done, skipped


def cheaply(config: str) -> int:
    """A function of one process that has another to fall back to."""
    with spendgate.open(config) as gate:
        return gate.paid("x", at_most="0.01", fallback=lambda n: -n)(lambda n: n)(7)


def test_what_processes_leave_out_is_in_their_ledger(config: str) -> None:
    """Three processes do as many records as the limit pays for; each skipped one and each fallback is in the report."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        found = [future.result() for future in [pool.submit(work, config, 50) for _ in range(3)]]
        assert [future.result() for future in [pool.submit(cheaply, config) for _ in range(3)]] == [-7] * 3
    assert sum(done for done, _ in found) == 100
    with spendgate.open(config) as gate:
        events = [event for event in gate.store.events() if event.kind == "skipped"]
        assert len(events) == sum(skipped for _, skipped in found) == 50
        assert {event.data["usd"] for event in events} == {10_000_000}
        sums = fallen(gate.store.sums(FALLEN_BY, 0, 1 << 62))
        assert [(one.asked, one.instead, one.calls, one.usd) for one in sums] == [("x", "<lambda>", 3, 0)]
        assert gate.store.check() == []
