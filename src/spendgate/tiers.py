"""Whether a call's model stands above the one that its task is held to: a pure question to the price book."""

from typing import TYPE_CHECKING

from spendgate.errors import PriceError
from spendgate.pricing.usage import MAX_OUTPUT_TOKENS
from spendgate.stating import Ask
from spendgate.taskterms import TaskTerms, rung

if TYPE_CHECKING:
    from spendgate.pricing.book import PriceBook
    from spendgate.pricing.price import Price


def above(ask: Ask, terms: TaskTerms, book: "PriceBook", at: int, defaults: tuple[int, int] = (0, 0)) -> str:
    """In which way a call stands above its task's tier, for a reader; empty where it does not.

    On a ladder the rungs decide. Without one the call is estimated at its own model and at the locked one, with the
    same tokens and searches, whatever its caller says that it costs at most: equal or cheaper passes.

    Raises:
        PriceError: one of the two models has no price, so that nobody can say which is dearer.
    """
    call = ask.call
    if terms.ladder:
        own, locked = rung(call.model, terms.ladder), rung(terms.tier, terms.ladder)
        if own is None:
            return "is on no rung of the ladder"
        return "is on a higher rung" if locked is not None and own > locked else ""
    if not terms.tier or (call.model == terms.tier and terms.provider in ("", call.provider)):
        return ""
    price = book.price(call.provider, call.resource, at)
    most_in = ask.input_tokens if ask.input_tokens is not None else defaults[0] or None
    most_out = ask.max_output_tokens if ask.max_output_tokens is not None else defaults[1] or None
    tokens_in = price.default_tokens(input_tokens=most_in, max_output_tokens=0, calls=ask.calls)
    tokens_out = ask.calls * MAX_OUTPUT_TOKENS if most_out is None else most_out

    def most(one: "Price") -> int:
        return one.at_most(
            input_tokens=tokens_in,
            max_output_tokens=tokens_out,
            calls=ask.calls,
            web_searches=ask.web_searches,
            batch=ask.batch,
            service_tier=ask.service_tier,
        )

    return "is dearer" if most(price) > most(locked_price(terms, call.provider, book, at)) else ""


def locked_price(terms: TaskTerms, provider: str, book: "PriceBook", at: int) -> "Price":
    """The price of the model that a task is held to; a name without a provider is looked up with the call's first.

    Raises:
        PriceError: nobody knows it.
    """
    named, _, model = terms.tier.partition(":")
    places = [(terms.provider or provider, terms.tier), ("", terms.tier), *([(named, model)] if model else [])]
    nearest: tuple[str, ...] = ()
    for place in places:
        try:
            return book.price(*place, at)
        except PriceError as fault:
            nearest = nearest or fault.nearest
    problem = f"task {terms.id[:200]!r} is held to a model without a price, so no other can be compared with it: none"
    raise PriceError(provider=terms.provider, model=terms.tier, nearest=nearest, problem=problem)
