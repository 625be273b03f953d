"""Chat completions: what is asked for, what was used, and what a stream that broke off is taken for."""

from dataclasses import replace
from typing import Any

import pytest

from spendgate.wire.exchange import Answer, Asked
from tests.wire.speaking import OPENAI, asked, streamed, used, whole

CHAT = f"{OPENAI}/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def chunk(text: str = "", finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c1", "model": "gpt-4o-2024-08-06", "object": "chat.completion.chunk", "choices": [choice], **more}


def stream_of(**more: Any) -> Asked:
    return asked(CHAT, {**HELLO, "stream": True, **more})


def test_a_request_says_what_it_can_cost() -> None:
    """Model, caps, answers and service tier are read; the input is bounded by the bytes of what is sent."""
    found = asked(CHAT, {**HELLO, "max_completion_tokens": 100, "n": 3, "service_tier": "flex"})
    assert (found.api, found.provider, found.model, found.kind) == ("openai.chat", "openai", "gpt-4o", "paid")
    assert (found.max_output_tokens, found.answers, found.service_tier) == (300, 3, "flex")
    assert found.input_tokens is not None
    assert found.input_tokens >= len("hello")
    assert (found.cap, found.usage_flag, found.streams) == (("max_completion_tokens",), (), False)


@pytest.mark.parametrize(
    ("url", "provider", "model"),
    [
        ("https://api.groq.com/openai/v1/chat/completions", "groq", "m"),
        ("https://x.openai.azure.com/openai/deployments/my%20own/chat/completions?api-version=1", "azure", "m"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "google", "m"),
        ("https://router.huggingface.co/novita/v3/openai/chat/completions", "huggingface_novita", "m"),
        ("https://api.mistral.ai/v1/fim/completions", "mistral", "m"),
        ("https://api.deepseek.com/chat/completions/", "deepseek", "m"),
        ("http://localhost:11434/v1/chat/completions", "ollama", "m"),
    ],
)
def test_the_dialect_is_known_below_any_host_and_path(url: str, provider: str, model: str) -> None:
    """It is the end of the path that tells the API, and the host that tells the provider."""
    found = asked(url, {**HELLO, "model": model})
    assert (found.api, found.provider, found.model) == ("openai.chat", provider, model)


def test_a_deployment_names_the_model_where_the_body_does_not() -> None:
    """Azure's requests need no model in the body; the one that answered goes into the bill."""
    url = "https://x.openai.azure.com/openai/deployments/my%2Down/chat/completions?api-version=2024-10-21"
    found = asked(url, {"messages": []})
    assert found.model == "my-own"
    assert whole(found, {"model": "gpt-4o-2024-11-20", "usage": USAGE}).bills[0].model == "gpt-4o-2024-11-20"


def test_an_unknown_host_counts_where_the_wrapper_says_whose_it_is() -> None:
    """A base URL of the caller's own is billed by the provider that his client states."""
    found = asked("http://127.0.0.1:9/v1/chat/completions", HELLO, default="openai")
    assert (found.provider, found.kind) == ("openai", "paid")


def test_hugging_face_names_the_provider_in_the_model_or_the_answer() -> None:
    """The router hands calls on: to the one in the model's name, or to the one that the answer's header names."""
    url = "https://router.huggingface.co/v1/chat/completions"
    assert asked(url, {**HELLO, "model": "Qwen/Qwen3-32B:novita"}).provider == "huggingface_novita"
    found = asked(url, {**HELLO, "model": "Qwen/Qwen3-32B"})
    answer = whole(found, {"usage": USAGE}, headers={"X-Inference-Provider": "groq"})
    assert (found.provider, answer.bills[0].provider) == ("huggingface", "huggingface_groq")


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ({}, ("stream_options", "include_usage")),
        ({"stream_options": None}, ("stream_options", "include_usage")),
        ({"stream_options": {"include_obfuscation": False}}, ("stream_options", "include_usage")),
        ({"stream_options": {"include_usage": True}}, ()),
        ({"stream_options": {"include_usage": False}}, ()),
    ],
)
def test_usage_of_a_stream_is_asked_for_unless_the_caller_decided(more: dict[str, Any], flag: tuple[str, ...]) -> None:
    """A stream says what it used only when asked; a caller who said no is left alone."""
    assert stream_of(**more).usage_flag == flag


def test_mistral_states_usage_unasked() -> None:
    """Providers that always report need no flag that they might refuse."""
    assert asked("https://api.mistral.ai/v1/chat/completions", {**HELLO, "stream": True}).usage_flag == ()


