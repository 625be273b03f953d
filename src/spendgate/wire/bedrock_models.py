"""How Amazon Bedrock names models in a path, and what its dialects have in common."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from spendgate.errors import AmountError
from spendgate.pricing.usage import Usage
from spendgate.wire.fields import UnreadableError, model_name, rows, stated, table, whole

ARN = re.compile(r"arn:aws[\w-]*:bedrock:[^:]*:[^:]*:(?P<kind>[\w-]+)/(?P<name>.+)")
OWN_NAMES = frozenset({"foundation-model", "inference-profile"})
"""Resources that are named after the model they run. The others (application profiles, prompt routers, provisioned and
imported models, prompts) are the user's own, and keep what they are in front of their name."""

HEADERS = {
    "x-amzn-bedrock-input-token-count": "inputTokens",
    "x-amzn-bedrock-output-token-count": "outputTokens",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokens",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokens",
}


def named(identifier: str) -> tuple[str, str]:
    """The model that an identifier in a path stands for, as the price list has it, and what is wrong with it.

    >>> named("us.amazon.nova-micro-v1%3A0")
    ('us.amazon.nova-micro-v1:0', '')
    >>> named("arn%3Aaws%3Abedrock%3Aus-east-1%3A123%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0")[0]
    'eu.amazon.nova-lite-v1:0'
    >>> named("arn:aws:bedrock:us-east-1:123:application-inference-profile/abc")[0]
    'application-inference-profile/abc'
    """
    identifier = unquote(identifier)
    found = ARN.fullmatch(identifier)
    if found is None:
        return model_name(identifier)
    return model_name(found["name"] if found["kind"] in OWN_NAMES else f"{found['kind']}/{found['name']}")


def usage(source: Mapping[str, Any], *, writes: bool = True) -> Usage:
    """What Bedrock's own counts say. Those of a cache stand beside `inputTokens`, and are added to it.

    Where nothing is written (`writes`), as by an embedding, no output needs to be stated.
    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html

    Raises:
        UnreadableError: the counts of input or output are missing, or one is none.
    """
    given = stated(source, "inputTokens", "inputTokenCount")
    output = stated(source, "outputTokens", "outputTokenCount")
    if given is None or (output is None and writes):
        raise UnreadableError("it does not state its input and output")
    read = stated(source, "cacheReadInputTokens", "cacheReadInputTokenCount") or 0
    written = stated(source, "cacheWriteInputTokens", "cacheWriteInputTokenCount") or 0
    details = [table(one) for one in rows(source.get("cacheDetails"))]
    long = sum(stated(one, "inputTokens") or 0 for one in details if one.get("ttl") == "1h")
    short = sum(stated(one, "inputTokens") or 0 for one in details if one.get("ttl") != "1h")
    written = max(written, long + short)
    searches = stated(table(source.get("serverToolUsage")), "webSearchRequests", "web_search_requests") or 0
    try:
        return Usage(
            input_tokens=given + read + written,
            cache_read_tokens=read,
            cache_write_tokens=short if long else written,
            cache_write_1h_tokens=written - short if long else 0,
            output_tokens=output or 0,
            web_searches=searches,
        )
    except AmountError as fault:
        raise UnreadableError(str(fault)) from None


def counted(headers: Mapping[str, str]) -> dict[str, int]:
    """The counts that stand in the headers of an answer, by Bedrock's names for them."""
    found = {}
    for header, name in HEADERS.items():
        text = headers.get(header, "")
        count = whole(int(text)) if text.isdecimal() and text.isascii() and len(text) <= 18 else None
        if count is not None:
            found[name] = count
    return found
