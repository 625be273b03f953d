"""What the body of a recorded answer says by its provider's documentation: read here once more, in another way.

This looks for the shapes of usage that the providers document, wherever they stand in an answer, and knows nothing of
how `spendgate.wire` goes about it. Amazon's streams are cut by botocore, server-sent events by a split at empty lines.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any
from urllib.parse import unquote

from botocore.eventstream import EventStreamBuffer
from genai_prices.data import providers

from tests.wire import documented_google as google
from tests.wire.documented_google import Counts, Json, counted
from tests.wire.recordings import Exchange

UNLISTED = re.compile(
    r"""^models\.github\.ai$ | ^models\.inference\.ai\.azure\.com$ | \.githubcopilot\.com$ | \.inference\.heroku\.com$
    | ^router\.huggingface\.co$ | ^api-inference\.huggingface\.co$ | \.endpoints\.huggingface\.cloud$
    | ^dashscope.*\.aliyuncs\.com$ | \.maas\.aliyuncs\.com$ | ^api\.sambanova\.ai$
    | ^api\.(studio|tokenfactory)\.nebius\.
    | ^bedrock-(mantle|runtime).*\.api\.aws$
    | \.endpoints\..*\.ovh\.net$ | ^ai-gateway\.vercel\.sh$ | ^api\.together\.ai$ | ^ollama\.com$ | \.ai\.azure\.com$
    | ^gateway[^.]*\.pydantic\.dev$ | ^api\.(deepinfra\.com|hyperbolic\.xyz|ai21\.com|lambda\.ai|llama\.com)$
    | ^api\.minimax | ^integrate\.api\.nvidia\.com$ | ^[a-z]+\.api\.(openai\.com|x\.ai)$ | ^codestral\.mistral\.ai$""",
    re.VERBOSE,
)
"""Paid hosts that genai-prices has no pattern for."""
UNCERTAIN = re.compile(r"\.azure-api\.net$|\.modal\.(run|direct)$|^api\.cursor\.com$")
"""Hosts of anything at all, which genai-prices takes for somebody's models."""
MODELS_OF_GOOGLE = re.compile(r"^generativelanguage\.googleapis\.com$|aiplatform(\..+\.rep)?\.googleapis\.com$")
"""Other hosts below googleapis.com store files and hand out tokens."""

REFUSED = {400, 401, 402, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 529}


@dataclass
class Documented:
    """What an answer says: `kinds` are the words for it that are right, `bills` what each model used."""

    kinds: set[str]
    bills: list[tuple[str, Counts, int | None]] = field(default_factory=list)


def is_paid(exchange: Exchange) -> bool:
    """Whether the host bills for answers: by the patterns of genai-prices."""
    if exchange.host.endswith(".googleapis.com") and not MODELS_OF_GOOGLE.search(exchange.host):
        return False
    url = exchange.request.url.replace("wss://", "https://")
    if UNCERTAIN.search(exchange.host) or (exchange.host == "openrouter.ai" and not exchange.path.startswith("/api/")):
        return False
    if ".snowflakecomputing." in exchange.host:
        return exchange.path.startswith("/api/v2/cortex/")
    if "//localhost:11434/" in url or "//127.0.0.1:11434/" in url:
        return True
    return bool(UNLISTED.search(exchange.host)) or any(re.match(one.api_pattern, url) for one in providers)


def provider_id(exchange: Exchange) -> str:
    return next((one.id for one in providers if re.match(one.api_pattern, exchange.request.url)), "")


def documents(exchange: Exchange) -> list[Any]:
    """Every JSON document of an answer."""
    kind = exchange.headers.get("content-type", "")
    if "vnd.amazon.eventstream" in kind:
        return list(_amazon(exchange.body))
    text = exchange.body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    if "event-stream" in kind:
        blocks = [[line[5:] for line in block.split("\n") if line.startswith("data:")] for block in text.split("\n\n")]
        return [one for block in blocks for one in _json("\n".join(block))]
    if "ndjson" in kind or "jsonl" in kind:
        return [one for line in text.split("\n") for one in _json(line)]
    whole = list(_json(text))
    return whole[0] if whole and isinstance(whole[0], list) else whole


