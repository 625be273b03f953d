"""`python -m bench [NAME ...] [--quick]`: measures, keeps the figures in numbers.json and puts them into the README."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from bench import figures, table
from bench.ledgers import Shelf
from bench.measure import say

BENCHES = {
    "bookings": "reserve + settle beside two bare transactions over the same rows",
    "waiting": "one and four processes on one ledger: percentiles, worst wait, fairness",
    "flat": "ten million entries beside a thousand",
    "jsonl": "a log that is read at each check, beside the ledger",
    "clients": "a wrapped SDK beside the bare one, on loopback",
    "caches": "a watched cache beside the bare one: a dictionary, cachetools, lru_cache, Redis",
    "starting": "import, open, `spendgate --help` and `spendgate status` in fresh processes",
}
"""The benches, in the order of the README; each is a module with a `measure`."""


def main(args: Sequence[str] | None = None) -> int:
    """Runs the benches that are named, or all of them."""
    asked = _parser().parse_args(args)
    if asked.readme:
        table.write_pages(figures.read())
        return 0
    names = [name for name in BENCHES if not asked.names or name in asked.names]
    with tempfile.TemporaryDirectory(prefix="spendgate-bench-", dir=asked.dir) as folder:
        for name in names:
            _run(name, Shelf(Path(folder)), asked.quick)
    return 0


def _run(name: str, shelf: Shelf, quick: bool) -> None:
    say(f"{name}: {BENCHES[name]}")
    measure: Callable[[Shelf, bool], tuple[tuple[figures.Figure, ...], int]] = import_module(f"bench.{name}").measure
    load = os.getloadavg()[0]
    found, alternations = measure(shelf, quick)
    result = figures.result(found, alternations, load)
    print(table.table({name: result}, only_shown=False), end="\n\n", flush=True)
    if not quick:
        kept = figures.read() | {name: result}
        figures.write({one: kept[one] for one in BENCHES if one in kept})
        table.write_pages(figures.read())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures how fast spendgate is.")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *BENCHES], help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller ledgers; only printed, not kept")
    parser.add_argument(
        "--readme",
        action="store_true",
        help="measure nothing, write numbers.json into the README and docs/benchmarks.md",
    )
    parser.add_argument("--dir", help="where to make ledgers, instead of the system's folder for temporary files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
