"""What an answer of Gemini or of Vertex AI says by Google's documentation: a part of the tests' second reading."""

import re
from collections.abc import Iterator
from typing import Any

Counts = dict[str, int]
Json = dict[str, Any]


def counted(counts: dict[str, Any]) -> Counts:
    """What is not 0."""
    return {name: int(count) for name, count in counts.items() if count}


def gemini(named: str, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """The last `usageMetadata` counts; thoughts and the prompts of tools are beside the other two counts."""
    stated = [one for one in found if "usageMetadata" in one]
    usage: Json = {}
    for one in stated:  # each chunk states what there is so far
        usage |= {name: value for name, value in one["usageMetadata"].items() if value}

    def of(name: str, *kinds: str) -> int:
        return sum(one.get("tokenCount", 0) for one in usage.get(name) or [] if one.get("modality") in kinds)

    def spoken(name: str) -> int:
        return of(name, "AUDIO")

    pictures = ("IMAGE", "VIDEO", "DOCUMENT")
    version = str(stated[-1].get("modelVersion") or named).rpartition("/")[2]

    thoughts = usage.get("thoughtsTokenCount") or 0
    embeds = not any("candidates" in one or "promptFeedback" in one for one in found)
    prompt = usage.get("promptTokenCount") or (usage.get("totalTokenCount") if embeds else 0) or 0
    given = prompt + (usage.get("toolUsePromptTokenCount") or 0)
    written = (usage.get("candidatesTokenCount") or usage.get("responseTokenCount") or 0) + thoughts
    counts = {
        "input_tokens": given,
        "cache_read_tokens": usage.get("cachedContentTokenCount") or 0,
        "output_tokens": max(written, (usage.get("totalTokenCount") or 0) - given),
        "reasoning_tokens": thoughts,
        "input_audio_tokens": spoken("promptTokensDetails") + spoken("toolUsePromptTokensDetails"),
        "cache_audio_read_tokens": spoken("cacheTokensDetails"),
        "output_audio_tokens": spoken("candidatesTokensDetails"),
        "web_searches": _searches(named, found),
    }
    shown, read = of("candidatesTokensDetails", *pictures), of("promptTokensDetails", *pictures)
    read += of("toolUsePromptTokensDetails", *pictures)
    if read or (embeds and usage.get("promptTokensDetails")):
        counts["input_text_tokens"] = given - read - counts["input_audio_tokens"]
    if shown or ("image" in version and usage.get("candidatesTokensDetails")):
        counts["output_text_tokens"] = (usage.get("candidatesTokenCount") or 0) - shown - counts["output_audio_tokens"]
    yield version, counted(counts), None


def _searches(named: str, found: list[Json]) -> int:
    """Gemini 3 is billed by query, what came before it by prompt that was grounded; places on a map count as one."""
    grounded = [one.get("groundingMetadata") or {} for each in found for one in each.get("candidates") or []]
    asked = [query for one in grounded for query in one.get("webSearchQueries") or []]
    asked += [query for one in grounded for query in one.get("imageSearchQueries") or []]
    chunks = [chunk for one in grounded for chunk in one.get("groundingChunks") or []]
    queries, places = {query for query in asked if query.strip()}, any("maps" in chunk for chunk in chunks)
    if re.search(r"gemini-[12]\.", named):
        cited = any((chunk.get("web") or {}).get("uri") for chunk in chunks)
        return int(bool(queries and cited) or places)
    return len(queries) or int(places)


def vertex_embeddings(named: str, found: list[Json]) -> Iterator[tuple[str, Counts, int | None]]:
    """Vertex AI counts the tokens of each text."""
    texts = [one["embeddings"]["statistics"]["token_count"] for each in found for one in each["predictions"]]
    yield named, counted({"input_tokens": sum(texts)}), None
