"""The OpenAI Agents SDK: a model, or a provider of models, whose requests pass the gate.

Runner.run(agent, "...", run_config=RunConfig(model_provider=GatedProvider(gate, service="research")))
"""

import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from agents import Model, ModelProvider, ModelResponse, MultiProvider

from spendgate import attribution
from spendgate.gate import Gate
from spendgate.integrations.passing import passing
from spendgate.model_calls import (
    ModelCall,
    begin_async,
    billed,
    cap,
    fingerprint,
    is_from_provider,
    plain,
    provider_id,
    refusal,
    send_async,
    told,
)
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import whole
from spendgate.wire.openai_responses import Responses

NAMES = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs", "tracing")
ROUTERS = ("LitellmModel", "AnyLLMModel")
"""Models whose names begin with whose model it is."""


class GatedProvider(ModelProvider):
    """Models by name, from the SDK's own provider or another one, each behind the gate."""

    def __init__(self, gate: Gate, provider: ModelProvider | None = None, *, service: str = "") -> None:
        self.gate = gate
        self.provider = provider or MultiProvider()
        self.service = service

    def get_model(self, model_name: str | None) -> Model:
        return GatedModel(self.provider.get_model(model_name), self.gate, service=self.service)

    async def aclose(self) -> None:
        await self.provider.aclose()


class GatedModel(Model):
    """A model whose every request is reserved first, and settled with the usage that it reports.

    What OpenAI's client would send again unseen is sent again here, each time as an attempt with money of its own.

    Args:
        wrapped: the model that is asked.
        gate: what must admit each request.
        service: for whom.
        provider: whose price list holds, where neither the client's URL nor the model's name says.

    Raises:
        RefusedError: from every request that finds no room. Nothing was sent, and the runner does not retry.
    """

    def __init__(self, wrapped: Model, gate: Gate, *, service: str = "", provider: str = "") -> None:
        self.wrapped = wrapped
        self.gate = gate
        self.service = service
        self.provider = provider

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
        model, retries = self._sender()
        asked, mark = self._asked(model, given)

        async def ask() -> ModelResponse:
            with passing():
                answer: ModelResponse = await model.get_response(**given)
                return answer

        call, answer = await send_async(self.gate.clock, partial(self._start, asked, mark), ask, retries)
        await told(call.answered, partial(_answer, asked, answer))
        return answer

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        given = {**dict(zip(NAMES, args, strict=False)), **kwargs}
        model, retries = self._sender()
        asked, mark = self._asked(model, given)
        asked = replace(asked, streams=True)

        async def ask() -> tuple[Any, Any]:
            events = model.stream_response(**given)
            with passing():
                return events, await anext(events, None)

        call, (events, event) = await send_async(self.gate.clock, partial(self._start, asked, mark), ask, retries)
        reading, complete = Responses().reading(asked, {}), False
        try:
            while event is not None:
                reading.document(_seen(event), event.type)
                yield event
                event = await anext(events, None)
            complete = True
        except BaseException as fault:
            if is_from_provider(fault, call.around):
                await told(call.failed, fault, begun=True)
            raise
        finally:
            await told(call.answered, partial(reading.answer, complete))
            if hasattr(events, "aclose"):
                await events.aclose()

    def get_retry_advice(self, request: Any) -> Any:
        """A refusal is never worth a retry; for the rest, the model knows."""
        if refusal(request.error) is None:
            return self.wrapped.get_retry_advice(request)
        kit = import_module("agents.retry")
        never = kit.ModelRetryNormalizedError(is_abort=True)  # the one veto that no retry policy can overrule
        return kit.ModelRetryAdvice(suggested=False, reason=str(request.error), normalized=never)

    async def close(self) -> None:
        await self.wrapped.close()

    async def _cleanup_on_run_end(self, owner: object) -> None:
        cleanup = getattr(self.wrapped, "_cleanup_on_run_end", None)
        if cleanup is not None:
            await cleanup(owner)

    async def _start(self, asked: Asked, mark: str, tried: int) -> ModelCall:
        attempt = max(attribution.current().attempt, 1) + tried
        return await begin_async(self.gate, asked, service=self.service, attempt=attempt, fingerprint=mark)

    def _sender(self) -> tuple[Any, int]:
        """The model as it sends once, and how often its client would have sent again."""
        client = getattr(self.wrapped, "_client", None)
        retries = whole(getattr(client, "max_retries", None))
        if client is None or retries is None or _sends_once():
            return self.wrapped, 0
        model: Any = copy.copy(self.wrapped)
        model._client = client.with_options(max_retries=0)
        return model, retries

    def _asked(self, model: Any, given: dict[str, Any]) -> tuple[Asked, str]:
        """What a request asks for, and its fingerprint; where nobody caps its output, it is capped."""
        settings = given["model_settings"]
        name = str(getattr(model, "model", ""))
        whose = "openai"
        if type(model).__name__ in ROUTERS and "/" in name:
            whose, _, name = name.partition("/")
        url = str(getattr(getattr(model, "_client", None), "base_url", "") or getattr(model, "base_url", "") or "")
        body = {
            "model": name,
            "instructions": given["system_instructions"],
            "input": plain(given["input"]),
            "tools": [*map(_tool, given["tools"]), *map(_handoff, given["handoffs"])],
            "text": _schema(given["output_schema"]),
            "max_output_tokens": settings.max_tokens,
            "previous_response_id": given.get("previous_response_id"),
            "conversation": given.get("conversation_id"),
            "prompt": given.get("prompt"),
            **(plain(getattr(settings, "extra_args", None)) or {}),
        }
        provider = self.provider or provider_id(whose, url)
        asked = Responses().asked(provider, Request("POST", "https://agents.invalid/v1/responses"), body)
        mark = fingerprint(provider, url, body)
        if asked.max_output_tokens is not None:
            return asked, mark
        most = cap(self.gate, asked)
        if most is not None:
            given["model_settings"] = replace(settings, max_tokens=most)
        return replace(asked, max_output_tokens=most or self.gate.default_output_tokens), mark


