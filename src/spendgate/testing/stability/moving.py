"""Moving the clock that functions read by themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import ModuleType

from spendgate.clock import moment

START_AT = 1_792_748_487_123_456
"""Where checks begin: Friday, 2026-10-23 09:41:27.123456 UTC, two days before Europe's clocks are set back."""

# A destination in UTC itself would also set the machine's time zone to UTC, and that is one of the things to look at.
_ELSEWHERE = timezone(timedelta(hours=1))


@contextmanager
def stopped(at: int) -> Iterator[Callable[[int], None]]:
    """Stops the process's clock at an instant; what it gives moves it to another one."""
    with time_machine().travel(_when(at), tick=False) as traveller:
        yield lambda to: traveller.move_to(_when(to))


def time_machine() -> ModuleType:
    """The library that moves the clock.

    Raises:
        RuntimeError: it is not installed.
    """
    try:
        import time_machine as found
    except ImportError:
        raise RuntimeError("moving the clock takes time-machine: pip install 'spendgate[testing]'") from None
    return found


def _when(at: int) -> datetime:
    return moment(at).astimezone(_ELSEWHERE)
