"""What does a booking cost beside what SQLite itself takes for the same rows?

Our side holds and settles. The bare side runs the statements that ours was seen to run, with the same values, on a copy
of the same ledger through a connection that the store itself opened: same tables, same indexes, same pragmas. It has no
locks between processes, no decisions, no checksums to compute, no head file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from bench.figures import Figure, figure
from bench.ledgers import OUTCOME, REQUEST, Ledger, Shelf
from bench.measure import ALTERNATIONS, QUICK_ALTERNATIONS, Side, alternate, median_with_interval, paired_ratio
from spendgate.clock import SECOND
from spendgate.gate import Gate
from spendgate.opening import gate_for
from spendgate.stores.sqlite import SqliteStore

ENTRIES = 1000
PAIRS = 100
WARM_UP = 4
STEP = SECOND // 10
"""Time between a hold and its settle, and between that and the next hold: ten writes a second."""

Statement = tuple[str, Any, bool]
"""SQL, values, and whether rows come back."""
Book = Callable[[int], None]
"""Holds and settles once, at an instant and a step later."""


class Stepping:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        """This instant."""
        return self.at

    def sleep(self, span_s: float) -> None:
        """Nothing here waits."""

    async def sleep_async(self, span_s: float) -> None:
        """Nothing here waits."""


@dataclass(frozen=True, slots=True)
class Booking:
    """One way to hold and settle: through which door."""

    store: SqliteStore
    book: Book
    close: Callable[[], None]


def at_the_store(ledger: Ledger) -> Booking:
    """`Store.hold` and `Store.settle`."""
    store = SqliteStore(ledger.path)

    def book(at: int) -> None:
        store.settle(store.hold(REQUEST, at).id, OUTCOME, at + STEP)

    return Booking(store, book, store.close)


def through_the_gate(ledger: Ledger) -> Booking:
    """`Gate.reserve` and `Reservation.settle`, amounts as a caller writes them."""
    clock, gate = _gate(ledger)

    def book(at: int) -> None:
        clock.at = at
        hold = gate.reserve(resource="clearbit.enrich", service="pipeline", key="record-4711", at_most="0.02")
        clock.at = at + STEP
        hold.settle(cost="0.0031")

    return Booking(gate.store, book, gate.close)


def around_a_call(ledger: Ledger) -> Booking:
    """`with gate.call(...)`, priced and settled from the rate card."""
    clock, gate = _gate(ledger)

    def book(at: int) -> None:
        clock.at = at
        with gate.call("clearbit.enrich", service="pipeline", key="record-4711"):
            clock.at = at + STEP

    return Booking(gate.store, book, gate.close)


def _gate(ledger: Ledger) -> tuple[Stepping, Gate]:
    clock = Stepping()
    store = SqliteStore(ledger.path)
    clock.at = store.totals().latest_at
    store.close()
    return clock, gate_for(ledger.settings(), clock)


DOORS = {
    "store": (at_the_store, "hold + settle at the SQLite store"),
    "gate": (through_the_gate, "`gate.reserve` + `settle` on SQLite"),
    "call": (around_a_call, "`with gate.call(...)` on SQLite, rate card included"),
}
WANTED = {"store": 2.0}


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ALTERNATIONS
    found: list[Figure] = []
    for name in DOORS:
        found.extend(_compare(shelf, name, rounds))
    return tuple(found), rounds


def _compare(shelf: Shelf, name: str, rounds: int) -> list[Figure]:
    opened, text = DOORS[name]
    start = shelf.ledger(ENTRIES)
    batches = capture(opened(start.copy("seen")), PAIRS, rounds + WARM_UP)
    ours = opened(start.copy("ours"))
    bare = SqliteStore(start.copy("bare").path)
    begins_at = bare.totals().latest_at

    def book(number: int) -> None:
        first = (number + WARM_UP) * PAIRS
        for index in range(first, first + PAIRS):
            ours.book(instant_of(begins_at, index))

    def replay(number: int) -> None:
        run(bare._tables.connection, batches[number + WARM_UP])

    seconds = alternate({"ours": Side(book, PAIRS), "bare": Side(replay, PAIRS)}, rounds, WARM_UP)
    if bare.totals() != ours.store.totals():
        raise AssertionError(f"not the same rows: {bare.totals()}, {ours.store.totals()}")
    ours.close()
    bare.close()
    statements = sum(map(len, batches)) / len(batches) / PAIRS
    ours_s, bare_s = seconds["ours"], seconds["bare"]
    micros = {side: median_with_interval([one * 1e6 for one in spans.wall]) for side, spans in seconds.items()}
    against = f"{text}, against two bare transactions over the same rows"
    return [
        figure(f"{name}_against_bare", against, "x", paired_ratio(ours_s.wall, bare_s.wall), wanted=WANTED.get(name)),
        figure(
            f"{name}_processor",
            f"{text}: processor time, against the same",
            "x",
            paired_ratio(ours_s.processor, bare_s.processor),
            shown=False,
        ),
        figure(f"{name}_us", text, "us", micros["ours"], shown=False),
        figure(f"{name}_bare_us", f"the bare transactions of {text}", "us", micros["bare"], shown=False),
        Figure(f"{name}_statements", f"statements in {text}", "count", round(statements, 2), shown=False),
    ]


def instant_of(begins_at: int, index: int) -> int:
    """When the pair with this number is held."""
    return begins_at + STEP * (2 * index + 1)


def capture(booking: Booking, pairs: int, batches: int) -> list[list[Statement]]:
    """The statements of so many batches of pairs, as the store ran them inside its writing transactions."""
    seen: list[Statement] = []
    found: list[list[Statement]] = []
    writing = False

    def trace(_: apsw.Cursor, sql: str, values: Any) -> bool:
        nonlocal writing
        writing = writing or sql.startswith("BEGIN IMMEDIATE")
        if writing:
            seen.append((sql, values, sql.lstrip().startswith("SELECT") or "RETURNING" in sql))
        writing = writing and sql not in {"COMMIT", "ROLLBACK"}
        return True

    begins_at = booking.store.totals().latest_at
    booking.store._tables.connection.exec_trace = trace
    for batch in range(batches):
        for index in range(batch * pairs, (batch + 1) * pairs):
            booking.book(instant_of(begins_at, index))
        found.append(list(seen))
        seen.clear()
    booking.close()
    for statements in found:
        begun = sum(sql.startswith("BEGIN") for sql, _, _ in statements)
        if begun != 2 * pairs:
            raise AssertionError(f"a pair should be two transactions: {begun} in {pairs} pairs")
    return found


def run(connection: apsw.Connection, statements: list[Statement]) -> None:
    """Runs statements with nothing around them."""
    execute = connection.execute
    for sql, values, reads in statements:
        cursor = execute(sql, values)
        if reads:
            cursor.fetchall()
