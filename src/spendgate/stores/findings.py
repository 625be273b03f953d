"""Findings inside a transaction: one per episode, whoever notices it first, and an event at each end."""

from dataclasses import replace

from spendgate.clock import DAY
from spendgate.findings import DISMISSAL, Finding
from spendgate.ledger import Event
from spendgate.stores.tables import Meta, Tables
from spendgate.stores.telling import Telling

FORGET_AFTER = DAY
"""How long what is over is kept all the same: a clock that is set back by less finds everything that it had taken."""
LOOKS, LOOKED_AT = "08", 64
"""A new digest that ends in one of these, one in eight, looks at so many others for what is over: rows cannot pile
up, and nobody waits."""


def remember(tables: Tables, digest: str, span: int, *, at: int, is_new: bool) -> None:
    """Writes down that something happened, for a span of time; what is new takes the place of what is over."""
    if is_new and digest[-1:] in LOOKS:
        tables.forget_seen(digest, at - FORGET_AFTER, LOOKED_AT)
    tables.put_seen(digest, at, at + span)


def begin(telling: Telling, meta: Meta, finding: Finding) -> Finding:
    """The running finding of the same kind, subject and service, or this one, written down and told."""
    tables, at = telling.tables, telling.at
    known = tables.running_finding(*finding.of)
    if known is not None:
        return known
    meta.head += 1
    began_at = min(finding.began_at, at) or at
    data = {name: finding.data[name] for name in finding.data if name not in DISMISSAL}
    begun = replace(finding, data=data, id=meta.head, began_at=began_at, ended_at=0, is_news=True)
    tables.put_finding(begun)
    telling.add(event_of(begun, at))
    return begun


def dismiss(telling: Telling, meta: Meta, finding: Finding, by: str, reason: str) -> Finding:
    """A running finding that somebody has dismissed, and told; as it is where somebody had, or where it has ended."""
    if finding.dismissed_at or not finding.is_running:
        return finding
    meta.head += 1
    dismissal = dict(zip(DISMISSAL, (telling.at, by, reason), strict=True))
    known = replace(finding, data={**finding.data, **dismissal}, is_news=True)
    telling.tables.put_finding(known)
    telling.add(event_of(known, telling.at))
    return known


def end(telling: Telling, finding: Finding, ended_at: int) -> Finding:
    """A running finding, ended and told."""
    done = replace(finding, ended_at=max(ended_at, finding.began_at), is_news=True)
    telling.tables.put_finding(done)
    telling.add(event_of(done, telling.at))
    return done


def event_of(finding: Finding, at: int) -> Event:
    """The event that a finding has begun, was dismissed, or has ended."""
    state = "ended" if not finding.is_running else "dismissed" if finding.dismissed_at else "began"
    data = {"id": finding.id, "state": state, "finding": finding.kind, **finding.dismissal}
    named = {"service": finding.service, "version": finding.version, "text": finding.text, "usd": finding.usd}
    instants = {"began_at": finding.began_at, "ended_at": finding.ended_at}
    return Event(at, "finding", "", finding.subject, {**data, **named, **instants})


def redate(tables: Tables, now_at: int) -> None:
    """Dates what a clock that was ahead had dated later than now: it counts from now, and for no longer than it did."""
    tables.redate_seen(now_at)
    for streak in tables.streaks():
        if streak.last_at > now_at:
            tables.put_streak(replace(streak, last_at=now_at))
    for one in tables.findings(0):
        if max(one.began_at, one.dismissed_at, one.ended_at) > now_at:
            data = {**one.data, "dismissed_at": min(one.dismissed_at, now_at)} if one.dismissed_at else one.data
            began_at, ended_at = min(one.began_at, now_at), min(one.ended_at, now_at)
            tables.put_finding(replace(one, data=data, began_at=began_at, ended_at=ended_at))
