"""tenacity, the real one: its attempts draw on a task's retry budget, and a refusal is final."""

from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from tenacity import retry_if_exception_type, stop_after_attempt, wait_none

from spendgate import RefusedError, RetryBudgetError, SpendLimitError, StoreError
from spendgate.gate import Gate
from spendgate.integrations.tenacity import AsyncRetrying, Retrying, retry, retry_unless_refused
from tests.integrations.frameworks.conftest import attempts, entries, run

ARGUMENTS: dict[str, Any] = {"stop": stop_after_attempt(4), "wait": wait_none(), "reraise": True}


class Flaky:
    """Fails so often, each time after a paid call."""

    def __init__(self, gate: Gate, failures: int = 99, fault: type[Exception] = ConnectionError) -> None:
        self.gate, self.failures, self.fault = gate, failures, fault
        self.runs = 0

    def __call__(self) -> str:
        self.runs += 1
        self.gate.reserve(resource="api", at_most="0.10").settle()
        if self.runs <= self.failures:
            raise self.fault("again")
        return "done"

    async def awaited(self) -> str:
        return self()


def decorated(flaky: Flaky, **more: Any) -> Any:
    """By the decorator."""

    @retry(**{**ARGUMENTS, **more})
    def ask() -> str:
        return flaky()

    return ask()


def decorated_async(flaky: Flaky, **more: Any) -> Any:
    """By the decorator, awaited."""

    @retry(**{**ARGUMENTS, **more})
    async def ask() -> str:
        return await flaky.awaited()

    return run(ask)


def looped(flaky: Flaky, **more: Any) -> Any:
    """By a loop."""
    for attempt in Retrying(**{**ARGUMENTS, **more}):
        with attempt:
            return flaky()
    raise AssertionError


def looped_async(flaky: Flaky, **more: Any) -> Any:
    """By a loop, awaited."""

    async def ask() -> str:
        async for attempt in AsyncRetrying(**{**ARGUMENTS, **more}):
            with attempt:
                return await flaky.awaited()
        raise AssertionError

    return run(ask)


def called(flaky: Flaky, **more: Any) -> Any:
    """By a call."""
    return Retrying(**{**ARGUMENTS, **more})(flaky)


def called_async(flaky: Flaky, **more: Any) -> Any:
    """By a call, awaited."""
    return run(lambda: AsyncRetrying(**{**ARGUMENTS, **more})(flaky.awaited))


EVERY_WAY = pytest.mark.parametrize("way", [decorated, decorated_async, looped, looped_async, called, called_async])

Way = Callable[..., Any]


@EVERY_WAY
def test_calls_say_which_attempt_they_are(way: Way, gate: Gate) -> None:
    """Inside and behind the retries; what comes after them is a first attempt again."""
    assert way(Flaky(gate, failures=2)) == "done"
    gate.reserve(resource="api", at_most="0.10").settle()
    assert attempts(gate) == [1, 2, 3, 1]


@EVERY_WAY
def test_retries_end_with_the_retry_budget(way: Way, gate: Gate) -> None:
    """Two retries of ten cents are paid for, the third is refused and not repeated."""
    flaky = Flaky(gate)
    with gate.task("job", retry_budget="0.20"), pytest.raises(RetryBudgetError):
        way(flaky, stop=stop_after_attempt(50))
    assert flaky.runs == 4
    assert len(entries(gate)) == 3


@EVERY_WAY
def test_a_refusal_is_not_repeated(way: Way, tight: Gate) -> None:
    """Asking again at once will not help, whatever the caller's own predicate says."""
    flaky = Flaky(tight)
    with pytest.raises(SpendLimitError):
        way(flaky, retry=retry_if_exception_type(Exception))
    assert flaky.runs == 1


def test_a_refusal_in_other_clothes_is_not_repeated(tight: Gate) -> None:
    """A library that makes another error of it has changed nothing about the limit."""
    runs: list[int] = []

    @retry(**ARGUMENTS)
    def ask() -> None:
        runs.append(1)
        try:
            tight.reserve(resource="api", at_most="0.10")
        except RefusedError as refused:
            raise ConnectionError("a library's own") from refused

    with pytest.raises(ConnectionError):
        ask()
    assert runs == [1]


def test_a_ledger_that_is_away_may_come_back(gate: Gate) -> None:
    """That is no refusal, so it is repeated like other passing faults."""
    flaky = Flaky(gate, failures=2, fault=StoreError)
    assert decorated(flaky) == "done"


def test_a_predicate_that_is_awaited_counts_too(gate: Gate, tight: Gate) -> None:
    """Its answer holds for faults, and refusals never reach it."""
    asked: list[int] = []

    async def again(state: tenacity.RetryCallState) -> bool:
        asked.append(state.attempt_number)
        return bool(state.outcome and state.outcome.failed)

    assert decorated_async(Flaky(gate, failures=1), retry=again) == "done"
    assert asked == [1, 2]
    with pytest.raises(SpendLimitError):
        decorated_async(Flaky(tight), retry=again)
    assert asked == [1, 2]


def test_the_caller_s_own_hooks_still_run(gate: Gate) -> None:
    """Counting takes nothing away from what tenacity offers."""
    seen: list[int] = []
    decorated(Flaky(gate, failures=1), before=lambda state: seen.append(state.attempt_number))
    assert seen == [1, 2]


def test_retries_inside_retries_are_counted_on(gate: Gate) -> None:
    """What fails twice below and once above has been tried as often as that."""
    inner = Flaky(gate, failures=3)

    @retry(**ARGUMENTS)
    def outer() -> str:
        return str(decorated(inner, stop=stop_after_attempt(2)))

    assert outer() == "done"
    assert attempts(gate) == [1, 2, 2, 3]


def test_the_predicate_works_with_tenacity_s_own_decorator(tight: Gate) -> None:
    """Where nothing else of spendgate's is wanted."""
    flaky = Flaky(tight)
    with pytest.raises(SpendLimitError):
        tenacity.retry(**ARGUMENTS, retry=retry_unless_refused())(flaky.__call__)()
    assert flaky.runs == 1
