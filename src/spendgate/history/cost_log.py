"""A plain cost log: one JSON object a line with `timestamp`, `service`, `model`, `tokens` and `cost` in dollars.

>>> line = '{"timestamp": "2026-10-26T07:33:20Z", "service": "research", "model": "m", "tokens": 1200, "cost": 0.0031}'
>>> [entry] = read([line], ImportOptions())
>>> entry.call.service, entry.weight.usd, entry.weight.tokens
('research', 3100000, 1200)
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from spendgate.call import Call
from spendgate.errors import AmountError
from spendgate.history.lines import Record, records
from spendgate.history.past import Cost, count_of, past_call, price, stated, text_of
from spendgate.history.results import BrokenLine, Imported, ImportOptions, LineError
from spendgate.history.when import instant_of
from spendgate.ledger import Entry
from spendgate.money import nanos, quantity
from spendgate.pricing.usage import Usage

SOURCE = "log"
REMEMBERED = 100_000
"""Among so many lines, two that say the same are two calls; so are they when the log is imported again."""

_MAKERS = {
    "claude": "anthropic",
    "deepseek": "deepseek",
    "gemini": "google",
    "gpt-": "openai",
    "grok": "x-ai",
    "mistral": "mistral",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
}


def is_ours(data: dict[str, Any]) -> bool:
    """Whether a record looks like one of this format."""
    return "timestamp" in data and bool({"cost", "tokens"} & data.keys()) and bool({"service", "model"} & data.keys())


def read(lines: Iterable[str | bytes], options: ImportOptions) -> Iterator[Imported]:
    """The calls of a cost log."""
    repeats = _Repeats()
    for record in records(lines):
        if isinstance(record, BrokenLine):
            yield record
            continue
        try:
            yield _entry(record, options, repeats)
        except (LineError, AmountError) as error:
            yield record.broken(error)


def _entry(record: Record, options: ImportOptions, repeats: "_Repeats") -> Entry:
    data = record.data
    at = instant_of(data.get("timestamp"), options.timezone)
    model = text_of(data, "model")
    provider = text_of(data, "provider") or options.provider or _maker(model)
    call = Call(
        service=text_of(data, "service") or options.service,
        provider=provider if model else "",
        resource=model,
        task=text_of(data, "task"),
    )
    usage = _usage(data.get("tokens"))
    cost = _cost(data.get("cost"), usage, call, at, options)
    said = f"{at}|{call.service}|{call.resource}|{call.task}|{usage.to_json()}|{data.get('cost')}"
    return past_call(f"cost-log|{said}|{repeats.number(said)}", call, at, usage, cost)


def _usage(tokens: object) -> Usage:
    """Tokens as one number count as output, the dearer side: nobody knows how many of them were read."""
    if tokens is None:
        return Usage()
    if not isinstance(tokens, dict):
        return Usage(output_tokens=quantity(tokens, "tokens"))
    if unknown := tokens.keys() - {"input", "output"}:
        raise LineError(f"tokens has {', '.join(sorted(map(str, unknown)))[:60]}; known are input and output")
    return Usage(input_tokens=count_of(tokens, "input"), output_tokens=count_of(tokens, "output"))


def _cost(value: object, usage: Usage, call: Call, at: int, options: ImportOptions) -> Cost:
    usd = 0 if value is None else nanos(value, "cost")
    if usd or (not usage.tokens and value is not None):
        return stated(usd, SOURCE)
    if not usage.tokens:
        raise LineError("it states neither cost nor tokens")
    if not call.resource:
        raise LineError("it states neither cost nor model")
    return price(options.prices, call, usage, at)


def _maker(model: str) -> str:
    """The provider of a model whose name tells; a log of this format has none."""
    return next((provider for start, provider in _MAKERS.items() if model.lower().startswith(start)), "")


class _Repeats:
    """Numbers lines that say the same, so that each is a call of its own and has the same id in every import."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def number(self, said: str) -> int:
        key = hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:12]
        count = self._seen.pop(key, -1) + 1
        self._seen[key] = count
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return count
