"""The most input tokens of a request in the words of Bedrock's Converse, which Nova also takes when it is invoked."""

from collections.abc import Mapping
from typing import Any

from spendgate.wire import sizing
from spendgate.wire.fields import rows, table

TEXTS = frozenset({"txt", "md", "csv", "html"})
OTHER_IMAGE = 6_500
"""An image for a model that is not Claude: the most that is documented, for four tiles of Llama 3.2."""


def tokens(model: str, body: Mapping[str, Any]) -> int | None:
    """The most tokens that the model can be sent; None where that is as much as it can take."""
    config = table(body.get("toolConfig"))
    tools = rows(config.get("tools"))
    if body.get("promptVariables") or any("systemTool" in table(tool) for tool in tools):
        return None
    messages = rows(body.get("messages"))
    shown = [part for part in (config, body.get("additionalModelRequestFields"), body.get("outputConfig")) if part]
    return sizing.total(
        [
            sizing.text(shown) + sizing.TOOLS_TOKENS * bool(tools),
            blocks(model, body.get("system")),
            sizing.MESSAGE_TOKENS * (len(messages) + 1),
            *(blocks(model, table(message).get("content")) for message in messages),
        ]
    )


def blocks(model: str, value: Any) -> int | None:
    """Blocks of content."""
    return sizing.total(_block(model, table(block)) for block in rows(value))


def image(model: str, data: str) -> int:
    """An image, for any model."""
    return sizing.anthropic_image(model, data) if "claude" in model else OTHER_IMAGE


def _block(model: str, block: Mapping[str, Any]) -> int | None:
    found: list[int | None] = []
    for kind, value in block.items():
        if kind in {"image", "document", "video", "audio"}:
            found.append(_media(model, kind, table(value)))
        elif kind == "toolResult":
            beside = {name: part for name, part in table(value).items() if name != "content"}
            found += [sizing.text(beside), blocks(model, table(value).get("content"))]
        elif kind == "guardContent":
            found.append(blocks(model, [value]))
        else:
            found.append(sizing.text(value))
    return sizing.total(found)


def _media(model: str, kind: str, value: Mapping[str, Any]) -> int | None:
    source = table(value.get("source"))
    beside = sizing.text({name: part for name, part in value.items() if name != "source"})
    if "text" in source:
        return beside + sizing.text(source["text"])
    if "content" in source:
        return sizing.total([beside, blocks(model, source["content"])])
    data = source.get("bytes")
    if not isinstance(data, str):
        return None
    return sizing.total([beside, _sized(model, kind, str(value.get("format")), data)])


def _sized(model: str, kind: str, form: str, data: str) -> int | None:
    if kind == "image":
        return image(model, data)
    if kind == "audio":
        return sizing.audio(data)
    if kind == "video":
        return sizing.video(data)
    if form == "pdf":
        return sizing.pdf(data, image(model, ""))
    return sizing.file(data) if form in TEXTS else None
