"""The ledger as CSV for spreadsheets: exact dollars as text, instants in UTC, no cell that a spreadsheet would run.

>>> safe("=HYPERLINK(1)"), safe("research")
("'=HYPERLINK(1)", 'research')
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator

from spendgate.history.ledger_lines import iso, plain
from spendgate.ledger import Entry
from spendgate.limits import in_units
from spendgate.money import usd

COLUMNS = (
    *("id", "state", "held_at", "counted_at", "ended_at", "service", "provider", "resource", "task", "attempt", "key"),
    *("tags", "usd", "calls", "tokens", "units", "reserved_usd", "list_usd", "price_source", "price_dated"),
    *("price_exact", "marks", "host", "pid", "program"),
)
"""The header, under which columns may be added at the end."""

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def export_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """The lines of an export, the header first, each with its line's end."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        yield _taken(out)
        writer.writerow(_row(entry))
    yield _taken(out)


def safe(text: str) -> str:
    """Text that a spreadsheet shows instead of computing it: what looks like a formula gets a quote before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def _row(entry: Entry) -> tuple[object, ...]:
    call, weight = entry.call, entry.weight
    units = {name: plain(in_units(parts, name)) for name, parts in weight.units}
    return (
        *(safe(entry.id), str(entry.state), iso(entry.held_at), iso(entry.counted_at)),
        *(iso(entry.ended_at) if entry.ended_at else "", safe(call.service), safe(call.provider)),
        *(safe(call.resource), safe(call.task), call.attempt, safe(call.key)),
        *(_table(dict(call.tags)), plain(usd(weight.usd)), weight.calls, weight.tokens, _table(units)),
        *(
            plain(usd(entry.reserved.usd)),
            plain(usd(entry.list_usd)),
            safe(entry.pricing.source),
            safe(entry.pricing.dated),
        ),
        *("yes" if entry.pricing.exact else "no", safe(" ".join(sorted(entry.marks)))),
        *(safe(entry.actor.host), entry.actor.pid, safe(entry.actor.program)),
    )


def _table(data: dict[str, str]) -> str:
    return json.dumps(data, ensure_ascii=False) if data else ""
