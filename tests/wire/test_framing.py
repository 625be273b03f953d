"""The bytes of an answer become documents, whatever the pieces; what is none is said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.wire import framing
from spendgate.wire.framing import FramingError

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\{}[]ß🙂\n, :'), max_size=9)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)
tables = st.dictionaries(st.text(st.sampled_from('a"\\{}[]'), max_size=4), values, max_size=4)


def cut(kind: str, body: bytes, size: int) -> list[Any]:
    frame = framing.framing(kind)
    found = [one for at in range(0, len(body), size) for one in frame.feed(body[at : at + size])]
    return [data for data, _ in [*found, *frame.end()]]


@given(listed=st.lists(tables, max_size=6), size=st.integers(1, 20), indent=st.sampled_from([None, 1]))
def test_an_array_is_its_documents(listed: list[Any], size: int, indent: int | None) -> None:
    """An array of documents is handed on one by one, also where quotes and brackets stand in its texts."""
    body = json.dumps(listed, indent=indent, ensure_ascii=False).encode()
    assert cut("application/json", body, size) == listed


@given(listed=st.lists(tables, max_size=6), size=st.integers(1, 20), end=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_lines_are_documents(listed: list[Any], size: int, end: str) -> None:
    """Each line is a document, the last one also without its end."""
    body = end.join(json.dumps(one) for one in listed).encode()
    assert cut("application/x-ndjson", body, size) == listed


@given(one=tables, size=st.integers(1, 20))
def test_an_object_is_one_document(one: dict[str, Any], size: int) -> None:
    """An object is handed on whole at the end."""
    assert cut("application/json; charset=utf-8", b" \n" + json.dumps(one).encode(), size) == [one]


@given(listed=st.lists(tables, max_size=6), size=st.integers(1, 20))
def test_events_are_documents(listed: list[Any], size: int) -> None:
    """Each event is a document; pings and the word at the end are no JSON, and the word is handed on."""
    body = "".join(f"data: {json.dumps(one)}\n\n: ping\n\ndata:\n\n" for one in listed) + "data: [DONE]\n\n"
    assert cut("text/event-stream", body.encode(), size) == [*listed, "[DONE]"]
    assert cut("", body.encode(), size) == [*listed, "[DONE]"]


def test_an_event_carries_its_name() -> None:
    """The name of an event comes with its document."""
    assert list(framing.framing("text/event-stream").feed(b'event: error\ndata: {"a": 1}\n\n')) == [({"a": 1}, "error")]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "it is empty"),
        (b"  ", "it is empty"),
        (b"<html>", "it is no JSON"),
        (b'{"a": 1', "it is no JSON"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": "\xff"}', "it is no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it is no JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
        (b'[{"a": 1}, {"b"', "it ends in the middle of a document"),
    ],
)
def test_what_is_no_document_is_said(body: bytes, fault: str) -> None:
    """Where the bytes make no sense, the reason says why."""
    with pytest.raises(FramingError, match=fault):
        cut("application/json", body, 4096)


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "text/event-stream"])
def test_nothing_is_kept_without_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end is given up at the limit, and says so."""
    monkeypatch.setattr(framing, "MAX_DOCUMENT", 8 << 20)
    frame = framing.framing(kind)
    piece = b"data: " + b"x" * (1 << 20)
    with pytest.raises(FramingError, match=r"is longer than 8 MiB"):
        feed_often(frame, b"{" + piece if kind == "application/json" else piece)


def test_an_element_of_an_array_has_a_limit() -> None:
    """One document of an array is not kept without end either."""
    frame = framing.framing("application/json")
    with pytest.raises(FramingError, match="is longer than 8 MiB"):
        feed_often(frame, b'[{"a": "' + b"x" * (1 << 20))


def feed_often(frame: framing.Framing, piece: bytes) -> None:
    for _ in range(12):
        list(frame.feed(piece))
