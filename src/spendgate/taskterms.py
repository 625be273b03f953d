"""What a task may spend, which model it is held to, and its requests for a dearer one: plain data, kept in the ledger.

A task is one job, named by its caller. Whoever states its terms first has said them for every process.

>>> rung("claude-sonnet-4-5", ("*haiku*", "*sonnet*", "*opus*")), rung("gpt-5", ("*haiku*",))
(1, None)
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from spendgate.clock import HOUR, MINUTE
from spendgate.freshness import FreshRule
from spendgate.limits import matches

Lock = tuple[str, str, tuple[str, ...]]
"""What a task is held to: provider, model, ladder; empty where nothing is said yet."""
Verdict = Literal["approved", "denied", "expired"]

MAX_WITHIN = 24 * HOUR
"""The longest window in which the same request is counted."""


@dataclass(frozen=True, slots=True)
class TaskRules:
    """What holds where a task or a call does not say: budgets in nano-dollars, spans in microseconds.

    The same request may be sent `same_request` times `within` a span; 0 counts none.
    `fresh` says for how long the answers of calls are good that do not say so themselves.
    """

    retry_budget: int | None = None
    tiers: tuple[str, ...] = ()
    escalation_expires: int = HOUR
    same_request: int = 10
    within: int = 5 * MINUTE
    fresh: tuple[FreshRule, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskTerms:
    """The terms of one task. Budgets are in nano-dollars, None for none; `tier` is the model it is locked at.

    `tier` is empty until the first model call is admitted, unless it was stated. `ladder` has globs, the cheapest rung
    first. `seen_at` is when a call last named the task, to within a day; `ended_at` is 0 while it runs; `parent` is the
    task that an escalation began in.
    """

    id: str
    retry_budget: int | None = None
    budget: int | None = None
    provider: str = ""
    tier: str = ""
    ladder: tuple[str, ...] = ()
    parent: str = ""
    opened_at: int = 0
    seen_at: int = 0
    ended_at: int = 0

    @property
    def lock(self) -> Lock:
        """What a call has to be compared with."""
        return self.provider, self.tier, self.ladder


@dataclass(frozen=True, slots=True)
class Escalation:
    """A request to go on with a dearer model, in a task of its own: who asked for what, who decided, and when.

    `task` asks for up to `budget` nano-dollars of calls of the model `to`, to be spent in the task `child`.
    """

    id: int
    task: str
    child: str
    to: str
    budget: int
    reason: str
    asked_by: str
    asked_at: int
    expires_at: int
    state: Literal["asked", "approved", "denied", "expired"] = "asked"
    decided_by: str = ""
    answer: str = ""
    decided_at: int = 0

    def state_at(self, now_at: int) -> str:
        """How it stands at an instant: nobody has to write down that its time is up."""
        return "expired" if self.state == "asked" and now_at >= self.expires_at else self.state


def rung(model: str, ladder: tuple[str, ...]) -> int | None:
    """Where on a ladder of globs a model stands, from 0; None where it is on no rung."""
    return next((place for place, pattern in enumerate(ladder) if matches(pattern, model)), None)


class TaskStore(Protocol):
    """What a ledger does for tasks, beside deciding over their calls."""

    def open_task(self, stated: TaskTerms, rules: TaskRules, now_at: int) -> tuple[TaskTerms, bool]:
        """The terms of a task, as they were first stated; True where it begins here, or begins again after its end.

        Raises:
            TaskError: it has other terms than those stated; nothing was changed.
        """

    def task(self, task_id: str) -> TaskTerms | None:
        """The terms of a task; None where nobody stated any."""

    def end_task(self, task_id: str, now_at: int) -> TaskTerms | None:
        """Marks a task as ended: what it asked for and nobody decided is void. None where it is not known."""

    def ask_escalation(self, wanted: Escalation, now_at: int) -> Escalation:
        """Writes a request down, or finds the one that waits, or was approved, for the same task, model and budget.

        Raises:
            TaskError: the task is not known, or has ended; nothing was written.
        """

    def decide_escalation(self, number: int, verdict: Verdict, by: str, answer: str, now_at: int) -> Escalation:
        """Decides a request. Approved, its task can begin. `expired` changes only what nobody has decided in time.

        Raises:
            TaskError: it is not known, was decided, has expired, or its task has ended; nothing was changed.
        """

    def escalations(self, task_id: str = "") -> list[Escalation]:
        """The requests of a task, or all of them, oldest first."""
