"""The `usage` of Anthropic's messages: one bill for each model that worked on the answer.

`input_tokens` leaves out what was read from and written to a cache; both are added here. With an advisor, a fallback or
a compaction, `iterations` lists each time that a model was sampled:

- those of the type `advisor_message` and `compaction` are not in the counts at the top and are billed on top of them;
- those of the type `message` and `fallback_message` are, but with an advisor the input at the top is only that of the
  first of them, and a declined attempt names a model of its own. So each model is billed for its own iterations, and
  the answer's model for what the counts at the top have beyond all of them.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool#usage-and-billing,
https://platform.claude.com/docs/en/build-with-claude/compaction#understanding-usage

Three things are not told: inference that is kept in the US (`inference_geo`), a tenth dearer for some models, counts as
plain; refusals before any output, which Anthropic does not bill though their usage has tokens, count as stated; the
hours of containers that run code are billed beside the call.
"""

from collections.abc import Mapping
from typing import Any

from spendgate.errors import AmountError
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Asked, Bill
from spendgate.wire.fields import UnreadableError, rows, stated, table, word
from spendgate.wire.openai_usage import stated_cost

COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
ON_TOP = frozenset({"advisor_message", "compaction"})
"""Iterations that the counts at the top leave out."""

Counts = dict[str, int]


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as a stream adds to it: each count is cumulative, and what a later event leaves out or has as 0 stays.

    >>> merged({"input_tokens": 9, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 5})
    {'input_tokens': 9, 'output_tokens': 5}
    """
    result = dict(before)
    result.update({name: value for name, value in now.items() if value or name not in before})
    return result


def bills(asked: Asked, model: str, source: Mapping[str, Any]) -> tuple[Bill, ...]:
    """What a usage object bills, the answer's own model first.

    Raises:
        UnreadableError: a count is none, or those are missing without which nothing can be said.
    """
    if stated(source, "input_tokens") is None or stated(source, "output_tokens") is None:
        raise UnreadableError("it does not state its input and output")
    top = counts(source)
    own = word(model) or asked.model
    by_model: dict[str, Counts] = {own: {}}
    sampled: Counts = {}
    for entry in rows(source.get("iterations")):
        iteration = counts(table(entry))
        served_by = word(table(entry).get("model")) or own
        if table(entry).get("type") not in ON_TOP:
            _add(sampled, iteration)
        _add(by_model.setdefault(own if _same(served_by, own) else served_by, {}), iteration)
    _add(by_model[own], {name: max(0, count - sampled.get(name, 0)) for name, count in top.items()})
    tier = "fast" if source.get("speed") == "fast" else word(source.get("service_tier")) or asked.service_tier
    searches = stated(table(source.get("server_tool_use")), "web_search_requests") or 0
    usages = {name: usage(found, searches if name == own else 0) for name, found in by_model.items()}
    cost = stated_cost(source, usages[own])
    if cost is not None:
        return (Bill(asked.provider, own, sum(usages.values(), Usage()), cost, asked.batch, tier),)
    return tuple(
        Bill(asked.provider, name, found, batch=asked.batch or tier == "batch", service_tier=tier)
        for name, found in usages.items()
        if found.tokens or found.web_searches
    )


def counts(source: Mapping[str, Any]) -> Counts:
    """The counts of a usage object or of one of its iterations, by Anthropic's names and `1h` and `thinking`.

    Where the cache writes are not told apart by how long they last, they count as five-minute ones, unless others in
    the same object last an hour.

    Raises:
        UnreadableError: one of them is no count.
    """
    found = {name: stated(source, name) or 0 for name in COUNTS}
    created = table(source.get("cache_creation"))
    short, long = stated(created, "ephemeral_5m_input_tokens") or 0, stated(created, "ephemeral_1h_input_tokens") or 0
    written = max(found["cache_creation_input_tokens"], short + long)
    found["cache_creation_input_tokens"] = written
    found["1h"] = written - short if long else 0
    found["thinking"] = stated(table(source.get("output_tokens_details")), "thinking_tokens") or 0
    return found


def usage(found: Mapping[str, int], searches: int = 0) -> Usage:
    """Counts in the gate's terms, in which the input includes what was read from and written to a cache.

    Raises:
        UnreadableError: they are more than is believed.
    """
    written, read = found.get("cache_creation_input_tokens", 0), found.get("cache_read_input_tokens", 0)
    output = found.get("output_tokens", 0)
    try:
        return Usage(
            input_tokens=found.get("input_tokens", 0) + written + read,
            cache_read_tokens=read,
            cache_write_tokens=written - found.get("1h", 0),
            cache_write_1h_tokens=found.get("1h", 0),
            output_tokens=output,
            reasoning_tokens=min(found.get("thinking", 0), output),
            web_searches=searches,
        )
    except AmountError as fault:
        raise UnreadableError(str(fault)) from None


def _same(name: str, own: str) -> bool:
    """Whether two names are of one model: an alias is the name of a dated version without its date."""
    return name == own or name.startswith(f"{own}-20") or own.startswith(f"{name}-20")


def _add(total: Counts, more: Mapping[str, int]) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count
