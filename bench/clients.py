"""What does the gate add to a call of an SDK, and to the first event of a stream? The provider answers at once.

The same client of the newest OpenAI SDK, bare and wrapped, takes turns on one server in a process and on a CPU of its
own. What the gate books after it has handed the answer on is done between the timed calls; the processor time has it
all.
"""

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter
from typing import Any

from bench.figures import Figure, figure
from bench.ledgers import Shelf
from bench.measure import (
    ALTERNATIONS,
    QUICK_ALTERNATIONS,
    Side,
    alternate,
    apart_from,
    median_with_interval,
    paired_difference,
)
from spendgate.clock import SystemClock
from spendgate.gate import Gate
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
    sent: list[float] = []
    url = f"http://127.0.0.1:{ours.recv()}/v1"
    bare = openai.OpenAI(api_key="k", base_url=url, max_retries=0, http_client=_noting(sent))
    settings = shelf.ledger(1000).copy("clients").settings()
    with apart_from(server.pid), gate_for(settings, SystemClock()) as gate:
        sides = {"bare": bare, "wrapped": gate.wrap(bare, service="pipeline")}
        took: dict[str, list[float]] = {name: [] for name in sides}
        firsts: dict[str, list[float]] = {name: [] for name in sides}
        calls = {name: Side(_calls(client, took[name], gate), CALLS) for name, client in sides.items()}
        whole = alternate(calls, rounds, WARM_UP)
        streams = {name: Side(_streams(client, firsts[name], gate, sent), 1) for name, client in sides.items()}
        alternate(streams, rounds, WARM_UP)
        awaited = _alternate_awaited(openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0), gate, rounds)
    server.terminate()
    added = paired_difference(*(took[name][WARM_UP:] for name in ("wrapped", "bare")))
    worked = paired_difference(*([one * 1e6 for one in whole[name].processor] for name in ("wrapped", "bare")))
    async_added = paired_difference(*(awaited[name][WARM_UP:] for name in ("wrapped", "bare")))
    later = paired_difference(*(firsts[name][WARM_UP:] for name in ("wrapped", "bare")))
    plain = median_with_interval(took["bare"][WARM_UP:])
    first = median_with_interval(firsts["bare"][WARM_UP:])
    return (
        figure("added_us", "a call of the OpenAI SDK: what the gate adds, median", "us", added, wanted=WANTED_US),
        figure(
            "processor_us", "the processor time that it adds in all, what is booked afterwards included", "us", worked
        ),
        figure(
            "first_byte_us", "from the sending of a stream's request to its first event: how much later", "us", later
        ),
        figure(
            "async_us",
            "an awaited call of the same SDK: what the gate adds, in its own thread, median",
            "us",
            async_added,
        ),
        figure("bare_us", "the same call of the bare SDK", "us", plain),
        figure("bare_first_us", "the first event of the bare SDK's stream", "us", first, shown=False),
    ), rounds


def _noting(sent: list[float]) -> Any:
    """A client that notes when a request is sent."""
    import httpx2

    class Noting(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            sent.append(perf_counter())
            return super().handle_request(request)

    return httpx2.Client(transport=Noting())


def _asked(numbers: Iterator[int]) -> dict[str, Any]:
    """A request of its own each time: the same one over and over would be a loop, and be stopped."""
    message = {"role": "user", "content": f"{next(numbers)}: " + "What does a gate cost? " * 20}
    return {"model": "gpt-4o-mini", "max_completion_tokens": 100, "messages": [message]}


def _calls(client: Any, took: list[float], gate: Gate) -> Callable[[int], None]:
    """Calls, the median of each round kept in microseconds."""
    numbers = count()

    def run(_: int) -> None:
        each = []
        for _ in range(CALLS):
            asked = _asked(numbers)
            begun = perf_counter()
            client.chat.completions.create(**asked)
            each.append((perf_counter() - begun) * 1e6)
        took.append(median(each))
        gate.backlog.flush()

    return run


def _alternate_awaited(bare: Any, gate: Gate, rounds: int) -> dict[str, list[float]]:
    """Awaited calls of a client, bare and wrapped: the medians of the rounds in microseconds, warming up included."""
    sides = {"bare": bare, "wrapped": gate.wrap(bare, service="pipeline")}
    took: dict[str, list[float]] = {name: [] for name in sides}
    with asyncio.Runner() as runner:
        runs = {name: Side(_awaited(client, took[name], gate, runner), CALLS) for name, client in sides.items()}
        alternate(runs, rounds, WARM_UP)
        runner.run(bare.close())
    return took


def _awaited(client: Any, took: list[float], gate: Gate, runner: asyncio.Runner) -> Callable[[int], None]:
    numbers = count(2 * 10**6)

    async def calls() -> list[float]:
        each = []
        for _ in range(CALLS):
            asked = _asked(numbers)
            begun = perf_counter()
            await client.chat.completions.create(**asked)
            each.append((perf_counter() - begun) * 1e6)
        return each

    def run(_: int) -> None:
        took.append(median(runner.run(calls())))
        gate.backlog.flush()

    return run


def _streams(client: Any, firsts: list[float], gate: Gate, sent: list[float]) -> Callable[[int], None]:
    """Streams, the median of each round's times from sending to the first event kept in microseconds."""
    numbers = count(10**6)

    def run(_: int) -> None:
        each = []
        for _ in range(CALLS):
            with client.chat.completions.create(**_asked(numbers), stream=True) as events:
                next(events)
                each.append((perf_counter() - sent[-1]) * 1e6)
                for _ in events:
                    pass
        firsts.append(median(each))
        gate.backlog.flush()

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
