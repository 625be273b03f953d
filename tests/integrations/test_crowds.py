"""Many callers at once share one budget: what is left is handed out exactly once, through real clients."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

import spendgate
from spendgate.errors import SpendLimitError
from spendgate.money import usd
from tests.integrations.provider import Provider

CALLERS = 50
CONFIG = '[[limits]]\nusd = "5.00"\nwindow = "1h"\n'
DEAR = '[prices."gpt-4o"]\nper_call = "1.00"\n'


def opened(folder: Path, config: str) -> spendgate.Gate:
    (folder / "spendgate.toml").write_text(CONFIG + config)
    return spendgate.open(folder / "spendgate.toml")


def asked(number: int) -> dict[str, Any]:
    """Each caller asks something of its own: fifty times the same would be a loop."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": f"hello from {number}"}]}


def from_threads(gate: spendgate.Gate, url: str) -> list[str]:
    client = gate.wrap(openai.OpenAI(api_key="k", base_url=f"{url}/v1"))

    def one(number: int) -> str:
        try:
            client.chat.completions.create(**asked(number))
        except SpendLimitError:
            return "refused"
        return "sent"

    with client, ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(one, range(CALLERS)))


async def from_tasks(gate: spendgate.Gate, url: str) -> list[str]:
    async with gate.wrap(openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1")) as client:

        async def one(number: int) -> str:
            try:
                await client.chat.completions.create(**asked(number))
            except SpendLimitError:
                return "refused"
            return "sent"

        return await asyncio.gather(*(one(number) for number in range(CALLERS)))


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_fifty_callers_share_five_dollars(tmp_path: Path, provider: Provider, way: str) -> None:
    """Of fifty calls at a dollar each that start at once exactly five reach the provider: five dollars are spent."""
    with opened(tmp_path, DEAR) as gate:
        ends = from_threads(gate, provider.url) if way == "threads" else asyncio.run(from_tasks(gate, provider.url))
        assert sorted(ends) == ["refused"] * (CALLERS - 5) + ["sent"] * 5
        assert len(provider.seen) == 5
        assert [str(status.spent) for status in gate.status()] == ["5.00"]


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_without_a_cap_the_estimate_holds(tmp_path: Path, provider: Provider, way: str) -> None:
    """Calls that state no cap on their output never come to more than the limit, whatever the provider bills of it."""
    provider.used = {"input": 10, "output": 16_000}
    with opened(tmp_path, "") as gate:
        ends = from_threads(gate, provider.url) if way == "threads" else asyncio.run(from_tasks(gate, provider.url))
        assert len(provider.seen) == ends.count("sent") > 0
        [status] = gate.status()
        assert status.spent == ends.count("sent") * (usd(10 * 2_500 + 16_000 * 10_000))
        assert status.spent <= 5
