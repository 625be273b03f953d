"""What is about to be paid for.

>>> Call(service="research", provider="anthropic", resource="claude-haiku-4-5").model
'claude-haiku-4-5'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spendgate.errors import AmountError

MAX_NAME = 200
"""The longest service, provider, resource, task or tag, in characters."""
MAX_KEY = 1000

FIELDS = ("service", "provider", "resource", "model", "task")
"""What a limit may match or count by, besides `tags.NAME`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A paid call before it is made.

    `resource` is the thing that has a price: a model's name, or an API such as `clearbit.enrich`. A call that names a
    `provider` is a model's call. `key` says which piece of work it is for; `tags` are free names of your own.
    """

    service: str = ""
    provider: str = ""
    resource: str = ""
    task: str = ""
    attempt: int = 1
    key: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _are_plain(self.service, self.provider, self.resource, self.task, self.key):
            for name in ("service", "provider", "resource", "task"):
                check_text(name, getattr(self, name), MAX_NAME)
            check_text("key", self.key, MAX_KEY)
        if isinstance(self.attempt, bool) or not isinstance(self.attempt, int) or not 1 <= self.attempt < 1 << 31:
            raise AmountError("attempt", self.attempt, "it must be a whole number from 1 on")

    @property
    def model(self) -> str:
        """The model's name: the resource of a call that names a provider, else empty."""
        return self.resource if self.provider else ""

    def field(self, name: str) -> str:
        """The value that a limit's `match` or `per` means by `name`; empty where the call does not say."""
        if name.startswith("tags."):
            wanted = name[5:]
            return next((value for tag, value in self.tags if tag == wanted), "")
        value: str = getattr(self, name)
        return value


def tags_from(tags: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Tags in the order of their names, each value as text.

    Raises:
        AmountError: a name or value is too long or has control characters in it.

    >>> tags_from({"customer": "acme", "batch": 7})
    (('batch', '7'), ('customer', 'acme'))
    """
    if not tags:
        return ()
    pairs = tuple(sorted((str(name), str(value)) for name, value in tags.items()))
    for name, value in pairs:
        check_text("tag name", name, MAX_NAME)
        check_text(f"tags.{name}", value, MAX_NAME)
    return pairs


def _are_plain(*texts: str) -> bool:
    """Whether these are texts that are short and printable even together, as nearly all are."""
    try:
        together = "".join(texts)
    except TypeError:
        return False
    return len(together) <= MAX_NAME and together.isprintable()


def check_text(name: str, value: object, most: int) -> None:
    """Looks whether a value is one line of text, of at most so many characters.

    Raises:
        AmountError: it is not.
    """
    if not isinstance(value, str):
        raise AmountError(name, value, "it must be text")
    if len(value) > most:
        raise AmountError(name, value, f"it has {len(value):,} characters, the most is {most:,}")
    if not value.isprintable():
        raise AmountError(name, value, "it must not contain line breaks or control characters")
