"""Runs the model against the sources in `SPENDGATE_MUTANT`: exit code 42 when it notices, 0 when it does not.

The examples are the same each time, and the first failure is enough: nothing is shrunk, nothing is remembered.
"""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import spendgate
from spendgate.errors import SpendgateError
from tests.stores.test_model import MemoryLedgers

NOTICED, BROKEN = 42, 3


def main(examples: int) -> int:
    """Says in its exit code whether the model noticed."""
    if not Path(spendgate.__file__ or "").is_relative_to(os.environ["SPENDGATE_MUTANT"]):
        print(f"these are not the sources to be tested: {spendgate.__file__}")
        return BROKEN
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(MemoryLedgers, settings=chosen)
    except Exception as found:  # noqa: BLE001 - several failures come as a group
        several = found.exceptions if isinstance(found, ExceptionGroup) else (found,)
        for one in several:
            print(f"{type(one).__name__}: {str(one)[:200]}")
        return NOTICED if any(isinstance(one, AssertionError | SpendgateError) for one in several) else BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
