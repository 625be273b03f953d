"""Our own JSONL, a line per entry or event: what `export` and the mirror write and `import` reads (docs/history.md).

>>> from spendgate.call import Call
>>> from spendgate.history.past import past_call, stated
>>> from spendgate.pricing.usage import Usage
>>> entry = past_call("a", Call("research", "anthropic", "m"), 1_793_000_000_000_000, Usage(), stated(3_100_000, "log"))
>>> [again] = read([entry_line(entry)], ImportOptions())
>>> again == entry
True
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from spendgate.call import Call, tags_from
from spendgate.clock import moment
from spendgate.errors import AmountError
from spendgate.history.lines import Record, records
from spendgate.history.past import count_of, table_of, text_of
from spendgate.history.results import BrokenLine, Imported, ImportOptions, LineError
from spendgate.history.when import instant_of
from spendgate.ledger import Actor, Entry, Event, Pricing, Units, Weight
from spendgate.limits import MICRO, in_units, unit_scale
from spendgate.money import MAX_QUANTITY, nanos, quantity, scaled, usd
from spendgate.reservation import State

VERSION = 1
"""The version of the fields; every line states it as `spendgate`. Fields may be added under the same version."""

_MARK = re.compile(r"[^\W\d][^\s,]{0,299}")
_INSTANTS = ("held_at", "counted_at", "lapse_at")


def entry_line(entry: Entry) -> str:
    """An entry as one line of JSON, without the line's end."""
    call, price, actor = entry.call, entry.pricing, entry.actor
    data = {
        "spendgate": VERSION,
        "type": "entry",
        "id": entry.id,
        "state": str(entry.state),
        **{name: iso(getattr(entry, name)) for name in _INSTANTS},
        "ended_at": iso(entry.ended_at) if entry.ended_at else None,
        **{name: getattr(call, name) for name in ("service", "provider", "resource", "task", "attempt", "key")},
        "tags": dict(call.tags),
        **_weight(entry.weight),
        "reserved": _weight(entry.reserved),
        "list_usd": plain(usd(entry.list_usd)),
        "price": {"source": price.source, "dated": price.dated, "exact": price.exact},
        "usage": _usage(entry.usage),
        "marks": sorted(entry.marks),
        "actor": {"host": actor.host, "pid": actor.pid, "program": actor.program},
        "seq": entry.seq,
        "total_usd": plain(usd(entry.total)),
    }
    return _dumps(data)


def event_line(event: Event) -> str:
    """An event as one line of JSON. `data` is as the ledger keeps it, in smallest parts and microseconds."""
    named = {"at": iso(event.at), "kind": event.kind, "limit": event.limit, "scope": event.scope, "data": event.data}
    return _dumps({"spendgate": VERSION, "type": "event", **named})


def export_jsonl(entries: Iterable[Entry], events: Iterable[Event] = ()) -> Iterator[str]:
    """The lines of an export, entries first, each with its line's end."""
    for entry in entries:
        yield entry_line(entry) + "\n"
    for event in events:
        yield event_line(event) + "\n"


def is_ours(data: dict[str, Any]) -> bool:
    """Whether a record looks like one of this format."""
    return "spendgate" in data and data.get("type") in ("entry", "event")


def read(lines: Iterable[str | bytes], options: ImportOptions) -> Iterator[Imported]:
    """The entries of an export. Events tell what one ledger did, so they are left out."""
    for record in records(lines):
        if isinstance(record, BrokenLine):
            yield record
        elif record.data.get("spendgate") != VERSION:
            found = record.data.get("spendgate")
            yield record.broken(f"its version is {found!r} and this spendgate reads version {VERSION}")
        elif record.data.get("type") == "entry":
            yield _entry_or_broken(record, options)
        elif record.data.get("type") != "event":
            yield record.broken("its type is neither entry nor event")


def iso(at: int) -> str:
    """An instant as ISO 8601 in UTC.

    >>> iso(1_793_000_000_000_000)
    '2026-10-26T07:33:20Z'
    """
    return moment(at).isoformat().replace("+00:00", "Z")


