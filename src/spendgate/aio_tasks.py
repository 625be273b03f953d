"""One job, awaited: `spendgate.Task`, whose every look into the ledger runs in a thread of the gate's own."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, Self

from spendgate import escalating, tasks
from spendgate.taskterms import TaskTerms


class Run(Protocol):
    """Runs a step in a thread of the gate's own."""

    async def __call__(self, work: Callable[[], Any], /) -> Any: ...


class Task:
    """An `async with` block around one job: see `spendgate.Task`, which is `task` here."""

    def __init__(self, task: tasks.Task, run: Run) -> None:
        self.task = task
        self.id = task.id
        self._run = run

    @property
    def token(self) -> str:
        """Text by which another process enters this task: see `spendgate.Task.token`."""
        return self.task.token

    @property
    def terms(self) -> TaskTerms:
        """The terms that hold; before the block is entered, those that were stated."""
        return self.task.terms

    async def end(self) -> None:
        """Ends the task now: see `spendgate.Gate.end_task`."""
        await self._run(self.task.end)

    async def __aenter__(self) -> Self:
        await self._run(self.task.begin)
        self.task.attribute()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.leave()
        await self._run(self.task.finish)


async def escalate(
    desk: escalating.EscalationDesk,
    run: Run,
    task: "Task | tasks.Task | str",
    wait: float | None,
    asked: dict[str, Any],
) -> Task:
    """Asks for a dearer model and waits for the answer without holding up the event loop."""
    inner = task.task if isinstance(task, Task) else task
    span = None if wait is None else escalating.read_span(wait, "wait")
    one = await run(partial(desk.ask_for, inner, **asked))
    deadline_at = desk.deadline_of(one, span)
    while desk.must_wait(one, deadline_at):
        await desk.clock.sleep_async(escalating.POLL_S)
        one = await run(partial(desk.looked_up, one))
    return Task(await run(partial(desk.granted, one)), run)
