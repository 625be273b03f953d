"""How many input tokens content can be: text by bytes, media by what their first bytes say."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.wire import gemini_input, media, sizing

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> str:
    return b64(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0" + bytes(500))


def jpeg(width: int, height: int, remarks: int = 0) -> str:
    """A JPEG with so many bytes of a camera's remarks before its size."""
    before = b"\xff\xe1" + struct.pack(">H", remarks + 2) + b"x" * remarks if remarks else b""
    frame = b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
    return b64(b"\xff\xd8" + before + b"\xff\xc4\0\x04ab" + b"\xff" + frame + bytes(100))


def gif(width: int, height: int) -> str:
    return b64(b"GIF89a" + struct.pack("<HH", width, height) + bytes(50))


def webp(kind: bytes, width: int, height: int) -> str:
    sizes = {
        b"VP8X": bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little"),
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }
    return b64(b"RIFF\0\0\0\0WEBP" + kind + b"\0\0\0\0" + sizes[kind] + bytes(50))


@given(VALUES.filter(lambda value: value is not None and not isinstance(value, str)))
def test_what_is_no_text_counts_as_its_json(value: Any) -> None:
    """Keys, numbers, punctuation and escapes count: never less than the bytes of the JSON, and little more."""
    written = len(json.dumps(value, ensure_ascii=False).encode())
    assert written <= sizing.text(value) <= 2 * written + 2


@given(st.text())
def test_a_text_is_its_bytes(text: str) -> None:
    """At most a token for each byte of UTF-8; half of a surrogate pair does no harm."""
    assert sizing.text(text) == len(text.encode())
    assert sizing.text(text + "\ud800") == len(text.encode()) + 3


def test_deep_nesting_does_no_harm() -> None:
    """Content nested a hundred thousand deep is still measured."""
    value: Any = "x"
    for _ in range(100_000):
        value = [value]
    assert sizing.text(value) >= 100_000


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(640, 480), (640, 480)),
        (f"data:image/png;base64,{png(640, 480)}", (640, 480)),
        (jpeg(640, 480), (640, 480)),
        (jpeg(640, 480, remarks=60_000), (640, 480)),
        (gif(640, 480), (640, 480)),
        (webp(b"VP8X", 640, 480), (640, 480)),
        (webp(b"VP8L", 640, 480), (640, 480)),
        (webp(b"VP8 ", 640, 480), (640, 480)),
        ("", None),
        ("data:", None),
        ("not base64 at all!", None),
        (b64(b"\x89PNG\r\n\x1a\n"), None),
        (b64(b"\xff\xd8"), None),
        (b64(b"\xff\xd8\xff\xe1\xff"), None),
        (b64(b"RIFF\0\0\0\0WEBPVP8X"), None),
        (b64(b"BM" + bytes(100)), None),
    ],
)
def test_the_first_bytes_of_an_image_say_its_size(data: str, size: tuple[int, int] | None) -> None:
    """PNG, JPEG, GIF and three kinds of WebP; whatever else is there has no size."""
    assert media.pixels(data) == size


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "]),
)
def test_noise_does_no_harm(noise: bytes, start: bytes) -> None:
    """Any bytes behind the start of an image have a size or none, and every ceiling."""
    data = b64(start + noise)
    for ceiling in (sizing.anthropic_image, sizing.gemini_image):
        assert 0 <= ceiling("m", data) <= 6_192
    assert 0 <= sizing.openai_image("gpt-4o", "high", data) <= 1_445
    assert sizing.audio(data) >= 0
    assert sizing.pdf(data, 1) is None


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        ("claude-3-5-sonnet-20241022", 200, 200, 54 + 14),
        ("claude-sonnet-4-5", 1_000, 1_000, 1_334 + 4),
        ("claude-sonnet-4-5", 4_000, 4_000, 1_600),
        ("claude-opus-4-8", 4_000, 4_000, 4_784),
        ("claude-opus-5", 4_000, 4_000, 4_784),
        ("us.anthropic.claude-opus-4-6-v1:0", 4_000, 4_000, 1_600),
        ("claude-haiku-4-5@20251001", 4_000, 4_000, 1_600),
    ],
)
def test_images_for_claude(model: str, width: int, height: int, tokens: int) -> None:
    """A token for 750 pixels or a patch, up to the most that the generation of the model takes."""
    assert sizing.anthropic_image(model, png(width, height)) == tokens
    assert sizing.anthropic_image(model) in {1_600, 4_784}


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [(384, 384, 258), (385, 384, 4 * 258), (960, 540, 6 * 258), (3_072, 384, 24 * 258), (9_000, 9_000, 24 * 258)],
)
def test_images_for_gemini(width: int, height: int, tokens: int) -> None:
    """258 for each tile, of which there are 24 at most; newer models state a most of their own."""
    assert sizing.gemini_image("gemini-2.5-flash", png(width, height)) == tokens
    assert sizing.gemini_image("gemini-3-pro-preview", png(width, height)) == 2_240


