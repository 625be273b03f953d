"""boto3's client for Bedrock, as it is, in front of a provider on loopback. What is here is not in the matrix."""

import json
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.exceptions import EndpointConnectionError

from spendgate.errors import RefusedError, SpendLimitError
from spendgate.gate import Gate
from tests.integrations.conftest import MakeGate
from tests.integrations.drivers.bedrock import CALL, MODEL
from tests.integrations.drivers.bedrock import made as bedrock
from tests.integrations.ledgers import CARDS, entries, states
from tests.integrations.provider import Provider

INVOKED: dict[str, Any] = {
    "modelId": MODEL,
    "body": json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "hello"}],
        }
    ),
}
COST = 10 * 1_000 + 3 * 5_000
"""Nano-dollars for 10 tokens in and 3 out, at $1 and $5 a million."""

plain_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
each_mode = pytest.mark.parametrize("mode", ["legacy", "adaptive"])


def wrapped(gate: Gate, provider: Provider, **more: Any) -> Any:
    return gate.wrap(bedrock(provider.url, **more), service="tests")


def ask(client: Any, stream: bool = False, **more: Any) -> Any:
    """Makes one call and reads its answer."""
    if stream:
        return list(client.converse_stream(**CALL, **more)["stream"])
    return client.converse(**CALL, **more)


@pytest.mark.parametrize("reads", ["whole", "pieces", "lines"])
def test_an_invoked_model_costs_what_it_used(gate: Gate, provider: Provider, reads: str) -> None:
    """The body of `invoke_model`, which its caller reads himself, is read on the side, however he does it."""
    body = wrapped(gate, provider).invoke_model(**INVOKED)["body"]
    if reads == "whole":
        body.read()
    else:
        assert b"".join(body.iter_chunks(7) if reads == "pieces" else body.iter_lines())
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", COST, frozenset())
    assert (entry.call.service, entry.call.provider, len(provider.seen)) == ("tests", "aws", 1)


def test_an_invoked_model_s_stream_costs_what_it_used(gate: Gate, provider: Provider) -> None:
    """The events of `invoke_model_with_response_stream` carry those of the model, and Bedrock's own count."""
    events = list(wrapped(gate, provider).invoke_model_with_response_stream(**INVOKED)["body"])
    assert json.loads(events[-1]["chunk"]["bytes"])["type"] == "message_stop"
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", COST, frozenset())
    assert (entry.weight.tokens, len(provider.seen)) == (13, 1)


def test_an_invoked_model_s_stream_that_is_left_costs_what_came(gate: Gate, provider: Provider) -> None:
    """Closed after its first words, it is settled as cut, below the hold."""
    provider.script = ("stall",)
    with closing(wrapped(gate, provider).invoke_model_with_response_stream(**INVOKED)["body"]) as events:
        for event in events:
            if b"content_block_delta" in event["chunk"]["bytes"]:
                break
    (entry,) = entries(gate)
    assert (entry.state.value, entry.marks) == ("settled", {"cut"})
    assert 0 < entry.weight.usd < entry.reserved.usd


def test_an_invoked_model_s_stream_is_refused(make_gate: MakeGate, provider: Provider) -> None:
    """Without room nothing is sent."""
    gate = make_gate("0.0001")
    with pytest.raises(SpendLimitError):
        wrapped(gate, provider).invoke_model_with_response_stream(**INVOKED)
    assert (provider.seen, entries(gate)) == ([], [])


def test_a_signed_body_is_sent_as_it_is(gate: Gate, provider: Provider) -> None:
    """What is signed is not changed: a call without a cap gets none, and is estimated without it."""
    client = wrapped(gate, provider)
    call = {name: value for name, value in CALL.items() if name != "inferenceConfig"}
    client.converse(**call)
    assert "inferenceConfig" not in provider.seen[0]
    assert provider.headers[0]["authorization"].startswith("AWS4-")
    assert states(gate) == ["settled"]


@each_mode
@plain_and_stream
def test_a_refused_call_is_never_sent(make_gate: MakeGate, provider: Provider, mode: str, stream: bool) -> None:
    """Without room nothing reaches the provider; botocore neither retries the refusal nor hides it."""
    gate = make_gate("0.0001")
    with pytest.raises(SpendLimitError):
        ask(wrapped(gate, provider, mode=mode), stream)
    assert (provider.seen, entries(gate)) == ([], [])


@each_mode
@plain_and_stream
def test_each_retry_is_an_attempt(gate: Gate, provider: Provider, mode: str, stream: bool) -> None:
    """What botocore sends again is reserved again; what failed or was turned away costs nothing."""
    provider.script = ("500", "429", "ok")
    ask(wrapped(gate, provider, mode=mode), stream)
    assert states(gate) == ["voided", "voided", "settled"]
    assert [entry.call.attempt for entry in entries(gate)] == [1, 2, 3]


@each_mode
def test_a_retry_can_be_refused(make_gate: MakeGate, provider: Provider, mode: str) -> None:
    """Where the first send stays held and there is no room for a second, the refusal is what the caller sees."""
    provider.script = ("hang", "ok")
    gate = make_gate("0.001")
    with pytest.raises(RefusedError):
        ask(wrapped(gate, provider, mode=mode))
    assert (len(provider.seen), states(gate)) == (1, ["held"])


def test_a_call_that_finds_no_server_costs_nothing(gate: Gate) -> None:
    """Where there was no connection nothing was sent."""
    client = gate.wrap(bedrock("http://127.0.0.1:9", tries=1))
    with pytest.raises(EndpointConnectionError):
        ask(client)
    assert states(gate) == ["voided"]


def test_the_client_given_stays_as_it_is(gate: Gate, provider: Provider) -> None:
    """Only the copy is gated; paginators, exceptions and events are those of the client."""
    client = bedrock(provider.url)
    gated = gate.wrap(client)
    ask(client)
    assert entries(gate) == []
    assert isinstance(gated, type(client))
    assert gated.meta is client.meta
    assert gated.exceptions.ThrottlingException is client.exceptions.ThrottlingException


def test_our_own_headers_stay_here(gate: Gate, provider: Provider) -> None:
    """Headers that say for whom a call is made, as a handler of botocore's events adds them, are not sent."""
    client = wrapped(gate, provider, signature_version=UNSIGNED)

    def attribute(params: Any, **_: Any) -> None:
        params["headers"]["x-spendgate-service"] = "mail"

    client.meta.events.register("before-call.bedrock-runtime", attribute)
    ask(client)
    assert [entry.call.service for entry in entries(gate)] == ["mail"]
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]


def test_other_services_are_priced_by_their_url(make_gate: MakeGate, provider: Provider) -> None:
    """A service that is not Bedrock passes, unless the rate card has a price for its address."""
    gate = make_gate("5.00", CARDS.replace("/v2/*", "/*"))
    client = gate.wrap(
        boto3.client(
            "lambda", endpoint_url=provider.url, region_name="us-east-1",
            aws_access_key_id="k", aws_secret_access_key="s",
        )
    )  # fmt: skip
    client.invoke(FunctionName="f", Payload=b"{}")["Payload"].read()
    assert [(entry.call.resource, entry.state.value) for entry in entries(gate)] == [("clearbit.enrich", "settled")]
