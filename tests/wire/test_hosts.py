"""Which URLs cost money, and by whose price list."""

import pytest

from spendgate.pricing import snapshot
from spendgate.wire import hosts
from spendgate.wire.hosts import provider_at
from tests.wire.speaking import asked

UNLISTED = {
    "github",
    "huggingface",
    "heroku",
    "alibaba",
    "sambanova",
    "nebius",
    "vercel",
    "deepinfra",
    "hyperbolic",
} | {
    "ai21",
    "snowflake",
    "lambda",
    "nvidia",
    "pydantic",
    "ollama",
}
"""Providers that the price list does not have: the rate card must price them."""


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/responses", "openai"),
        ("https://API.OpenAI.com./v1/responses", "openai"),
        ("https://api.openai.com:443/v1/responses", "openai"),
        ("https://user:secret@api.openai.com:8443/v1/responses?x=1#y", "openai"),
        ("https://eu.api.openai.com", "openai"),
        ("https://my.openai.azure.com/openai/v1/", "azure"),
        ("https://my.services.ai.azure.com/anthropic/v1/messages", "azure"),
        ("https://org-account.snowflakecomputing.com/api/v2/cortex/v1/chat/completions", "snowflake"),
        ("https://org-account.snowflakecomputing.com/api/v2/statements", ""),
        ("https://models.github.ai/inference/chat/completions", "github"),
        ("https://us-east5-aiplatform.googleapis.com/v1/projects/p", "google"),
        ("https://aiplatform.googleapis.com/v1/projects/p", "google"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", "aws"),
        ("https://bedrock-runtime-fips.us-east-1.amazonaws.com/model/m/converse", "aws"),
        ("https://openrouter.ai/api/v1/chat/completions", "openrouter"),
        ("https://router.huggingface.co/groq/openai/v1/chat/completions", "huggingface_groq"),
        ("https://router.huggingface.co/v1/chat/completions", "huggingface"),
        ("https://us.inference.heroku.com/v1/chat/completions", "heroku"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions", "alibaba"),
        ("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1/chat/completions", "ovhcloud"),
        ("https://gateway.pydantic.dev/proxy/anthropic/v1/messages", "anthropic"),
        ("https://api.cloudflare.com/client/v4/accounts/a/ai/run/m", "cloudflare"),
        ("http://localhost:11434/api/chat", "ollama"),
        ("http://[::1]:11434/api/chat", "ollama"),
        ("http://localhost:8000/v1/chat/completions", ""),
        ("https://api.cloudflare.com/client/v4/zones", ""),
        ("https://storage.googleapis.com/bucket/file", ""),
        ("https://oauth2.googleapis.com/token", ""),
        ("https://openrouter.ai/docs", ""),
        ("https://api.openai.com.evil.example/v1/responses", ""),
        ("https://evil.example/my.openai.azure.com/v1/responses", ""),
        ("https://evil.example/?x=api.openai.com", ""),
        ("https://notapi.openai.community/v1", ""),
        ("https://bedrock.us-east-1.amazonaws.com/foundation-models", ""),
        ("https://[broken", ""),
        ("https://api.openai.com:port/v1", ""),
        ("https://" + "a" * 5000 + ".openai.azure.com/", ""),
        ("/v1/responses", ""),
        ("", ""),
    ],
)
def test_a_url_tells_whose_it_is(url: str, provider: str) -> None:
    """By its host, port and path, and by nothing that merely looks like one."""
    assert provider_at(url) == provider


def test_every_provider_is_one_of_the_price_list() -> None:
    """Names are those of genai-prices, except for the providers that it does not have."""
    known = {provider.id for provider in snapshot._providers()}
    named = {provider for _, provider in hosts.HOSTS} | {hosts.routed(name) for name in hosts.ROUTED}
    assert named - known == UNLISTED
    assert not UNLISTED & known


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "models", "free"),
        ("get", "models/gpt-4o", "free"),
        ("DELETE", "files/file-1", "free"),
        ("HEAD", "images/generations", "free"),
        ("POST", "files", "free"),
        ("POST", "uploads/up_1/parts", "free"),
        ("POST", "containers", "free"),
        ("POST", "vector_stores/vs_1/file_batches", "free"),
        ("POST", "conversations/conv_1/items", "free"),
        ("POST", "moderations", "free"),
        ("POST", "chat/completions/c1", "free"),
        ("POST", "threads/t1/messages", "free"),
        ("POST", "threads/t1/runs", "unread"),
        ("POST", "images/generations", "unread"),
        ("POST", "audio/speech", "unread"),
        ("POST", "fine_tuning/jobs", "unread"),
        ("POST", "videos", "unread"),
        ("PUT", "anything", "unread"),
        ("POST", "", "unread"),
    ],
)
def test_what_is_not_understood_is_either_free_or_said(method: str, path: str, kind: str) -> None:
    """Lists and files cost nothing; a paid host that is spoken to in another way is unread, and says what it saw."""
    found = asked(f"https://api.openai.com/v1/{path}", {"model": "some-model"}, method=method)
    assert found.kind == kind
    assert (found.model, bool(found.problem)) == (("some-model", True) if kind == "unread" else ("", False))


def test_what_is_free_with_one_may_be_paid_with_another() -> None:
    """OpenAI moderates for nothing, and its conversations only keep what was said; with Mistral both are paid."""
    assert asked("https://api.mistral.ai/v1/conversations", {"model": "mistral-medium-latest"}).kind == "paid"
    assert asked("https://api.openai.com/v1/conversations", {}).kind == "free"
    assert asked("https://api.mistral.ai/v1/moderations", {"model": "mistral-moderation-latest"}).kind == "paid"
    assert asked("https://api.groq.com/openai/v1/moderations", {"model": "m"}).kind == "unread"


def test_githubs_tools_are_not_its_models() -> None:
    """GitHub's MCP server shares a host with models that are paid for."""
    assert asked("https://api.githubcopilot.com/mcp/", {"jsonrpc": "2.0"}).kind == "free"
    assert asked("https://api.githubcopilot.com/chat/completions", {"model": "m"}).kind == "paid"
