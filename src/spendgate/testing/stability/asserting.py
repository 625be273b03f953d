"""`assert_key_stable`: what a test of a cache key, or of a cached function, says in one line."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from spendgate.caches.keys import window_seconds
from spendgate.clock import SECOND
from spendgate.testing.stability.examining import Examination, Terms
from spendgate.testing.stability.finding import KeyStabilityError


def assert_key_stable(
    function: Callable[..., Any],
    inputs: Any = None,
    window: str | timedelta | None = None,
    *,
    cache: Any = None,
    allow: Mapping[str, str] | None = None,
    count: int = 30,
    fresh: bool = True,
    timeout_s: float = 60.0,
) -> None:
    """Fails where a cache under this key could not hit, or would give one input the answer of another.

    The function is called again at the same instant, with equal arguments that are other objects, with dictionaries and
    sets in another order, in another thread, later, at the edges of its window, and in fresh interpreters with other
    seeds of `hash()`, time zones, host names, directories and locales: the key must be the same. After the window it
    must be a new one, at most `ceil(T / window) + 1` over a span T, and different inputs must have different ones.

    The clock of the process is moved for as long as it takes. Inputs for which the function raises are left out, as
    long as it gives a key for some; slow functions are called less often.

    Args:
        function: makes a key from its arguments; or, with `cache`, is a cached function: then it must load only once.
            A function under `functools.lru_cache` is its own cache. Coroutine functions are run.
        inputs: examples, or a Hypothesis strategy of them: a tuple is positional arguments, `arguments(...)` any,
            anything else the only argument. Left out, they are drawn from the function's type hints.
        window: for how long a key holds, as in `stable_key`; None where it holds for ever.
        cache: what the function keeps its answers in: something with `cache_info()`, a dictionary or another container
            of keys, or a function that says how often something was loaded.
        allow: checks to leave out, by name, and why: `{"distinct": "upper case does not matter"}`. See
            `unstable_on_purpose` for a mark on the function itself.
        count: how many inputs are drawn.
        fresh: whether other interpreters are started. A key that never leaves its process, such as that of a
            dictionary, may be another one elsewhere.
        timeout_s: how long other interpreters may take, in seconds.

    Raises:
        KeyStabilityError: an `AssertionError` with what was found: both keys, the part that differs, the likely source.
        TypeError: nothing says what to call the function with.
        ValueError: the window is no span, or a check is left out without a reason.
        RuntimeError: a library of `spendgate[testing]` is missing, or the function cannot be run elsewhere.
    """
    span = None if window is None else window_seconds(window) * SECOND
    terms = Terms(span, cache, allow or {}, count, fresh, timeout_s)
    examination = Examination(function, inputs, terms)
    for result in examination.results():
        if result.finding is not None:
            raise KeyStabilityError(examination.name, (result.finding,))
