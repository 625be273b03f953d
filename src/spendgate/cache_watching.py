"""Watching caches: from `gate.watch_cache` to the monitor that counts, and back with the cache."""

import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from spendgate.call import Call
from spendgate.errors import AmountError, PriceError
from spendgate.estimating import estimate
from spendgate.money import Amount, dollars, nanos
from spendgate.noticing import FindingDesk
from spendgate.stating import Ask

if TYPE_CHECKING:
    from spendgate.caches.flushing import CacheBook
    from spendgate.caches.monitor import CacheMonitor
    from spendgate.pricing.book import PriceBook

C = TypeVar("C")
_first = threading.Lock()


class CacheDesk(FindingDesk):
    """The gate, as far as caches go."""

    prices: "PriceBook"
    mode: str
    service: str
    version: str
    listeners: tuple[Any, ...]
    _caches: "CacheBook | None" = None

    def watch_cache(self, name: str, cache: C, *, miss_cost: Amount | None = None, service: str = "") -> C:
        """A cache like the one given, whose hits, misses and their cost are counted in the ledger.

        It behaves as before: values, exceptions and what threads may do with it are the cache's own.
        docs/cache-monitors.md says which caches are known, and of which kinds the one given is itself the watched one.

        Args:
            name: what it is called in the ledger. Several caches may share a name.
            cache: the cache, or a function with one.
            miss_cost: what each miss costs: an amount of dollars, or a resource that the rate card prices by the call.
                Without it, what the gate's own calls cost between a miss and the value that is stored.
            service: for whom it is asked; without it, the gate's service.

        Raises:
            TypeError: nothing is known of such caches. Nothing is watched.
            PriceError: the resource has no price for a call. Nothing is watched.
            AmountError: an argument is no amount or no name, or other misses under this name cost something else.
                Nothing is watched.
        """
        watch = import_module("spendgate.caches.adapters").adapter_for(cache)
        return cast("C", watch(self.cache_monitor(name, miss_cost=miss_cost, service=service), cache))

    def cache_monitor(self, name: str, *, miss_cost: Amount | None = None, service: str = "") -> "CacheMonitor":
        """Counts for a cache of any other kind, which tells it `hit`, `miss`, `set`, `evict` and `error` itself.

        Takes what `watch_cache` takes, and raises the same errors. Asked again for the same name and service, it is the
        same monitor, with the same cost of a miss.
        """
        from spendgate.caches.churn import Churn
        from spendgate.caches.monitor import CacheMonitor

        try:
            who = Call(service=service or self.service, resource=name)
        except AmountError as fault:
            raise fault if fault.name != "resource" else AmountError("name", name, fault.remedy) from None
        if not name:
            raise AmountError("name", name, "say what the cache is called in the ledger")
        cost = None if miss_cost is None else self._miss_cost(miss_cost)

        def make() -> CacheMonitor:
            return CacheMonitor(name, service=who.service, version=self.version, miss_usd=cost, churn=Churn())

        monitor = self._cache_book().monitor(name, who.service, make)
        if cost is not None and cost != monitor.miss_usd:
            known = "nothing of their own" if monitor.miss_usd is None else dollars(monitor.miss_usd)
            raise AmountError(
                "miss_cost",
                miss_cost,
                f"misses of {name!r} cost {known} elsewhere in this program: say the same, or name "
                "this cache otherwise",
            )
        return monitor

    def flush_caches(self) -> None:
        """Writes what caches did until now. It is done every few seconds and at the end of the program anyway.

        A ledger that cannot be written raises nothing here: the counts are kept, and written later.
        """
        if self._caches is not None:
            self._caches.flush()

    def _note_load(self, hold_id: str) -> None:
        """A call is held: what misses here is what it is for."""
        if self._caches is not None:
            self._caches.costs.held(hold_id)

    def _close_caches(self) -> None:
        if self._caches is not None:
            self._caches.close()

    def _cache_book(self) -> "CacheBook":
        from spendgate.caches.flushing import CacheBook
        from spendgate.caches.judging import CacheJudge

        with _first:
            if self._caches is None:
                self._caches = CacheBook(self.store, self.clock, is_off=self.mode == "off")
                self._caches.after = CacheJudge(self).judge
                self.listeners = (*self.listeners, self._caches.costs)
            return self._caches

    def _miss_cost(self, stated: Amount) -> int:
        try:
            return nanos(stated, "miss_cost")
        except AmountError:
            if not isinstance(stated, str) or not any(map(str.isalpha, stated)):
                raise
        guess = estimate(Ask(Call(resource=stated)), self.prices, self.clock.now())
        if guess.price is None:
            raise guess.fault or AssertionError
        tariff, free = guess.price.tariff, guess.price.free or guess.price.billing == "subscription"
        cost = guess.weight.usd + (tariff.most(guess.tariff_units) if tariff is not None else 0)
        if guess.weight.tokens or (cost <= 1 and not free):
            problem = "a call has no price of its own: state an amount as miss_cost, or leave it out,"
            raise PriceError(provider="", model=stated, problem=problem)
        return 0 if free else cost


def _after_fork() -> None:
    global _first  # noqa: PLW0603 - another thread of the parent may have been holding it
    _first = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
