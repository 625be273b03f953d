"""A content-encoding is undone piece by piece, or said to be impossible."""

import gzip
import sys
import zlib
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from spendgate.wire.decoding import PIECE, DecodingError, decoder


def decoded(encoding: str, body: bytes, size: int) -> bytes:
    found = decoder(encoding)
    assert found is not None
    return b"".join(piece for at in range(0, len(body), size) for piece in found.feed(body[at : at + size]))


def raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@given(body=st.binary(max_size=500), size=st.integers(1, 40))
def test_every_encoding_is_undone_in_any_pieces(body: bytes, size: int) -> None:
    """Gzip, deflate in both forms, Zstandard and nothing at all give back what was packed."""
    assert decoded("gzip", gzip.compress(body), size) == body
    assert decoded("GZIP ", gzip.compress(body) + gzip.compress(b"more"), size) == body + b"more"
    assert decoded("deflate", zlib.compress(body), size) == body
    assert decoded("zstd", zstandard.compress(body), size) == body
    assert decoded("identity", body, size) == body


@given(body=st.text(max_size=300).map(str.encode), size=st.integers(1, 40))
def test_deflate_without_its_header_is_undone(body: bytes, size: int) -> None:
    """Some servers leave the header of deflate out."""
    packed = raw(body)
    if packed[:1] not in (b"{", b"["):
        assert decoded("deflate", packed, size) == body


def test_what_is_decoded_already_passes() -> None:
    """A header that the body does not keep to is not believed."""
    assert decoded("gzip", b'{"a": 1}', 3) == b'{"a": 1}'
    assert decoded("deflate", b'{"a": 1}', 3) == b'{"a": 1}'


def test_a_small_answer_that_unpacks_to_a_large_one_comes_in_pieces() -> None:
    """However much comes out, it is handed on in pieces."""
    found = decoder("gzip")
    assert found is not None
    sizes = [len(piece) for piece in found.feed(gzip.compress(bytes(50_000_000)))]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= PIECE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_damage_is_said(encoding: str) -> None:
    """Bytes that do not decode raise one error of ours, whichever library noticed."""
    packed = {
        "gzip": gzip.compress(b"abc" * 99),
        "deflate": zlib.compress(b"abc" * 99),
        "zstd": zstandard.compress(b"abc"),
    }
    damaged = packed[encoding][:4] + b"\xff\xff\xff\xff" + packed[encoding][8:]
    with pytest.raises(DecodingError):
        decoded(encoding, damaged + b"\xff" * 60, 7)


@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip", "x-unknown"])
def test_what_cannot_be_undone_has_no_decoder(encoding: str) -> None:
    """Encodings that nobody here knows are not guessed at."""
    assert decoder(encoding) is None


def test_brotli_is_undone_where_its_library_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads Brotli has a library for it, and that one is used; without one there is no decoder."""
    library = SimpleNamespace(Decompressor=lambda: SimpleNamespace(process=bytes.upper))
    monkeypatch.setitem(sys.modules, "brotli", library)
    assert decoded("br", b"abc", 2) == b"ABC"
    monkeypatch.setitem(sys.modules, "brotli", None)
    monkeypatch.setitem(sys.modules, "brotlicffi", None)
    assert decoder("br") is None
