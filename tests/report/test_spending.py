"""Sums folded into rows: parts that add up, whatever is asked for; and what stores must say for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.call import Call
from spendgate.clock import DAY, HOUR
from spendgate.ledger import HoldRequest, Outcome, Pricing, Store, Sum, Weight
from spendgate.report.spending import DIMENSIONS, PARTS, fold, needed
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore

AT = 1_793_000_000_000_000
NAMES = st.sampled_from(["", "a", "b", "=c"])


@st.composite
def sums(draw: st.DrawFn, asked: tuple[str, ...], every: int) -> list[Sum]:
    amounts = st.integers(0, 10**12)
    count = draw(st.integers(0, 12))
    return [
        Sum(
            tuple(draw(NAMES) for _ in asked),
            AT + draw(st.integers(0, 300)) * every,
            *(draw(amounts) for _ in range(7)),
        )
        for _ in range(count)
    ]


@given(st.data(), st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique=True))
def test_rows_add_up(data: st.DataObject, by: list[str]) -> None:
    """Every part of the total is the sum over the rows, and of what the store gave."""
    asked, every = needed(by)
    given_sums = data.draw(sums(asked, every))
    found = fold(given_sums, asked, by, "Asia/Kathmandu")
    for part in PARTS:
        total = getattr(found.total, part)
        assert total == sum(getattr(row, part) for row in found.rows) == sum(getattr(one, part) for one in given_sums)
    assert len({row.names for row in found.rows}) == len(found.rows)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", "2026-10-26"), ("America/Los_Angeles", "2026-10-25"), ("Asia/Kathmandu", "2026-10-26")],
)
def test_a_day_is_the_zones(zone: str, day: str) -> None:
    """An early hour in UTC is the evening before in Los Angeles."""
    early = AT - AT % DAY + 2 * HOUR
    found = fold([Sum(("s", "held", "exact"), early, 1, 5, 0)], needed(["day"])[0], ["day"], zone)
    assert [row.names for row in found.rows] == [(day,)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store."""
    found: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "ledger.db")
    yield found
    found.close()


def book(store: Store, usd: int, pricing: Pricing, *marks: str, outcome: Outcome | None = None) -> None:
    """One call, settled unless there is no outcome."""
    call = Call(service="s", provider="p", resource="m")
    request = HoldRequest(call, Weight(usd=usd, calls=1), pricing=pricing, marks=frozenset(marks))
    held = store.hold(request, AT)
    if outcome is not None:
        store.settle(held.id, outcome, AT)  # type: ignore[union-attr]


def test_stores_tell_how_prices_are_known(store: Store) -> None:
    """Sums can be taken by state and by how the price is known, in every store alike, daily sums included."""
    book(store, 1, Pricing("list", "2026-01-01", True), outcome=Outcome())
    book(store, 2, Pricing("list", "2026-01-01", False), outcome=Outcome())
    book(store, 4, Pricing(), "unpriced", outcome=Outcome())
    book(store, 8, Pricing(), "unpriced", outcome=Outcome(pricing=Pricing("stated")))
    book(store, 16, Pricing(), "unpriced")
    found = {one.fields: one.usd for one in store.sums(("priced", "state"), 0, 1 << 62)}
    assert found == {
        ("exact", "settled"): 1,
        ("pattern", "settled"): 2,
        ("unpriced", "settled"): 4,
        ("stated", "settled"): 8,
        ("unpriced", "held"): 16,
    }
    store.compact(AT + 1, AT + 500 * DAY)
    after = {one.fields: one.usd for one in store.sums(("priced", "state"), 0, 1 << 62)}
    assert sum(after.values()) == 31
    assert after["exact", "settled"] == 15


def test_sums_by_what_is_not_kept(store: Store) -> None:
    """What a store does not keep apart it does not pretend to."""
    with pytest.raises(ValueError, match="colour"):
        list(store.sums(("colour",), 0, 1 << 62))
