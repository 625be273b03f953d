"""The SDKs that Stainless generates: `anthropic` and `openai`, plain and awaited, also for Azure, Bedrock and Vertex.

They turn what a transport raises into errors of their own, and send again. So the transport answers a refused request
with 402, which they do not retry, and that answer raises the refusal itself where they look whether it is an error.
"""

from typing import Any

from spendgate.gate import Gate
from spendgate.integrations.httpx import gated_client
from spendgate.metering import Terms


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A client like the one given whose calls pass the gate; so do those of its `with_options` and `copy`."""
    return client.copy(http_client=gated_client(gate, client._client, terms))
