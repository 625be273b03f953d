"""requests, as it is, in front of a provider on loopback. What is here is not in the matrix."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from spendgate.errors import RefusedError
from spendgate.gate import Gate
from spendgate.integrations.requests import adapter
from tests.integrations.conftest import MakeGate
from tests.integrations.ledgers import CARDS, entries, states
from tests.integrations.provider import OPENAI, Provider

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 100}
COST = 10 * 2_500 + 3 * 10_000
TIMEOUT_S = 0.5

plain_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as found:
        found.trust_env = False
        yield found


def wrapped(gate: Gate, session: requests.Session) -> requests.Session:
    return gate.wrap(session, service="tests", provider="openai")


def post(session: requests.Session, provider: Provider, stream: bool = False, **more: Any) -> list[bytes]:
    """Makes one call and reads its answer in whatever pieces it comes."""
    url, body = provider.url + OPENAI, {**BODY, "stream": stream}
    with session.post(url, json=body, stream=stream, timeout=TIMEOUT_S, **more) as answer:
        answer.raise_for_status()
        return list(answer.iter_content(None)) if stream else [answer.content]


@plain_and_stream
def test_our_own_headers_stay_here(gate: Gate, provider: Provider, session: requests.Session, stream: bool) -> None:
    """Headers that say for whom a call is made, in any case, attribute it and never leave the machine."""
    own = {"x-spendgate-service": "mail", "X-Spendgate-Tags": "customer=acme"}
    assert b"".join(post(wrapped(gate, session), provider, stream, headers=own))
    (entry,) = entries(gate)
    assert (entry.state.value, entry.weight.usd, entry.marks) == ("settled", COST, frozenset())
    assert (entry.call.service, dict(entry.call.tags)) == ("mail", {"customer": "acme"})
    assert not [name for name in provider.headers[0] if name.startswith("x-spendgate")]


def test_a_stream_comes_in_the_pieces_it_was_sent_in(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """What a caller reads is byte for byte, and piece for piece, what he would have read without the gate."""
    options = {"stream_options": {"include_usage": True}}
    bodies = [{**BODY, "stream": True, **options}, {**BODY, "stream": True}]
    readers = [session, wrapped(gate, session)]
    bare, gated = (
        list(one.post(provider.url + OPENAI, json=body, stream=True).iter_content(None))
        for one, body in zip(readers, bodies, strict=True)
    )
    assert gated == bare
    assert provider.seen[0] == provider.seen[1]


@plain_and_stream
@pytest.mark.parametrize("decodes", [True, False], ids=["decoded", "raw"])
def test_packed_answers_are_read(
    gate: Gate, provider: Provider, session: requests.Session, stream: bool, decodes: bool
) -> None:
    """A compressed answer is read as it comes over the line, whether or not the caller has it unpacked."""
    provider.script = ("gzip",)
    body = {**BODY, "stream": stream}
    answer = wrapped(gate, session).post(provider.url + OPENAI, json=body, stream=True)
    assert (b"hi" in answer.raw.read(decode_content=decodes)) is decodes
    assert [(entry.state.value, entry.weight.usd) for entry in entries(gate)] == [("settled", COST)]


def test_each_retry_of_urllib3_is_an_attempt(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """What urllib3 sends again is reserved again; what was turned away with 429 or 500 costs nothing."""
    provider.script = ("429", "500", "ok")
    session.mount("http://", HTTPAdapter(max_retries=Retry(5, status_forcelist=[429, 500], allowed_methods=None)))
    post(wrapped(gate, session), provider)
    assert states(gate) == ["voided", "voided", "settled"]
    assert [entry.call.attempt for entry in entries(gate)] == [1, 2, 3]
    assert len(provider.seen) == 3


def test_a_retry_of_urllib3_can_be_refused(make_gate: MakeGate, provider: Provider, session: requests.Session) -> None:
    """Without room for a second send the caller sees the refusal: what is sent again cannot ask for less."""
    provider.script = ("hang", "ok")
    session.mount("http://", HTTPAdapter(max_retries=Retry(5, allowed_methods=None)))
    gate = make_gate("0.0025")  # one call holds $0.0018
    with pytest.raises(RefusedError):
        post(gate.wrap(session, provider="openai", clamp=1), provider)
    assert (len(provider.seen), states(gate)) == (1, ["held"])


def test_retries_that_run_out_end_every_attempt(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """Turned away each time, a call costs nothing, however the retries end."""
    provider.script = ("500",)
    for raises in (True, False):
        retries = Retry(1, status_forcelist=[500], allowed_methods=None, raise_on_status=raises)
        session.mount("http://", HTTPAdapter(max_retries=retries))
        with pytest.raises((requests.exceptions.RetryError, requests.exceptions.HTTPError)):
            post(wrapped(gate, session), provider)
    assert states(gate) == ["voided"] * 4


def test_a_call_that_finds_no_server_costs_nothing(gate: Gate, session: requests.Session) -> None:
    """Where there was no connection nothing was sent."""
    with pytest.raises(requests.exceptions.ConnectionError):
        wrapped(gate, session).post("http://127.0.0.1:9" + OPENAI, json=BODY)
    assert states(gate) == ["voided"]


def test_a_stream_that_breaks_off_counts(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """A stream that broke off costs what was produced, at once and not only when it is closed."""
    provider.script = ("broken",)

    def read() -> None:
        answer = wrapped(gate, session).post(provider.url + OPENAI, json={**BODY, "stream": True}, stream=True)
        assert list(answer.iter_content(None))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read()
    (entry,) = entries(gate)
    assert (entry.state.value, entry.marks) == ("settled", {"cut"})
    assert entry.weight != entry.reserved


def test_an_answer_that_is_dropped_stays_held(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """An answer that nobody reads or closes is left to lapse: the collector of garbage never asks the ledger."""
    answer = wrapped(gate, session).post(provider.url + OPENAI, json=BODY, stream=True)
    del answer
    assert states(gate) == ["held"]


def test_the_session_given_stays_as_it_is(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """Only the copy is gated: also for adapters that are mounted on it later, which the original does not get."""
    gated = wrapped(gate, session)
    gated.mount(provider.url, HTTPAdapter())
    post(session, provider)
    assert entries(gate) == []
    post(gated, provider)
    assert states(gate) == ["settled"]
    assert provider.url not in session.adapters
    gated.close()


def test_an_adapter_can_be_mounted(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """What is not mounted on the gate passes by it."""
    session.mount(provider.url + "/v2/", adapter(gate, service="enrichment"))
    session.post(provider.url + "/v2/people", json=BODY)
    session.post(provider.url + "/v3/people", json=BODY)
    (entry,) = entries(gate)
    assert (entry.call.resource, entry.call.service, entry.weight.usd) == ("clearbit.enrich", "enrichment", 4_000_000)


def test_answers_that_the_rate_card_does_not_bill_are_free(
    gate: Gate, provider: Provider, session: requests.Session
) -> None:
    """For an API that is priced by its URL every answer counts, but those with the statuses that the card names."""
    provider.script = ("ok", "429")
    gated = gate.wrap(session)
    for _ in range(2):
        gated.post(provider.url + "/v2/people", json=BODY)
    assert states(gate) == ["settled", "voided"]


def test_threads_share_a_session(make_gate: MakeGate, provider: Provider, session: requests.Session) -> None:
    """Twenty threads with room for five calls: five reach the provider, the rest are refused."""
    gate = make_gate("0.02", CARDS)
    gated, refused = gate.wrap(session), []

    def work() -> None:
        try:
            gated.post(provider.url + "/v2/people", json=BODY)
        except RefusedError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(provider.seen), len(refused)) == (5, 15)


def test_redirects_pass_the_gate(gate: Gate, provider: Provider, session: requests.Session) -> None:
    """A redirect to a paid address is a paid call."""
    provider.script = ("redirect", "ok")
    gate.wrap(session).post(provider.url + "/free", json=BODY)
    assert [entry.call.resource for entry in entries(gate)] == ["clearbit.enrich"]


def test_a_call_can_ask_for_less(make_gate: MakeGate, provider: Provider, session: requests.Session) -> None:
    """Where the terms allow it, a call asks for as much output as there is room for, and that is what is sent."""
    gate = make_gate("0.0015")
    post(gate.wrap(session, provider="openai", clamp=10), provider)
    assert 10 <= provider.seen[0]["max_completion_tokens"] < 100
    assert states(gate) == ["settled"]
