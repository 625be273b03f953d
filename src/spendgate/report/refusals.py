"""What became of refused calls, for a report: calls that fell back to something else, and calls that were skipped.

>>> [(one.asked, one.instead, one.calls) for one in fallen([Sum(("gpt-4o", "qwen3:8b"), 0, calls=2, usd=0, tokens=9)])]
[('gpt-4o', 'qwen3:8b', 2)]
"""

from collections.abc import Iterable
from dataclasses import dataclass

from spendgate.ledger import Event, GroupField, Sum

FALLEN_BY: tuple[GroupField, ...] = ("fallback_for", "resource")
"""What a store's sums must be taken by for `fallen`."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """Calls that were asked of one resource and fell back to another; what that did cost, in nano-dollars."""

    asked: str
    instead: str
    calls: int
    usd: int


@dataclass(frozen=True, slots=True)
class Skip:
    """A call that was refused and left out: for which record, what refused it, and the nano-dollars it asked for."""

    at: int
    service: str
    provider: str
    resource: str
    task: str
    key: str
    limit: str
    scope: str
    error: str
    usd: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Skipped calls of one service and resource that one limit refused, together."""

    service: str
    resource: str
    limit: str
    calls: int
    usd: int


def fallen(sums: Iterable[Sum]) -> list[Fallen]:
    """The fallbacks among sums that were taken by `FALLEN_BY`, the most frequent first."""
    found = [Fallen(one.fields[0], one.fields[1], one.calls, one.usd) for one in sums if one.fields[0]]
    return sorted(found, key=lambda one: (-one.calls, one.asked, one.instead))


def skips(events: Iterable[Event], until_at: int) -> list[Skip]:
    """The skipped calls among events before an instant, oldest first."""
    return [_skip(event) for event in events if event.kind == "skipped" and event.at < until_at]


def together(found: Iterable[Skip]) -> list[Skipped]:
    """Skipped calls by service, resource and limit, the most frequent first."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for one in found:
        parts = sums.setdefault((one.service, one.resource, one.limit), [0, 0])
        parts[0] += 1
        parts[1] += one.usd
    rows = [Skipped(*names, *parts) for names, parts in sums.items()]
    return sorted(rows, key=lambda one: (-one.calls, one.service, one.resource, one.limit))


def _skip(event: Event) -> Skip:
    texts = {name: str(event.data.get(name) or "") for name in ("service", "provider", "resource", "task", "key")}
    usd = event.data.get("usd")
    return Skip(
        at=event.at,
        **texts,
        limit=event.limit,
        scope=event.scope,
        error=str(event.data.get("error") or ""),
        usd=usd if isinstance(usd, int) else 0,
    )
