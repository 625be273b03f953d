"""The record of how far a ledger had come."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendgate.stores.headfile import Head, HeadFile

HEAD = Head("0123456789abcdef", 42, 1_500_000_000)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[HeadFile]:
    """A head file that was written."""
    found = HeadFile(tmp_path / "ledger.db.head")
    found.write(HEAD)
    yield found
    found.close()


def test_it_says_what_was_written(file: HeadFile) -> None:
    """What was written last is what everybody reads."""
    other = HeadFile(file.path)
    assert (file.read(), other.read()) == (HEAD, HEAD)
    later = HEAD._replace(head=43, total=0)
    file.write(later)
    assert (file.read(), other.read()) == (later, later)
    other.close()


def test_there_is_none(tmp_path: Path) -> None:
    """A head file that was never written says nothing."""
    file = HeadFile(tmp_path / "ledger.db.head")
    assert file.read() is None
    assert file.missing


@pytest.mark.parametrize("position", range(68))
def test_each_byte_counts(file: HeadFile, position: int) -> None:
    """Whichever byte is changed, the file is damaged, which is not the same as missing."""
    text = bytearray(file.path.read_bytes())
    for mask in (1, 64, 128):
        text[position] ^= mask
        file.path.write_bytes(text)
        assert file.read() is None
        assert not file.missing
        text[position] ^= mask


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + b"\n", lambda text: b""])
def test_its_length_counts(file: HeadFile, change: object) -> None:
    """A line that is too short or too long is damaged."""
    file.path.write_bytes(change(file.path.read_bytes()))  # type: ignore[operator]
    assert file.read() is None


def test_it_was_deleted(file: HeadFile) -> None:
    """A head file that was deleted is missing, even to who has it open."""
    file.path.unlink()
    assert file.read() is None
    assert file.missing


def test_it_was_replaced(file: HeadFile, tmp_path: Path) -> None:
    """A head file that was replaced is read anew, by who has it open too."""
    other = HeadFile(tmp_path / "new")
    other.write(HEAD._replace(head=7))
    other.close()
    (tmp_path / "new").replace(file.path)
    assert file.read() == HEAD._replace(head=7)


def test_it_is_half_written(file: HeadFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that another process is writing just then is read again."""
    lines = [b"0123456789abcdef 0000000000000", file.path.read_bytes()]
    other = HeadFile(file.path)
    monkeypatch.setattr(os, "pread", lambda *_: lines.pop(0))
    assert other.read() == HEAD
    assert not lines
    other.close()


def test_a_large_ledger_fits(file: HeadFile) -> None:
    """The line has room for every number that a ledger can hold."""
    most = Head("f" * 16, (1 << 63) - 1, (1 << 63) - 1)
    file.write(most)
    file.sync()
    assert HeadFile(file.path).read() == most
    assert len(file.path.read_bytes()) == 68
