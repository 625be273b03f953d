"""urllib3, which `requests` and `botocore` send with: answers whose bytes are read on the side as they come by."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from urllib3.response import HTTPResponse

from spendgate.metering import Metered


def tap(response: Any, metered: Metered) -> None:
    """Has an answer's bytes read by `metered` when the caller reads them: unpacked from chunks, not decoded.

    The response stays the object it is, and what its caller reads is neither delayed nor cut otherwise. A response that
    is dropped unread and not closed leaves its reservation held.
    """
    tapped: Any = response
    try:
        if not isinstance(response, HTTPResponse):
            raise TypeError
        tapped._spendgate = metered
        tapped.__class__ = _tapped(tapped.__class__)
    except (TypeError, AttributeError):
        metered.ended(
            complete=False
        )  # somebody's own kind of response that cannot be read on the side: it counts whole
    else:
        tapped._spendgate_seen(b"")


@cache
def _tapped(kind: Any) -> Any:
    """A subclass of a kind of response that is read on the side."""
    return type(kind.__name__, (_Tap, kind), {"__module__": kind.__module__})


class _Tap:
    """Reads on the side: `_fp_read` and `_handle_chunk` are where bytes come in, in urllib3 1 and 2."""

    length_remaining: int | None
    isclosed: Callable[[], bool]
    _spendgate: Metered | None

    def _fp_read(self, *args: Any, **kwargs: Any) -> bytes:
        try:
            data: bytes = super()._fp_read(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            self._spendgate_end(complete=False)
            raise
        amount = args[0] if args else kwargs.get("amt")
        self._spendgate_seen(data, to_end=not data or (amount is None and not kwargs.get("read1")))
        return data

    def _handle_chunk(self, *args: Any, **kwargs: Any) -> bytes:
        data: bytes = super()._handle_chunk(*args, **kwargs)  # type: ignore[misc]
        if self._spendgate is not None:
            self._spendgate.feed(data)
        return data

    def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        try:
            yield from super().read_chunked(*args, **kwargs)  # type: ignore[misc]
        except GeneratorExit:
            raise
        except BaseException:
            self._spendgate_end(complete=False)
            raise
        self._spendgate_end(complete=True)

    def close(self) -> None:
        self._spendgate_end(complete=False)
        super().close()  # type: ignore[misc]

    def __del__(self) -> None:
        self._spendgate = None  # the collector may run inside the ledger, which must not be asked then
        super().__del__()  # type: ignore[misc]

    def _spendgate_seen(self, data: bytes, to_end: bool = False) -> None:
        """Takes what came over the line; notices the end where there is no more to come."""
        if self._spendgate is None:
            return
        if data:
            self._spendgate.feed(data)
        left = self.length_remaining
        if left is not None and left <= len(data):
            self._spendgate_end(complete=True)
        elif to_end or self.isclosed():
            self._spendgate_end(complete=left is None)

    def _spendgate_end(self, complete: bool) -> None:
        metered, self._spendgate = self._spendgate, None
        if metered is not None:
            metered.ended(complete=complete)
