"""LiteLLM: every call that its SDK, router or proxy makes passes the gate, and so does each retry and fallback.

litellm.callbacks = [SpendgateLogger(gate)]      # or install(gate), and uninstall()

LiteLLM swallows what a callback raises before a call, offers no hook before plain calls, and its own retries go around
the hook that there is before awaited ones. So the gate stands inside: in place of the functions that LiteLLM's
decorator `client` wraps, where each attempt comes by, and around its native code. A refusal leaves LiteLLM as a
`BaseException`, which none of its retries and fallbacks takes for a passing fault, and is the plain `RefusedError`
again where the caller's call ends.
Call `litellm.completion(...)`, not a name that was imported from it before: only there fallbacks stop at a refusal.
"""

import copy
import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from spendgate import attribution
from spendgate.errors import SpendgateError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.litellm_native import replacements
from spendgate.integrations.litellm_streams import is_stream, tapped
from spendgate.integrations.litellm_words import Asking, asking, read_whole
from spendgate.integrations.passing import passing
from spendgate.model_calls import ModelCall, begin, begin_async, refusal, send, send_async, told
from spendgate.wire.exchange import Answer, Asked

log = logging.getLogger("spendgate")
litellm: Any = import_module("litellm")
_CustomLogger: Any = import_module("litellm.integrations.custom_logger").CustomLogger

FIRST_CLASS = ("completion", "acompletion", "embedding", "aembedding")
"""What every version of LiteLLM has: where one of them cannot be gated, nothing is."""
GATED = (
    *FIRST_CLASS,
    *("responses", "aresponses", "anthropic_messages", "image_generation", "aimage_generation", "image_edit"),
    *("aimage_edit", "image_variation", "aimage_variation", "transcription", "atranscription", "speech", "aspeech"),
    *("rerank", "arerank", "ocr", "aocr", "search", "asearch", "create_batch", "acreate_batch"),
    *("video_generation", "avideo_generation"),
)
SCOPED = (*GATED, "text_completion", "atext_completion", "anthropic_messages_handler", "aanthropic_messages")
MOCKED = ("mock_response", "mock_tool_calls", "mock_timeout")
"""Arguments that make LiteLLM answer by itself."""
MARK = "spendgate_gated"


