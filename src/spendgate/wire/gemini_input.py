"""The most input tokens of a request to Gemini, and what else it asks to be paid for.

Google's APIs take every name in camel case and with underscores; so does everything here.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from spendgate.wire import sizing
from spendgate.wire.exchange import Path
from spendgate.wire.fields import rows, table, whole
from spendgate.wire.gemini_usage import PER_PROMPT
from spendgate.wire.searches import MOST_SEARCHES

PAGE_TOKENS = 1_120
"""A page of a document, in high resolution: https://ai.google.dev/gemini-api/docs/media-resolution"""


def get(source: Mapping[str, Any], name: str) -> Any:
    """A field by its name in camel case, or with underscores.

    >>> get({"max_output_tokens": 5}, "maxOutputTokens")
    5
    """
    return source.get(name, source.get(snake(name)))


def snake(name: str) -> str:
    """A name in camel case with underscores."""
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)


def tokens(model: str, body: Mapping[str, Any]) -> int | None:
    """The most tokens that the model can be sent; None where that is as much as it can take."""
    tools = rows(body.get("tools"))
    if get(body, "cachedContent") or any(_hosted(table(tool)) for tool in tools):
        return None
    config = table(get(body, "generationConfig"))
    schemas = [get(config, name) for name in ("responseSchema", "responseJsonSchema", "responseFormat")]
    shown = [part for part in (tools, get(body, "toolConfig"), *schemas) if part]
    return sizing.total(
        [
            sizing.text(shown) + sizing.TOOLS_TOKENS * bool(tools),
            contents(model, get(body, "systemInstruction")),
            contents(model, body.get("contents")),
        ]
    )


def contents(model: str, value: Any) -> int | None:
    """Contents, each with its parts: a list of them or one alone, or only text."""
    listed = value if isinstance(value, list) else [value]
    found: list[int | None] = [sizing.MESSAGE_TOKENS * len(listed)]
    for content in listed:
        parts = table(content).get("parts", content)
        found += [_part(model, part) for part in (parts if isinstance(parts, list) else [parts])]
    return sizing.total(found)


def cap(body: Mapping[str, Any]) -> tuple[Path, int | None, int]:
    """Where the most output of one answer is said, how much that is, and how many answers are asked for."""
    name = "generation_config" if "generation_config" in body else "generationConfig"
    config = table(body.get(name))
    inner = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
    answers = max(1, whole(get(config, "candidateCount")) or 1)
    return (name, inner), whole(config.get(inner)), answers


def searches(model: str, body: Mapping[str, Any]) -> int:
    """The most searches that can be billed: one for the older models, else what is set aside for them."""
    names = ("googleSearch", "googleSearchRetrieval", "googleMaps", "enterpriseWebSearch")
    if not any(get(table(tool), name) is not None for tool in rows(body.get("tools")) for name in names):
        return 0
    return 1 if PER_PROMPT.search(model) else MOST_SEARCHES


def _hosted(tool: Mapping[str, Any]) -> bool:
    """Whether Google runs a tool: then the model reads what it found."""
    return any(name not in {"functionDeclarations", "function_declarations"} for name in tool)


def _part(model: str, value: Any) -> int | None:
    part = table(value)
    if get(part, "fileData") is not None or get(part, "mediaProcessing") is not None:
        return None  # elsewhere, or looked at piece by piece as often as the model likes
    inline = get(part, "inlineData")
    if inline is not None:
        return _inline(model, table(inline), table(get(part, "videoMetadata")))
    response = table(get(part, "functionResponse"))
    if isinstance(response.get("parts"), list):
        beside = {name: found for name, found in response.items() if name != "parts"}
        return sizing.total([sizing.text(beside), *(_part(model, inner) for inner in response["parts"])])
    return sizing.text(value)


def _inline(model: str, inline: Mapping[str, Any], film: Mapping[str, Any]) -> int | None:
    data, kind = inline.get("data"), str(get(inline, "mimeType"))
    if not isinstance(data, str):
        return None
    if kind.startswith("image/"):
        return sizing.gemini_image(model, data)
    if kind.startswith("audio/"):
        return sizing.audio(data)
    if kind.startswith("video/"):
        rate = film.get("fps")
        return sizing.video(data, float(rate) if isinstance(rate, int | Decimal) else 1)
    if kind == "application/pdf":
        return sizing.pdf(data, PAGE_TOKENS)
    return sizing.file(data) if kind.startswith("text/") or kind == "application/json" else None
