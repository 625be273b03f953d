"""All clients at once: what the HTTP libraries send passes the gate, whoever made the client, before or after.

spendgate.instrument(service="research")
...
spendgate.uninstrument()
"""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from spendgate.errors import ConfigError, StoreError
from spendgate.gate import Gate
from spendgate.integrations.passing import is_passing
from spendgate.integrations.patches import COUNTING, PATCHES
from spendgate.integrations.senders import provider_of
from spendgate.metering import Terms
from spendgate.opening import open as open_gate
from spendgate.wire.hosts import provider_at

log = logging.getLogger("spendgate")


def instrument(gate: Gate | None = None, **terms: Any) -> None:
    """Lets every request that these libraries send to a paid API pass the gate, until `uninstrument`.

    httpx, httpx2, requests, aiohttp and botocore are instrumented, and with them the SDKs that send through them: also
    where they are imported later, and for clients that exist already. What passes a client of `gate.wrap` is not asked
    for twice. A second call takes the place of the first.

    Args:
        gate: what must admit each request. Without one, `spendgate.open()` makes it at the first request; where that
            fails, requests to hosts that are not known to cost money still pass, and others raise what it raised.
        terms: how calls are made where nothing nearer to a call says otherwise: see `spendgate.metering.Terms`.

    Raises:
        TypeError: a term is not known. Nothing was changed.
    """
    import wrapt

    stated = Terms(**terms)
    with _LOCK:
        _end()
        _STATE.current = _Current(gate, stated)
        for name in PATCHES:
            if name not in _STATE.hooked:
                _STATE.hooked.add(name)
                wrapt.register_post_import_hook(_imported, name)
            elif name in sys.modules:
                _imported(sys.modules[name])


def uninstrument() -> None:
    """Undoes `instrument`, however often it was called: the libraries are as they were. Twice is as good as once."""
    with _LOCK:
        _end()


@dataclass
class _Current:
    """The gate in front of the libraries, and how calls are made."""

    gate: Gate | None
    terms: Terms
    opened: Gate | None = None
    has_failed: bool = False

    def admitting(self, url: str, headers: Mapping[Any, Any]) -> tuple[Gate, Terms] | None:
        """The gate that must admit a request, and its terms; None where there is none, and the request may pass."""
        terms = self.terms
        if not terms.provider:
            terms = replace(terms, provider=provider_of(headers))
        gate = self.gate or self.opened or self._open(is_paid=bool(terms.provider or provider_at(url)))
        return None if gate is None else (gate, terms)

    def _open(self, is_paid: bool) -> Gate | None:
        with _LOCK:
            if self.opened is None and (is_paid or not self.has_failed):
                try:
                    self.opened = open_gate()
                except (ConfigError, StoreError):
                    self.has_failed = True
                    if is_paid:
                        raise
            return self.opened


@dataclass
class _State:
    """What is instrumented: the hooks that wait for an import, and what stands where something else stood."""

    current: _Current | None
    hooked: set[str]
    replaced: list[tuple[Any, str, Any, Any]]


_LOCK = threading.RLock()
_STATE = _State(None, set(), [])


def _admitting(url: str, headers: Mapping[Any, Any]) -> tuple[Gate, Terms] | None:
    """Who must admit a request that is about to be sent; None where it may pass."""
    current = _STATE.current
    return None if current is None or is_passing() else current.admitting(url, headers)


def _imported(module: ModuleType) -> None:
    """Replaces what a library sends with, if libraries are instrumented now."""
    with _LOCK:
        if _STATE.current is None:
            return
        for place, patch in PATCHES[module.__name__].items():
            try:
                _replace(module, place, patch)
            except AttributeError:
                if module.__name__ not in COUNTING:
                    log.warning("spendgate: %s has no %s: what it sends does not pass the gate", module.__name__, place)


def _replace(module: ModuleType, place: str, patch: Callable[..., Any]) -> None:
    import wrapt

    owner_name, _, name = place.rpartition(".")
    owner = getattr(module, owner_name)
    before = vars(owner)[name] if name in vars(owner) else getattr(owner, name)
    if any(one[0] is owner and one[1] == name for one in _STATE.replaced):
        return

    def wrapper(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return patch(_admitting, wrapped, instance, *args, **kwargs)

    ours = wrapt.FunctionWrapper(before, wrapper)
    setattr(owner, name, ours)
    _STATE.replaced.append((owner, name, ours, before))


def _end() -> None:
    """Puts everything back that still stands where it was put; what others have put around it passes requests on."""
    while _STATE.replaced:
        owner, name, ours, before = _STATE.replaced.pop()
        if vars(owner).get(name) is ours:
            setattr(owner, name, before)
    current, _STATE.current = _STATE.current, None
    if current is not None and current.opened is not None:
        current.opened.close()