def plain(amount: Decimal) -> str:
    """An exact amount in digits alone.

    >>> plain(usd(1)), plain(usd(5_000_000_000))
    ('0.000000001', '5.00')
    """
    return f"{amount:f}"


def _entry_or_broken(record: Record, options: ImportOptions) -> Imported:
    try:
        return _entry(record.data, options)
    except (LineError, AmountError) as error:
        return record.broken(error)


def _entry(data: dict[str, Any], options: ImportOptions) -> Entry:
    """An entry that has ended. What was still held counts as spent: nobody will settle it in this ledger."""
    found_id = text_of(data, "id")
    if not found_id or len(found_id) > 100 or not found_id.isprintable():
        raise LineError("it has no id")
    weight = _read_weight(data)
    held_at = instant_of(data.get("held_at"))
    state = text_of(data, "state")
    if state not in set(State):
        raise LineError(f"its state is {state[:40]!r}, which is none of {', '.join(State)}")
    usage = data.get("usage")
    return Entry(
        seq=0,
        id=found_id,
        state=State.VOIDED if state == State.VOIDED else State.SETTLED,
        call=_call(data, options),
        held_at=held_at,
        lapse_at=_later(data, "lapse_at", held_at),
        counted_at=_later(data, "counted_at", held_at),
        reserved=_read_weight(table_of(data, "reserved")) if "reserved" in data else weight,
        weight=weight,
        actor=_actor(table_of(data, "actor")),
        pricing=_pricing(table_of(data, "price")),
        ended_at=_later(data, "ended_at", held_at),
        list_usd=nanos(data.get("list_usd", 0), "list_usd"),
        usage=json.dumps(usage, default=str) if isinstance(usage, dict) and usage else "",
        marks=frozenset(_marks(data)) | {"imported"},
    )


def _call(data: dict[str, Any], options: ImportOptions) -> Call:
    return Call(
        service=text_of(data, "service") or options.service,
        provider=text_of(data, "provider") or options.provider,
        resource=text_of(data, "resource"),
        task=text_of(data, "task"),
        attempt=data.get("attempt", 1),
        key=text_of(data, "key"),
        tags=tags_from(table_of(data, "tags")),
    )


def _later(data: dict[str, Any], name: str, otherwise: int) -> int:
    return otherwise if data.get(name) is None else instant_of(data[name])


def _marks(data: dict[str, Any]) -> list[str]:
    marks = data.get("marks", [])
    if not isinstance(marks, list) or not all(isinstance(mark, str) and _MARK.fullmatch(mark) for mark in marks):
        raise LineError("its marks are no list of words")
    return marks


def _actor(data: dict[str, Any]) -> Actor:
    return Actor(text_of(data, "host"), count_of(data, "pid"), text_of(data, "program"))


def _pricing(data: dict[str, Any]) -> Pricing:
    return Pricing(text_of(data, "source"), text_of(data, "dated"), data.get("exact", True) is True)


def _weight(weight: Weight) -> dict[str, Any]:
    units = {name: plain(in_units(parts, name)) for name, parts in weight.units}
    return {"usd": plain(usd(weight.usd)), "calls": weight.calls, "tokens": weight.tokens, "units": units}


def _read_weight(data: dict[str, Any]) -> Weight:
    return Weight(
        usd=nanos(data.get("usd"), "usd"),
        calls=quantity(data.get("calls", 1), "calls"),
        tokens=quantity(data.get("tokens", 0), "tokens"),
        units=_read_units(table_of(data, "units")),
    )


def _read_units(data: dict[str, Any]) -> Units:
    return tuple((name, scaled(value, unit_scale(name), name, MAX_QUANTITY * MICRO)) for name, value in data.items())


def _usage(text: str) -> dict[str, Any]:
    """The usage as plain data; as the text it is where it is not JSON."""
    try:
        data = json.loads(text, parse_constant=str) if text else {}
    except ValueError:
        return {"text": text}
    return data if isinstance(data, dict) else {"text": text}


def _dumps(data: dict[str, Any]) -> str:
    """JSON that people can grep; in ASCII where something in it is no Unicode text."""
    line = json.dumps(data, ensure_ascii=False, default=str)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(data, default=str)
    return line
