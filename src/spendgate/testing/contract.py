"""What every store must do, as tests that its author runs.

Subclass `StoreContract` in a test module, say how to make a store, and let pytest collect it:

    class TestMyStore(StoreContract):
        def make_store(self, tmp_path):
            return MyStore(tmp_path / "ledger")

        def reopen(self, store):        # only where the ledger outlives the handle
            return MyStore(store.path)

`docs/stores.md` says what the checks are about.
"""

import sys

PARTS = (
    *("caches", "clocks", "episodes", "findings", "limiting", "records", "reservations", "setup", "tasks", "versions"),
)

if "pytest" in sys.modules:  # its failures then show the values that were compared
    sys.modules["pytest"].register_assert_rewrite(*(f"spendgate.testing.store_{part}" for part in PARTS))

from spendgate.testing.store_caches import CacheChecks  # noqa: E402
from spendgate.testing.store_clocks import ClockChecks  # noqa: E402
from spendgate.testing.store_episodes import EpisodeChecks  # noqa: E402
from spendgate.testing.store_findings import FindingChecks  # noqa: E402
from spendgate.testing.store_limiting import LimitChecks  # noqa: E402
from spendgate.testing.store_records import RecordChecks  # noqa: E402
from spendgate.testing.store_reservations import ReservationChecks  # noqa: E402
from spendgate.testing.store_tasks import TaskChecks  # noqa: E402
from spendgate.testing.store_versions import VersionChecks  # noqa: E402


class StoreContract(
    ReservationChecks,
    LimitChecks,
    VersionChecks,
    EpisodeChecks,
    ClockChecks,
    RecordChecks,
    TaskChecks,
    FindingChecks,
    CacheChecks,
):
    """The whole contract: a store is whatever passes this.

    Required: `make_store`. Optional: `reopen`, and `max_scopes` where `make_store` makes stores with fewer scopes.
    """
