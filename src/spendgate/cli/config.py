"""`spendgate config show`: every setting in force, and where it came from."""

import json

import click

from spendgate.cli.printing import Column, json_option, print_json, say, show, table
from spendgate.cli.session import Session


@click.group(short_help="Show the settings in force.")
def config() -> None:
    """The settings in force, and where they came from."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each came from: file and line, environment, or default.")
@json_option
@click.pass_obj
def show_settings(session: Session, origin: bool, as_json: bool) -> None:
    """Lists every setting in force, defaults included. Secrets are masked.

    \b
    Examples:
      spendgate config show
      spendgate config show --origin | grep -v default
    """  # noqa: D301 - click reads the \b itself
    from spendgate.config import origins

    settings = session.settings()
    assert settings.file is not None  # noqa: S101 - `load` reads files
    found = origins(settings.file.read_text(encoding="utf-8-sig"), str(settings.file), session.env)
    if as_json:
        rows = [{"key": one.key, "value": one.value, "origin": one.origin} for one in found]
        print_json({"file": str(settings.file), "settings": rows})
        return
    say(f"from {settings.file}")
    if not origin:
        for one in found:
            show(f"{one.key} = {_toml(one.value)}")
        return
    columns = (Column("setting"), Column("value", cut=True), Column("from"))
    show(table(columns, [(one.key, _toml(one.value), one.origin) for one in found]))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{name} = {_toml(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
