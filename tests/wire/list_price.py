"""What usage costs, worked out by hand in `Decimal` from the entries of genai-prices' list.

The rules where the list says nothing are those of docs/decisions/0002-prices.md, written down here a second time.
"""

from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot

MILLION = Decimal(1_000_000)
SEARCH = Decimal("0.035")
NO_DEARER = {"", "auto", "default", "standard", "standard_only", "on_demand", "flex", "scale", "reserved"}


def nanos(
    provider: str, model: str, usage: dict[str, int], when: datetime, *, batch: bool = False, tier: str = ""
) -> int | None:
    """The cost in nano-dollars, rounded up; None where the list has no price."""
    shelf = DataSnapshot(providers=providers, from_auto_update=False)
    try:
        seller, info = shelf.find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    own = any(info is one for one in seller.models)
    plain = _rates(info.get_prices(when), usage.get("input_tokens", 0))
    if not plain:
        return None
    rates, factor = plain, Decimal(1)
    listed = [v for v in info.price_variants or () if own and (v.constraint is None or v.constraint.active(when))]
    tiers = {
        value.lower() for v in listed for key, value in v.when.items() if key in {"service_tier", "speed", "route"}
    }
    in_batch = batch and any(v.when.get("processing") == "batch" for v in listed)
    context = {"processing": "batch"} if in_batch else {}
    if tier.lower() in tiers:
        context |= dict.fromkeys(("service_tier", "speed", "route"), tier.lower())
    elif tier.lower() not in NO_DEARER:
        factor = Decimal("2.5")
    if context:
        rates = _rates(info.get_prices(when, context), usage.get("input_tokens", 0))
    total = _tokens(rates, usage) * factor
    total += rates.get("requests", Decimal(0)) * factor
    total += usage.get("web_searches", 0) * rates.get("web_searches", SEARCH)
    total += usage.get("rerank_searches", 0) * rates.get("rerank_searches", Decimal(0))
    return int((total * 1_000_000_000).to_integral_value(ROUND_CEILING))


def _rates(price: Any, tokens: int) -> dict[str, Decimal]:
    """Dollars for one of each kind, at so many input tokens; what costs nothing is left out."""

    def at(name: str) -> Decimal:
        rate = getattr(price, name, None)
        if rate is None or isinstance(rate, Decimal):
            return rate or Decimal(0)
        return [rate.base, *(tier.price for tier in rate.tiers if tokens > tier.start)][-1]

    def dearest(*names: str) -> Decimal:
        return max(at(f"{name}_mtok") for name in names) / MILLION

    text = getattr(price, "input_mtok", None)
    raised = Decimal(1)
    if text is not None and not isinstance(text, Decimal):
        raised = max(raised, at("input_mtok") / text.base)

    def dearest_in(*names: str) -> Decimal:
        """Where input is dearer for long calls and this kind has one price, it is as much dearer."""
        flat = {name: isinstance(getattr(price, f"{name}_mtok", None), Decimal) for name in names}
        return max(at(f"{name}_mtok") * (raised if flat[name] else 1) for name in names) / MILLION

    found = {
        "input": dearest_in("input", "input_image", "input_video"),
        "input_text": dearest_in("input"),
        "output_text": dearest("output"),
        "cache_read": dearest_in("cache_read", "cache_image_read"),
        "cache_write": dearest_in("cache_write"),
        "cache_write_1h": dearest_in("cache_write_1h"),
        "input_audio": dearest_in("input_audio"),
        "cache_audio_read": dearest_in("cache_audio_read"),
        "output": dearest("output", "output_image", "output_video", "output_citation"),
        "reasoning": dearest("output_reasoning"),
        "output_audio": dearest("output_audio"),
        "web_searches": at("web_searches_kcount") / 1000,
        "requests": at("requests_kcount") / 1000,
        "rerank_searches": at("rerank_searches_kcount") / 1000,
    }
    return {name: rate for name, rate in found.items() if rate}


def _tokens(rates: dict[str, Decimal], usage: dict[str, int]) -> Decimal:
    def of(name: str) -> int:
        return usage.get(f"{name}_tokens", 0)

    kinds = ("input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "cache_audio_read")
    reading = rates.get("input_text", Decimal(0))
    heard_or_read = [rates[name] for name in kinds if name in rates]
    written = [rates[name] for name in ("output", "reasoning", "output_audio") if name in rates]
    dearest = max([*heard_or_read, *written], default=Decimal(0))
    given, out = rates.get("input", dearest), rates.get("output", dearest)
    write = max(rates.get("cache_write", given * Decimal("1.25")), given)
    heard = rates.get("input_audio", max([given, *heard_or_read]))
    each = {
        "cache_read": rates.get("cache_read", given),
        "cache_write": write,
        "cache_write_1h": rates.get("cache_write_1h", max(given * 2, write)),
        "input_audio": heard,
        "cache_audio_read": rates.get("cache_audio_read", heard),
        "reasoning": rates.get("reasoning", rates.get("output_text", out)),
        "output_audio": rates.get("output_audio", max([out, *written])),
    }
    counts = {name: of(name) for name in each}
    counts["cache_read"] -= of("cache_audio_read")
    counts["input_audio"] -= of("cache_audio_read")
    inputs = sum(counts[name] for name in kinds[1:])
    # Where a picture is dearer than text, what is known to be text costs less; what is cached is paid for already.
    read = max(0, min(of("input") - inputs, of("input_text") - sum(counts[name] for name in kinds[1:4])))
    written = min(of("output_text"), of("output") - counts["reasoning"] - counts["output_audio"])
    total = given * (of("input") - inputs - read) + reading * read if read else given * (of("input") - inputs)
    total += out * (of("output") - counts["reasoning"] - counts["output_audio"] - written)
    total += rates.get("output_text", Decimal(0)) * written
    return total + sum(each[name] * count for name, count in counts.items())
