"""What in a ledger has no exact price: for `spendgate prices check` and `spendgate doctor`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spendgate.errors import PriceError
from spendgate.ledger import Store, Sum

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook

NEVER = 1 << 62
UNNAMED = "shell"
"""The resource of calls that `spendgate hold` makes with an amount alone: it needs no price."""
GROUPS = ("provider", "resource", "priced", "state")


@dataclass(frozen=True, slots=True)
class Gap:
    """A resource whose calls have no exact price: how many, and what they count as in nano-dollars."""

    provider: str
    resource: str
    calls: int = 0
    usd: int = 0

    @property
    def name(self) -> str:
        """Provider and resource, as the rate card would name them."""
        return f"{self.provider}:{self.resource}" if self.provider else self.resource or "(no resource)"


@dataclass(frozen=True, slots=True)
class Gaps:
    """All of them, with the list that prices come from. `never_used` are names on the rate card that no call had."""

    unpriced: list[Gap]
    by_pattern: list[Gap]
    unknown_now: list[Gap]
    never_used: list[str]
    resources: int
    source: str
    dated: str


def find_gaps(store: Store | None, book: "PriceBook", now_at: int) -> Gaps:
    """Asks the ledger for everything that was ever paid for, and the price book for its price now."""
    from spendgate.pricing import snapshot

    found = list(store.sums(GROUPS, 0, NEVER)) if store is not None else []
    known = {(one.fields[0], one.fields[1]) for one in found if one.fields[1]}
    return Gaps(
        unpriced=gaps_of(found, "unpriced"),
        by_pattern=gaps_of(found, "pattern"),
        unknown_now=[Gap(*name) for name in sorted(known - {("", UNNAMED)}) if not _has_price(book, *name, now_at)],
        never_used=_never_used(book, known),
        resources=len(known),
        source=snapshot.source(),
        dated=snapshot.dated(now_at),
    )


def gaps_of(sums: Iterable[Sum], priced: str) -> list[Gap]:
    """Those sums by `GROUPS` whose price is known in one way, dearest first. What still runs may yet be priced."""
    found: dict[tuple[str, str], Gap] = {}
    for one in sums:
        provider, resource, known, state = one.fields
        if known == priced and state != "held" and (resource or one.usd):
            before = found.get((provider, resource), Gap(provider, resource))
            found[provider, resource] = Gap(provider, resource, before.calls + one.calls, before.usd + one.usd)
    return sorted(found.values(), key=lambda gap: (-gap.usd, -gap.calls, gap.name))


def _has_price(book: "PriceBook", provider: str, resource: str, at: int) -> bool:
    try:
        book.price(provider, resource, at)
    except PriceError:
        return False
    return True


def _never_used(book: "PriceBook", known: Iterable[tuple[str, str]]) -> list[str]:
    cards = (book.cards.card(provider, resource) for provider, resource in known)
    used = {card.name for card in cards if card is not None}
    return [name for name in book.cards.names() if name not in used]
