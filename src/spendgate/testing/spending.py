"""What one test may spend, what it did spend, and the refusal of what would cost real money."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from spendgate.errors import RefusedError
from spendgate.money import usd

if TYPE_CHECKING:
    from spendgate.clock import Clock
    from spendgate.config import Settings
    from spendgate.gate import Gate
    from spendgate.ledger import Entry, Store

DEFAULT_LIMIT = "1.00"
"""What a test may spend that says nothing about it, in dollars."""
LOOPBACK = ("localhost", "127.*", "[[]::1]", "::1", "testserver", "*.localhost", "*.test", "*.invalid", "*.example")
"""Hosts that nobody pays for: this machine, and names that are kept for tests."""


class RealSpendingError(RefusedError):
    """A test would have spent real money. Nothing was sent, nothing was spent.

    `resource` is what would have been paid for, `where` the host or the gate through which.
    """

    def __init__(self, *, resource: str, where: str, remedy: str) -> None:
        self.resource = resource
        self.where = where
        self.remedy = remedy
        super().__init__(f"this test would spend real money on {resource!r} ({where}). {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.resource, self.where, self.remedy)


def _again(kind: type[RealSpendingError], resource: str, where: str, remedy: str) -> RealSpendingError:
    return kind(resource=resource, where=where, remedy=remedy)


@dataclass(slots=True)
class Spending:
    """One test: its limit in dollars, whether it said anything about spending, whether it may spend real money."""

    name: str
    limit: str = DEFAULT_LIMIT
    is_declared: bool = False
    is_real: bool = False
    hosts: Sequence[str] = ()
    gates: "list[Gate]" = field(default_factory=list)
    ledgers: "list[tuple[Clock, Store]]" = field(default_factory=list)
    _opened: "list[Gate]" = field(default_factory=list)

    def check_host(self, url: str, resource: str) -> None:
        """Refuses a paid request to a host that may be a real one.

        Raises:
            RealSpendingError: the test may not spend real money, and the host is not this machine.
        """
        host = urlsplit(url).hostname or ""
        if not self.is_real and not any(fnmatchcase(host, known) for known in (*LOOPBACK, *self.hosts)):
            raise RealSpendingError(
                resource=resource,
                where=host,
                remedy="Send it to `fake_provider`; or name the host in `spendgate_hosts`, where something stands in "
                'for it; or allow it: @pytest.mark.spend_limit("0.05", real=True), or pytest --allow-spending.',
            )

    def open(self, settings: "Settings", clock: "Clock", running: "Running") -> "Gate":
        """A gate as these settings make it, over the ledger in memory of whichever test runs, and with its limit.

        Whatever the settings say, it tells nobody and mirrors nothing. Where the running test says nothing about
        spending, every paid call is refused.
        """
        from spendgate.opening import gate_for

        quiet = replace(settings, limits_from="file", notify=(), mirror=None)
        make = getattr(gate_for, "__wrapped__", gate_for)  # the plugin lets the one that is public end up here
        ledger: Any = _Ledger(quiet, clock, running)
        gate: Gate = make(limited(quiet, self.limit), clock, ledger)
        attempt = gate.attempt

        def counted(ask: Any, deadline_at: int) -> Any:
            running()._take_part(gate, ask.call.resource)
            return attempt(ask, deadline_at)

        gate.attempt = counted  # type: ignore[method-assign]
        self.gates.append(gate)
        self._opened.append(gate)
        return gate

    def ledger(self, clock: "Clock") -> "Store":
        """The ledger in memory of this test: one for all gates on the same clock."""
        from spendgate.clock import SystemClock
        from spendgate.stores.memory import MemoryStore

        for known, store in self.ledgers:
            if known is clock or (isinstance(known, SystemClock) and isinstance(clock, SystemClock)):
                return store
        self.ledgers.append((clock, MemoryStore()))
        return self.ledgers[-1][1]

    def _take_part(self, gate: "Gate", resource: str) -> None:
        if not self.is_declared:
            raise RealSpendingError(
                resource=resource,
                where="a gate that is used in a test" if self.name else "a gate that is used outside of tests",
                remedy='Say what the test may spend: @pytest.mark.spend_limit("0.05"), or use the fixture `gate`.',
            )
        if gate not in self.gates:
            self.gates.append(gate)

    @property
    def spent(self) -> "Spend":
        """What was spent so far."""
        for gate in self.gates:
            gate.backlog.flush()
        return Spend(tuple(entry for _, store in self.ledgers for entry in store.entries()))

    def close(self) -> None:
        """Closes what was opened."""
        for gate in self._opened:
            gate.close()


Running = Callable[[], Spending]
"""Whose money it is at the moment: the test that runs, or what stands for none."""


def limited(settings: "Settings", limit: str) -> "Settings":
    """These settings with a test's limit beside their own, over a ledger in memory."""
    from spendgate.config import read

    memory = read(f'[[limits]]\nname = "test"\nusd = "{limit}"\nwindow = "400d"\n[store]\nurl = "memory:"\n')
    limits = (*memory.limits.limits, *(one for one in settings.limits.limits if one.name != "test"))
    store = replace(memory.store, unavailable=settings.store.unavailable)
    return replace(settings, store=store, limits=replace(settings.limits, limits=limits))


class _Ledger:
    """A store that is, at each moment, the ledger of the test that runs: a gate may outlive the test that opened it.

    So one that a module or a fixture opened for many tests spends from each test's limit, and never for real.
    """

    def __init__(self, settings: "Settings", clock: "Clock", running: Running) -> None:
        self._settings = settings
        self._clock = clock
        self._running = running
        self._now: tuple[Spending, Store] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store(), name)

    def _store(self) -> "Store":
        from spendgate.opening import put_in_force

        running, known = self._running(), self._now
        if known is not None and known[0] is running:
            return known[1]
        store = running.ledger(self._clock)
        put_in_force(limited(self._settings, running.limit), store, self._clock.now())
        self._now = running, store
        return store


@dataclass(frozen=True, slots=True)
class Spend:
    """What a test has spent. What is still held counts, as it does everywhere."""

    entries: "tuple[Entry, ...]"

    @property
    def usd(self) -> Decimal:
        """Dollars."""
        return usd(sum(entry.weight.usd for entry in self.entries))

    @property
    def calls(self) -> int:
        """Paid calls that were not voided."""
        return sum(entry.state.value != "voided" for entry in self.entries)

    @property
    def by_resource(self) -> Mapping[str, Decimal]:
        """Dollars for each model or API."""
        found: Counter[str] = Counter()
        for entry in self.entries:
            found[entry.call.resource] += entry.weight.usd
        return {name: usd(amount) for name, amount in found.items()}
