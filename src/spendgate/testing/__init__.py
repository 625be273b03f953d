"""What tests of paid code need: a clock that only moves when it is told to, and the contract that every store keeps."""

from spendgate.testing.contract import StoreContract
from spendgate.testing.fakeclock import FakeClock

__all__ = ["FakeClock", "StoreContract"]
