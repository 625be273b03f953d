"""A gate in front of every paid call, a ledger under it: spend what you meant to spend, and no more."""

from spendgate.answers import Receipt, Status
from spendgate.errors import (
    AmountError,
    BlockedError,
    ConfigError,
    LostTailError,
    PriceError,
    RefusedError,
    ReservationStateError,
    SpendgateError,
    SpendLimitError,
    StoreError,
)
from spendgate.gate import Gate
from spendgate.opening import open  # noqa: A004
from spendgate.pricing.usage import Usage
from spendgate.reserved import PaidCall, Reservation

__all__ = [
    "AmountError",
    "BlockedError",
    "ConfigError",
    "Gate",
    "LostTailError",
    "PaidCall",
    "PriceError",
    "Receipt",
    "RefusedError",
    "Reservation",
    "ReservationStateError",
    "SpendLimitError",
    "SpendgateError",
    "Status",
    "StoreError",
    "Usage",
    "open",
]
