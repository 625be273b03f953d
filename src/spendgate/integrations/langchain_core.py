"""LangChain and LangGraph: a callback handler that really blocks.

model.invoke("...", config={"callbacks": [GateHandler(gate, service="research")]})

LangChain tells a handler of each call of a model before it is sent, and lets what the handler raises through. What a
model's own SDK sends again inside one call it does not tell. That is seen where the SDK sends through the gate as well
(`spendgate.instrument()`, or a client of `gate.wrap`): there each retry is an attempt, and the call is asked for once.
Elsewhere construct models with `max_retries=0` and use `.with_retry()`, whose attempts are told.
"""

import copy
import inspect
import logging
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_core.outputs import LLMResult

from spendgate import attribution, covering
from spendgate.aio import in_thread
from spendgate.errors import RefusedError, SpendgateError
from spendgate.gate import Gate
from spendgate.model_calls import (
    ModelCall,
    begin,
    billed,
    fingerprint,
    is_from_provider,
    plain,
    price_of,
    provider_id,
)
from spendgate.pricing.usage import Usage
from spendgate.wire import openai_usage
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import inside, rows, table, text_bytes, whole, word
from spendgate.wire.openai_chat import HIDES_REASONING, Chat

log = logging.getLogger("spendgate")

RETRIED = re.compile(r"retry:attempt:(\d+)$")
"""The tag by which `.with_retry()` says which attempt a call is."""
OWN_RETRIES = {"ChatOpenAI": 2, "AzureChatOpenAI": 2, "OpenAI": 2, "ChatAnthropic": 2, "ChatGroq": 2}
"""How often the SDKs under these classes send a failed call again, unseen, where `max_retries` does not say."""
MAX_REFUSED = 1_000


@dataclass(slots=True)
class _Running:
    """A call that was let through: what is held, what came of it so far, and how often its SDK may have sent it.

    `stated` is what the gate was told of it, and `together` what LangChain tells of all calls that it begins at once.
    """

    run_id: UUID
    call: ModelCall
    stated: dict[str, Any]
    cover: covering.Cover
    kind: str
    sends: int
    parent: UUID | None
    together: Any
    produced: int = 0
    begun: bool = False


class _Either:
    """A method in two forms: awaited where a coroutine looks it up, as LangChain's awaited callbacks do, else plain.

    Awaited in the model's own task, it does not block the event loop, and what it covers is covered in that task.
    """

    def __init__(self, begin: "Callable[..., _Running | None]") -> None:
        self._begin = begin

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        begin = self._begin.__get__(instance, owner)

        def covered(running: "_Running | None") -> None:
            if running is not None:
                covering.add(running.cover)

        def plain(*args: Any, **kwargs: Any) -> None:
            covered(begin(*args, **kwargs))

        if instance is None or not sys._getframe(1).f_code.co_flags & inspect.CO_COROUTINE:
            return plain

        async def awaited(*args: Any, **kwargs: Any) -> None:
            covered(await in_thread(partial(begin, *args, **kwargs), unwanted=instance._give_back))

        return awaited


