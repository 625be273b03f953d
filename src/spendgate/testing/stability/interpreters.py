"""The same keys in fresh interpreters: other seeds of hash(), time zones, host names, and instants of their import."""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spendgate.clock import DAY, HOUR, monotonic
from spendgate.testing.stability import diagnosis
from spendgate.testing.stability.calling import Arguments, Outcome
from spendgate.testing.stability.finding import KeyFinding
from spendgate.testing.stability.fresh import HOST, Answer, Change, Request
from spendgate.testing.stability.moving import START_AT
from spendgate.testing.stability.sources import Trace


@dataclass(frozen=True, slots=True)
class Place:
    """How an interpreter is started."""

    seed: str = "1"
    zone: str = "UTC"
    imported_at: int = START_AT - 3 * HOUR
    renamed: bool = False
    situations: bool = False

    def __str__(self) -> str:
        host = f", on {HOST}" * self.renamed
        return f"PYTHONHASHSEED={self.seed}, TZ={self.zone}{host}"


HOME = Place()
PLACES = (
    Place(situations=True),
    Place("2", "America/New_York", START_AT - 37 * DAY, renamed=True),
    Place("3", "Pacific/Kiritimati", START_AT - 400 * DAY - 5 * HOUR, renamed=True),
)
"""Where keys are compared. What they differ in is found out only where the keys do."""
ALONE: dict[str, Place] = {
    "restart": HOME,
    "seed": Place(seed="2"),
    "other seed": Place(seed="3"),
    "zone": Place(zone="America/New_York"),
    "other zone": Place(zone="Pacific/Kiritimati"),
    "import": Place(imported_at=PLACES[1].imported_at),
    "host": Place(renamed=True),
}
"""One difference at a time."""


class Interpreters:
    """Asks fresh interpreters for the keys of a function."""

    def __init__(self, function: Callable[..., Any], timeout_s: float) -> None:
        self._target = _target(function)
        self._timeout_s = timeout_s
        self._path = tuple(os.path.abspath(place) for place in sys.path)  # noqa: PTH100 - "" is the working directory
        self._files = _files()

    def compare(
        self, examples: Sequence[Arguments], own: Sequence[Sequence[Outcome]], instants: Sequence[int], trace: Trace
    ) -> KeyFinding | None:
        """What differs between interpreters, this one included, whose outcomes are `own`, by instant and example."""
        answers = self._ask(PLACES, examples, instants)
        broken = next((answer for answer in answers if answer.fault), None)
        if broken is not None:
            return _fault(broken.fault, examples[0])
        for number, given in enumerate(examples):
            for step, at in enumerate(instants):
                mine = (own[step][number].kind, own[step][number].shown)
                found = [answer.outcomes[step][number] for answer in answers]
                other = next((i for i, one in enumerate(found) if one != mine), None)
                if other is not None:
                    return self._explained(given, at, (mine, found[other]), PLACES[other], trace)
        change = next((answer.change for answer in answers if answer.change), None)
        return _surrounded(change, examples) if change is not None else None

    def _explained(
        self, given: Arguments, at: int, pair: tuple[tuple[str, str], tuple[str, str]], place: Place, trace: Trace
    ) -> KeyFinding:
        """Changes one thing at a time and sees which of them changes the key."""
        home, *others = self._ask((HOME, *ALONE.values()), [given], [at])
        alone = dict(zip(ALONE, others, strict=True))
        (mine_kind, mine), (their_kind, theirs) = pair
        if mine_kind != their_kind:
            when = f"in another interpreter ({place}) it {'raised' if their_kind == 'raised' else 'gave a key'}"
            return KeyFinding("interpreters", "raises", str(given), when, mine, theirs)

        def differs(*names: str) -> bool:
            return any(home.outcomes and alone[name].outcomes != home.outcomes for name in names)

        when = f"in another interpreter ({place}), at the same instant"
        if differs("restart"):
            source, detail = diagnosis.of_a_restart(mine, trace)
        elif differs("seed", "other seed"):
            source, detail = diagnosis.of_a_seed(mine, theirs, trace)
        elif differs("import"):
            source, detail = "import", "it changes with the instant of the import"
        elif differs("zone", "other zone"):
            source, detail = "time zone", diagnosis.of_the_clock(trace)
        elif differs("host"):
            source, detail = "host name", trace.sources.get("host name", "")
        else:
            source, detail = "state", ""
            when = f"in a fresh interpreter ({place}), where nothing was called before"
        return KeyFinding("interpreters", source, str(given), when, mine, theirs, detail)

    def _ask(self, places: Sequence[Place], examples: Sequence[Arguments], instants: Sequence[int]) -> list[Answer]:
        packed = pickled(list(examples))
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spendgate-keys-")))
            running = []
            for number, place in enumerate(places):
                request = Request(
                    self._path,
                    self._files,
                    self._target,
                    packed,
                    place.imported_at,
                    tuple(instants),
                    place.renamed,
                    place.situations,
                )
                own = folder / str(number)
                own.mkdir()
                (own / "request").write_bytes(pickle.dumps(request))
                running.append((own, stack.enter_context(_started(own, place, self._path))))
            deadline = monotonic() + self._timeout_s
            return [_answer(own, process, deadline) for own, process in running]


def _started(folder: Path, place: Place, path: Sequence[str]) -> "subprocess.Popen[bytes]":
    env = {**os.environ, "PYTHONHASHSEED": place.seed, "TZ": place.zone, "PYTHONPATH": os.pathsep.join(path)}
    env.pop("PYTHONSTARTUP", None)
    program = "import sys; from spendgate.testing.stability.fresh import main; main(sys.argv[1])"
    command = [sys.executable, "-c", program, str(folder)]
    return subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _answer(folder: Path, process: "subprocess.Popen[bytes]", deadline: float) -> Answer:
    try:
        _, said = process.communicate(timeout=max(deadline - monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Answer(fault="timeout")
    if not (folder / "answer").exists():
        return Answer(fault=said.decode(errors="replace").strip()[-500:] or f"it ended with {process.returncode}")
    found: Answer = pickle.loads((folder / "answer").read_bytes())  # noqa: S301 - written by the child
    return found


def _fault(fault: str, given: Arguments) -> KeyFinding:
    if fault == "timeout":
        return KeyFinding("interpreters", "took too long", str(given), "in another interpreter", "no answer")
    raise RuntimeError(
        f"the function could not be run in another interpreter: {fault}. `fresh=False` leaves that check out"
    )


def _surrounded(change: Change, examples: Sequence[Arguments]) -> KeyFinding:
    when = {"environment": "with another value of the variable", "locale": "with numbers and names of another country"}
    where = when.get(change.source, "started in another directory")
    return KeyFinding(
        "interpreters", change.source, str(examples[change.example]), where, change.first, change.second, change.detail
    )


def pickled(value: Any) -> bytes:
    """A value for another interpreter: functions and classes that cannot be imported there go along whole."""
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:
        raise RuntimeError("other interpreters take cloudpickle: pip install 'spendgate[testing]'") from None
    packed: bytes = cloudpickle.dumps(value)
    return packed


def _target(function: Any) -> tuple[str, str] | bytes:
    """A function by its name where it has one that leads to it, so that its module is imported anew; else whole."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is function and module and module != "__main__":
        return module, name
    return pickled(function)


def _files() -> dict[str, tuple[str, bool]]:
    """The modules of this process and their files, for those that only it knows how to find."""
    return {
        name: (file, hasattr(module, "__path__"))
        for name, module in list(sys.modules.items())
        if name != "__main__" and (file := getattr(module, "__file__", None)) and str(file).endswith(".py")
    }
