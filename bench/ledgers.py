"""Ledgers to measure on: thousands or millions of calls booked, row by row what the gate itself would have written."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.measure import progress, say
from spendgate.call import Call
from spendgate.clock import DAY, MINUTE, SystemClock
from spendgate.config import Settings, load
from spendgate.ledger import Actor, Entry, HoldRequest, Outcome, Pricing, Weight
from spendgate.reservation import State
from spendgate.stores.sqlite import SqliteStore
from spendgate.stores.tables import Tables

CONFIG = """\
[store]
url = "sqlite:///ledger.db"

[[limits]]
name = "hourly"
usd = "5000"
window = "1h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "six-hourly"
usd = "15000"
window = "6h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "daily"
usd = "50000"
window = "24h"
per = ["service"]
warn_at = [0.8]

[[limits]]
name = "total"
usd = "80000"
window = "24h"
warn_at = [0.5, 0.8]

[prices."clearbit.enrich"]
per_call = "0.0031"
"""
"""The limits that `spendgate init` writes, a thousand times as wide: nothing is refused while it is measured."""

PER_DAY = 25_000
"""How many calls a day the generated ledgers have: ten million are 400 days of it."""
SPACING = DAY // PER_DAY
CHUNK = 100_000
HELD = Weight(usd=20_000_000, calls=1)
COST = 3_100_000
CALL = Call(service="pipeline", provider="clearbit", resource="clearbit.enrich", key="record-4711")
ACTOR = Actor("bench", 1, "bench")
STATED = Pricing("stated", "")
REQUEST = HoldRequest(CALL, HELD, ACTOR, STATED)
OUTCOME = Outcome(usd=COST)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger in a folder of its own, with its configuration."""

    folder: Path

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.db"

    @property
    def config(self) -> Path:
        """The configuration that names it."""
        return self.folder / "spendgate.toml"

    def settings(self) -> Settings:
        """The configuration, read."""
        return load(self.config, {})

    def size(self) -> int:
        """Bytes on disk."""
        return sum(one.stat().st_size for one in self.folder.iterdir())

    def copy(self, name: str) -> "Ledger":
        """The same ledger once more, beside this one."""
        folder = self.folder.with_name(name)
        shutil.rmtree(folder, ignore_errors=True)
        return Ledger(Path(shutil.copytree(self.folder, folder)))


class Shelf:
    """Where generated ledgers stand, each made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ledger(self, entries: int) -> Ledger:
        """A ledger of so many settled entries, the last a moment ago; never write to it, write to a copy."""
        folder = self.folder / f"of-{entries}"
        if not folder.exists():
            say(f"  generating a ledger of {entries:,} entries")
            build(folder.with_suffix(".new"), entries)
            folder.with_suffix(".new").rename(folder)
        return Ledger(folder)


def build(folder: Path, entries: int) -> Ledger:
    """Makes a ledger with so many settled entries, and its limits in force."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ledger = Ledger(folder)
    ledger.config.write_text(CONFIG, encoding="utf-8")
    now_at = SystemClock().now()
    store = SqliteStore(ledger.path)
    store._tables.connection.execute("PRAGMA synchronous = OFF")
    try:
        for first in range(0, entries, CHUNK):
            count = min(CHUNK, entries - first)
            begins_at = now_at - (entries - first) * SPACING
            store._write(
                lambda tables, first=first, begins_at=begins_at, count=count: fill(tables, first, begins_at, count)
            )
            progress(first + count, entries)
        store.apply_limits(ledger.settings().limits, "bench", ACTOR, now_at)
    finally:
        store.close()
    return ledger


def fill(tables: Tables, first: int, begins_at: int, count: int) -> None:
    """Books calls that were held, and settled a second later, before the next one."""
    meta = tables.meta()
    for entry in settled(first, begins_at, count):
        tables.insert(entry)
    meta.head = (first + count) * 2
    meta.total = (first + count) * COST
    meta.latest_at = begins_at + count * SPACING
    tables.put_meta(meta)


def settled(first: int, begins_at: int, count: int) -> Iterator[Entry]:
    """Entries in order; each took two writes, so the numbers of the ledger's head go up by two."""
    cost = Weight(usd=COST, calls=1)
    for number in range(first, first + count):
        at = begins_at + (number - first) * SPACING
        seq, ended_at = number * 2 + 1, at + SPACING // 2
        yield Entry(
            seq, f"{seq}-{seq & 0xFFFFFFFF:08x}", State.SETTLED, CALL, at, at + 15 * MINUTE, ended_at, HELD, cost,
            ACTOR, STATED, ended_at=ended_at, rev=seq + 1, total=(number + 1) * COST,
        )  # fmt: skip


def await_disk() -> None:
    """Waits until the disk has what the system has buffered, so that it does not slow down what is measured next."""
    os.sync()
