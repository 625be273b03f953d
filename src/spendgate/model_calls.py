"""One call of a model that a framework makes: reserved before it is sent, and ended by what became of it.

A framework has messages and answers where `metering` has bytes. What they ask for and bill is stated in the same words.
"""

import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any, Literal, TypeVar

from spendgate import aio
from spendgate.call import MAX_NAME
from spendgate.clock import Clock
from spendgate.errors import SpendgateError
from spendgate.gate import Gate
from spendgate.pricing.usage import Usage
from spendgate.reserved import Reservation
from spendgate.stating import Stated
from spendgate.wire import hosts, statuses
from spendgate.wire.exchange import Answer, Asked, Bill
from spendgate.wire.fields import word
from spendgate.wire.output_limits import output_limit

log = logging.getLogger("spendgate")

T = TypeVar("T")

UNPRICED = frozenset({"unpriced"})
CUT = frozenset({"cut"})
UNSENT = frozenset(
    {
        "ClientConnectorError",
        "ConnectError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "ConnectionRefusedError",
        "EndpointConnectionError",
        "LocalProtocolError",
        "NewConnectionError",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
    }
)
"""Errors of HTTP clients that come before anything was sent, by their names: whose client it is, nobody knows here."""
CLIENTS = frozenset({"aiohttp", "botocore", "httpcore", "httpx", "httpx2", "requests", "urllib3"})
"""HTTP clients by the package that their errors are from."""
PROVIDERS = {
    "amazon_bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "custom_openai": "openai",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "grok": "x-ai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "voyage": "voyageai",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
"""What genai-prices calls the providers that frameworks have other names for."""
MAX_CAUSES = 20
LONGEST_PAUSE_S = 8.0


class ModelCall:
    """A model's call for which money is set aside. Only the first word counts, and none of them raises."""

    def __init__(self, gate: Gate, asked: Asked, reservation: Reservation, around: BaseException | None) -> None:
        self.gate = gate
        self.asked = asked
        self.reservation = reservation
        self.around = around
        self._ended = False

    def answered(self, read: Callable[[], Answer]) -> None:
        """It was answered. `read` says what that bills; where it fails, or finds nothing, the whole hold counts."""
        if self._end():
            return
        try:
            answer = read()
        except Exception:
            log.exception("spendgate: an answer of %s could not be read; the whole hold counts", self.asked.model)
            answer = Answer("unread")
        if answer.kind == "billed" and any(_weighs(bill) for bill in answer.bills):
            self.reservation.settle_bills(answer.bills, CUT if answer.cut else frozenset())
        elif answer.kind == "free":
            self.reservation.void_quietly()
        elif answer.kind == "later" and answer.id:
            self.gate.begin(_work(self.asked, answer.id), self.reservation)
        elif answer.kind in ("held", "later"):
            self.reservation.abandon()
        else:
            reason = answer.reason or "its answer states no usage"
            log.warning("spendgate: %s counts whole, unpriced: %s", self.reservation.call.resource, reason)
            self.reservation.settle_whole(UNPRICED)

    def failed(self, fault: BaseException, *, begun: bool = False) -> None:
        """It raised. What is known to cost nothing is free again; the rest stays held, and so does what had `begun`."""
        if self._end():
            return
        if not begun and price_of(fault, self.around) == "free":
            self.reservation.void_quietly()
        else:
            self.reservation.abandon()

    def void(self) -> None:
        """It was not made, or is free."""
        if not self._end():
            self.reservation.void_quietly()

    def _end(self) -> bool:
        was, self._ended = self._ended, True
        return was


def billed(asked: Asked, usage: Usage, *, model: str = "", provider: str = "", cost: int | None = None) -> Answer:
    """An answer that bills one model. Where it states output and no input, all that was asked counts as read."""
    if usage.output_tokens and not usage.input_tokens:
        if asked.input_tokens is None:
            return Answer("unread", reason="it does not say how much the model has read")
        usage = replace(usage, input_tokens=asked.input_tokens)
    bill = Bill(provider or asked.provider, word(model) or asked.model, usage, cost, asked.batch, asked.service_tier)
    return Answer("billed", (bill,))


def begin(gate: Gate, asked: Asked, **stated: Any) -> ModelCall:
    """Sets the most aside that a call can cost. Raises as `Gate.reserve` does; `stated` is more of what that takes."""
    around = sys.exception()
    return ModelCall(gate, asked, gate.reserve(resource=_resource(asked), **_stated(asked, stated)), around)


async def begin_async(gate: Gate, asked: Asked, **stated: Any) -> ModelCall:
    """The same, awaited. Cancelled, it leaves nothing set aside."""
    around = sys.exception()
    found = await aio.Gate(gate).reserve(resource=_resource(asked), **_stated(asked, stated))
    return ModelCall(gate, asked, found.reservation, around)


def collect(gate: Gate, asked: Asked, read: Callable[[], Answer]) -> None:
    """Settles work in the background, `asked.earlier`, where what it is asked after says its bill. It never raises."""
    try:
        answer = read()
        if answer.kind == "billed" and any(_weighs(bill) for bill in answer.bills):
            gate.collect(_work(asked, asked.earlier), answer.bills)
    except Exception:
        log.exception("spendgate: %s could not be settled; it stays held, and counts whole", asked.earlier)


def send(
    clock: Clock, start: Callable[[int], ModelCall], sending: Callable[[], T], retries: int
) -> tuple[ModelCall, T]:
    """Sends a call as often as its client would have done itself, each time with money of its own set aside.

    Args:
        clock: waits between attempts.
        start: sets money aside for an attempt, counted from 0.
        sending: sends the call, once.
        retries: how often it is sent again at most.
    """
    tried = 0
    while True:
        call = start(tried)
        try:
            return call, sending()
        except BaseException as fault:
            call.failed(fault)
            pause = pause_before_retry(fault, tried, call.around) if tried < retries else None
            if pause is None:
                raise
        tried += 1
        clock.sleep(pause)


async def send_async(
    clock: Clock, start: Callable[[int], Awaitable[ModelCall]], sending: Callable[[], Awaitable[T]], retries: int
) -> tuple[ModelCall, T]:
    """The same, awaited. Cancelled while it is under way, an attempt stays held."""
    tried = 0
    while True:
        call = await start(tried)
        try:
            return call, await sending()
        except BaseException as fault:
            await told(call.failed, fault)
            pause = pause_before_retry(fault, tried, call.around) if tried < retries else None
            if pause is None:
                raise
        tried += 1
        await clock.sleep_async(pause)


async def told(step: Any, *given: Any, **more: Any) -> None:
    """Tells a `ModelCall` how it ended, in one of the gate's threads; begun, it is finished also when cancelled."""
    await aio.in_thread(partial(step, *given, **more))


def provider_id(name: str, url: str = "") -> str:
    """What genai-prices calls a provider: by the host that is spoken to, where that is known, else by its name.

    >>> provider_id("xai"), provider_id("openai", "https://api.groq.com/openai/v1"), provider_id("aws.bedrock")
    ('x-ai', 'groq', 'aws')
    """
    found = hosts.provider_at(url) if url else ""
    return found or PROVIDERS.get(name.lower()) or PROVIDERS.get(name.lower().rpartition(".")[2], name)


def plain(value: Any) -> Any:
    """A value as JSON would have it: pydantic's models as tables."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, type) and hasattr(value, "model_json_schema"):
        return value.model_json_schema()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    return value


def fingerprint(*content: Any) -> str:
    """A digest of what a call sends, by which the gate knows the same request again."""
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def cap(gate: Gate, asked: Asked) -> int | None:
    """How much each answer may be told to write, where the caller says nothing and the model's maximum is known."""
    most = output_limit(asked.model) if asked.max_output_tokens is None else None
    return None if most is None else min(gate.default_output_tokens, most)


def price_of(fault: BaseException, around: BaseException | None = None) -> Literal["free", "held"]:
    """What a failed call costs: nothing, or nobody knows.

    The innermost error that says something decides: what SDKs and frameworks make of it may carry a made-up status.
    `around` is what was being handled when the call began, and says nothing about it.
    """
    causes = list(_causes(fault, around))
    if any(isinstance(error, SpendgateError) or type(error).__name__ in UNSENT for error in causes):
        return "free"
    for error in reversed(causes):
        status = status_of(error)
        if status is not None:
            return "free" if statuses.kind(status) == "free" else "held"
        if is_broken(error):
            return "held"
    return "held"


def refusal(fault: BaseException, around: BaseException | None = None) -> SpendgateError | None:
    """The refusal of the gate that a framework made another error of, if it is one."""
    return next((error for error in _causes(fault, around) if isinstance(error, SpendgateError)), None)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error carries; None where it has none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        answered = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        answered = getattr(response, "status_code", None)
    for status in (answered, getattr(error, "status_code", None), getattr(error, "code", None)):
        if type(status) is int and 100 <= status <= 599:
            return status
    return None


def is_broken(error: BaseException) -> bool:
    """Whether a connection broke or took too long: sent, and nobody knows what was billed."""
    home = type(error).__module__.partition(".")[0]
    return isinstance(error, TimeoutError | ConnectionError) or home in CLIENTS


def is_from_provider(fault: BaseException, around: BaseException | None = None) -> bool:
    """Whether it was the provider's answer that failed, and not who reads it."""
    return any(status_of(error) is not None or is_broken(error) for error in _causes(fault, around))


def pause_before_retry(fault: BaseException, tried: int, around: BaseException | None = None) -> float | None:
    """Seconds until the OpenAI and Anthropic SDKs would send a call again that failed; None where they would not.

    They send again after timeouts, broken connections, 408, 409, 429 and from 500 on, unless the host says otherwise.
    """
    if not isinstance(fault, Exception) or refusal(fault, around) is not None:
        return None
    wait = min(0.5 * 2.0**tried, LONGEST_PAUSE_S)
    for error in _causes(fault, around):
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        should = headers.get("x-should-retry") if hasattr(headers, "get") else None
        status = status_of(error)
        if should in ("true", "false") or status is not None:
            retried = status is not None and (status in {408, 409, 429} or status >= 500)
            again: bool = should == "true" if should in ("true", "false") else retried
            return _asked_pause(headers, wait) if again else None
        if is_broken(error) or type(error).__name__ in UNSENT:
            return wait
    return None


def _asked_pause(headers: Any, wait: float) -> float:
    """The pause that a host asks for, where it is short enough to be believed."""
    try:
        asked = float(headers.get("retry-after", ""))
    except (TypeError, ValueError, AttributeError):
        return wait
    return asked if 0 < asked <= 60 else wait


def _causes(fault: BaseException, around: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from, as far as that belongs to the same call."""
    error: BaseException | None = fault
    for _ in range(MAX_CAUSES):
        if error is None or error is around:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _weighs(bill: Bill) -> bool:
    return bool(bill.cost or bill.usage.tokens or bill.usage.web_searches or bill.usage.units)


def _work(asked: Asked, id: str) -> str:  # noqa: A002
    return f"{asked.provider}:{id}"


def _resource(asked: Asked) -> str:
    return asked.model[:MAX_NAME] or asked.api


def _stated(asked: Asked, more: dict[str, Any]) -> Stated:
    stated: dict[str, Any] = {"provider": asked.provider, "batch": asked.batch, "background": asked.later}
    for name in ("input_tokens", "max_output_tokens"):
        if getattr(asked, name) is not None:
            stated[name] = getattr(asked, name)
    for name in ("service_tier", "web_searches"):
        if getattr(asked, name):
            stated[name] = getattr(asked, name)
    return Stated(**{**stated, **{name: value for name, value in more.items() if value}})  # type: ignore[typeddict-item]
