"""What happens once, and findings, as a store offers them: each a transaction of its own."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from spendgate.call import MAX_NAME, check_text
from spendgate.findings import Finding
from spendgate.stores.findings import begin, dismiss, end, remember
from spendgate.stores.posting import Posting
from spendgate.stores.repeats import up_to_date
from spendgate.stores.tables import Tables

T = TypeVar("T")


class FindingKeeping:
    """What a store does for findings and for what happens once, over its transactions."""

    @abstractmethod
    def _post(self, now_at: int, work: Callable[[Posting], T]) -> T:
        """Runs `work` as one booking."""

    @abstractmethod
    def _read(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` on one unchanging view of the tables."""

    def once(self, digest: str, span: int, now_at: int) -> bool:
        """Whether this is the first time within a span; if so, it is written down."""

        def take(posting: Posting) -> bool:
            seen = posting.tables.seen(digest)
            if seen is not None and posting.at < seen[1]:
                return False
            posting.meta.head += 1
            remember(posting.tables, digest, span, at=posting.at, is_new=seen is None)
            return True

        return self._post(now_at, take)

    def begin_finding(self, finding: Finding, now_at: int) -> Finding:
        """Writes a finding down, or finds the one that runs already for the same kind, subject and service."""
        return self._post(now_at, lambda posting: begin(posting, posting.meta, finding))

    def update_finding(
        self,
        finding_id: int,
        now_at: int,
        *,
        usd: int | None = None,
        text: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Finding | None:
        """Changes what a running finding says: its cost so far, text or data; None leaves one as it is.

        What its data says of its being dismissed stays.
        """
        changes = {"usd": usd, "text": text}
        changes = {name: value for name, value in changes.items() if value is not None}

        def update(posting: Posting) -> Finding | None:
            found = posting.tables.finding(finding_id)
            if found is None or not found.is_running:
                return found
            done = replace(found, **changes)  # type: ignore[arg-type]
            done = done if data is None else done.saying(data)
            if done != found:
                posting.meta.head += 1
                posting.tables.put_finding(done)
            return done

        return self._post(now_at, update)

    def dismiss_finding(self, finding_id: int, now_at: int, *, by: str, reason: str = "") -> Finding | None:
        """Writes down that a running finding is known and no longer wants anybody; it runs on until it is over."""
        check_text("reason", reason, MAX_NAME)

        def know(posting: Posting) -> Finding | None:
            found = posting.tables.finding(finding_id)
            if found is None:
                return None
            return dismiss(posting, posting.meta, up_to_date(posting.tables, found), by, reason)

        return self._post(now_at, know)

    def end_finding(self, finding_id: int, now_at: int) -> Finding | None:
        """Ends a finding, and writes the event. The same again changes nothing; None where it is not known."""

        def stop(posting: Posting) -> Finding | None:
            found = posting.tables.finding(finding_id)
            if found is None or not found.is_running:
                return found
            posting.meta.head += 1
            found = up_to_date(posting.tables, found)
            if found.kind == "duplicates":
                posting.tables.drop_streak(found.service, found.subject)
            return end(posting, found, posting.at)

        return self._post(now_at, stop)

    def findings(self, since_at: int = 0, running_only: bool = False) -> list[Finding]:
        """The findings that run, and those that ended at or after an instant, in the order in which they began."""
        found = self._read(lambda tables: [up_to_date(tables, one) for one in tables.findings(since_at)])
        found = [one for one in found if one.is_running or not running_only]
        return sorted(found, key=lambda one: (one.began_at, one.id))
