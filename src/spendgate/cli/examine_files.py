"""Examines what lies on the disk: permissions, room, and who has the ledger open."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spendgate.cli.findings import Finding, ok, problem, warning
from spendgate.cli.holders import holders
from spendgate.cli.printing import counted

if TYPE_CHECKING:
    from spendgate.config import Settings

MB = 1_000_000
LITTLE_ROOM = 1_000 * MB
NO_ROOM = 100 * MB


def examine_files(settings: "Settings", ledger: Path) -> Iterator[Finding]:
    """Everything about the files of a configuration and its ledger."""
    yield from _config_mode(settings.file)
    yield from _modes(ledger)
    yield _room(ledger)
    yield _holders(ledger)
    if settings.mirror is not None and settings.mirror.dir.exists() and not os.access(settings.mirror.dir, os.W_OK):
        yield problem("mirror", f"{settings.mirror.dir} cannot be written", "give it to the user your programs run as")


def _config_mode(file: Path | None) -> Iterator[Finding]:
    if file is not None and file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"{file} can be written by others: they decide what may be spent, and which command [notify] runs"
        yield warning("permissions", text, f"chmod go-w {file}")


def _modes(ledger: Path) -> Iterator[Finding]:
    files = [path for path in (ledger, *(ledger.with_name(ledger.name + s) for s in ("-wal", "-shm"))) if path.exists()]
    shared = [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]
    locked = [path for path in (ledger.parent, *files) if path.exists() and not os.access(path, os.W_OK)]
    if locked:
        text = f"{locked[0]} cannot be written by this user, so no call can be booked"
        yield problem("permissions", text, "give it to the user your programs run as")
    if shared:
        names = " ".join(str(path) for path in shared)
        yield warning(
            "permissions", f"{shared[0].name} can be used by other users of this machine", f"chmod 600 {names}"
        )
    if not (locked or shared):
        yield ok("permissions", "only this user can read and write the ledger")


def _room(ledger: Path) -> Finding:
    place = next(path for path in (ledger.parent, *ledger.parents) if path.exists())
    free = shutil.disk_usage(place).free
    text = f"{size(free)} free on the ledger's disk"
    remedy = "make room, or roll old detail up with `spendgate doctor --compact`; without room every call is refused"
    if free < NO_ROOM:
        return problem("disk", text, remedy)
    return warning("disk", text, remedy) if free < LITTLE_ROOM else ok("disk", text)


def _holders(ledger: Path) -> Finding:
    found = holders(ledger)
    if found is None:
        return ok("locks", f"this system does not tell who has the ledger open; `lsof {ledger}` may")
    if not found:
        return ok("locks", "no other process of this user has the ledger open")
    named = ", ".join(str(one) for one in found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return ok("locks", f"{counted(len(found), 'process has', 'processes have')} the ledger open: {named}")


def size(count: int) -> str:
    """Bytes for a reader.

    >>> size(512), size(45_300), size(7_200_000_000)
    ('512 bytes', '45.3 kB', '7.2 GB')
    """
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count} bytes"
