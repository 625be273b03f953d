"""Damaged recordings: nothing is raised, nothing that was used costs nothing, and nothing much is kept."""

import re
import tracemalloc

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.clock import instant
from spendgate.errors import AmountError, PriceError
from spendgate.wire.exchange import Answer, Bill
from spendgate.wire.reading import answer_reader, understand
from tests.wire.mutations import damaged
from tests.wire.recordings import Exchange
from tests.wire.test_reading import check_answer, check_asked
from tests.wire.test_recorded import BOOK, WHEN

NAMED = "anthropic"
"""Whose price list holds where the host is not known, so that every sample is read."""
COUNTED = re.compile(rb'"\w*[tT]okens?(?:Count)?"\s*:\s*[1-9]')
"""A count of tokens in an answer that is not 0."""


@given(exchange=damaged(), size=st.sampled_from([1, 7, 4_096, 1 << 20]), complete=st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_damage_is_never_raised_and_never_free_of_charge(exchange: Exchange, size: int, complete: bool) -> None:
    """However an exchange is damaged, its answer is well-formed, and what it used is not booked as zero."""
    asked = understand(exchange.request, default=NAMED)
    assert asked is not None
    check_asked(asked)
    answer = read(exchange, size, complete)
    check_answer(answer)
    for bill in answer.bills:
        check_cost(bill)
    if asked.kind == "paid" and 200 <= exchange.status < 300:
        assert answer.kind != "free" or not COUNTED.search(exchange.body)


@given(exchange=damaged(), complete=st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_damage_is_read_the_same_however_it_is_cut(exchange: Exchange, complete: bool) -> None:
    """Whole or in pieces: what is made of it does not depend on where the pieces end."""
    assert read(exchange, 1 << 20, complete) == read(exchange, 13, complete)


@given(exchange=damaged())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_damaged_stream_does_not_grow_in_memory(exchange: Exchange) -> None:
    """Said again and again, a stream keeps no more than an event of it; any other answer no more than came."""
    asked = understand(exchange.request, default=NAMED)
    assert asked is not None
    reader = answer_reader(asked, 200, exchange.headers)
    body = exchange.body or b"x"
    times = max(2, 400_000 // len(body))
    reader.feed(body)
    tracemalloc.start()
    for _ in range(times):
        reader.feed(body)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    events = body.split(b"\n\n") if "event-stream" in exchange.headers.get("content-type", "") else [body]
    longest = max(map(len, events)) if len(events) > 1 else times * len(body)
    assert kept <= 4 * longest + 200_000
    reader.end(False)


def read(exchange: Exchange, size: int, complete: bool) -> Answer:
    asked = understand(exchange.request, default=NAMED)
    assert asked is not None
    reader = answer_reader(asked, exchange.status, exchange.headers)
    for at in range(0, len(exchange.body), size):
        reader.feed(exchange.body[at : at + size])
    return reader.end(complete)


def check_cost(bill: Bill) -> None:
    """A stated cost is not 0 where there are tokens; nor is the price book's, which may have none or not believe it."""
    assert bill.cost is None or bill.cost > 0 or not bill.usage.tokens
    try:
        price = BOOK.price(bill.provider, bill.model, instant(WHEN))
        found = price.cost(bill.usage, batch=bill.batch, service_tier=bill.service_tier)
    except (PriceError, AmountError):
        return
    assert found > 0 or not (bill.usage.tokens or bill.usage.web_searches)
