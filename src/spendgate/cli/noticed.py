"""What `status` and `report` say of findings."""

from collections.abc import Iterable
from typing import Any

import click

from spendgate.cli.printing import clock_time, exact, iso, span
from spendgate.findings import Finding
from spendgate.money import dollars


def running_text(finding: Finding, now_at: int) -> str:
    """A finding that runs, on top of the status."""
    head = click.style(f"Finding: {title(finding)}", fg="red", bold=True)
    since = f"since {clock_time(finding.began_at, now_at)} ({span(now_at - finding.began_at)})"
    return f"{head}, {since}: {finding.text}. {dollars(finding.usd)} so far.{_began_with(finding)}\n"


def past_text(finding: Finding, now_at: int) -> str:
    """A finding of the period of a report."""
    began, ended = clock_time(finding.began_at, now_at), clock_time(finding.ended_at, now_at)
    until = "still running" if finding.is_running else f"over at {ended}"
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
            "data": dict(one.data),
        }
        for one in findings
    ]
