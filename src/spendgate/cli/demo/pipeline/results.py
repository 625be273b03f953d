"""The pipeline's table of results, in memory: what is wrong with a cache cannot be seen in it."""

import sqlite3
from collections.abc import Mapping
from typing import Any


class Results:
    """One row for each answer that was written down."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.execute("CREATE TABLE results (record TEXT NOT NULL, company TEXT NOT NULL)")

    def add(self, record: str, person: Mapping[str, Any]) -> None:
        """Writes down what the API said of a record."""
        self._database.execute("INSERT INTO results VALUES (?, ?)", (record, person["company"]))

    def said(self) -> list[tuple[str, str]]:
        """(record, what was said of it), each once."""
        return self._database.execute("SELECT DISTINCT record, company FROM results").fetchall()

    def again(self) -> int:
        """How many rows are of records that had one already."""
        rows, records = self._database.execute("SELECT count(*), count(DISTINCT record) FROM results").fetchone()
        return int(rows - records)

    def close(self) -> None:
        """Forgets them."""
        self._database.close()
