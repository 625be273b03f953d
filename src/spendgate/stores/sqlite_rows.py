"""Entries and counters as rows of SQLite and back, each row under a checksum.

The checksum finds a byte that was flipped on disk before a number that it changed is taken for headroom.
"""

import json
import zlib
from typing import Any

from spendgate.admission import Counter
from spendgate.call import Call
from spendgate.errors import StoreError
from spendgate.ledger import Actor, Entry, Pricing, Units, Weight
from spendgate.pricing.tariff import Tariff
from spendgate.reservation import State

STATES = (State.HELD, State.SETTLED, State.VOIDED, State.LAPSED)
"""A state's place here is its number in the file."""
_NUMBERS = {state: number for number, state in enumerate(STATES)}

Row = tuple[Any, ...]


def checksum(values: Row) -> int:
    """CRC-32 over the values' text."""
    return zlib.crc32("\x1f".join(map(str, values)).encode())


def damaged(what: str) -> StoreError:
    """What to say where a row is not what was written."""
    return StoreError(
        f"{what} of the ledger is damaged: its checksum does not fit. Nothing was changed. "
        "Run `spendgate doctor`, then restore a backup, or start a new ledger and import this one's export."
    )


def counter_row(limit_id: int, scope: str, counter: Counter) -> Row:
    """A counter with its checksum."""
    c = counter
    values = (
        limit_id, scope, c.oldest, c.newest, c.settled, c.held, c.next_at, c.warned, c.blocked_at,
        c.refused_calls, c.refused_usd,
    )  # fmt: skip
    return (*values, checksum(values))


def read_counter(row: Row) -> Counter:
    """The counter in a row.

    Raises:
        StoreError: the row is not what was written.
    """
    if checksum(row[:-1]) != row[-1]:
        raise damaged(f"the counter for scope {row[1]!r}")
    return Counter(*row[2:-1])


def entry_row(entry: Entry, actor: int, pricing: int) -> Row:
    """An entry with its checksum, in the order of `ENTRY_COLUMNS`; `actor` and `pricing` are numbers of rows."""
    call, held, now = entry.call, entry.reserved, entry.weight
    values = (
        entry.seq, entry.id.partition("-")[2], _NUMBERS[entry.state],
        call.service, call.provider, call.resource, call.task, call.attempt, call.key, _pairs(call.tags),
        entry.held_at, entry.lapse_at, entry.counted_at, entry.ended_at,
        held.usd, held.calls, held.tokens, _pairs(held.units), now.usd, now.calls, now.tokens, _pairs(now.units),
        actor, pricing,
        json.dumps(entry.tariff.to_json()) if entry.tariff else "", entry.tariff_units, entry.tariff_position,
        entry.list_usd, entry.usage, ",".join(sorted(entry.marks)), ",".join(map(str, entry.others)),
        entry.rev, entry.total,
    )  # fmt: skip
    return (*values, checksum(values))


def read_entry(row: Row, actor: Actor, pricing: Pricing, entry_id: str = "") -> Entry:
    """The entry in a row.

    Raises:
        StoreError: the row is not what was written.
    """
    if checksum(row[:-1]) != row[-1]:
        raise damaged(f"entry {row[0]}")
    others = row[30]
    return Entry(
        seq=row[0],
        id=entry_id or f"{row[0]}-{row[1]}",
        state=STATES[row[2]],
        call=Call(row[3], row[4], row[5], row[6], row[7], row[8], _unpair(row[9])),
        held_at=row[10],
        lapse_at=row[11],
        counted_at=row[12],
        ended_at=row[13],
        reserved=Weight(row[14], row[15], row[16], _unpair(row[17])),
        weight=Weight(row[18], row[19], row[20], _unpair(row[21])),
        actor=actor,
        pricing=pricing,
        tariff=Tariff.from_json(json.loads(row[24])) if row[24] else None,
        tariff_units=row[25],
        tariff_position=row[26],
        list_usd=row[27],
        usage=row[28],
        marks=frozenset(row[29].split(",")) if row[29] else frozenset(),
        others=tuple(map(int, others.split(","))) if others else (),
        rev=row[31],
        total=row[32],
    )


def _pairs(pairs: tuple[tuple[str, str], ...] | Units) -> str:
    return json.dumps(pairs) if pairs else ""


def _unpair(text: str) -> Any:
    return tuple((name, value) for name, value in json.loads(text)) if text else ()
