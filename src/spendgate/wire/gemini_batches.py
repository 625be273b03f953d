"""Batches of Gemini: begun with their requests or a file of them, billed when their results are fetched.

Results stand in the batch itself, or in a file that is named after it. The jobs of Vertex AI write theirs into storage
that is not seen here: they count whole. https://ai.google.dev/gemini-api/docs/batch-api
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from spendgate.wire import batch_parts, gemini_input
from spendgate.wire.batch_parts import Sums
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, model_name, rows, show, table, word
from spendgate.wire.gemini import GenerateReading, embedded, generation

CREATED = re.compile(r"(?:^|/)models/(?P<model>[^/:]+):(?P<verb>batchGenerateContent|asyncBatchEmbedContent)$")
JOB = re.compile(r"(?:^|/)batchPredictionJobs/?$")
ASKED = re.compile(r"(?:^|/)(?P<id>(?:batches|batchPredictionJobs)/[^/:]+)/?$")
RESULTS = re.compile(r"(?:^|/)files/batch-(?P<id>[^/:]+)(?::download)?$")

STATES = re.compile(r"^(?:BATCH|JOB)_STATE_")
OVER = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})


@dataclass(frozen=True, slots=True)
class GeminiBatches:
    """The API of `batchGenerateContent`, `asyncBatchEmbedContent` and `batches`."""

    name: str = "gemini.batches"

    def speaks(self, method: str, path: str) -> bool:
        if method == "POST":
            return bool(CREATED.search(path) or JOB.search(path))
        return method == "GET" and bool(ASKED.search(path) or RESULTS.search(path))

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        path = urlsplit(request.url).path
        created, results, earlier = CREATED.search(path), RESULTS.search(path), ASKED.search(path)
        if created:
            return self._begun(provider, unquote(created["model"]), body, generates="Generate" in created["verb"])
        if results or earlier:
            name = f"batches/{results['id']}" if results else earlier["id"] if earlier else ""
            return Asked(self.name, provider, kind="collects", earlier=word(unquote(name)), batch=True)
        model = word(str(body.get("model") or "").rpartition("/")[2])
        return Asked(self.name, provider, model, batch=True, later=True)

    def _begun(self, provider: str, model: str, body: Mapping[str, Any], *, generates: bool) -> Asked:
        """All requests together; what stands in a file is not known."""
        model, problem = model_name(model)
        config = table(gemini_input.get(table(body.get("batch")), "inputConfig"))
        requests = [table(table(one).get("request")) for one in rows(inside(config, "requests", "requests"))]
        if generates:
            each = [generation(self.name, provider, model, one) for one in requests]
        else:
            each = [Asked(self.name, provider, model, input_tokens=embedded(model, one)) for one in requests]
            each = [replace(one, max_output_tokens=0) for one in each]
        return batch_parts.begun(self.name, provider, model, each, problem)

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "BatchReading":  # noqa: ARG002 - the protocol's
        return BatchReading(asked)


@dataclass(slots=True)
class BatchReading:
    """Reads a batch that was begun or asked after, or the lines of its results."""

    asked: Asked
    id: str = ""
    state: str = ""
    done: bool = False
    file: str = ""
    succeeded: bool = False
    answered: int = 0
    problem: str = ""
    sums: Sums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = Sums(self.asked.provider)

    def document(self, data: Any, event: str = "") -> None:  # noqa: ARG002 - the protocol's
        found = table(data)
        if "key" in found or "custom_id" in found:
            self._result(found)
            return
        self.id = "/".join(word(found.get("name")).split("/")[-2:]) or self.id  # Vertex AI puts the project before it
        batch = {**table(found.get("metadata")), **found}
        self.state = STATES.sub("", word(batch.get("state")))
        self.done = found.get("done") is True or self.state in OVER
        self.succeeded = str(inside(batch, "batchStats", "successfulRequestCount") or 0) != "0"
        output = {**table(batch.get("output")), **table(found.get("response"))}
        self.file = word(output.get("responsesFile"))
        for one in _inline(output):
            self._result(one)

    def _result(self, result: Mapping[str, Any]) -> None:
        response = result.get("response")
        if not isinstance(response, dict):
            self.answered += "error" in result
            return
        self.answered += 1
        asked = Asked(self.asked.api, self.asked.provider, self.asked.model, batch=True, cap=_writes(response))
        reading = GenerateReading(asked)
        reading.document(response)
        answer = reading.answer(complete=True)
        if answer.kind != "billed":
            self.problem = self.problem or f"one of its results: {answer.reason}"
        for bill in answer.bills:
            try:
                self.sums.add(bill)
            except ValueError as fault:
                self.problem = self.problem or str(fault)

    def answer(self, complete: bool) -> Answer:
        if self.asked.later:
            return Answer("later", id=self.id) if self.id else Answer("unread", reason="the batch has no name")
        earlier = self.asked.earlier
        if not complete:
            return Answer("later", id=earlier, reason="it broke off; it can be asked for again")
        if self.problem:
            return Answer("unread", id=earlier, reason=self.problem)
        found = self.sums.bills()
        if found:
            return Answer("billed", found, id=earlier)
        return self._without_results(earlier)

    def _without_results(self, earlier: str) -> Answer:
        if self.answered or self.state == "FAILED":
            return Answer("free", id=earlier, reason="none of its requests was answered")
        if self.file or not self.done:
            where = f"its results are in {self.file}" if self.file else f"it is {show(self.state)}"
            return Answer("later", id=earlier, reason=where)
        if self.state in {"CANCELLED", "EXPIRED"} and not self.succeeded and earlier.startswith("batches/"):
            return Answer("free", id=earlier, reason=f"it was {self.state.lower()} before it answered a request")
        return Answer("unread", id=earlier, reason="it does not say what it used")


def _inline(output: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        found = output.get(name)
        for one in rows(table(found).get("inlinedResponses") if isinstance(found, dict) else found):
            yield table(one)


def _writes(response: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a response could have been capped: nowhere for an embedding, which writes nothing."""
    return () if "embedding" in response else ("generationConfig", "maxOutputTokens")
