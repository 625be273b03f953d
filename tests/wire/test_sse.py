"""Server-sent events: cut anywhere, ended in any way, they are those of the specification."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.wire.sse import Event, EventDecoder

FIELDS = """data: a|data:b|data|data: |data:  two|event: delta|event|: comment|id: 7|retry: 1|x: y|data: naïve 日本語 🙂
| data: no|data: {}|dat|data:data: x""".replace("\n", "").split("|")
lines = st.sampled_from([*FIELDS, "", "", ""])
ends = st.sampled_from(["\n", "\r\n", "\r"])
streams = st.tuples(st.booleans(), st.lists(st.tuples(lines, ends), max_size=40)).map(
    lambda parts: (b"\xef\xbb\xbf" if parts[0] else b"") + "".join(line + end for line, end in parts[1]).encode()
)


def by_the_book(stream: bytes) -> list[Event]:
    """The events of a whole stream, step by step as the specification has them."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *whole, _ = re.split(r"\r\n|\n|\r", text)
    found, data, name = [], "", ""
    for line in whole:
        if line == "":
            if data:
                found.append(Event(data.removesuffix("\n"), name))
            data = name = ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data += value + "\n"
            elif field == "event":
                name = value
    return found


@given(stream=streams, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=50))
def test_events_are_those_of_the_specification(stream: bytes, cuts: list[int]) -> None:
    """Whatever the pieces, in the middle of a line's end or of a character: the events are the same."""
    decoder, found, at, turn = EventDecoder(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += decoder.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == by_the_book(stream) == list(EventDecoder().feed(stream))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(noise: bytes) -> None:
    """What is no text at all raises nothing, and is the same in one piece as in many."""
    decoder = EventDecoder()
    assert [event for byte in noise for event in decoder.feed(bytes([byte]))] == list(EventDecoder().feed(noise))


def test_a_return_and_a_newline_in_two_pieces_are_one_end() -> None:
    """A line's end that is cut in two ends one line, not two."""
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: 1\r")) == []
    assert list(decoder.feed(b"")) == []
    assert list(decoder.feed(b"\ndata: 2\r\n\r")) == [Event("1\n2")]
    assert list(decoder.feed(b"\ndata: 3\n\n")) == [Event("3")]


def test_what_the_end_cuts_off_is_dropped() -> None:
    """An event whose empty line never came is no event."""
    assert list(EventDecoder().feed(b"data: 1\n\ndata: 2\n")) == [Event("1")]


@pytest.mark.parametrize("size", [1, 64, 10_000])
def test_an_event_that_is_too_long_is_skipped(size: int) -> None:
    """It is not kept, it is said, and the next event is read again."""
    stream = b"data: 1\n\ndata: " + b"x" * 5000 + b"\nevent: y\n\ndata: 2\n\n"
    decoder, found = EventDecoder(limit=1000), []
    for at in range(0, len(stream), size):
        found += decoder.feed(stream[at : at + size])
        assert len(decoder._line) + sum(map(len, decoder._data)) <= 1000
    assert found == [Event("1"), Event("2")]
    assert decoder.oversized


def test_many_lines_that_are_too_long_together_are_skipped() -> None:
    """The limit holds for the event, not for its lines."""
    decoder = EventDecoder(limit=1000)
    assert list(decoder.feed(b"data: 0123456789\n" * 100 + b"\ndata: 2\n\n")) == [Event("2")]
    assert decoder.oversized


def test_comments_do_not_add_up() -> None:
    """A server may say that it is alive for as long as it likes."""
    decoder = EventDecoder(limit=1000)
    assert list(decoder.feed(b": still here\n" * 1000 + b"data: 1\n\n")) == [Event("1")]
    assert not decoder.oversized