class _RefusedInside(BaseException):
    """A refusal on its way out of LiteLLM, past everything that handles an `Exception`."""

    def __init__(self, error: SpendgateError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class _Call:
    """One call as its caller sees it. `sent` counts its attempts, over retries and fallbacks."""

    sent: int = 0


@dataclass(slots=True)
class _Cover:
    """A reservation around a call that LiteLLM makes of another of its functions, which needs none of its own, once."""

    used: bool = False


@dataclass(slots=True)
class _Installed:
    gate: Gate
    undo: list[Callable[[], object]] = field(default_factory=list)


_call: ContextVar[_Call | None] = ContextVar("spendgate_litellm_call", default=None)
_cover: ContextVar[_Cover | None] = ContextVar("spendgate_litellm_cover", default=None)
_installed: list[_Installed] = []


def install(gate: Gate) -> None:
    """Puts the gate in front of every call that LiteLLM makes in this process; again, it changes nothing.

    Raises:
        TypeError: this version of LiteLLM is built in a way that is not known. Nothing was changed.
        ValueError: another gate is installed. Nothing was changed.
    """
    if _installed:
        if _installed[0].gate is not gate:
            raise ValueError("another gate is installed in LiteLLM already: uninstall() it first")
        return
    cells = {name: _cell(name) for name in GATED}
    unknown = [name for name in FIRST_CLASS if cells[name] is None]
    if unknown:
        raise TypeError(f"this version of LiteLLM is not known: {', '.join(unknown)} cannot be gated")
    native = replacements(functools.partial(_native, gate), functools.partial(_native_async, gate))
    done = _Installed(gate)
    for name, cell in cells.items():
        if cell is not None:
            done.undo.append(functools.partial(setattr, cell, "cell_contents", cell.cell_contents))
            cell.cell_contents = _gated(gate, name, cell.cell_contents)
    for name in SCOPED:
        for owner in (litellm, litellm.Router):
            if callable(getattr(owner, name, None)):
                done.undo.append(_replace(owner, name, _scoped(getattr(owner, name))))
    done.undo += [_replace(*one) for one in native]
    _installed.append(done)


def uninstall() -> None:
    """Takes the gate out of LiteLLM again."""
    while _installed:
        for undo in reversed(_installed.pop().undo):
            undo()


class SpendgateLogger(_CustomLogger):  # type: ignore[misc]
    """A LiteLLM callback that really blocks: making one installs the gate. See `install`.

    In the proxy it says for whom a call is made (the key's or team's alias, unless the request's metadata names
    `spendgate_service`), and answers a refusal with 402, which clients do not retry. Calls that went around the gate,
    such as those of the proxy's pass-through routes, are booked when they succeed, and said.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        install(gate)
        self.gate = gate

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> Any:  # noqa: ARG002
        """Says for whom the proxy makes a call."""
        metadata = data.setdefault("metadata", {}) if isinstance(data.get("metadata") or {}, dict) else {}
        named = ("key_alias", "team_alias", "user_id", "team_id")
        whom = next(filter(None, (getattr(user_api_key_dict, name, None) for name in named)), "")
        if metadata is not None and whom:
            metadata.setdefault("spendgate_service", str(whom))
        return data

    async def async_post_call_failure_hook(
        self,
        request_data: Any,  # noqa: ARG002
        original_exception: Exception,
        user_api_key_dict: Any,  # noqa: ARG002
        traceback_str: Any = None,  # noqa: ARG002
    ) -> Any:
        """Makes a refusal an answer that clients do not retry."""
        error = refusal(original_exception)
        if error is None:
            return None
        headers = {"x-should-retry": "false"}
        if isinstance(error, SpendLimitError) and error.frees_at is None and (error.retry_after_s or 0) > 0:
            headers["retry-after"] = str(min(60, int(error.retry_after_s or 0) + 1))
        return import_module("fastapi").HTTPException(402, detail=str(error), headers=headers)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        """Books what went around the gate."""
        if _missed(kwargs):
            self._book(kwargs, response_obj)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:  # noqa: ARG002
        """Books what went around the gate."""
        if _missed(kwargs):
            await told(self._book, kwargs, response_obj)

    def _book(self, kwargs: Any, response: Any) -> None:
        log.warning("spendgate: LiteLLM called %s without asking the gate; it is booked", kwargs.get("model"))
        observing = copy.copy(self.gate)
        observing.mode = "observe" if self.gate.mode == "enforce" else self.gate.mode
        wanted = asking(
            observing, "completion", {**(kwargs.get("optional_params") or {}), "model": kwargs.get("model")}
        )
        begin(observing, wanted.asked).answered(lambda: read_whole(wanted, response))


def _missed(kwargs: Any) -> bool:
    """Whether a call that succeeded went around the gate and was paid for."""
    made_up = (kwargs.get("litellm_params") or {}).get("mock_response")
    is_free = kwargs.get("cache_hit") or made_up or kwargs.get("call_type") in ("moderation", "amoderation")
    is_native = kwargs.get("call_type") in ("ocr", "aocr")  # which the gate has seen, and cannot mark
    return not (kwargs.get(MARK) or is_free or is_native)


def _cell(name: str) -> Any:
    """Where LiteLLM's decorator keeps the function that it wraps; None where there is no such function."""
    function = getattr(litellm, name, None)
    while function is not None:
        names = getattr(getattr(function, "__code__", None), "co_freevars", ())
        if "original_function" in names:
            return function.__closure__[names.index("original_function")]
        function = getattr(function, "__wrapped__", None)
    return None


def _replace(owner: Any, name: str, value: object) -> Callable[[], object]:
    """Sets an attribute; how to undo that."""
    own = name in vars(owner)
    before = getattr(owner, name)
    setattr(owner, name, value)
    return functools.partial(setattr, owner, name, before) if own else functools.partial(delattr, owner, name)


def _scoped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, at whose end a refusal is what the caller knows."""

    async def awaited(result: Any) -> Any:
        with _from_outside():
            return await result

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _from_outside():
            result = function(*args, **kwargs)
        return awaited(result) if inspect.isawaitable(result) else result

    @functools.wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        return await awaited(function(*args, **kwargs))

    return run_async if inspect.iscoroutinefunction(function) else run


@contextmanager
def _from_outside() -> Iterator[None]:
    if _call.get() is not None:
        yield
        return
    token = _call.set(_Call())
    try:
        yield
    except _RefusedInside as refused:
        raise refused.error from None
    finally:
        _call.reset(token)


@contextmanager
def _covered(cover: _Cover) -> Iterator[None]:
    token = _cover.set(cover)
    try:
        yield
    finally:
        _cover.reset(token)


def _gated(gate: Gate, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """A function of LiteLLM that asks the gate before it runs, and tells it what came of it."""
    names = list(inspect.signature(original).parameters)

    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        cover = _passes(name, given)
        if cover is not None:
            with _covered(cover):
                return original(*args, **kwargs)
        wanted, start = _wanted(gate, name, given), functools.partial(_start, gate)

        def sending() -> Any:
            with _covered(_Cover()), passing():
                return original(**wanted.kwargs)

        call, result = send(gate.clock, lambda _: start(wanted, given), sending, wanted.retries)
        if is_stream(wanted, result):
            return tapped(result, call, wanted)
        call.answered(lambda: read_whole(wanted, result))
        return result

    @functools.wraps(original)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        cover = _passes(name, given)
        if cover is not None:
            with _covered(cover):
                return await original(*args, **kwargs)
        wanted, start = _wanted(gate, name, given), functools.partial(_start_async, gate)

        async def sending() -> Any:
            with _covered(_Cover()), passing():
                return await original(**wanted.kwargs)

        call, result = await send_async(gate.clock, lambda _: start(wanted, given), sending, wanted.retries)
        if is_stream(wanted, result):
            return tapped(result, call, wanted)
        await told(call.answered, lambda: read_whole(wanted, result))
        return result

    return run_async if inspect.iscoroutinefunction(original) else run


def _native(gate: Gate, name: str, given: dict[str, Any], sending: Callable[[], Any]) -> Any:
    """Makes a call that only LiteLLM's native code can make, once the gate has admitted it."""
    if _passes(name, given) is not None:
        return sending()
    wanted = _wanted(gate, name, given)
    call, result = send(gate.clock, lambda _: _start(gate, wanted, given), sending, 0)
    call.answered(lambda: Answer("unread", reason="it is made by LiteLLM's native code"))
    return result


async def _native_async(gate: Gate, name: str, given: dict[str, Any], sending: Callable[[], Any]) -> Any:
    """The same, awaited."""
    if _passes(name, given) is not None:
        return await sending()
    wanted = _wanted(gate, name, given)
    call, result = await send_async(gate.clock, lambda _: _start_async(gate, wanted, given), sending, 0)
    await told(call.answered, lambda: Answer("unread", reason="it is made by LiteLLM's native code"))
    return result


def _passes(name: str, given: dict[str, Any]) -> _Cover | None:
    """The cover that is over the calls which this one makes, where it is paid for elsewhere; else None."""
    if name in ("completion", "acompletion") and given.get("fallbacks") is not None:
        return _Cover(used=True)  # each of the calls that it makes itself is paid for
    if any(given.get(mocked) is not None for mocked in MOCKED):
        return _Cover()
    around = _cover.get()
    if around is not None and not around.used:
        around.used = True
        return _Cover()
    return None


def _wanted(gate: Gate, name: str, given: dict[str, Any]) -> Asking:
    details = getattr(given.get("litellm_logging_obj"), "model_call_details", None)
    if isinstance(details, dict):
        details[MARK] = True
    try:
        return asking(gate, name, given)
    except Exception:
        log.exception("spendgate: what LiteLLM's %s asks for could not be read; it is held whole", name)
        return Asking(Asked(f"litellm.{name}", "", str(given.get("model") or ""), kind="unread"), given)


def _for_whom(given: dict[str, Any]) -> dict[str, Any]:
    """The attempt that this is of its caller's call, and for whom it is made where the request's metadata says so."""
    call = _call.get() or _Call()
    call.sent += 1
    found: dict[str, Any] = {"attempt": max(attribution.current().attempt, 1) + call.sent - 1}
    for place in ("metadata", "litellm_metadata"):
        metadata = given.get(place)
        if isinstance(metadata, dict):
            found |= {
                word: metadata[f"spendgate_{word}"] for word in ("service", "task") if f"spendgate_{word}" in metadata
            }
    return found


def _outward(error: SpendgateError) -> BaseException:
    return error if _call.get() is None else _RefusedInside(error)


def _start(gate: Gate, wanted: Asking, given: dict[str, Any]) -> ModelCall:
    try:
        return begin(gate, wanted.asked, fingerprint=wanted.fingerprint, **_for_whom(given))
    except SpendgateError as error:
        raise _outward(error) from None


async def _start_async(gate: Gate, wanted: Asking, given: dict[str, Any]) -> ModelCall:
    try:
        return await begin_async(gate, wanted.asked, fingerprint=wanted.fingerprint, **_for_whom(given))
    except SpendgateError as error:
        raise _outward(error) from None
