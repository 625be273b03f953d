"""Asking a person for a dearer model: a request in the ledger, a wait, and after a yes a task of its own."""

from collections.abc import Callable

from spendgate.call import MAX_NAME, Call
from spendgate.clock import SECOND
from spendgate.errors import AmountError, EscalationError
from spendgate.ledger import Actor
from spendgate.money import Amount, decimal, nanos
from spendgate.tasks import Task, TaskDesk
from spendgate.taskterms import Escalation, TaskTerms
from spendgate.tiers import locked_price

POLL_S = 1.0
"""How often somebody who waits for a yes looks into the ledger, in seconds."""

Approve = Callable[[Escalation], bool]


class EscalationDesk(TaskDesk):
    """The gate, as far as requests for a dearer model go."""

    def escalate(
        self,
        task: Task | str,
        *,
        to: str,
        budget: Amount,
        reason: str = "",
        wait: float | None = None,
        expires: float | None = None,
        approve: Approve | None = None,
    ) -> Task:
        """Asks a person to go on with a dearer model, and waits for the answer.

        Args:
            task: the running task, or its id.
            to: the model that is asked for.
            budget: dollars that may be spent with it.
            reason: what the person who decides is told.
            wait: seconds to wait for the answer; without it, until the request expires.
            expires: seconds after which the request is void; without it, what the configuration says (an hour).
            approve: decides on the spot, instead of a person: a function of the request that answers yes or no.

        Returns:
            A task of its own, with its own budget, held to that model: use it in a `with`. Asked again for the same
            model and budget, the request that waits or was approved is found, and none is written.

        Raises:
            EscalationError: it was denied, has expired, or nobody has decided in time. Nothing was reserved.
            TaskError: the task is not known or has ended. Nothing was written.
            PriceError: nobody knows what the model costs. Nothing was written.
            AmountError: an argument is no amount or no name. Nothing was written.
        """
        span = None if wait is None else read_span(wait, "wait")
        one = self.ask_for(task, to=to, budget=budget, reason=reason, expires=expires, approve=approve)
        deadline_at = self.deadline_of(one, span)
        while self.must_wait(one, deadline_at):
            self.clock.sleep(POLL_S)
            one = self.looked_up(one)
        return self.granted(one)

    def ask_for(
        self,
        task: Task | str,
        *,
        to: str,
        budget: Amount,
        reason: str = "",
        expires: float | None = None,
        approve: Approve | None = None,
    ) -> Escalation:
        """Writes a request for a dearer model down, and has it decided where somebody is here to do so."""
        task_id, now_at = task if isinstance(task, str) else task.id, self.clock.now()
        if self.mode == "off":  # nothing is refused, so nobody has to be asked
            return Escalation(0, task_id, f"{task_id}+0", to, 0, reason, "", now_at, now_at, state="approved")
        span = self.rules.escalation_expires if expires is None else read_span(expires, "expires")
        if not to or span <= 0:
            raise AmountError("to" if span > 0 else "expires", to or expires, "name the model, and a time above 0")
        Call(task=f"{task_id}+999", resource=to, key=reason)
        locked_price(TaskTerms(task_id, tier=to), self._provider(task_id), self.prices, now_at)
        wanted = Escalation(
            id=0,
            task=task_id,
            child="",
            to=to,
            budget=nanos(budget, "budget"),
            reason=reason,
            asked_by=spoken(self._actor()),
            asked_at=now_at,
            expires_at=now_at + span,
        )
        one = self.store.ask_escalation(wanted, now_at)
        if one.state == "asked" and approve is not None:
            who = f"the callback {getattr(approve, '__qualname__', repr(approve))[:100]}"
            verdict = "approved" if approve(one) else "denied"
            one = self.store.decide_escalation(one.id, verdict, who, "", self.clock.now())  # type: ignore[arg-type]
        self._tell_since(now_at, one)
        return one

    def _provider(self, task_id: str) -> str:
        terms = self._known.get(task_id) or self.store.task(task_id)
        return terms.provider if terms is not None else ""

    def _tell_since(self, since_at: int, one: Escalation) -> None:
        """Tells people what was just written down of a request."""
        found = self.store.events(since_at)
        self.tell(tuple(event for event in found if event.kind == "escalation" and event.data.get("id") == one.id))

    def deadline_of(self, one: Escalation, span: int | None) -> int:
        """Until when to wait for an answer: for a span in microseconds, or until the request expires."""
        return one.expires_at if span is None else self.clock.now() + span

    def must_wait(self, one: Escalation, deadline_at: int) -> bool:
        """Whether nobody has decided yet, and it is not too late."""
        return one.state == "asked" and self.clock.now() < min(deadline_at, one.expires_at)

    def looked_up(self, one: Escalation) -> Escalation:
        """The request as it stands now."""
        return next((other for other in self.store.escalations(one.task) if other.id == one.id), one)

    def granted(self, one: Escalation) -> Task:
        """The task of an approved request.

        Raises:
            EscalationError: it is not approved.
        """
        now_at = self.clock.now()
        if one.state == "asked" and now_at >= one.expires_at:
            one = self.store.decide_escalation(one.id, "expired", "", "", now_at)
            self._tell_since(now_at, one)
        if one.state != "approved":
            raise EscalationError(
                task=one.task, escalation=one.id, state=one.state, by=one.decided_by, answer=one.answer
            )
        return Task(self, TaskTerms(one.child, budget=one.budget, tier=one.to, parent=one.task))


def spoken(actor: Actor) -> str:
    """Who runs a program, in a line."""
    return f"{actor.program or 'process'} {actor.pid} on {actor.host or 'this host'}"[: MAX_NAME * 2]


def read_span(seconds: float, name: str) -> int:
    """Seconds that a caller states, in microseconds.

    Raises:
        AmountError: they are no number from 0 on.
    """
    return round(float(decimal(str(seconds), name)) * SECOND)
