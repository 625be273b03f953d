"""Imported calls into a ledger, a batch at a time: nobody who spends waits while a log is read."""

from collections.abc import Callable, Iterable
from itertools import islice

from spendgate.history.results import Counts, Imported
from spendgate.ledger import Store

BATCH = 500


def load(store: Store, results: Iterable[Imported], progress: Callable[[Counts], None] | None = None) -> Counts:
    """Adds what is new to the ledger and counts everything; `progress` is called after each batch.

    What the ledger has already, imported before or made by itself, is counted as `known` and left alone.

    Raises:
        StoreError: the ledger cannot be written. Batches before that are in it; importing again adds the rest.
    """
    counts = Counts()
    entries = counts.entries_of(results)
    while batch := list(islice(entries, BATCH)):
        # A ledger's own export names its own entries: those are no history.
        foreign = [entry for entry in batch if entry.id.startswith("import-") or store.entry(entry.id) is None]
        added, known = store.add_imported(foreign)
        counts.added += added
        counts.known += known + len(batch) - len(foreign)
        if progress is not None:
            progress(counts)
    return counts
