"""Many processes and threads on one ledger: nothing that a cache did is lost or doubled, whoever dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from spendgate import cache_watching
from spendgate.caches import flushing
from spendgate.gate import Gate
from spendgate.stores.sqlite import SqliteStore
from tests.caches.forking import in_child
from tests.caches.watching import ALWAYS, counted, make_gate
from tests.caches.working import A_ROUND, STEPS, THREADS, crowd, gate_over, open_and_ask
from tests.conftest import ROOT

PROCESSES = 4
EACH = PROCESSES * THREADS * STEPS


def begin(what: str, path: Path, *args: str) -> "subprocess.Popen[str]":
    """A program of `working`."""
    place = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "tests.caches.working", what, str(path), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **place})


def hits(path: Path) -> int:
    """How many hits the ledger knows of."""
    store = SqliteStore(path)
    found = sum(one.hits for one in store.cache_minutes(0, ALWAYS))
    assert store.check() == []
    store.close()
    return found


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_no_count_is_lost_between_processes(way: str, tmp_path: Path) -> None:
    """Four processes of sixteen threads each are counted to the last, by their end alone."""
    gate = gate_over(tmp_path / "ledger.db")
    context = multiprocessing.get_context(way)
    cache = gate.watch_cache("people", {"a": 1})
    work = (crowd, (cache,)) if way == "fork" else (open_and_ask, (tmp_path / "ledger.db",))
    workers = [context.Process(target=work[0], args=work[1]) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    assert cache["a"] == 1
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert counted(gate) == {"hits": EACH + 1, "misses": EACH, "sets": EACH}
    gate.close()


def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    """Kill -9 loses what was counted since the last flush, at most, and what is in the ledger is not doubled."""
    path = tmp_path / "ledger.db"
    expected = 0
    for _ in range(4):
        with begin("until_killed", path) as program:
            assert program.stdout is not None
            said = [int(program.stdout.readline()) for _ in range(5)]
            program.send_signal(signal.SIGKILL)
            said += [int(line) for line in program.stdout if line.endswith("\n")]
        now = hits(path)
        assert expected + said[-1] <= now <= expected + said[-1] + 1000
        expected = now


def test_a_kill_costs_the_others_nothing(tmp_path: Path) -> None:
    """Of four processes of sixteen threads two are killed: they lose a round at most, the others nothing."""
    path = tmp_path / "ledger.db"
    doomed = [begin("in_rounds", path, f"doomed {number}", "1000000") for number in range(2)]
    others = [begin("in_rounds", path, f"other {number}", "40") for number in range(2)]
    said = {}
    for number, program in enumerate(doomed):
        with program:
            assert program.stdout is not None
            lines = [program.stdout.readline() for _ in range(3 + number)]
            program.send_signal(signal.SIGKILL)
            lines += [line for line in program.stdout if line.endswith("\n")]
        said[f"doomed {number}"] = int(lines[-1])
    for program in others:
        assert int(program.communicate(timeout=120)[0].splitlines()[-1]) == 40 * A_ROUND
    store = SqliteStore(path)
    found: dict[str, int] = {}
    for one in store.cache_minutes(0, ALWAYS):
        found[one.cache] = found.get(one.cache, 0) + one.lookups
    assert store.check() == []
    store.close()
    assert found["other 0"] == found["other 1"] == 40 * A_ROUND
    for name, lookups in said.items():
        assert lookups <= found[name] <= lookups + A_ROUND


def test_a_program_writes_what_is_left_at_its_end(tmp_path: Path) -> None:
    """A program that ends without a word has its counts in the ledger."""
    path = tmp_path / "ledger.db"
    with begin("to_its_end", path) as program:
        assert program.wait(60) == 0
    assert hits(path) == 1000


def test_one_thread_writes_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many caches are watched, one thread writes; a forked child begins its own with its first lookup."""
    import threading

    monkeypatch.setattr(flushing, "_books", weakref.WeakSet())  # what other tests watch may begin it at once

    def writers() -> int:
        return sum(thread.name == "spendgate-caches" for thread in threading.enumerate())

    gate = gate_over(tmp_path / "ledger.db")
    caches = [gate.watch_cache(f"people {number}", {"a": 1}) for number in range(5)]
    assert writers() == 1

    def child() -> list[int]:
        before = writers()
        assert caches[0]["a"] == 1
        return [before, writers()]

    assert in_child(child) == [0, 1]
    assert writers() == 1
    gate.close()


def test_it_is_written_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts come into the ledger within seconds, without anybody asking for it."""
    import threading

    gate = gate_over(tmp_path / "ledger.db")
    written = threading.Event()
    add = gate.store.add_cache_minutes

    def noticed(*args: object) -> None:
        add(*args)  # type: ignore[arg-type]
        written.set()

    monkeypatch.setattr(gate.store, "add_cache_minutes", noticed)
    cache = gate.watch_cache("people", {"a": 1})
    assert cache["a"] == 1
    assert written.wait(flushing.FLUSH_S * 10)
    assert [one.hits for one in gate.store.cache_minutes(0, ALWAYS)] == [1]
    gate.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_watches_its_first_cache_whatever_its_parent_was_doing() -> None:
    """Forked while another thread watches its first cache, a child does not wait for that thread, which it has not."""
    with cache_watching._first:
        assert in_child(lambda: counted(make_gate_that_watches())) == {"misses": 1}


def make_gate_that_watches() -> Gate:
    """A gate with one cache, which has missed once."""
    gate = make_gate()
    gate.watch_cache("enrichment", {}).get("a")
    return gate
