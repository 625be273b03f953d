"""Pydantic AI: a model in front of a model, whose requests pass the gate.

agent = Agent(GatedModel("anthropic:claude-haiku-4-5", gate, service="research"))

A refusal leaves the agent as it is: Pydantic AI retries tools and outputs, and falls back on errors of models, and it
is none of these. Inside a `FallbackModel` each model needs a gate: `FallbackModel(GatedModel(a), GatedModel(b))`.
"""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from spendgate import attribution
from spendgate.errors import AmountError
from spendgate.gate import Gate
from spendgate.integrations.passing import passing
from spendgate.model_calls import (
    ModelCall,
    begin_async,
    billed,
    cap,
    collect,
    fingerprint,
    is_from_provider,
    provider_id,
    send_async,
    told,
)
from spendgate.pricing.usage import Usage
from spendgate.wire import attachments, sizing
from spendgate.wire.cut_short import cut_short
from spendgate.wire.exchange import Answer, Asked
from spendgate.wire.fields import text_bytes, whole, word
from spendgate.wire.openai_chat import HIDES_REASONING
from spendgate.wire.searches import MOST_SEARCHES

log = logging.getLogger("spendgate")

REFERENCES = frozenset({"image-url", "audio-url", "document-url", "video-url", "uploaded-file"})
"""Content that only refers to what the model will read."""


