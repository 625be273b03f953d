"""For how long an answer counts as had, and which calls ask for it again: the marks that entries carry.

- `fresh:HEX:SPAN`: the digest of what is asked for, and for how many microseconds its answer is good;
- `duplicate`: when the call was made, that answer had been paid for already.

>>> mark = fresh_mark(Call("pipeline", resource="clearbit.enrich", key="4711"), "", 86_400_000_000)
>>> read_mark({"retry", mark})[1]
86400000000
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from spendgate.call import Call
from spendgate.errors import AmountError
from spendgate.limits import matches
from spendgate.windows import parse_span

FRESH = "fresh:"
DUPLICATE = "duplicate"
DIGITS = 32
"""Digits of the digest in a mark: 128 bits."""
SHOWN = 8
"""Digits by which a request that has no key is shown."""


@dataclass(frozen=True, slots=True)
class FreshRule:
    """For how long the answers of the calls that fit are good: `match` as a limit has it, `span` in microseconds."""

    match: tuple[tuple[str, str], ...]
    span: int


def fresh_for(rules: Iterable[FreshRule], call: Call) -> int:
    """The span of the first rule that a call fits; 0 where none does."""
    for rule in rules:
        if all(matches(pattern, call.field(name)) for name, pattern in rule.match):
            return rule.span
    return 0


def span_for(stated: Mapping[str, object], around: int, rules: Iterable[FreshRule], call: Call) -> int:
    """For how long a call's answer is good, in microseconds: as it says, else the scope around it, else a rule.

    Raises:
        AmountError: what it says is no span, or it does not say of what its answer is good.
    """
    if "fresh_for" in stated:
        if not (call.key or "key" in stated or "fingerprint" in stated):
            remedy = "say with `key` which piece of work the call is for"
            raise AmountError("fresh_for", stated["fresh_for"], remedy)
        return span_of(stated["fresh_for"], "fresh_for")
    return around or (fresh_for(rules, call) if rules else 0)


def fresh_mark(call: Call, fingerprint: str, span: int) -> str:
    """The mark of a call whose answer is good for so long; empty where nothing says what it asks for.

    It asks for the answer to its `key`, or, where it has none, to exactly this request.
    """
    if not span or not (call.key or fingerprint):
        return ""
    asked = ("key", call.key) if call.key else ("request", fingerprint)
    return f"{FRESH}{digest('paid', call.service, call.resource, *asked)[:DIGITS]}:{span}"


def read_mark(marks: Collection[str]) -> tuple[str, int] | None:
    """The digest and the span that an entry's marks say; None where they say none."""
    for mark in marks:
        if mark.startswith(FRESH):
            _, found, span = mark.split(":")
            return found, int(span)
    return None


def digest(*parts: str) -> str:
    """A digest of texts, the same in every process, that says where one ends and the next begins.

    >>> digest("a", "bc") == digest("ab", "c")
    False
    """
    hashed = sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % len(encoded))
        hashed.update(encoded)
    return hashed.hexdigest()


def span_of(text: object, name: str) -> int:
    """A span that a caller states, such as `24h`, in microseconds.

    Raises:
        AmountError: it is no span.
    """
    if not isinstance(text, str):
        raise AmountError(name, text, "it must be a span of time as text, such as 15m, 24h or 7d")
    try:
        return _parsed(text[:41])
    except ValueError as error:
        raise AmountError(name, text, str(error)) from None


_parsed = lru_cache(maxsize=64)(parse_span)


@dataclass(frozen=True, slots=True)
class Repeated:
    """One piece of work: how often it was paid for, how many of these were duplicates, and what those cost."""

    key: str
    calls: int
    duplicates: int
    usd: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What a service paid for again of one resource. `usd` is what the duplicates cost, in nano-dollars.

    `keys` is how many pieces of work there are among them, `calls` how often those were paid for in all; `dearest` are
    the ones that cost most, the dearest first.
    """

    service: str
    resource: str
    keys: int
    calls: int
    duplicates: int
    usd: int
    dearest: tuple[Repeated, ...]


def group_duplicates(rows: Iterable[tuple[str, str, str, int, int, int]], top: int) -> list[Duplicates]:
    """Rows of (service, resource, key, calls, duplicates, usd) by service and resource, the dearest first."""
    groups: dict[tuple[str, str], list[Repeated]] = {}
    for service, resource, *rest in rows:
        groups.setdefault((service, resource), []).append(Repeated(*rest))  # type: ignore[arg-type]
    found = []
    for (service, resource), each in groups.items():
        each.sort(key=lambda one: (-one.usd, -one.duplicates, one.key))
        sums = (sum(one.calls for one in each), sum(one.duplicates for one in each), sum(one.usd for one in each))
        found.append(Duplicates(service, resource, len(each), *sums, dearest=tuple(each[:top])))
    return sorted(found, key=lambda one: (-one.usd, -one.duplicates, one.service, one.resource))
