"""Recorded streams that are cut off: what they are billed for is bounded by what was produced, at every place."""

from pathlib import Path

import pytest

from spendgate.wire.exchange import Answer, Asked
from spendgate.wire.reading import answer_reader, understand
from tests.wire.recordings import NAMES, Exchange, exchanges

OURS = frozenset({"anthropic.messages", "gemini.generate", "bedrock.converse", "bedrock.invoke"})

recorded = pytest.mark.parametrize("name", NAMES or ["the folder of recordings"])


def streams(shared_data: Path, name: str) -> list[tuple[Exchange, Asked]]:
    """The streams of a recording that ended well, and what they were asked for."""
    found = [(one, understand(one.request)) for one in exchanges(shared_data / "recorded" / name)]
    return [(one, asked) for one, asked in found if asked and asked.api in OURS and asked.streams and one.status == 200]


def cut(exchange: Exchange, asked: Asked, end: int, *, complete: bool = False) -> Answer:
    reader = answer_reader(asked, 200, exchange.headers)
    reader.feed(exchange.body[:end])
    return reader.end(complete)


def places(exchange: Exchange) -> list[int]:
    """Some forty places in a stream, its start among them, close together towards its end."""
    length = len(exchange.body)
    return sorted({length * step // 20 for step in range(20)} | {max(0, length - 40 * step) for step in range(1, 21)})


@recorded
def test_a_stream_cut_anywhere_is_billed_or_counts_whole(shared_data: Path, name: str) -> None:
    """Wherever it ends, what was seen is billed, or nobody knows; and what was stated is never undercut."""
    for exchange, asked in streams(shared_data, name):
        stated = 0
        for end in places(exchange):
            answer = cut(exchange, asked, end)
            assert answer.kind in {"billed", "unread"}
            assert answer.reason or not answer.cut
            written = sum(bill.usage.output_tokens for bill in answer.bills)
            if answer.cut:
                assert written >= stated
                stated = written


@recorded
def test_a_stream_cut_before_its_end_is_not_billed_less_than_it_was(shared_data: Path, name: str) -> None:
    """When all was produced and only the last word is missing, at least what the provider billed is billed."""
    for exchange, asked in streams(shared_data, name):
        whole = cut(exchange, asked, len(exchange.body), complete=True)
        answers = [cut(exchange, asked, end) for end in range(len(exchange.body) - 1, 0, -25)]
        early = next((one for one in answers if one.cut or one.kind == "unread"), None)
        if early is not None and early.cut and whole.bills:
            wrote, billed = early.bills[0].usage.output_tokens, whole.bills[0].usage.output_tokens
            assert wrote >= billed, (exchange.request.url, early, whole)
