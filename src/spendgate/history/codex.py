"""Transcripts of Codex: `~/.codex/sessions/**/rollout-*.jsonl`, one line per event.

A `turn_context` line names the model of what follows; a `token_count` event has what the last call used and the
session's running total. The same event may be written twice: then the total has not moved. `input_tokens` includes what
came from the cache, `output_tokens` includes reasoning.

A forked session, or one of a sub-agent, begins with a copy of its parent's events, all stamped anew within moments of
the fork. The parent's own file has them, so that copy is left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from spendgate.call import Call, tags_from
from spendgate.clock import SECOND
from spendgate.errors import AmountError
from spendgate.history.lines import Record, records_of
from spendgate.history.past import count_of, past_call, price, table_of, tag, text_of
from spendgate.history.results import BrokenLine, ForeignLine, Imported, ImportOptions, LineError
from spendgate.history.when import instant_of
from spendgate.ledger import Entry
from spendgate.pricing.usage import Usage

SERVICE = "codex"
UNKNOWN_MODEL = "unknown"
"""The resource of a call before which no model was named: it has no price, unless the rate card declares one."""
BURST = SECOND
"""A call takes longer than this, in microseconds; copied events follow one another faster."""

_TYPES = {"session_meta", "turn_context", "event_msg", "response_item", "compacted"}
_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")

_Used = tuple[int, ...]
"""Tokens in the order of `_COUNTS`."""


def is_ours(data: dict[str, Any]) -> bool:
    """Whether a record looks like one of this format."""
    return data.get("type") in _TYPES and isinstance(data.get("payload"), dict)


def read(lines: Iterable[str | bytes], options: ImportOptions) -> Iterator[Imported]:
    """The calls of one session's transcript."""
    session = _Session(options)
    for record in records_of(SERVICE, is_ours, lines):
        if isinstance(record, BrokenLine | ForeignLine):
            yield record
            continue
        try:
            entry = session.take(record)
        except (LineError, AmountError) as error:
            yield record.broken(error)
        else:
            if entry is not None:
                yield entry


class _Session:
    """What the lines so far have said."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._begun = False
        self._id = ""
        self._provider = options.provider
        self._model = ""
        self._project = ""
        self._service_tier = ""
        self._total: _Used | None = None
        self._copied_until: int | None = None

    def take(self, record: Record) -> Entry | None:
        """Reads one line; the call that it reports, if it reports one."""
        payload = table_of(record.data, "payload")
        kind = record.data.get("type")
        copied = self._is_copied(record)
        if kind == "session_meta" and not self._begun:
            self._begin(payload, record)
        elif kind == "turn_context":
            self._model = text_of(payload, "model") or self._model
            self._project = text_of(payload, "cwd") or self._project
            self._service_tier = text_of(payload, "service_tier")
        elif kind == "event_msg" and payload.get("type") == "token_count":
            return self._call(record, table_of(payload, "info"), copied)
        return None

    def _begin(self, payload: dict[str, Any], record: Record) -> None:
        """The first line of the kind is the session's own; later ones are copied from its ancestors."""
        self._begun = True
        self._id = text_of(payload, "id")
        self._provider = self._provider or text_of(payload, "model_provider")
        self._project = text_of(payload, "cwd")
        source = table_of(table_of(payload, "source"), "subagent")
        if payload.get("forked_from_id") or table_of(source, "thread_spawn").get("parent_thread_id"):
            self._copied_until = self._at(record)

    def _is_copied(self, record: Record) -> bool:
        """Whether a line belongs to the burst in which a fork copied its parent; the first pause ends it for good."""
        if self._copied_until is None:
            return False
        at = self._at(record)
        self._copied_until = at if 0 <= at - self._copied_until < BURST else None
        return self._copied_until is not None

    def _at(self, record: Record) -> int:
        return instant_of(record.data.get("timestamp"), self._options.timezone)

    def _call(self, record: Record, info: dict[str, Any], copied: bool) -> Entry | None:
        before, last = self._total, _used(info, "last_token_usage")
        total = _used(info, "total_token_usage")
        if total is not None:
            self._total = total
        if last is None and total is not None:
            last = _since(before, total)
        if copied or last is None or not any(last) or (total is not None and total == before):
            return None
        usage = Usage(input_tokens=last[0], cache_read_tokens=last[1], output_tokens=last[2], reasoning_tokens=last[3])
        model = text_of(info, "model") or self._model or UNKNOWN_MODEL
        call = Call(
            service=self._options.service or SERVICE,
            provider=self._provider or "openai",
            resource=model,
            task=self._id,
            tags=tags_from({"project": tag(self._project)} if self._project else None),
        )
        at = self._at(record)
        cost = price(self._options.prices, call, usage, at, self._service_tier)
        # No session in it: a copy that kept its timestamps is the same call.
        return past_call(f"{SERVICE}|{at}|{model}|{last}|{total}", call, at, usage, cost)


def _used(info: dict[str, Any], name: str) -> _Used | None:
    found = info.get(name)
    return tuple(count_of(found, count) for count in _COUNTS) if isinstance(found, dict) else None


def _since(before: _Used | None, total: _Used) -> _Used:
    """What was used since the total before; all of it where the count began anew."""
    if before is None or any(now < was for now, was in zip(total, before, strict=True)):
        return total
    return tuple(now - was for now, was in zip(total, before, strict=True))
