"""What the keys of a cache say about it, as data and as a sentence."""

import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["churning", "healthy", "cannot tell yet"]


@dataclass(frozen=True, slots=True)
class ChurnVerdict:
    """What the keys of a cache say about it.

    Attributes:
        kind: "churning", "healthy" or "cannot tell yet". The last one neither begins nor ends a finding.
        lookups: how many lookups were looked at; of these the two counts speak.
        different: how many different keys they had, to one in a thousand.
        different_without: how many there are without the culprit; None where that is not known.
        segment: the segment with the culprit, from 1; 0 where there is none.
        shape: what it looks like, in words: "ISO timestamp", "UUID".
        own_instant: whether it convicts as the instant of the lookup; else because it is new each time.
        one_in: of how many lookups one was looked at lately; 1 is all of them.
    """

    kind: Kind
    lookups: int = 0
    different: int = 0
    different_without: int | None = None
    segment: int = 0
    shape: str = ""
    own_instant: bool = False
    one_in: int = 1

    def sentence(self, name: str) -> str:
        """The verdict for people; `name` is the cache's."""
        some = "" if self.one_in == 1 else f" looked at (1 in {self.one_in:,})"
        counted = f"{name}: {self.lookups:,} lookups{some}, {self.different:,} different keys"
        if self.kind == "healthy":
            return f"{counted}. Keys repeat."
        if self.kind == "cannot tell yet":
            return f"{counted}. Too few of them repeat, with or without a part of the key, to tell anything yet."
        without = self.different_without
        if without is not None and without <= self.different * 0.9:
            return (
                f"{counted}; without the {self.shape} in segment {self.segment} there {_are(without)} {without:,}. "
                "This cache cannot hit."
            )
        return (
            f"{counted}; segment {self.segment} is each lookup's own instant, {_article(self.shape)} {self.shape}. "
            "This cache cannot hit."
        )

    def data(self) -> dict[str, Any]:
        """The verdict as JSON has it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _article(words: str) -> str:
    return "an" if re.match(r"[AIOaeio8]|HTTP|11 ", words) else "a"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
