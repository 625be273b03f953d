"""The instant of a decision, and what becomes of a ledger whose clock was wrong.

A clock that went back a good way was ahead before: what it had dated later than now is dated now, so that it goes on
counting, and for no longer than a whole window from now.
"""

import json
from dataclasses import replace

from spendgate.clock import SECOND
from spendgate.ledger import Entry, Event
from spendgate.stores import counting, findings
from spendgate.stores.force import InForce
from spendgate.stores.tables import Meta, Tables, redated

BACK_TOLERANCE = 5 * SECOND
"""A clock that goes back by no more is waited out; by more, what it had dated into the future is dated back."""


def clock_in(tables: Tables, meta: Meta, force: InForce, now_at: int, max_scopes: int) -> int:
    """The instant to decide at: never before what was decided already, unless the clock was set back."""
    if now_at >= meta.latest_at - BACK_TOLERANCE:
        meta.latest_at = max(meta.latest_at, now_at)
        return meta.latest_at
    for entry in tables.weighing(now_at):
        if entry.held_at > now_at or entry.counted_at > now_at:
            _redate(tables, entry, now_at)
    _shorten_pauses(tables, force, now_at, meta.latest_at - now_at)
    counting.rebuild(tables, force, {limit_id for _, limit_id in force.rows}, now_at, max_scopes)
    counting.rebuild_budgets(tables, force, now_at)
    findings.redate(tables, now_at)
    meta.breakers = _breakers_redated(meta.breakers, now_at)
    tables.add_event(Event(now_at, "clock", data={"back_to": now_at, "from": meta.latest_at}))
    meta.latest_at = now_at
    meta.next_lapse_at = tables.next_lapse()
    meta.head += 1
    tables.put_meta(replace(meta))
    return now_at


def _redate(tables: Tables, entry: Entry, now_at: int) -> None:
    """Dates an entry back, and takes its place in a tariff along where that is another month."""
    done = redated(entry, now_at)
    tables.update(done)
    if entry.tariff is None:
        return
    name, window = entry.tariff.name, entry.tariff.window
    wrong, right = window.bucket(entry.held_at), window.bucket(done.held_at)
    if wrong != right:
        used = tables.tariff_used(name, wrong) - entry.tariff_units
        tables.put_tariff_used(name, wrong, max(used, 0))
        tables.put_tariff_used(name, right, tables.tariff_used(name, right) + entry.tariff_units)


def _shorten_pauses(tables: Tables, force: InForce, now_at: int, shift: int) -> None:
    """A pause that pacing set outlasts neither the correction nor the period; throttling bounds its own."""
    for limit, limit_id in force.rows:
        if limit.pace_above < 0:
            continue
        ends_at = limit.window.leaves_at(limit.window.bucket(now_at))
        for scope, counter in tables.counters(limit_id):
            if counter.next_at > now_at:
                counter.next_at = min(max(now_at, counter.next_at - shift), ends_at)
                tables.put_counter(limit_id, scope, counter)


def _breakers_redated(text: str, now_at: int) -> str:
    """The breakers, those tripped in the future tripped now and for as long as they were to block."""
    states = json.loads(text) if text else []
    for state in states:
        ahead = state["since_at"] - now_at
        if ahead > 0:
            state["since_at"] = now_at
            state["reset_at"] = None if state["reset_at"] is None else state["reset_at"] - ahead
    return json.dumps(states) if states else ""
