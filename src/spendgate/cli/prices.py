"""`spendgate prices`: what a call costs and why, and what in the ledger has no exact price."""

from typing import TYPE_CHECKING, Any

import click

from spendgate.cli.pricing_gaps import Gaps, find_gaps
from spendgate.cli.printing import Column, counted, exact, json_option, print_json, say, show, table
from spendgate.cli.session import Session
from spendgate.errors import PriceError
from spendgate.limits import matches
from spendgate.money import dollars

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price


@click.group(short_help="What a call costs.")
def prices() -> None:
    """Your rate card, and the price list of genai-prices below it."""


@prices.command("show")
@click.argument("name", metavar="MODEL|RESOURCE")
@click.option("--provider", default="", help="Whose model it is, such as anthropic.")
@json_option
@click.pass_obj
def show_price(session: Session, name: str, provider: str, as_json: bool) -> None:
    """Shows what a model or an API costs, where that price is from, and what a call sets aside that states nothing.

    \b
    Examples:
      spendgate prices show claude-haiku-4-5 --provider anthropic
      spendgate prices show anthropic:claude-haiku-4-5
      spendgate prices show clearbit.enrich
    """  # noqa: D301 - click reads the \b itself
    price = _find(_book(session), provider, name, session.clock.now())
    most = _most(price)
    if as_json:
        print_json(
            {
                "name": price.resource,
                "provider": price.provider,
                "source": price.source,
                "dated": price.dated or None,
                "exact": price.exact,
                "billing": price.billing,
                "prices": price.statement,
                "at_most": None if most is None else exact(most),
            }
        )
        return
    show(f"{price.provider + ':' if price.provider else ''}{price.resource}")
    show(f"from {price.source}" + f", {price.dated}" * bool(price.dated))
    if not price.exact:
        show("The name only fits a pattern: declare its price to be sure.")
    rows = list(price.statement.items())
    wide = max(len(kind) for kind, _ in rows)
    for kind, costs in rows:
        show(f"  {kind:{wide}}  {costs}")
    if most is not None:
        show(f"A call that states nothing sets aside {dollars(most)}.")


def _book(session: Session) -> "PriceBook":
    from spendgate.pricing.book import PriceBook

    settings = session.settings_or_none()
    return PriceBook(settings.prices if settings else None)


def _find(book: "PriceBook", provider: str, name: str, at: int) -> "Price":
    """The price, where `provider:name` may be one word."""
    try:
        return book.price(provider, name, at)
    except PriceError:
        before, colon, rest = name.partition(":")
        if provider or not colon:
            raise
        return book.price(before, rest, at)


def _most(price: "Price") -> int | None:
    try:
        return price.at_most()
    except PriceError:
        return None  # it is priced by units only, and how many is for the caller to say


@prices.command("list")
@click.argument("pattern", metavar="[FILTER]", default="")
@json_option
@click.pass_obj
def list_prices(session: Session, pattern: str, as_json: bool) -> None:
    """Lists everything that has a price, your rate card first. FILTER is a part of the name, or a glob.

    \b
    Examples:
      spendgate prices list haiku
      spendgate prices list "gpt-5*"
    """  # noqa: D301 - click reads the \b itself
    glob = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [
        one
        for one in _book(session).names()
        if matches(glob.lower(), one.name.lower()) or matches(glob.lower(), f"{one.provider}:{one.name}".lower())
    ]
    if as_json:
        rows = [{"name": one.name, "provider": one.provider, "source": one.source} for one in found]
        print_json({"prices": rows})
    elif found:
        columns = (Column("name"), Column("provider"), Column("source"))
        show(table(columns, [(one.name, one.provider, one.source) for one in found]))
    if not found:
        say(f"Nothing that has a price fits {pattern!r}.")


@prices.command()
@json_option
@click.pass_obj
def check(session: Session, as_json: bool) -> None:
    """Says what in the ledger has no exact price, and what has none today. Exit code 1 where something is unpriced.

    \b
    Examples:
      spendgate prices check
    """  # noqa: D301 - click reads the \b itself
    from spendgate.pricing.book import PriceBook

    settings, now_at = session.settings(), session.clock.now()
    book = PriceBook(settings.prices)
    with session.existing(settings) as store:
        gaps = find_gaps(store, book, now_at) if store is not None else find_gaps(None, book, now_at)
    if as_json:
        print_json(_gaps_data(gaps))
    else:
        _show_gaps(gaps)
    if gaps.unpriced:
        click.get_current_context().exit(1)


def _gaps_data(gaps: Gaps) -> dict[str, Any]:
    def named(found: list[Any]) -> list[dict[str, Any]]:
        return [
            {"name": one.resource, "provider": one.provider, "calls": one.calls, "usd": exact(one.usd)} for one in found
        ]

    return {
        "source": gaps.source,
        "dated": gaps.dated or None,
        "unpriced": named(gaps.unpriced),
        "by_pattern": named(gaps.by_pattern),
        "unknown_now": [{"name": one.resource, "provider": one.provider} for one in gaps.unknown_now],
        "never_used": gaps.never_used,
    }


def _show_gaps(gaps: Gaps) -> None:
    columns = (Column("name"), Column("calls", right=True), Column("counted as", right=True))
    titles = (
        ("No price is known; each call counts with all that was set aside, imported ones with nothing:", gaps.unpriced),
        ("Priced because the name fits a pattern; declare a price to be sure:", gaps.by_pattern),
    )
    for title, found in titles:
        if found:
            show(title)
            show(table(columns, [(one.name, f"{one.calls:,}", dollars(one.usd)) for one in found], indent="  "))
    stated = [one for one in gaps.unknown_now if one not in gaps.unpriced]
    if stated:
        show("No price is known today, so every call must state at_most and its cost:")
        show("\n".join(f"  {one.name}" for one in stated))
    if gaps.never_used:
        show("Declared in the rate card and never used (a slip in the name?):")
        show("\n".join(f"  {name}" for name in gaps.never_used))
    if not (gaps.unpriced or gaps.by_pattern or stated):
        show(f"Every price in the ledger is exact: {counted(gaps.resources, 'resource')}.")
    say(f"List prices from {gaps.source}" + f", as of {gaps.dated}." * bool(gaps.dated))
