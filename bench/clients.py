"""What does the gate add to a call of an SDK, and to the first byte of a stream? The provider answers at once.

The same client of the newest OpenAI SDK, bare and wrapped, takes turns on one server in a process of its own.
"""

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from bench.figures import Figure, figure
from bench.ledgers import Shelf
from bench.measure import ALTERNATIONS, QUICK_ALTERNATIONS, Side, alternate, median_with_interval, paired_difference
from spendgate.clock import SystemClock
from spendgate.opening import gate_for

CALLS = 20
WARM_UP = 4
WANTED_US = 200.0
CHUNKS = 50
_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"}
_USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    import openai

    rounds = QUICK_ALTERNATIONS if quick else ALTERNATIONS
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    bare = openai.OpenAI(api_key="k", base_url=f"http://127.0.0.1:{ours.recv()}/v1", max_retries=0)
    with gate_for(shelf.ledger(1000).copy("clients").settings(), SystemClock()) as gate:
        sides = {"bare": bare, "wrapped": gate.wrap(bare, service="pipeline")}
        whole = alternate({name: Side(_calls(client), CALLS) for name, client in sides.items()}, rounds, WARM_UP)
        firsts: dict[str, list[float]] = {name: [] for name in sides}
        streams = {name: Side(_streams(client, firsts[name]), 1) for name, client in sides.items()}
        alternate(streams, rounds, WARM_UP)
    server.terminate()
    added = paired_difference([one * 1e6 for one in whole["wrapped"].wall], [one * 1e6 for one in whole["bare"].wall])
    later = paired_difference(*(firsts[name][WARM_UP:] for name in ("wrapped", "bare")))
    took = median_with_interval([one * 1e6 for one in whole["bare"].wall])
    first = median_with_interval(firsts["bare"][WARM_UP:])
    return (
        figure("added_us", "a call of the OpenAI SDK: what the gate adds, median", "us", added, wanted=WANTED_US),
        figure("first_byte_us", "the first event of a stream: how much later, the reservation included", "us", later),
        figure("bare_us", "the same call of the bare SDK", "us", took),
        figure("bare_first_us", "the first event of the bare SDK's stream", "us", first, shown=False),
    ), rounds


def _asked(numbers: Iterator[int]) -> dict[str, Any]:
    """A request of its own each time: the same one over and over would be a loop, and be stopped."""
    message = {"role": "user", "content": f"{next(numbers)}: " + "What does a gate cost? " * 20}
    return {"model": "gpt-4o-mini", "max_completion_tokens": 100, "messages": [message]}


def _calls(client: Any) -> Callable[[int], None]:
    numbers = count()

    def run(_: int) -> None:
        for _ in range(CALLS):
            client.chat.completions.create(**_asked(numbers))

    return run


def _streams(client: Any, firsts: list[float]) -> Callable[[int], None]:
    """Streams whose first event is timed, each one's median kept in microseconds."""
    numbers = count(10**6)

    def run(_: int) -> None:
        took = []
        for _ in range(CALLS):
            begun = perf_counter()
            with client.chat.completions.create(**_asked(numbers), stream=True) as events:
                next(events)
                took.append((perf_counter() - begun) * 1e6)
                for _ in events:
                    pass
        firsts.append(sorted(took)[CALLS // 2])

    return run


def serve(pipe: Connection) -> None:
    """Answers every request at once, until it is terminated."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    document, stream = _documents()
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.lower().split(b"\r\n")
            length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length"))
            body = await reader.readexactly(length)
            writer.write(stream if b'"stream":true' in body.replace(b" ", b"") else document)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _documents() -> tuple[bytes, bytes]:
    message = {"role": "assistant", "content": "Little. " * 50}
    whole = _CHUNK | {"object": "chat.completion", "usage": _USAGE}
    whole["choices"] = [{"index": 0, "finish_reason": "stop", "message": message}]
    delta = _CHUNK | {"choices": [{"index": 0, "delta": {"content": "Little. "}, "finish_reason": None}]}
    last = _CHUNK | {"choices": [], "usage": _USAGE}
    events = b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in [*[delta] * CHUNKS, last])
    return _with_head(b"application/json", json.dumps(whole).encode()), _with_head(
        b"text/event-stream", events + b"data: [DONE]\n\n"
    )


def _with_head(kind: bytes, content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (kind, len(content), content)
