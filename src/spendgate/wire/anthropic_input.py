"""The most input tokens of a request in Anthropic's dialect, and what else it asks to be paid for."""

import re
from collections.abc import Mapping
from typing import Any

from spendgate.wire import sizing
from spendgate.wire.fields import rows, table, whole
from spendgate.wire.searches import MOST_SEARCHES

RUN_BY_CALLER = re.compile(r"custom$|bash_|text_editor_|computer_2|memory_")
"""Tools that the caller runs himself. Each use of another kind is run by Anthropic, and the model sampled again."""
RUN_BY_ANTHROPIC = ("mcp_servers", "container", "fallbacks", "compaction")
"""Fields that bring in input of their own, or have the prompt read more than once."""
COMPUTER_TOKENS = 735
"""Each of Anthropic's own kinds of tool: https://platform.claude.com/docs/en/about-claude/pricing#tool-use-pricing"""


def tokens(model: str, body: Mapping[str, Any]) -> int | None:
    """The most tokens that the model can be sent; None where that is as much as it can take."""
    tools = rows(body.get("tools"))
    kinds = [table(tool).get("type") or "custom" for tool in tools]
    if any(body.get(name) for name in RUN_BY_ANTHROPIC) or not all(RUN_BY_CALLER.match(str(kind)) for kind in kinds):
        return None
    if "compact" in str(body.get("context_management") or ""):
        return None
    names = ("tools", "tool_choice", "output_config", "output_format", "prompt")
    shown = [body[name] for name in names if body.get(name)]
    own_kinds = sum(kind != "custom" for kind in kinds)
    messages = rows(body.get("messages"))
    return sizing.total(
        [
            sizing.text(shown),
            sizing.TOOLS_TOKENS + own_kinds * COMPUTER_TOKENS if tools else 0,
            content(model, body.get("system")),
            sizing.MESSAGE_TOKENS * (len(messages) + 1),
            *(content(model, table(message).get("content")) for message in messages),
        ]
    )


def content(model: str, value: Any) -> int | None:
    """What a message contains: text, or blocks of text, images, documents and results of tools."""
    if not isinstance(value, list):
        return sizing.text(value)
    return sizing.total(_block(model, block) for block in value)


def searches(body: Mapping[str, Any]) -> int:
    """The most searches of the web: `max_uses` of the tool for it, or what is set aside where there is no such cap."""
    found = 0
    for tool in rows(body.get("tools")):
        if str(table(tool).get("type")).startswith("web_search"):
            most = whole(table(tool).get("max_uses"))
            found += MOST_SEARCHES if most is None else most
    return found


def output(body: Mapping[str, Any]) -> int | None:
    """The most tokens of output, of the answer, fallbacks and uses of an advisor; None where nothing caps it."""
    most = whole(body.get("max_tokens", body.get("max_tokens_to_sample")))
    if most is None:
        return None
    fallbacks = body.get("fallbacks")
    for hop in fallbacks if isinstance(fallbacks, list) else [None] * bool(fallbacks):
        own = whole(table(hop).get("max_tokens"))
        most += (whole(body.get("max_tokens")) or 0) if own is None else own
    for tool in rows(body.get("tools")):
        if str(table(tool).get("type")).startswith("advisor"):
            uses, each = whole(table(tool).get("max_uses")), whole(table(tool).get("max_tokens"))
            most += (1 if uses is None else uses) * (2_048 if each is None else each)
    return most


def _block(model: str, value: Any) -> int | None:
    block = table(value)
    kind = block.get("type")
    if kind in {"image", "document"} and "source" in block:
        beside = {name: part for name, part in block.items() if name != "source"}
        return sizing.total([sizing.text(beside), _source(model, kind, table(block["source"]))])
    if kind == "container_upload" or "file_id" in block:
        return None
    inner = block.get("content")
    if isinstance(inner, list):
        beside = {name: part for name, part in block.items() if name != "content"}
        return sizing.total([sizing.text(beside), content(model, inner)])
    return sizing.text(value)


def _source(model: str, kind: str, source: Mapping[str, Any]) -> int | None:
    held = source.get("type")
    data = source.get("data")
    if held == "content":
        return content(model, source.get("content"))
    if held == "text":
        return sizing.text(data)
    if held != "base64" or not isinstance(data, str):
        return None
    if kind == "image":
        return sizing.anthropic_image(model, data)
    if str(source.get("media_type")).startswith("text/"):
        return sizing.file(data)
    return sizing.pdf(data, sizing.anthropic_image(model))