class GateHandler(BaseCallbackHandler):
    """Reserves before each call of a model, and settles with the usage that its answer states.

    Safe for threads and for asyncio, where each decision runs in a thread and is awaited before the call is sent. A
    refusal leaves the model's call as `RefusedError`; `.with_retry()` gets the same one again without asking anew.

    Args:
        gate: what must admit each call.
        service: for whom; `metadata={"spendgate_service": ...}` of a run comes before it.
        provider: whose price list holds, where LangChain does not name the provider.
    """

    raise_error = True
    run_inline = True  # LangChain awaits it in the model's own task, where others run beside it, or not at all

    def __init__(self, gate: Gate, *, service: str = "", provider: str = "") -> None:
        super().__init__()
        self.gate = gate
        self.service = service
        self.provider = provider
        self._running: dict[UUID, _Running] = {}
        self._refused: OrderedDict[UUID, RefusedError] = OrderedDict()
        self._said: set[str] = set()
        self._guard = threading.Lock()

    def _chat_begins(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **told: Any
    ) -> _Running:
        body = {"messages": [one for batch in messages for one in _openai_messages(batch)]}
        return self._begin(serialized, body, run_id, told)

    def _text_begins(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **told: Any) -> _Running:
        body = {"messages": [{"role": "user", "content": prompt} for prompt in prompts]}
        return self._begin(serialized, body, run_id, told)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        running = self._running.get(run_id)
        if running is not None:
            message = getattr(chunk, "message", None)
            extra = [getattr(message, name, None) for name in ("tool_call_chunks", "additional_kwargs")]
            running.produced += text_bytes([token, extra])
            running.begun = True

    def _answered(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        running = self._end(run_id)
        if running is not None:
            running.call.answered(partial(_answer, running.call.asked, response))

    def _failed(self, error: BaseException, *, run_id: UUID, **told: Any) -> None:
        running = self._end(run_id)
        if running is None:
            return
        so_far = told.get("response")
        begun = running.begun or bool(_seen(so_far))
        if begun and not is_from_provider(error, running.call.around):
            running.call.answered(partial(_cut, running.call.asked, running.produced, so_far))
            return
        running.call.failed(error, begun=begun)
        if not begun and not running.cover.sent and price_of(error, running.call.around) == "held":
            self._book_unseen(running)

    on_chat_model_start = _Either(_chat_begins)
    on_llm_start = _Either(_text_begins)
    on_llm_end = _Either(_answered)
    on_llm_error = _Either(_failed)

    def _begin(self, serialized: Any, body: dict[str, Any], run_id: UUID, told: Mapping[str, Any]) -> _Running:
        metadata, parent, tried = table(told.get("metadata")), told.get("parent_run_id"), _attempt(told.get("tags"))
        if tried > 1 and parent is not None and parent in self._refused:
            raise self._refused[parent]
        body = {**table(told.get("invocation_params")), **body}
        asked = self._asked(serialized, body, metadata)
        service, task = (str(metadata.get(f"spendgate_{name}") or "") for name in ("service", "task"))
        stated: dict[str, Any] = {
            "service": service or self.service,
            "task": task,
            "attempt": max(attribution.current().attempt, 1) + tried - 1,
            "fingerprint": fingerprint(asked.provider, asked.model, plain(body)),
        }
        together = told.get("options") if told.get("batch_size", 1) > 1 else None
        try:
            call = begin(self.gate, asked, **stated)
        except SpendgateError as error:
            self._drop(together)
            self._remember(parent, error)
            raise
        kind, retries = _retries(serialized)
        cover = covering.Cover(partial(self._again, run_id))
        running = _Running(run_id, call, stated, cover, kind, 1 + retries, parent, together)
        with self._guard:
            self._running[run_id] = running
        return running

    def _again(self, run_id: UUID, was_free: bool) -> None:
        """The model's SDK is about to send a call again, and somebody below sees it: that is another attempt."""
        running = self._running.get(run_id)
        if running is None:
            return
        if was_free:
            running.call.void()
        else:
            running.call.answered(partial(Answer, "held", reason="it failed, and its SDK sends it again"))
        running.stated["attempt"] += 1
        try:
            running.call = begin(self.gate, running.call.asked, **running.stated)
        except SpendgateError as error:
            self._remember(running.parent, error)
            raise

    def _give_back(self, running: _Running | None) -> None:
        """Whoever began a call was cancelled before he knew: it is not sent."""
        if running is not None and self._end(running.run_id) is not None:
            running.call.void()

    def _drop(self, together: Any) -> None:
        """Voids calls that are begun together with one that was refused: LangChain sends none of them."""
        for one in list(self._running.values()) if together is not None else ():
            if one.together is together and not one.begun and not one.cover.sent:
                self._give_back(one)

    def _asked(self, serialized: Any, body: dict[str, Any], metadata: Mapping[str, Any]) -> Asked:
        """What a call asks for, in OpenAI's words, which LangChain's arguments are close to."""
        named = [metadata.get("ls_model_name"), *(body.get(name) for name in ("model", "model_name", "model_id"))]
        given = table(inside(serialized, "kwargs"))
        url = next((given[name] for name in ("openai_api_base", "base_url") if isinstance(given.get(name), str)), "")
        provider = self.provider or provider_id(str(metadata.get("ls_provider") or ""), url)
        most = [body.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")]
        most += [body.get("max_tokens_to_sample"), metadata.get("ls_max_tokens")]
        words = {
            "model": next((str(name) for name in named if name), ""),
            "max_tokens": next((cap for cap in most if cap is not None), None),
            "tools": [_tool(tool) for tool in rows(body.get("tools"))],
            "response_format": plain(body.get("response_format")),
        }
        if body.get("messages") == [None]:
            words["plugins"] = True  # what cannot be read may be as long as the model can take
        kept = {name: body.get(name) for name in ("messages", "n", "stream", "service_tier", "web_search_options")}
        return Chat().asked(provider, Request("POST", "https://langchain.invalid/chat/completions"), kept | words)

    def _book_unseen(self, running: _Running) -> None:
        """Holds what an SDK may have sent besides, before it gave up: each of these may be billed too."""
        observing = copy.copy(self.gate)
        observing.mode = "observe" if self.gate.mode == "enforce" else self.gate.mode
        call = running.call.reservation.call
        for more in range(1, running.sends):
            stated = {"service": call.service, "task": call.task, "attempt": call.attempt + more}
            begin(observing, running.call.asked, **stated).reservation.abandon()

    def _remember(self, parent: UUID | None, error: SpendgateError) -> None:
        if parent is not None and isinstance(error, RefusedError):
            with self._guard:
                self._refused[parent] = error
                while len(self._refused) > MAX_REFUSED:
                    self._refused.popitem(last=False)

    def _end(self, run_id: UUID) -> _Running | None:
        with self._guard:
            running = self._running.pop(run_id, None)
        if running is not None:
            running.cover.end()
            if running.sends > 1 and not running.cover.sent and running.kind not in self._said:
                self._said.add(running.kind)
                log.warning(
                    "spendgate: retries inside %s are not seen; use max_retries=0 and .with_retry()", running.kind
                )
        return running


def _retries(serialized: Any) -> tuple[str, int]:
    """The class of a model, and how often the SDK under it may send a call again."""
    kind = str((rows(inside(serialized, "id")) or [""])[-1])
    stated = whole(inside(serialized, "kwargs", "max_retries"))
    return kind, OWN_RETRIES.get(kind, 0) if stated is None else stated


def _openai_messages(messages: Sequence[BaseMessage]) -> list[Any]:
    try:
        found = convert_to_openai_messages(list(messages))
    except Exception:  # noqa: BLE001 - whatever it does not know, the call is estimated
        return [None]
    return found if isinstance(found, list) else [found]


def _tool(tool: Any) -> Any:
    """A tool as OpenAI would be told of it; Anthropic's have no `type` where the caller runs them."""
    found = plain(tool)
    return {"type": "function", **found} if isinstance(found, dict) and "input_schema" in found else found


def _attempt(tags: Iterable[str] | None) -> int:
    found = [RETRIED.match(tag) for tag in tags or ()]
    return max((int(one[1]) for one in found if one), default=1)


def _answer(asked: Asked, response: LLMResult) -> Answer:
    """What an answer bills, at the usage of its message or else of the whole result."""
    message = _message(response)
    metadata, output = table(getattr(message, "response_metadata", None)), table(response.llm_output)
    model = word(metadata.get("model_name")) or word(metadata.get("model")) or word(output.get("model_name"))
    used = table(getattr(message, "usage_metadata", None))
    if used.get("total_cost") == 0:
        return Answer("free", reason="it is from LangChain's cache")
    if used:
        return billed(asked, _usage(used), model=model)
    counted = output.get("token_usage") or output.get("usage")
    if isinstance(counted, dict) and counted:
        return billed(asked, openai_usage.read(asked.provider, counted), model=model)
    return Answer("unread", reason="it does not say what it used")


def _cut(asked: Asked, produced: int, so_far: LLMResult | None) -> Answer:
    """What a stream bills that its reader left."""
    message = None if so_far is None else _message(so_far)
    used = table(getattr(message, "usage_metadata", None))
    given = _usage(used).input_tokens if used else None
    hidden = HIDES_REASONING.search(asked.model) is not None
    return cut_short(asked, "", max(produced, _seen(so_far)), input_tokens=given or None, hidden=hidden)


def _seen(so_far: LLMResult | None) -> int:
    """Bytes of what was written; LangChain hands out a message that is empty where nothing was."""
    message = None if so_far is None else _message(so_far)
    return text_bytes([getattr(message, "content", None), getattr(message, "tool_calls", None)])


def _message(response: LLMResult) -> Any:
    first = response.generations[0] if response.generations else []
    return getattr(first[0], "message", None) if first else None


def _usage(used: Mapping[str, Any]) -> Usage:
    """LangChain's usage: its input has the cache's tokens in it, and one-hour writes stand beside the others."""
    given, out = table(used.get("input_token_details")), table(used.get("output_token_details"))
    hours, minutes = (whole(given.get(f"ephemeral_{span}_input_tokens")) or 0 for span in ("1h", "5m"))
    written = max(whole(given.get("cache_creation")) or 0, hours + minutes)
    return Usage(
        input_tokens=used["input_tokens"],
        cache_read_tokens=whole(given.get("cache_read")) or 0,
        cache_write_tokens=written - hours,
        cache_write_1h_tokens=hours,
        output_tokens=used["output_tokens"],
        reasoning_tokens=min(whole(out.get("reasoning")) or 0, used["output_tokens"]),
        input_audio_tokens=whole(given.get("audio")) or 0,
        output_audio_tokens=whole(out.get("audio")) or 0,
    )
