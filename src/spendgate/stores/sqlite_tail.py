"""Whether a ledger file is all of the ledger, and how to go on where it is not.

Two witnesses say how far the ledger had come: the head file, and what this process itself has seen. A file that is
behind either of them has lost its tail: a torn log, a restored backup, a file that was deleted.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from spendgate.errors import LostTailError
from spendgate.limits import LimitSet
from spendgate.stores.force import InForce
from spendgate.stores.headfile import Head, HeadFile
from spendgate.stores.sqlite_tables import SqliteTables
from spendgate.stores.tables import Meta

_LEAP = 1_000_000
"""How far to go beyond the last known write where nobody knows how many there were: no number is given twice."""
_REMEDY = "Restore the newest files, or go on with `spendgate doctor --accept-loss`."


@dataclass(frozen=True, slots=True)
class Witness:
    """What is known of the ledger from elsewhere: the head file, the last write that this process saw, its limits."""

    file: Head | None
    seen: Head | None
    force: InForce | None


class Tail:
    """Compares a ledger with its witnesses, and keeps them up to date."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = HeadFile(path.with_name(path.name + ".head"))
        self._seen: Head | None = None
        self._force: InForce | None = None

    @property
    def is_known(self) -> bool:
        """Whether the head file says how far the ledger had come."""
        return self._file.read() is not None

    def witness(self) -> Witness:
        """What is known now. Asked before the ledger is read, so that a booking between the two does no harm."""
        seen, force = self._seen, self._force
        file = HeadFile(self._file.path)
        try:
            return Witness(file.read(), seen, force)
        finally:
            file.close()

    def name(self, tables: SqliteTables) -> None:
        """Gives a new ledger its name: first in the head file, so that a crash in between leaves nothing amiss."""
        try:
            tables.begin("DEFERRED")
            if not tables.meta().head and not tables.ledger and self._seen is None:
                tables.rollback()
                self._christen(tables)
        finally:
            tables.rollback()

    def _christen(self, tables: SqliteTables) -> None:
        known = self._file.read()
        if known.head if known else not self._file.missing:
            return  # there was another ledger in this place
        head = known or Head(secrets.token_hex(8), 0, 0)
        self._file.write(head)
        self._file.sync()
        tables.begin()
        meta = tables.meta()
        tables.ledger = head.ledger
        tables.put_meta(meta)
        tables.commit()

    def verify(self, tables: SqliteTables) -> None:
        """Called in a transaction, before anything else.

        Raises:
            LostTailError: the file is not all of the ledger.
        """
        file, meta = self._file.read(), tables.meta()
        if file is not None and file is self._seen and file == (tables.ledger, meta.head, meta.total):
            return  # nobody else has written since
        if problem := self.problem(tables, Witness(file, self._seen, self._force)):
            raise LostTailError(problem)
        if file is not None and file.head < meta.head:
            self._file.write(Head(tables.ledger, meta.head, meta.total))

    def problem(self, tables: SqliteTables, witness: Witness) -> str:
        """Why this file is not all of the ledger, or empty."""
        meta, file = tables.meta(), self._file.path
        if witness.file is None:
            return f"{file}: the record of how far the ledger had come is missing or damaged. {_REMEDY}"
        for known, who in ((witness.file, file.name), (witness.seen, "this program")):
            if known is None:
                continue
            if known.ledger != tables.ledger:
                return f"{self.path}: this is not the ledger of {known.head:,} writes that {who} knows. {_REMEDY}"
            if known.head > meta.head:
                return f"{self.path}: the ledger has lost its last {known.head - meta.head:,} writes. {_REMEDY}"
            if known.head == meta.head and known.total != meta.total:
                return f"{self.path}: the ledger's total is not the one that {who} knows. {_REMEDY}"
        if witness.force is not None and witness.force.version > meta.limits_version:
            return f"{self.path}: the ledger has lost the limits that were in force. {_REMEDY}"
        return ""

    def write(self, tables: SqliteTables, force: InForce) -> None:
        """Called after each commit. Where the disk refuses, the next booking has to make up for it first."""
        meta = tables.written
        if meta is None:
            return
        self._seen = head = Head(tables.ledger, meta.head, meta.total)
        self._force = force
        try:
            self._file.write(head)
        except OSError:
            self._file.close()

    def missing(self, tables: SqliteTables) -> int:
        """The nano-dollars by which the ledger is behind its witnesses, as far as anybody knows."""
        meta, behind = tables.meta(), [0]
        for known in (self._file.read(), self._seen):
            if known is not None and known.ledger != tables.ledger:
                behind.append(known.total)
            elif known is not None and known.head > meta.head:
                behind.append(known.total - meta.total)
        return max(behind)

    def lost_limits(self, meta: Meta) -> LimitSet | None:
        """The limits that were in force when the ledger was last seen, where it does not know them any more."""
        if self._force is None or self._force.version <= meta.limits_version:
            return None
        return LimitSet(tuple(limit for limit, _ in self._force.rows))

    def leap(self, tables: SqliteTables) -> None:
        """Takes the ledger's head beyond all that was lost, so that no number is given twice."""
        meta, file = tables.meta(), self._file.read()
        known = [head for head in (file, self._seen) if head is not None]
        meta.head = max([meta.head, *(head.head for head in known)]) + (1 if file else _LEAP)
        if self._force is not None:
            meta.limits_version = max(meta.limits_version, self._force.version)
        tables.ledger = tables.ledger or (known[0].ledger if known else secrets.token_hex(8))

    def close(self) -> None:
        """Closes the head file; it opens again by itself."""
        self._file.close()