@dataclass(init=False)
class GatedModel(WrapperModel):
    """A model whose every request is reserved first, and settled with the usage that it reports.

    What its SDK would send again unseen is sent again here, each time as an attempt with money of its own. Counting
    tokens is free. A batch is held by the size of its requests, and counts whole.

    Raises:
        RefusedError: from every request that finds no room. Nothing was sent.
    """

    gate: Gate
    service: str

    def __init__(self, wrapped: Model | str, gate: Gate, *, service: str = "") -> None:
        super().__init__(wrapped)
        self.gate = gate
        self.service = service

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        asked, settings, retries = self._asked(messages, model_settings, model_request_parameters)

        async def ask() -> ModelResponse:
            with passing():
                return await self.wrapped.request(messages, settings, model_request_parameters)

        if asked.kind == "collects":
            answer = await ask()
            await told(collect, self.gate, asked, partial(self._answer, asked, answer))
            return answer
        start = partial(self._start, asked, _mark(asked, messages, model_request_parameters))
        call, answer = await send_async(self.gate.clock, start, ask, retries)
        await told(call.answered, partial(self._answer, asked, answer))
        return answer

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        asked, settings, retries = self._asked(messages, model_settings, model_request_parameters)
        async with AsyncExitStack() as stack:

            async def ask() -> StreamedResponse:
                given = (messages, settings, model_request_parameters, run_context)
                with passing():
                    return await stack.enter_async_context(self.wrapped.request_stream(*given))

            if asked.kind == "collects":
                stream = await ask()
                try:
                    yield stream
                finally:
                    await told(collect, self.gate, asked, partial(self._answer_of_stream, asked, stream))
                return
            start = partial(self._start, asked, _mark(asked, messages, model_request_parameters))
            call, stream = await send_async(self.gate.clock, start, ask, retries)
            try:
                yield stream
            except BaseException as fault:
                if is_from_provider(fault, call.around):
                    await told(call.failed, fault, begun=True)
                raise
            finally:
                await told(call.answered, partial(self._answer_of_stream, asked, stream))

    async def compact_messages(self, request_context: Any, *, instructions: str | None = None) -> ModelResponse:
        context = request_context
        asked, _, _ = self._asked(context.messages, context.model_settings, context.model_request_parameters)

        async def ask() -> ModelResponse:
            with passing():
                return await self.wrapped.compact_messages(context, instructions=instructions)

        call, answer = await send_async(self.gate.clock, partial(self._start, asked, ""), ask, 0)
        await told(call.answered, partial(_answer, asked, answer))
        return answer

    async def batch_create(self, requests: Sequence[Any]) -> Any:
        calls = [await self._start(self._asked_in_batch(request), "", 0) for request in requests]
        try:
            with passing():
                batch = await self.wrapped.batch_create(requests)
        except BaseException as fault:
            for call in calls:
                await told(call.failed, fault)
            raise
        for call in calls:
            await told(call.answered, partial(Answer, "held", reason="a batch counts whole"))
        return batch

    async def _start(self, asked: Asked, mark: str, tried: int) -> ModelCall:
        attempt = max(attribution.current().attempt, 1) + tried
        return await begin_async(self.gate, asked, service=self.service, attempt=attempt, fingerprint=mark)

    def _asked(
        self, messages: list[ModelMessage], given: ModelSettings | None, parameters: ModelRequestParameters
    ) -> tuple[Asked, ModelSettings, int]:
        """What a request asks for, the settings to make it with, and how often it may be sent again."""
        settings: dict[str, Any] = {**(self.wrapped.settings or {}), **(given or {})}
        native = getattr(parameters, "native_tools", None) or getattr(parameters, "builtin_tools", None) or []
        provider = provider_id(self.wrapped.system, self.wrapped.base_url or "")
        last = messages[-1] if messages else None
        if isinstance(last, ModelResponse) and self._goes_on(last):
            earlier = last.provider_response_id or ""
            asked = Asked("pydantic_ai", provider, self.wrapped.model_name, "collects", earlier=earlier)
            return asked, ModelSettings(**settings), 0  # type: ignore[typeddict-item]
        tier = settings.get("service_tier") or settings.get(f"{self.wrapped.system}_service_tier")
        asked = Asked(
            api="pydantic_ai",
            provider=provider,
            model=self.wrapped.model_name,
            input_tokens=None if native else _measured(provider, self.wrapped.model_name, messages, parameters),
            max_output_tokens=whole(settings.get("max_tokens")),
            web_searches=MOST_SEARCHES if any("web_search" in str(getattr(tool, "kind", "")) for tool in native) else 0,
            service_tier=word(tier),
            later=settings.get("openai_background") is True,
        )
        most = self._cap(asked)
        if most is not None:
            settings["max_tokens"] = most
        if asked.max_output_tokens is None:
            asked = replace(asked, max_output_tokens=most or self.gate.default_output_tokens)
        retries = 0
        client: Any = getattr(self.wrapped, "client", None)
        if "max_retries" in ModelSettings.__annotations__ and hasattr(client, "max_retries"):
            retries = whole(settings.get("max_retries", client.max_retries)) or 0
            settings["max_retries"] = 0
        return asked, ModelSettings(**settings), retries  # type: ignore[typeddict-item]

    def _goes_on(self, response: ModelResponse) -> bool:
        """Whether the provider works on in the background, and is asked for the answer later."""
        delay = getattr(self.wrapped, "continuation_delay", None)
        is_suspended = getattr(response, "state", "") == "suspended"
        return is_suspended and delay is not None and delay(response) is not None

    def _answer(self, asked: Asked, response: ModelResponse) -> Answer:
        if self._goes_on(response):
            return Answer("later", id=response.provider_response_id or "")
        return _answer(asked, response)

    def _answer_of_stream(self, asked: Asked, stream: StreamedResponse) -> Answer:
        response = stream.get()
        if self._goes_on(response):
            return Answer("later", id=response.provider_response_id or "")
        return _answer(asked, response) if asked.kind == "collects" else _answer_of_stream(asked, stream)

    def _cap(self, asked: Asked) -> int | None:
        """The cap to add: Anthropic's API demands one, and what Pydantic AI names for it depends on the version."""
        profile = self.wrapped.profile
        maximum = profile.get("anthropic_max_output_tokens") if isinstance(profile, dict) else None
        if asked.max_output_tokens is None and type(maximum) is int:
            return min(self.gate.default_output_tokens, maximum)
        return cap(self.gate, asked)

    def _asked_in_batch(self, request: Any) -> Asked:
        provider = provider_id(self.wrapped.system, self.wrapped.base_url or "")
        size = sizing.text(getattr(request, "body", "")) or None
        most = self.gate.default_output_tokens
        return Asked("pydantic_ai", provider, self.wrapped.model_name, "paid", size, most, batch=True)


