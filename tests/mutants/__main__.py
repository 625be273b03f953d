"""`python -m tests.mutants [WORD...]`: plants the faults whose names have one of the words in them, or all."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.cache_faults import CACHES
from tests.mutants.faults import ALL
from tests.mutants.finding_faults import FINDINGS
from tests.mutants.planting import Outcome, hunt


def main(words: list[str]) -> int:
    """Prints a table as the answers come; 1 if a fault survives."""
    faults = [fault for fault in (*ALL, *FINDINGS, *CACHES) if not words or any(word in fault.name for word in words)]
    survivors: list[Outcome] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as several:
        for number, outcome in enumerate(several.map(hunt, faults), 1):
            verdict = f"caught by {outcome.by}" if outcome.caught else "SURVIVES"
            print(f"{number:3}/{len(faults)}  {outcome.fault.name:<62} {outcome.fault.path:<22} {verdict}", flush=True)
            survivors += [] if outcome.caught else [outcome]
    print(f"{len(faults) - len(survivors)} of {len(faults)} faults were caught.")
    return 1 if survivors or not faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
