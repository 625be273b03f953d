"""Amazon Bedrock: converse and invoke, whole and as event streams, for models of several makers."""

from collections.abc import Iterable
from typing import Any

import pytest

from spendgate.wire.exchange import Answer, Asked
from spendgate.wire.reading import answer_reader
from tests.wire.frames import chunk, event, failure
from tests.wire.speaking import asked, used, whole

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
CLAUDE = "us.anthropic.claude-sonnet-4-6-v1%3A0"
NOVA = "us.amazon.nova-lite-v1%3A0"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
USAGE = {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}
INVOKED = "amazon-bedrock-invocationMetrics"


def converse(verb: str = "converse", model: str = NOVA, **more: Any) -> Asked:
    return asked(f"{HOST}/{model}/{verb}", {**HELLO, **more})


def invoke(model: str, body: dict[str, Any] | None = None, verb: str = "invoke") -> Asked:
    return asked(f"{HOST}/{model}/{verb}", body or {"prompt": "hello"})


def streamed(what: Asked, frames: Iterable[bytes], *, complete: bool = True, size: int = 7) -> Answer:
    reader = answer_reader(what, 200, {"Content-Type": "application/vnd.amazon.eventstream"})
    body = b"".join(frames)
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])
    return reader.end(complete)


def test_a_request_says_what_it_can_cost() -> None:
    """Model, cap and service tier are read; the input is bounded by its bytes."""
    found = converse(inferenceConfig={"maxTokens": 50}, serviceTier={"type": "flex"})
    assert (found.api, found.provider, found.model, found.kind) == (
        "bedrock.converse",
        "aws",
        "us.amazon.nova-lite-v1:0",
        "paid",
    )
    assert (found.max_output_tokens, found.cap, found.service_tier) == (50, ("inferenceConfig", "maxTokens"), "flex")
    assert found.input_tokens is not None
    assert 5 <= found.input_tokens < 50
    assert (converse().max_output_tokens, converse("converse-stream").streams) == (None, True)


@pytest.mark.parametrize(
    ("identifier", "model"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"),
        (
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0",
            "amazon.nova-pro-v1:0",
        ),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-6-v1:0",
            "eu.anthropic.claude-sonnet-4-6-v1:0",
        ),
        (
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc",
            "application-inference-profile/abc",
        ),
        ("arn:aws-us-gov:bedrock:us-gov-west-1:1:provisioned-model/xyz", "provisioned-model/xyz"),
    ],
)
def test_models_are_named_by_what_they_run(identifier: str, model: str) -> None:
    """Identifiers come escaped and as ARNs; the user's own resources keep what they are before their name."""
    for verb in ("converse", "converse-stream", "invoke", "invoke-with-response-stream"):
        assert asked(f"{HOST}/{identifier}/{verb}", HELLO).model == model


def test_counting_tokens_is_free() -> None:
    """It runs no model."""
    assert asked(f"{HOST}/{CLAUDE}/count-tokens", {"input": {"converse": HELLO}}).kind == "free"


@pytest.mark.parametrize(
    "more",
    [
        {"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}},
        {"promptVariables": {"x": {"text": "y"}}},
        {"messages": [{"content": [{"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://x/y"}}}}]}]},
        {"messages": [{"content": [{"document": {"format": "docx", "name": "d", "source": {"bytes": "AAAA"}}}]}]},
    ],
)
def test_what_is_not_in_the_request_counts_as_the_context(more: dict[str, Any]) -> None:
    """References, packed documents and tools that Amazon runs leave the input open."""
    assert converse(**more).input_tokens is None


def test_media_count_by_their_kind() -> None:
    """Images by what models document, also within results of tools; documents of text by their bytes."""
    image = {"image": {"format": "png", "source": {"bytes": "A" * 400_000}}}
    table = {"document": {"format": "csv", "name": "d", "source": {"bytes": "A" * 4_000}}}
    inner = {"toolResult": {"toolUseId": "t", "content": [image]}}
    for block, model, least, most in [
        (image, NOVA, 6_500, 6_600),
        (image, CLAUDE, 1_600, 1_700),
        (inner, CLAUDE, 1_600, 1_750),
        (table, NOVA, 3_000, 3_100),
        ({"document": {"format": "txt", "name": "d", "source": {"text": "x" * 500}}}, NOVA, 500, 600),
    ]:
        found = asked(f"{HOST}/{model}/converse", {"messages": [{"role": "user", "content": [block]}]}).input_tokens
        assert found is not None
        assert least <= found <= most


