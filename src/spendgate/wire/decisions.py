"""Decisions: models that answer typed questions with probabilities, and write nothing.

OpenAI's `decisions` and TypeSafe's `systemone`. Only input is billed, at the price of input whether or not it was
cached; what an answer states as output is free, and is left out here.
https://developers.openai.com/api/docs/guides/decisions, https://docs.typesafe.ai/models
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spendgate.pricing.usage import Usage
from spendgate.wire import openai_input, sizing
from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.openai_embeddings import UsageReading, reads_only

SPOKEN = re.compile(r"(?:^|/)(?:decisions|systemone)/?$")
PRICED_AS = {"openai": "openai-decisions"}
"""Whose price list holds: OpenAI's prices for deciding are a list of their own."""
QUESTION_TOKENS = 128
"""What stands around each question, beyond its words."""
READ = ("input", "state", "instructions")


class Decisions:
    """The API of `decisions` and `systemone`."""

    name = "decisions"

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and SPOKEN.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        return reads_only(self.name, PRICED_AS.get(provider, provider), body, _tokens(body))

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "DecisionReading":  # noqa: ARG002 - the protocol's
        return DecisionReading(asked)


class DecisionReading(UsageReading):
    """Reads the answers to questions, which state what the model has read."""

    def answer(self, complete: bool) -> Answer:
        answer = UsageReading.answer(self, complete)
        return replace(answer, bills=tuple(replace(bill, usage=_billed(bill.usage)) for bill in answer.bills))


def _billed(usage: Usage) -> Usage:
    """A cache that is written costs nothing beside its input; one that is read is at the price of input anyway."""
    return Usage(input_tokens=usage.input_tokens, cache_read_tokens=usage.cache_read_tokens)


def _tokens(body: Mapping[str, Any]) -> int | None:
    model, questions = str(body.get("model") or ""), body.get("questions")
    count = len(questions) if isinstance(questions, list | dict) else 1
    given = [openai_input.messages(model, body[name]) for name in READ if name in body]
    return sizing.total([*given, openai_input.content(model, questions), QUESTION_TOKENS * count])
