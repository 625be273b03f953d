"""What the ledger notices: something that costs money and does not look meant, from its beginning to its end.

>>> finding = Finding("duplicates", "clearbit.enrich", service="pipeline", text="13 of 14 calls were paid again")
>>> finding.is_running, finding.of
(True, ('duplicates', 'clearbit.enrich', 'pipeline'))
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

from spendgate.call import MAX_NAME
from spendgate.errors import AmountError
from spendgate.freshness import Duplicates
from spendgate.money import quantity

Kind = Literal["churn", "misses", "evictions", "silent", "duplicates"]
KINDS: tuple[str, ...] = get_args(Kind)
MAX_TEXT = 2000
MAX_DATA = 20_000
"""The longest a finding's text, and its data as JSON, in characters: without what says that it was dismissed."""
DISMISSAL = ("dismissed_at", "dismissed_by", "reason")
"""What the data of a finding that was dismissed says of that, whatever else it says later."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One episode of something that costs money and does not look meant.

    Attributes:
        kind: what was noticed: `churn` (keys that do not repeat), `misses`, `evictions`, `silent` (a cache that nobody
            asks any more) or `duplicates` (answers that are paid for again).
        subject: the cache, or the resource that is paid for.
        service: for whom.
        version: the deploy or version at its start; empty where nobody knows.
        text: the verdict in words.
        usd: what it has cost so far, in nano-dollars.
        data: what `--json` shows beside it: plain data. Of one that was dismissed it has `dismissed_at`, `dismissed_by`
            and `reason`.
        began_at: when it began; 0 takes the instant at which it is written down.
        ended_at: when it ended; 0 while it runs.
        id: its number in the ledger; 0 before it is written down.
        is_news: whether the step that gave it to you began, dismissed or ended it, so that it is you who has to tell
            people.
    """

    kind: Kind
    subject: str
    service: str = ""
    version: str = ""
    text: str = ""
    usd: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    began_at: int = 0
    ended_at: int = 0
    id: int = 0
    is_news: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise AmountError("kind", self.kind, f"a finding is one of {', '.join(KINDS)}")
        for name, most in (("subject", MAX_NAME), ("service", MAX_NAME), ("version", MAX_NAME), ("text", MAX_TEXT)):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > most or not value.isprintable():
                raise AmountError(name, value, f"it must be one line of at most {most:,} characters")
        if not self.subject:
            raise AmountError("subject", self.subject, "name the cache, or what is paid for")
        quantity(self.usd, "usd")
        try:
            size = len(
                json.dumps({name: self.data[name] for name in self.data if name not in DISMISSAL}, allow_nan=False)
            )
        except (TypeError, ValueError) as error:
            raise AmountError("data", self.data, f"it must be plain data: {error}") from None
        if size > MAX_DATA:
            raise AmountError("data", "...", f"it must be at most {MAX_DATA:,} characters of JSON")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended. One that was dismissed runs on until what it is about is over."""
        return not self.ended_at

    @property
    def dismissed_at(self) -> int:
        """When somebody said that it is known and no longer wants anybody; 0 where nobody has."""
        at = self.data.get("dismissed_at", 0)
        return at if isinstance(at, int) else 0

    @property
    def dismissal(self) -> dict[str, Any]:
        """The part of its data that says when, by whom and why it was dismissed; empty where nobody has."""
        return {name: self.data.get(name, "") for name in DISMISSAL} if self.dismissed_at else {}

    @property
    def of(self) -> tuple[str, str, str]:
        """What there is one running finding of."""
        return self.kind, self.subject, self.service

    def saying(self, data: Mapping[str, Any]) -> "Finding":
        """The same with other data. Whether it was dismissed is not for whoever notices it to say: that stays."""
        return replace(self, data={name: data[name] for name in data if name not in DISMISSAL} | self.dismissal)


class FindingStore(Protocol):
    """What a ledger does for findings. Each is written in one step, so that all processes have the same one."""

    def begin_finding(self, finding: Finding, now_at: int) -> Finding:
        """Writes a finding down, or finds the one that runs already for the same kind, subject and service.

        `is_news` says which: where it is True an event was written, and the caller tells people. A finding that runs
        already is left as it is.
        """

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

        Returns:
            The finding as it is now. One that has ended is left as it is; None where it is not known.
        """

    def dismiss_finding(self, finding_id: int, now_at: int, *, by: str, reason: str = "") -> Finding | None:
        """Writes down that a running finding is known to `by` and no longer wants anybody, and writes the event.

        It runs on, so that the same thing is no new finding, until what it is about is over. One that was dismissed
        already, or has ended, is left as it is; None where it is not known.

        Raises:
            AmountError: the reason is not one line of at most 200 characters; nothing was written.
        """

    def end_finding(self, finding_id: int, now_at: int) -> Finding | None:
        """Ends a finding, and writes the event. The same again changes nothing; None where it is not known."""

    def findings(self, since_at: int = 0, running_only: bool = False) -> list[Finding]:
        """The findings that run, and those that ended at or after an instant, in the order in which they began."""

    def duplicates(self, since_at: int, until_at: int, top: int = 10) -> list[Duplicates]:
        """What was paid for again in a stretch of time, by service and resource, the dearest first, `top` keys each."""
