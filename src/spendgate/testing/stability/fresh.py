"""A fresh interpreter that makes keys for `interpreters`: `main` is all that it runs.

It finds the pickle of a `Request` in a folder, and writes that of its `Answer` beside it.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import locale
import os
import pickle
import platform
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from spendgate.testing.stability.calling import Arguments, call
from spendgate.testing.stability.moving import stopped
from spendgate.testing.stability.sources import Trace

HOST = "another-host"


@dataclass(frozen=True, slots=True)
class Request:
    """What an interpreter is asked.

    Attributes:
        path: where modules are found.
        files: modules of the asking process that may not be found there, and whether they are packages.
        target: the function: a module and the name in it, or its pickle.
        examples: a pickle of the arguments.
        imported_at: the instant at which the function's module is imported.
        instants: when to make the keys.
        renamed: whether the machine goes by another name.
        situations: whether the working directory, the environment and the locale are changed too.
    """

    path: tuple[str, ...]
    files: Mapping[str, tuple[str, bool]]
    target: tuple[str, str] | bytes
    examples: bytes
    imported_at: int
    instants: tuple[int, ...]
    renamed: bool = False
    situations: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A key that changed with the interpreter's surroundings: which example, why, before and after."""

    example: int
    source: str
    detail: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an interpreter found: for every instant the outcome of every example, by kind and as shown; or its fault."""

    outcomes: tuple[tuple[tuple[str, str], ...], ...] = ()
    change: Change | None = None
    fault: str = ""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules that only the asking process knew how to find."""

    def __init__(self, files: Mapping[str, tuple[str, bool]]) -> None:
        self._files = files

    def find_spec(
        self,
        name: str,
        path: Any,  # noqa: ARG002 - part of the protocol
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._files:
            return None
        file, is_package = self._files[name]
        places = [str(Path(file).parent)] if is_package else None
        return importlib.util.spec_from_file_location(name, file, submodule_search_locations=places)


def main(place: str) -> None:
    """Answers the request in a folder."""
    folder = Path(place)
    with (folder / "request").open("rb") as file:
        request: Request = pickle.load(file)  # noqa: S301 - written by the process that started this one
    sys.path[:] = request.path
    sys.meta_path.append(_Finder(request.files))
    try:
        answer = _answer(request)
    except Exception as error:  # noqa: BLE001 - the asking process reports it
        answer = Answer(fault=f"{type(error).__name__}: {error}")
    with (folder / "answer").open("wb") as file:
        pickle.dump(answer, file)


def _answer(request: Request) -> Answer:
    if request.renamed:
        _rename()
    with stopped(request.imported_at) as move_to:
        function = _function(request.target)
        examples: list[Arguments] = pickle.loads(request.examples)  # noqa: S301
        outcomes = []
        for at in request.instants:
            move_to(at)
            outcomes.append(tuple((one.kind, one.shown) for one in (call(function, given) for given in examples)))
        change = _changed(function, examples) if request.situations else None
    return Answer(tuple(outcomes), change)


def _function(target: tuple[str, str] | bytes) -> Callable[..., Any]:
    if isinstance(target, bytes):
        found: Callable[..., Any] = pickle.loads(target)  # noqa: S301
        return found
    value: Any = importlib.import_module(target[0])
    for name in target[1].split("."):
        value = getattr(value, name)
    made: Callable[..., Any] = value
    return made


def _rename() -> None:
    """Lets this machine go by another name."""
    before = os.uname()
    changed = os.uname_result((before.sysname, HOST, *before[2:]))
    os.uname = lambda: changed
    socket.gethostname = lambda: HOST
    socket.getfqdn = lambda name="": HOST  # noqa: ARG005
    platform.node = lambda: HOST


def _changed(function: Callable[..., Any], examples: list[Arguments]) -> Change | None:
    """Makes keys in other surroundings; what raises there says nothing."""
    for number, given in enumerate(examples[:5]):
        trace = Trace()
        first = call(function, given, trace)
        for source, detail, around in _surroundings(trace.variables):
            with around:
                second = call(function, given)
            if first.kind == second.kind == "key" and not first.alike(second):
                return Change(number, source, detail, first.shown, second.shown)
    return None


def _surroundings(variables: set[str]) -> Iterator[tuple[str, str, Any]]:
    yield "working directory", "os.getcwd()", _elsewhere()
    for name in sorted(variables):
        yield "environment", f"os.environ[{name!r}]", _variable(name)
    yield "locale", "", _spoken_otherwise()
    for name in ("C", "C.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "en_US.UTF-8"):
        yield "locale", f"locale.setlocale(LC_ALL, {name!r})", _locale(name)


@contextmanager
def _elsewhere() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(before)


@contextmanager
def _variable(name: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = f"{before or ''}other"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _spoken_otherwise() -> Iterator[None]:
    """Numbers with a comma, as the standard library's own tests do it: also where no other locale is installed."""
    known = getattr(locale, "_override_localeconv", None)
    if known is None:
        yield
        return
    before = dict(known)
    known.update(decimal_point=",", thousands_sep=".", grouping=[3, 3, 0])
    try:
        yield
    finally:
        known.clear()
        known.update(before)


@contextmanager
def _locale(name: str) -> Iterator[None]:
    before = locale.setlocale(locale.LC_ALL)
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, name)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_ALL, before)
