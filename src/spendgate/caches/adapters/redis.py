"""`redis-py`, and `valkey-py`, which is made from it: a client like the one given, over the same connections.

Every command passes `execute_command`; those below are counted, in pipelines too. Hits and misses are what the server
answered; what it evicts is not seen from here.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spendgate.caches.adapters.derived import derived
from spendgate.caches.monitor import CacheMonitor

Count = Callable[[CacheMonitor, Sequence[Any], Any], None]


def _one(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    (monitor.miss if answer is None else monitor.hit)(args[1])


def _each(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    for key, value in zip(args[1:], answer, strict=False):
        (monitor.miss if value is None else monitor.hit)(key)


def _field(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    (monitor.miss if answer is None else monitor.hit)(args[1:3])


def _fields(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    for field, value in zip(args[2:], answer, strict=False):
        (monitor.miss if value is None else monitor.hit)((args[1], field))


def _whole(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    (monitor.hit if answer else monitor.miss)(args[1])


def _exists(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    if len(args) == 2:
        monitor.asked(args[1], bool(answer))


def _in_hash(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    monitor.asked(args[1:3], bool(answer))


def _set(monitor: CacheMonitor, args: Sequence[Any], _: Any) -> None:
    monitor.set(args[1])


def _add(monitor: CacheMonitor, args: Sequence[Any], _: Any) -> None:
    monitor.added(args[1])


def _set_or_add(monitor: CacheMonitor, args: Sequence[Any], _: Any) -> None:
    (monitor.added if "NX" in args[3:] else monitor.set)(args[1])


def _swap(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    _one(monitor, args, answer)
    monitor.set(args[1])


COMMANDS: dict[str, Count] = {
    "GET": _one,
    "GETEX": _one,
    "GETDEL": _one,
    "MGET": _each,
    "HGET": _field,
    "HMGET": _fields,
    "HGETALL": _whole,
    "EXISTS": _exists,
    "HEXISTS": _in_hash,
    "GETSET": _swap,
    "SET": _set_or_add,
    "SETEX": _set,
    "PSETEX": _set,
    "SETNX": _add,
    "MSET": _set,
    "HSET": _set,
    "HSETNX": _add,
    "HMSET": _set,
}
"""What is counted, and how."""


def watcher(cache: object) -> Callable[[CacheMonitor, Any], Any] | None:
    """What watches it; None where it does not execute commands."""
    return watch if hasattr(cache, "execute_command") and hasattr(cache, "pipeline") else None


def watch(monitor: CacheMonitor, client: Any) -> Any:
    """A client that counts, over the connections of the one given, which stays as it is."""
    monitor.is_shared = True
    kind = type(client)
    make = _watched_async if _is_async(kind) else _watched
    watched = copy.copy(client)
    watched.__class__ = monitor.kind(kind, lambda: make(monitor, kind))
    watched._spendgate_given = client  # whose end would close the connections
    return watched


def _is_async(kind: type) -> bool:
    return ".asyncio." in kind.__module__


def _note(monitor: CacheMonitor, args: Sequence[Any], answer: Any) -> None:
    """Counts one command; what goes wrong here is nobody's business but ours."""
    try:
        command = args[0]
        if command == "GET" and answer is None:
            monitor.miss(args[1])
        elif command == "GET" and not isinstance(answer, Exception):
            monitor.hit(args[1])
        else:
            count = COMMANDS.get(command) or COMMANDS.get(str(command).upper())
            if count is not None:
                monitor.error() if isinstance(answer, Exception) else count(monitor, args, answer)
    except Exception:  # noqa: BLE001 - an answer that a callback of the user's has turned into something else
        monitor.error()


def _failed(monitor: CacheMonitor, args: Sequence[Any]) -> None:
    """Counts a command that failed, if it is one of a cache: a lock's script may be unknown to the server at first."""
    if args and str(args[0]).upper() in COMMANDS:
        monitor.error()


def _note_all(monitor: CacheMonitor, stack: Iterable[Any], answers: Iterable[Any]) -> None:
    for command, answer in zip(stack, answers, strict=False):
        _note(monitor, command[0], answer)


def _watched(monitor: CacheMonitor, bare: Any) -> type:
    execute = bare.execute_command

    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        try:
            answer = execute(self, *args, **options)
        except Exception:
            _failed(monitor, args)
            raise
        _note(monitor, args, answer)
        return answer

    def pipeline(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _piped(monitor, bare.pipeline(self, *args, **kwargs), _pipeline)

    return derived(monitor, bare, {"execute_command": execute_command, "pipeline": pipeline})


def _watched_async(monitor: CacheMonitor, bare: Any) -> type:
    execute = bare.execute_command

    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        try:
            answer = await execute(self, *args, **options)
        except Exception:
            _failed(monitor, args)
            raise
        _note(monitor, args, answer)
        return answer

    def pipeline(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _piped(monitor, bare.pipeline(self, *args, **kwargs), _pipeline_async)

    return derived(monitor, bare, {"execute_command": execute_command, "pipeline": pipeline})


def _piped(monitor: CacheMonitor, pipe: Any, make: Callable[[CacheMonitor, Any], type]) -> Any:
    """A pipeline that counts when it is executed; one of a cluster keeps its commands in another way, and is left."""
    kind = type(pipe)
    if isinstance(getattr(pipe, "command_stack", None), list) and not kind.__module__.endswith("cluster"):
        pipe.__class__ = monitor.kind(kind, lambda: make(monitor, kind))
    return pipe


def _pipeline(monitor: CacheMonitor, bare: Any) -> type:
    def execute(self: Any, raise_on_error: bool = True) -> Any:
        stack = self.command_stack
        try:
            answers = bare.execute(self, raise_on_error)
        except Exception:
            monitor.error()
            raise
        _note_all(monitor, stack, answers)
        return answers

    return derived(monitor, bare, {"execute": execute})


def _pipeline_async(monitor: CacheMonitor, bare: Any) -> type:
    async def execute(self: Any, raise_on_error: bool = True) -> Any:
        stack = self.command_stack
        try:
            answers = await bare.execute(self, raise_on_error)
        except Exception:
            monitor.error()
            raise
        _note_all(monitor, stack, answers)
        return answers

    return derived(monitor, bare, {"execute": execute})
