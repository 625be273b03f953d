"""Functions whose keys do not repeat on purpose say so, with the reason."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__spendgate_unstable__"
CHECKS = ("inputs", "repeat", "order", "copies", "thread", "time", "interpreters", "distinct")
"""The checks, in the order in which they are made."""


def unstable_on_purpose(reason: str, *checks: str) -> Callable[[F], F]:
    """Marks a function whose key is not stable, and is not meant to be: `assert_key_stable` leaves these checks out.

    Args:
        reason: why, for the next reader. It must not be empty.
        checks: names of the checks to leave out; none means all of them.

    Raises:
        ValueError: there is no reason, or no such check.
    """
    allowed = read_allowed(dict.fromkeys(checks or CHECKS, reason))

    def mark(function: F) -> F:
        setattr(function, MARK, allowed)
        return function

    return mark


def read_allowed(allow: dict[str, str]) -> dict[str, str]:
    """Checks to leave out and why.

    Raises:
        ValueError: a reason is missing, or there is no such check.
    """
    for check, reason in allow.items():
        if check not in CHECKS:
            raise ValueError(f"there is no check {check!r}; there are {', '.join(CHECKS)}")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"say why {check!r} is left out")
    return allow
