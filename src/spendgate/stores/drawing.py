"""The budgets that a call brings along: which ones, from the terms of its task, and what becomes of their rows."""

from dataclasses import replace

from spendgate.admission import Counter, Verdict, judge
from spendgate.budgets import (
    RETRY,
    RETRY_MARK,
    SENT,
    TASK,
    Budget,
    of_rows,
    retry_mark,
    sent,
    sent_mark,
    sent_scope,
    task_mark,
    task_scope,
    window,
)
from spendgate.budgets import fields as scope_fields
from spendgate.call import Call
from spendgate.clock import DAY
from spendgate.ledger import HoldRequest
from spendgate.limits import Limit
from spendgate.policies import FALLBACK_FOR
from spendgate.stores import counting
from spendgate.stores.tables import Tables
from spendgate.stores.telling import Telling
from spendgate.taskterms import TaskTerms


def terms_of(tables: Tables, call: Call, at: int) -> TaskTerms | None:
    """The terms of a call's task, which is noted as in use once a day."""
    terms = tables.task(call.task) if call.task else None
    if terms is not None and at >= terms.seen_at + DAY:
        terms = replace(terms, seen_at=at)
        tables.put_task(terms)
    return terms


def with_budgets(tables: Tables, request: HoldRequest, terms: TaskTerms | None, at: int) -> HoldRequest:
    """The request with the marks of what it draws on. A retry is a further attempt, or the same again in its task."""
    call, marks = request.call, []
    is_retry = call.attempt > 1
    if terms is not None and terms.retry_budget is not None and request.fingerprint:
        marks.append(sent_mark(request.fingerprint))
        is_retry = is_retry or _was_sent(tables, call, request.fingerprint, at)
    if is_retry:
        marks.append(RETRY_MARK)
        if terms is not None and terms.retry_budget is not None:
            marks.append(retry_mark(terms.retry_budget))
    if terms is not None and terms.budget is not None:
        marks.append(task_mark(terms.budget))
    return replace(request, marks=request.marks.union(marks)) if marks else request


def _was_sent(tables: Tables, call: Call, fingerprint: str, at: int) -> bool:
    scope = sent_scope(call.task, fingerprint)
    counter = tables.counter(SENT, scope)
    if counter is None:
        return False
    counting.advance(tables, sent(), SENT, scope, counter, at=at)
    return counter.used > 0


def judge_brought(limit: Limit, counter: Counter, parts: int, at: int, extra: int = 0) -> Verdict:
    """Whether so much more fits into a budget.

    The same request, sent too often, is blocked until nobody has tried it for a whole window: a loop that goes on is
    not let through now and then.
    """
    verdict = judge(limit, counter, parts, at, extra)
    if not isinstance(limit, Budget) or limit.kind != "same":
        return verdict
    if verdict.kind == "fits" and at >= counter.next_at:
        return verdict
    next_at = limit.window.leaves_at(limit.window.bucket(at))
    return Verdict("over", next_at, wait_until=next_at)


def lock_tier(tables: Tables, call: Call, terms: TaskTerms | None) -> None:
    """The first model that is admitted in a task is the one that it is held to; not one that stands in for another."""
    if terms is not None and call.model and not terms.tier and not call.field(f"tags.{FALLBACK_FOR}"):
        tables.put_task(replace(terms, provider=call.provider, tier=call.model))


def reclaim(telling: Telling) -> None:
    """Forgets the rows of budgets that weigh nothing any more."""
    tables, at = telling.tables, telling.at
    for number in tables.budget_numbers():
        for scope, counter in tables.reclaim_counters(number, window(number).oldest(at)):
            counter.settled = 0
            if counter.next_at > at:
                tables.put_counter(number, scope, counter)  # it is still being tried
            else:
                telling.tell_state(of_rows(number, scope, None), scope, counter)


def forget_tasks(tables: Tables, before_at: int) -> None:
    """Forgets the terms of tasks that nobody has named since, and that have spent nothing that still counts."""
    for terms in tables.tasks():
        scope = task_scope(terms.id)
        if terms.seen_at < before_at and not any(tables.counter(number, scope) for number in (TASK, RETRY)):
            tables.drop_task(terms.id)


def task_named(scope: str) -> str:
    """The task whose budget a scope is; empty where it is none of a task."""
    return scope_fields(scope).get("task", "")
