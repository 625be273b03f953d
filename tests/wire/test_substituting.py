"""Another request in place of one that may not be sent."""

import json

import pytest

from spendgate.wire.exchange import Asked, Request
from spendgate.wire.reading import understand
from spendgate.wire.substituting import elsewhere, with_model, writes

BODY = b'{"model": "a", "max_tokens": 5}'


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://x.openai.azure.com/openai/deployments/a/chat/completions?v=1", "/b%2F1/chat/completions?v=1"),
        ("https://generativelanguage.googleapis.com/v1/models/a:generateContent", "/v1/models/b%2F1:generateContent"),
        ("https://router.huggingface.co/models/a/c/v1/chat/completions", "/models/a/c/v1/chat/completions"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/a/converse", "/model/b%2F1/converse"),
        ("https://api.openai.com/v1/chat/completions", "/v1/chat/completions"),
    ],
)  # fmt: skip
def test_another_model_is_named_wherever_the_first_one_was(url: str, there: str) -> None:
    """The model stands in the body, in the path, or in both; a request that names none has no other."""
    found = with_model(Request("POST", url, {"content-length": "31"}, BODY), "b/1")
    assert found is not None
    assert found.url.endswith(there)
    assert json.loads(found.body)["model"] == "b/1"
    assert found.headers["content-length"] == str(len(found.body))
    assert with_model(Request("POST", "https://api.openai.com/v1/x", {}, b'{"messages": []}'), "b") is None
    assert with_model(Request("POST", "https://api.openai.com/v1/x", {}, b"no json"), "b") is None


@pytest.mark.parametrize(
    ("api", "path", "there"),
    [
        ("openai.chat", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai.chat", "/v1/completions", "/v1/completions"),
        ("openai.chat", "/openai/deployments/gpt/chat/completions", "/v1/chat/completions"),
        ("openai.responses", "/v1/responses", "/v1/responses"),
        ("anthropic.messages", "/v1/messages", "/v1/messages"),
        ("ollama", "/api/chat", "/v1/api/chat"),
        ("gemini.generate", "/v1beta/models/a:generateContent", None),
        ("anthropic.messages", "/publishers/anthropic/models/a:rawPredict", None),
        ("bedrock.converse", "/model/a/converse", None),
    ],
)
def test_only_a_shared_dialect_is_spoken_elsewhere(api: str, path: str, there: str | None) -> None:
    """The part of the path that is the API's goes below the other address; what others do not speak goes nowhere."""
    request = Request("POST", f"https://example.com{path}?key=secret", {"Authorization": "secret"}, BODY)
    found = elsewhere(request, Asked(api, "x", "a"), "b", "http://127.0.0.1:11434/v1/")
    assert (None if found is None else found.url) == (there and f"http://127.0.0.1:11434{there}")
    assert found is None or "secret" not in f"{found}"


@pytest.mark.parametrize(
    "name", ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"]
)
def test_nothing_that_names_the_caller_goes_elsewhere(name: str) -> None:
    """Of the caller's headers only those go along that are known to describe the body."""
    headers = {
        name: "secret",
        "openai-organization": "secret",
        "x-anything": "secret",
        "content-type": "application/json",
    }
    request = Request("POST", "https://api.openai.com/v1/chat/completions", headers, BODY)
    found = elsewhere(request, Asked("openai.chat", "openai", "a"), "b", "http://127.0.0.1:11434/v1")
    assert found is not None
    assert set(found.headers) == {"content-type", "content-length"}


def test_embeddings_and_free_requests_do_not_write() -> None:
    """Only what asks a model to write can be asked of another model."""
    chat = Request("POST", "https://api.openai.com/v1/chat/completions", {}, BODY)
    embeddings = Request("POST", "https://api.openai.com/v1/embeddings", {}, b'{"model": "e", "input": "x"}')
    assert writes(understand(chat))
    assert not writes(understand(embeddings))
    assert not writes(None)
    assert not writes(understand(Request("GET", "https://api.openai.com/v1/models")))