@pytest.mark.parametrize(
    ("provider", "body", "cap", "most"),
    [
        ("openai", {}, "max_completion_tokens", None),
        ("openai", {"max_tokens": 5}, "max_tokens", 5),
        ("deepseek", {}, "max_tokens", None),
        ("deepseek", {"max_tokens": None}, "max_tokens", None),
        ("openai", {"max_tokens": -1}, "max_completion_tokens", None),
        ("openai", {"max_tokens": 10**30}, "max_completion_tokens", None),
        ("openai", {"max_tokens": "7"}, "max_completion_tokens", None),
    ],
)
def test_the_cap_stands_where_the_provider_looks_for_it(
    provider: str, body: dict[str, Any], cap: str, most: int | None
) -> None:
    """A cap that the request has is kept; a new one goes where that provider takes it."""
    found = asked("http://localhost/v1/chat/completions", {**HELLO, **body}, default=provider)
    assert (found.cap, found.max_output_tokens) == ((cap,), most)


def test_a_legacy_completion_has_its_own_default() -> None:
    """Sixteen tokens for each prompt and each of the best that were made."""
    found = asked(f"{OPENAI}/completions", {"model": "davinci-002", "prompt": ["a", "b"], "best_of": 3, "n": 2})
    assert (found.max_output_tokens, found.answers, found.cap) == (16 * 6, 6, ("max_tokens",))


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
        {"content": [{"type": "file", "file": {"file_id": "file-1"}}]},
        {"content": [{"type": "input_audio", "input_audio": "https://example.com/a.mp3"}]},
        {"content": [{"type": "document_url", "document_url": "https://example.com/a.pdf"}]},
        {"role": "assistant", "audio": {"id": "audio_1"}},
    ],
)
def test_input_that_is_elsewhere_has_no_bound(message: dict[str, Any]) -> None:
    """What a request only refers to may fill the model's context."""
    assert asked(CHAT, {**HELLO, "messages": [message]}).input_tokens is None


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search"}]},
        {"web_search_options": {}, "model": "gpt-4o-search-preview"},
        {"plugins": [{"id": "web"}]},
        {"model": "openai/gpt-4o:online"},
        {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
    ],
)
def test_what_a_provider_looks_up_has_no_bound(more: dict[str, Any]) -> None:
    """A search's results are read by the model, and nobody knows how long they are; the search is set aside too."""
    found = asked(CHAT, {**HELLO, **more})
    assert (found.input_tokens, found.web_searches) == (None, 1)


def test_a_function_of_the_callers_own_is_no_search() -> None:
    """Whatever it is called."""
    found = asked(CHAT, {**HELLO, "tools": [{"type": "function", "function": {"name": "web_search"}}]})
    assert (found.web_searches, found.input_tokens is None) == (0, False)


def test_media_count_by_what_is_documented_of_them() -> None:
    """The base64 of an image is not its tokens."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4_000_000, "detail": "low"}}
    found = asked(CHAT, {**HELLO, "messages": [{"role": "user", "content": [image]}]})
    assert found.input_tokens is not None
    assert 85 <= found.input_tokens < 2_000


def test_text_is_bounded_by_its_bytes() -> None:
    """Text counts as it is written in UTF-8, however JSON escaped it."""
    one, more = (asked(CHAT, {**HELLO, "messages": [{"content": text}]}).input_tokens for text in ("", "日本語" * 100))
    assert one is not None
    assert more is not None
    assert more - one == 900


def test_a_whole_answer_bills_its_usage() -> None:
    """Cached tokens, reasoning and sound are told apart; the answer's model and service tier go into the bill."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5},
    }
    body = {"id": "c1", "model": "gpt-4o-2024-08-06", "service_tier": "default", "usage": usage, "choices": []}
    answer = whole(asked(CHAT, {**HELLO, "service_tier": "priority"}), body)
    assert (answer.kind, answer.id, answer.cut) == ("billed", "c1", False)
    assert (answer.bills[0].model, answer.bills[0].service_tier) == ("gpt-4o-2024-08-06", "default")
    assert used(answer) == {
        "input_tokens": 100,
        "cache_read_tokens": 60,
        "cache_write_tokens": 10,
        "output_tokens": 50,
        "reasoning_tokens": 20,
        "input_audio_tokens": 7,
        "output_audio_tokens": 5,
    }


