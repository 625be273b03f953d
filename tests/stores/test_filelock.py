"""The lock between threads and processes: one at a time, in turn, and never longer than one's patience."""

import fcntl
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from spendgate.stores.filelock import FairLock, Line
from tests.conftest import ROOT
from tests.stores.faults.workers import FORKED, Worker, in_threads, keep_lock, working

LONG, SHORT = 60.0, 0.05


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lock is."""
    return tmp_path / "ledger.lock"


@pytest.fixture
def lock(path: Path) -> Iterator[FairLock]:
    """A lock that nobody has yet."""
    found = FairLock(path)
    yield found
    found.close()


def is_free(path: Path) -> bool:
    """Whether nobody has the lock on a file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def waiter_of(lock: FairLock) -> threading.Thread:
    """The thread in which a lock waits for other processes."""
    assert lock._waiter is not None
    return lock._waiter._thread


def until_it_waits(lock: FairLock) -> None:
    """Returns when somebody waits in the kernel for another process."""
    while lock._waiter is None or not lock._waiter._asking:
        os.sched_yield()


def start(work: Callable[[], object]) -> threading.Thread:
    """A thread that does something."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_at_a_time(lock: FairLock, path: Path) -> None:
    """Who has the lock excludes everybody else, and lets go of it."""
    other = FairLock(path)
    assert lock.acquire(LONG)
    assert lock.mine
    assert not other.acquire(0)
    assert not other.acquire(SHORT)
    lock.release()
    assert not lock.mine
    assert other.acquire(LONG)
    other.release()
    assert is_free(path)
    other.close()


def test_it_excludes_threads(lock: FairLock) -> None:
    """A thread does not get what another thread of the process has."""
    assert lock.acquire(LONG)
    found: list[bool] = []
    start(lambda: found.append(lock.acquire(SHORT))).join()
    assert found == [False]
    lock.release()
    start(lambda: found.append(lock.acquire(LONG)) or lock.release()).join()  # type: ignore[func-returns-value]
    assert found == [False, True]


def test_only_who_has_it_lets_go(lock: FairLock, path: Path) -> None:
    """A release by a thread that does not have the lock changes nothing."""
    assert lock.acquire(LONG)
    start(lock.release).join()
    assert not is_free(path)
    lock.release()
    lock.release()
    assert is_free(path)


def test_it_is_not_taken_twice(lock: FairLock) -> None:
    """A thread that asks for what it has is told so, and keeps it."""
    assert lock.acquire(LONG)
    with pytest.raises(RuntimeError, match="already"):
        lock.acquire(LONG)
    assert lock.mine


def test_a_process_dies_with_it(lock: FairLock, path: Path) -> None:
    """The lock of a process that is killed goes to the next one."""
    with working(keep_lock, path) as worker:
        worker.pipe.recv()
        assert not lock.acquire(SHORT)
        worker.kill()
        assert lock.acquire(LONG)


def test_who_gave_up_does_not_get_it(lock: FairLock, path: Path) -> None:
    """When the lock comes to a thread that has given up waiting, it goes on to the next one."""
    with working(keep_lock, path) as worker:
        worker.pipe.recv()
        assert not lock.acquire(SHORT)
        assert not lock.acquire(SHORT)
        worker.pipe.send("let go")
        worker.pipe.recv()
        other = FairLock(path)
        assert other.acquire(LONG)
        assert not lock.acquire(SHORT)
        other.release()
        assert lock.acquire(LONG)
        lock.release()
        other.close()
    assert is_free(path)


def test_waiting_again_after_giving_up(lock: FairLock, path: Path) -> None:
    """A thread that asks again while its first wait is still in the kernel gets the lock when that comes back."""
    with working(keep_lock, path) as worker:
        worker.pipe.recv()
        assert not lock.acquire(SHORT)
        found: list[bool] = []

        def ask() -> None:
            found.append(lock.acquire(LONG))
            lock.release()

        thread = start(ask)
        while not lock._waiter._wanted:  # type: ignore[union-attr]
            os.sched_yield()
        worker.pipe.send("let go")
        thread.join()
        assert found == [True]
    assert is_free(path)


def test_threads_get_it_in_turn() -> None:
    """Threads get their turn in the order in which they asked."""
    line, order, threads = Line(), list[int](), []
    assert line.enter(LONG)
    for number in range(8):

        def run(number: int = number) -> None:
            assert line.enter(LONG)
            order.append(number)
            line.leave(lambda: None)

        threads.append(start(run))
        while len(line._waiting) <= number:
            os.sched_yield()
    line.leave(lambda: None)
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_who_leaves_the_line_is_passed_over() -> None:
    """A thread that has given up is not waited for."""
    line = Line()
    assert line.enter(LONG)
    start(lambda: line.enter(SHORT)).join()
    assert not line._waiting
    line.leave(lambda: None)
    assert line.enter(0)


def count_up(pipe: Connection, path: Path, threads: int, times: int) -> None:
    """Adds one to a number in a file, again and again, under the lock."""
    lock, number = FairLock(path), path.with_name("number")
    pipe.send("ready")
    pipe.recv()

    def run() -> int:
        for _ in range(times):
            assert lock.acquire(LONG)
            number.write_text(str(int(number.read_text()) + 1))
            lock.release()
        return times

    pipe.send(in_threads(threads, run))
    lock.close()


def test_no_step_is_lost(path: Path) -> None:
    """Threads of several processes that add to one number under the lock lose no addition."""
    path.with_name("number").write_text("0")
    workers = [Worker(FORKED, count_up, path, 6, 40) for _ in range(4)]
    for worker in workers:
        assert worker.pipe.recv() == "ready"
    for worker in workers:
        worker.pipe.send("go")
    assert [worker.pipe.recv() for worker in workers] == [240] * 4
    for worker in workers:
        assert worker.join() == 0
        worker.pipe.close()
    assert path.with_name("number").read_text() == "960"


def take_turns(pipe: Connection, path: Path) -> None:
    """Takes the lock again and again, as fast as it can, and counts in a file how often it had it."""
    lock, turns = FairLock(path), os.open(path.with_name("turns"), os.O_RDWR | os.O_CREAT)
    count = 0
    while not pipe.poll():
        assert lock.acquire(LONG)
        count += 1
        os.pwrite(turns, b"%09d" % count, 0)
        lock.release()
        if count == 1:
            pipe.send("begun")
    os.close(turns)
    lock.close()


def test_who_comes_straight_back_does_not_overtake(lock: FairLock, path: Path) -> None:
    """A process that waits gets the lock after a few turns of one that takes it again and again."""
    with working(take_turns, path) as worker:
        worker.pipe.recv()
        turns = path.with_name("turns")
        waited = []
        for _ in range(99):
            before = int(turns.read_text())
            assert lock.acquire(LONG)
            waited.append(int(turns.read_text()) - before)
            lock.release()
        worker.pipe.send("stop")
        worker.join()
    assert sorted(waited)[49] < 100


def test_threads_of_one_process_do_not_keep_it_among_themselves(lock: FairLock, path: Path) -> None:
    """However many threads of a process want the lock, another process gets it within a few turns."""
    stop, turns = threading.Event(), [0]

    def take() -> None:
        while not stop.is_set():
            assert lock.acquire(LONG)
            turns[0] += 1
            lock.release()

    threads = [start(take) for _ in range(4)]
    other = FairLock(path)
    for _ in range(20):
        assert other.acquire(LONG)
        other.release()
    stop.set()
    for thread in threads:
        thread.join()
    other.close()
    assert turns[0] > 0


def test_closing_ends_a_wait(lock: FairLock, path: Path) -> None:
    """A lock that is closed while a thread waits leaves no thread behind once the other process has let go."""
    with working(keep_lock, path) as worker:
        worker.pipe.recv()
        found: list[bool] = []
        thread = start(lambda: found.append(lock.acquire(SHORT)))
        until_it_waits(lock)
        waiter = waiter_of(lock)
        lock.close(LONG)
        thread.join()
        assert found == [False]
        worker.pipe.send("let go")
        waiter.join()
    assert is_free(path)
    assert not lock.acquire(SHORT)


def test_a_forgotten_lock_leaves_nothing_behind(path: Path) -> None:
    """A lock that nobody refers to any more closes its files and ends its thread."""
    before = set(Path("/dev/fd").iterdir())
    lock = FairLock(path)
    other = FairLock(path)
    assert other.acquire(LONG)
    assert not lock.acquire(SHORT)
    other.release()
    waiter = waiter_of(lock)
    del lock, other
    gc.collect()
    waiter.join()
    assert set(Path("/dev/fd").iterdir()) <= before


def test_resting_ends_the_thread(lock: FairLock, path: Path) -> None:
    """Before a fork the waiting thread ends, so that the fork finds none; it comes back when it is needed."""
    for _ in range(2):
        with working(keep_lock, path) as worker:
            worker.pipe.recv()
            assert not lock.acquire(SHORT)
            worker.pipe.send("let go")
            worker.pipe.recv()
        assert lock.acquire(LONG)
        lock.release()
        waiter = waiter_of(lock)
        lock.rest()
        assert not waiter.is_alive()
        assert lock._waiter is None


def test_it_is_taken_while_the_interpreter_shuts_down(path: Path) -> None:
    """A booking from an exit handler gets the lock too, though no thread can be started any more."""
    program = (
        "import atexit, fcntl, os, sys\n"
        "from pathlib import Path\n"
        "from spendgate.stores.filelock import FairLock, _Waiter\n"
        "def refuse(*_): raise RuntimeError('no new thread at interpreter shutdown')\n"
        "_Waiter.__init__ = refuse\n"
        "def late():\n"
        "    lock = FairLock(Path(sys.argv[1])); print('asking', flush=True)\n"
        "    print(lock.acquire(0.05), flush=True); sys.stdin.readline(); print(lock.acquire(60), flush=True)\n"
        "atexit.register(late)\n"
    )
    lock = FairLock(path)
    assert lock.acquire(LONG)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=-1, stdout=-1, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["asking\n", "False\n"]
        lock.release()
        assert process.communicate("go\n")[0] == "True\n"
    lock.close()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A lock whose file cannot be made is an error each time, and keeps nobody out."""
    lock = FairLock(tmp_path / "missing" / "ledger.lock")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            lock.acquire(LONG)
    (tmp_path / "missing").mkdir()
    assert lock.acquire(LONG)
    lock.close()
    assert lock.mine
    lock.release()


def test_a_signals_handler_does_not_wait_for_its_own_thread(lock: FairLock) -> None:
    """Who waits for the lock is not asked to wait a second time, which would last for ever or mix up the turns."""
    has_it, may_go = threading.Event(), threading.Event()

    def keep() -> None:
        lock.acquire(LONG)
        has_it.set()
        may_go.wait(LONG)
        lock.release()

    def interrupt(*_: object) -> None:
        with pytest.raises(RuntimeError, match="waits for it"):
            lock.acquire(SHORT)
        seen.append(lock.mine)
        may_go.set()

    keeper, seen = start(keep), list[bool]()
    assert has_it.wait(LONG)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, SHORT)
        assert lock.acquire(LONG)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen == [True]
    lock.release()
    assert not lock.mine
    keeper.join()
