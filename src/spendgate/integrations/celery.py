"""Celery: a refused task is put back for as long as the refusal says, and a retried one draws on its retry budget.

@app.task(base=GatedTask, gate=gate, retry_budget="0.25", autoretry_for=(httpx.HTTPError,))
def research(question): ...
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import celery  # type: ignore[import-untyped]
from celery.exceptions import Reject, Retry  # type: ignore[import-untyped]
from celery.signals import worker_process_shutdown  # type: ignore[import-untyped]

from spendgate import attribution
from spendgate.backlog import flush_all
from spendgate.errors import RefusedError, SpendLimitError
from spendgate.gate import Gate

log = logging.getLogger("spendgate")

HEADER = "spendgate_for"
"""The header of a message that says for whom it was sent."""


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _book(**_: object) -> None:
    """Books what the last calls of a worker's process have billed: it ends without the steps of a program's end."""
    flush_all()


class GatedTask(celery.Task):  # type: ignore[misc]
    """A base for tasks that make paid calls.

    - A call that no limit leaves room for puts the task back, with the countdown that the refusal names. That is no
      retry of Celery's: it counts towards neither `max_retries` nor the attempts. A refusal that waiting cannot help
      fails the task at once, with the refusal; `autoretry_for` and `self.retry(exc=...)` do not repeat it either.
    - Celery's own retries are attempts: calls in them draw on the retry budget of the task they belong to.
    - Service, task and tags that hold where a task is sent hold where it runs; else the name of the Celery task is the
      service.

    Where tasks run eagerly nothing can be put back: the refusal is raised.

    Attributes:
        gate: whose `task` keeps the budgets below; needed only for those.
        retry_budget: dollars for all attempts after the first of one sent task.
        budget: dollars for one sent task.
        tier: the model that no call in it may be dearer than.
    """

    abstract = True
    gate: Gate | None = None
    retry_budget: str | None = None
    budget: str | None = None
    tier: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        with self._attributed():
            try:
                return self.run(*args, **kwargs)
            except SpendLimitError as refused:
                raise self._put_back(refused) from refused

    def apply_async(self, args: Any = None, kwargs: Any = None, *given: Any, **options: Any) -> Any:
        """Sends the task, and says for whom: see `celery.Task.apply_async`."""
        around = attribution.current()
        if around.service or around.task or around.tags:
            whom = {"service": around.service, "task": around.task, "tags": dict(around.tags)}
            options["headers"] = {HEADER: whom, **(options.get("headers") or {})}
        return super().apply_async(args, kwargs, *given, **options)

    def retry(self, *args: Any, exc: BaseException | None = None, **options: Any) -> Any:
        """Retries the task, unless the gate has refused it: see `celery.Task.retry`."""
        if isinstance(exc, RefusedError):
            raise exc
        return super().retry(*args, exc=exc, **options)

    @contextmanager
    def _attributed(self) -> Iterator[None]:
        request = self.request
        told = getattr(request, HEADER, None) or (request.headers or {}).get(HEADER) or {}
        told = told if isinstance(told, dict) else {}
        attempt = (request.retries or 0) + 1
        service, task = str(told.get("service") or self.name), str(told.get("task") or "")
        with attribution.scope(service, task, told.get("tags") or {}, attempt):
            if self.gate is None or not (self.retry_budget or self.budget or self.tier):
                yield
                return
            terms: Any = {"retry_budget": self.retry_budget, "budget": self.budget, "tier": self.tier}
            with self.gate.task(f"{self.name}:{request.id}"[:200], **terms):
                yield

    def _put_back(self, refused: SpendLimitError) -> Any:
        """Sends the task again for when there may be room; what to raise then."""
        request = self.request
        if refused.retry_after_s is None or request.is_eager:
            return refused
        again = self.signature_from_request(request, countdown=refused.retry_after_s, retries=request.retries)
        try:
            again.apply_async()
        except Exception as fault:  # noqa: BLE001 - as Celery does with its own retries
            return Reject(fault, requeue=False)
        log.info("spendgate: %s waits %.1f s: %s", self.name, refused.retry_after_s, refused)
        return Retry(exc=refused, when=refused.retry_after_s, is_eager=False, sig=again)
