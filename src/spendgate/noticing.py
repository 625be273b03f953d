"""Findings from inside a program: written down once for all processes, and told by whoever was first."""

from collections.abc import Mapping
from typing import Any

from spendgate.clock import Clock
from spendgate.findings import Finding
from spendgate.ledger import Event, Store
from spendgate.stores.findings import event_of


class FindingDesk:
    """The gate, as far as findings go. What raises is the store: `StoreError`, and nothing was written."""

    store: Store
    clock: Clock

    def tell(self, events: tuple[Event, ...]) -> None:
        """Tells the listeners."""

    def begin_finding(self, finding: Finding) -> Finding:
        """Writes a finding down and tells people, or gives the one that runs already for the same thing."""
        now_at = self.clock.now()
        return self._shared(self.store.begin_finding(finding, now_at), now_at)

    def update_finding(
        self,
        finding_id: int,
        *,
        usd: int | None = None,
        text: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Finding | None:
        """Changes what a running finding says: its cost so far in nano-dollars, text or data. Nobody is told."""
        return self.store.update_finding(finding_id, self.clock.now(), usd=usd, text=text, data=data)

    def end_finding(self, finding_id: int) -> Finding | None:
        """Ends a finding and tells people; None where it is not known."""
        now_at = self.clock.now()
        found = self.store.end_finding(finding_id, now_at)
        return None if found is None else self._shared(found, now_at)

    def findings(self, since_at: int = 0, running_only: bool = False) -> list[Finding]:
        """The findings that run, and those that ended at or after an instant, in the order in which they began."""
        return self.store.findings(since_at, running_only)

    def _shared(self, finding: Finding, at: int) -> Finding:
        if finding.is_news:
            self.tell((event_of(finding, at),))
        return finding
