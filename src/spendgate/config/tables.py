"""Reads tables of the configuration strictly: a key that is not known, or a value of another kind, is an error.

Defaults come from `config.keys`; faults carry file, line, key, what was expected and the nearest known name.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from spendgate.clock import DAY
from spendgate.config.keys import BY_PATH, NAMES, TABLES
from spendgate.config.lines import KeyPath, line_of, lines, spell
from spendgate.errors import ConfigError
from spendgate.windows import MAX_SPAN, parse_span, spell_span

MAX_TEXT = 2000
MAX_SPELLING = 40
"""The longest that a span, window or rate is written, in characters."""
MAX_KEEP_DAYS = 36_500


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name closest to an unknown one; empty where none is close.

    >>> nearest("windw", ["window", "match"]), nearest("zzz", ["window"])
    ('window', '')
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.55)
    return folded[close[0]] if close else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration's text and what it says."""

    text: str
    file: str
    data: dict[str, Any]

    def fault(self, path: KeyPath, problem: str, expected: str = "", nearest: str = "") -> ConfigError:
        """The error for what is wrong at a path."""
        line = line_of(lines(self.text), path)
        return ConfigError(problem, file=self.file, line=line, key=spell(path), expected=expected, nearest=nearest)


def parse(text: str, file: str) -> Document:
    """The document that a text is, with no table in it that spendgate does not know.

    Raises:
        ConfigError: the text is no TOML, or it has an unknown table or a key outside of all tables.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(error, text, file) from None
    document = Document(text, file, data)
    for name in data:
        if name not in TABLES:
            raise _unknown_table(document, name)
    return document


def _syntax(error: tomllib.TOMLDecodeError, text: str, file: str) -> ConfigError:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
    line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
    problem = str(error)[: found.start()] if found else str(error)
    return ConfigError(f"this is not TOML: {problem[:1].lower()}{problem[1:]}", file=file, line=line)


def _unknown_table(document: Document, name: str) -> ConfigError:
    spelled = {"limits": "[[limits]]", "fresh": "[[fresh]]", "services": "[services.NAME]"}
    expected = ", ".join(spelled.get(table, f"[{table}]") for table in TABLES)
    home = next((key.path for key in BY_PATH.values() if key.name == name and key.table in ("gate", "store")), "")
    close = nearest(name, TABLES)
    hint = close or home if isinstance(document.data[name], dict) else home or close
    return document.fault((name,), "this key is not known here", f"the tables {expected}", hint)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a document. `section` is its name in `config.keys`; `own` are keys that are known besides."""

    document: Document
    path: KeyPath
    section: str
    data: dict[str, Any]

    @classmethod
    def of(cls, document: Document, section: str) -> "Table":
        """A table at the top of the document, empty where it is not there.

        Raises:
            ConfigError: it is no table, or has a key that is not known.
        """
        value = document.data.get(section, {})
        return cls.at(document, (section,), section, value)

    @classmethod
    def at(cls, document: Document, path: KeyPath, section: str, value: object) -> "Table":
        """The table at a path, with none but the known keys of `section`."""
        if not isinstance(value, dict):
            raise document.fault(path, "this is no table", f"[{section}] and its keys below it")
        table = cls(document, path, section, value)
        for name in value:
            if name not in NAMES[section]:
                raise table.unknown(name, NAMES[section])
        return table

    def unknown(self, name: str, known: Sequence[str]) -> ConfigError:
        """The error for a key that is not known."""
        return self.fault(name, "this key is not known", f"one of {', '.join(known)}", nearest(name, known))

    def fault(self, name: str, problem: str, expected: str = "", nearest: str = "") -> ConfigError:
        """The error for what is wrong with a key; with `name` empty, with the table."""
        return self.document.fault((*self.path, name) if name else self.path, problem, expected, nearest)

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def value(self, name: str) -> Any:
        """What the file says, or else the default; None where there is neither."""
        if name in self.data:
            return self.data[name]
        default = BY_PATH[f"{self.section}.{name}"].default
        return tomllib.loads(f"value = {default}")["value"] if default else None

    def text(self, name: str, most: int = MAX_TEXT) -> str:
        """A text in one line, at most so many characters long."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self.fault(name, f"{show(value)} is no text", f'text in quotes, such as {name} = "..."')
        if len(value) > most or not value.isprintable():
            raise self.fault(name, f"this is not one line of at most {most:,} characters", "plain text")
        return value

    def choice(self, name: str, options: Sequence[str]) -> Any:
        """One of a few words."""
        value = self.value(name)
        if value not in options:
            expected = " or ".join(f'"{option}"' for option in options)
            hint = nearest(value, options) if isinstance(value, str) else ""
            raise self.fault(name, f"{show(value)} is not one of them", expected, hint)
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.fault(name, f"{show(value)} does not fit", f"a whole number from {least:,} to {most:,}")
        return value

    def span(self, name: str, most: int = MAX_SPAN) -> int:
        """A span of time in microseconds."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self.fault(name, f"{show(value)} is no span of time", 'text such as "90s", "15m", "1h" or "7d"')
        try:
            span = parse_span(self.text(name, MAX_SPELLING))
        except ValueError as error:
            raise self.fault(name, str(error), f"a span of at most {spell_span(most)}") from None
        if span > most:
            raise self.fault(name, f"{show(value)} is too long", f"a span of at most {spell_span(most)}")
        return span

    def days(self, name: str) -> int:
        """A number of whole days, such as `"30d"`, in microseconds."""
        value = self.value(name)
        found = re.fullmatch(r"(\d{1,5})d", value) if isinstance(value, str) else None
        if not found or not 1 <= int(found[1]) <= MAX_KEEP_DAYS:
            expected = f'whole days from "1d" to "{MAX_KEEP_DAYS}d"'
            raise self.fault(name, f"{show(value)} is no number of days", expected)
        return int(found[1]) * DAY

    def names(self, name: str, expected: str, options: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of different, non-empty texts, among `options` where some are given."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self.fault(name, f"{show(value)} is no list", expected)
        for position, item in enumerate(value):
            if not isinstance(item, str) or not item or (options and item not in options):
                hint = nearest(str(item), options)
                raise self.fault(name, f"{show(item)} does not belong here", expected, hint)
            if item in value[:position]:
                raise self.fault(name, f"{show(item)} stands here twice", expected)
        return tuple(value)

    def words(self, name: str, expected: str) -> tuple[str, ...]:
        """A list of texts in their order, at least one and none of them empty."""
        value = self.value(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise self.fault(name, f"{show(value)} does not fit", expected)
        return tuple(value)


def show(value: object) -> str:
    """A value of the file for a message, short and on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