def _mark(asked: Asked, messages: list[ModelMessage], parameters: ModelRequestParameters) -> str:
    """The fingerprint of a request: of what the model reads, not of when and in which run it was written."""
    read = ("content", "args", "tool_name", "instructions")
    parts = [
        [[getattr(part, name, None) for name in read] for part in message.parts]
        + [getattr(message, "instructions", "")]
        for message in messages
    ]
    tools = [tool.name for tool in (*parameters.function_tools, *parameters.output_tools)]
    return fingerprint(asked.provider, asked.model, parts, tools)


def _measured(
    provider: str, model: str, messages: list[ModelMessage], parameters: ModelRequestParameters
) -> int | None:
    """The same as `_input`; where our own reading fails, as much as the model can take."""
    try:
        return _input(provider, model, messages, parameters)
    except Exception:
        log.exception("spendgate: what %s is asked could not be measured", model)
        return None


def _input(provider: str, model: str, messages: list[ModelMessage], parameters: ModelRequestParameters) -> int | None:
    """The most input tokens of messages and tools; None where they refer to something else."""
    tools = [*parameters.function_tools, *parameters.output_tools]
    defined = [[tool.name, tool.description, tool.parameters_json_schema] for tool in tools]
    output = getattr(parameters.output_object, "json_schema", None)
    found = sizing.text([defined, output]) + (sizing.TOOLS_TOKENS if tools or output else 0)
    found += sizing.MESSAGE_TOKENS * len(messages)
    rest: list[Any] = [ModelMessagesTypeAdapter.dump_python(messages, mode="json")]
    while rest:
        part = rest.pop()
        if isinstance(part, dict) and part.get("kind") in REFERENCES:
            return None
        if isinstance(part, dict) and part.get("kind") == "binary":
            size = attachments.tokens(provider, model, str(part.get("media_type", "")), str(part.get("data", "")))
            if size is None:
                return None
            found += size
        elif isinstance(part, dict):
            found += 6 * len(part) + 2
            rest += [*part, *part.values()]
        elif isinstance(part, list):
            rest += part
        else:
            found += sizing.text(part)
    return found


def _answer(asked: Asked, response: ModelResponse) -> Answer:
    """What a response bills: the model that answered, at the usage that it states."""
    if getattr(response.usage, "unmeasured_requests", 0):
        return Answer("unread", reason="it does not say what it used")
    url = getattr(response, "provider_url", None) or ""
    provider = provider_id(response.provider_name or "", url) or asked.provider
    return billed(asked, _usage(response.usage), model=response.model_name or "", provider=provider)


def _usage(used: Any) -> Usage:
    """Usage in our words: Pydantic AI counts one-hour writes among all that were written.

    Raises:
        AmountError: a count is none.
    """
    hours = getattr(used, "cache_write_1h_tokens", 0) or 0
    details = used.details or {}
    reasoning = getattr(used, "output_reasoning_tokens", 0) or details.get("reasoning_tokens", 0) or 0
    return Usage(
        input_tokens=used.input_tokens or 0,
        cache_read_tokens=used.cache_read_tokens or 0,
        cache_write_tokens=max((used.cache_write_tokens or 0) - hours, 0),
        cache_write_1h_tokens=hours,
        output_tokens=used.output_tokens or 0,
        reasoning_tokens=min(reasoning, used.output_tokens or 0),
        input_audio_tokens=used.input_audio_tokens or 0,
        cache_audio_read_tokens=used.cache_audio_read_tokens or 0,
        output_audio_tokens=used.output_audio_tokens or 0,
        web_searches=details.get("web_search_requests", 0) or 0,
    )


def _answer_of_stream(asked: Asked, stream: StreamedResponse) -> Answer:
    """What a stream bills, read to its end or not."""
    response = stream.get()
    finished = getattr(stream, "_finished", None)
    if finished is None:
        finished = getattr(stream, "finish_reason", None) is not None
    if finished:
        return _answer(asked, response)
    try:
        so_far = _usage(response.usage)
    except AmountError:
        so_far = Usage()
    parts = ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]["parts"]
    produced = max(
        text_bytes([[part.get(name) for name in ("content", "args")] for part in parts]), so_far.output_tokens
    )
    hidden = HIDES_REASONING.search(asked.model) is not None
    return cut_short(
        asked, word(response.model_name), produced, input_tokens=so_far.input_tokens or None, hidden=hidden
    )