def read(exchange: Exchange) -> Documented:
    """What has to come out for an exchange with a paid host."""
    method, path, status = exchange.request.method.upper(), exchange.path, exchange.status
    collects = method == "GET" and re.search(r"/(responses|batches)/[^/]+$", path) is not None
    if status >= 300:
        if collects:
            return Documented({"later"})
        return Documented({"free"} if status < 400 or status in REFUSED else {"held"})
    if "batch" in path and "batchEmbed" not in path and not collects:
        return Documented({"free", "billed", "later", "unread"})
    if method != "POST" and not collects:
        return Documented({"free"})
    found = [one for one in documents(exchange) if isinstance(one, dict)]
    judges = exchange.host == "api.mistral.ai" and re.search(r"/(moderations|classifications|conversations)\b", path)
    if not judges and re.search(
        r"/(images|audio|videos|realtime|moderations|ocr|search|classify|conversations|runs|convai)\b", path
    ):
        return Documented({"free", "unread"})
    bills = [bill for bill in _bills(exchange, found) if bill[1] or bill[2]]
    if bills and _drew_for_free(found, bills):
        return Documented({"unread"})
    if bills:
        return Documented({"billed"}, bills)
    if re.search(r"/(responses|batches)\b", path) and _still_going(found):
        return Documented({"later"})
    if re.search(
        r"count[-_]?tokens|tokenize|/files|/upload|cachedContents$|fileSearchStores|/conversations", path, re.IGNORECASE
    ):
        # A cache that is made and a file that is indexed are billed; the file's tokens are stated nowhere.
        extra = {"billed"} if "cached" in path else {"unread"} if "fileSearchStore" in path else set()
        return Documented({"free", *extra})
    return Documented({"unread", "held", "later", "free"})


def _drew_for_free(found: list[Json], bills: list[tuple[str, Counts, int | None]]) -> bool:
    """Whether a response made images and does not state what they used."""
    items = [item for one in found for item in (one.get("response") or one).get("output") or [] if "type" in item]
    drew = any(item["type"] == "image_generation_call" for item in items)
    return drew and len(bills) == 1 and bills[0][2] is None


def _still_going(found: list[Json]) -> bool:
    """Whether the last word on a response or a batch is that it goes on; an error is one too."""
    going = False
    for one in found:
        response = one.get("response") if isinstance(one.get("response"), dict) else one
        status = response.get("status") or one.get("processing_status") or one.get("type")
        if status in {"queued", "in_progress", "validating", "finalizing"}:
            going = True
        elif status in {"completed", "failed", "incomplete", "cancelled", "error"} and "item" not in one:
            going = False
    return going


