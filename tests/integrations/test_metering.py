"""One exchange through the gate, without a network: what is reserved, what is sent, and what the answer settles."""

import json
import logging
from typing import Any

import pytest

from spendgate.errors import AmountError, LoopError, PriceError, SpendLimitError, StoreError
from spendgate.gate import Gate
from spendgate.ledger import LAPSE_AFTER_BATCH, Entry
from spendgate.metering import Metered, Terms
from spendgate.policies import Fallback, ServiceRules, Services, policy
from spendgate.reservation import State
from spendgate.wire.exchange import Request
from tests.integrations.conftest import MakeGate
from tests.integrations.ledgers import entries

CHAT = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
CLEARBIT = """
[prices."clearbit.enrich"]
per_call = "0.004"
match = "https://api.clearbit.com/v2/*"
unbilled_statuses = [404, 429]
"""


def post(body: Any, url: str = CHAT, **headers: str) -> Request:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", url, {"content-length": str(len(content)), **headers}, content)


def through(
    gate: Gate,
    request: Request,
    status: int = 200,
    answer: Any = None,
    terms: Terms = Terms(),  # noqa: B008 - frozen
) -> Metered:
    """Lets a request pass and answers it."""
    metered = Metered(gate, request, terms)
    metered.reserve()
    if metered.answered(status, {"content-type": "application/json"}):
        metered.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        metered.ended(complete=True)
    return metered


