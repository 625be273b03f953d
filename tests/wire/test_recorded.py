"""Every recorded exchange is accounted for: what it used by the provider's documentation, and what that costs.

Recordings that are added to the folder are tested without a change here.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spendgate.clock import instant
from spendgate.errors import PriceError
from spendgate.pricing.book import PriceBook
from spendgate.wire.exchange import Answer, Asked, Bill
from spendgate.wire.reading import answer_reader, understand
from tests.wire import documented, list_price
from tests.wire.recordings import NAMES, Exchange, exchanges, pieces

WHEN = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = PriceBook()

recorded = pytest.mark.parametrize("name", NAMES or ["the folder of recordings"])


def answered(exchange: Exchange, asked: Asked, size: int) -> Answer:
    reader = answer_reader(asked, exchange.status, exchange.headers)
    for piece in pieces(exchange.body, size):
        reader.feed(piece)
    return reader.end(True)


def of(shared_data: Path, name: str) -> tuple[Exchange, ...]:
    return exchanges(shared_data / "recorded" / name)


@recorded
def test_usage_is_what_the_documentation_says(shared_data: Path, name: str) -> None:
    """Each exchange bills exactly the tokens that its body states, or is free, held, later or unread as it must be."""
    for exchange in of(shared_data, name):
        asked = understand(exchange.request)
        assert (asked is not None) == documented.is_paid(exchange), exchange.request.url
        if asked is None:
            continue
        answer, said = answered(exchange, asked, len(exchange.body) or 1), documented.read(exchange)
        assert answer.kind in said.kinds, (exchange.request.url, asked, answer)
        found = [(bill.usage.to_json(), bill.cost) for bill in answer.bills]
        assert found == [(counts, cost) for _, counts, cost in said.bills] or not said.bills, exchange.request.url
        named = [model for model, _, _ in said.bills if model]
        assert [bill.model for bill in answer.bills][: len(named)] == named or not said.bills


@recorded
def test_an_answer_is_the_same_however_it_is_cut(shared_data: Path, name: str) -> None:
    """Whole or in pieces of 1, 7 or 4,096 bytes: the answer is the same."""
    for exchange in of(shared_data, name):
        asked = understand(exchange.request)
        if asked is not None:
            whole = answered(exchange, asked, len(exchange.body) or 1)
            assert [answered(exchange, asked, size) for size in (1, 7, 4096)] == [whole] * 3


@recorded
def test_cost_is_what_an_independent_sum_says(shared_data: Path, name: str) -> None:
    """What the price book makes of a bill is what a sum by hand over the price list comes to."""
    for exchange in of(shared_data, name):
        for bill in billed(exchange):
            counts = {kind: int(count) for kind, count in bill.usage.to_json().items()}
            by_hand = list_price.nanos(
                bill.provider, bill.model, counts, WHEN, batch=bill.batch, tier=bill.service_tier
            )
            assert cost(bill) == by_hand, (exchange.request.url, bill)


@recorded
def test_no_call_reads_more_than_was_set_aside(shared_data: Path, name: str) -> None:
    """Where a request says how much can be read, its answer does not bill more than that."""
    for exchange in of(shared_data, name):
        asked = understand(exchange.request)
        if asked is not None and asked.kind == "paid" and asked.input_tokens is not None:
            read = [bill.usage.input_tokens for bill in answered(exchange, asked, 1 << 20).bills]
            assert sum(read) <= asked.input_tokens, exchange.request.url


def test_every_exchange_is_accounted_for(shared_data: Path) -> None:
    """Each exchange has a price or states one, is free, an error, still going on, not paid for, or says why not."""
    counted: Counter[str] = Counter()
    for name in NAMES:
        for exchange in of(shared_data, name):
            counted[account(exchange)] += 1
    assert set(counted) <= {"priced", "free", "error", "later", "not paid", "unpriced"}
    assert counted["priced"] > 0
    assert sum(counted.values()) == sum(len(of(shared_data, name)) for name in NAMES)


def account(exchange: Exchange) -> str:
    asked = understand(exchange.request)
    if asked is None:
        return "not paid"
    answer = answered(exchange, asked, 1 << 20)
    if exchange.status >= 400 and answer.kind in {"free", "held"}:
        return "error"
    if answer.kind == "billed":
        return "priced" if all(bill.cost or cost(bill) for bill in answer.bills) else "unpriced"
    if answer.kind in {"unread", "held"}:
        return "unpriced" if answer.reason else "nothing said"
    return answer.kind


def billed(exchange: Exchange) -> tuple[Bill, ...]:
    asked = understand(exchange.request)
    return () if asked is None else answered(exchange, asked, 1 << 20).bills


def cost(bill: Bill) -> int | None:
    """What the price book says of a bill's usage; None where it has no price."""
    try:
        price = BOOK.price(bill.provider, bill.model, instant(WHEN))
        return price.cost(bill.usage, batch=bill.batch, service_tier=bill.service_tier)
    except PriceError:
        return None
