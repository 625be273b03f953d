"""Where each setting came from: the file and its line, the environment, or nowhere, so that it is the default."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from spendgate.config.keys import KEYS
from spendgate.config.lines import KeyPath, line_of, lines, spell
from spendgate.config.tables import Document, Table
from spendgate.limits import LimitSet

HIDDEN = "***"
HOLDERS = ("notify.mail", "services.fallback")
"""Keys whose tables have keys of their own, which are listed instead."""


class Setting(NamedTuple):
    """One setting in force: its key, its value as TOML has it, and `default`, `file:line` or `env NAME`."""

    key: str
    value: object
    origin: str


def listed(document: Document, limits: LimitSet, env: Mapping[str, str]) -> list[Setting]:
    """Every setting of a document that was read without a fault, in the order of its tables; secrets are masked."""
    stated = lines(document.text)
    found: list[Setting] = []
    for section, path, shown, data in _tables(document, limits):
        table = Table(document, path, section, data)
        for key in (key for key in KEYS if key.table == section):
            name = spell((*shown, key.name))
            if env.get(key.env):
                found.append(Setting(name, masked(env[key.env], key.name), f"env {key.env}"))
            elif key.name in data and not (key.path in HOLDERS and isinstance(data[key.name], dict)):
                line = line_of(stated, (*path, key.name))
                found.append(Setting(name, masked(data[key.name], key.name), _at(document, line)))
            elif key.default:
                found.append(Setting(name, table.value(key.name), "default"))
        found += [
            Setting(spell((*shown, unit)), data[unit], _at(document, line_of(stated, (*path, unit))))
            for unit in data
            if section == "limits" and not _is_key(unit)
        ]
    leaves = _leaves(("prices",), document.data.get("prices", {}))
    return found + [Setting(spell(path), masked(value), _at(document, line_of(stated, path))) for path, value in leaves]


def masked(value: object, name: str = "") -> Any:
    """A value without what is nobody's business: passwords and tokens in addresses, and values that are secrets.

    >>> masked("https://hooks.example.com/T0/B0/xyz"), masked("env:SLACK"), masked("postgresql://me:pw@db/x")
    ('https://hooks.example.com/***', 'env:SLACK', 'postgresql://***@db/x')
    """
    if isinstance(value, Mapping):
        return {inner: masked(item, name) for inner, item in value.items()}
    if isinstance(value, list):
        return [masked(item, name) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str) or value.startswith("env:"):
        return value
    if name == "headers":
        return HIDDEN
    value = re.sub(r"://[^\s'\"]+@", f"://{HIDDEN}@", value)
    return re.sub(r"(https?://[^/?#\s'\"]+)[/?#][^\s'\"]*", rf"\1/{HIDDEN}", value)


def _tables(document: Document, limits: LimitSet) -> list[tuple[str, KeyPath, KeyPath, dict[str, Any]]]:
    """Section, path, path to show, and data of each table that has keys of `KEYS`."""
    data = document.data
    plain = ["gate", "store", "estimate", "tasks", "loops", *(name for name in ("mirror",) if name in data)]
    found: list[tuple[str, KeyPath, KeyPath, dict[str, Any]]] = [
        (section, (section,), (section,), data.get(section, {})) for section in plain
    ]
    for name, table in data.get("services", {}).items():
        here: KeyPath = ("services", name)
        found.append(("services", here, here, table))
        if isinstance(table.get("fallback"), dict):
            found.append(("services.fallback", (*here, "fallback"), (*here, "fallback"), table["fallback"]))
    for position, rule in enumerate(data.get("fresh", [])):
        fresh: KeyPath = ("fresh", position)
        found.append(("fresh", fresh, fresh, rule))
    for position, limit in enumerate(limits.limits):
        shown: KeyPath = ("limits", limit.name)
        found.append(("limits", ("limits", position), shown, data["limits"][position]))
    notify = data.get("notify", [])
    for position, table in enumerate(notify if isinstance(notify, list) else [notify]):
        path: KeyPath = ("notify", position) if isinstance(notify, list) else ("notify",)
        found.append(("notify", path, path, table))
        if "mail" in table:
            mail: KeyPath = (*path, "mail")
            found.append(("notify.mail", mail, mail, table["mail"]))
    return found


def _is_key(name: str) -> bool:
    return any(key.table == "limits" and key.name == name for key in KEYS)


def _at(document: Document, line: int) -> str:
    return f"{document.file}:{line}" if document.file else f"line {line}"


def _leaves(path: KeyPath, value: object) -> list[tuple[KeyPath, object]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves((*path, name), inner)]
    return [(path, value)]
