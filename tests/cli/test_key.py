"""`spendgate key trace`: the manual trace of a review, done by the machine."""

import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Desk

MODULE = """
import datetime as dt
from functools import lru_cache
from spendgate import stable_key

def deployed(record_id: int) -> str:
    return f"enrichment:{record_id}:{dt.datetime.now().isoformat()}"

def steady(record_id: int, language: str = "en") -> str:
    return stable_key("enrichment", record_id, language)

def daily(record_id):
    return stable_key("enrichment", record_id, window="24h")

@lru_cache
def load(record_id: int) -> int:
    return record_id

def forgetful(record_id: int, language: str) -> str:
    return stable_key("enrichment", [record_id])

async def awaited(record_id: int) -> str:
    return f"enrichment:{record_id}"

class Keys:
    @staticmethod
    def of(**filters: int) -> str:
        return str(sorted(filters.items()))

NUMBER = 1
"""


@pytest.fixture(autouse=True)
def module(empty: Desk) -> Iterator[None]:
    """A module of the user's own, in his folder."""
    (empty.folder / "mine.py").write_text(MODULE, encoding="utf-8")
    before = list(sys.path)
    yield
    sys.path[:] = before
    sys.modules.pop("mine", None)


def test_the_deployed_key_is_traced(empty: Desk) -> None:
    """It shows the key, what it reads, the check that failed, both keys and the source; exit code 1."""
    result = empty.run("key", "trace", "mine:deployed", "4711", "--no-fresh")
    assert result.exit_code == 1
    for part in (
        "mine:deployed(4711)\n  enrichment:4711:2026-10-23",
        "reads datetime.now()",
        "FAILED    the same later",
        "«27.123456»",
        "likely source: clock",
        "left out  the same in other interpreters, time zones, places: fresh=False",
    ):
        assert part in result.stdout


def test_a_steady_key_passes_in_other_interpreters(empty: Desk) -> None:
    """A stable key passes every check, with keyword arguments and with inputs drawn from type hints."""
    out = empty.ok("key", "trace", "mine:steady", "4711", "language=de")
    assert "mine:steady(4711, language='de')\n  enrichment:4711:de\n" in out
    assert "FAILED" not in out
    assert "ok        another one for other inputs" in empty.ok("key", "trace", "mine:steady", "--no-fresh")
    assert "FAILED" not in empty.ok("key", "trace", "mine:Keys.of", "a=1", "b=2", "--no-fresh")
    assert "called twice, it loads once" in empty.ok("key", "trace", "mine:load", "1")


def test_one_input_says_nothing_of_others(empty: Desk) -> None:
    """With one input nothing was compared with it, and nothing claims so; drawn inputs find what is forgotten."""
    out = empty.ok("key", "trace", "mine:forgetful", "4711", "de", "--no-fresh")
    assert "left out  another one for other inputs: there was one input" in out
    result = empty.run("key", "trace", "mine:forgetful", "--no-fresh")
    assert result.exit_code == 1
    assert "FAILED    another one for other inputs" in result.stdout


def test_what_it_reads_is_what_the_function_reads(empty: Desk) -> None:
    """Neither the spelling of a key nor the event loop of a coroutine function is listed."""
    for name, args in (("forgetful", ["4711", "de"]), ("awaited", ["4711"])):
        assert "reads" not in empty.ok("key", "trace", f"mine:{name}", *args, "--no-fresh")


def test_one_call_that_raises_is_said_as_one(empty: Desk) -> None:
    """A slip in the arguments is shown with the error of the call."""
    result = empty.run("key", "trace", "mine:steady", "1", "2", "3", "--no-fresh")
    assert (result.exit_code, "the call raised TypeError: " in result.stdout) == (1, True)


def test_windows_are_checked(empty: Desk) -> None:
    """With its window a key passes, without it or with another one it does not."""
    empty.ok("key", "trace", "mine:daily", "4711", "--window", "24h", "--no-fresh")
    assert empty.run("key", "trace", "mine:daily", "4711", "--no-fresh").exit_code == 1
    assert empty.run("key", "trace", "mine:daily", "4711", "--window", "36h", "--no-fresh").exit_code == 1


def test_what_is_found_as_json(empty: Desk) -> None:
    """With --json every check has its result, and a failed one its keys, source and remedy."""
    data = empty.json("key", "trace", "mine:deployed", "4711", "--no-fresh", code=1)
    assert (data["function"], data["arguments"], data["stable"]) == ("mine:deployed", "(4711)", False)
    assert data["reads"] == {"clock": "datetime.now()"}
    failed = [one for one in data["checks"] if one["result"] == "failed"]
    assert [(one["check"], one["source"]) for one in failed] == [("time", "clock")]
    assert failed[0]["first"] != failed[0]["second"]
    assert empty.json("key", "trace", "mine:steady", "1", "--no-fresh")["stable"] is True


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["mine"], "write MODULE:FUNCTION"),
        (["nowhere:f"], "nowhere cannot be imported"),
        (["mine:deploid"], "Did you mean 'deployed'?"),
        (["mine:NUMBER"], "is no function"),
        (["mine:daily"], "'record_id' has no type hint: give examples, or a strategy (on the command line: ARGS)"),
        (["mine:daily", "1", "--window", "soon"], "is no window"),
    ],
)
def test_what_cannot_be_traced_is_wrong_use(empty: Desk, args: list[str], said: str) -> None:
    """A slip is one message that says what to do, with exit code 2."""
    assert said in empty.fails("key", "trace", *args, "--no-fresh")
