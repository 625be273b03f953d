"""The house rules of CONTRIBUTING.md that a machine can check."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

SRC = ROOT / "src" / "spendgate"
MODULES = sorted(SRC.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

MODULE_LINES = 400
FUNCTION_LINES = 50
VAGUE_NAMES = {"core", "utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}

TIME_READERS = {
    "asyncio.sleep",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.gmtime",
    "time.localtime",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "time.time",
    "time.time_ns",
}
SLEEPS = {"asyncio.sleep", "time.sleep"}

# Modules that may read time themselves, and why. Everything below a directory may, where the name ends in "/".
MAY_READ_TIME = {
    "clock.py": "it is the clock",
}
# Modules that may use sqlite3, and why.
MAY_USE_SQLITE3 = {
    "cli/demo/pipeline/results.py": "its table is in memory, and no file of a ledger",
}
# Tests that may sleep, and why.
MAY_SLEEP: dict[str, str] = {}

# `import spendgate` must stay fast: these come in when they are used.
LAZY = {
    "anyio",
    "apprise",
    "asyncio",
    "click",
    "genai_prices",
    "http.client",
    "httpx",
    "httpx2",
    "jinja2",
    "numpy",
    "pydantic",
    "rich",
    "smtplib",
    "starlette",
    "urllib.request",
    "uvicorn",
}

# Hosts of package registries, in two parts so that this file does not name them either.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi", "python.org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("deb.debian", "org"),
        ("conda", "anaconda.org"),
    ]
]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """The lines of a function from `def` on, its docstring not counted."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def imported(module: ast.Module) -> dict[str, str]:
    """Local names and the dotted names that they were imported as, wherever in the module."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` as text, or None for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return None


def uses(module: ast.Module, banned: Iterable[str]) -> list[tuple[int, str]]:
    """Where a module mentions one of the banned dotted names, under whatever local name."""
    names, wanted, found = imported(module), set(banned), []
    for node in ast.walk(module):
        if isinstance(node, ast.Name | ast.Attribute) and (spelt := dotted(node)):
            top, _, rest = spelt.partition(".")
            full = f"{names.get(top, top)}.{rest}".rstrip(".")
            if top in names and full in wanted:
                found.append((node.lineno, full))
    return found


def imports_of(module: ast.Module) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    return {name.partition(".")[0] for name in imported(module).values()}


def allowed(path: Path, exceptions: Iterable[str]) -> bool:
    name = path.relative_to(SRC if path.is_relative_to(SRC) else ROOT / "tests").as_posix()
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in exceptions)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_modules_are_short(path: Path) -> None:
    """No module is longer than a person reads in one sitting."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_functions_are_short(path: Path) -> None:
    """No function is longer than a screen, its docstring not counted."""
    long = {node.name: body_lines(node) for node in functions(path) if body_lines(node) > FUNCTION_LINES}
    assert not long, f"functions over {FUNCTION_LINES} lines: {long}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_modules_have_names_that_say_something(path: Path) -> None:
    """No module or package has a name under which anything could be put."""
    assert not VAGUE_NAMES & {part.removesuffix(".py").strip("_") for part in path.relative_to(SRC).parts}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_the_clock_reads_time(path: Path) -> None:
    """Every other module is handed an instant, so that its decisions can be tested as a table."""
    if not allowed(path, MAY_READ_TIME):
        assert not uses(tree(path), TIME_READERS)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_the_sqlite_store_opens_databases(path: Path) -> None:
    """Only stores/sqlite* imports apsw, and nobody opens files with sqlite3: it would drop apsw's locks."""
    packages = imports_of(tree(path))
    assert "sqlite3" not in packages or allowed(path, MAY_USE_SQLITE3)
    assert "apsw" not in packages or path.relative_to(SRC).as_posix().startswith("stores/sqlite")


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_tests_do_not_sleep(path: Path) -> None:
    """A test moves a fake clock or waits for the thing itself, never for time to pass."""
    if not allowed(path, MAY_SLEEP):
        assert not uses(tree(path), SLEEPS)


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_tests_say_what_must_hold(path: Path) -> None:
    """Every test has a docstring of one sentence that says what must hold."""
    for function in functions(path):
        if function.name.startswith("test_"):
            text = ast.get_docstring(function) or ""
            assert re.fullmatch(r"\S[^\n]*(\n[^\n]+)*[.!?]", text), (
                f"{function.name}: {text!r} is not one sentence with a full stop"
            )


def test_exceptions_still_exist() -> None:
    """A file that is gone needs no exception."""
    entries = [SRC / name for name in MAY_READ_TIME] + [ROOT / "tests" / name for name in MAY_SLEEP]
    assert [entry for entry in entries if not entry.exists()] == []


def test_import_is_light() -> None:
    """`import spendgate` brings in nothing heavy: those parts are imported where they are used."""
    program = (
        "import json, sys; before = set(sys.modules); import spendgate; print(json.dumps([*{*sys.modules} - before]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(json.loads(done.stdout))
    assert not loaded & LAZY


def test_no_file_names_a_package_registry() -> None:
    """Requirement files pin names, versions and hashes; where packages come from is the reader's own setting."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    pattern = re.compile("|".join(map(re.escape, REGISTRIES)).encode())
    files = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    assert files
    assert [named(path) for path in files if path.is_file() and pattern.search(path.read_bytes())] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.time()", ["time.time"]),
        ("import time as t\nt.monotonic()", ["time.monotonic"]),
        ("from time import sleep as nap\nnap(1)", ["time.sleep"]),
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", ["datetime.datetime.now"]),
        ("import datetime as dt\ndt.datetime.utcnow()", ["datetime.datetime.utcnow"]),
        ("from dataclasses import field\nimport time\nfield(default_factory=time.time)", ["time.time"]),
        ("def now(clock):\n    import datetime\n    return datetime.date.today()", ["datetime.date.today"]),
        ("from datetime import datetime\ndatetime.fromtimestamp(0)", []),
        ("import time\ntime.strftime('%Y')", []),
        ("clock.time.time()", []),
    ],
)
def test_time_is_found_under_any_name(source: str, found: list[str]) -> None:
    """The rule sees through aliases, and does not mind other methods of the same names."""
    assert [name for _, name in uses(ast.parse(source), TIME_READERS)] == found


def test_docstrings_do_not_count_as_code() -> None:
    """A function is as long as its code, from `def` to the last line."""
    (function,) = ast.parse('@decorated\ndef f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 2
