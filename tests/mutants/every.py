"""Every fault that is planted: those of the ledger, and those of what stands around it."""

from tests.mutants.cache_faults import CACHES
from tests.mutants.client_faults import CLIENTS
from tests.mutants.faults import ALL
from tests.mutants.finding_faults import FINDINGS
from tests.mutants.refusal_faults import REFUSALS

EVERY = (*ALL, *FINDINGS, *CACHES, *CLIENTS, *REFUSALS)
