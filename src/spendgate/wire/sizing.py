"""The most input tokens that content of a request can be: text by its bytes, media by what their provider documents.

None stands for *as much as the model can take*: for what a request only refers to, and for what cannot be measured.
"""

import re
from collections.abc import Iterable
from json.encoder import encode_basestring
from math import ceil
from typing import Any

from spendgate.wire import media

TOOLS_TOKENS = 1_500
"""What a provider puts before the prompt when there are tools: Anthropic up to 804, and 735 for a computer.

https://platform.claude.com/docs/en/about-claude/pricing#tool-use-pricing
"""
MESSAGE_TOKENS = 8
"""What stands around each message: OpenAI documents 3 to 4, plus 3 for the answer's start."""
PDF_TEXT_TOKENS = 3_000
"""Text of a dense PDF page, the most that Anthropic documents; its image comes on top.

https://platform.claude.com/docs/en/build-with-claude/pdf-support#estimate-your-costs
"""
SPEECH_BYTES_S = 500
"""No sound is smaller: 4 kbit/s, below every codec for speech that the providers take."""
FILM_BYTES_S = 1_000

OLD_CLAUDE = re.compile(r"claude-(?:[23v]|instant|(?:opus|sonnet|haiku)-4(?:$|@|-2025|-[0156](?!\d)))")
OPENAI_TILES = re.compile(
    r"(?:^|[/:])(?:(?:chat)?gpt-4o(?!-mini)|gpt-4\.1(?!-mini|-nano)|gpt-4\.5|gpt-4-|o[13](?![^-])|gpt-5(?:$|-chat|-codex|-20)"
    r"|computer-use)"
)
OPENAI_PATCHES = re.compile(r"gpt-4\.1-(?:mini|nano)|gpt-5-(?:mini|nano)|o4-mini")


def text(value: Any) -> int:
    """Text as tokens: at most one for each byte of UTF-8, which byte-level tokenizers never exceed.

    Anything else counts as its JSON, keys, punctuation and escapes included, because definitions of tools and results
    are shown to the model in that or a similar form.

    >>> text("naïve"), text({"a": ["b", 10]})
    (6, 20)
    """
    if isinstance(value, str):
        return _bytes(value)
    total, rest = 0, [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            total += _bytes(encode_basestring(part))
        elif isinstance(part, dict):
            total += 4 * len(part) + 2
            rest.extend(part)
            rest.extend(part.values())
        elif isinstance(part, list | tuple):
            total += 2 * len(part) + 2
            rest.extend(part)
        else:
            total += len(str(part))
    return 0 if value is None else total


def total(parts: Iterable[int | None]) -> int | None:
    """Parts together; None as soon as one of them is.

    >>> total([1, 2]), total([1, None])
    (3, None)
    """
    found = 0
    for part in parts:
        if part is None:
            return None
        found += part
    return found


def anthropic_image(model: str, data: str = "") -> int:
    """An image for Claude: a token per 750 pixels, or per patch of 28 by 28, after it was scaled down to fit.

    At most 1,600 tokens, and 4,784 from Opus 4.7 on. https://platform.claude.com/docs/en/build-with-claude/vision
    """
    most = 1_600 if OLD_CLAUDE.search(model) else 4_784
    size = media.pixels(data)
    if size is None:
        return most
    width, height = size
    return min(most, max(ceil(width * height / 750), ceil(width / 28) * ceil(height / 28)) + 4)


def openai_image(model: str, detail: str = "auto", data: str = "") -> int:
    """An image for a model of OpenAI, or of somebody who speaks its dialect.

    Tiles of 512 pixels, at most eight and a base (85 + 8 × 170; gpt-4o-mini 2,833 + 8 × 5,667); patches of 32 pixels,
    at most 1,536 times 2.46; from gpt-5.4 on at most 10,000 patches in the original size, which also bounds what
    others document (Mistral 4,096, xAI 1,792, Qwen 16,384). https://developers.openai.com/api/docs/guides/images-vision
    """
    low = detail == "low"
    if "gpt-4o-mini" in model:
        return 2_833 if low else 2_833 + 5_667 * _tiles(data)
    if OPENAI_TILES.search(model):
        return 85 if low else 85 + 170 * _tiles(data)
    if OPENAI_PATCHES.search(model):
        return _patches(data, 1_536)
    return _patches(data, 2_500 if low or detail == "high" else 10_000)


def gemini_image(model: str, data: str = "") -> int:
    """An image for Gemini: 258 tokens for each tile; Gemini 3 and later at most 2,240.

    An image larger than 384 pixels is cut into tiles of two thirds of its shorter side, from 256 to 768 pixels, after
    it was scaled down to 3,072 pixels: at most 24. https://ai.google.dev/gemini-api/docs/tokens#multimodal-tokens,
    https://ai.google.dev/gemini-api/docs/media-resolution
    """
    if re.search(r"gemini-(?:[3-9]|\d\d)", model):
        return 2_240
    size = media.pixels(data)
    if size is None:
        return 24 * 258
    width, height = size
    if max(width, height) <= 384:
        return 258
    tile = min(max(min(size) / 1.5, 256), 768)
    return 258 * min(24, ceil(width / tile) * ceil(height / tile))


def audio(data: str, tokens_s: int = 32) -> int:
    """A sound, at Gemini's 32 tokens a second; OpenAI documents 10, Mistral 13.

    How long it lasts is only known of a WAV; for everything else 4 kbit/s are taken.
    """
    return tokens_s * media.seconds(data, SPEECH_BYTES_S)


def video(data: str, frames_s: float = 1) -> int:
    """A film, at Gemini's 280 tokens a frame (the most, in high resolution) and 32 a second for its sound."""
    return ceil((280 * max(frames_s, 1) + 32) * media.seconds(data, FILM_BYTES_S))


def pdf(data: str, page_tokens: int) -> int | None:
    """A PDF: each page as an image of so many tokens, and as text; None where its pages cannot be counted."""
    pages = media.pages(data)
    return None if pages is None else pages * (page_tokens + PDF_TEXT_TOKENS)


def file(data: str) -> int:
    """A file of plain text, in base64: a token for each byte."""
    return media.bytes_in(data)


def _tiles(data: str) -> int:
    """Tiles of 512 pixels, after the image was fitted into 2,048 by 2,048 and its shorter side brought to 768."""
    size = media.pixels(data)
    if size is None or not all(size):
        return 8
    longer, shorter = max(size), min(size)
    return min(8, 2 * ceil(min(2_048, 768 * longer / shorter) / 512))


def _patches(data: str, most: int) -> int:
    """Patches of 32 pixels, at the dearest multiplier that is documented."""
    size = media.pixels(data)
    found = most if size is None else min(most, ceil(size[0] / 32) * ceil(size[1] / 32))
    return ceil(found * 2.46)


def _bytes(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
