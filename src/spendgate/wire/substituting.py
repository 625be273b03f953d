"""Another request in place of one that may not be sent: of another model, at the same address or elsewhere."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from spendgate.wire.exchange import Asked, Path, Request
from spendgate.wire.rewriting import with_fields

MODEL_IN_PATH = re.compile(
    r"(?<=/models/)[^/:]+(?=:)|(?<=/tunedModels/)[^/:]+(?=:)|(?<=/deployments/)[^/]+(?=/)"
    r"|(?<=/model/).+(?=/(?:converse|invoke))"
)
"""Where a URL names the model: Gemini's, Azure's deployments, Bedrock's."""
DIALECTS = {
    "openai.chat": re.compile(r"(?:^|/)(chat/completions|completions)/?$"),
    "openai.responses": re.compile(r"(?:^|/)(responses)/?$"),
    "anthropic.messages": re.compile(r"(?:^|/)(messages)/?$"),
    "ollama": re.compile(r"(?:^|/)(api/(?:chat|generate))/?$"),
}
"""APIs that others speak too, and the part of the path that is theirs, below whatever address."""
DESCRIBING = frozenset({"accept", "accept-encoding", "anthropic-version", "content-type", "user-agent"})
"""The only headers of a caller that may go to another address: they say what is sent, and nothing of who sends it."""


def changed(request: Request, changes: Sequence[tuple[Path, object]]) -> Request:
    """A request with some fields of its JSON body set."""
    if not changes:
        return request
    return _with_body(request, with_fields(request.body, changes))


def writes(asked: Asked | None) -> bool:
    """Whether a request asks a model to write, so that another model can do so: embeddings of two models do not mix."""
    return asked is not None and asked.kind == "paid" and bool(asked.model) and asked.max_output_tokens != 0


def with_model(request: Request, model: str) -> Request | None:
    """The request of another model at the same address, wherever it names its model; None where it names none."""
    parts = urlsplit(request.url)
    path = MODEL_IN_PATH.sub(lambda _: quote(model, safe=""), parts.path, count=1)
    document = _document(request.body)
    if document is not None and "model" in document:
        request = changed(request, [(("model",), model)])
    elif path == parts.path:
        return None
    return request if path == parts.path else replace(request, url=parts._replace(path=path).geturl())


def elsewhere(request: Request, asked: Asked, model: str, url: str, key: str = "") -> Request | None:
    """The request of another model at another address that speaks the same dialect; None where that is not known.

    Nothing of the caller's goes along but the body and the headers that describe it: no key, no cookie, no query.
    """
    spoken = DIALECTS.get(asked.api)
    tail = spoken.search(urlsplit(request.url).path) if spoken is not None else None
    document = _document(request.body)
    if tail is None or document is None:
        return None
    document = {**document, "model": model}
    if asked.api == "openai.chat" and "max_completion_tokens" in document:
        most = document.pop("max_completion_tokens")  # which not everybody knows who speaks this dialect
        document.setdefault("max_tokens", most)
    headers = {name: value for name, value in request.headers.items() if name in DESCRIBING}
    if key:
        headers["authorization"] = f"Bearer {key}"
        if asked.api == "anthropic.messages":
            headers["x-api-key"] = key
    headers["content-length"] = "0"
    there = Request(request.method, f"{url.rstrip('/')}/{tail[1]}", headers, request.body)
    return _with_body(there, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _with_body(request: Request, body: bytes) -> Request:
    headers = dict(request.headers)
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    return replace(request, headers=headers, body=body)


def _document(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object that a body is, or None."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
