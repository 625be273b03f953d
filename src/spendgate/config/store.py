"""Where the ledger and its mirror are: `[store]` and `[mirror]`. Relative paths start at the configuration's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spendgate.clock import MINUTE
from spendgate.config.keys import BY_PATH
from spendgate.config.tables import Document, Table
from spendgate.errors import ConfigError

MAX_TIMEOUT = 10 * MINUTE
URLS = '"sqlite:///.spendgate/ledger.db", "sqlite:////var/lib/spendgate/ledger.db" or "memory:"'
LATER = ("postgres", "postgresql", "redis", "rediss", "valkey")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the ledger is and how it is kept; `timeout` and `keep` are in microseconds.

    `path` is the file of an SQLite ledger, None for one in memory; `url` says the same with the whole path.
    """

    url: str
    path: Path | None
    unavailable: Literal["refuse", "allow"]
    synchronous: Literal["normal", "full"]
    timeout: int
    on_lost_tail: Literal["refuse", "charge"]
    keep: int


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """The folder that gets one JSONL file a day, and for how long, in microseconds, a file is kept."""

    dir: Path
    keep: int


def read_store(document: Document, env: Mapping[str, str], folder: Path) -> StoreSettings:
    """Where the ledger is: from the environment, else from `[store]`.

    Raises:
        ConfigError: this version has no such store, or a key is not as it must be.
    """
    table = Table.of(document, "store")
    try:
        path = sqlite_path(table.text("url"), folder)
    except ValueError as error:
        raise table.fault("url", str(error), URLS) from None
    name = BY_PATH["store.url"].env
    if env.get(name):
        try:
            path = sqlite_path(env[name], folder)
        except ValueError as error:
            raise ConfigError(str(error), key=name, expected=URLS) from None
    return StoreSettings(
        url="memory:" if path is None else f"sqlite:///{path}",
        path=path,
        unavailable=table.choice("unavailable", ("refuse", "allow")),
        synchronous=table.choice("synchronous", ("normal", "full")),
        timeout=table.span("timeout", MAX_TIMEOUT),
        on_lost_tail=table.choice("on_lost_tail", ("refuse", "charge")),
        keep=table.days("keep"),
    )


def sqlite_path(url: str, folder: Path) -> Path | None:
    """The file that a store's URL means, relative to `folder`; None for a ledger in memory.

    Raises:
        ValueError: this version has no such store. The message never repeats the URL: it may hold a password.

    >>> sqlite_path("sqlite:///ledger.db", Path("/etc/app")), sqlite_path("memory:", Path())
    (PosixPath('/etc/app/ledger.db'), None)
    """
    if url == "memory:":
        return None
    scheme = url.partition(":")[0]
    if scheme in LATER:
        raise ValueError(f"this version has no {scheme} store; it has sqlite and memory")
    if not url.startswith("sqlite:///") or not url.isprintable():
        raise ValueError("this is no store; there are sqlite and memory")
    name = url.removeprefix("sqlite:///")
    if not name.strip("/ ") or name.endswith("/") or name.startswith((":memory:", "~")) or "?" in name or "#" in name:
        raise ValueError("this names no file: write its path out, without ~ and options")
    return folder / name


def read_mirror(document: Document, folder: Path) -> MirrorSettings | None:
    """The mirror that `[mirror]` asks for; None where the table is not there.

    Raises:
        ConfigError: a key is not as it must be.
    """
    if "mirror" not in document.data:
        return None
    table = Table.of(document, "mirror")
    name = table.text("dir")
    if not name or name.startswith("~"):
        raise table.fault("dir", "this names no folder", "its path written out, without ~")
    return MirrorSettings(folder / name, table.days("keep"))
