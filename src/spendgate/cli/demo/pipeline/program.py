"""The pipeline itself, as many are: a cache before a paid API, a table of results, and a mail for each new one."""

from collections.abc import Callable
from typing import Any

from spendgate.cli.demo.pipeline.results import Results
from spendgate.cli.demo.pipeline.services import Client
from spendgate.cli.demo.pipeline.story import RESOURCE, SERVICE
from spendgate.gate import Gate

Key = Callable[[str, int], str]


class Pipeline:
    """Enriches records. `key` makes a record's cache key from the record and the instant."""

    def __init__(self, gate: Gate, cache: Any, client: Client, results: Results, key: Key) -> None:
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
        self.results.add(record, person)
        with self.gate.call("mail.send", service=SERVICE, key=record):
            self.client.post("/mails", record)
