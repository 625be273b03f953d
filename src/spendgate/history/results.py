"""What an import makes of each record: an entry, or a line that could not be read, never nothing.

>>> counts = Counts()
>>> list(counts.entries_of([BrokenLine(7, "it is not JSON", "{oops")]))
[]
>>> counts.broken, str(counts.first_broken[0])
(1, 'line 7: it is not JSON: {oops')
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from spendgate.ledger import Entry
from spendgate.pricing.book import PriceBook
from spendgate.reservation import State

SHOWN_CHARS = 80
SHOWN_BROKEN = 20


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that could not be read: its number from 1 on, what is wrong, and how it begins. `source` is its file."""

    line: int
    problem: str
    text: str = ""
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.source else f"line {self.line}"
        return f"{where}: {self.problem}" + f": {self.text}" * bool(self.text)


@dataclass(frozen=True, slots=True)
class ForeignLine:
    """A line that is a JSON object, but no record of the format that is read."""


Imported = Entry | BrokenLine | ForeignLine


class LineError(ValueError):
    """A record that cannot become an entry; the text says why."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read what a log leaves open.

    `service` and `provider` stand in where a record names none; `timezone` is that of timestamps without a zone, which
    are refused where it is empty; `prices` prices what has no cost of its own.
    """

    service: str = ""
    provider: str = ""
    timezone: str = ""
    prices: PriceBook = field(default_factory=PriceBook)


@dataclass(slots=True)
class Counts:
    """What an import came to. `usd` is in nano-dollars; `unpriced` entries weigh no dollars until a price is declared.

    `foreign` lines are no records of the format, which is no problem where others are.
    `added` and `known` are what the ledger took and what it had already; `unpriced_models` counts by resource.
    """

    entries: int = 0
    broken: int = 0
    foreign: int = 0
    priced: int = 0
    unpriced: int = 0
    usd: int = 0
    added: int = 0
    known: int = 0
    first_broken: list[BrokenLine] = field(default_factory=list)
    unpriced_models: dict[str, int] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        """Broken lines, and entries that nobody could price."""
        return self.broken + self.unpriced

    def entries_of(self, results: Iterable[Imported]) -> Iterator[Entry]:
        """Passes the entries on and counts everything on its way, the broken lines included."""
        for result in results:
            if isinstance(result, BrokenLine):
                self._count_broken(result)
            elif isinstance(result, ForeignLine):
                self.foreign += 1
            else:
                self._count(result)
                yield result

    def _count_broken(self, line: BrokenLine) -> None:
        self.broken += 1
        if len(self.first_broken) < SHOWN_BROKEN:
            self.first_broken.append(line)

    def _count(self, entry: Entry) -> None:
        self.entries += 1
        self.usd += entry.weight.usd
        self.priced += "priced" in entry.marks
        # Our own export marks what no price book knew, and yet has what the caller stated.
        if "unpriced" in entry.marks and not entry.weight.usd and entry.state is not State.VOIDED:
            self.unpriced += 1
            name = entry.call.resource
            self.unpriced_models[name] = self.unpriced_models.get(name, 0) + 1
