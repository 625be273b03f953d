"""Budgets that a call draws on beside the limits in force: those of its task, and the count of the same request.

A budget is a limit with one scope, under a number of its own below 0. Which budgets an entry draws on stands in its
marks, so that their counters, like those of limits, can be built anew from the entries alone:

- `task-budget:1.00`: the dollars that its task may spend;
- `retry-budget:0.25`: the dollars that its task may spend on retries;
- `sent:HEX`: this request was sent within its task, so that the same again is a retry;
- `same:10/300:2:HEX`: counts as two of at most ten of the same request within 300 seconds.

>>> from spendgate.call import Call
>>> ((budget, number, scope),) = drawn(Call(task="t-1"), {"retry", "retry-budget:0.25"})
>>> budget.name, budget.amount, number, scope
('retry budget', 250000000, -2, 'task=t-1')
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from spendgate.call import Call
from spendgate.clock import DAY, SECOND
from spendgate.limits import ENDLESS, Limit, escape
from spendgate.money import nanos, usd
from spendgate.taskterms import TaskTerms
from spendgate.windows import Rolling

TASK, RETRY, SENT = -1, -2, -3
"""The numbers of the rows of task budgets, of retry budgets, and of requests seen within a task."""
SAME = -100
"""The same request within N seconds is counted under the number `SAME - N`: rows of one number share a window."""

TASK_SPAN = 30 * DAY
"""For how long dollars count against the budgets of their task."""
SENT_SPAN = DAY
"""For how long the same request in its task is a retry."""
RETRY_MARK = "retry"

Kind = Literal["task", "retry", "sent", "same"]
NAMES: dict[str, str] = {
    "task": "task budget",
    "retry": "retry budget",
    "sent": "sent within the task",
    "same": "same-request",
}
"""What budgets are called where limits have their names."""


@dataclass(frozen=True, slots=True)
class Budget(Limit):
    """A limit that a call brings along. `requests` is as how many of the same request it counts."""

    kind: Kind = "task"
    requests: int = 1

    def parts(self, usd_nanos: int, is_void: bool) -> int:
        """How heavily a call weighs here; one that was not made weighs nothing."""
        if self.unit == "usd":
            return usd_nanos
        return 0 if is_void else self.requests


Row = tuple[Budget, int, str]
"""A budget, the number of its rows, and its scope."""


def task_mark(amount: int) -> str:
    """The mark of a call that draws on so many nano-dollars of its task."""
    return f"task-budget:{usd(amount):f}"


def retry_mark(amount: int) -> str:
    """The mark of a retry that draws on so many nano-dollars for the retries of its task."""
    return f"retry-budget:{usd(amount):f}"


def sent_mark(fingerprint: str) -> str:
    """The mark of a request that was sent within its task."""
    return f"sent:{fingerprint}"


def same_mark(most: int, within: int, requests: int, fingerprint: str) -> str:
    """The mark of a call that counts as several of the same request; `within` in microseconds."""
    return f"same:{most}/{within // SECOND}:{requests}:{fingerprint}"


def drawn(call: Call, marks: Collection[str]) -> tuple[Row, ...]:
    """The budgets that a call with these marks draws on, the strictest scope first."""
    if not marks:
        return ()
    found = []
    for mark in marks:
        kind, _, rest = mark.partition(":")
        if rest and kind in _READERS:
            found.append(_READERS[kind](call, rest))
    if len(found) > 1:
        found.sort(key=lambda row: row[1])
    return tuple(found)


def _task(call: Call, amount: str) -> Row:
    return dollars("task", amount), TASK, task_scope(call.task)


def _retry(call: Call, amount: str) -> Row:
    return dollars("retry", amount), RETRY, task_scope(call.task)


def _sent(call: Call, fingerprint: str) -> Row:
    return sent(), SENT, sent_scope(call.task, fingerprint)


def _same(call: Call, text: str) -> Row:
    rate, requests, fingerprint = text.split(":")
    most, seconds = rate.split("/")
    scope = f"service={escape(call.service)},request={fingerprint},most={most}"
    return same(int(most), int(seconds), int(requests)), SAME - int(seconds), scope


_READERS = {"task-budget": _task, "retry-budget": _retry, "sent": _sent, "same": _same}


def task_scope(task: str) -> str:
    """The scope of a task's budgets."""
    return f"task={escape(task)}"


def sent_scope(task: str, fingerprint: str) -> str:
    """The scope of a request within a task."""
    return f"task={escape(task)},request={fingerprint}"


@lru_cache(maxsize=4096)
def dollars(kind: Literal["task", "retry"], amount: str) -> Budget:
    """A task's budget of dollars."""
    return Budget(NAMES[kind], "usd", nanos(amount), Rolling(TASK_SPAN), kind=kind)


@lru_cache(maxsize=4096)
def same(most: int, seconds: int, requests: int = 1) -> Budget:
    """So many of the same request within so many seconds."""
    return Budget(NAMES["same"], "calls", most, Rolling(seconds * SECOND), kind="same", requests=requests)


@lru_cache(maxsize=1)
def sent() -> Budget:
    """What counts the requests that were sent within tasks, and refuses none."""
    return Budget(NAMES["sent"], "calls", ENDLESS, Rolling(SENT_SPAN), kind="sent")


def window(number: int) -> Rolling:
    """The window of the rows under a number."""
    if number <= SAME:
        return Rolling((SAME - number) * SECOND)
    return Rolling(SENT_SPAN if number == SENT else TASK_SPAN)


def of_rows(number: int, scope: str, terms: TaskTerms | None) -> Budget:
    """The budget of a row, whose task has these terms; where they are gone, it refuses nothing."""
    if number <= SAME:
        return same(int(scope.rpartition("=")[2]), SAME - number)
    if number == SENT:
        return sent()
    kind: Literal["task", "retry"] = "task" if number == TASK else "retry"
    amount = None if terms is None else terms.budget if number == TASK else terms.retry_budget
    return dollars(kind, f"{usd(amount):f}") if amount is not None else _endless(kind)


@lru_cache(maxsize=2)
def _endless(kind: Literal["task", "retry"]) -> Budget:
    return Budget(NAMES[kind], "usd", ENDLESS, Rolling(TASK_SPAN), kind=kind)


def fields(scope: str) -> dict[str, str]:
    r"""What a budget's scope says, by name.

    >>> fields("service=a\\,b,request=3f2a,most=10")
    {'service': 'a,b', 'request': '3f2a', 'most': '10'}
    """
    pairs = (part.partition("=") for part in re.findall(r"(?:[^,\\]|\\.)+", scope))
    return {name: re.sub(r"\\(.)", r"\1", value) for name, _, value in pairs}
