"""On which line of a TOML text each table and key stands; `tomllib` does not say.

The text is cut into statements, and `tomllib` reads each of them alone: the shortest run of lines that it accepts is
one statement, because a statement ends where its grammar ends. So names are never parsed a second time here.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

KeyPath = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and positions in arrays."""


def lines(text: str) -> dict[KeyPath, int]:
    r"""The line, from 1, on which each table and key of a valid TOML text is stated.

    What stands inside an inline table or an array has the line of its statement.

    >>> lines('[a]\nb = 1\n[[c]]\n[[c]]\nd.e = [\n 2]')[("c", 1, "d", "e")]
    5
    """
    found: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    rows = text.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(rows):
        size = 1
        row = rows[at].strip(" \t")
        if row.startswith("["):
            table = _header(row, arrays)
            for depth in range(1, len(table) + 1):
                found.setdefault(table[:depth], at + 1)
        elif row and not row.startswith("#"):
            data, size = _statement(rows, at)
            _note(found, table, data, at + 1)
        at += size
    return found


def _header(row: str, arrays: dict[KeyPath, int]) -> KeyPath:
    """The table that a `[table]` or `[[table]]` line opens; `arrays` has the last position in each array so far."""
    path: KeyPath = ()
    value: Any = tomllib.loads(row)
    while value:
        ((name, value),) = value.items()
        path += (name,)
        if isinstance(value, list):
            arrays[path] = arrays.get(path, -1) + 1
            return (*path, arrays[path])
        if path in arrays:
            path += (arrays[path],)
    return path


def _statement(rows: list[str], at: int) -> tuple[dict[str, Any], int]:
    """The `key = value` that begins at a row, and over how many rows it goes."""
    for size in range(1, len(rows) - at + 1):
        try:
            return tomllib.loads("\n".join(rows[at : at + size])), size
        except tomllib.TOMLDecodeError:
            continue
    return {}, len(rows) - at


def _note(found: dict[KeyPath, int], path: KeyPath, value: object, line: int) -> None:
    if path:
        found.setdefault(path, line)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _note(found, (*path, name), inner, line)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _note(found, (*path, position), inner, line)


def line_of(found: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, or of the innermost table around it that is stated; 0 where none is."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, 0)


def spell(path: KeyPath) -> str:
    """A path the way a reader of TOML writes it.

    >>> spell(("limits", 0, "match", "tags.customer"))
    'limits[0].match."tags.customer"'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
            text += ("." if text else "") + (part if bare else json.dumps(part, ensure_ascii=False))
    return text


def unspell(key: str) -> KeyPath:
    """The path that `spell` spelled.

    >>> unspell('prices."clearbit.enrich".per_call')
    ('prices', 'clearbit.enrich', 'per_call')
    """
    path: KeyPath = ()
    for position, quoted, bare in re.findall(r"""\[(\d+)\]|("(?:[^"\\]|\\.)*")|([^.\[\]"]+)""", key):
        path += (int(position) if position else json.loads(quoted) if quoted else bare,)
    return path
