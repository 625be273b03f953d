"""From what was seen to the likely source: which calls were made, and what the parts that differ look like."""

import re

from spendgate.testing.stability.finding import difference
from spendgate.testing.stability.sources import Trace

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[1-8][0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}\b")
_NUMBER = re.compile(r"-?\d+")


def within_a_moment(first: str, second: str, trace: Trace) -> tuple[str, str]:
    """Why two calls differ that were made at the same instant with the same arguments: source and detail."""
    parts = difference(first, second)
    if _ADDRESS.search(first):
        return "default repr", ""
    if _UUID.search(parts.first) and _UUID.search(parts.second):
        return "uuid", trace.sources.get("uuid", "")
    for source in ("uuid", "random", "stopwatch", "counter", "id"):
        if source in trace.sources:
            return source, trace.sources[source]
    if _NUMBER.fullmatch(parts.first) and _NUMBER.fullmatch(parts.second):
        return ("counter", "") if 0 < int(parts.second) - int(parts.first) < 1000 else ("state", "")
    return "state", ""


def of_copies(first: str, second: str, trace: Trace) -> tuple[str, str]:
    """Why equal arguments give another key."""
    if first != second and sorted(first) == sorted(second):
        return "set order", ""
    if _ADDRESS.search(first):
        return "default repr", ""
    for source in ("id", "hash"):
        if source in trace.sources:
            return ("id", trace.sources[source]) if source == "id" else ("identity", "hash() of an object, its address")
    for source in ("uuid", "random", "counter"):  # where nobody minds that each call gives another key
        if source in trace.sources:
            return source, trace.sources[source]
    return "identity", ""


def of_a_restart(first: str, trace: Trace) -> tuple[str, str]:
    """Why two interpreters differ that were started in the same way."""
    if _ADDRESS.search(first):
        return "default repr", ""
    for source in ("process id", "id", "thread", "uuid", "random"):
        if source in trace.sources:
            return source, trace.sources[source]
    return "import", ""


def of_a_seed(first: str, second: str, trace: Trace) -> tuple[str, str]:
    """Why two interpreters differ that have other seeds of hash()."""
    parts = difference(first, second)
    if "hash" in trace.sources:
        return "hash", trace.sources["hash"]
    if sorted(parts.first) == sorted(parts.second):
        return "set order", ""
    return ("hash", "") if _NUMBER.search(parts.first) else ("set order", "")


def of_the_clock(trace: Trace) -> str:
    """How the clock was read, where that was seen."""
    return trace.sources.get("clock", "")
