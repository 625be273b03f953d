"""What a caller states about a call before it is made: read strictly, so that a slip of the keyboard is no default."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, TypedDict

from spendgate.call import Call
from spendgate.errors import AmountError
from spendgate.money import Amount, nanos, quantity
from spendgate.policies import WhenRefused
from spendgate.pricing.usage import units_from

_DIGEST = re.compile(r"[0-9a-fA-F]{8,256}")
MAX_FINGERPRINT = 32
"""Digits of a fingerprint that are kept: 128 bits."""


class Stated(TypedDict, total=False):
    """What a caller may state about a call before it is made.

    Attributes:
        provider: whose model it is; leave it out for other APIs.
        service: for whom; else that of `gate.scope`, `SPENDGATE_SERVICE` or the configuration.
        at_most: dollars, as text, int or Decimal; without it the price book says.
        input_tokens: the most tokens the model is sent; without it, its whole context.
        max_output_tokens: the cap on what it may write; without it, 16,384.
        calls: how many calls it is billed as.
        units: amounts of the rate card's units, such as `{"rows": 500}`.
        task: the job it belongs to.
        attempt: 1 for the first try.
        fingerprint: a digest of what is sent, in hexadecimal: of its address and its body. The same again within its
            task is a retry, and too often in a short time is a loop.
        key: the piece of work it is for.
        fresh_for: for how long its answer is good, such as `24h`: the same key paid for again before that is counted as
            a duplicate. Without a key, it is the same request (`fingerprint`).
        tags: names of your own to match and count by.
        web_searches: how many searches of the web the model may be billed for.
        batch: priced as a batch call; it may run 25 hours before it lapses.
        background: it may run 25 hours before it lapses, at the plain price.
        service_tier: the provider's name for a faster or slower service.
        when_refused: what becomes of the call where there is no room: `raise`, `wait` or `skip`.
        wait: how many seconds to wait for room.
        clamp: the least tokens of output that are still worth the call: where a limit leaves no room for
            `max_output_tokens`, as many are set aside as fit, and `Reservation.max_output_tokens` says how many.
        free: it costs nothing, by your word; for what has a price on the rate card, leave it to that.
    """

    provider: str
    service: str
    at_most: Amount
    input_tokens: int
    max_output_tokens: int
    calls: int
    units: Mapping[str, Amount]
    task: str
    attempt: int
    fingerprint: str
    key: str
    fresh_for: str
    tags: Mapping[str, object]
    web_searches: int
    batch: bool
    background: bool
    service_tier: str
    when_refused: WhenRefused
    wait: float
    clamp: int
    free: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller states about a call before it is made. `at_most` is in nano-dollars, spans are in microseconds.

    What is None is not stated. `calls` counts what is billed as calls: a request that looks up three things may be 3.
    """

    call: Call
    at_most: int | None = None
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    calls: int = 1
    units: tuple[tuple[str, Decimal], ...] = ()
    web_searches: int = 0
    batch: bool = False
    service_tier: str = ""
    lapse_after: int = 0
    fingerprint: str = ""
    free: bool = False
    fresh_for: int = 0


def check_stated(stated: Stated) -> None:
    """Looks at the names and kinds of what is stated.

    Raises:
        TypeError: a name is not known: a slip of the keyboard must not become a default.
        AmountError: a value is of the wrong kind.
    """
    for name, value in stated.items():
        kind, words = _KINDS.get(name) or _unknown(name)
        if kind is not object and not isinstance(value, kind):
            raise AmountError(name, value, f"it must be {words}")


def _unknown(name: str) -> NoReturn:
    from difflib import get_close_matches

    close = get_close_matches(name, _KINDS, n=1)
    hint = f": did you mean {close[0]!r}?" if close else f"; there are {', '.join(_KINDS)}"
    raise TypeError(f"a call states nothing named {name!r}{hint}")


_ANY: tuple[type, str] = (object, "")
_KINDS = dict.fromkeys(Stated.__annotations__, _ANY) | {
    "units": (Mapping, 'amounts by name, such as {"rows": 500}'),
    "tags": (Mapping, 'names with values, such as {"customer": "acme"}'),
    "batch": (bool, "True or False"),
    "background": (bool, "True or False"),
    "service_tier": (str, "text"),
    "when_refused": (str, "text"),
    "free": (bool, "True or False"),
    "fresh_for": (str, "a span of time as text, such as 24h"),
}
"""What each may be, in Python and in words. The others are looked at where they are read."""


def read_ask(call: Call, stated: Stated, lapse_after: int, fresh_for: int = 0) -> Ask:
    """What a caller states, read strictly.

    Raises:
        AmountError: an amount is none.
    """
    for name in ("input_tokens", "max_output_tokens", "calls", "web_searches"):
        if name in stated:
            quantity(stated[name], name)
    return Ask(
        call=call,
        at_most=nanos(stated["at_most"], "at_most") if "at_most" in stated else None,
        input_tokens=stated.get("input_tokens"),
        max_output_tokens=stated.get("max_output_tokens"),
        calls=stated.get("calls", 1),
        units=units_from(stated["units"].items()) if "units" in stated else (),
        web_searches=stated.get("web_searches", 0),
        batch=bool(stated.get("batch")),
        service_tier=stated.get("service_tier", ""),
        lapse_after=lapse_after,
        fingerprint=_fingerprint(stated.get("fingerprint", "")),
        free=bool(stated.get("free")),
        fresh_for=fresh_for,
    )


def _fingerprint(digest: object) -> str:
    """So much of a digest as tells requests apart."""
    if digest == "":
        return ""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise AmountError("fingerprint", digest, "it must be a digest in 8 to 256 hexadecimal digits")
    return digest[:MAX_FINGERPRINT].lower()


def keyed(stated: Stated, key_from: Callable[..., object] | None, args: Any, kwargs: Any) -> Stated:
    """What is stated for one call of a function: its key comes from the arguments."""
    return stated if key_from is None else Stated({**stated, "key": str(key_from(*args, **kwargs))})
