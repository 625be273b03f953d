"""Plants a fault in a copy of the sources and asks the tests whether they notice."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.mutants.faults import Fault
from tests.mutants.hunt import NOTICED

PACKAGE = ROOT / "src" / "spendgate"
TABLES = (
    "tests/test_windows.py",
    "tests/test_money.py",
    "tests/test_limits.py",
    "tests/test_reservation.py",
    "tests/stores/test_contract.py",
    "tests/gate/test_tasks.py",
    "tests/gate/test_duplicates.py",
)
HUNT = [sys.executable, "-m", "tests.mutants.hunt"]
EXAMPLES = 1000
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
LIMIT_S = 280


@dataclass(frozen=True)
class Outcome:
    """Whether a fault was noticed, and by what."""

    fault: Fault
    caught: bool
    by: str


def plant(fault: Fault, folder: Path) -> Path:
    """A copy of the sources with the fault in it.

    Raises:
        ValueError: the text to replace does not occur exactly once: the fault has to be stated anew.
    """
    source = (PACKAGE / fault.path).read_text(encoding="utf-8")
    if source.count(fault.old) != 1:
        raise ValueError(
            f"{fault.name!r}: {fault.path} has {source.count(fault.old)} places like {fault.old!r}, not one"
        )
    shutil.copytree(PACKAGE, folder / "spendgate", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "spendgate" / fault.path).write_text(source.replace(fault.old, fault.new), encoding="utf-8")
    return folder


def hunt(fault: Fault, examples: int = EXAMPLES) -> Outcome:
    """Runs what must notice the fault; when it does not, the fault survives."""
    model = ("the model", [*HUNT, str(examples)], NOTICED)
    tables = ("the tables", [*PYTEST, *(fault.tables or TABLES)], 1)
    ways = [model] if fault.caught_by == "model" else [tables] if fault.tables else [tables, model]
    with tempfile.TemporaryDirectory(prefix="spendgate-mutant-") as name:
        folder = plant(fault, Path(name))
        for by, command, noticed in ways:
            code, output = _run(command, folder)
            if code == noticed:
                return Outcome(fault, caught=True, by=by)
            if code != 0:
                raise RuntimeError(f"{fault.name!r}: {by} could not be asked (exit code {code}):\n{output[-3000:]}")
    return Outcome(fault, caught=False, by="nobody")


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    place = {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **place, "SPENDGATE_MUTANT": str(folder)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    return done.returncode, done.stdout + done.stderr