def test_cache_tokens_are_added_to_the_input() -> None:
    """They stand beside `inputTokens`; writes are told apart by how long they last."""
    usage = {**USAGE, "cacheReadInputTokens": 20, "cacheWriteInputTokens": 12}
    details = [{"ttl": "1h", "inputTokens": 8}, {"ttl": "5m", "inputTokens": 4}]
    assert used(whole(converse(), {"usage": usage})) == {
        "input_tokens": 42,
        "cache_read_tokens": 20,
        "cache_write_tokens": 12,
        "output_tokens": 4,
    }
    found = used(whole(converse(), {"usage": {**usage, "cacheDetails": details}}))
    assert (found["cache_write_tokens"], found["cache_write_1h_tokens"], found["input_tokens"]) == (4, 8, 42)


def test_the_tier_and_the_model_that_served_are_billed() -> None:
    """The answer tells the tier; a prompt router tells which model it chose."""
    answer = whole(converse(serviceTier={"type": "default"}), {"usage": USAGE, "serviceTier": {"type": "priority"}})
    assert answer.bills[0].service_tier == "priority"
    fast = {"usage": USAGE, "performanceConfig": {"latency": "optimized"}}
    assert whole(converse(), fast).bills[0].service_tier == "optimized"
    invoked = "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0"
    routed = {"usage": USAGE, "trace": {"promptRouter": {"invokedModelId": invoked}}}
    what = converse(model="arn:aws:bedrock:us-east-1:1:default-prompt-router/amazon.nova:1")
    assert (what.model, whole(what, routed).bills[0].model) == (
        "default-prompt-router/amazon.nova:1",
        "us.amazon.nova-pro-v1:0",
    )


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        7,
        {"inputTokens": 5},
        {"outputTokens": 5},
        {"inputTokens": -1, "outputTokens": 1},
        {"inputTokens": "1", "outputTokens": 1},
        {"inputTokens": 0, "outputTokens": 0},
        {"inputTokens": 10**40, "outputTokens": 1},
        {**USAGE, "cacheDetails": [{"ttl": "5m", "inputTokens": -4}]},
    ],
)
def test_usage_that_makes_no_sense_is_unread(usage: Any) -> None:
    """Missing, negative, absurd or no number: the whole hold counts, whole or streamed."""
    answers = [
        whole(converse(), {"usage": usage}),
        streamed(converse("converse-stream"), [event("metadata", {"usage": usage})]),
    ]
    assert [(one.kind, bool(one.reason)) for one in answers] == [("unread", True)] * 2


def spoken(text: str, index: int = 0) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": text}, "p": "abcdefgh"})


START = event("messageStart", {"role": "assistant", "p": "abc"})
STOP = event("messageStop", {"stopReason": "end_turn"})
END = event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}})


@pytest.mark.parametrize("size", [1, 2, 3, 11, 64, 10_000])
def test_a_stream_is_billed_by_its_last_event(size: int) -> None:
    """Its usage comes in `metadata`, in pieces of any size."""
    answer = streamed(converse("converse-stream"), [START, spoken("hi"), STOP, END], size=size)
    assert (answer.kind, answer.cut, used(answer)) == ("billed", False, {"input_tokens": 10, "output_tokens": 4})


def test_a_stream_that_breaks_off_is_billed_for_what_it_showed() -> None:
    """The input is what could be read at most; the output a token for each byte of texts and tool calls."""
    what = converse("converse-stream")
    call = {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a": 1'}}}
    frames = [START, spoken("héllo"), event("contentBlockDelta", call)]
    for complete, more in [(False, []), (True, []), (False, [STOP])]:
        answer = streamed(what, [*frames, *more], complete=complete)
        assert (answer.kind, answer.cut) == ("billed", True)
        assert used(answer) == {"input_tokens": what.input_tokens, "output_tokens": 6 + 7}
    hosted = converse("converse-stream", toolConfig={"tools": [{"systemTool": {"name": "nova_code_interpreter"}}]})
    assert streamed(hosted, frames, complete=False).kind == "unread"


def test_a_stream_that_breaks_off_in_a_hidden_thought_is_unread() -> None:
    """Claude shows a summary; the signature at its end holds the whole. Older models show all of it."""
    thought = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "so"}}})
    signed = event(
        "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "x" * 90}}}
    )
    new, old = (
        converse("converse-stream", CLAUDE),
        converse("converse-stream", "us.anthropic.claude-3-7-sonnet-20250219-v1:0"),
    )
    assert streamed(new, [START, thought], complete=False).kind == "unread"
    assert used(streamed(new, [START, thought, signed], complete=False))["output_tokens"] == 92
    assert streamed(old, [START, thought], complete=False).kind == "billed"


def test_a_stream_that_ends_whole_without_usage_is_unread() -> None:
    """The whole hold counts."""
    assert streamed(converse("converse-stream"), [START, spoken("a"), STOP]).kind == "unread"
    assert streamed(converse("converse-stream"), []).kind == "unread"


