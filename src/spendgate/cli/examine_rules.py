"""Examines the rules: the limits in force, where prices come from, and whether anybody would be told."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from spendgate.cli.findings import Finding, ok, problem, warning
from spendgate.cli.printing import counted
from spendgate.clock import DAY, moment
from spendgate.explain import remarks
from spendgate.ledger import LimitsVersion, Store

if TYPE_CHECKING:
    from spendgate.config import Settings

OLD_DAYS = 120
"""A price list whose newest change is older than this is likely to have missed some."""


def examine_rules(settings: "Settings", store: Store | None, now_at: int) -> Iterator[Finding]:
    """Everything about limits, prices and routes."""
    yield from _mode(settings)
    yield from _limits(settings, store)
    if store is not None and (both := contested(store.limits_history(), now_at)):
        text = f"{both[0]} and {both[1]} keep overruling each other's limits"
        yield problem("limits", text, 'give both the same limits, or set limits_from = "ledger" under [gate] in both')
    yield _prices(settings, now_at)
    yield from _routes(settings)


def _mode(settings: "Settings") -> Iterator[Finding]:
    if settings.mode == "off":
        yield warning("mode", 'mode is "off": every call passes, and nothing is recorded', 'set mode = "enforce"')
    if settings.mode == "observe":
        yield warning("mode", 'mode is "observe": nothing is ever refused', 'set mode = "enforce" to refuse')


def _limits(settings: "Settings", store: Store | None) -> Iterator[Finding]:
    version = store.limits() if store is not None else None
    in_force = version.limits if version is not None and version.version else settings.limits
    doubts = [one.text for one in remarks(in_force, settings.prices) if one.severity == "problem"]
    for text in doubts:
        yield problem("limits", text)
    if not in_force.says_the_same(settings.limits):
        remedy = "`spendgate limits show` says how, `spendgate limits apply` puts the file's in force"
        yield warning("limits", "the limits in force are not those of the file", remedy)
    elif not doubts:
        state = f"in force as version {version.version}" if version is not None and version.version else "not yet used"
        yield ok("limits", f"{counted(len(in_force.limits), 'limit')}, {state}")


def contested(history: list[LimitsVersion], now_at: int) -> tuple[str, str] | None:
    """Two files that overruled each other within 7 days: the limits of the first came back."""
    recent = [version for version in history if version.at > now_at - 7 * DAY]
    for first, between, again in zip(recent, recent[1:], recent[2:], strict=False):
        one, other = _named(again), _named(between)
        if first.limits.says_the_same(again.limits) and _named(first) == one != other:
            return one, other
    return None


def _named(version: LimitsVersion) -> str:
    return f"{version.source or 'a program'} on {version.actor.host or 'this host'}"


def _prices(settings: "Settings", now_at: int) -> Finding:
    from spendgate.pricing import snapshot

    own = counted(len(list(settings.prices.names())), "price")
    newest = snapshot.dated(now_at)
    age = (moment(now_at).date() - date.fromisoformat(newest)).days if newest else 0
    text = f"{snapshot.source()}, whose newest change was {counted(age, 'day')} ago; {own} of your own"
    if age > OLD_DAYS:
        return warning("prices", text, "pip install --upgrade genai-prices")
    return ok("prices", text)


def _routes(settings: "Settings") -> Iterator[Finding]:
    from spendgate.alerts.routes import resolve
    from spendgate.config.notify import in_clear

    if not settings.notify:
        yield warning("notify", "nobody is told when a limit blocks", "add [notify] to the configuration")
        return
    broken = False
    for route in settings.notify:
        for text in (*route.target, *(value for _, value in route.headers), route.smtp.password):
            try:
                resolve(text)
            except ValueError as error:
                broken = True
                yield problem("notify", f"{route.label}: {error}", "set it for this program and for your own")
    for host in in_clear(settings.notify):
        broken = True
        yield warning("notify", f"the webhook to {host} is not encrypted", "write https://")
    if not broken:
        labels = ", ".join(route.label for route in settings.notify)
        yield ok("notify", f"{counted(len(settings.notify), 'route')} ({labels}); `spendgate notify test` tries them")
