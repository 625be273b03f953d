"""What `status` and `report` say of findings, and of answers that were paid for again."""

from collections.abc import Iterable, Sequence
from typing import Any

import click

from spendgate.cli.periods import Period
from spendgate.cli.printing import Column, aligned, clock_time, counted, exact, iso, span, table
from spendgate.findings import Finding
from spendgate.freshness import Duplicates
from spendgate.money import dollars

SHOWN = 3
"""How many keys of each resource a report names; --json has more."""


def wanting(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that go on and that nobody has dismissed."""
    return [one for one in findings if one.is_running and not one.dismissed_at]


def of_period(findings: Iterable[Finding], period: Period) -> list[Finding]:
    """The findings that belong into a period: not those that began after it, or were dismissed before it."""
    began = (one for one in findings if one.began_at < period.until_at)
    return [one for one in began if not one.dismissed_at or one.dismissed_at >= period.since_at]


def running_text(finding: Finding, now_at: int) -> str:
    """A finding that runs, on top of the status."""
    head = click.style(f"Finding: {title(finding)}", fg="red", bold=True)
    since = f"since {clock_time(finding.began_at, now_at)} ({span(now_at - finding.began_at)})"
    return f"{head}, {since}: {finding.text}. {dollars(finding.usd)} so far.{_began_with(finding)}\n"


def past_text(finding: Finding, now_at: int) -> str:
    """A finding of the period of a report."""
    began, ended = clock_time(finding.began_at, now_at), clock_time(finding.ended_at, now_at)
    until = "still running" if finding.is_running else f"over at {ended}"
    if finding.is_running and finding.dismissed_at:
        until = f"dismissed at {clock_time(finding.dismissed_at, now_at)}"
    return f"  {title(finding)}, from {began}, {until}: {finding.text}. {dollars(finding.usd)}.{_began_with(finding)}"


def title(finding: Finding) -> str:
    """What a finding is of."""
    return f"{finding.kind} of {finding.subject}" + (f" for {finding.service}" if finding.service else "")


def _began_with(finding: Finding) -> str:
    return f" It began with {finding.version}." if finding.version else ""


def as_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as plain data."""
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "subject": one.subject,
            "service": one.service,
            "version": one.version,
            "began_at": iso(one.began_at),
            "ended_at": iso(one.ended_at),
            "text": one.text,
            "usd": exact(one.usd),
            "data": {name: iso(value) if name.endswith("_at") else value for name, value in one.data.items()},
        }
        for one in findings
    ]


def paid_again(groups: Sequence[Duplicates]) -> str:
    """What was paid for again: a line for each service and resource, and the dearest keys below it."""
    total, times = sum(one.usd for one in groups), sum(one.duplicates for one in groups)
    head = f"Paid again for answers that were still fresh: {dollars(total)} in {counted(times, 'call')}"
    shown = [(group, group.dearest[:SHOWN]) for group in groups]
    costs = [cost for group, keys in shown for cost in (group.usd, *(one.usd for one in keys))]
    money = iter(aligned(costs))
    rows = []
    for group, keys in shown:
        names = (group.service or "(none)", group.resource, counted(group.keys, "key"))
        rows.append((*names, f"{group.calls:,}", f"{group.duplicates:,}", next(money)))
        rows += [("", "", one.key, f"{one.calls:,}", f"{one.duplicates:,}", next(money)) for one in keys]
    columns = [Column("service"), Column("resource", cut=True), Column("key", cut=True)]
    columns += [Column("paid", right=True), Column("again", right=True), Column("cost", right=True)]
    return f"{click.style(head, bold=True)}\n\n{table(columns, rows)}"


def duplicate_rows(groups: Iterable[Duplicates]) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {
            "service": group.service,
            "resource": group.resource,
            "keys": group.keys,
            "calls": group.calls,
            "duplicates": group.duplicates,
            "usd": exact(group.usd),
            "dearest": [
                {"key": one.key, "calls": one.calls, "duplicates": one.duplicates, "usd": exact(one.usd)}
                for one in group.dearest
            ],
        }
        for group in groups
    ]
