"""`requests`: it only blocks, and sends nothing again unless an adapter with retries is mounted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.integrations.drivers.driving import Asking, Client, Setup
from tests.integrations.drivers.stainless import CHAT
from tests.integrations.provider import OPENAI


@contextmanager
def _sync(setup: Setup) -> Iterator[Asking]:
    url = setup.url + OPENAI

    def plain() -> Any:
        answer = session.post(url, json=CHAT, timeout=setup.timeout_s)
        answer.raise_for_status()
        return answer

    @contextmanager
    def stream() -> Iterator[Any]:
        body = {**CHAT, "stream": True}
        with session.post(url, json=body, stream=True, timeout=setup.timeout_s) as answer:
            answer.raise_for_status()
            yield answer.iter_content(None)

    with requests.Session() as bare:
        bare.trust_env = False
        session = setup.wrap(bare)
        yield Asking(plain, stream)


CLIENTS = {
    "requests": Client(
        package="requests",
        cost=10 * 2_500 + 3 * 10_000,
        retries=False,
        sync=_sync,
        awaited=None,
        turned_away=requests.exceptions.HTTPError,
        failed=requests.exceptions.HTTPError,
        timed_out=requests.exceptions.ReadTimeout,
        broken=requests.exceptions.ChunkedEncodingError,
    )
}