@pytest.mark.parametrize(
    ("model", "detail", "size", "tokens"),
    [
        ("gpt-4o", "low", None, 85),
        ("gpt-4o", "high", (1_024, 1_024), 765),
        ("gpt-4o", "high", (2_048, 4_096), 85 + 6 * 170),
        ("gpt-4o", "auto", None, 85 + 8 * 170),
        ("openai/gpt-4o", "auto", None, 85 + 8 * 170),
        ("gpt-4o-mini", "low", None, 2_833),
        ("gpt-4o-mini", "auto", None, 2_833 + 8 * 5_667),
        ("gpt-4.1-mini", "auto", (1_024, 1_024), 2_520),
        ("gpt-5-nano", "auto", None, 3_779),
        ("some-model", "high", None, 6_150),
        ("some-model", "auto", None, 24_600),
    ],
)
def test_images_for_the_dialect_of_openai(model: str, detail: str, size: tuple[int, int] | None, tokens: int) -> None:
    """Tiles or patches, by the model; what is not known counts as the most that anybody documents."""
    assert sizing.openai_image(model, detail, png(*size) if size else "") == tokens


def test_sounds_last_as_long_as_they_say() -> None:
    """A WAV states its bytes a second; everything else is taken as the smallest speech there is."""
    head = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    wav = b64(head + bytes(320_000 - len(head)))
    assert media.seconds(wav, 500) in {10, 11}
    assert sizing.audio(wav) <= 11 * 32
    assert sizing.audio(b64(bytes(5_000))) == 11 * 32
    assert sizing.audio(b64(bytes(5_000)), tokens_s=10) == 110
    lying = b64(head[:28] + bytes(4) + head[32:] + bytes(5_000))
    assert media.seconds(lying, 500) == 11


def test_films_count_each_frame() -> None:
    """More frames a second are more tokens."""
    film = b64(bytes(3_000))
    assert sizing.video(film, 2) > sizing.video(film) >= 3 * 280


def test_pages_of_a_document_are_counted_where_they_can_be() -> None:
    """Each page is its image and its text; compressed or locked documents are open."""
    pages = b"%PDF-1.4 /Type /Pages /Count 2 /Type /Page >> /Type/Page>>"
    assert sizing.pdf(b64(pages), 1_600) == 2 * 4_600
    assert sizing.pdf(b64(pages + b"/ObjStm"), 1_600) is None
    assert sizing.pdf(b64(pages + b"/Encrypt"), 1_600) is None
    assert sizing.pdf(b64(b"%PDF-1.4"), 1_600) is None
    assert sizing.file(b64(b"hello")) >= 5


def test_one_open_part_leaves_the_whole_open() -> None:
    """What cannot be measured makes the sum the model's context."""
    assert (sizing.total([]), sizing.total([1, 2]), sizing.total([1, None, 2])) == (0, 3, None)


def test_a_film_that_is_looked_at_piece_by_piece_has_no_bound() -> None:
    """Gemini then reads as many of its pictures as it likes."""
    film = {"inlineData": {"mimeType": "video/mp4", "data": b64(bytes(3_000))}}
    assert gemini_input.contents("gemini-3.7-flash", {"parts": [film]}) is not None
    assert gemini_input.contents("gemini-3.7-flash", {"parts": [{**film, "mediaProcessing": "AGENTIC"}]}) is None
