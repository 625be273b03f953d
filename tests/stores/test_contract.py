"""Both stores keep the contract that third parties run on theirs."""

from pathlib import Path

from spendgate.ledger import Store
from spendgate.stores.memory import MemoryStore
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing import StoreContract


class TestMemory(StoreContract):
    """The reference."""

    max_scopes = 8

    def make_store(self, tmp_path: Path) -> Store:
        return MemoryStore(max_scopes=self.max_scopes)


class TestSqlite(StoreContract):
    """The file."""

    max_scopes = 8

    def make_store(self, tmp_path: Path) -> Store:
        return SqliteStore(tmp_path / "ledger.db", max_scopes=self.max_scopes)

    def reopen(self, store: Store) -> Store:
        assert isinstance(store, SqliteStore)
        return SqliteStore(store.path, max_scopes=self.max_scopes)
