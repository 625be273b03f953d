"""The `usage` of everybody who speaks OpenAI's dialect, and what some of them say that the call cost."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from spendgate.errors import AmountError
from spendgate.money import NANOS_PER_USD, nanos
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Asked, Bill
from spendgate.wire.fields import UnreadableError, inside, stated, table, word

TICKS_PER_USD = 10_000_000_000
"""How xAI states a cost: https://docs.x.ai/developers/cost-tracking."""

OWN_NAMES = frozenset({"databricks"})
"""Providers whose prices are by the name that was asked for; their answers name the model underneath."""

_CACHED = (
    "cached_tokens",
    "cache_read_input_tokens",
    "prompt_cache_hit_tokens",
    "cached_prompt_text_tokens",
)
"""Tokens read from a cache: OpenAI and most; Databricks and Heroku; DeepSeek; xAI.

Mistral's `num_cached_tokens` is not among them: its documentation promises the discount for `cached_tokens` only.
"""
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")


def bill(
    asked: Asked, model: str, source: Mapping[str, Any], *, searches: int = 0, tier: Any = None, provider: str = ""
) -> Bill:
    """What a `usage` object bills, at the cost that it states or else by its tokens.

    `searches` are those that were seen in the answer: where the usage states more of them, those count.

    Raises:
        UnreadableError: it has a count that is none, parts that exceed their whole, or no tokens at all.
    """
    name = (asked.provider in OWN_NAMES and asked.model) or word(model) or asked.model
    usage = read(asked.provider, _for_sonar(source) if _is_sonar(asked.provider, name) else source, searches)
    cost = stated_cost(source, usage)
    if not (usage.tokens or usage.web_searches or cost):
        raise UnreadableError("it states no tokens")
    return Bill(
        provider=provider or asked.provider,
        model=name,
        usage=usage,
        cost=cost,
        batch=asked.batch,
        service_tier=word(tier) or asked.service_tier,
    )


def read(provider: str, source: Mapping[str, Any], searches: int = 0) -> Usage:
    """The usage: of chat, responses and embeddings alike.

    Reasoning is a part of the output, with three exceptions: xAI counts it beside `completion_tokens`, Perplexity under
    `reasoning_tokens` (and what it cites under `citation_tokens`), and Gemini in `total_tokens` alone.

    Raises:
        UnreadableError: there are no counts, one is none, or parts exceed their whole.
    """
    given = stated(source, "prompt_tokens", "input_tokens")
    written = stated(source, "completion_tokens", "output_tokens")
    total = stated(source, "total_tokens")
    if given is None and total is None and not _has_cost(source):
        raise UnreadableError("it states no tokens")
    given = (total or 0) - (written or 0) if given is None else given
    details = table(source.get("prompt_tokens_details") or source.get("input_tokens_details"))
    out = table(source.get("completion_tokens_details") or source.get("output_tokens_details"))
    written, reasoning = _output(provider, source, out, written or 0, max(0, (total or 0) - given))
    cached = stated(details, *_CACHED)
    audio = stated(details, "audio_tokens") or 0
    counts: dict[str, Any] = {
        "input_tokens": given,
        "cache_read_tokens": (stated(source, *_CACHED) if cached is None else cached) or 0,
        "cache_write_tokens": stated(details, *_WRITTEN) or stated(source, *_WRITTEN) or 0,
        "output_tokens": written,
        "reasoning_tokens": min(reasoning, written),
        "input_audio_tokens": audio,
        "cache_audio_read_tokens": min(audio, stated(table(details.get("cached_tokens_details")), "audio_tokens") or 0),
        "output_audio_tokens": stated(out, "audio_tokens") or 0,
        "web_searches": max(searches, _searches(source)),
    }
    try:
        return Usage(**counts)
    except AmountError as fault:
        raise UnreadableError(str(fault)) from None


def with_text(usage: Usage, source: Mapping[str, Any]) -> Usage:
    """The usage of a model that draws, with the tokens told apart that are stated to be text.

    Raises:
        UnreadableError: a count is none, or parts exceed their whole.
    """
    sides = [stated(table(source.get(f"{side}_tokens_details")), "text_tokens") or 0 for side in ("input", "output")]
    try:
        return replace(usage, input_text_tokens=sides[0], output_text_tokens=sides[1])
    except AmountError as fault:
        raise UnreadableError(str(fault)) from None


def _output(
    provider: str, source: Mapping[str, Any], details: Mapping[str, Any], written: int, least: int
) -> tuple[int, int]:
    """Everything that was written, and the reasoning in it.

    What `total_tokens` has beyond the input and the output that are stated was written too, and is billed so.
    """
    reasoning = stated(details, "reasoning_tokens") or 0
    beside = stated(source, "reasoning_tokens") or 0
    if provider == "perplexity":
        written += beside + (stated(source, "citation_tokens") or 0)
    elif provider == "x-ai" and "completion_tokens" in source:
        written += reasoning
    return max(written, least), reasoning or beside


def _is_sonar(provider: str, model: str) -> bool:
    return provider == "perplexity" and "deep-research" not in model


def _for_sonar(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage without what Perplexity states of every model, and bills for Deep Research alone.

    https://docs.perplexity.ai/docs/getting-started/pricing
    """
    return {name: value for name, value in source.items() if name not in {"citation_tokens", "num_search_queries"}}


def _searches(source: Mapping[str, Any]) -> int:
    """Searches that a usage states: Perplexity, xAI's sources of its live search, Anthropic's way, OpenRouter."""
    return max(
        stated(source, "num_search_queries") or 0,
        stated(source, "num_sources_used") or 0,
        *(
            stated(table(source.get(name)), "web_search_requests") or 0
            for name in ("server_tool_use", "server_tool_use_details")
        ),
        stated(table(inside(source, "tool_calls_details", "search_web")), "invocation") or 0,
    )


def stated_cost(source: Mapping[str, Any], usage: Usage) -> int | None:
    """What the provider says the call cost, in nano-dollars, rounded up; None where it says nothing to believe.

    OpenRouter and others: `cost` in dollars, and what the upstream provider charges to the caller's own key on top;
    Perplexity: `cost.total_cost`; xAI: `cost_in_usd_ticks`. A cost of 0 for tokens is not believed.
    """
    ticks = source.get("cost_in_usd_ticks")
    if isinstance(ticks, int | Decimal) and not isinstance(ticks, bool):
        found = _nanos(ticks, TICKS_PER_USD)
    else:
        cost = source.get("cost")
        found = _nanos(cost.get("total_cost") if isinstance(cost, dict) else cost)
        if source.get("is_byok") is True:
            upstream = _nanos(inside(source, "cost_details", "upstream_inference_cost"))
            found = None if found is None or upstream is None else found + upstream
    return found if found or (found == 0 and not usage.tokens and not usage.web_searches) else None


def _has_cost(source: Mapping[str, Any]) -> bool:
    return bool(stated_cost(source, Usage()))


def _nanos(value: Any, per_usd: int = 1) -> int | None:
    """Dollars as nano-dollars, or another unit of which so many are a dollar; None for what is no amount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    try:
        if per_usd == 1:
            return nanos(value)
        return -(-nanos(value, most=per_usd * NANOS_PER_USD * 1_000_000) // per_usd)
    except AmountError:
        return None
