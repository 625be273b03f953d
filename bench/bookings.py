"""What does a booking cost beside what SQLite itself takes for the same rows?

Our side holds and settles. The bare side runs the statements that the store was seen to run, with the same values, on
a copy of the same ledger through a connection that the store itself opened: same tables, same indexes, same pragmas. It
has no lock between processes, no decision, no checksum to compute, no head file.

A store that has the ledger to itself remembers what it wrote and need not read it again. The bare side is no store, it
reads: its statements were seen where two handles took turns, so that neither could rely on what it remembered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from bench.figures import Figure, figure
from bench.ledgers import OUTCOME, REQUEST, Ledger, Shelf
from bench.measure import (
    ALTERNATIONS,
    QUICK_ALTERNATIONS,
    Seconds,
    Side,
    alternate,
    median_with_interval,
    paired_ratio,
)
from spendgate.clock import SECOND
from spendgate.gate import Gate
from spendgate.opening import gate_for
from spendgate.stores.sqlite import SqliteStore

ENTRIES = 1000
PAIRS = 50
WARM_UP = 4
STEP = SECOND // 10
"""Time between a hold and its settle, and between that and the next hold: ten writes a second."""
WANTED = 2.0

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
    """One way to hold and settle: through which door, and the handles on the ledger behind it."""

    stores: tuple[SqliteStore, ...]
    book: Book
    close: Callable[[], None]


def at_the_store(ledger: Ledger) -> Booking:
    """`Store.hold` and `Store.settle`."""
    store = SqliteStore(ledger.path)

    def book(at: int) -> None:
        store.settle(store.hold(REQUEST, at).id, OUTCOME, at + STEP)

    return Booking((store,), book, store.close)


def in_turns(ledger: Ledger) -> Booking:
    """One handle holds, another settles: each finds that the other has written since, as with several processes."""
    one, other = SqliteStore(ledger.path), SqliteStore(ledger.path)

    def book(at: int) -> None:
        other.settle(one.hold(REQUEST, at).id, OUTCOME, at + STEP)

    def close() -> None:
        one.close()
        other.close()

    return Booking((one, other), book, close)


def through_the_gate(ledger: Ledger) -> Booking:
    """`Gate.reserve` and `Reservation.settle`, amounts as a caller writes them."""
    clock, gate = _gate(ledger)

    def book(at: int) -> None:
        clock.at = at
        hold = gate.reserve(resource="clearbit.enrich", service="pipeline", key="record-4711", at_most="0.02")
        clock.at = at + STEP
        hold.settle(cost="0.0031")

    return Booking((_store_of(gate),), book, gate.close)


def around_a_call(ledger: Ledger) -> Booking:
    """`with gate.call(...)`, priced and settled from the rate card."""
    clock, gate = _gate(ledger)

    def book(at: int) -> None:
        clock.at = at
        with gate.call("clearbit.enrich", service="pipeline", key="record-4711"):
            clock.at = at + STEP

    return Booking((_store_of(gate),), book, gate.close)


def _gate(ledger: Ledger) -> tuple[Stepping, Gate]:
    clock = Stepping()
    store = SqliteStore(ledger.path)
    clock.at = store.totals().latest_at
    store.close()
    return clock, gate_for(ledger.settings(), clock)


def _store_of(gate: Gate) -> SqliteStore:
    assert isinstance(gate.store, SqliteStore)
    return gate.store


DOORS = {
    "store": (at_the_store, "hold + settle at the SQLite store"),
    "turns": (in_turns, "hold + settle at the SQLite store, two handles taking turns"),
    "gate": (through_the_gate, "`gate.reserve` + `settle` on SQLite"),
    "call": (around_a_call, "`with gate.call(...)` on SQLite, rate card included"),
}
BARE = {
    "bare": (in_turns, "two bare transactions that read and write the same rows"),
    "writes": (at_the_store, "two bare transactions that only write them"),
}
"""What the bare sides run, by where it was seen."""


def measure(shelf: Shelf, quick: bool) -> tuple[tuple[Figure, ...], int]:
    """The figures, and how many alternations they come from."""
    rounds = QUICK_ALTERNATIONS if quick else ALTERNATIONS
    start = shelf.ledger(ENTRIES)
    seen = {name: capture(opened(start.copy("seen")), PAIRS, rounds + WARM_UP) for name, (opened, _) in BARE.items()}
    ours = {name: opened(start.copy(name)) for name, (opened, _) in DOORS.items()}
    bare = {name: SqliteStore(start.copy(name).path) for name in BARE}
    begins_at = bare["bare"].totals().latest_at

    def booking(one: Booking) -> Side:
        def run(number: int) -> None:
            for index in range((number + WARM_UP) * PAIRS, (number + WARM_UP + 1) * PAIRS):
                one.book(instant_of(begins_at, index))

        return Side(run, PAIRS)

    def replaying(name: str) -> Side:
        connection = bare[name]._tables.connection
        return Side(lambda number: replay(connection, seen[name][number + WARM_UP]), PAIRS)

    sides = {name: booking(one) for name, one in ours.items()} | {name: replaying(name) for name in bare}
    seconds = alternate(sides, rounds, WARM_UP)
    stand = {name: store.totals() for name, store in [(n, one.stores[0]) for n, one in ours.items()] + [*bare.items()]}
    if len(set(stand.values())) > 1:
        raise AssertionError(f"not the same rows: {stand}")
    for one in (*ours.values(), *bare.values()):
        one.close()
    statements = {name: sum(map(len, batches)) / len(batches) / PAIRS for name, batches in seen.items()}
    return (*_ratios(seconds), *_details(seconds, statements)), rounds


def _ratios(seconds: dict[str, Seconds]) -> list[Figure]:
    found = []
    for name, (_, text) in DOORS.items():
        ratio = paired_ratio(seconds[name].wall, seconds["bare"].wall)
        against = f"{text}, against {BARE['bare'][1]}"
        found.append(figure(f"{name}_against_bare", against, "x", ratio, wanted=WANTED if name == "store" else None))
    return found


def _details(seconds: dict[str, Seconds], statements: dict[str, float]) -> list[Figure]:
    found = []
    for name, (_, text) in DOORS.items():
        ratio = paired_ratio(seconds[name].processor, seconds["bare"].processor)
        found.append(figure(f"{name}_processor", f"{text}: processor time, against the same", "x", ratio, shown=False))
    ratio = paired_ratio(seconds["store"].wall, seconds["writes"].wall)
    against = f"{DOORS['store'][1]}, against {BARE['writes'][1]}"
    found.append(figure("store_against_writes", against, "x", ratio, shown=False))
    for name, (_, text) in (DOORS | BARE).items():
        micros = median_with_interval([one * 1e6 for one in seconds[name].wall])
        found.append(figure(f"{name}_us", text, "us", micros, shown=False))
    for name, number in statements.items():
        found.append(Figure(f"{name}_statements", f"statements in {BARE[name][1]}", "count", number, shown=False))
    return found


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

    begins_at = booking.stores[0].totals().latest_at
    for store in booking.stores:
        store._tables.connection.exec_trace = trace
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


def replay(connection: apsw.Connection, statements: list[Statement]) -> None:
    """Runs statements with nothing around them."""
    execute = connection.execute
    for sql, values, reads in statements:
        cursor = execute(sql, values)
        if reads:
            cursor.fetchall()