@pytest.mark.parametrize(
    ("provider", "usage", "expected"),
    [
        ("deepseek", {**USAGE, "prompt_cache_hit_tokens": 8}, {"cache_read_tokens": 8}),
        ("mistral", {**USAGE, "num_cached_tokens": 8}, {}),
        ("moonshotai", {**USAGE, "cached_tokens": 8}, {"cache_read_tokens": 8}),
        (
            "x-ai",
            {**USAGE, "total_tokens": 113, "completion_tokens_details": {"reasoning_tokens": 100}},
            {"output_tokens": 104, "reasoning_tokens": 100},
        ),
        ("google", {**USAGE, "total_tokens": 113}, {"output_tokens": 104}),
        (
            "perplexity",
            {**USAGE, "reasoning_tokens": 30, "citation_tokens": 5, "num_search_queries": 3},
            {"output_tokens": 39, "reasoning_tokens": 30, "web_searches": 3},
        ),
        (
            "openrouter",
            {**USAGE, "completion_tokens_details": {"reasoning_tokens": 5}},
            {"output_tokens": 4, "reasoning_tokens": 4},
        ),
    ],
)
def test_each_provider_is_read_by_its_own_documentation(
    provider: str, usage: dict[str, Any], expected: dict[str, int]
) -> None:
    """Where providers mean different things by the dialect, each is taken at its own word."""
    hello = {**HELLO, "model": "sonar-deep-research"}
    found = whole(asked("http://localhost/chat/completions", hello, default=provider), {"usage": usage})
    assert used(found) == {"input_tokens": 9, "output_tokens": 4, **expected}


@pytest.mark.parametrize(
    ("stated", "nanos"),
    [
        ({"cost": 0.00019325}, 193_250),
        ({"cost": 1}, 1_000_000_000),
        ({"cost": 1e-12}, 1),
        ({"cost": {"input_tokens_cost": 0.1, "total_cost": 0.006}}, 6_000_000),
        ({"cost_in_usd_ticks": 37_756_000}, 3_775_600),
        ({"cost_in_usd_ticks": 1}, 1),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 210_000_000),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.2}}, 200_000_000),
        ({"cost": 0.01, "is_byok": True}, None),
        ({"cost": 0}, None),
        ({"cost": 0.0}, None),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "0.5"}, None),
        ({"cost": 1e300}, None),
        ({"cost": None}, None),
        ({}, None),
    ],
)
def test_a_stated_cost_is_preferred_where_it_can_be_believed(stated: dict[str, Any], nanos: int | None) -> None:
    """Dollars become nano-dollars, rounded up; 0 for tokens, and what is no amount, is not believed."""
    answer = whole(asked("https://openrouter.ai/api/v1/chat/completions", HELLO), {"usage": {**USAGE, **stated}})
    assert (answer.kind, answer.bills[0].cost) == ("billed", nanos)


def test_a_cost_alone_is_enough() -> None:
    """Who states what a call cost need not state its tokens."""
    answer = whole(asked(CHAT, HELLO), {"usage": {"cost": 0.5}})
    assert (answer.bills[0].cost, answer.bills[0].usage.tokens) == (500_000_000, 0)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": 4},
        {"prompt_tokens": 9, "completion_tokens": "4"},
        {"prompt_tokens": 9.5, "completion_tokens": 4},
        {"prompt_tokens": 10**40, "completion_tokens": 4},
        {"prompt_tokens": True, "completion_tokens": 4},
        {"prompt_tokens": [9], "completion_tokens": 4},
        {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 10}},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"completion_tokens": 4},
        {"something": "else"},
        {},
        "nine",
        None,
        [9, 4],
    ],
)
def test_usage_that_makes_no_sense_is_unread(usage: Any) -> None:
    """Negative, missing, absurd or contradicting counts are not booked: the whole hold counts, and it says why."""
    answer = whole(asked(CHAT, HELLO), {"id": "c1", "usage": usage, "choices": []})
    assert (answer.kind, answer.bills) == ("unread", ())
    assert answer.reason


def test_an_error_in_place_of_an_answer_is_held() -> None:
    """A status of 200 with an error in it may have been billed."""
    answer = whole(asked(CHAT, HELLO), {"error": {"code": 502, "message": "upstream"}})
    assert (answer.kind, "upstream" in answer.reason) == ("held", True)


def test_a_stream_bills_the_usage_of_its_last_chunk() -> None:
    """The usage may come with the last choice, after it, or before a chunk that has none."""
    last = {"model": "gpt-4o", "choices": [], "usage": USAGE}
    for tail in ([last], [last, chunk("", usage=None)], [chunk("", "stop", usage=USAGE)]):
        answer = streamed(stream_of(), [chunk("hi", usage=None), chunk("", "stop"), *tail, "[DONE]"])
        assert (answer.kind, answer.cut, used(answer)) == ("billed", False, {"input_tokens": 9, "output_tokens": 4})


def test_each_model_of_a_compound_system_is_billed() -> None:
    """Groq's systems answer with several models, and state what each of them used; their input has no bound."""
    parts = [{"model": f"m{n}", "usage": {"prompt_tokens": n, "completion_tokens": n}} for n in (1, 2)]
    found = asked("https://api.groq.com/openai/v1/chat/completions", {**HELLO, "model": "groq/compound"})
    answer = whole(found, {"usage": USAGE, "usage_breakdown": {"models": parts}})
    assert found.input_tokens is None
    assert [(bill.model, bill.usage.tokens) for bill in answer.bills] == [("m1", 2), ("m2", 4)]


