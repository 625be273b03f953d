"""What SQLite says about a ledger's file, for the doctor."""

from dataclasses import dataclass

import apsw

from spendgate.stores.sqlite import SqliteStore
from spendgate.stores.sqlite_schema import VERSION
from spendgate.stores.sqlite_tables import SqliteTables

SAFE = (3, 51, 3)
"""From here on SQLite loses no commit in WAL mode with several connections."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`version` is SQLite's, `format` the ledger's, `newest_format` the one this spendgate writes; sizes in bytes."""

    version: str
    is_safe: bool
    journal_mode: str
    synchronous: str
    format: int
    newest_format: int
    size: int


def facts(store: SqliteStore) -> Facts:
    """Reads them from an open ledger."""

    def look(tables: SqliteTables) -> Facts:
        def pragma(name: str) -> object:
            return tables.run(f"PRAGMA {name}").get

        version = apsw.sqlite_lib_version()
        levels = {0: "off", 1: "normal", 2: "full", 3: "extra"}
        return Facts(
            version=version,
            is_safe=tuple(int(part) for part in version.split(".")) >= SAFE,
            journal_mode=str(pragma("journal_mode")),
            synchronous=levels.get(int(str(pragma("synchronous"))), "unknown"),
            format=int(str(pragma("user_version"))),
            newest_format=VERSION,
            size=int(str(pragma("page_count"))) * int(str(pragma("page_size"))),
        )

    return store._look(look)
