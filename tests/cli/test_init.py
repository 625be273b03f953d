"""`spendgate init`: a whole configuration or none, and the ledger out of git."""

from pathlib import Path

import pytest

from spendgate.config import TEMPLATE, load
from tests.cli.conftest import Desk


def test_init_writes_a_configuration_that_loads(empty: Desk) -> None:
    """The written file has the four limits of the template and is accepted as it stands."""
    result = empty.run("init")
    assert result.exit_code == 0
    assert [limit.name for limit in load(empty.folder / "spendgate.toml", {}).limits.limits] == [
        "hourly",
        "six-hourly",
        "daily",
        "total",
    ]
    assert "gate = spendgate.open()" in result.stderr


def test_init_never_overwrites(desk: Desk) -> None:
    """An existing file is left as it is, and nothing else is left behind."""
    before = (desk.folder / "spendgate.toml").read_bytes()
    assert "--force" in desk.fails("init")
    assert (desk.folder / "spendgate.toml").read_bytes() == before
    assert [path.name for path in desk.folder.iterdir()] == ["spendgate.toml"]


def test_force_keeps_the_old_file(desk: Desk) -> None:
    """With --force the old configuration is kept beside the new one."""
    before = (desk.folder / "spendgate.toml").read_text(encoding="utf-8")
    desk.ok("init", "--force")
    assert (desk.folder / "spendgate.toml").read_text(encoding="utf-8") == TEMPLATE
    assert (desk.folder / "spendgate.toml.bak").read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ".spendgate/\n"),
        ("*.pyc\n", "*.pyc\n.spendgate/\n"),
        ("*.pyc", "*.pyc\n.spendgate/\n"),
        ("/.spendgate\n", "/.spendgate\n"),
        (".spendgate/\n*.pyc\n", ".spendgate/\n*.pyc\n"),
    ],
)
def test_the_ledger_is_kept_out_of_git(empty: Desk, before: str | None, after: str) -> None:
    """In a git repository the ledger's folder is added to .gitignore once, and only where it is not there."""
    (empty.folder / ".git").mkdir()
    ignore = empty.folder / ".gitignore"
    if before is not None:
        ignore.write_text(before, encoding="utf-8")
    empty.ok("init")
    assert ignore.read_text(encoding="utf-8") == after


def test_a_line_of_the_repository_covers_its_folders(empty: Desk) -> None:
    """Where the repository's own .gitignore covers the ledger, a folder below needs none."""
    (empty.folder / ".git").mkdir()
    (empty.folder / ".gitignore").write_text(".spendgate/\n", encoding="utf-8")
    empty.ok("init", "--dir", "services/research")
    assert [path.name for path in (empty.folder / "services/research").iterdir()] == ["spendgate.toml"]


def test_without_git_there_is_no_gitignore(empty: Desk) -> None:
    """Outside of a repository only the configuration is written."""
    empty.ok("init")
    assert [path.name for path in empty.folder.iterdir()] == ["spendgate.toml"]


def test_where_nothing_can_be_written_it_says_so(empty: Desk) -> None:
    """A folder that is none is an error with exit code 2, and nothing is half-written."""
    (empty.folder / "file").write_text("", encoding="utf-8")
    said = empty.fails("init", "--dir", str(Path("file") / "below"))
    assert "cannot be written" in said
    assert [path.name for path in empty.folder.iterdir()] == ["file"]
