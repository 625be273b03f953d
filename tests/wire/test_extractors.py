"""The extractors of genai-prices beside our own readers: where they differ is known, one by one."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from genai_prices.data import providers

from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Asked
from spendgate.wire.reading import understand
from tests.wire import documented
from tests.wire.recordings import NAMES, Exchange, exchanges
from tests.wire.test_recorded import answered

FLAVORS = {"openai.chat": "chat", "openai.responses": "responses", "openai.embeddings": "embeddings"} | {
    "cohere.embed": "embeddings"
}
COUNTS = {
    "input_tokens": "input_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "web_searches": "web_searches",
}
UNREADABLE = ("Unknown api_flavor", "No extraction logic", "Missing value", "No usage information", "Unable to find")


def test_differences_are_known(shared_data: Path) -> None:
    """Both readings of every recording are the same, but for what docs/decisions/0004-usage-readers.md explains."""
    outcomes: Counter[str] = Counter()
    for name in NAMES:
        for exchange in exchanges(shared_data / "recorded" / name):
            asked = understand(exchange.request)
            if asked is None or asked.kind not in {"paid", "collects"}:
                continue
            bills = answered(exchange, asked, 1 << 20).bills
            if len(bills) != 1 or (asked.api == "anthropic.messages" and asked.streams):
                continue  # theirs take one document for one model
            outcomes[compared(exchange, asked, bills[0].usage)] += 1
    assert outcomes["the same"] > 2 * (outcomes["explained"] + outcomes["theirs cannot read it"])


def compared(exchange: Exchange, asked: Asked, usage: Usage) -> str:
    theirs, source = extracted(asked.provider, FLAVORS.get(asked.api, "default"), exchange)
    if not theirs:
        return "theirs cannot read it"
    ours = {kind: getattr(usage, kind) for kind in COUNTS.values()}
    ours["cache_write_tokens"] += usage.cache_write_1h_tokens
    differ = {kind for kind in COUNTS.values() if ours[kind] != theirs[kind]}
    total = source.get("total_tokens") or source.get("totalTokenCount") or source.get("totalTokens") or 0
    explained = {
        "output_tokens": ours["output_tokens"] == total - ours["input_tokens"],  # thoughts are in the total alone
        "web_searches": not theirs["web_searches"],  # they are counted where they stand in the answer
        "reasoning_tokens": ours["reasoning_tokens"] == ours["output_tokens"] < theirs["reasoning_tokens"],
        "cache_read_tokens": "cached_tokens" in source,  # Moonshot's own place for them
    }
    assert all(explained.get(kind) for kind in differ), (exchange.name, ours, theirs)
    return "explained" if differ else "the same"


def extracted(provider: str, flavor: str, exchange: Exchange) -> tuple[dict[str, int], dict[str, Any]]:
    """What genai-prices reads, and from what; nothing where it has no way to read it."""
    seller = next((one for one in providers if one.id == provider), None)
    found = [document for document in map(holder, documented.documents(exchange)) if document]
    if seller is None or not found:
        return {}, {}
    flavors = {one.api_flavor for one in seller.extractors or ()}
    plain = json.loads(json.dumps(found[-1], default=float))
    source = plain.get("usage") or plain.get("usageMetadata") or {}
    try:
        _, usage = seller.extract_usage(plain, api_flavor=flavor if flavor in flavors else "default")
    except ValueError as fault:
        if str(fault).startswith(UNREADABLE):
            return {}, source
        raise
    return {ours: getattr(usage, theirs, None) or 0 for theirs, ours in COUNTS.items()}, source


def holder(document: Any) -> dict[str, Any] | None:
    """The object that states usage: the document, or the response that an event carries."""
    if not isinstance(document, dict):
        return None
    found = document.get("response") if isinstance(document.get("response"), dict) else document
    return found if any(found.get(name) for name in ("usage", "usageMetadata", "meta")) else None
