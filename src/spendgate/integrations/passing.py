"""Whether a request is on its way through a gate already, so that no layer below asks a second time.

A wrapped client may send with a library that is instrumented as well; what is asked for once is reserved once.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

_IS_PASSING = ContextVar("spendgate_is_passing", default=False)


@contextmanager
def passing() -> Iterator[None]:
    """Around the sending of a request that a gate has looked at."""
    token = _IS_PASSING.set(True)
    try:
        yield
    finally:
        with suppress(ValueError):  # a coroutine that is thrown away ends in another context, which knows nothing of it
            _IS_PASSING.reset(token)


def is_passing() -> bool:
    """Whether a gate has looked at the request that is being sent."""
    return _IS_PASSING.get()
