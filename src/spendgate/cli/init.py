"""`spendgate init`: a commented configuration, the ledger kept out of git, and what to do next."""

import os
import secrets
from pathlib import Path

import click

from spendgate.cli.printing import say, show
from spendgate.errors import ConfigError

IGNORED = ".spendgate/"
ALREADY = {IGNORED, ".spendgate", "/.spendgate", "/.spendgate/", "**/.spendgate", "**/.spendgate/", ".*"}
"""Lines of a .gitignore that keep the ledger out of git."""

NEXT = """\
Next, in your program:

    import spendgate
    gate = spendgate.open()
    with gate.call("my-api", service="my-service", at_most="0.01") as call: ...

`spendgate limits check` says in words what may be spent, `spendgate status` what is left, `spendgate demo` shows a
runaway being stopped."""


@click.command(short_help="Write a commented spendgate.toml.")
@click.option("--force", is_flag=True, help="Replace an existing spendgate.toml; the old one is kept as .bak.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to write it to, instead of this one.",
)
def init(force: bool, folder: Path) -> None:
    """Writes spendgate.toml with limits of $5 an hour, $15 in six hours and $50 a day for each service, and a total.

    In a git repository it also adds `.spendgate/`, where the ledger is kept, to .gitignore.

    \b
    Examples:
      spendgate init
      spendgate init --dir services/research
    """  # noqa: D301 - click reads the \b itself
    from spendgate.config import NAME, TEMPLATE

    file = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _place(file, TEMPLATE, force)
        ignored = _ignore(folder)
    except OSError as error:
        raise ConfigError(f"it cannot be written: {error.strerror}", file=str(file)) from None
    show(f"Wrote {file}" + (f", and added {IGNORED} to {ignored}." if ignored else "."))
    above = _above(folder, NAME)
    if above:
        say(f"There is another one in {above.parent}; programs in and below {folder.resolve()} now use the new one.")
    say()
    say(NEXT)


def _place(file: Path, text: str, force: bool) -> None:
    """Writes a file whole or not at all; one that is there is replaced only by force."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with fresh.open("x", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if force and file.exists():
            file.replace(file.with_name(file.name + ".bak"))
        os.link(fresh, file)
    except FileExistsError:
        problem = "there is one already, and it was left as it is; --force replaces it"
        raise ConfigError(problem, file=str(file)) from None
    finally:
        fresh.unlink(missing_ok=True)


def _ignore(folder: Path) -> Path | None:
    """Keeps the ledger out of git; the .gitignore that was changed, or None where nothing was to do."""
    here = folder.resolve()
    root = next((place for place in (here, *here.parents) if (place / ".git").exists()), None)
    if root is None:
        return None
    for place in (here, *here.parents):
        if _lines(place / ".gitignore") & ALREADY:
            return None
        if place == root:
            break
    target = folder / ".gitignore"
    text = target.read_text(encoding="utf-8", errors="surrogateescape") if target.exists() else ""
    gap = "" if not text or text.endswith("\n") else "\n"
    with target.open("a", encoding="utf-8", errors="surrogateescape") as out:
        out.write(f"{gap}{IGNORED}\n")
    return target


def _lines(file: Path) -> set[str]:
    try:
        return {line.strip() for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()}
    except OSError:
        return set()


def _above(folder: Path, name: str) -> Path | None:
    return next((place / name for place in folder.resolve().parents if (place / name).is_file()), None)
