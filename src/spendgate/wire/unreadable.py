"""What becomes of usage that makes no sense: the answer is unread, and the whole hold counts."""

from collections.abc import Callable

from spendgate.wire.exchange import Answer


def unless_unreadable(read: Callable[[], Answer], id: str = "") -> Answer:  # noqa: A002 - the name that an answer has
    """The answer that `read` gives; unread, with the reason, where it raises a `ValueError`.

    Such are `UnreadableError`, of a count that is none, and `AmountError`, of parts that exceed their whole and of sums
    that are not believed.
    """
    try:
        return read()
    except ValueError as fault:
        return Answer("unread", id=id, reason=f"its usage cannot be read: {fault}")
