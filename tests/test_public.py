"""The public face: what `import spendgate` offers."""

import re
import subprocess
import sys
import tomllib

import pytest

import spendgate
from tests.conftest import ROOT


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` loads when it is asked for, stays, and is listed."""
    for name in spendgate.__all__:
        assert getattr(spendgate, name) is getattr(spendgate, name)
        assert name in dir(spendgate)
    assert spendgate.__all__ == sorted(spendgate.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A slip of the keyboard is said at once."""
    with pytest.raises(AttributeError, match="opne"):
        _ = spendgate.opne  # type: ignore[attr-defined]


def test_importing_loads_no_part_of_the_gate() -> None:
    """`import spendgate` alone reads one small file, so that command lines start at once."""
    program = "import sys, spendgate; print(*(name for name in sys.modules if name.startswith('spendgate')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["spendgate"]


def test_every_promise_names_the_same_pythons() -> None:
    """Classifiers, README and CONTRIBUTING.md name the versions that `make test-pythons` runs the suite with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stem = "Programming Language :: Python :: 3."
    promised = [one.removeprefix(stem) for one in project["classifiers"] if one.startswith(stem)]
    assert project["requires-python"] == f">=3.{promised[0]}"
    (run,) = re.findall(r"^PYTHONS .*", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"python3\.(\d+)", run) == promised
    assert f"Python 3.{promised[0]} to 3.{promised[-1]}, Linux" in (ROOT / "README.md").read_text()
    spoken = f"{', '.join(f'3.{minor}' for minor in promised[:-1])} and 3.{promised[-1]}"
    assert f"the quick suite with Python {spoken}, each" in (ROOT / "CONTRIBUTING.md").read_text()