def _bills(exchange: Exchange, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    bills = _stated(exchange, found)
    if re.search(r"/(decisions|systemone)$", exchange.path):  # nothing but input is billed
        only = {"input_tokens", "cache_read_tokens"}
        return ((model, {name: counts[name] for name in counts if name in only}, cost) for model, counts, cost in bills)
    return bills


def _stated(exchange: Exchange, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    provider = provider_id(exchange)
    named = exchange.asked.get("model") or ""
    path = re.search(r"/model/([^/]+)/", exchange.path)
    amazon = path is not None or exchange.host.startswith("bedrock-mantle")
    if path:
        named = re.sub(r"^arn:.*(foundation-model|inference-profile)/", "", unquote(path[1]))
    generates = re.search(r"models/([^/:]+):", exchange.path)
    if generates:
        named = unquote(generates[1])
    if re.search(r"count[-_]?tokens", exchange.path, re.IGNORECASE):
        return
    if "/messages" in exchange.path or any(one.get("type") == "message" for one in found):
        yield from ((named if amazon else model, counts, cost) for model, counts, cost in _anthropic(named, found))
    elif any("usageMetadata" in one for one in found) and "cachedContents" not in exchange.path:
        yield from google.gemini(named, found)
    elif any("predictions" in one for one in found):
        yield from google.vertex_embeddings(named, found)
    elif path or _has(found, "inputTokens"):
        yield from _bedrock(named, exchange, found)
    elif _has(found, "billed_units"):
        yield from _cohere(named, found)
    elif any("prompt_eval_count" in one for one in found):
        last = found[-1]  # Ollama's last line
        counts = {"input_tokens": last["prompt_eval_count"], "output_tokens": last.get("eval_count")}
        yield last["model"], counted(counts), None
    else:
        yield from _openai(provider, named, found)


def _openai(provider: str, named: str, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """Chat, responses, embeddings: the last usage that is stated, of the response that ended if there is one.

    Groq's compound systems state what each model did.
    """
    parts = [one["usage_breakdown"]["models"] for one in found if one.get("usage_breakdown")]
    if parts:
        yield from ((one["model"], _openai_counts(provider, one["usage"]), None) for one in parts[-1])
        return
    usage: Json = {}
    model, output, tools = named, [], {}
    for one in found:
        holder = one["response"] if isinstance(one.get("response"), dict) else one
        if holder.get("status") in {"queued", "in_progress"}:
            continue
        model = holder.get("model") or model
        stated = holder.get("usage") or (holder.get("x_groq") or {}).get("usage")
        if isinstance(stated, dict):
            usage, output, tools = stated, holder.get("output") or [], holder.get("tool_usage") or {}
    counts = _openai_counts(provider, usage, model)
    if not counts:
        return
    if provider == "databricks":  # answers name the model underneath, the price list those that are asked for
        model = named
    if "-search-" in named:  # chat with a model that is made for searching does so once an answer
        counts["web_searches"] = counts.get("web_searches", 0) + 1
    searches = sum(
        item.get("type") == "web_search_call" and (item.get("action") or {}).get("type", "search") == "search"
        for item in output
    )
    searches = max(searches, (tools.get("web_search") or {}).get("num_requests") or 0)
    if searches:
        counts["web_searches"] = searches
    yield model, counts, _cost(usage)
    drawn = tools.get("image_gen") or {}
    if drawn.get("total_tokens"):
        sides = {f"{side}_tokens": drawn[f"{side}_tokens"] for side in ("input", "output")}
        text = {
            f"{side}_text_tokens": (drawn.get(f"{side}_tokens_details") or {}).get("text_tokens")
            for side in ("input", "output")
        }
        yield "", counted(sides | text), None


def _openai_counts(provider: str, usage: Json, model: str = "") -> Counts:
    given = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens")) or 0
    total = usage.get("total_tokens") or 0
    if given is None:
        given = total - written
    given += usage.get("connector_tokens") or 0  # Mistral's conversations: beside the prompt
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    out = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    reasoning = out.get("reasoning_tokens") or usage.get("reasoning_tokens") or 0
    if provider == "x-ai" and "completion_tokens" in usage:  # "completion_tokens" leaves reasoning out, total has it
        written += reasoning
    researches = provider == "perplexity" and "deep-research" in model
    if provider == "perplexity":  # stated beside "completion_tokens"; citations are billed for Deep Research alone
        written += usage.get("reasoning_tokens") or 0
        written += (usage.get("citation_tokens") or 0) if researches else 0
    written = max(written, total - given)  # Gemini: thoughts are in the total alone
    counts = {
        "input_tokens": given,
        "cache_read_tokens": details.get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")  # DeepSeek
        or usage.get("cached_tokens")  # Moonshot
        or 0,
        "cache_write_tokens": details.get("cache_write_tokens") or 0,
        "output_tokens": written,
        "reasoning_tokens": min(reasoning, written),
        "input_audio_tokens": details.get("audio_tokens") or 0,
        "output_audio_tokens": out.get("audio_tokens") or 0,
        "web_searches": _stated_searches(usage, researches),
    }
    return counted(counts)


def _stated_searches(usage: Json, researches: bool) -> int:
    """Perplexity's Deep Research, OpenRouter's own tool, the sources of xAI's live search, Mistral's connectors."""
    own_tools = usage.get("server_tool_use_details") or usage.get("server_tool_use") or {}
    queries = (usage.get("num_search_queries") or 0) if researches else 0
    connectors = (usage.get("connectors") or {}).get("web_search") or 0
    return queries or own_tools.get("web_search_requests") or usage.get("num_sources_used") or connectors or 0


def _cost(usage: Json) -> int | None:
    """The cost that the provider states, in nano-dollars; None for 0, which is not believed."""
    if usage.get("cost_in_usd_ticks"):
        return -(-int(usage["cost_in_usd_ticks"]) // 10)
    cost = usage.get("cost")
    cost = cost.get("total_cost") if isinstance(cost, dict) else cost
    if usage.get("is_byok") and cost is not None:
        upstream = (usage.get("cost_details") or {}).get("upstream_inference_cost")
        cost = None if upstream is None else cost + upstream
    if not cost:
        return None
    return int((cost * 1_000_000_000).to_integral_value(ROUND_CEILING))


def _anthropic(named: str, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """`message_start` states the usage so far, `message_delta` the whole; cache tokens are beside `input_tokens`."""
    usage: Json = {}
    model = named
    for one in found:
        message = one.get("message") if isinstance(one.get("message"), dict) else {}
        if one.get("type") == "message":
            message = one
        model = message.get("model") or model
        for stated in (message.get("usage"), one.get("usage")):
            usage |= {name: value for name, value in (stated or {}).items() if value}
    iterations = usage.get("iterations") or []
    if not iterations or _cost(usage):
        yield from ((model, counts, _cost(usage)) for counts in [_anthropic_counts(usage)] if counts)
        return
    by_model: dict[str, Counts] = {model: {}}
    for one in iterations:
        named = one.get("model") or model
        sums = by_model.setdefault(model if named.startswith(model) or model.startswith(named) else named, {})
        for name, count in _anthropic_counts(one).items():
            sums[name] = sums.get(name, 0) + count
    searches = (usage.get("server_tool_use") or {}).get("web_search_requests") or 0
    if searches:
        by_model.setdefault(model, {})["web_searches"] = searches
    yield from ((name, counts, None) for name, counts in by_model.items() if counts)


def _anthropic_counts(usage: Json) -> Counts:
    written = usage.get("cache_creation_input_tokens") or 0
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
    read = usage.get("cache_read_input_tokens") or 0
    return counted(
        {
            "input_tokens": (usage.get("input_tokens") or 0) + read + written,
            "cache_read_tokens": read,
            "cache_write_tokens": written - hour,
            "cache_write_1h_tokens": hour,
            "output_tokens": usage.get("output_tokens") or 0,
            "reasoning_tokens": (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
            "web_searches": (usage.get("server_tool_use") or {}).get("web_search_requests") or 0,
        }
    )


def _bedrock(named: str, exchange: Exchange, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """`usage` of converse, `metadata.usage` of its stream, or the headers of an invocation."""
    usage: Json = {}
    for one in found:
        stated = one.get("usage") or (one.get("metadata") or {}).get("usage")
        usage = stated if isinstance(stated, dict) and "inputTokens" in stated else usage
    if not usage:
        given, written = (
            exchange.headers.get(f"x-amzn-bedrock-{side}-token-count", "0") for side in ("input", "output")
        )
        counts = counted({"input_tokens": int(given), "output_tokens": int(written)})
        yield from ((named, one, None) for one in [counts] if one)
        return
    read, written = usage.get("cacheReadInputTokens") or 0, usage.get("cacheWriteInputTokens") or 0
    hour = sum(one.get("inputTokens", 0) for one in usage.get("cacheDetails") or [] if one.get("ttl") == "1h")
    counts = {
        "input_tokens": usage["inputTokens"] + read + written,
        "cache_read_tokens": read,
        "cache_write_tokens": written - hour,
        "cache_write_1h_tokens": hour,
        "output_tokens": usage.get("outputTokens") or 0,
        "web_searches": (usage.get("serverToolUsage") or {}).get("webSearchRequests") or 0,
    }
    yield named, counted(counts), None


def _cohere(named: str, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """`billed_units`, wherever it is."""
    billed: Json = {}
    rest: list[Any] = list(found)
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            billed = one.get("billed_units") or billed
            rest.extend(one.values())
    given = (billed.get("input_tokens") or 0) + (billed.get("image_tokens") or 0)
    counts = counted(
        {
            "input_tokens": given,
            "output_tokens": billed.get("output_tokens"),
            "rerank_searches": billed.get("search_units"),
        }
    )
    yield from ((named, one, None) for one in [counts] if one)


def _has(value: Any, name: str) -> bool:
    """Whether a field of that name is anywhere in there."""
    if isinstance(value, list):
        return any(_has(one, name) for one in value)
    return isinstance(value, dict) and (name in value or any(_has(one, name) for one in value.values()))


def _amazon(body: bytes) -> Iterator[Any]:
    """Events of converse-stream by the name in their header; chunks of an invocation are base64 inside of JSON."""
    import base64

    buffer = EventStreamBuffer()
    buffer.add_data(body)
    for message in buffer:
        for data in _json(message.payload.decode()):
            if isinstance(data, dict) and "bytes" in data:
                yield from _json(base64.b64decode(data["bytes"]).decode())
            else:
                yield {message.headers.get(":event-type", ""): data}


def _json(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text, parse_float=Decimal)
    except ValueError:
        return
