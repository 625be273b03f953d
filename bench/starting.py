"""How long until spendgate is there: imported, opened, asked on the command line? Every run is a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

from bench.figures import Figure, figure
from bench.ledgers import Shelf
from bench.measure import QUICK_ALTERNATIONS, Side, alternate, median_with_interval, paired_difference, paired_ratio

ROUNDS = 40
SMALL = 1000
LARGE = 1_000_000
QUICK_LARGE = 20_000
WANTED_IMPORT_MS = 100.0
WANTED_STATUS_MS = 500.0
IMPORT = "import spendgate"
OPEN = "import spendgate; spendgate.open()"


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ROUNDS
    entries = QUICK_LARGE if quick else LARGE
    large, small = shelf.ledger(entries), shelf.ledger(SMALL)
    spendgate = str(Path(sys.executable).with_name("spendgate"))
    sides = {
        "pass": _started([sys.executable, "-c", "pass"], small.folder),
        "import": _started([sys.executable, "-c", IMPORT], small.folder),
        "open": _started([sys.executable, "-c", OPEN], small.folder),
        "help": _started([spendgate, "--help"], small.folder),
        "status": _started([spendgate, "status"], large.folder),
    }
    seconds = alternate(sides, rounds, warm_up=2)
    millis = {name: [one * 1000 for one in spans.wall] for name, spans in seconds.items()}
    took = {name: median_with_interval(spans) for name, spans in millis.items()}
    more = {name: paired_difference(spans, millis["pass"]) for name, spans in millis.items()}
    times = {name: paired_ratio(spans, millis["pass"]) for name, spans in millis.items()}
    status = f"`spendgate status` on {entries:,} entries"
    return (
        figure(
            "import_ms", "`import spendgate`, beyond `python -c pass`", "ms", more["import"], wanted=WANTED_IMPORT_MS
        ),
        figure("open_ms", "`import spendgate; spendgate.open()`, beyond `python -c pass`", "ms", more["open"]),
        figure("help_ms", "`spendgate --help`, the whole process", "ms", took["help"]),
        figure("status_ms", f"{status}, the whole process", "ms", took["status"], wanted=WANTED_STATUS_MS),
        figure("pass_ms", "`python -c pass`, the whole process", "ms", took["pass"], shown=False),
        figure("import_all_ms", "`python -c 'import spendgate'`, the whole process", "ms", took["import"], shown=False),
        *(
            figure(f"{name}_times", f"{name}, against `python -c pass`", "x", times[name], shown=False)
            for name in ("import", "open", "help", "status")
        ),
    ), rounds


def _started(command: list[str], folder: Path) -> Side:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPENDGATE_")}

    def run(_: int) -> None:
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    return Side(run)
