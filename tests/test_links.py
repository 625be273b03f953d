"""Links in the documentation that lead to another file of the repository."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)


def prose(path: Path) -> str:
    """A page without its code."""
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    titles = (found["title"] for found in HEADING.finditer(prose(path)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A link to a file, or to a heading of one, finds it."""
    for found in LINK.finditer(prose(page)):
        if re.match(r"[a-z]+:", found["target"]):
            continue
        name, _, anchor = found["target"].partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), found["target"]
        assert target == ROOT or ROOT in target.parents, found["target"]
        if anchor:
            assert anchor in anchors(target), found["target"]


def test_the_readme_links_every_page() -> None:
    """Whoever reads the README finds every page below docs/, but for the decisions and what the demo says."""
    linked = {found["target"] for found in LINK.finditer(prose(ROOT / "README.md"))}
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages - linked <= {"docs/demo.md", "docs/replay.md"}
