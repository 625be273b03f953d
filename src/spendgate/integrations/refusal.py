"""What a refusal looks like on the wire, inside this process: SDKs that retry what they do not know obey it."""

from typing import Any

from spendgate.errors import SpendgateError

ERROR = "spendgate.error"
"""Under which extension of a response the error is that it stands for."""
STATUS = 402
"""Payment required."""


def answer_to(error: SpendgateError) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and body: `x-should-retry` keeps the OpenAI and Anthropic SDKs from sending it again."""
    body = {"error": {"type": type(error).__name__, "message": str(error)}}
    return STATUS, {"x-should-retry": "false"}, body