def _sends_once() -> bool:
    """Whether the runner, which is sending again itself, has told clients not to."""
    try:
        found: bool = import_module("agents.models._retry_runtime").should_disable_provider_managed_retries()
    except (ImportError, AttributeError):
        return False
    return found


def _tool(tool: Any) -> dict[str, Any]:
    """A tool as the API is told of it; what runs at the provider keeps the name that says so."""
    schema = getattr(tool, "params_json_schema", None)
    if schema is None:
        return {"type": getattr(tool, "name", type(tool).__name__)}
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": schema}


def _handoff(handoff: Any) -> dict[str, Any]:
    schema = handoff.input_json_schema
    return {
        "type": "function",
        "name": handoff.tool_name,
        "description": handoff.tool_description,
        "parameters": schema,
    }


def _schema(output: Any) -> Any:
    return None if output is None or output.is_plain_text() else output.json_schema()


def _seen(event: Any) -> Any:
    return event.model_dump(mode="json", exclude_none=True, warnings=False)


def _answer(asked: Asked, response: ModelResponse) -> Answer:
    """What a response bills. In the background it bills nothing yet."""
    used = response.usage
    if asked.later and not used.output_tokens:
        return Answer("later", id=response.response_id or "")
    read, written = used.input_tokens_details, used.output_tokens_details
    searches = sum(getattr(item, "type", "") == "web_search_call" for item in response.output)
    usage = Usage(
        input_tokens=used.input_tokens,
        cache_read_tokens=getattr(read, "cached_tokens", 0) or 0,
        cache_write_tokens=getattr(read, "cache_write_tokens", 0) or 0,
        output_tokens=used.output_tokens,
        reasoning_tokens=min(getattr(written, "reasoning_tokens", 0) or 0, used.output_tokens),
        web_searches=searches,
    )
    return billed(asked, usage)
