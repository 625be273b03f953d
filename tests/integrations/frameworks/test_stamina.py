"""stamina, the real one: its attempts draw on a task's retry budget, and a refusal is final."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stamina

from spendgate import RetryBudgetError, SpendLimitError
from spendgate.gate import Gate
from spendgate.integrations.stamina import retry, retry_context, unless_refused
from tests.integrations.frameworks.conftest import attempts, entries, run
from tests.integrations.frameworks.test_tenacity import Flaky

ARGUMENTS: dict[str, Any] = {"attempts": 4, "wait_initial": 0, "wait_jitter": 0, "wait_max": 0}


@pytest.fixture(autouse=True)
def _unobserved() -> Iterator[None]:
    stamina.instrumentation.set_on_retry_hooks([])
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


def decorated(flaky: Flaky, on: Any = Exception, **more: Any) -> Any:
    """By the decorator."""

    @retry(on=on, **{**ARGUMENTS, **more})
    def ask() -> str:
        return flaky()

    return ask()


def decorated_async(flaky: Flaky, on: Any = Exception, **more: Any) -> Any:
    """By the decorator, awaited."""

    @retry(on=on, **{**ARGUMENTS, **more})
    async def ask() -> str:
        return await flaky.awaited()

    return run(ask)


def looped(flaky: Flaky, on: Any = Exception, **more: Any) -> Any:
    """By a loop."""
    for attempt in retry_context(on, **{**ARGUMENTS, **more}):
        with attempt:
            return flaky()
    raise AssertionError


def looped_async(flaky: Flaky, on: Any = Exception, **more: Any) -> Any:
    """By a loop, awaited."""

    async def ask() -> str:
        async for attempt in retry_context(on, **{**ARGUMENTS, **more}):
            with attempt:
                return await flaky.awaited()
        raise AssertionError

    return run(ask)


Way = Callable[..., Any]
EVERY_WAY = pytest.mark.parametrize("way", [decorated, decorated_async, looped, looped_async])


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
        way(flaky, attempts=50)
    assert flaky.runs == 4
    assert len(entries(gate)) == 3


@EVERY_WAY
def test_a_refusal_is_not_repeated(way: Way, tight: Gate) -> None:
    """Asking again at once will not help, whatever the caller's own `on` says."""
    for on in (Exception, (ValueError, Exception), lambda _: True):
        flaky = Flaky(tight)
        with pytest.raises(SpendLimitError):
            way(flaky, on)
        assert flaky.runs == 1


def test_what_the_caller_names_is_repeated_and_nothing_else(gate: Gate) -> None:
    """Types, several types, and hooks, which may name the pause themselves."""
    for on in (
        ConnectionError,
        (ValueError, ConnectionError),
        lambda fault: isinstance(fault, ConnectionError),
        lambda _: 0.0,
    ):
        assert decorated(Flaky(gate, failures=1), on) == "done"
    with pytest.raises(ConnectionError):
        decorated(Flaky(gate), ValueError)


def test_the_hook_works_with_stamina_s_own_decorator(tight: Gate) -> None:
    """Where nothing else of spendgate's is wanted."""
    flaky = Flaky(tight)
    with pytest.raises(SpendLimitError):
        stamina.retry(on=unless_refused(Exception), **ARGUMENTS)(flaky.__call__)()
    assert flaky.runs == 1


def test_instrumentation_still_hears_of_retries(gate: Gate) -> None:
    """The hooks of stamina are told as ever, and attempts show when the next one would be."""
    heard: list[int] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: heard.append(details.retry_num)])
    decorated(Flaky(gate, failures=2))
    assert heard == [1, 2]
    for attempt in retry_context(ConnectionError, **ARGUMENTS):
        with attempt:
            assert (attempt.num, attempt.next_wait) == (1, 0)
