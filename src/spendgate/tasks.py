"""One job: its budgets, the model it is held to, and its requests for a dearer one.

The terms of a task are in the ledger, stated by whoever comes first, so every process that names the task has the same.
What it has spent is decided with the limits, in the same step (`spendgate.budgets`).
"""

import base64
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from spendgate import attribution
from spendgate.backlog import Backlog
from spendgate.call import Call
from spendgate.clock import Clock
from spendgate.errors import AmountError, StoreError, TaskError, TierLockedError
from spendgate.estimating import Estimate
from spendgate.ledger import Actor, Breaker, Event, Held, HoldRequest, Refused, Store
from spendgate.limits import applying
from spendgate.money import Amount, nanos
from spendgate.taskterms import TaskRules, TaskTerms, rung
from spendgate.tiers import above

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook

log = logging.getLogger("spendgate")

KNOWN = 4096
"""How many tasks a gate remembers the terms of; the ledger has them all."""

T = TypeVar("T", bound="Task")


class Task:
    """A `with` block around one job: calls inside belong to it, in this thread or asyncio task.

    Entering states its terms, or takes those that it has. Leaving the block that began a task ends it: what it asked
    for and nobody approved is void, and `status` no longer lists it. An ended task keeps its terms and what it has
    spent: entered again it goes on with them, and never gets a fresh budget.
    """

    def __init__(self, desk: "TaskDesk", stated: TaskTerms, joins: bool = False) -> None:
        self.id = stated.id
        self.terms = stated
        self._desk = desk
        self._joins = joins
        self._began = False
        self._around: attribution.Attribution | None = None
        self._scope: AbstractContextManager[None] | None = None

    @property
    def token(self) -> str:
        """Text by which another process or thread enters this task: `gate.task(token=...)`.

        It names the task, and the service and tags that hold here; it is no secret and no permission.
        """
        around = self._around or attribution.current()
        data = {"task": self.id, "service": around.service, "tags": dict(around.tags)}
        return base64.urlsafe_b64encode(json.dumps(data, separators=(",", ":")).encode()).decode()

    @property
    def is_inside(self) -> bool:
        """Whether its block is entered."""
        return self._scope is not None

    def end(self) -> None:
        """Ends the task now: see `Gate.end_task`."""
        self._desk.end_task(self.id)
        self._began = False

    def __enter__(self) -> Self:
        self.begin()
        self.attribute()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self.finish()

    def begin(self) -> None:
        """States the terms in the ledger; the first half of entering.

        Raises:
            TaskError: the task has other terms, or a token names one that nobody has begun. Nothing was changed.
            StoreError: the ledger cannot be read or written.
        """
        if self._scope is not None:
            raise TaskError(task=self.id, reason="its block is entered already: write gate.task(...) anew for each")
        self.terms, self._began = self._desk.open_terms(self.terms, self._joins)

    def attribute(self) -> None:
        """Makes the calls of this thread or asyncio task belong to it; the second half of entering."""
        told = self._around or attribution.Attribution()
        self._scope = attribution.scope(told.service, self.id, dict(told.tags))
        self._scope.__enter__()

    def leave(self) -> None:
        """Ends what `attribute` began."""
        if self._scope is not None:
            self._scope.__exit__(None, None, None)
            self._scope = None

    def finish(self) -> None:
        """Ends the task, where it was this block that began it. A ledger that is away is said, and not raised."""
        if not self._began:
            return
        try:
            self.end()
        except StoreError as fault:
            log.warning("spendgate: task %s stays marked as running: %s", self.id, fault)

    @classmethod
    def of_token(cls: type[T], desk: "TaskDesk", token: str) -> T:
        """The task that a token names.

        Raises:
            TaskError: it is no token.
        """
        try:
            data = json.loads(base64.urlsafe_b64decode(token.encode()))
            call = Call(task=data["task"], service=data["service"])
            tags = tuple(sorted((str(name), str(value)) for name, value in data["tags"].items()))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TaskError(task="", reason="this is no token of a task: `task.token` gives one") from None
        task = cls(desk, TaskTerms(call.task), joins=True)
        task._around = attribution.Attribution(call.service, call.task, tags)
        return task


