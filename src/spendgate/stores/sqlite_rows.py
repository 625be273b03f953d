"""Entries and counters as rows of SQLite and back, each row under a checksum.

The checksum finds a byte that was flipped on disk before a number that it changed is taken for headroom. It is CRC-32
over the row's numbers, as 64 bits each, and then over its texts.
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from spendgate.admission import Counter
from spendgate.call import Call
from spendgate.errors import StoreError
from spendgate.ledger import Actor, Entry, Pricing, Weight
from spendgate.pricing.tariff import Tariff
from spendgate.reservation import State
from spendgate.stores.sqlite_schema import ENTRY_NUMBERS, NUMBERS
from spendgate.stores.tables import Meta

STATES = (State.HELD, State.SETTLED, State.VOIDED, State.LAPSED)
"""A state's place here is its number in the file."""
_STATE_NUMBERS = {state: number for number, state in enumerate(STATES)}

Row = tuple[Any, ...]

_packed = {table: struct.Struct(f"<{numbers}q").pack for table, numbers in NUMBERS.items()}
_pack_counter, _pack_entry, _pack_meta = _packed["counters"], _packed["entries"], _packed["meta"]


def sealed(table: str, values: Row) -> Row:
    """A row with its checksum."""
    numbers = NUMBERS[table]
    return _sealed(_packed[table], values[:numbers], values[numbers:])


def _sealed(pack: Callable[..., bytes], numbers: tuple[int, ...], texts: tuple[str, ...]) -> Row:
    return (*numbers, *texts, crc32(pack(*numbers) + "\x1f".join(texts).encode()))


def intact(table: str, row: Row) -> bool:
    """Whether a row is what was written."""
    try:
        return bool(sealed(table, row[:-1])[-1] == row[-1])
    except (struct.error, TypeError):  # not even the types are right
        return False


def opened(table: str, row: Row, what: str) -> Row:
    """A row without its checksum.

    Raises:
        StoreError: the row is not what was written.
    """
    if not intact(table, row):
        raise damaged(what)
    return row[:-1]


def seal_of_sum(*key: object) -> int:
    """The checksum of a sum of 0. It falls by what is added to the sum, so neither has to be read for that."""
    return crc32("\x1f".join(map(str, key)).encode())


def intact_sum(row: Row) -> bool:
    """Whether a row of `key..., sum, checksum` is what was written."""
    *key, total, seal = row
    return isinstance(total, int) and isinstance(seal, int) and total + seal == seal_of_sum(*key)


def damaged(what: str) -> StoreError:
    """What to say where a row is not what was written."""
    return StoreError(
        f"{what} of the ledger is damaged: its checksum does not fit. Nothing was changed. "
        "Run `spendgate doctor`, then restore a backup, or start a new ledger and import this one's export."
    )


def bucket_rows(added: Mapping[tuple[int, int, str], int]) -> list[Row]:
    """What is to be added to buckets, by number of the limit, bucket and scope, and to their checksums."""
    rows = []
    for (limit_id, bucket, scope), parts in added.items():
        seal = crc32(f"{limit_id}\x1f{bucket}\x1f{scope}".encode())  # `seal_of_sum` takes three times as long
        rows.append((limit_id, bucket, scope, parts, seal - parts))
    return rows


def counter_rows(counters: Mapping[tuple[int, str], Counter]) -> list[Row]:
    """Counters, by number of the limit and scope, with their checksums, as `sealed` makes them."""
    rows = []
    for (limit_id, scope), c in counters.items():
        numbers = (
            limit_id, c.oldest, c.newest, c.settled, c.held, c.next_at, c.warned, c.blocked_at, c.refused_calls,
            c.refused_usd,
        )  # fmt: skip
        rows.append((*numbers, scope, crc32(_pack_counter(*numbers) + scope.encode())))
    return rows


def meta_row(meta: Meta, ledger: str) -> Row:
    """The ledger's row about itself with its checksum, as `sealed` makes it."""
    m = meta
    numbers = (1, m.head, m.total, m.latest_at, m.limits_version, m.next_lapse_at, m.lost_until)
    return (*numbers, m.breakers, ledger, crc32(_pack_meta(*numbers) + f"{m.breakers}\x1f{ledger}".encode()))


def read_counter(row: Row) -> Counter:
    """The counter in a row that was checked."""
    return Counter(*row[1:10])


def entry_row(entry: Entry, actor: int, pricing: int) -> Row:
    """An entry with its checksum, in the order of `ENTRY_COLUMNS`; `actor` and `pricing` are numbers of rows."""
    call, held, now = entry.call, entry.reserved, entry.weight
    numbers = (
        entry.seq, _STATE_NUMBERS[entry.state], call.attempt,
        entry.held_at, entry.lapse_at, entry.counted_at, entry.ended_at,
        held.usd, held.calls, held.tokens, now.usd, now.calls, now.tokens,
        actor, pricing, entry.tariff_units, entry.tariff_position, entry.list_usd, entry.rev, entry.total,
    )  # fmt: skip
    texts = (
        entry.id.partition("-")[2], call.service, call.provider, call.resource, call.task, call.key,
        json.dumps(call.tags) if call.tags else "", json.dumps(held.units) if held.units else "",
        json.dumps(now.units) if now.units else "", json.dumps(entry.tariff.to_json()) if entry.tariff else "",
        entry.usage, ",".join(sorted(entry.marks)) if entry.marks else "",
        ",".join(map(str, entry.others)) if entry.others else "",
    )  # fmt: skip
    return _sealed(_pack_entry, numbers, texts)


def read_entry(row: Row, actor: Actor, pricing: Pricing, entry_id: str = "") -> Entry:
    """The entry in a row.

    Raises:
        StoreError: the row is not what was written.
    """
    texts = opened("entries", row, f"entry {row[0]}")[ENTRY_NUMBERS:]
    seq, state, attempt, held_at, lapse_at, counted_at, ended_at = row[:7]
    nonce, service, provider, resource, task, key, tags, held_units, units, tariff, usage, marks, others = texts
    return Entry(
        seq=seq,
        id=entry_id or f"{seq}-{nonce}",
        state=STATES[state],
        call=Call(service, provider, resource, task, attempt, key, _unpair(tags)),
        held_at=held_at,
        lapse_at=lapse_at,
        counted_at=counted_at,
        ended_at=ended_at,
        reserved=Weight(row[7], row[8], row[9], _unpair(held_units)),
        weight=Weight(row[10], row[11], row[12], _unpair(units)),
        actor=actor,
        pricing=pricing,
        tariff=Tariff.from_json(json.loads(tariff)) if tariff else None,
        tariff_units=row[15],
        tariff_position=row[16],
        list_usd=row[17],
        usage=usage,
        marks=frozenset(marks.split(",")) if marks else frozenset(),
        others=tuple(map(int, others.split(","))) if others else (),
        rev=row[18],
        total=row[19],
    )


def _unpair(text: str) -> Any:
    return tuple((name, value) for name, value in json.loads(text)) if text else ()
