"""Requests to paid hosts that cost nothing: lists, files, counting tokens, settings."""

import re

FREE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

FREE_PATHS = re.compile(
    r"""(?:^|/)(?:
        files(?:/[^/]+)? | uploads(?:/[^/]+(?:/(?:parts|complete|cancel))?)? |
        containers(?:/.*)? | vector_stores(?:/.*)? | skills(?:/.*)? |
        chat/completions/[^/]+ |
        threads(?:/[^/]+(?:/messages(?:/[^/]+)?)?)? | assistants(?:/[^/]+)? | organization/.* |
        responses/input_tokens | tokenize | detokenize | tokenize-text | count_tokens | check-api-key |
        connectors(?:/.*)? | datasets(?:/.*)? |
        realtime/(?:client_secrets | sessions | transcription_sessions) |
        (?:realtime/calls | live/sessions)/[^/]+/(?:hangup | reject | refer) |
        convai/(?:tools | secrets | knowledge-base | agents/create | (?:tools | secrets | agents)/[^/]+)
    )/?$""",
    re.VERBOSE,
)
"""Where a POST is not billed by itself."""
CONVERSATIONS = re.compile(r"(?:^|/)conversations(?:/[^/]+(?:/items)?)?/?$")
"""What OpenAI keeps; with Mistral, a POST there is answered by a model."""

FREE_MODERATION = frozenset({"openai", "azure"})
"""Whose moderation costs nothing; Mistral's does."""
MODERATION = re.compile(r"(?:^|/)moderations/?$")


def is_free(provider: str, method: str, path: str, upgrade: str = "") -> bool:
    """Whether a request costs nothing.

    >>> is_free("openai", "GET", "/v1/models"), is_free("openai", "POST", "/v1/images/generations")
    (True, False)
    """
    if method in FREE_METHODS:
        return not upgrade  # a WebSocket begins as a GET
    if path.startswith("/mcp") and provider == "github-copilot":
        return True  # GitHub's MCP server shares the host of its models
    if MODERATION.search(path):
        return provider in FREE_MODERATION
    if CONVERSATIONS.search(path):
        return provider != "mistral"
    return FREE_PATHS.search(path) is not None
