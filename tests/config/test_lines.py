"""Finding the line on which a key stands."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.config.lines import KeyPath, line_of, lines, spell, unspell

TEXT = '''\
# comment with [brackets] and = signs
title = "a # b"

[gate]  # a comment
mode = "enforce"
text = """
[not.a.table]
key = "no key"
"""

[[limits]]
usd = "1"
match = { resource = "x", tags = { customer = "y" } }
[[limits]]
per = [
    "service",   # one
    "task",
]
window = "1h"
[limits.match]
service = "z"
[prices."clearbit.enrich"]
per_unit.rows = "1"
[[prices."clearbit.enrich".changes]]
from = "2027-01-01"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("gate",), 4),
        (("gate", "mode"), 5),
        (("gate", "text"), 6),
        (("limits", 0), 11),
        (("limits", 0, "usd"), 12),
        (("limits", 0, "match", "tags", "customer"), 13),
        (("limits", 1), 14),
        (("limits", 1, "per"), 15),
        (("limits", 1, "per", 1), 15),
        (("limits", 1, "window"), 19),
        (("limits", 1, "match", "service"), 21),
        (("prices", "clearbit.enrich"), 22),
        (("prices", "clearbit.enrich", "per_unit", "rows"), 23),
        (("prices", "clearbit.enrich", "changes", 0, "from"), 25),
    ],
)
def test_each_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    """Comments, strings over several lines, arrays, inline, dotted and nested tables do not mislead the scan."""
    found = lines(TEXT)
    assert found[path] == line
    assert lines(TEXT.replace("\n", "\r\n")) == found


def test_nothing_in_a_text_is_taken_for_a_key() -> None:
    """What looks like a table inside a string is not one."""
    assert ("not",) not in {path[:1] for path in lines(TEXT)}


@pytest.mark.parametrize(("path", "line"), [(("limits", 1, "usd"), 14), (("gate", "zone"), 4), (("nothing",), 0)])
def test_a_missing_key_has_the_line_of_its_table(path: KeyPath, line: int) -> None:
    """What is missing is missing in the innermost table around it that is there."""
    assert line_of(lines(TEXT), path) == line


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(st.lists(names | st.integers(0, 99), min_size=1, max_size=5))
def test_a_spelled_path_is_read_back(parts: list[str | int]) -> None:
    """Whatever the names are, the spelling of a path means that path."""
    path: KeyPath = ("top", *parts)
    assert unspell(spell(path)) == path


@given(st.lists(names, min_size=1, max_size=4))
def test_a_spelled_path_is_toml(parts: list[str]) -> None:
    """A path without positions is spelled so that it can be pasted into a file."""
    value: Any = tomllib.loads(f"{spell(tuple(parts))} = 1")
    for part in parts:
        value = value[part]
    assert value == 1