def test_groq_puts_its_usage_elsewhere() -> None:
    """Groq states the usage of a stream under a name of its own."""
    answer = streamed(stream_of(), [chunk("hi"), chunk("", "stop", x_groq={"usage": USAGE}), "[DONE]"])
    assert used(answer) == {"input_tokens": 9, "output_tokens": 4}


def test_a_stream_that_was_read_to_its_usage_is_whole() -> None:
    """A client may close the connection as soon as it has read the last event."""
    body = [chunk("hi"), chunk("", "stop"), {"choices": [], "usage": USAGE}]
    assert not streamed(stream_of(), [*body, "[DONE]"], complete=False).cut
    assert not streamed(stream_of(), body, complete=False).cut


def test_a_stream_without_usage_is_unread() -> None:
    """A stream that ended whole and said nothing counts as the whole hold."""
    body = [chunk("hi"), chunk("", "stop")]
    for answer in (streamed(stream_of(), [*body, "[DONE]"]), streamed(stream_of(), body)):
        assert (answer.kind, answer.reason) == ("unread", "it ended without saying what it used")


def cut_after(*documents: Any, complete: bool = False) -> Answer:
    return streamed(stream_of(), documents, complete=complete)


def test_a_dropped_stream_bills_what_was_produced() -> None:
    """All of the input, and at most a token for each byte of text, reasoning and arguments that was seen."""
    call = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": '{"a":'}}
    thought = chunk()
    thought["choices"][0]["delta"] = {"reasoning_content": "hm", "tool_calls": [call]}
    answer = cut_after(chunk("naïve"), thought, chunk("ok", index=1))
    assert (answer.kind, answer.cut, answer.id) == ("billed", True, "c1")
    produced = len("naïve".encode()) + len("hm") + len("look") + len('{"a":') + len("ok")
    assert used(answer) == {"input_tokens": stream_of().input_tokens, "output_tokens": produced}
    assert answer.bills[0].model == "gpt-4o-2024-08-06"


def test_a_stream_that_ends_without_its_end_is_cut() -> None:
    """A connection that closes cleanly before the last event was cut all the same."""
    assert cut_after(chunk("hi"), complete=True).cut
    assert cut_after(chunk("hi"), chunk("", "stop"), chunk("more", index=1), complete=True).cut


def test_a_stream_cut_between_its_text_and_its_usage_bills_what_was_produced() -> None:
    """The text was whole, the usage never came."""
    answer = cut_after(chunk("hi"), chunk("", "stop"))
    assert (answer.cut, answer.bills[0].usage.output_tokens) == (True, 2)


def test_a_dropped_stream_that_states_usage_as_it_goes_bills_that() -> None:
    """Where each chunk says how much there is so far, that counts, and the bytes since."""
    so_far = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    answer = cut_after(chunk("hi", usage=so_far), chunk("more"))
    assert (answer.cut, used(answer)) == (True, {"input_tokens": 3, "output_tokens": 5})


def test_a_dropped_stream_with_unknown_input_is_unread() -> None:
    """What was read is not known, so the whole hold counts."""
    what = replace(stream_of(), input_tokens=None)
    assert streamed(what, [chunk("hi")], complete=False).kind == "unread"


@pytest.mark.parametrize("model", ["o3", "gpt-5-mini", "openai/gpt-5", "gemini-2.5-pro", "grok-4-0709"])
def test_a_dropped_stream_of_a_model_that_hides_its_reasoning_is_unread(model: str) -> None:
    """How much such a model had thought is not in the stream."""
    answer = streamed(stream_of(model=model), [{**chunk("hi"), "model": model}], complete=False)
    assert (answer.kind, answer.bills) == ("unread", ())


@pytest.mark.parametrize("model", ["gpt-5-chat-latest", "gpt-5.4", "gpt-4.1", "gemini-2.5-flash-lite", "proto3"])
def test_other_models_show_all_they_write(model: str) -> None:
    """A model that does not think unasked is billed by what was seen."""
    assert streamed(stream_of(model=model), [{**chunk("hi"), "model": model}], complete=False).cut


def test_an_error_in_the_middle_of_a_stream_is_held() -> None:
    """It may be billed or not; where the usage comes with the error, that counts."""
    fault = {"error": {"message": "overloaded"}}
    assert streamed(stream_of(), [chunk("hi"), fault]).kind == "held"
    assert used(streamed(stream_of(), [chunk("hi"), {**chunk("", "error"), **fault, "usage": USAGE}])) == {
        "input_tokens": 9,
        "output_tokens": 4,
    }
