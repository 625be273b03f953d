"""The public face: what `import spendgate` offers."""

import subprocess
import sys

import pytest

import spendgate


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
