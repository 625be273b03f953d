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
