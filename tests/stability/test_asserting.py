"""`assert_key_stable` itself: its inputs, what it leaves out and why, and what it says."""

import asyncio
import dataclasses
import pickle
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate import stable_key
from spendgate.clock import SystemClock
from spendgate.testing import KeyStabilityError, arguments, assert_key_stable, unstable_on_purpose
from spendgate.testing.stability.finding import marked_parts
from spendgate.testing.stability.inputs import reordered
from spendgate.testing.stability.moving import START_AT, stopped

SEED = [0]


def counting(number: int) -> str:
    SEED[0] += 1
    return f"{number}:{SEED[0]}"


def raising_sometimes(number: int) -> str:
    SEED[0] += 1
    if SEED[0] % 2:
        raise ValueError("not now")
    return str(number)


def nonce(number: int) -> str:
    return counting(number)


marked = unstable_on_purpose("every request must be a new one: the server refuses repetitions")(nonce)


@unstable_on_purpose("case does not matter to this API", "distinct")
def lower(name: str) -> str:
    return name.lower()


def test_a_strategy_is_drawn_from() -> None:
    """Examples may be a list, a strategy, or nothing but type hints; they are the same ones each time."""
    for inputs in ([1, 2], st.integers(), None, [arguments(number=1)], st.tuples(st.integers())):
        seen: list[int] = []

        def key(number: int, seen: list[int] = seen) -> str:
            seen.append(number)
            return f"k:{number}"

        assert_key_stable(key, inputs, fresh=False)
        assert seen


def test_without_hints_the_inputs_must_be_said() -> None:
    """A parameter of which nothing is known is an error that says what to do."""
    with pytest.raises(TypeError, match="'number' has no type hint"):
        assert_key_stable(lambda number: number)
    with pytest.raises(TypeError, match="must be examples"):
        assert_key_stable(lambda number: number, "abc")


def test_functions_without_arguments_have_a_key_too() -> None:
    """A constant is as stable as can be."""
    assert_key_stable(lambda: "all-customers")


def test_a_mark_with_a_reason_leaves_checks_out() -> None:
    """What is meant to be unstable says why, on the function or in the test; without a reason it is an error."""
    assert_key_stable(marked)
    assert_key_stable(lower, ["A", "a", "b"])
    with pytest.raises(KeyStabilityError):
        assert_key_stable(counting, [1])
    with pytest.raises(KeyStabilityError, match="share a key"):
        assert_key_stable(lambda name: name.lower(), ["A", "a"])
    assert_key_stable(lambda name: name.lower(), ["A", "a"], allow={"distinct": "case does not matter"})
    with pytest.raises(ValueError, match="say why"):
        assert_key_stable(lower, ["A"], allow={"distinct": " "})
    with pytest.raises(ValueError, match="no check 'distict'"):
        unstable_on_purpose("a reason", "distict")


def test_a_window_that_the_test_does_not_name_is_asked_for() -> None:
    """A key of `stable_key` that holds for a day is right, but the test has to say so: the remedy tells how."""
    with pytest.raises(KeyStabilityError, match=r"say window='24h' here") as failed:
        assert_key_stable(lambda number: stable_key("enrichment", number, window="24h"), [4711])
    assert failed.value.findings[0].source == "clock"


def test_what_is_drawn_is_named_where_repetition_is_allowed() -> None:
    """With `repeat` left out the copies differ as well, and what is named is what was drawn, not their identity."""
    drawn = unstable_on_purpose("the first try is thrown away", "repeat")(lambda number: f"{number}:{random.random()}")
    with pytest.raises(KeyStabilityError) as failed:
        assert_key_stable(drawn, [4711])
    assert failed.value.findings[0].source == "random"


def test_only_what_the_function_itself_reads_is_blamed() -> None:
    """What `stable_key`, the standard library and the event loop do for themselves is not the function's doing."""

    @dataclasses.dataclass
    class Query:
        text: str

    async def counted(number: int) -> str:
        return counting(number)

    async def awaited(number: int) -> str:
        return await asyncio.wait_for(counted(number), 60)

    keys: list[Callable[[int], Any]] = [
        lambda number: stable_key("e", [number], counting(number)),
        lambda number: ("e", (number,), counting(number)),
        lambda number: f"{Query('a')}:{counting(number)}",
        awaited,
    ]
    for key in keys:
        with pytest.raises(KeyStabilityError) as failed:
            assert_key_stable(key, [1])
        assert failed.value.findings[0].source in {"counter", "state"}, str(failed.value)


def test_a_window_that_differs_from_the_tests_is_said() -> None:
    """Where the key has a window of its own, or none, the remedy is to say the same here."""
    for key in (lambda number: stable_key("e", number, window="36h"), lambda number: stable_key("e", number)):
        with pytest.raises(KeyStabilityError, match="outlives its window") as failed:
            assert_key_stable(key, [1, 2], "24h", fresh=False)
        assert "say the same window here and in stable_key" in failed.value.findings[0].remedy


def test_a_function_that_always_raises_has_no_key() -> None:
    """Raising for some inputs is fine, for all of them it is a finding that carries the error."""

    def broken(number: int) -> str:
        raise LookupError(f"no such table {number}")

    with pytest.raises(KeyStabilityError, match="LookupError: no such table"):
        assert_key_stable(broken)
    with pytest.raises(KeyStabilityError, match="no examples"):
        assert_key_stable(broken, [])