class TaskDesk:
    """The gate, as far as tasks go."""

    store: Store
    clock: Clock
    prices: "PriceBook"
    mode: str
    unavailable: str
    rules: TaskRules
    _actor: Callable[[], Actor]
    defaults: tuple[int, int]
    backlog: Backlog
    listeners: tuple[Any, ...]
    _known: dict[str, TaskTerms]
    _locked: set[tuple[str, str]]

    def tell(self, events: tuple[Any, ...]) -> None:
        """Tells the listeners."""

    def task(
        self,
        task_id: str = "",
        *,
        retry_budget: Amount | None = None,
        budget: Amount | None = None,
        tier: str = "",
        tiers: Sequence[str] = (),
        token: str = "",
    ) -> Task:
        """A block around one job. Its terms are kept in the ledger: who states them first has said them for all.

        Args:
            task_id: the job's own name; one that begins anew each time needs a name of its own each time.
            retry_budget: dollars for all attempts after the first, and for the same request sent again.
            budget: dollars for the whole job.
            tier: the model that no call may be dearer than; without it the first model that is admitted.
            tiers: globs, the cheapest first: a model on a higher rung than the tier's, or on none, is refused.
            token: enters the task that a `Task.token` names, instead of all these.

        Raises:
            AmountError: an amount or name is none.
            TaskError: it is no token. Entering raises it where the task has other terms.
        """
        if token:
            if task_id or tier or tiers or retry_budget is not None or budget is not None:
                raise TaskError(task=task_id, reason="a token names a task with all its terms: state nothing beside it")
            return Task.of_token(self, token)
        if not task_id:
            raise AmountError("task_id", task_id, "name the job, such as research-123")
        for name, text in (("tier", tier), *(("tiers", one) for one in tiers)):
            Call(task=task_id, resource=text)
            if name == "tiers" and not text:
                raise AmountError(name, text, "name globs, such as *haiku*")
        if isinstance(tiers, str) or (tier and tiers and rung(tier, tuple(tiers)) is None):
            raise AmountError("tiers", tiers, f"they must be a list of globs, and the tier {tier!r} on one of them")
        return Task(
            self,
            TaskTerms(
                task_id,
                retry_budget=None if retry_budget is None else nanos(retry_budget, "retry_budget"),
                budget=None if budget is None else nanos(budget, "budget"),
                tier=tier,
                ladder=tuple(tiers),
            ),
        )

    def end_task(self, task_id: str) -> None:
        """Ends a task: requests for a dearer model that nobody has decided are void, and `status` no longer lists it.

        Calls that still name it go on drawing on its budgets. Nothing happens where the task is not known.
        """
        if self.mode == "off":
            return
        now_at = self.clock.now()
        asked = self.store.escalations(task_id) if self.listeners else []
        waiting = {one.id for one in asked if one.state == "asked"}
        self.store.end_task(task_id, now_at)
        if waiting:
            found = [event for event in self.store.events(now_at) if event.kind == "escalation"]
            void = (event for event in found if event.data.get("state") == "expired")
            self.tell(tuple(event for event in void if event.data.get("id") in waiting))

    def open_terms(self, stated: TaskTerms, joins: bool) -> tuple[TaskTerms, bool]:
        """The terms of a task that is entered here, and whether it begins here.

        Raises:
            TaskError: it has other terms, or nobody has begun the one that a token names.
            StoreError: the ledger cannot be read or written, and calls do not pass without it.
        """
        if self.mode == "off":
            return stated, False
        try:
            if joins:
                known = self.store.task(stated.id)
                if known is None:
                    raise TaskError(task=stated.id, reason="nobody has begun it: is the token of another ledger?")
                return self._keep(known), False
            terms, began = self.store.open_task(stated, self.rules, self.clock.now())
            return self._keep(terms), began
        except StoreError as fault:
            if self.unavailable == "refuse" and self.mode == "enforce":
                raise
            log.warning("spendgate: task %s begins without the ledger: %s", stated.id, fault)
            return stated, False

    def _keep(self, terms: TaskTerms) -> TaskTerms:
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[terms.id] = terms
        return terms

    def hold_in_task(self, guess: Estimate, request: HoldRequest, now_at: int) -> Held | Refused | Breaker:
        """Holds a call, once its model is compared with what its task is held to, as the ledger has it.

        Raises:
            TierLockedError: the call's model stands above that. Nothing was reserved.
            PriceError: nobody can say whether it does. Nothing was reserved.
        """
        terms = self._known.get(request.call.task)
        while True:
            if terms is not None and request.call.model:
                request = self._compared(guess, request, terms, now_at)
            answer = self.store.hold(request, now_at)
            if isinstance(answer, Held):
                return answer
            if isinstance(answer, TaskTerms):
                terms = self._keep(answer)
            elif isinstance(answer, Refused) and request.tentative:
                self.backlog.flush()
                request = replace(request, tentative=False)
            else:
                return answer

    def _compared(self, guess: Estimate, request: HoldRequest, terms: TaskTerms, now_at: int) -> HoldRequest:
        problem = above(guess.ask, terms, self.prices, now_at, self.defaults)
        if problem and request.enforce:
            waiting = [one for one in self.store.escalations(terms.id) if one.state_at(now_at) in ("asked", "approved")]
            locked = TierLockedError(
                task=terms.id,
                locked=terms.tier,
                requested=request.call.model,
                escalation=waiting[-1].id if waiting else None,
                problem=problem,
            )
            self._tell_locked(locked, request.call.service, now_at)
            raise locked
        return replace(request, compared=terms.lock, marks=request.marks | ({"observed"} if problem else set()))

    def _tell_locked(self, locked: TierLockedError, service: str, now_at: int) -> None:
        """Writes the refusal down, once for each task and model in this process: a loop must not fill the ledger."""
        key = locked.task, locked.requested
        if key in self._locked:
            return
        if len(self._locked) >= KNOWN:
            self._locked.clear()
        self._locked.add(key)
        data = {name: getattr(locked, name) for name in ("locked", "requested", "problem", "escalation")}
        try:
            event = self.store.note(Event(now_at, "locked", "tier", locked.task, {**data, "service": service}))
        except StoreError as fault:
            log.warning("spendgate: that task %s was held to its model is not in the ledger: %s", locked.task, fault)
        else:
            self.tell((event,))


def counts_dollars(store: Store, request: HoldRequest) -> bool:
    """Whether a limit or budget in dollars applies, so that a call without a price must not pass."""
    if not request.enforce:
        return False
    terms = store.task(request.call.task) if request.call.task else None
    if terms is not None and (terms.budget is not None or terms.retry_budget is not None):
        return True
    rows = applying(store.limits().limits.limits, request.call)
    return any(limit.unit == "usd" and limit.at_limit != "observe" for limit, _ in rows)
