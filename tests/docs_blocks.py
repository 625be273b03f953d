"""What the blocks of a Markdown document do when the document is tested.

- A ```python block is run; blocks of one document share their names and a working directory of their own.
- A ```console block with a `spendgate` command in it is run line by line in one shell: each `$ ` line is a command, the
  lines below it are what it must print (stdout and stderr together), and `...` stands for anything. A command must
  succeed, unless the next one is `echo $?`. A block without `spendgate` (`git clone`, `make`) is only shown.
- A block of any language below `<!-- file: spendgate.toml -->` is written to that file.
- `<!-- skip: next -->` leaves the next block out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from doctest import ELLIPSIS, OutputChecker
from doctest import Example as Expectation
from pathlib import Path

from sybil import Document, Example, Region
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

FILE = re.compile(r"^<!-- file: (?P<name>[^\s>]+) -->\n\s*^```[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SPENDGATE = re.compile(r"(?:^|[|;&(]\s*|\w+=\S*\s+)spendgate\b")
MARK = "--- status of the command above:"
TIMEOUT_S = 120


@dataclass(frozen=True)
class Step:
    """One command of a console block and what it must print."""

    command: str
    expected: str


def reader_environment(place: Path) -> dict[str, str | None]:
    """The variables that differ from ours when a reader works in `place`; None for those a reader has not set."""
    ours: dict[str, str | None] = {name: None for name in os.environ if name.startswith("SPENDGATE_")}
    return ours | {
        "COLUMNS": "100",
        "FORCE_COLOR": None,
        "HOME": str(place),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "TERM": "dumb",
        "TZ": "UTC",
    }


def steps(block: str) -> list[Step]:
    """The commands of a console block, each with the output shown below it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise ValueError(f"a console block begins with a command after `$ `, not with {line!r}")
        elif found[-1][0][-1].endswith("\\") and not found[-1][1]:
            found[-1][0].append(line.removeprefix("> "))
        else:
            found[-1][1].append(line)
    return [Step("\n".join(command), "\n".join(output)) for command, output in found]


def play(todo: list[Step], env: Mapping[str, str] | None = None) -> list[tuple[str, int]]:
    """Runs the commands in one shell; what each printed and its exit code, up to the one that ended the shell."""
    script = "\n".join(f"{step.command}\nset -- $?; printf '\\n{MARK} %d\\n' $1; (exit $1)" for step in todo)
    done = subprocess.run(
        ["sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )
    *finished, rest = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
    results = [(output, int(status)) for output, status in zip(finished[::2], finished[1::2], strict=True)]
    return results if len(results) == len(todo) else [*results, (rest, done.returncode)]


def plain(text: str) -> str:
    """Text as it is compared: without blanks at the end of lines, without empty lines around."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def complaint(todo: list[Step], results: list[tuple[str, int]]) -> str | None:
    """The first difference between what a block shows and what its commands did, or None."""
    checker = OutputChecker()
    for number, step in enumerate(todo):
        if number >= len(results):
            return f"$ {step.command}\nnot run: the shell ended before it"
        output, status = results[number]
        want, got = plain(step.expected), plain(output)
        if not checker.check_output(want, got, ELLIPSIS):
            return (
                f"$ {step.command}\n{checker.output_difference(Expectation('', want), got, ELLIPSIS)}exit code {status}"
            )
        asked = number + 1 < len(todo) and todo[number + 1].command == "echo $?"
        if status and not asked:
            return f"$ {step.command}\nfailed with exit code {status}; if that is meant, show it with `$ echo $?`"
    return None


def is_run(todo: Iterable[Step]) -> bool:
    """Whether a console block is run: it has a `spendgate` command in it."""
    return any(SPENDGATE.search(step.command) for step in todo)


def evaluate_console(example: Example) -> str | None:
    """Runs a console block in the document's working directory."""
    todo = steps(example.parsed)
    return complaint(todo, play(todo)) if is_run(todo) else None


def write_file(example: Example) -> None:
    """Writes a block that names a file to that file, below the document's working directory."""
    name, text = example.parsed
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} is not below the working directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def file_blocks(document: Document) -> Iterable[Region]:
    """Blocks that name the file they are written to."""
    for match in FILE.finditer(document.text):
        yield Region(match.start(), match.end(), parsed=(match["name"], match["text"]), evaluator=write_file)


def elsewhere(document: Document, regions: Iterable[Region]) -> Iterable[Region]:
    """The regions that no file block covers."""
    taken = [match.span() for match in FILE.finditer(document.text)]
    return (region for region in regions if not any(start <= region.start < end for start, end in taken))


def python_blocks(document: Document) -> Iterable[Region]:
    """Python blocks, run as they stand or, where they begin with `>>>`, as doctests."""
    return elsewhere(document, PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)(document))


def console_blocks(document: Document) -> Iterable[Region]:
    """Console blocks."""
    return elsewhere(document, CodeBlockParser("console", evaluate_console)(document))
