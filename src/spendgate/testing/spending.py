"""What one test may spend, what it did spend, and the refusal of what would cost real money."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from spendgate.errors import RefusedError
from spendgate.money import usd

if TYPE_CHECKING:
    from spendgate.clock import Clock
    from spendgate.config import Settings
    from spendgate.gate import Gate
    from spendgate.ledger import Entry

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

    def open(self, settings: "Settings", clock: "Clock") -> "Gate":
        """A gate as these settings make it, over a ledger in memory, and with this test's limit.

        Whatever the settings say, it tells nobody and mirrors nothing. Where the test says nothing about spending,
        every paid call is refused.
        """
        from spendgate.config import read
        from spendgate.opening import gate_for

        memory = read(f'[[limits]]\nname = "test"\nusd = "{self.limit}"\nwindow = "400d"\n[store]\nurl = "memory:"\n')
        limits = (*memory.limits.limits, *(one for one in settings.limits.limits if one.name != "test"))
        quiet = replace(
            settings,
            store=replace(memory.store, unavailable=settings.store.unavailable),
            limits=replace(settings.limits, limits=limits),
            limits_from="file",
            notify=(),
            mirror=None,
        )
        make = getattr(gate_for, "__wrapped__", gate_for)  # the plugin lets the one that is public end up here
        gate: Gate = make(quiet, clock)
        if not self.is_declared:
            gate.attempt = self._refuse  # type: ignore[assignment]
        self.gates.append(gate)
        return gate

    def _refuse(self, ask: Any, _: int) -> NoReturn:
        raise RealSpendingError(
            resource=ask.call.resource,
            where="a gate that was opened in a test",
            remedy='Say what the test may spend: @pytest.mark.spend_limit("0.05"), or use the fixture `gate`.',
        )

    @property
    def spent(self) -> "Spend":
        """What was spent so far."""
        for gate in self.gates:
            gate.backlog.flush()
        return Spend(tuple(entry for gate in self.gates for entry in gate.store.entries()))

    def close(self) -> None:
        """Closes what was opened."""
        for gate in self.gates:
            gate.close()


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