@pytest.mark.parametrize("key", [None, b"key", "x" * 10_000_000, ("a", 1), 1.5, frozenset({"a", "b"})])
def test_keys_may_be_anything_that_caches_take(key: object) -> None:
    """Bytes, None, tuples and ten megabytes are keys as good as any."""
    allow = {"distinct": "it is one key for all"}
    assert_key_stable(lambda number: key, [1, 2], allow=allow, fresh=False)
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(lambda number: f"{key}:{counting(number)}", [1], fresh=False)
    assert len(str(caught.value)) < 2000


def test_bytes_are_shown_as_they_are_written() -> None:
    """Keys of bytes, such as those that Redis lists, are read like text, with the part that differs marked."""
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(lambda number: f"e:{number}:{counting(number)}:v2".encode(), [7], fresh=False)
    (finding,) = caught.value.findings
    assert finding.first.startswith("b'e:7:7:")
    assert "    b'e:7:7:«" in str(caught.value)


def test_a_key_that_no_dictionary_takes_is_a_finding() -> None:
    """What cannot be hashed is no key."""
    with pytest.raises(KeyStabilityError, match=r"unhashable type: 'list'(.|\n)*remedy: give text, or a tuple"):
        assert_key_stable(lambda number: ["e", number], [1])


def test_raising_now_and_then_is_a_finding() -> None:
    """A key that is there one time and not the other is not stable."""
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(raising_sometimes, [1, 2, 3])
    assert caught.value.findings[0].source == "raises"


def test_a_slow_function_is_called_less_often() -> None:
    """A function that takes its time is looked at with fewer examples and at fewer instants."""
    calls: list[int] = []

    def slow(number: int) -> str:
        calls.append(number)
        threading.Event().wait(0.03)
        return f"k:{number}"

    assert_key_stable(slow, range(1000), "24h", fresh=False, allow={"time": "it has none"})
    assert len(calls) < 350


def test_an_interpreter_that_does_not_answer_is_a_finding() -> None:
    """A function that hangs elsewhere is found out after the time that was allowed for it."""
    import os

    here = os.getpid()

    def hangs(number: int) -> str:
        if os.getpid() != here:
            threading.Event().wait(60)
        return str(number)

    with pytest.raises(KeyStabilityError, match="took too long"):
        assert_key_stable(hangs, [1], timeout_s=2)


def test_what_cannot_run_elsewhere_is_said() -> None:
    """An interpreter that cannot load the function is an error of the test, not a verdict."""
    lock = threading.Lock()

    def locked(number: int) -> str:
        with lock:
            return str(number)

    with pytest.raises((RuntimeError, TypeError), match=r"pickle|fresh=False"):
        assert_key_stable(locked, [1])
    assert_key_stable(locked, [1], fresh=False)


def test_the_clock_is_put_back() -> None:
    """After a check, passed or failed, the process has its own time again."""
    before = SystemClock().now()
    assert_key_stable(lambda number: number, [1], fresh=False)
    with pytest.raises(KeyStabilityError):
        assert_key_stable(counting, [1])
    assert SystemClock().now() - before < 3_600_000_000
    with stopped(START_AT) as move_to:
        assert SystemClock().now() == START_AT
        move_to(START_AT + 1)
        assert SystemClock().now() == START_AT + 1


def test_the_error_says_everything_and_can_be_carried() -> None:
    """Both keys with the part that differs marked, the source and the remedy; a pickle keeps them."""
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(counting, [7])
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    for part in ("counting", "called with (7)", "7:«", "likely source: counter", "remedy: leave it out"):
        assert part in str(error)


@pytest.mark.parametrize(
    ("first", "second", "marked"),
    [
        ("a:1:b", "a:2:b", ("a:«1»:b", "a:«2»:b")),
        ("a:12", "a:13", ("a:«12»", "a:«13»")),
        ("a", "a:b", ("«a»", "«a:b»")),
        ("", "x", ("«»", "«x»")),
        ("x" * 500 + ":1", "x" * 500 + ":2", ("..." + "x" * 56 + ":«1»", "..." + "x" * 56 + ":«2»")),
    ],
)
def test_the_part_that_differs_is_marked(first: str, second: str, marked: tuple[str, str]) -> None:
    """Whole segments are marked, and long keys are shortened around them."""
    assert marked_parts(first, second) == marked


@given(st.text(":ab,", max_size=8), st.text(":ab,", max_size=8))
def test_marks_change_nothing_else(first: str, second: str) -> None:
    """Without its marks a short key is what it was."""
    shown = marked_parts(first, second)
    assert tuple(one.replace("«", "").replace("»", "") for one in shown) == (first, second)


@pytest.mark.parametrize(
    ("value", "kind", "is_reordered"),
    [
        ({"a": 1, "b": 2}, dict, True),
        ([{"a": 1, "b": {"c": 1, "d": 2}}], dict, True),
        ({"a": 1}, dict, False),
        ("text", dict, False),
        (set(range(0, 100, 7)), set, True),
        ({1}, set, False),
    ],
)
def test_reordering_changes_order_alone(value: Any, kind: type, is_reordered: bool) -> None:
    """What is reordered is equal to what it was; what has no order is left alone."""
    other = reordered(arguments(value), kind)
    assert (other is not None) == is_reordered
    if other is not None:
        assert other.args == (value,)


def test_methods_and_closures_are_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound methods, closures and functions that a test defines run in other interpreters too."""

    class Keys:
        def __init__(self, name: str) -> None:
            self.name = name

        def of(self, number: int) -> str:
            return f"{self.name}:{number}"

    assert_key_stable(Keys("a").of, [1, 2])
    make: Callable[[int], str] = Keys("b").of
    assert_key_stable(lambda number: make(number), [1, 2])
