r"""How limits stand, as rows for a reader: the fullest scopes first, and those that belong to a service.

>>> from spendgate.windows import parse_window
>>> hourly = Limit("hourly", "usd", 5_000_000_000, parse_window("1h", "UTC"), per=("service",))
>>> split(hourly, "service=a\\,b")
{'service': 'a,b'}
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from spendgate.budgets import Budget, fields
from spendgate.ledger import Standing
from spendgate.limits import EVERY, OTHER, Limit, matches


@dataclass(frozen=True, slots=True)
class LimitRows:
    """One limit and its scopes, fullest first; `hidden` are how many more there are."""

    limit: Limit
    shown: tuple[Standing, ...]
    hidden: int = 0


def rows_by_limit(
    limits: Iterable[Limit], standings: Iterable[Standing], top: int, name: str = "", service: str = ""
) -> list[LimitRows]:
    """Every limit in its order with the `top` fullest scopes, or only those of a name, or of a service.

    A limit that counts everything together always has a row; one that nobody has drawn on yet has none.
    """
    found: dict[str, list[Standing]] = {}
    for one in standings:
        if not isinstance(one.limit, Budget):
            found.setdefault(one.limit.name, []).append(one)
    rows = []
    for limit in limits:
        if (name and limit.name != name) or (service and not weighs_on(limit, service)):
            continue
        scopes = [one for one in found.get(limit.name, []) if not service or is_of(one, service)]
        if not scopes and not limit.per:
            scopes = [Standing(limit, "", 0, 0, None)]
        scopes.sort(key=lambda one: (not one.blocked_at, -share(one), one.scope))
        rows.append(LimitRows(limit, tuple(scopes[:top]), max(len(scopes) - top, 0)))
    return rows


def rows_by_budget(standings: Iterable[Standing], top: int, name: str = "", service: str = "") -> list[LimitRows]:
    """The budgets that calls bring along, one line of their own each: those of tasks, and requests that loop."""
    found: dict[str, list[Standing]] = {}
    for one in standings:
        if isinstance(one.limit, Budget) and (not service or fields(one.scope).get("service") == service):
            found.setdefault(one.limit.name, []).append(one)
    rows = []
    for scopes in (found[budget] for budget in sorted(found) if not name or budget == name):
        scopes.sort(key=lambda one: (not one.blocked_at, -share(one), one.scope))
        rows += [LimitRows(one.limit, (one,)) for one in scopes[:top]]
        if len(scopes) > top:
            rows[-1] = LimitRows(rows[-1].limit, rows[-1].shown, len(scopes) - top)
    return rows


def share(one: Standing) -> float:
    """How full a limit is in a scope, from 0 on; above 1 where more is spent than it allows."""
    used = one.spent + one.held
    return used / one.limit.amount if one.limit.amount else float(used > 0)


def weighs_on(limit: Limit, service: str) -> bool:
    """Whether calls of a service may draw on a limit."""
    return all(matches(pattern, service) for field, pattern in limit.match if field == "service")


def is_of(one: Standing, service: str) -> bool:
    """Whether a scope counts calls of a service: its own, or one that all services share."""
    if one.scope in (EVERY, OTHER):
        return True
    return split(one.limit, one.scope).get("service", service) == service


def split(limit: Limit, scope: str) -> dict[str, str]:
    """A scope's fields and values; empty where it is a scope for all."""
    if not limit.per or scope in (EVERY, OTHER):
        return {}
    parts = [part.partition("=")[2] for part in re.findall(r"(?:[^,\\]|\\.)+", scope)]
    values = [re.sub(r"\\(.)", r"\1", part) for part in parts]
    return dict(zip(limit.per, values, strict=False))


def spoken(limit: Limit, scope: str) -> str:
    """A scope for a reader."""
    if isinstance(limit, Budget):
        said = fields(scope)
        said.pop("most", None)
        return ", ".join(_named(field, value[:12] if field == "request" else value) for field, value in said.items())
    if not scope or not limit.per:
        return "all calls"
    if scope == EVERY:
        return "lost by the ledger"
    if scope == OTHER:
        return "all other scopes"
    return ", ".join(_named(field, value) for field, value in split(limit, scope).items())


def _named(field: str, value: str) -> str:
    name = field.removeprefix("tags.")
    if not value:
        return f"no {name}"
    return value if field == "service" else f"{name} {value}"
