"""A gate in front of every paid call, a ledger under it: spend what you meant to spend, and no more.

The public names load when they are first used, so that `import spendgate`, and every command line, starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendgate import aio
    from spendgate.answers import Receipt, Status
    from spendgate.caches.keys import StableKey, stable_key
    from spendgate.caches.monitor import CacheMonitor
    from spendgate.errors import (
        AmountError,
        BlockedError,
        ConfigError,
        EscalationError,
        LoopError,
        LostTailError,
        PriceError,
        RefusedError,
        ReservationStateError,
        RetryBudgetError,
        SpendgateError,
        SpendLimitError,
        StoreError,
        TaskError,
        TierLockedError,
        UnstableKeyError,
    )
    from spendgate.findings import Finding
    from spendgate.gate import Gate
    from spendgate.integrations.instrumenting import instrument, uninstrument
    from spendgate.opening import open  # noqa: A004
    from spendgate.policies import Fallback
    from spendgate.pricing.usage import Usage
    from spendgate.reserved import PaidCall, Reservation
    from spendgate.tasks import Task
    from spendgate.taskterms import Escalation

__all__ = [
    "AmountError",
    "BlockedError",
    "CacheMonitor",
    "ConfigError",
    "Escalation",
    "EscalationError",
    "Fallback",
    "Finding",
    "Gate",
    "LoopError",
    "LostTailError",
    "PaidCall",
    "PriceError",
    "Receipt",
    "RefusedError",
    "Reservation",
    "ReservationStateError",
    "RetryBudgetError",
    "SpendLimitError",
    "SpendgateError",
    "StableKey",
    "Status",
    "StoreError",
    "Task",
    "TaskError",
    "TierLockedError",
    "UnstableKeyError",
    "Usage",
    "aio",
    "instrument",
    "open",
    "stable_key",
    "uninstrument",
]

_HOMES = {
    "CacheMonitor": "caches.monitor",
    "Escalation": "taskterms",
    "Fallback": "policies",
    "Finding": "findings",
    "Gate": "gate",
    "PaidCall": "reserved",
    "Receipt": "answers",
    "Reservation": "reserved",
    "StableKey": "caches.keys",
    "Status": "answers",
    "Task": "tasks",
    "Usage": "pricing.usage",
    "instrument": "integrations.instrumenting",
    "open": "opening",
    "stable_key": "caches.keys",
    "uninstrument": "integrations.instrumenting",
}
"""Where the names are that are not errors."""


def __getattr__(name: str) -> Any:
    if name == "aio":
        return import_module("spendgate.aio")
    if name not in __all__:
        raise AttributeError(f"module 'spendgate' has no attribute {name!r}")
    value = getattr(import_module(f"spendgate.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
