"""Findings from inside a program: written down once for all processes, and told by whoever was first."""

from collections.abc import Callable, Mapping
from typing import Any

from spendgate.clock import Clock
from spendgate.escalating import spoken
from spendgate.findings import Finding
from spendgate.ledger import Actor, Event, Store
from spendgate.stores.findings import event_of


class FindingDesk:
    """The gate, as far as findings go. What raises is the store: `StoreError`, and nothing was written."""

    store: Store
    clock: Clock
    _actor: Callable[[], Actor]

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

    def dismiss_finding(self, finding_id: int, reason: str = "") -> Finding | None:
        """Says that a running finding is known and no longer wants anybody, and tells people.

        It leaves `status`, and the reports of later periods. It runs on, so that the same thing is not told anew, until
        what it is about is over; after that the same thing is a new finding. Nothing is stopped.

        Args:
            finding_id: its number in the ledger.
            reason: why; one line of at most 200 characters, kept with it.

        Returns:
            The finding as it is now. One that was dismissed already, or has ended, is left as it is; None where it is
            not known.

        Raises:
            AmountError: the reason is no such line; nothing was written.
        """
        now_at = self.clock.now()
        found = self.store.dismiss_finding(finding_id, now_at, by=spoken(self._actor()), reason=reason)
        return None if found is None else self._shared(found, now_at)

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
