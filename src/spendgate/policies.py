"""What becomes of a call that the gate refuses, and how it is estimated: as call, scope, client or service say.

>>> call, client, service = policy("skip"), policy(wait=30), policy("fallback", fallback="gpt-4o-mini", clamp=256)
>>> nearest(call, client, service).when_refused, nearest(policy(), client, service).when_refused
('skip', 'wait')
>>> nearest(call, client, service).clamp
256
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal
from urllib.parse import urlsplit

from spendgate.call import MAX_NAME, Call
from spendgate.errors import AmountError, LoopError, RefusedError
from spendgate.limits import matches
from spendgate.money import decimal, quantity

WhenRefused = Literal["raise", "fallback", "wait", "skip"]
WAYS: tuple[WhenRefused, ...] = ("raise", "fallback", "wait", "skip")
MAX_WAIT_S = 24 * 3600
"""The longest that a call may wait for room."""
FALLBACK_FOR = "fallback_for"
"""The tag of a call that stands in for another: the resource that was asked for first."""
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Fallback:
    """Another model that is asked where a call was refused: of the same provider, or at another address.

    Attributes:
        model: its name.
        url: where it is asked, in the dialect of the call that was refused, such as `http://127.0.0.1:11434/v1`; empty
            for the address of the call itself. Nothing of the caller's headers but what describes the body goes there.
        provider: whose price list holds there; by the host where it is known, else `local`. Free is a price that is
            declared, also of a model at home: `[prices."local:*"]`, `free = true`.
        key_env: the environment variable with a key for that address; empty where it needs none.

    Raises:
        AmountError: a name is none, or the address is none that can be asked.
    """

    model: str
    url: str = ""
    provider: str = ""
    key_env: str = ""

    def __post_init__(self) -> None:
        if not self.model:
            raise AmountError("model", self.model, "name the model that is asked instead")
        Call(resource=self.model, provider=self.provider, service=self.key_env)
        if self.url:
            _check_url(self.url)
        elif self.provider or self.key_env:
            name = "provider" if self.provider else "key_env"
            raise AmountError(name, getattr(self, name), "it means nothing without a url")


Chooser = Callable[[RefusedError], "Fallback | str | None"]
"""Says, given the refusal, what to ask instead; None for nothing."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes of a refused call, as far as one place says: `policy` makes one. `wait` is in seconds.

    `when_refused` is empty where the place says nothing, and `clamp` None.
    """

    when_refused: WhenRefused | Literal[""] = ""
    wait: float = 0
    clamp: int | None = None
    fallback: Fallback | Chooser | None = None

    @property
    def least_output(self) -> int:
        """The least tokens of output that are still worth a call; 0 where a call never asks for less."""
        return self.clamp or 0


def policy(
    when_refused: str = "", *, wait: object = 0, clamp: object = None, fallback: Fallback | Chooser | str | None = None
) -> Policy:
    """What one place says of refused calls, read strictly. A `fallback` or a `wait` alone says what it is for.

    Args:
        when_refused: `raise`, `fallback`, `wait` (and then raise) or `skip`; empty says nothing.
        wait: how many seconds to wait for room, before anything else is done.
        clamp: the least tokens of output that are still worth a call; 0 never asks for less, None says nothing.
        fallback: what is asked instead, or a function that says so, given the refusal.

    Raises:
        AmountError: a value is none, or two of them contradict each other.
    """
    if not when_refused and not wait and clamp is None and not fallback:
        return NOTHING
    if when_refused not in ("", *WAYS):
        raise AmountError("when_refused", when_refused, f"it must be one of {', '.join(WAYS)}")
    wait_s = float(decimal(str(wait), "wait"))
    if wait_s > MAX_WAIT_S:
        raise AmountError("wait", wait, f"nobody waits for more than {MAX_WAIT_S:,} seconds")
    if clamp is not None:
        quantity(clamp, "clamp")
    other = _fallback(fallback)
    way = when_refused or ("fallback" if other is not None else "wait" if wait_s else "")
    if other is not None and way != "fallback":
        raise AmountError("fallback", fallback, f'it means nothing beside when_refused = "{way}"')
    if wait_s and way == "raise":
        raise AmountError("wait", wait, 'it means nothing beside when_refused = "raise"')
    if way == "wait" and not wait_s:
        raise AmountError("wait", wait, "say how long a call waits for room, such as 30 seconds")
    return Policy(way, wait_s, clamp, other)  # type: ignore[arg-type]


def needs_fallback(said: Policy) -> None:
    """Nothing, unless a place says `fallback` and not which.

    Raises:
        AmountError: it does.
    """
    if said.when_refused == "fallback" and said.fallback is None:
        raise AmountError("fallback", None, "say what is asked instead: a model, or a model with its url")


def _fallback(said: object) -> Fallback | Chooser | None:
    if said is None or said == "":
        return None
    if isinstance(said, str):
        return Fallback(said)
    if isinstance(said, Fallback) or callable(said):
        return said
    raise AmountError("fallback", said, "name a model, or give a Fallback, or a function of the refusal")


def nearest(*said: Policy) -> Policy:
    """What holds, by what the nearest place says: that of the call first, the service's last; else it is raised.

    Whoever says anything of `when_refused`, `wait` or `fallback` says all three; `clamp` is looked for by itself.
    """
    return reduce(over, (*said, RAISE))


def over(near: Policy, far: Policy) -> Policy:
    """What two places say together, the nearer one first."""
    way = near if near.when_refused else far
    clamp = far.clamp if near.clamp is None else near.clamp
    return way if way.clamp == clamp else replace(way, clamp=clamp)


def may_fall_back(refusal: RefusedError) -> bool:
    """Whether something else may be asked after a refusal: a loop is no less a loop at another model."""
    return not isinstance(refusal, LoopError)


NOTHING = Policy()
RAISE = Policy("raise", clamp=0)


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """What the configuration says of the calls of a service: when they are refused, and how they are estimated.

    `learns` is whether output is estimated from the service's own history instead of its cap.
    """

    refused: Policy = NOTHING
    learns: bool = False


PLAIN = ServiceRules()


@dataclass(frozen=True)
class Services:
    """The rules of services by name or glob: an exact name before globs, longer globs before shorter."""

    rules: Mapping[str, ServiceRules] = field(default_factory=dict)
    _found: dict[str, ServiceRules] = field(default_factory=dict, compare=False, repr=False)

    def of(self, service: str) -> ServiceRules:
        """The rules that hold for a service: those of one name or glob, never of two together."""
        if not self.rules:
            return PLAIN
        found = self._found.get(service)
        if found is None:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            found = self._found[service] = self._look(service)
        return found

    def _look(self, service: str) -> ServiceRules:
        if service in self.rules:
            return self.rules[service]
        fitting = [name for name in self.rules if matches(name, service)]
        return self.rules[max(fitting, key=lambda name: (len(name), name))] if fitting else PLAIN


def _check_url(url: object) -> None:
    remedy = "write the address that comes before the API's own path, such as http://127.0.0.1:11434/v1"
    if not isinstance(url, str) or not url.isprintable() or " " in url or len(url) > MAX_NAME * 10:
        raise AmountError("url", url, remedy)
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise AmountError("url", url, remedy) from None
    if not is_address:
        raise AmountError("url", url, remedy)
    if parts.username is not None or parts.query or parts.fragment:
        shown = f"{parts.scheme}://{parts.hostname}"  # without what may be a secret
        raise AmountError("url", shown, f"{remedy}: no names, passwords or options in it")
