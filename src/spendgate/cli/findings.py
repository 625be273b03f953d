"""What an examination finds: one line each, with what to do where something is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import click

from spendgate.cli.printing import counted, print_json, say, show

Level = Literal["ok", "warning", "problem"]
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` is what was examined, `text` what was found, `remedy` what to do about it."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", text)


def warning(name: str, text: str, remedy: str = "") -> Finding:
    """Something to look at; nothing is lost."""
    return Finding(name, "warning", text, remedy)


def problem(name: str, text: str, remedy: str = "") -> Finding:
    """Something that must be put right."""
    return Finding(name, "problem", text, remedy)


def print_findings(found: Iterable[Finding]) -> None:
    """Prints findings as they come."""
    for one in found:
        level = click.style(f"{one.level:8}", fg=COLOURS[one.level])
        show(f"{level} {one.name:12} {one.text}")
        if one.remedy:
            show(f"{'':22}-> {one.remedy}")


def findings_data(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as plain data."""
    return [{"name": one.name, "level": one.level, "text": one.text, "remedy": one.remedy or None} for one in found]


def summed_up(found: Iterable[Finding]) -> str:
    """How it stands, in a line."""
    levels = [one.level for one in found]
    problems, warnings = levels.count("problem"), levels.count("warning")
    if not problems and not warnings:
        return "All is well."
    return f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}."


def print_all(found: list[Finding], as_json: bool) -> None:
    """Prints all findings, as text or as JSON."""
    if as_json:
        print_json({"ok": all(one.level != "problem" for one in found), "findings": findings_data(found)})
        return
    print_findings(found)
    say(summed_up(found))
