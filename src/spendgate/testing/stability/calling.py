"""Calling a key function: with which arguments, and what came of it."""

import inspect
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from spendgate.caches.spelling import spell
from spendgate.errors import UnstableKeyError
from spendgate.testing.stability.sources import Trace, tracing


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function is called with."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = [_short(value) for value in self.args]
        shown += [f"{name}={_short(value)}" for name, value in self.kwargs.items()]
        return f"({', '.join(shown)})"


def arguments(*args: Any, **kwargs: Any) -> Arguments:
    """One example of what a function is called with, where a tuple or a single value does not say it."""
    return Arguments(args, kwargs)


def read_arguments(example: object) -> Arguments:
    """An example: `arguments(...)` as they are, a tuple as positional arguments, anything else as the only one."""
    if isinstance(example, Arguments):
        return example
    return Arguments(example) if type(example) is tuple else Arguments((example,))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: a key and how it is shown, or what it raised."""

    kind: Literal["key", "raised"]
    shown: str
    value: Any = None

    def same(self, other: "Outcome") -> bool:
        """Whether a cache in this process would find the one under the other."""
        if self.kind != other.kind or self.shown == other.shown:
            return self.kind == other.kind
        return type(self.value) is type(other.value) and not isinstance(self.value, str) and self.value == other.value

    def alike(self, other: "Outcome") -> bool:
        """Whether a cache of another process would find the one under the other."""
        return self.kind == other.kind and self.shown == other.shown


def call(function: Callable[..., Any], given: Arguments, trace: Trace | None = None) -> Outcome:
    """Calls a function, a coroutine function too, and keeps what came of it; `trace` sees what it reads meanwhile."""
    try:
        with _seen_by(trace):
            value = function(*given.args, **given.kwargs)
        if inspect.iscoroutine(value):
            import asyncio

            value = asyncio.run(_awaited(value, trace))
    except Exception as error:  # noqa: BLE001 - raising for some inputs is a function's own business
        return Outcome("raised", type(error).__name__, error)
    return Outcome("key", show(value), value)


async def _awaited(value: Coroutine[Any, Any, Any], trace: Trace | None) -> Any:
    with _seen_by(trace):
        return await value


def _seen_by(trace: Trace | None) -> AbstractContextManager[None]:
    return nullcontext() if trace is None else tracing(trace)


def in_thread(function: Callable[..., Any], given: Arguments) -> Outcome:
    """The same in a thread of its own."""
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(call(function, given)), name="another thread")
    thread.start()
    thread.join()
    return found[0]


def show(key: Any) -> str:
    """A key as text: itself, where it is text; bytes as Python writes them; else its one spelling, or its repr."""
    if type(key) is str:
        return key
    if type(key) is bytes:
        return repr(key)
    try:
        return spell(key)
    except UnstableKeyError:
        return repr(key)


def name_of(function: Any) -> str:
    """A function's name for a reader."""
    return str(getattr(function, "__qualname__", "") or repr(function))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
