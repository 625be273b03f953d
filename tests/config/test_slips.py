"""Slips of the keyboard: whatever is mistyped, the configuration is refused or still means every limit."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spendgate.config import origins, read
from spendgate.errors import ConfigError
from tests.conftest import ROOT

TEXT = (ROOT / "spendgate.example.toml").read_text(encoding="utf-8")
STATED = [
    (number, row)
    for number, row in enumerate(TEXT.splitlines(), 1)
    if re.match(r"\[\[limits\]\]|[a-z_]+ = ", row) and "[[limits]]" in TEXT.splitlines()[:number][-9:]
]


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(["", *'ax0-."[]{}=#\n\t\0é']), st.booleans())
@example(0, "\0", True)
def test_a_slip_anywhere_is_read_or_refused(at: int, typed: str, instead: bool) -> None:
    """One wrong character anywhere in a file leads to settings or to a ConfigError with a line, to nothing else."""
    text = TEXT[:at] + typed + TEXT[at + instead :]
    try:
        read(text, "spendgate.toml")
        origins(text, "spendgate.toml")
    except ConfigError as error:
        place = (error.file, 0 < error.line <= text.count("\n") + 1)
    else:
        return
    assert place == ("spendgate.toml", True)


@pytest.mark.parametrize(("number", "row"), STATED)
def test_a_slip_in_a_key_of_a_limit_is_refused(number: int, row: str) -> None:
    """A letter left out of, doubled in or added to any key of a limit is an error, never no limit."""
    rows = TEXT.splitlines()
    key = re.match(r"\[*([a-z_]+)", row)
    assert key
    start, end = key.span(1)
    for at in range(start, end):
        for word in (row[:at] + row[at + 1 :], row[:at] + row[at] + row[at:], row[:at] + "q" + row[at + 1 :]):
            changed = "\n".join([*rows[: number - 1], word, *rows[number:]])
            with pytest.raises(ConfigError) as caught:
                read(changed, "spendgate.toml")
            assert caught.value.line >= 1
