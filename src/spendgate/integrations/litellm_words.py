"""What LiteLLM's calls ask for and what its answers bill: it speaks OpenAI's dialect, whomever it calls."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from spendgate.gate import Gate
from spendgate.model_calls import cap, fingerprint, plain, provider_id
from spendgate.pricing.usage import Usage
from spendgate.wire.apis import named
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, model_name, whole, word
from spendgate.wire.framing import Events

APIS = {
    "completion": ("openai.chat", "/chat/completions", "max_tokens"),
    "embedding": ("openai.embeddings", "/embeddings", ""),
    "responses": ("openai.responses", "/responses", "max_output_tokens"),
    "anthropic_messages": ("anthropic.messages", "/v1/messages", "max_tokens"),
}
"""By LiteLLM's function: the API whose words it takes, its path, and where an answer's cap is said."""
SDK_RETRIES = 2
"""How often OpenAI's SDK, which LiteLLM calls many providers with, sends a call again that failed."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A call of LiteLLM: what it asks for, the arguments to make it with, and how often it may be sent again."""

    asked: Asked
    kwargs: dict[str, Any]
    retries: int = 0
    usage_added: bool = False
    fingerprint: str = ""


def asking(gate: Gate, name: str, given: dict[str, Any]) -> Asking:
    """What a call asks for. LiteLLM's own clients are told not to retry: the gate sends again in their place."""
    name = name if name in APIS else name.removeprefix("a")
    litellm: Any = import_module("litellm")
    stated, base = str(given.get("model") or ""), given.get("api_base") or given.get("base_url") or ""
    try:
        model, spoken, _, url = litellm.get_llm_provider(
            model=stated, custom_llm_provider=given.get("custom_llm_provider"), api_base=base or None
        )
    except Exception:  # noqa: BLE001 - LiteLLM says it itself, when it is called
        model, spoken, url = stated, str(given.get("custom_llm_provider") or ""), base
    provider = provider_id(spoken, url or "")
    body = {key: plain(value) for key, value in given.items() if value is not None and not key.startswith("litellm")}
    body["model"] = _base_model(given) or model
    asked = _asked(name, provider, body)
    kwargs = dict(given)
    usage_added = bool(asked.usage_flag)
    if usage_added:
        kwargs["stream_options"] = {"include_usage": True}
    if asked.kind == "paid" and asked.max_output_tokens is None:
        most = cap(gate, asked)
        if most is not None:
            kwargs[APIS[name][2]] = most
        asked = replace(asked, max_output_tokens=asked.answers * (most or gate.default_output_tokens))
    retries = 0
    if asked.api in ("openai.chat", "openai.embeddings"):
        by_sdk = spoken in ("openai", "azure") or spoken in litellm.openai_compatible_providers
        told = [whole(given.get(key)) for key in ("num_retries", "max_retries")]  # the first that is there counts
        retries = next((count for count in told if count is not None), SDK_RETRIES if by_sdk else 0)
        kwargs |= {key: 0 for key in ("num_retries", "max_retries") if key in given or key == "max_retries"}
    return Asking(asked, kwargs, retries, usage_added, fingerprint(name, url, _content(body)))


def _content(body: dict[str, Any]) -> dict[str, Any]:
    """What a request says to the model, without what says how and for whom LiteLLM makes it."""
    left_out = ("api_key", "client", "extra_headers", "headers", "max_retries", "num_retries", "timeout", "user")
    return {key: value for key, value in body.items() if key not in left_out and "metadata" not in key}


def read_whole(wanted: Asking, result: Any) -> Answer:
    """What an answer bills."""
    return _read(wanted, [plain(result)], complete=True)


def read_stream(wanted: Asking, chunks: Iterable[Any], *, complete: bool) -> Answer:
    """What a stream bills, by the chunks that came."""
    listed = list(chunks)
    documents = [plain(chunk) for chunk in listed]
    if wanted.asked.api == "openai.chat" and any(isinstance(one, dict) and one.get("usage") for one in documents):
        documents.append({"usage": plain(_total(listed))})  # some providers state their input first, their output last
    if complete and wanted.asked.api == "openai.chat":
        documents.append("[DONE]")
    return _read(wanted, documents, complete=complete)


def _asked(name: str, provider: str, body: dict[str, Any]) -> Asked:
    api, path, _ = APIS.get(name, ("", "", ""))
    found = named(provider, api) if api else None
    if found is not None:
        return found.asked(provider, Request("POST", f"https://litellm.invalid{path}"), body)
    model, _ = model_name(body.get("model"))
    return Asked(f"litellm.{name}", provider, model, kind="unread", streams=body.get("stream") is True)


def _base_model(given: dict[str, Any]) -> str:
    """The model behind a deployment's name, where the router's configuration says so."""
    places = (given, given.get("model_info"), inside(given.get("metadata"), "model_info"))
    return next(
        (str(place["base_model"]) for place in places if isinstance(place, dict) and place.get("base_model")), ""
    )


def _total(chunks: list[Any]) -> Any:
    built = import_module("litellm").stream_chunk_builder(chunks=chunks)
    return getattr(built, "usage", None)


def _read(wanted: Asking, documents: list[Any], *, complete: bool) -> Answer:
    api = named(wanted.asked.provider, wanted.asked.api)
    if api is None:
        return Answer("unread", reason=f"answers of {wanted.asked.api} are not read")
    reading, events = api.reading(wanted.asked, {}), Events()
    for document in documents:
        for data, name in events.feed(document) if isinstance(document, bytes) else ((document, ""),):
            reading.document(data, name)
    answer = reading.answer(complete)
    hours = _hour_writes(documents)
    bills = tuple(replace(bill, usage=_with_hour_writes(bill.usage, hours)) for bill in answer.bills)
    return replace(answer, bills=bills, id=_own_id(answer.id))


def _own_id(id: str) -> str:  # noqa: A002
    """The provider's own name for a response, by which its bill is collected; LiteLLM hands out one of its making."""
    try:
        ids: Any = import_module("litellm.responses.utils").ResponsesAPIRequestUtils
        decode = getattr(ids, "decode_responses_api_response_id", None) or ids._decode_responses_api_response_id
        return word(decode(response_id=id).get("response_id")) or id
    except (ImportError, AttributeError, TypeError, ValueError):
        return id


def _hour_writes(documents: list[Any]) -> int:
    """Tokens written to Anthropic's one-hour cache, which LiteLLM states beside the sum of all that were written."""
    found = 0
    for document in documents:
        for details in ("cache_creation_token_details", "prompt_tokens_details.cache_creation_token_details"):
            found = max(found, whole(inside(document, "usage", *details.split("."), "ephemeral_1h_input_tokens")) or 0)
    return found


def _with_hour_writes(usage: Usage, hours: int) -> Usage:
    moved = min(hours, usage.cache_write_tokens)
    return replace(
        usage,
        cache_write_tokens=usage.cache_write_tokens - moved,
        cache_write_1h_tokens=usage.cache_write_1h_tokens + moved,
    )
