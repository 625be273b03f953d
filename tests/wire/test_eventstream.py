"""AWS event streams: cut anywhere they give what botocore's decoder gives, and altered ones are noticed."""

from pathlib import Path
from zlib import crc32

import pytest
import yaml
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from spendgate.wire.eventstream import EventStreamError, Frame, FrameDecoder
from tests.wire.frames import event, failure, frame

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
FRAMES = st.lists(
    st.tuples(st.dictionaries(NAMES, st.text(max_size=40), max_size=5), st.binary(max_size=300)), max_size=6
)


def decoded(data: bytes, sizes: list[int] | int) -> list[Frame]:
    """The frames of a stream that arrives in pieces of these sizes, over and over."""
    decoder, at, turn, found = FrameDecoder(), 0, 0, []
    every = [sizes] if isinstance(sizes, int) else sizes
    while at < len(data):
        size = every[turn % len(every)]
        found += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert not decoder.pending
    return found


def by_botocore(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(dict(one.headers), one.payload) for one in buffer]


@given(FRAMES, st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_any_frames_cut_anywhere_are_what_botocore_reads(
    frames: list[tuple[dict[str, str], bytes]], sizes: list[int]
) -> None:
    """Headers and payload of every frame come out as they went in, whatever the pieces."""
    data = b"".join(frame(headers, payload) for headers, payload in frames)
    found = [(one.headers, one.payload) for one in decoded(data, sizes)]
    assert found == frames == by_botocore(data)


@given(FRAMES.filter(bool), st.data())
def test_a_flipped_byte_is_noticed(frames: list[tuple[dict[str, str], bytes]], data: st.DataObject) -> None:
    """One altered byte stops the reading, or leaves a frame waiting: it never gives frames that were not sent."""
    stream = bytearray(b"".join(frame(headers, payload) for headers, payload in frames))
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    decoder = FrameDecoder()
    found: list[tuple[dict[str, str], bytes]] = []
    with pytest.raises(EventStreamError):
        found.extend((one.headers, one.payload) for one in decoder.feed(bytes(stream)))
    assert found == frames[: len(found)]
    assert decoder.broken
    assert list(decoder.feed(frame({}, b"more"))) == []


@given(st.binary(min_size=12, max_size=200))
def test_noise_gives_nothing(noise: bytes) -> None:
    """What is no event stream gives an error and no frame."""
    with pytest.raises(EventStreamError):
        list(FrameDecoder().feed(noise))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 64, 1000, 1 << 20])
def test_recorded_streams_are_what_botocore_reads(shared_data: Path, size: int) -> None:
    """Every recorded event stream, in pieces of every small size."""
    seen = 0
    for path in sorted((shared_data / "recorded").glob("*edrock*.yaml")):
        for one in yaml.safe_load(path.read_text())["interactions"]:
            body = (one["response"].get("body") or {}).get("string")
            if isinstance(body, bytes):
                seen += 1
                found = [(dict(one.headers), one.payload) for one in decoded(body, size)]
                assert found == by_botocore(body)
    assert seen >= 2


def test_frames_say_what_they_are() -> None:
    """An event has its name; an exception or an error comes under its own, and says that it failed."""
    (plain,) = decoded(event("messageStop", {"a": 1}), 5)
    (broken,) = decoded(failure("throttlingException", "slow down"), 5)
    (error,) = decoded(frame({":message-type": "error", ":error-code": "500"}, b""), 5)
    assert [(one.event, one.failed) for one in (plain, broken, error)] == [
        ("messageStop", False),
        ("throttlingException", True),
        ("500", True),
    ]


def test_headers_of_every_type_are_passed_over() -> None:
    """Only text is kept; booleans, numbers, bytes, times and UUIDs are skipped by their length."""
    others = b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02x" + b"\x01d\x03xx" + b"\x01e\x04xxxx" + b"\x01f\x05" + b"x" * 8
    others += b"\x01g\x06\x00\x03xyz" + b"\x01h\x08" + b"x" * 8 + b"\x01i\x09" + b"x" * 16
    data = bytearray(frame({"z": "text"}, b"payload"))
    lines = bytes(data[12:-11]) + others
    start = (16 + len(lines) + 7).to_bytes(4, "big") + len(lines).to_bytes(4, "big")
    start += crc32(start).to_bytes(4, "big")
    whole = start + lines + b"payload"
    (found,) = decoded(whole + crc32(whole).to_bytes(4, "big"), 3)
    assert (found.headers, found.payload) == ({"z": "text"}, b"payload")


def test_a_frame_of_an_absurd_length_is_refused_before_it_is_kept() -> None:
    """A prelude that announces more than AWS allows is an error at once."""
    start = (1 << 30).to_bytes(4, "big") + bytes(4)
    with pytest.raises(EventStreamError, match="not believed"):
        list(FrameDecoder().feed(start + crc32(start).to_bytes(4, "big")))
