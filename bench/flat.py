"""Does a booking take longer in a large ledger than in a small one?"""

from bench.bookings import PAIRS, WARM_UP, at_the_store, instant_of
from bench.figures import Figure, figure
from bench.ledgers import Shelf, await_disk
from bench.measure import ALTERNATIONS, QUICK_ALTERNATIONS, Side, alternate, median_with_interval, paired_ratio
from spendgate.stores.sqlite import SqliteStore

SMALL = 1000
LARGE = 10_000_000
QUICK_LARGE = 200_000
WANTED = 1.3


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ALTERNATIONS
    entries = QUICK_LARGE if quick else LARGE
    ledger = shelf.ledger(entries)
    size = ledger.size() / 1e9
    large, small = at_the_store(ledger), at_the_store(shelf.ledger(SMALL).copy("small"))
    await_disk()
    starts = {one: _latest_at(one.stores[0]) for one in (large, small)}

    def side(booking_at: int, book: object) -> Side:
        def run(number: int) -> None:
            first = (number + WARM_UP) * PAIRS
            for index in range(first, first + PAIRS):
                book(instant_of(booking_at, index))  # type: ignore[operator]

        return Side(run, PAIRS)

    sides = {"large": side(starts[large], large.book), "small": side(starts[small], small.book)}
    seconds = alternate(sides, rounds, WARM_UP)
    large.close()
    small.close()
    text = f"hold + settle in a ledger of {entries:,} entries"
    micros = median_with_interval([one * 1e6 for one in seconds["large"].wall])
    ratio = paired_ratio(seconds["large"].wall, seconds["small"].wall)
    return (
        figure("flat", f"{text}, against one of {SMALL:,}", "x", ratio, wanted=WANTED),
        figure("large_us", text, "us", micros, shown=False),
        Figure("large_gb", f"size on disk of {entries:,} entries", "gb", size, shown=False),
    ), rounds


def _latest_at(store: SqliteStore) -> int:
    return store.totals().latest_at
