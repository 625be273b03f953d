"""Draws docs/demo.svg: what `spendgate demo` really printed, just now. `make picture` runs it."""

import re
import sys
from pathlib import Path

from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from spendgate.cli import main

WIDTH = 104


def draw(target: Path) -> int:
    """Plays the night and writes what was said about it as a picture."""
    result = CliRunner(env={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "0"}).invoke(main, ["demo"], color=True)
    if result.exit_code == 0:
        console = Console(record=True, width=WIDTH, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115, PTH123
        console.print(Text.from_ansi("$ spendgate demo\n" + result.output.rstrip()))
        picture = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="spendgate demo"), flags=re.DOTALL)
        target.write_text(picture, encoding="utf-8")  # without fonts from elsewhere: the reader's own will do
    sys.stdout.write(result.output)
    return result.exit_code


if __name__ == "__main__":
    sys.exit(draw(Path(__file__).with_name("demo.svg")))
