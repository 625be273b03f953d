"""The most input tokens of a request in OpenAI's dialect: text by its bytes, media by what is documented of them."""

from collections.abc import Callable, Mapping
from typing import Any

from spendgate.wire import sizing
from spendgate.wire.fields import rows, table

PREAMBLE_TOKENS = 256
"""What a model's own template puts before the first message: gpt-oss has 70 tokens of it, others have a date."""
PDF_PAGE_TOKENS = 1_445
"""A page of a PDF as an image, in tiles: the most that OpenAI documents."""

LOCAL_TOOLS = frozenset(
    {"function", "custom", "namespace", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
"""Tools that the caller runs himself: what they say comes back in a request. All others add to the input unseen."""
REFERRING = ("file_id", "file_url", "video_id", "audio_id", "audio")

Size = Callable[[str, Mapping[str, Any]], int | None]


def content(model: str, value: Any) -> int | None:
    """Messages, items or their content as tokens; None where they refer to something that is not in the request."""
    found, rest = 0, [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            found += len(part) if part.isascii() else sizing.text(part)
        elif isinstance(part, dict):
            kind = part.get("type")
            measure = MEDIA.get(kind) if isinstance(kind, str) else None
            if measure is not None:
                size = measure(model, part)
                if size is None:
                    return None
                found += size
            elif any(map(part.get, REFERRING)):
                return None
            else:
                found += 6 * len(part) + 2
                rest.extend(part)
                rest.extend(part.values())
        elif isinstance(part, list):
            found += 3 * len(part) + 2
            rest.extend(part)
        else:
            found += sizing.text(part)
    return found


def messages(model: str, value: Any) -> int | None:
    """A list of messages or items, or a text in place of it."""
    count = max(1, len(rows(value)))
    return sizing.total([PREAMBLE_TOKENS, count * sizing.MESSAGE_TOKENS, content(model, value)])


def tools(value: Any) -> int | None:
    """Definitions of tools; None where the provider runs one of them, for what it finds is read by the model too."""
    listed = rows(value)
    if not listed:
        return 0
    if not all(_is_local(table(tool)) for tool in listed):
        return None
    return sizing.TOOLS_TOKENS + sizing.text(listed)


def _is_local(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    return "function" in tool if kind is None else isinstance(kind, str) and kind in LOCAL_TOOLS


def ids(value: Any) -> tuple[int, int] | None:
    """Texts to embed or to complete: how many, and their tokens; None for what is neither text nor tokens.

    >>> ids("abc"), ids(["a", "bc"]), ids([[1, 2], [3]]), ids([1, 2, 3])
    ((1, 3), (2, 3), (2, 3), (1, 3))
    """
    if isinstance(value, str):
        return 1, sizing.text(value)
    listed = rows(value)
    if not listed or all(type(token) is int for token in listed):
        return 1, len(listed)
    found = 0
    for entry in listed:
        if isinstance(entry, str):
            found += sizing.text(entry)
        elif isinstance(entry, list) and all(type(token) is int for token in entry):
            found += len(entry)
        else:
            return None
    return len(listed), found


def _image(model: str, part: Mapping[str, Any]) -> int | None:
    """`image_url` of chat, as an object or a text; `input_image` and `computer_screenshot` of responses."""
    image = part.get("image_url")
    source = table(image)
    url = source.get("url") if source else image
    if not isinstance(url, str) or not url.startswith("data:"):
        return None
    detail = source.get("detail") or part.get("detail")
    return sizing.openai_image(model, detail if isinstance(detail, str) else "auto", url)


def _audio(_model: str, part: Mapping[str, Any]) -> int | None:
    """`input_audio`: base64 in `data`, or the text itself (Mistral)."""
    sound = part.get("input_audio")
    data = table(sound).get("data") if isinstance(sound, dict) else sound
    return sizing.audio(data) if isinstance(data, str) and not data.startswith("http") else None


def _file(_model: str, part: Mapping[str, Any]) -> int | None:
    """`file` of chat, `input_file` of responses: a data URL, or base64 alone."""
    source = table(part.get("file")) or part
    data = source.get("file_data")
    if not isinstance(data, str) or data.startswith("http"):
        return None
    if data.startswith("data:text/"):
        return sizing.file(data)
    return sizing.pdf(data, PDF_PAGE_TOKENS)


def _video(_model: str, part: Mapping[str, Any]) -> int | None:
    film = part.get("video_url")
    url = table(film).get("url") if isinstance(film, dict) else film
    return sizing.video(url) if isinstance(url, str) and url.startswith("data:") else None


def _document(_model: str, part: Mapping[str, Any]) -> int | None:
    """`document_url` of Mistral."""
    url = part.get("document_url")
    return sizing.pdf(url, PDF_PAGE_TOKENS) if isinstance(url, str) and url.startswith("data:") else None


def _made_image(model: str, _part: Mapping[str, Any]) -> int | None:
    """An image that the model made before, with its base64 in `result`."""
    return sizing.openai_image(model)


def _elsewhere(_model: str, _part: Mapping[str, Any]) -> int | None:
    return None


MEDIA: Mapping[str, Size] = {
    "image_url": _image,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_audio": _audio,
    "file": _file,
    "input_file": _file,
    "video_url": _video,
    "document_url": _document,
    "image_generation_call": _made_image,
    "item_reference": _elsewhere,
    "image": _elsewhere,
    "document": _elsewhere,
    "video": _elsewhere,
}
