"""Copies of a ledger as a crash would leave it, ways to harm them, and whether the harm was noticed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from spendgate.errors import StoreError
from spendgate.ledger import Entry, Standing
from spendgate.stores.sqlite import SqliteStore
from spendgate.testing.fakeclock import START_AT
from tests.stores.faults.ledgers import held

FILES = ("ledger.db", "ledger.db-wal", "ledger.db.head")


@dataclass(frozen=True)
class Image:
    """A ledger's files at one moment, and what they hold."""

    folder: Path
    entries: dict[str, Entry]
    standings: dict[tuple[str, str], tuple[int, int]]

    def copy(self, folder: Path, *names: str) -> Path:
        """The ledger in a folder, or some of its files over what is there."""
        folder.mkdir(exist_ok=True)
        for name in names or FILES:
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)
        return folder / "ledger.db"


def image(store: SqliteStore, folder: Path) -> Image:
    """What would be left if the machine's power, but not its disk, went off now."""
    folder.mkdir()
    for name in FILES:
        source = store.path.with_name(name)
        if source.exists():
            (folder / name).write_bytes(bytes_of(source))
    return Image(folder, entries_of(store), standings_of(store))


def bytes_of(path: Path) -> bytes:
    """A file's bytes. Closing a descriptor of a ledger drops its locks in this process, so another one reads it."""
    import subprocess

    return subprocess.run(["cat", str(path)], capture_output=True, check=True).stdout


def entries_of(store: SqliteStore) -> dict[str, Entry]:
    """Every entry by its id."""
    return {entry.id: entry for entry in store.entries()}


def standings_of(store: SqliteStore) -> dict[tuple[str, str], tuple[int, int]]:
    """What every limit has spent and held, by name and scope."""
    found: list[Standing] = store.standings(store.totals().latest_at)
    return {(one.limit.name, one.scope): (one.spent, one.held) for one in found}


def notices(path: Path, whole: Image) -> str:
    """Where the harm done to a ledger was noticed: `opening`, `deciding` or `checking`; empty if nothing was lost.

    Raises:
        AssertionError: something was lost and nobody said so.
    """
    try:
        store = SqliteStore(path)
    except StoreError:
        return "opening"
    try:
        return said_by(store, whole)
    finally:
        store.close()


def said_by(store: SqliteStore, whole: Image) -> str:
    """The same for a ledger that is open."""
    try:
        mine = held(store, max((one.held_at for one in whole.entries.values()), default=START_AT), "another")
    except StoreError:
        return "deciding"
    try:
        if store.check() != []:
            return "checking"
        now = entries_of(store)
        del now[mine]
        assert now == whole.entries, "entries were lost, and nobody said so"
        assert store.limits().limits.limits, "the limits were lost, and nobody said so"
        store.void(mine, store.totals().latest_at)
        standings = {name: sums for name, sums in standings_of(store).items() if name[1] != "service=another"}
        assert standings == whole.standings, "counters were lost, and nobody said so"
    except StoreError:
        return "checking"
    return ""


def flip(path: Path, position: int, mask: int) -> None:
    """Flips bits of one byte of a closed ledger's file."""
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= mask
    path.write_bytes(content)


def truncate(path: Path, length: int) -> None:
    """Cuts a closed ledger's file off."""
    with path.open("r+b") as file:
        file.truncate(length)
