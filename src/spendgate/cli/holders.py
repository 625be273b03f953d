"""Who has a ledger open, as far as the system tells: /proc on Linux."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the ledger open; `writes` where it holds the lock for writing at this moment."""

    pid: int
    program: str
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.program} ({self.pid}{', writing' if self.writes else ''})"


def holders(ledger: Path, proc: Path = PROC) -> list[Holder] | None:
    """The processes of this user that have a ledger open, without this one; None where the system does not tell."""
    if not (proc / "self").exists():
        return None
    names = {str(ledger.resolve()) + suffix for suffix in ("", "-wal", "-shm", ".lock")}
    writer = _lock_holder(ledger.with_name(ledger.name + ".lock"), proc)
    pids = (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    found = [pid for pid in sorted(pids) if pid != os.getpid() and not names.isdisjoint(_open_files(proc / str(pid)))]
    return [Holder(pid, _program(proc / str(pid)), pid == writer) for pid in found]


def _open_files(process: Path) -> Iterator[str]:
    try:
        for descriptor in (process / "fd").iterdir():
            try:
                yield str(descriptor.readlink())
            except OSError:
                continue
    except OSError:
        return


def _program(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        comm = (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a process"
    names = [Path(word).name for word in words if word and not word.startswith("-")]
    return " ".join(names[:2]) or comm or "a process"


def _lock_holder(lock: Path, proc: Path) -> int:
    """The process that holds the lock for writing; 0 where none does, or nobody can tell."""
    try:
        inode = lock.stat().st_ino
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.split()
        if "FLOCK" in words and "->" not in words and any(word.endswith(f":{inode}") for word in words):
            return int(words[4]) if len(words) > 4 and words[4].isdigit() else 0
    return 0
