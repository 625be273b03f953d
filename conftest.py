"""Documents are tests: every Python and console block, and every doctest, is run as a reader would run it."""

from contextlib import ExitStack, chdir
from doctest import ELLIPSIS
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.integration import pytest as sybil_pytest
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import SkipParser

from tests.docs_blocks import console_blocks, file_blocks, python_blocks, reader_environment


def enter(namespace: dict[str, Any]) -> None:
    """Gives a document an empty directory to work in and an environment like a reader's."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="spendgate-docs-"))).resolve()
        stack.enter_context(chdir(place))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in reader_environment(place).items():
            if value is None:
                patch.delenv(name, raising=False)
            else:
                patch.setenv(name, value)
        namespace["_leave"] = stack.pop_all().close


def leave(namespace: dict[str, Any]) -> None:
    """Removes what the document left behind."""
    namespace.pop("_leave")()


DOCUMENTS = Sybil(
    parsers=[SkipParser(), file_blocks, python_blocks, console_blocks],
    patterns=["*.md"],
    excludes=["docs/decisions/*.md"],
    setup=enter,
    teardown=leave,
)

DOCSTRINGS = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS)],
    path="src",
    patterns=["*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=enter,
    teardown=leave,
)

pytest_collect_file = sybil_pytest.pytest_integration(DOCUMENTS, DOCSTRINGS)
