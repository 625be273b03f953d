"""`boto3` for Bedrock, `converse` and `converse_stream`: it only blocks, and botocore sends again by itself."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.integrations.drivers.driving import Asking, Client, Setup

MODEL = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
CALL: dict[str, Any] = {
    "modelId": MODEL,
    "messages": [{"role": "user", "content": [{"text": "hello"}]}],
    "inferenceConfig": {"maxTokens": 100},
}


def made(url: str, mode: str = "standard", tries: int = 3, timeout_s: float = 0.5, **more: Any) -> Any:
    """A client that is not gated."""
    config = Config(retries={"mode": mode, "total_max_attempts": tries}, read_timeout=timeout_s, **more)
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=config,
    )


@contextmanager
def _sync(setup: Setup) -> Iterator[Asking]:
    def plain() -> Any:
        return client.converse(**CALL)

    @contextmanager
    def stream() -> Iterator[Any]:
        with closing(client.converse_stream(**CALL)["stream"]) as events:
            yield iter(events)

    with closing(made(setup.url, tries=setup.tries, timeout_s=setup.timeout_s)) as bare:
        client = setup.wrap(bare)
        yield Asking(plain, stream)


CLIENTS = {
    "boto3": Client(
        package="botocore",
        cost=10 * 1_000 + 3 * 5_000,
        retries=True,
        sync=_sync,
        awaited=None,
        failed=ClientError,
        timed_out=ReadTimeoutError,
        broken=None,  # botocore takes what it can of it
    )
}
