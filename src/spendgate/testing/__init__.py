"""What tests of paid code need: a clock that moves when it is told to, tests of cache keys, the contract of all stores.

The names load when they are first used: each needs other libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spendgate.testing.contract import StoreContract
    from spendgate.testing.fakeclock import FakeClock
    from spendgate.testing.fakeprovider import FakeProvider
    from spendgate.testing.spending import RealSpendingError
    from spendgate.testing.stability.asserting import assert_key_stable
    from spendgate.testing.stability.calling import Arguments, arguments
    from spendgate.testing.stability.finding import KeyFinding, KeyStabilityError
    from spendgate.testing.stability.marking import unstable_on_purpose

__all__ = [
    "Arguments",
    "FakeClock",
    "FakeProvider",
    "KeyFinding",
    "KeyStabilityError",
    "RealSpendingError",
    "StoreContract",
    "arguments",
    "assert_key_stable",
    "unstable_on_purpose",
]

_HOMES = {
    "Arguments": "stability.calling",
    "FakeClock": "fakeclock",
    "FakeProvider": "fakeprovider",
    "KeyFinding": "stability.finding",
    "KeyStabilityError": "stability.finding",
    "RealSpendingError": "spending",
    "StoreContract": "contract",
    "arguments": "stability.calling",
    "assert_key_stable": "stability.asserting",
    "unstable_on_purpose": "stability.marking",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'spendgate.testing' has no attribute {name!r}")
    value = getattr(import_module(f"spendgate.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
