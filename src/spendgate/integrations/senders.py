"""Which SDK sends a request, by what it says of itself: whose price list holds where the host says nothing.

>>> provider_of({"User-Agent": "AsyncOpenAI/Python 3.57.0"}), provider_of({"user-agent": "python-requests/2.34"})
('openai', '')
"""

import re
from collections.abc import Mapping
from typing import Any

AGENTS = (
    (re.compile(r"^\w*OpenAI/Python\b"), "openai"),
    (re.compile(r"^\w*Anthropic\w*/Python\b"), "anthropic"),
    (re.compile(r"^google-genai-sdk/"), "google"),
)
"""How the user agents of SDKs begin that may speak to hosts of any name."""


def provider_of(headers: Mapping[Any, Any]) -> str:
    """The provider whose SDK sends with these headers, in any case; empty where it is none that is known."""
    agent = next((value for name, value in headers.items() if str(name).lower() == "user-agent"), "")
    return next((provider for begins, provider in AGENTS if begins.match(str(agent))), "")