@pytest.mark.parametrize("name", ["throttlingException", "modelStreamErrorException", "internalServerException"])
def test_an_exception_in_mid_stream_is_held(name: str) -> None:
    """It may be billed or not, for every verb that streams."""
    answers = [
        streamed(converse("converse-stream"), [START, spoken("a"), failure(name, "sorry")]),
        streamed(invoke(NOVA, verb="invoke-with-response-stream"), [failure(name, "sorry")]),
        streamed(invoke(CLAUDE, {"anthropic_version": "x"}, "invoke-with-response-stream"), [failure(name, "sorry")]),
    ]
    assert [(answer.kind, "sorry" in answer.reason) for answer in answers] == [("held", True)] * 3


def test_an_altered_stream_is_not_believed() -> None:
    """After a wrong checksum nothing more is read, and the whole hold counts."""
    body = bytearray(START + spoken("hi") + STOP + END)
    body[len(START) + 30] ^= 1
    assert streamed(converse("converse-stream"), [bytes(body)]).kind == "unread"


ANTHROPIC = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 70,
    "messages": [{"role": "user", "content": "hello"}],
}


def test_claude_is_read_as_anthropic_states_it() -> None:
    """Cache tokens included, and billed under the name that tells the region."""
    what = invoke(CLAUDE, ANTHROPIC)
    assert (what.api, what.max_output_tokens, what.cap) == ("bedrock.invoke", 70, ("max_tokens",))
    usage = {"input_tokens": 3, "cache_read_input_tokens": 20, "output_tokens": 9}
    body = {"type": "message", "model": "claude-sonnet-4-6", "usage": usage}
    counted = {"x-amzn-bedrock-input-token-count": "3", "x-amzn-bedrock-output-token-count": "9"}
    answer = whole(what, body, headers=counted)
    assert answer.bills[0].model == "us.anthropic.claude-sonnet-4-6-v1:0"
    assert used(answer) == {"input_tokens": 23, "cache_read_tokens": 20, "output_tokens": 9}


def test_claude_streams_in_chunks() -> None:
    """Each frame carries an event of Anthropic's in base64; the last one has Bedrock's own counts too."""
    what = invoke(CLAUDE, ANTHROPIC, "invoke-with-response-stream")
    start = {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 10, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}}
    stop = {"type": "message_stop", INVOKED: {"inputTokenCount": 10, "outputTokenCount": 12}}
    answer = streamed(what, map(chunk, [start, delta, end, stop]))
    assert (used(answer), answer.cut) == ({"input_tokens": 10, "output_tokens": 12}, False)
    answer = streamed(what, map(chunk, [start, delta]), complete=False)
    assert (used(answer), answer.cut) == ({"input_tokens": 10, "output_tokens": 5}, True)
    assert answer.bills[0].model == "us.anthropic.claude-sonnet-4-6-v1:0"


@pytest.mark.parametrize(
    ("model", "body", "answer", "headers", "usage"),
    [
        (NOVA, HELLO, {"usage": {**USAGE, "cacheReadInputTokenCount": 3}}, {}, (13, 4)),
        (
            "meta.llama3-8b-instruct-v1:0",
            {"prompt": "x"},
            {"generation": "y", "prompt_token_count": 5, "generation_token_count": 2},
            {},
            (5, 2),
        ),
        (
            "openai.gpt-oss-20b-1:0",
            HELLO,
            {"usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}},
            {},
            (7, 3),
        ),
        (
            "amazon.titan-text-lite-v1",
            {"inputText": "x"},
            {"inputTextTokenCount": 4, "results": [{"tokenCount": 6}]},
            {},
            (4, 6),
        ),
        ("amazon.titan-embed-text-v2:0", {"inputText": "x"}, {"embedding": [], "inputTextTokenCount": 4}, {}, (4, 0)),
        ("cohere.embed-v4:0", {"texts": ["x"]}, {"embeddings": {}}, {"X-Amzn-Bedrock-Input-Token-Count": "8"}, (8, 0)),
        (
            "mistral.mistral-7b-instruct-v0:2",
            {"prompt": "x"},
            {"outputs": [{"text": "y"}]},
            {"x-amzn-bedrock-input-token-count": "8", "x-amzn-bedrock-output-token-count": "2"},
            (8, 2),
        ),
    ],
)
def test_every_maker_states_usage_in_its_own_way(model: str, body: Any, answer: Any, headers: Any, usage: Any) -> None:
    """In the body where the model says it, else in the headers, where Bedrock does."""
    (bill,) = whole(invoke(model, body), answer, headers=headers).bills
    assert (bill.provider, bill.usage.input_tokens, bill.usage.output_tokens) == ("aws", *usage)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amzn-bedrock-input-token-count": "8"},
        {"x-amzn-bedrock-input-token-count": "-8", "x-amzn-bedrock-output-token-count": "2"},
        {"x-amzn-bedrock-input-token-count": "9" * 30, "x-amzn-bedrock-output-token-count": "2"},
        {"x-amzn-bedrock-input-token-count": "٨", "x-amzn-bedrock-output-token-count": "2"},
    ],
)
def test_headers_that_do_not_say_enough_are_unread(headers: dict[str, str]) -> None:
    """A model that writes needs both counts; a picture has none."""
    answer = whole(invoke("mistral.mistral-7b-instruct-v0:2"), {"outputs": [{"text": "y"}]}, headers=headers)
    assert (answer.kind, bool(answer.reason)) == ("unread", True)


