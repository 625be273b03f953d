"""Who a call is made for, where the call itself does not say: the innermost `gate.scope` around it.

>>> with scope(service="research", tags={"customer": "acme"}):
...     current().service
'research'
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from spendgate.call import tags_from


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a scope says of the calls inside it; tags are in the order of their names, and `attempt` is 0 for none."""

    service: str = ""
    task: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    attempt: int = 0


_NOBODY = Attribution()
_current: ContextVar[Attribution] = ContextVar("spendgate_attribution", default=_NOBODY)


def current() -> Attribution:
    """What holds here, in this thread or asyncio task."""
    return _current.get()


@contextmanager
def scope(
    service: str = "", task: str = "", tags: Mapping[str, object] | None = None, attempt: int = 0
) -> Iterator[None]:
    """Says for whom the calls inside are made. Scopes nest: what an inner one leaves out is the outer one's."""
    outer = _current.get()
    merged = tags_from({**dict(outer.tags), **(tags or {})})
    said = Attribution(service or outer.service, task or outer.task, merged, attempt or outer.attempt)
    token = _current.set(said)
    try:
        yield
    finally:
        _current.reset(token)
