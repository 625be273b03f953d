"""LiteLLM's streams, read on the side: they stay of the class that LiteLLM and its callers know."""

import functools
import inspect
import logging
from typing import Any

from spendgate.integrations.litellm_words import Asking, read_stream
from spendgate.integrations.passing import passing
from spendgate.model_calls import ModelCall, told
from spendgate.wire.exchange import Answer

log = logging.getLogger("spendgate")


def is_stream(wanted: Asking, result: Any) -> bool:
    """Whether an answer comes in pieces."""
    return wanted.asked.streams and (hasattr(result, "__next__") or hasattr(result, "__anext__"))


def tapped(stream: Any, call: ModelCall, wanted: Asking) -> Any:
    """The stream itself, which tells how it ends: as its own class would, and the gate beside it."""
    if inspect.isasyncgen(stream):
        return _tapped_generator(stream, call, wanted)
    if wanted.usage_added:
        stream.send_stream_usage, stream.stream_options = False, None
    try:
        kind: Any = type(stream)
        stream.__class__ = _tap(kind)
    except TypeError:
        log.warning("spendgate: %s cannot be read on the side; the whole hold counts", type(stream).__name__)
        call.answered(lambda: Answer("unread", reason="its stream cannot be seen"))
    else:
        stream.spendgate_end = functools.partial(_end, call, wanted, stream)
        stream.spendgate_seen = []
    return stream


async def _tapped_generator(stream: Any, call: ModelCall, wanted: Asking) -> Any:
    seen: list[Any] = []
    try:
        async for chunk in stream:
            seen.append(chunk)
            yield chunk
    except Exception as fault:
        await told(call.failed, fault, begun=bool(seen))
        raise
    except BaseException:
        await told(call.answered, lambda: read_stream(wanted, seen, complete=False))
        raise
    await told(call.answered, lambda: read_stream(wanted, seen, complete=True))


def _end(call: ModelCall, wanted: Asking, stream: Any, fault: BaseException | None = None) -> None:
    """The stream is over: read to its end, closed before it, or broken."""
    chunks = getattr(stream, "chunks", None) or stream.spendgate_seen
    if isinstance(fault, StopIteration | StopAsyncIteration):
        call.answered(lambda: read_stream(wanted, chunks, complete=True))
    elif isinstance(fault, Exception) or (fault is not None and not chunks):
        call.failed(fault, begun=bool(chunks))
    else:
        call.answered(lambda: read_stream(wanted, chunks, complete=False))


class _Reading:
    """What is put in front of a class of streams. They may close themselves while their last item is being read."""

    spendgate_reading = False
    spendgate_seen: list[Any]
    spendgate_end: Any

    def __next__(self) -> Any:
        self.spendgate_reading = True
        try:
            with passing():  # some are only sent now
                chunk = super().__next__()  # type: ignore[misc]
        except BaseException as fault:
            self.spendgate_end(fault)
            raise
        self._spendgate_saw(chunk)
        return chunk

    async def __anext__(self) -> Any:
        self.spendgate_reading = True
        try:
            with passing():
                chunk = await super().__anext__()  # type: ignore[misc]
        except BaseException as fault:
            await told(self.spendgate_end, fault)
            raise
        self._spendgate_saw(chunk)
        return chunk

    def _spendgate_saw(self, chunk: Any) -> None:
        self.spendgate_reading = False
        if not hasattr(self, "chunks"):
            self.spendgate_seen.append(chunk)

    def close(self) -> Any:
        if not self.spendgate_reading:
            self.spendgate_end()
        close = getattr(super(), "close", None)
        return close() if close else None

    async def aclose(self) -> Any:
        if not self.spendgate_reading:
            await told(self.spendgate_end)
        close = getattr(super(), "aclose", None)
        return await close() if close else None


@functools.cache
def _tap(kind: Any) -> Any:
    """A subclass of a class of streams that sees what comes by."""
    return type(kind.__name__, (_Reading, kind), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
