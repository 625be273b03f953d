"""The CSV that spreadsheets open."""

import csv
from decimal import Decimal

import pytest

from spendgate.call import Call
from spendgate.history.csv_export import COLUMNS, export_csv, safe
from spendgate.ledger import Actor, Entry, Pricing, Weight
from spendgate.reservation import State

AT = 1_793_000_000_000_000


def entry(call: Call, usd: int = 3_100_001) -> Entry:
    weight = Weight(usd=usd, calls=1, tokens=15, units=(("rows", 2_500_000),))
    return Entry(
        seq=1,
        id="1-ab",
        state=State.SETTLED,
        call=call,
        held_at=AT,
        lapse_at=AT,
        counted_at=AT + 1,
        reserved=weight,
        weight=weight,
        actor=Actor("host", 7, "program"),
        pricing=Pricing("rate card", "2026-10-01"),
        ended_at=AT + 1,
        marks=frozenset({"late", "overrun"}),
    )


def test_every_entry_is_a_row_with_exact_dollars_and_instants_in_utc() -> None:
    """A reader of CSV finds every field under its header, dollars to the nano-dollar and instants as ISO 8601."""
    call = Call("research", "anthropic", "claude-haiku-4-5", "t-1", 2, 'k "1", 2', (("customer", "acme"),))
    lines = list(export_csv([entry(call), entry(call, 1)]))
    assert len(lines) == 3
    header, first, second = csv.reader(lines)
    assert tuple(header) == COLUMNS
    row = dict(zip(header, first, strict=True))
    assert row["held_at"] == "2026-10-26T07:33:20Z"
    assert row["ended_at"] == "2026-10-26T07:33:20.000001Z"
    assert (row["usd"], row["tokens"], row["units"]) == ("0.003100001", "15", '{"rows": "2.5"}')
    assert (row["key"], row["tags"], row["attempt"]) == ('k "1", 2', '{"customer": "acme"}', "2")
    assert (row["price_source"], row["price_exact"], row["marks"]) == ("rate card", "yes", "late overrun")
    usd = dict(zip(header, second, strict=True))["usd"]
    assert usd == "0.000000001"
    assert Decimal(usd).scaleb(9) == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "－1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute is shown as text instead, in whatever field it stands."""
    assert safe(text) == f"'{text}"
    if text.isprintable():
        call = Call(text, text, text, text, 1, text, (("=tag", text),))
        (_, row) = csv.reader(export_csv([entry(call)]))
        assert not any(cell.startswith(("=", "+", "-", "@", "＝", "－")) for cell in row)


def test_an_empty_ledger_is_a_header() -> None:
    """Without entries the header still says what the columns are."""
    assert list(export_csv([])) == [",".join(COLUMNS) + "\n"]
