"""What LiteLLM sends with native code of its own, where none of its Python functions comes by.

Routes that may be native or not, such as Anthropic's messages with `LITELLM_RUST=1`, take the way of Python while a
gate is installed: there a call can be read before it is sent. Those that are only native, such as OCR, are held as what
is not read: they need a price of yours, and count whole.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

LOCAL = frozenset({"token_counter", "tokenizer"})
"""Native routes that send nothing."""
Gating = Callable[[str, dict[str, Any], Callable[[], Any]], Any]
"""Given a route's name, what is known of a call and what makes it: makes the call, once the gate has admitted it."""


class _Declined(Exception):  # noqa: N818 - it is no error
    """The native code says that it did not make the call."""

    def __init__(self, said: Any) -> None:
        super().__init__("nothing was sent")
        self.said = said
        self.code = 400  # which costs nothing


def replacements(gating: Gating, gating_async: Callable[..., Awaitable[Any]]) -> list[tuple[Any, str, Any]]:
    """The functions of LiteLLM's native bridge to replace, and by what; none where this version has no such bridge.

    Raises:
        TypeError: the bridge is built in a way that is not known.
    """
    try:
        runtime: Any = import_module("litellm.rust_bridge.runtime")
    except ImportError:
        return []
    try:
        decide, attempt, attempt_async = runtime.decision, runtime._attempt_native, runtime._aattempt_native
        handled, kinds = runtime.RustHandled, runtime.Decision
        optional, python = kinds.RUST_WITH_FALLBACK, kinds.PYTHON
    except AttributeError as fault:
        raise TypeError(f"this version of LiteLLM is not known: its native code cannot be gated ({fault})") from fault

    def decision(*args: Any, **kwargs: Any) -> Any:
        found = decide(*args, **kwargs)
        return python if found is optional else found

    def run(context: Any, *args: Any, **kwargs: Any) -> Any:
        def native() -> Any:
            return _made(attempt(context, *args, **kwargs), handled)

        try:
            return native() if context.route.value in LOCAL else gating(*_named(context), native)
        except _Declined as declined:
            return declined.said

    async def run_async(context: Any, *args: Any, **kwargs: Any) -> Any:
        async def native() -> Any:
            return _made(await attempt_async(context, *args, **kwargs), handled)

        try:
            return await (native() if context.route.value in LOCAL else gating_async(*_named(context), native))
        except _Declined as declined:
            return declined.said

    return [
        (runtime, "decision", decision),
        (runtime, "_attempt_native", run),
        (runtime, "_aattempt_native", run_async),
    ]


def _named(context: Any) -> tuple[str, dict[str, Any]]:
    """The route's name and what is known of the call."""
    return context.route.value, {"model": context.model or "", "custom_llm_provider": context.provider}


def _made(said: Any, handled: Any) -> Any:
    if not isinstance(said, handled):
        raise _Declined(said)
    return said
