"""Tasks and escalations as transactions: who comes first has said it, and who decides first has decided."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from spendgate.errors import TaskError
from spendgate.money import dollars
from spendgate.stores.posting import Posting
from spendgate.stores.tables import Tables
from spendgate.taskterms import Escalation, TaskRules, TaskTerms, Verdict

T = TypeVar("T")


class TaskKeeping:
    """What a store does for tasks, over its transactions."""

    @abstractmethod
    def _post(self, now_at: int, work: Callable[[Posting], T]) -> T:
        """Runs `work` as one booking."""

    @abstractmethod
    def _read(self, work: Callable[[Tables], T]) -> T:
        """Runs `work` on one unchanging view of the tables."""

    def open_task(self, stated: TaskTerms, rules: TaskRules, now_at: int) -> tuple[TaskTerms, bool]:
        """The terms of a task, as they were first stated; True where it begins here, or begins again after its end."""

        def begin(posting: Posting) -> tuple[TaskTerms, bool]:
            known = posting.tables.task(stated.id)
            if known is None:
                terms = _completed(stated, rules, posting.at)
            else:
                _check_same(known, stated)
                terms = replace(known, ended_at=0, seen_at=max(known.seen_at, posting.at))
                if not known.tier and stated.tier:
                    terms = replace(terms, provider=stated.provider, tier=stated.tier)
            if terms != known:
                posting.meta.head += 1
                posting.tables.put_task(terms)
            return terms, known is None or known.ended_at != 0

        return self._post(now_at, begin)

    def task(self, task_id: str) -> TaskTerms | None:
        """The terms of a task; None where nobody stated any."""
        return self._read(lambda tables: tables.task(task_id))

    def end_task(self, task_id: str, now_at: int) -> TaskTerms | None:
        """Marks a task as ended: what it asked for and nobody decided is void. None where it is not known."""

        def end(posting: Posting) -> TaskTerms | None:
            terms = posting.tables.task(task_id)
            if terms is None or terms.ended_at:
                return terms
            posting.meta.head += 1
            for one in posting.tables.escalations():
                if one.task == task_id and one.state == "asked":
                    _decided(posting, one, "expired", "", "the task has ended")
            terms = replace(terms, ended_at=posting.at)
            posting.tables.put_task(terms)
            return terms

        return self._post(now_at, end)

    def ask_escalation(self, wanted: Escalation, now_at: int) -> Escalation:
        """Writes a request down, or finds the one that waits, or was approved, for the same task, model and budget."""

        def ask(posting: Posting) -> Escalation:
            known = _expire(posting)
            _check_running(posting.tables.task(wanted.task), wanted.task)
            mine = [one for one in known if one.task == wanted.task]
            for one in reversed(mine):
                if (one.to, one.budget) == (wanted.to, wanted.budget) and _stands(posting.tables, one):
                    return one
            number = max((one.id for one in known), default=0) + 1
            span = wanted.expires_at - wanted.asked_at
            asked = replace(
                wanted,
                id=number,
                child=f"{wanted.task}+{len(mine) + 1}",
                asked_at=posting.at,
                expires_at=posting.at + span,
            )
            posting.meta.head += 1
            posting.tables.put_escalation(asked)
            _tell(posting, asked)
            return asked

        return self._post(now_at, ask)

    def decide_escalation(self, number: int, verdict: Verdict, by: str, answer: str, now_at: int) -> Escalation:
        """Decides a request. Approved, its task can begin. `expired` changes only what nobody has decided in time."""

        def decide(posting: Posting) -> Escalation | str:
            known = {one.id: one for one in _expire(posting)}
            if number not in known:
                return f"there is no escalation {number}"
            one = known[number]
            if verdict == "expired":
                return one
            if one.state == "expired":
                return f"escalation {number} is void: {one.answer or 'nobody had decided in time'}"
            if one.state != "asked":
                return f"escalation {number} was {one.state} already, by {one.decided_by or 'somebody'}"
            terms = posting.tables.task(one.task)
            if verdict == "approved" and (terms is None or terms.ended_at):
                return f"escalation {number} has nobody to approve it for: task {one.task!r} has ended"
            if verdict == "approved":
                child = TaskTerms(one.child, budget=one.budget, tier=one.to, parent=one.task)
                posting.tables.put_task(replace(child, opened_at=posting.at, seen_at=posting.at))
            return _decided(posting, one, verdict, by, answer)

        found = self._post(now_at, decide)
        if isinstance(found, str):
            raise TaskError(task="", reason=found)
        return found

    def escalations(self, task_id: str = "") -> list[Escalation]:
        """The requests of a task, or all of them, oldest first."""
        found = self._read(lambda tables: tables.escalations())
        return [one for one in found if not task_id or one.task == task_id]


def _completed(stated: TaskTerms, rules: TaskRules, at: int) -> TaskTerms:
    """The terms with what the configuration says where the caller does not."""
    retry_budget = rules.retry_budget if stated.retry_budget is None else stated.retry_budget
    ladder = stated.ladder or (() if stated.tier else rules.tiers)
    return replace(stated, retry_budget=retry_budget, ladder=ladder, opened_at=at, seen_at=at, ended_at=0)


def _check_same(known: TaskTerms, stated: TaskTerms) -> None:
    """Looks at whether a task is stated as it was stated first; what is left out is taken as it is.

    Raises:
        TaskError: it is not.
    """

    def money(amount: int | None) -> str:
        return "none" if amount is None else dollars(amount)

    pairs: list[tuple[str, Any, Any, Callable[[Any], str]]] = [
        ("retry_budget", known.retry_budget, stated.retry_budget, money),
        ("budget", known.budget, stated.budget, money),
        ("tier", known.tier, (stated.tier or None) if known.tier else None, str),
        ("tiers", known.ladder, stated.ladder or None, str),
    ]
    for name, was, now, show in pairs:
        if now is not None and now != was:
            reason = f"its {name} is {show(was)}, and {show(now)} was stated: a task keeps the terms it began with"
            raise TaskError(task=known.id, reason=f"{reason}. Leave {name} out, or use another id")


def _check_running(terms: TaskTerms | None, task_id: str) -> None:
    if terms is None:
        raise TaskError(task=task_id, reason="nobody has begun it: `with gate.task(...)` does")
    if terms.ended_at:
        raise TaskError(task=task_id, reason="it has ended, so nothing can be asked for it")


def _expire(posting: Posting) -> list[Escalation]:
    """Every request, with those whose time is up written down as expired."""
    found = []
    for one in posting.tables.escalations():
        is_over = one.state == "asked" and posting.at >= one.expires_at
        found.append(_decided(posting, one, "expired", "", "") if is_over else one)
    return found


def _stands(tables: Tables, one: Escalation) -> bool:
    """Whether a request still waits, or its approved task can still go on."""
    if one.state != "approved":
        return one.state == "asked"
    child = tables.task(one.child)
    return child is not None and not child.ended_at


def _decided(posting: Posting, one: Escalation, verdict: Verdict, by: str, answer: str) -> Escalation:
    done = replace(one, state=verdict, decided_by=by, answer=answer, decided_at=posting.at)
    posting.meta.head += 1
    posting.tables.put_escalation(done)
    _tell(posting, done)
    return done


def _tell(posting: Posting, one: Escalation) -> None:
    """The audit: each step is an event."""
    data: dict[str, object] = {"id": one.id, "state": one.state, "to": one.to, "budget": one.budget}
    data |= {"reason": one.reason, "asked_by": one.asked_by, "child": one.child, "expires_at": one.expires_at}
    data |= {"by": one.decided_by, "answer": one.answer}
    posting.tell_escalation(one.task, data)
