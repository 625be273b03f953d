"""The pipeline itself, as many are: a cache before a paid API, a table of results, and a mail for each new one."""

import sqlite3
from collections.abc import Callable
from typing import Any

from spendgate.cli.demo.pipeline.services import Client
from spendgate.cli.demo.pipeline.story import RESOURCE, SERVICE
from spendgate.gate import Gate

Key = Callable[[str, int], str]


class Pipeline:
    """Enriches records. `key` makes a record's cache key from the record and the instant."""

    def __init__(self, gate: Gate, cache: Any, client: Client, results: sqlite3.Connection, key: Key) -> None:
        self.gate = gate
        self.cache = cache
        self.client = client
        self.results = results
        self.key = key

    def process(self, record: str, at: int) -> None:
        """Enriches one record: from the cache, or for money."""
        key = self.key(record, at)
        person = self.cache.get(key)
        if person is None:
            with self.gate.call(RESOURCE, service=SERVICE, key=record, fresh_for="24h"):
                person = self.client.post("/people", record)
            self.cache[key] = person
            self._report(record, person)

    def _report(self, record: str, person: dict[str, Any]) -> None:
        """A row and a mail for each answer that was paid for: the API is asked once for each record, isn't it?"""
        self.results.execute("INSERT INTO results VALUES (?, ?)", (record, person["company"]))
        with self.gate.call("mail.send", service=SERVICE, key=record):
            self.client.post("/mails", record)


def results_table() -> sqlite3.Connection:
    """An empty table of results."""
    results = sqlite3.connect(":memory:", isolation_level=None)
    results.execute("CREATE TABLE results (record TEXT NOT NULL, company TEXT NOT NULL)")
    return results
