"""Which answers of LLM hosts cost nothing, by their status alone."""

from typing import Literal

REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 429})
"""The request was refused before a model saw it."""
FAILED = frozenset({500, 502, 503, 529})
"""The host failed, and bills nothing for that. A timeout (408, 504, 524) is not among them: the model may have run."""


def kind(status: int) -> Literal["read", "free", "held"]:
    """What to do with an answer: read it, or take it as free or as held without looking at it.

    >>> kind(200), kind(429), kind(504)
    ('read', 'free', 'held')
    """
    if 200 <= status < 300:
        return "read"
    if 300 <= status < 400 or status in REFUSED or status in FAILED:
        return "free"
    return "held"
