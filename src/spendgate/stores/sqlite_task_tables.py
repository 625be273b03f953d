"""Tasks and escalations as rows of SQLite. The terms of a task that was asked for stay in memory like counters do."""

import json
from collections.abc import Callable
from typing import Any

import apsw

from spendgate.stores import sqlite_rows as rows
from spendgate.taskterms import Escalation, TaskTerms

_REMEMBERED = 4096


class SqliteTaskTables:
    """The part of `SqliteTables` that knows tasks."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.run: Callable[..., Any] = connection.execute
        """Executes one statement with its values; the cursor over what it found."""

    def forget_tasks(self) -> None:
        """Forgets what somebody else may have changed."""
        self._tasks: dict[str, TaskTerms | None] = {}

    def task(self, task_id: str) -> TaskTerms | None:
        if task_id not in self._tasks:
            row = self.run("SELECT * FROM tasks WHERE id = ?", (task_id,)).fetchone()
            if len(self._tasks) >= _REMEMBERED:
                self._tasks.clear()
            self._tasks[task_id] = _terms(row) if row else None
        return self._tasks[task_id]

    def put_task(self, terms: TaskTerms) -> None:
        budgets = (-1 if amount is None else amount for amount in (terms.retry_budget, terms.budget))
        texts = (terms.id, terms.provider, terms.tier, json.dumps(terms.ladder), terms.parent)
        row = rows.sealed("tasks", (*budgets, terms.opened_at, terms.seen_at, terms.ended_at, *texts))
        self.run("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._tasks[terms.id] = terms

    def drop_task(self, task_id: str) -> None:
        self.run("DELETE FROM tasks WHERE id = ?", (task_id,))
        self._tasks.pop(task_id, None)

    def tasks(self) -> list[TaskTerms]:
        return [_terms(row) for row in self.run("SELECT * FROM tasks").fetchall()]

    def put_escalation(self, escalation: Escalation) -> None:
        e = escalation
        texts = (e.task, e.child, e.to, e.reason, e.asked_by, e.state, e.decided_by, e.answer)
        row = rows.sealed("escalations", (e.id, e.budget, e.asked_at, e.expires_at, e.decided_at, *texts))
        self.run("INSERT OR REPLACE INTO escalations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def escalations(self) -> list[Escalation]:
        return [_escalation(row) for row in self.run("SELECT * FROM escalations ORDER BY id").fetchall()]


def _terms(row: rows.Row) -> TaskTerms:
    retries, budget, opened_at, seen_at, ended_at, name, provider, tier, ladder, parent = rows.opened(
        "tasks", row, f"the terms of task {row[5]!r}"
    )
    return TaskTerms(
        id=name,
        retry_budget=None if retries < 0 else retries,
        budget=None if budget < 0 else budget,
        provider=provider,
        tier=tier,
        ladder=tuple(json.loads(ladder)),
        parent=parent,
        opened_at=opened_at,
        seen_at=seen_at,
        ended_at=ended_at,
    )


def _escalation(row: rows.Row) -> Escalation:
    number, budget, asked_at, expires_at, decided_at, *texts = rows.opened("escalations", row, f"escalation {row[0]}")
    task, child, to, reason, asked_by, state, decided_by, answer = texts
    return Escalation(
        id=number,
        task=task,
        child=child,
        to=to,
        budget=budget,
        reason=reason,
        asked_by=asked_by,
        asked_at=asked_at,
        expires_at=expires_at,
        state=state,
        decided_by=decided_by,
        answer=answer,
        decided_at=decided_at,
    )
