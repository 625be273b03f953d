"""The part of `spendgate report` that says what became of refused calls."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from spendgate.cli.periods import Period
from spendgate.cli.printing import Column, aligned, counted, exact, iso, table
from spendgate.ledger import Store
from spendgate.money import dollars
from spendgate.report.refusals import FALLEN_BY, Fallen, Skip, fallen, skips, together

NOBODY = "(none)"


@dataclass(frozen=True, slots=True)
class Refusals:
    """Calls that fell back, and calls that were skipped, in a period."""

    fallen: tuple[Fallen, ...] = ()
    skipped: tuple[Skip, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fallen or self.skipped)


def gather(store: Store, period: Period) -> Refusals:
    """What the ledger says about refused calls in a period."""
    sums = store.sums(FALLEN_BY, period.since_at, period.until_at)
    return Refusals(tuple(fallen(sums)), tuple(skips(store.events(period.since_at), period.until_at)))


def text(found: Refusals) -> Iterator[str]:
    """What became of refused calls, for a reader."""
    if found.fallen:
        yield f"\nfell back: {counted(sum(one.calls for one in found.fallen), 'call')}"
        columns = [Column("asked", cut=True), Column("got", cut=True), Column("calls", right=True)]
        costs = aligned([one.usd for one in found.fallen])
        rows = [(one.asked, one.instead, f"{one.calls:,}", cost) for one, cost in zip(found.fallen, costs, strict=True)]
        yield table([*columns, Column("cost", right=True)], rows, indent="  ")
    if found.skipped:
        asked = dollars(sum(one.usd for one in found.skipped))
        yield (
            f"\nskipped: {counted(len(found.skipped), 'call')} that asked for {asked}; "
            "`spendgate report --json` lists each with its key."
        )
        groups = together(found.skipped)
        columns = [Column("service"), Column("resource", cut=True), Column("refused by", cut=True)]
        costs = aligned([one.usd for one in groups])
        rows = [
            (one.service or NOBODY, one.resource or NOBODY, one.limit, f"{one.calls:,}", cost)  # type: ignore[misc]
            for one, cost in zip(groups, costs, strict=True)
        ]
        yield table([*columns, Column("calls", right=True), Column("asked for", right=True)], rows, indent="  ")


def as_data(found: Refusals) -> dict[str, Any]:
    """The same as plain data."""
    fell = [{"asked": one.asked, "got": one.instead, "calls": one.calls, "usd": exact(one.usd)} for one in found.fallen]
    groups = [{**asdict(one), "usd": exact(one.usd)} for one in together(found.skipped)]
    records = [{**asdict(one), "at": iso(one.at), "usd": exact(one.usd)} for one in found.skipped]
    total = {"calls": len(found.skipped), "usd": exact(sum(one.usd for one in found.skipped))}
    return {"fallbacks": fell, "skipped": {**total, "by": groups, "records": records}}
