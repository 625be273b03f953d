"""What caches did, as transactions: counts are added, whoever counted them."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TypeVar

from spendgate.cacheminutes import CacheMinute
from spendgate.stores.tables import Tables

T = TypeVar("T")


class CacheKeeping:
    """What a store does for caches, over its transactions."""

    @abstractmethod
    def _write(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` in a transaction that nobody else writes in, and keeps all of it or nothing."""

    @abstractmethod
    def _read(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` on one unchanging view of the tables."""

    def add_cache_minutes(self, minutes: Iterable[CacheMinute], now_at: int) -> None:  # noqa: ARG002 - rows say when
        """Adds counts to minutes, all of them or none. Size and capacity are replaced."""
        found = list(minutes)

        def add(tables: Tables) -> None:
            for one in found:
                known = tables.cache_minute(one)
                tables.put_cache_minute(known.plus(one) if known else one)

        if found:
            self._write(add)

    def cache_minutes(self, since_at: int, until_at: int, cache: str = "") -> list[CacheMinute]:
        """The minutes that begin in a stretch of time, oldest first, of one cache or of all."""
        return self._read(lambda tables: tables.cache_minutes(since_at, until_at, cache))

    def cache_past(self, cache: str, service: str) -> tuple[int, str]:
        """Up to which instant a cache was judged, and what is known of its past; 0 and nothing where it never was."""
        return self._read(lambda tables: tables.cache_past(cache, service))

    def put_cache_past(self, cache: str, service: str, before_at: int, judged_at: int, past: str) -> bool:
        """Writes down what is known of a cache's past, unless somebody else has judged it since `before_at`."""

        def put(tables: Tables) -> bool:
            if tables.cache_past(cache, service)[0] != before_at:
                return False
            tables.put_cache_past(cache, service, judged_at, past)
            return True

        return self._write(put)
