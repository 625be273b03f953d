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
from spendgate.freshness import span_of


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a scope says of the calls inside it; tags are in the order of their names, `attempt` is 0 for none.

    `fresh_for` is for how long their answers are good, in microseconds; 0 where the scope does not say.
    """

    service: str = ""
    task: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    attempt: int = 0
    key: str = ""
    fresh_for: int = 0


_NOBODY = Attribution()
_current: ContextVar[Attribution] = ContextVar("spendgate_attribution", default=_NOBODY)


def current() -> Attribution:
    """What holds here, in this thread or asyncio task."""
    return _current.get()


@contextmanager
def scope(
    service: str = "",
    task: str = "",
    tags: Mapping[str, object] | None = None,
    attempt: int = 0,
    *,
    key: str = "",
    fresh_for: str = "",
) -> Iterator[None]:
    """Says for whom the calls inside are made. Scopes nest: what an inner one leaves out is the outer one's."""
    outer = _current.get()
    merged = tags_from({**dict(outer.tags), **(tags or {})})
    said = Attribution(
        service=service or outer.service,
        task=task or outer.task,
        tags=merged,
        attempt=attempt or outer.attempt,
        key=key or outer.key,
        fresh_for=span_of(fresh_for, "fresh_for") if fresh_for else outer.fresh_for,
    )
    token = _current.set(said)
    try:
        yield
    finally:
        _current.reset(token)
