"""Transcripts of Claude Code: `~/.claude/projects/**/*.jsonl`, one line per block of an answer.

One answer stands on several lines, because each of its blocks and each step of its stream writes one, all with the same
`message.id` and a usage that only grows: it is counted once, with the largest. `input_tokens` leaves out what was read
from or written to the cache, and `usage.iterations` may name calls of other models within the same answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from spendgate.call import Call, tags_from
from spendgate.errors import AmountError
from spendgate.history.lines import Record, records_of
from spendgate.history.past import count_of, past_call, price, stated, table_of, tag, text_of
from spendgate.history.results import BrokenLine, ForeignLine, Imported, ImportOptions, LineError
from spendgate.history.when import instant_of
from spendgate.money import nanos
from spendgate.pricing.usage import Usage

SERVICE = "claude-code"
SOURCE = "transcript"
PENDING = 10_000
"""How many answers are kept back, in case a later line of the same answer has more."""

_SYNTHETIC = "<synthetic>"
_KINDS = {"user", "system", "summary", "file-history-snapshot", "queue-operation", "attachment", "progress"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one model was used for within one message."""

    record: Record
    identity: str
    call: Call
    at: int
    usage: Usage
    service_tier: str
    usd: int


def is_ours(data: dict[str, Any]) -> bool:
    """Whether a record looks like one of this format."""
    if "payload" in data:
        return False
    message = table_of(data, "message")
    if isinstance(message.get("usage"), dict):
        return "model" in message
    return data.get("type") in _KINDS and bool({"sessionId", "leafUuid", "messageId"} & data.keys())


def _is_near(data: dict[str, Any]) -> bool:
    """Whether a record belongs here once the format is named: also an answer that misses what it needs."""
    return is_ours(data) or ("payload" not in data and ("message" in data or data.get("type") in _KINDS))


def read(lines: Iterable[str | bytes], options: ImportOptions) -> Iterator[Imported]:
    """The calls of a transcript, each once."""
    pending: dict[str, _Answer] = {}
    for record in records_of(SERVICE, _is_near, lines):
        if isinstance(record, BrokenLine | ForeignLine):
            yield record
            continue
        try:
            for answer in _answers(record, options):
                pending[answer.identity] = _larger(pending.get(answer.identity), answer)
        except (LineError, AmountError) as error:
            yield record.broken(error)
        while len(pending) > PENDING:
            yield _settled(pending.pop(next(iter(pending))), options)
    for answer in pending.values():
        yield _settled(answer, options)


def _answers(record: Record, options: ImportOptions) -> Iterator[_Answer]:
    line = _unwrapped(record.data)
    message = table_of(line, "message")
    if line.get("type", "assistant") != "assistant" or message.get("role", "assistant") != "assistant":
        return
    model = text_of(message, "model")
    if line.get("isApiErrorMessage") is True or model == _SYNTHETIC:
        return
    if not isinstance(message.get("usage"), dict):
        raise LineError("it is an answer without usage, so nobody can say what it cost")
    if not model:
        raise LineError("it is an answer that names no model")
    usage: dict[str, Any] = message["usage"]
    cost = line.get("costUSD")
    answer = _Answer(
        record=record,
        identity=f"{SERVICE}|{_identity(line, message, usage)}",
        call=Call(
            service=options.service or SERVICE,
            provider=options.provider or "anthropic",
            resource=model,
            task=text_of(line, "sessionId"),
            tags=tags_from({"project": tag(text_of(line, "cwd"))} if line.get("cwd") else None),
        ),
        at=instant_of(line.get("timestamp"), options.timezone),
        usage=_usage(usage),
        service_tier=_tier(usage),
        usd=0 if cost is None else nanos(cost, "costUSD"),
    )
    yield from _with_iterations(answer, usage)


def _unwrapped(data: dict[str, Any]) -> dict[str, Any]:
    """The line itself, or the line of a sub-agent that a progress line carries."""
    inner = table_of(table_of(data, "data"), "message")
    if data.get("type") == "progress" and inner.get("type") == "assistant":
        outer: dict[str, Any] = {name: data[name] for name in ("sessionId", "cwd", "timestamp") if name in data}
        return {**outer, **inner}
    return data


def _identity(line: dict[str, Any], message: dict[str, Any], usage: dict[str, Any]) -> str:
    """What is the same on every line of one answer, in whatever file it is repeated."""
    known = (message.get("id"), line.get("requestId"), line.get("uuid"))
    last = f"{line.get('sessionId')}|{line.get('timestamp')}|{usage}"
    return next((name for name in known if isinstance(name, str) and name), last)


def _usage(usage: dict[str, Any]) -> Usage:
    read, written = count_of(usage, "cache_read_input_tokens"), count_of(usage, "cache_creation_input_tokens")
    lasting = count_of(table_of(usage, "cache_creation"), "ephemeral_1h_input_tokens")
    short = count_of(table_of(usage, "cache_creation"), "ephemeral_5m_input_tokens")
    # Where the parts do not add up to what was written, the rest was written for five minutes, the default.
    short = max(short, written - lasting)
    return Usage(
        input_tokens=count_of(usage, "input_tokens") + read + short + lasting,
        cache_read_tokens=read,
        cache_write_tokens=short,
        cache_write_1h_tokens=lasting,
        output_tokens=count_of(usage, "output_tokens"),
        web_searches=count_of(table_of(usage, "server_tool_use"), "web_search_requests"),
    )


def _tier(usage: dict[str, Any]) -> str:
    return "fast" if usage.get("speed") == "fast" else text_of(usage, "service_tier")


def _with_iterations(answer: _Answer, usage: dict[str, Any]) -> Iterator[_Answer]:
    """The answer, and what its usage leaves out: other models that were asked, and compactions of the context."""
    iterations = None if answer.usd else usage.get("iterations")
    own = answer.usage
    for number, step in enumerate(iterations if isinstance(iterations, list) else ()):
        if not isinstance(step, dict) or step.get("type", "message") == "message":
            continue
        model = text_of(step, "model")
        if model and model != answer.call.resource:
            call = replace(answer.call, resource=model)
            yield replace(
                answer, identity=f"{answer.identity}|{number}", call=call, usage=_usage(step), service_tier="", usd=0
            )
        else:
            own += _usage(step)
    yield replace(answer, usage=own)


def _larger(before: _Answer | None, now: _Answer) -> _Answer:
    """Of two lines about one answer the one with more usage, at the earlier of their instants."""
    if before is None:
        return now
    most = now if now.usage.tokens >= before.usage.tokens else before
    return replace(most, at=min(before.at, now.at), usd=max(before.usd, now.usd))


def _settled(answer: _Answer, options: ImportOptions) -> Imported:
    """The answer at the cost that its line states, else at the price book's."""
    try:
        if answer.usd:
            cost = stated(answer.usd, SOURCE)
        else:
            cost = price(options.prices, answer.call, answer.usage, answer.at, answer.service_tier)
    except AmountError as error:
        return answer.record.broken(error)
    return past_call(answer.identity, answer.call, answer.at, answer.usage, cost)
