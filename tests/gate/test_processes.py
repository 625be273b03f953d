"""One budget for all processes of a machine, through the public face."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

import spendgate
from spendgate import aio
from spendgate.errors import SpendLimitError

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
