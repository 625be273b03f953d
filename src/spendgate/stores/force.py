"""The limits in force, with the numbers of their rows, and which of them a call draws on."""

from collections import Counter as Count
from collections.abc import Iterable

from spendgate.call import Call
from spendgate.limits import EVERY, Limit, LimitSet, applying

REMEMBERED = 4096
"""How many kinds of calls are remembered with the limits that apply to them."""

Row = tuple[Limit, int, str]
"""A limit, the number of its rows, and the scope that a call draws on."""


class InForce:
    """One version of the limits."""

    def __init__(self, version: int, limits: LimitSet, ids: dict[str, int]) -> None:
        self.version = version
        self.rows: tuple[tuple[Limit, int], ...] = tuple(
            (limit, ids[key]) for key, limit in keyed(limits.limits) if key in ids
        )
        self._ids = dict(self.rows)
        self._limits = tuple(limit for limit, _ in self.rows)
        self._remembered: dict[tuple[object, ...], tuple[Row, ...]] = {}

    def applying(self, call: Call, lost: bool = False) -> tuple[Row, ...]:
        """The limits that a call draws on; what was `lost` weighs on every limit in dollars, in all its scopes."""
        if lost:
            return tuple((limit, i, EVERY if limit.per else "") for limit, i in self.rows if limit.unit == "usd")
        kind = (call.service, call.provider, call.resource, call.task, call.tags)
        found = self._remembered.get(kind)
        if found is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = tuple((limit, self._ids[limit], scope) for limit, scope in applying(self._limits, call))
            self._remembered[kind] = found
        return found


def keyed(limits: Iterable[Limit]) -> list[tuple[str, Limit]]:
    """Limits with the key of their rows: what they count, and a number where several count the same.

    A limit that is stated twice is one limit.
    """
    seen: Count[str] = Count()
    found = []
    for limit in dict.fromkeys(limits):
        seen[limit.key] += 1
        found.append((f"{limit.key}#{seen[limit.key]}", limit))
    return found