@pytest.mark.parametrize(
    ("model", "body", "cap", "most"),
    [
        (NOVA, {**HELLO, "inferenceConfig": {"maxTokens": 9}}, ("inferenceConfig", "maxTokens"), 9),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "x", "max_gen_len": 9}, ("max_gen_len",), 9),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "x"}, ("max_gen_len",), None),
        ("amazon.titan-text-lite-v1", {"inputText": "x"}, ("textGenerationConfig", "maxTokenCount"), None),
        ("mistral.mistral-7b-instruct-v0:2", {"prompt": "x", "max_tokens": 9}, ("max_tokens",), 9),
        ("cohere.embed-v4:0", {"texts": ["x"]}, (), 0),
    ],
)
def test_every_maker_caps_output_in_its_own_way(model: str, body: Any, cap: tuple[str, ...], most: int | None) -> None:
    """Where the body says it, else where the maker's models take it."""
    found = invoke(model, body)
    assert (found.cap, found.max_output_tokens) == (cap, most)


def test_invoked_models_are_sent_what_is_in_the_body() -> None:
    """Texts by their bytes, images by their ceiling; what lies elsewhere is open."""
    picture = "data:image/png;base64," + "A" * 400_000
    few = invoke("cohere.embed-v4:0", {"images": [picture], "input_type": "image"}).input_tokens
    assert few is not None
    assert 6_500 <= few < 6_600
    assert invoke("cohere.embed-v4:0", {"texts": ["x" * 900, "https://x"]}).input_tokens in range(900, 1_000)
    assert invoke("twelvelabs.pegasus", {"mediaSource": {"s3Location": {"uri": "s3://x/y"}}}).input_tokens is None


def test_other_streams_are_read_to_their_metrics() -> None:
    """Bedrock's own counts end a stream; one that breaks off counts what it showed."""
    what = invoke("meta.llama3-8b-instruct-v1:0", {"prompt": "hello"}, "invoke-with-response-stream")
    first = {"generation": "hi", "prompt_token_count": 5, "generation_token_count": 1, "stop_reason": None}
    last = {"generation": " you", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": "stop"}
    ended = last | {INVOKED: {"inputTokenCount": 5, "outputTokenCount": 3}}
    assert used(streamed(what, map(chunk, [first, ended]))) == {"input_tokens": 5, "output_tokens": 3}
    answer = streamed(what, map(chunk, [first]), complete=False)
    assert (answer.cut, used(answer)) == (True, {"input_tokens": 5, "output_tokens": 2})
    nova = invoke(NOVA, HELLO, "invoke-with-response-stream")
    said = [{"contentBlockDelta": {"delta": {"text": "hi"}}}, {"metadata": {"usage": USAGE}}]
    assert used(streamed(nova, map(chunk, said))) == {"input_tokens": 10, "output_tokens": 4}


@pytest.mark.parametrize(
    "body", [[], "x", 7, None, {}, {"usage": []}, {"usage": {"prompt_tokens": -1}}, {"type": "message"}]
)
def test_odd_documents_do_no_harm(body: Any) -> None:
    """Whatever stands in an answer, and however often it is streamed, it is unread."""
    for what in (converse(), invoke(NOVA), invoke(CLAUDE, ANTHROPIC), invoke("cohere.embed-v4:0", {"texts": []})):
        assert whole(what, body).kind == "unread"
    what = invoke(NOVA, verb="invoke-with-response-stream")
    assert streamed(what, [chunk(body), event("chunk", {"bytes": "!"}), event("chunk", body)]).kind == "unread"


def test_the_tier_of_invoked_models_stands_in_the_headers() -> None:
    """The answer's counts, else the request's."""
    from spendgate.wire.exchange import Request
    from spendgate.wire.reading import understand

    headers = {"x-amzn-bedrock-service-tier": "flex"}
    what = understand(Request("POST", f"{HOST}/{NOVA}/invoke", headers, b'{"messages": []}'))
    assert what is not None
    assert what.service_tier == "flex"
    assert whole(what, {"usage": USAGE}).bills[0].service_tier == "flex"
    latency = {"X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized"}
    assert whole(what, {"usage": USAGE}, headers=latency).bills[0].service_tier == "optimized"
