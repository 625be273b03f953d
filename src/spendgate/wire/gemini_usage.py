"""The `usageMetadata` of Gemini, and how often an answer is billed for a search.

`promptTokenCount` includes what was read from a cache; what tools brought in is counted beside it and is input too.
`candidatesTokenCount` leaves out the thoughts, which are billed as output. What `totalTokenCount` has beyond all of
them was billed as well, and counts as output, the dearer side.
https://ai.google.dev/api/generate-content#UsageMetadata

Grounding with Google Search is billed for each different query that is not empty by Gemini 3 and later, and by older
models once for a prompt whose answer cites the web. Grounding with Google Maps is billed beside it and has no price in
the list: an answer that cites a place counts as one search, whose price is not lower.
https://ai.google.dev/gemini-api/docs/google-search#pricing, https://cloud.google.com/vertex-ai/generative-ai/pricing
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spendgate.errors import AmountError
from spendgate.pricing.usage import Usage
from spendgate.wire.fields import UnreadableError, inside, rows, stated, table, word

PER_PROMPT = re.compile(r"gemini-(?:[12](?!\d)|pro(?!-latest)|flash-1)")
"""Models whose searches are billed once a prompt."""
TRAFFIC = {"ON_DEMAND_PRIORITY": "priority", "ON_DEMAND_FLEX": "flex"}
"""How Vertex AI names the service tier."""
COUNTED = ("promptTokenCount", "totalTokenCount", "candidatesTokenCount", "responseTokenCount")


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Usage as a stream states it again with each chunk: the newest counts, as long as a later chunk states them."""
    result = dict(before)
    result.update({name: value for name, value in now.items() if value or name not in before})
    return result


def read(source: Mapping[str, Any], searches: int = 0, *, draws: bool = False) -> Usage:
    """The usage of an answer, by a model that may draw.

    Raises:
        UnreadableError: there are no counts, one is none, or parts exceed their whole.
    """
    if not any(source.get(name) is not None for name in COUNTED):
        raise UnreadableError("it states no tokens")
    prompt, tools = stated(source, "promptTokenCount") or 0, stated(source, "toolUsePromptTokenCount") or 0
    thoughts = stated(source, "thoughtsTokenCount") or 0
    written = stated(source, "candidatesTokenCount", "responseTokenCount") or 0
    output = max(written + thoughts, (stated(source, "totalTokenCount") or 0) - prompt - tools)
    cached = stated(source, "cachedContentTokenCount") or 0
    audio = _modal(source, "promptTokensDetails", "AUDIO") + _modal(source, "toolUsePromptTokensDetails", "AUDIO")
    spoken = ("candidatesTokensDetails", "responseTokensDetails")
    try:
        return Usage(
            input_tokens=prompt + tools,
            cache_read_tokens=cached,
            output_tokens=output,
            reasoning_tokens=thoughts,
            input_audio_tokens=audio,
            cache_audio_read_tokens=min(_modal(source, "cacheTokensDetails", "AUDIO"), cached, audio),
            output_audio_tokens=sum(_modal(source, details, "AUDIO") for details in spoken),
            input_text_tokens=_text(source, prompt + tools, "promptTokensDetails", "toolUsePromptTokensDetails"),
            output_text_tokens=_text(source, written, *spoken, always=draws),
            web_searches=searches,
        )
    except AmountError as fault:
        raise UnreadableError(str(fault)) from None


def given(source: Mapping[str, Any]) -> Usage:
    """The usage of a request that writes nothing: an embedding, or a cache that is made.

    Raises:
        UnreadableError: there is no count, or it is none.
    """
    prompt = stated(source, "promptTokenCount", "totalTokenCount")
    if prompt is None:
        raise UnreadableError("it states no tokens")
    details = "promptTokensDetails"
    spoken = min(prompt, _modal(source, details, "AUDIO"))
    return Usage(prompt, input_audio_tokens=spoken, input_text_tokens=_text(source, prompt, details, always=True))


def tier(source: Mapping[str, Any]) -> str:
    """The service tier that served the answer; empty where it does not say."""
    return word(source.get("serviceTier")).lower() or TRAFFIC.get(word(source.get("trafficType")), "")


@dataclass(slots=True)
class Grounding:
    """What an answer was grounded on, over all its candidates and chunks."""

    queries: set[str] = field(default_factory=set)
    web: bool = False
    maps: bool = False

    def add(self, found: Any) -> None:
        """Takes a candidate's `groundingMetadata`."""
        for name in ("webSearchQueries", "imageSearchQueries"):
            self.queries |= {q for q in rows(table(found).get(name)) if isinstance(q, str) and q.strip()}
        for chunk in rows(table(found).get("groundingChunks")):
            self.web = self.web or bool(inside(chunk, "web", "uri"))
            self.maps = self.maps or bool(table(chunk).get("maps"))

    def searches(self, model: str) -> int:
        """How many searches are billed."""
        if PER_PROMPT.search(model):
            return int((bool(self.queries) and self.web) or self.maps)
        return len(self.queries) or int(self.maps)


def _modal(source: Mapping[str, Any], details: str, *kinds: str) -> int:
    """The tokens that the details state of some kinds; of all of them where none is named."""
    parts = [table(part) for part in rows(source.get(details))]
    return sum(stated(part, "tokenCount") or 0 for part in parts if not kinds or part.get("modality") in kinds)


def _text(source: Mapping[str, Any], counted: int, *details: str, always: bool = False) -> int:
    """How many of these tokens are text: all that the details do not state as something else.

    Pictures have been stated without the text beside them. 0 where there are no details; where they state no pictures
    or films either, text is told apart only if it has to be (`always`).
    """
    everything = sum(_modal(source, name) for name in details)
    other = everything - sum(_modal(source, name, "TEXT") for name in details)
    spoken = sum(_modal(source, name, "AUDIO") for name in details)
    return max(0, counted - other) if everything and (always or other > spoken) else 0