def answered(model: str = "gpt-4o-2024-08-06", prompt: int = 10, completion: int = 3) -> dict[str, Any]:
    return {"model": model, "choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def only(gate: Gate) -> Entry:
    [entry] = entries(gate)
    return entry


def test_headers_say_for_whom_and_stay_here(make_gate: MakeGate) -> None:
    """Our own headers attribute the call, nearer than the client's terms, and are taken from the request."""
    gate = make_gate()
    own = {"x-spendgate-service": "research", "x-spendgate-task": "t-1", "x-spendgate-tags": "customer=acme, job=x"}
    metered = through(gate, post(HELLO, **own), answer=answered(), terms=Terms("other", tags={"job": "y", "team": "b"}))
    call = only(gate).call
    assert (call.service, call.task, call.provider) == ("research", "t-1", "openai")
    assert call.tags == (("customer", "acme"), ("job", "x"), ("team", "b"))
    assert metered.request.headers == {"content-length": str(len(metered.request.body))}


@pytest.mark.parametrize("tags", ["customer", "=acme", "a=b\nc=d"])
def test_headers_that_cannot_be_read_are_errors(make_gate: MakeGate, tags: str) -> None:
    """Tags without a name, a value or on two lines are refused before anything is set aside."""
    gate = make_gate()
    with pytest.raises(AmountError, match="tags"):
        through(gate, post(HELLO, **{"x-spendgate-tags": tags}))
    assert entries(gate) == []


def test_a_request_without_a_cap_is_sent_with_one(make_gate: MakeGate) -> None:
    """What is set aside for the output is what the model is told to write at most; other requests stay as they are."""
    gate = make_gate()
    metered = through(gate, post(HELLO), answer=answered())
    assert json.loads(metered.request.body) == {**HELLO, "max_completion_tokens": 16_384}
    assert only(gate).reserved.usd >= 16_384 * 10_000
    capped = post({**HELLO, "max_completion_tokens": 5})
    assert Metered(gate, capped).request is capped
    local = post({**HELLO, "model": "someone/unlisted"})
    assert Metered(gate, local).request is local
    older = Metered(gate, post({**HELLO, "model": "gpt-3.5-turbo"})).request
    assert json.loads(older.body)["max_completion_tokens"] == 4_096


def test_streams_are_asked_for_their_usage(make_gate: MakeGate) -> None:
    """A stream that would not say what it used is asked to, unless the caller has forbidden that."""
    gate = make_gate()
    asked = {**HELLO, "stream": True, "max_completion_tokens": 5}
    assert json.loads(Metered(gate, post(asked)).request.body)["stream_options"] == {"include_usage": True}
    forbidden = post({**asked, "stream_options": {"include_usage": False}})
    assert Metered(gate, forbidden).request is forbidden


def test_only_encodings_that_can_be_read_are_accepted(make_gate: MakeGate) -> None:
    """The provider is offered no encoding that the gate could not read on the side."""
    body = {**HELLO, "max_completion_tokens": 5}
    request = Metered(make_gate(), post(body, **{"accept-encoding": "gzip, deflate, br;q=0.9, zstd"})).request
    assert request.headers["accept-encoding"] == "gzip, deflate"


def test_a_signed_request_is_not_changed(make_gate: MakeGate) -> None:
    """A body that is signed is sent as it is, also where a cap would be added."""
    request = post(HELLO, authorization="AWS4-HMAC-SHA256 Credential=x")
    assert Metered(make_gate(), request).request is request


def test_other_apis_are_priced_by_their_url(make_gate: MakeGate) -> None:
    """What is sent to a URL of the rate card costs what the card says, whatever the answer but for unbilled ones."""
    gate = make_gate(more=CLEARBIT)
    for status in (200, 404, 500):
        through(gate, Request("GET", f"https://api.clearbit.com/v2/people?email=a@b.c&n={status}"), status)
    assert [(entry.call.resource, entry.weight.usd) for entry in entries(gate)] == [
        ("clearbit.enrich", 4_000_000),
        ("clearbit.enrich", 0),
        ("clearbit.enrich", 4_000_000),
    ]


def test_what_is_not_paid_for_passes(make_gate: MakeGate) -> None:
    """Unknown hosts and free requests pass a gate without any room, and leave no entry."""
    gate = make_gate("0")
    through(gate, Request("GET", "https://example.com/"))
    through(gate, Request("GET", "https://api.openai.com/v1/models"))
    through(gate, post({"model": "omni-moderation-latest", "input": "x"}, "https://api.openai.com/v1/moderations"))
    assert entries(gate) == []


def test_a_paid_host_that_is_not_understood_needs_a_price(make_gate: MakeGate) -> None:
    """A request to a paid host that nobody understands is refused, or held at the declared price and counted whole."""
    request = post({"model": "some-new-thing"}, "https://api.openai.com/v1/something/new")
    with pytest.raises(PriceError):
        through(make_gate(), request)
    gate = make_gate("50.00", '[prices]\nunknown_model = { input = "15", output = "75" }')
    through(gate, request, answer={"usage": {"prompt_tokens": 1}})
    entry = only(gate)
    assert entry.state is State.SETTLED
    assert entry.weight == entry.reserved
    assert "unpriced" in entry.marks


@pytest.mark.parametrize(
    "answer",
    [
        b"no json",
        b'{"usage": {"prompt_tokens": -1, "completion_tokens": 3}}',
        b'{"usage": {"prompt_tokens": 10}, "cho',
        b'{"choices": []}',
        b'{"model": "gpt-4o", "usage": {"prompt_tokens": 1e400, "completion_tokens": "many"}}',
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_an_answer_that_cannot_be_read_counts_whole(
    make_gate: MakeGate, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the provider has answered and we cannot read it, the whole hold counts, marked, and the log says so."""
    gate = make_gate()
    with caplog.at_level(logging.WARNING, "spendgate"):
        through(gate, post(HELLO), answer=answer)
    entry = only(gate)
    assert (entry.state, entry.weight, entry.marks) == (State.SETTLED, entry.reserved, {"unpriced"})
    assert "counts whole, unpriced" in caplog.text


@pytest.mark.parametrize("problem", [StoreError("the disk is gone"), RuntimeError("a slip of ours")])
def test_a_ledger_that_goes_away_does_not_take_the_answer(
    make_gate: MakeGate, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    """Once the provider has answered, a fault of ours never reaches the caller; the call stays held."""

    def fault(*_: object) -> None:
        raise problem

    gate = make_gate()
    metered = Metered(gate, post(HELLO))
    metered.reserve()
    metered.answered(200, {"content-type": "application/json"})
    metered.feed(json.dumps(answered()).encode())
    monkeypatch.setattr(gate.store, "settle", fault)
    metered.ended(complete=True)
    assert only(gate).state is State.HELD


def test_a_bill_is_priced_by_the_model_that_answered(make_gate: MakeGate) -> None:
    """The model in the answer has the price, not the one that was asked for."""
    gate = make_gate()
    through(gate, post(HELLO), answer=answered("gpt-4o-mini-2024-07-18"))
    assert only(gate).weight.usd == 10 * 150 + 3 * 600


def test_your_own_price_stands_for_the_snapshots_of_a_model(make_gate: MakeGate) -> None:
    """A model on the rate card is billed by it, also where the answer names the model with a date."""
    gate = make_gate("50.00", '[prices."gpt-4o"]\ninput = "100"\noutput = "200"')
    through(gate, post({**HELLO, "max_completion_tokens": 10}), answer=answered())
    assert only(gate).weight.usd == 10 * 100_000 + 3 * 200_000


def test_an_overrun_is_booked_in_full(make_gate: MakeGate) -> None:
    """An answer that used more than was set aside is booked with all of it, and marked."""
    gate = make_gate()
    through(gate, post({**HELLO, "max_completion_tokens": 5}), answer=answered(completion=1000))
    assert only(gate).weight.usd == 10 * 2_500 + 1000 * 10_000
    assert only(gate).marks == {"overrun"}


def test_background_work_is_billed_once_when_it_is_collected(make_gate: MakeGate) -> None:
    """A background response stays held for a day, and its first whole answer settles it, however often it is asked."""
    gate = make_gate()
    body = {"model": "gpt-4o", "input": "hello", "background": True, "max_output_tokens": 100}
    through(gate, post(body, RESPONSES), answer={"id": "resp_1", "status": "queued", "model": "gpt-4o"})
    entry = only(gate)
    assert (entry.state, entry.lapse_at - entry.held_at) == (State.HELD, LAPSE_AFTER_BATCH)
    collect = Request("GET", f"{RESPONSES}/resp_1")
    through(gate, collect, answer={"id": "resp_1", "status": "in_progress", "model": "gpt-4o"})
    assert only(gate).state is State.HELD
    done = {"id": "resp_1", "status": "completed", "model": "gpt-4o", "output": []}
    for _ in range(3):
        through(gate, collect, answer=done | {"usage": {"input_tokens": 10, "output_tokens": 3}})
    entry = only(gate)
    assert (entry.state, entry.weight.usd) == (State.SETTLED, 10 * 2_500 + 3 * 10_000)
    through(gate, Request("GET", f"{RESPONSES}/resp_2"), answer=done | {"usage": {"input_tokens": 1}})
    assert only(gate).id == entry.id


def test_no_answer_frees_the_hold_only_where_nothing_was_sent(make_gate: MakeGate) -> None:
    """A request that never left is voided; one that may have arrived stays held."""
    gate = make_gate()
    for sent in (False, True):
        metered = Metered(gate, post(HELLO))
        metered.reserve()
        metered.failed(sent=sent)
    assert [entry.state for entry in entries(gate)] == [State.VOIDED, State.HELD]


@pytest.mark.parametrize(
    ("status", "state"),
    [(400, "voided"), (429, "voided"), (529, "voided"), (408, "held"), (504, "held"), (524, "held")],
)
def test_errors_free_the_hold_where_they_are_not_billed(make_gate: MakeGate, status: int, state: str) -> None:
    """Errors of a known provider cost nothing, but for timeouts at its side, which may be billed."""
    gate = make_gate()
    through(gate, post(HELLO), status, {"error": {}})
    assert only(gate).state.value == state


def test_less_is_asked_for_where_less_fits(make_gate: MakeGate) -> None:
    """With `clamp` a call is told to write as much as the rest of a limit pays for, to the token."""
    gate = make_gate("0.10")
    body = {**HELLO, "max_completion_tokens": 16_384}
    metered = through(gate, post(body), answer=answered(), terms=Terms(clamp=256))
    cap = json.loads(metered.request.body)["max_completion_tokens"]
    reserved = only(gate).reserved.usd
    assert reserved <= 100_000_000 < reserved + 10_000
    assert 256 <= cap < 16_384
    with pytest.raises(SpendLimitError):
        through(make_gate("0.10"), post(body), terms=Terms(clamp=cap + 1))


def test_another_model_is_asked_where_there_is_no_room(make_gate: MakeGate) -> None:
    """With `fallback` a cheaper model is asked through the same gate, and its entry says for which one it stands in."""
    gate = make_gate("0.05")
    metered = through(gate, post(HELLO), answer=answered("gpt-4o-mini-2024-07-18"), terms=Terms(fallback="gpt-4o-mini"))
    entry = only(gate)
    assert json.loads(metered.request.body)["model"] == "gpt-4o-mini"
    assert (entry.call.resource, entry.call.tags) == ("gpt-4o-mini", (("fallback_for", "gpt-4o"),))
    assert entry.weight.usd == 10 * 150 + 3 * 600
    with pytest.raises(SpendLimitError):
        through(make_gate("0.0001"), post(HELLO), terms=Terms(fallback="gpt-4o-mini"))


def test_a_model_name_without_end_is_refused_in_words(make_gate: MakeGate) -> None:
    """A model's name of 10,000 characters is no crash: nobody knows a price for it."""
    with pytest.raises(PriceError):
        through(make_gate(), post({**HELLO, "model": "m" * 10_000}))


def test_what_is_asked_instead_is_still_the_same_request(make_gate: MakeGate) -> None:
    """A request with less output, or of another model, counts as the one that was asked for: a loop stays a loop."""
    gate = make_gate("1.00")
    gate.reserve(resource="api", at_most="0.95").settle("0.95")
    for _ in range(10):
        through(gate, post(HELLO), answer=answered(), terms=Terms(clamp=256))
    with pytest.raises(LoopError):
        through(gate, post(HELLO), answer=answered(), terms=Terms(clamp=256, fallback="gpt-4o-mini"))
    assert len({entry.reserved.usd for entry in gate.store.entries()}) > 2


def test_a_retry_is_a_retry_at_another_model(make_gate: MakeGate) -> None:
    """A repetition that falls back draws on the retry budget of its task."""
    gate = make_gate("0.05")
    terms = Terms(fallback="gpt-4o-mini", task="t-1")
    with gate.task("t-1", retry_budget="1.00", tiers=["*"]):
        through(gate, post(HELLO), answer=answered("gpt-4o-mini-2024-07-18"), terms=terms)
        through(gate, post(HELLO), answer=answered("gpt-4o-mini-2024-07-18"), terms=terms)
    assert ["retry" in entry.marks for entry in gate.store.entries()] == [False, True]


def test_a_fallback_does_not_lock_the_tier(make_gate: MakeGate) -> None:
    """A task is held to the first model that it asked for and got, not to one that stood in."""
    gate = make_gate("0.05")
    with gate.task("t-1"):
        through(gate, post(HELLO), terms=Terms(fallback="gpt-4o-mini"), answer=answered("gpt-4o-mini-2024-07-18"))
        small = {**HELLO, "max_completion_tokens": 10}
        through(gate, post(small), answer=answered())
        terms = gate.store.task("t-1")
    assert terms is not None
    assert terms.tier == "gpt-4o"


@pytest.mark.parametrize("tokens", [1000, 1001])
def test_a_clamp_is_exact(make_gate: MakeGate, tokens: int) -> None:
    """What is left pays for exactly so many tokens: that many are worth a call, one more is not."""
    input_usd = 2_500 * (through(make_gate("50.00"), post(HELLO), answer=answered())._stated["input_tokens"])
    left = f"{(input_usd + 1000 * 10_000) / 10**9:.9f}"
    gate = make_gate(left)
    if tokens == 1000:
        metered = through(gate, post(HELLO), answer=answered(), terms=Terms(clamp=tokens))
        assert json.loads(metered.request.body)["max_completion_tokens"] == 1000
        assert only(gate).reserved.usd == input_usd + 1000 * 10_000
    else:
        with pytest.raises(SpendLimitError):
            through(gate, post(HELLO), terms=Terms(clamp=tokens))
        assert list(gate.store.entries()) == []


@pytest.mark.parametrize(
    ("chosen", "model"),
    [
        (lambda _: "gpt-4o-mini", "gpt-4o-mini"),
        (lambda _: Fallback("gpt-4o-mini"), "gpt-4o-mini"),
        (lambda refused: "gpt-4o-mini" if refused.limit else None, "gpt-4o-mini"),
        (lambda _: None, ""),
        (lambda _: 5, ""),
        (lambda _: 1 / 0, ""),
        (lambda _: "no-such-model-anywhere", ""),
    ],
)
def test_a_function_says_what_to_ask_instead(make_gate: MakeGate, chosen: Any, model: str) -> None:
    """It is given the refusal; where it names nothing that can be asked, the refusal stands and says why."""
    gate = make_gate("0.05")
    if model:
        through(gate, post(HELLO), answer=answered("gpt-4o-mini-2024-07-18"), terms=Terms(fallback=chosen))
        assert only(gate).call.resource == model
    else:
        with pytest.raises(SpendLimitError):
            through(gate, post(HELLO), terms=Terms(fallback=chosen))
        assert list(gate.store.entries()) == []


def test_a_refusal_says_what_became_of_its_fallback(make_gate: MakeGate, caplog: pytest.LogCaptureFixture) -> None:
    """What leaves is the refusal of the call itself, with a note on the second one; a missing price is in the log."""
    gate = make_gate("0.0001")
    with pytest.raises(SpendLimitError) as caught:
        through(gate, post(HELLO), terms=Terms(fallback="gpt-4o-mini"))
    assert str(caught.value.requested).startswith("0.16")
    assert "in vain" in caught.value.__notes__[0]
    with pytest.raises(SpendLimitError), caplog.at_level(logging.WARNING, "spendgate"):
        through(gate, post(HELLO), terms=Terms(fallback="no-such-model-anywhere"))
    assert "no-such-model-anywhere" in caplog.text


def test_embeddings_have_no_fallback(make_gate: MakeGate) -> None:
    """Embeddings of two models do not mix: another model that writes is not asked for them."""
    request = post({"model": "text-embedding-3-small", "input": "hello"}, "https://api.openai.com/v1/embeddings")
    with pytest.raises(SpendLimitError):
        through(make_gate("0"), request, terms=Terms(fallback="gpt-4o-mini"))


@pytest.mark.parametrize("nearer", ["raise", "skip", "fallback"])
def test_the_policy_of_a_client_stands_between_scope_and_service(make_gate: MakeGate, nearer: str) -> None:
    """A scope is nearer than the client's terms, and those are nearer than the service's."""
    gate = make_gate("0.05")
    gate.services = Services({"research": ServiceRules(policy("skip"))})
    scoped = {"fallback": "gpt-4o-mini"} if nearer == "fallback" else {"when_refused": nearer}

    def skipped() -> int:
        return [event.kind for event in gate.store.events()].count("skipped")

    with pytest.raises(SpendLimitError):
        through(gate, post(HELLO), terms=Terms("research"))
    assert skipped() == 1
    with pytest.raises(SpendLimitError):
        through(gate, post(HELLO), terms=Terms("research", when_refused="raise"))
    assert skipped() == 1
    with gate.scope(**scoped):  # type: ignore[arg-type]
        if nearer == "fallback":
            through(gate, post(HELLO), answer=answered(), terms=Terms("research", when_refused="skip"))
        else:
            with pytest.raises(SpendLimitError):
                through(gate, post(HELLO), terms=Terms("research", fallback="gpt-4o-mini"))
    assert skipped() == 1 + (nearer == "skip")
    assert len(list(gate.store.entries())) == (nearer == "fallback")


def test_a_client_waits_for_room_and_then_falls_back(make_gate: MakeGate) -> None:
    """The wait comes first, once, and what is asked instead does not wait again."""
    gate = make_gate("0.20")
    gate.reserve(resource="api", at_most="0.20").settle("0.20")
    with pytest.raises(SpendLimitError):
        through(gate, post(HELLO), terms=Terms(wait=10, fallback="gpt-4o-mini"))
    metered = through(gate, post(HELLO), answer=answered(), terms=Terms(wait=7200, fallback="gpt-4o-mini"))
    assert json.loads(metered.request.body)["model"] == "gpt-4o"


def test_what_is_asked_instead_does_not_wait(make_gate: MakeGate) -> None:
    """A call that never fits falls back at once, and is refused at once where that does not fit now."""
    gate = make_gate("0.05")
    gate.reserve(resource="api", at_most="0.045").settle("0.045")
    before = gate.clock.now()
    with pytest.raises(SpendLimitError):
        through(gate, post(HELLO), terms=Terms(wait=7200, fallback="gpt-4o-mini"))
    assert gate.clock.now() == before


@pytest.mark.parametrize("terms", [{"when_refused": "fallback"}, {"clamp": -1}, {"wait": -1}, {"fallback": 5}])
def test_terms_that_are_no_policy_are_an_error(terms: Any) -> None:
    """A slip in a client's policy is said when the client is wrapped, not at its first refusal."""
    with pytest.raises(AmountError):
        Terms(**terms)


def test_a_skipped_call_of_a_client_is_written_down_once(make_gate: MakeGate) -> None:
    """A client whose policy is to skip, in a block that the refusal ends, is one event with its dollars."""
    gate = make_gate("0.05")
    with gate.skipping("4711") as record:
        through(gate, post(HELLO), terms=Terms(when_refused="skip"))
    assert record.is_skipped
    (event,) = [event for event in gate.store.events() if event.kind == "skipped"]
    assert (event.data["resource"], event.data["key"], event.limit) == ("gpt-4o", "4711", "usd-1h")
    assert event.data["usd"] > 16_384 * 10_000


def test_the_same_request_again_is_a_duplicate(make_gate: MakeGate) -> None:
    """A client wrapped with `fresh_for` pays again where it sends the same request; another body is another one."""
    gate = make_gate()
    terms = Terms("research", fresh_for="24h")
    for body in (HELLO, HELLO, {**HELLO, "temperature": 0.5}):
        through(gate, post(body), answer=answered(), terms=terms)
    through(gate, post(HELLO), answer=answered(), terms=Terms("research"))
    assert ["duplicate" in entry.marks for entry in entries(gate)] == [False, True, False, False]
    (found,) = gate.store.duplicates(0, 1 << 62)
    assert (found.resource, found.duplicates) == (HELLO["model"], 1)
    with gate.scope(key="4711"):
        through(gate, post(HELLO), answer=answered(), terms=terms)
        through(gate, post({**HELLO, "temperature": 0.7}), answer=answered(), terms=terms)
    assert ["duplicate" in entry.marks for entry in entries(gate)][4:] == [False, True]
