"""Exchanges in the shapes that providers document: usage, cost, and whether the test's other readings see the same."""

import pytest

from spendgate.wire.exchange import Bill
from spendgate.wire.reading import understand
from tests.wire import (
    documented,
    list_price,
    shapes_chat,
    shapes_clouds,
    shapes_hosts,
    shapes_openai,
    shapes_others,
)
from tests.wire.shapes import Shape
from tests.wire.test_recorded import WHEN, account, answered, billed, cost

SHAPES = [
    *shapes_chat.SHAPES,
    *shapes_openai.SHAPES,
    *shapes_clouds.SHAPES,
    *shapes_others.SHAPES,
    *shapes_hosts.SHAPES,
]

NOT_JUDGED = {"negative", "fraction", "qwen native"}
"""Shapes that the documentation's reading does not know: counts that are none, and an API that is not read."""
UNLISTED = {
    "groq only x_groq",
    "hf together",
    "vertex mistral",
    "vertex maas",
    "mistral moderation",
    "unknown model",
    "cumulative usages",
    "github models",
    "qwen",
    "ollama",
    "cohere rerank",
    "heroku",
    "snowflake",
    "snowflake nameless",
    "snowflake stream",
    "mantle gpt-oss",
    "mantle timed out",
}
"""Billed by a model that the price list does not have: counted whole, and said."""

each = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


@each
def test_a_documented_shape_bills_what_it_states(shape: Shape) -> None:
    """Whole or in pieces, what comes out is what the provider's documentation says of it."""
    exchange = shape.exchange
    asked = understand(exchange.request)
    assert asked is not None
    answer = answered(exchange, asked, len(exchange.body) or 1)
    assert (answer.kind, bool(answer.reason or answer.kind in {"billed", "later"})) == (shape.kind, True), answer.reason
    assert [(bill.model, counts(bill), bill.cost) for bill in answer.bills] == shape.bills
    assert [answered(exchange, asked, size) for size in (1, 7)] == [answer] * 2


@each
def test_the_documentations_reading_of_a_shape_is_the_same(shape: Shape) -> None:
    """The second reading, which judges the recordings, agrees on every shape that it knows."""
    if shape.name not in NOT_JUDGED:
        said = documented.read(shape.exchange)
        assert documented.is_paid(shape.exchange)
        assert shape.kind in said.kinds
        assert [(usage, stated) for _, usage, stated in said.bills] == [
            one[1:] for one in shape.bills
        ] or not said.bills


@each
def test_a_shape_costs_what_an_independent_sum_says(shape: Shape) -> None:
    """The price book and the sum by hand come to the same; a model without a price is said, and never zero."""
    for bill in billed(shape.exchange):
        tier = bill.service_tier
        by_hand = list_price.nanos(bill.provider, bill.model, counts(bill), WHEN, batch=bill.batch, tier=tier)
        assert cost(bill) == by_hand
        assert by_hand is None or by_hand > 0
    if shape.kind == "billed":
        assert account(shape.exchange) == ("unpriced" if shape.name in UNLISTED else "priced")


def counts(bill: Bill) -> dict[str, int]:
    """The usage as plain numbers."""
    return {kind: int(count) for kind, count in bill.usage.to_json().items()}


def test_names_of_shapes_are_unique() -> None:
    """No shape hides another."""
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
    assert {shape.name for shape in SHAPES} >= NOT_JUDGED | UNLISTED
