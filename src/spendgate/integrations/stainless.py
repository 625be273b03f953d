"""The SDKs that Stainless generates: `anthropic` and `openai`, plain and awaited, also for Azure, Bedrock and Vertex.

They turn what a transport raises into errors of their own, and send again. So the transport answers a refused request
with 402, which they do not retry, and the client raises the refusal itself where it would make an error of that.
"""

from functools import cache
from typing import Any

from spendgate.gate import Gate
from spendgate.integrations.httpx import gated_client
from spendgate.integrations.refusal import ERROR
from spendgate.metering import Terms


def wrap(gate: Gate, client: Any, terms: Terms) -> Any:
    """A client like the one given whose calls pass the gate; so do those of its `with_options` and `copy`."""
    wrapped = client.copy(http_client=gated_client(gate, client._client, terms))
    kind: Any = type(client)
    wrapped.__class__ = _gated(kind)
    return wrapped


@cache
def _gated(kind: Any) -> Any:
    """A subclass of an SDK's client that raises refusals as they are."""

    def raised(self: Any, response: Any) -> Any:
        error = response.extensions.get(ERROR)
        return error if error is not None else kind._make_status_error_from_response(self, response)

    methods = {"_make_status_error_from_response": raised, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), methods)
