"""What a stream bills that ended before it said so: what was produced until then, as far as it was seen."""

from typing import Any

from spendgate.errors import AmountError
from spendgate.pricing.usage import Usage
from spendgate.wire.exchange import Answer, Asked, Bill
from spendgate.wire.fields import word

EARLY = "the stream ended early"


def cut_short(
    asked: Asked,
    model: str,
    produced_bytes: int,
    *,
    input_tokens: int | None = None,
    hidden: bool = False,
    searches: int = 0,
    id: str = "",  # noqa: A002 - the name that an answer has for it
    tier: Any = None,
) -> Answer:
    """The answer for a stream without its end.

    The input is what the stream stated of it, else the most that was asked for; the output at most one token for each
    byte that was produced. Where the input is known to neither, or there was output that the stream does not show
    (`hidden`), it is unread: the whole hold counts.
    """
    if input_tokens is None:
        input_tokens = asked.input_tokens
    if hidden:
        return Answer("unread", id=id, reason=f"{EARLY}, and part of what it wrote was not shown")
    if input_tokens is None:
        return Answer("unread", id=id, reason=f"{EARLY}, and how much was read is not known")
    try:
        usage = Usage(input_tokens=input_tokens, output_tokens=produced_bytes, web_searches=searches)
    except AmountError as fault:
        return Answer("unread", id=id, reason=f"{EARLY}, and what it used cannot be read: {fault}")
    tier = word(tier) or asked.service_tier
    bill = Bill(asked.provider, word(model) or asked.model, usage, batch=asked.batch, service_tier=tier)
    return Answer("billed", (bill,), id=id, reason=EARLY, cut=True)
