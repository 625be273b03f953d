"""How much a model may be told to write at most, where that is known.

A cap above a model's own maximum is an error at most providers, so a cap is only added to a request where the maximum
is known. Sources: the model pages of OpenAI, Google and DeepSeek as of November 2026.
"""

from functools import lru_cache

from spendgate.limits import matches

_MAXIMA = (
    ("gpt-3.5-turbo*", 4_096),
    ("gpt-4-turbo*", 4_096),
    ("gpt-4o-2024-05-13", 4_096),
    ("gpt-4o*", 16_384),
    ("chatgpt-4o*", 16_384),
    ("gpt-4.1*", 32_768),
    ("gpt-5-chat*", 16_384),
    ("gpt-5*", 128_000),
    ("o1-preview*", 32_768),
    ("o1-mini*", 65_536),
    ("o1*", 100_000),
    ("o3*", 100_000),
    ("o4*", 100_000),
    ("gemini-1.5-*", 8_192),
    ("gemini-2.0-*", 8_192),
    ("gemini-2.5-*-image*", 32_768),
    ("gemini-2.5-*", 65_535),
    ("gemini-3*-image*", 32_768),
    ("gemini-3*", 65_535),
    ("deepseek-chat", 8_192),
    ("deepseek-reasoner", 65_536),
)
"""Globs of models and their most tokens of output; the first that fits holds."""


@lru_cache(maxsize=1024)
def output_limit(model: str) -> int | None:
    """The most tokens that a model may be told to write; None where that is not known.

    >>> output_limit("openai/gpt-4o-mini"), output_limit("llama-3.3-70b")
    (16384, None)
    """
    name = model.rpartition("/")[2]
    return next((most for glob, most in _MAXIMA if matches(glob, name)), None)
