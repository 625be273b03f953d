"""The rate card: which card applies, what it says from which day on, and what it refuses."""

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from spendgate.clock import instant
from spendgate.errors import ConfigError, PriceError
from spendgate.money import NANOS_PER_USD
from spendgate.pricing.book import PriceBook
from spendgate.pricing.price import Price
from spendgate.pricing.ratecard import RateCard, read_prices
from spendgate.pricing.tariff import Step, Tariff
from spendgate.pricing.usage import Usage

NOW = instant(datetime(2026, 11, 22, 12, tzinfo=UTC))
MILLION = 10**6


def card(text: str, timezone: str = "UTC") -> RateCard:
    return read_prices(tomllib.loads(text).get("prices", {}), timezone)


def price(text: str, provider: str, resource: str, at: int = NOW) -> Price:
    return PriceBook(card(text)).price(provider, resource, at)


def usd(amount: str) -> int:
    return int(Decimal(amount) * NANOS_PER_USD)


def test_calls_cost_what_the_card_says() -> None:
    """A price per call and per unit is charged for each of them, rounded up once."""
    found = price(
        """
        [prices."clearbit.enrich"]
        per_call = "0.004"
        [prices."clearbit.enrich".per_unit]
        rows = "0.0001"
        gb = "0.0000000001"
        """,
        "",
        "clearbit.enrich",
    )
    assert found.units == {"rows", "gb"}
    assert found.cost(Usage()) == usd("0.004")
    assert found.cost(Usage(units=(("rows", Decimal("2.5")), ("gb", Decimal(1)))), calls=3) == usd("0.01225") + 1
    assert found.source == "rate card"
    assert found.exact
    with pytest.raises(PriceError, match="no unit 'rowz'"):
        found.cost(Usage(units=(("rowz", Decimal(1)),)))


def test_free_calls_are_the_ledgers_business() -> None:
    """Monthly free calls make a tariff; the price itself then charges only what is outside of it."""
    text = '[prices."clearbit.*"]\nper_call = "0.004"\nfree_calls_per_month = 1000\nper_unit = { rows = "1" }'
    found = PriceBook(card(text, "Europe/Berlin")).price("", "clearbit.enrich", NOW)
    steps = (Step(Decimal(1000), Decimal(0)), Step(None, Decimal("0.004")))
    assert found.tariff == Tariff("clearbit.*", "calls", steps, "Europe/Berlin")
    assert found.cost(Usage(units=(("rows", Decimal(2)),))) == found.at_most(units=[("rows", 2)]) == usd("2")
    assert found.cost(Usage()) == 0


def test_a_card_may_say_where_its_resource_is_called() -> None:
    """A URL leads to the card with the longest glob that fits, whatever its query; other URLs lead to none."""
    cards = card(
        """
        [prices."clearbit.any"]
        per_call = "0.01"
        match = ["https://api.clearbit.com/*", "https://*.clearbit.net/*"]
        [prices."clearbit.enrich"]
        per_call = "0.004"
        match = "https://api.clearbit.com/v2/*"
        unbilled_statuses = [404]
        changes = [{ from = "2027-01-01", per_call = "0.005" }]
        """
    )
    found = cards.at_url("https://api.clearbit.com/v2/people?email=a@b.c")
    assert found is not None
    assert (found.name, found.unbilled_statuses, len(found.versions)) == ("clearbit.enrich", {404}, 2)
    other = cards.at_url("https://eu.clearbit.net/v1")
    assert other is not None
    assert other.name == "clearbit.any"
    assert cards.at_url("https://example.com/?u=https://api.clearbit.com/v2/x") is None


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('match = "api.clearbit.com/*"', "match"),
        ('match = "https://*"', "match"),
        ("match = []", "match"),
        ("match = [1]", "match"),
        ('match = "https://x.y/"\nunbilled_statuses = ["404"]', "unbilled_statuses"),
        ('match = "https://x.y/"\nunbilled_statuses = [99]', "unbilled_statuses"),
        ('match = "https://x.y/"\nunbilled_statuses = [true]', "unbilled_statuses"),
        ("unbilled_statuses = [404]", "unbilled_statuses"),
        ('changes = [{ from = "2027-01-01", match = "https://x.y/" }]', "match"),
    ],
)
def test_an_address_that_is_none_is_an_error(keys: str, key: str) -> None:
    """A URL without a host, a status that is none, and either in the wrong place are errors that name the key."""
    with pytest.raises(ConfigError) as fault:
        card(f'[prices."clearbit.enrich"]\nper_call = "0.004"\n{keys}')
    assert key in fault.value.key


def test_a_glob_has_no_address() -> None:
    """A card for many resources cannot say what a call to a URL is named."""
    with pytest.raises(ConfigError, match="plain name"):
        card('[prices."clearbit.*"]\nper_call = "0.004"\nmatch = "https://x.y/"')


def test_tiers_may_count_units() -> None:
    """Monthly tiers count calls, or a unit with a price per unit."""
    calls = price(
        '[prices."maps.geocode"]\ntiers = [{up_to = 10000, per_call = "0"}, {up_to = 100000, per_call = "0.005"}, '
        '{per_call = "0.004"}]',
        "",
        "maps.geocode",
    )
    assert calls.tariff is not None
    assert [step.up_to for step in calls.tariff.steps] == [10_000, 100_000, None]
    rows = price(
        """
        [prices.bq]
        per_call = "0.01"
        tier_unit = "tb"
        tiers = [{ up_to = "0.5", per_unit = 0 }, { per_unit = "6.25" }]
        """,
        "",
        "bq",
    )
    assert rows.tariff is not None
    assert (rows.tariff.unit, rows.units, rows.cost(Usage())) == ("tb", {"tb"}, usd("0.01"))
    assert rows.tariff.cost(0, rows.tariff.parts(Usage(units=(("tb", Decimal("0.75")),)))) == usd("1.5625")


OWN = """
[prices."anthropic:claude-haiku-4-5"]
input = "2"
output = 10
cache_read = "0.2"
cache_write = "2.5"
web_search = "0.02"
long_context = { above = 200000, input = "4", output = "15" }
batch = "0.5"
service_tiers = { Priority = "1.75", flex = "0.5" }
"""


@pytest.mark.parametrize(
    ("usage", "batch", "tier", "cost"),
    [
        (Usage(input_tokens=200_000, output_tokens=1000), False, "", "0.41"),
        (Usage(input_tokens=200_001, output_tokens=1000), False, "", "0.815004"),
        (Usage(input_tokens=1000, cache_read_tokens=1000), False, "", "0.0002"),
        (Usage(input_tokens=1000, cache_write_tokens=1000), False, "", "0.0025"),
        (Usage(input_tokens=1000, cache_write_1h_tokens=1000), False, "", "0.004"),
        (Usage(web_searches=1), True, "", "0.02"),
        (Usage(input_tokens=1000), True, "", "0.001"),
        (Usage(input_tokens=1000), False, "priority", "0.0035"),
        (Usage(input_tokens=1000), True, "flex", "0.0005"),
        (Usage(input_tokens=1000), False, "unheard", "0.005"),
    ],
)
def test_own_token_prices(usage: Usage, batch: bool, tier: str, cost: str) -> None:
    """A card's token prices replace those of the list, in dollars per million, with its own factors."""
    found = price(OWN, "anthropic", "claude-haiku-4-5-20251001")
    assert found.cost(usage, batch=batch, service_tier=tier) == usd(cost)


def test_factors_change_the_list_price() -> None:
    """A discount, a batch factor or a search price alone is laid over what the list says, and the source tells."""
    text = '[prices."openai:*"]\nmultiplier = "0.9"\nweb_search = "0.005"\nservice_tiers = {priority = 1}'
    found, listed = price(text, "openai", "gpt-4o"), PriceBook().price("openai", "gpt-4o", NOW)
    assert found.cost(Usage(input_tokens=MILLION)) == usd("2.25")
    assert found.cost(Usage(input_tokens=MILLION), batch=True) == usd("1.125")
    assert found.cost(Usage(input_tokens=MILLION), service_tier="priority") == usd("2.25")
    assert found.cost(Usage(web_searches=1)) == usd("0.005")
    assert found.source == f"rate card over {listed.source}"
    assert found.dated == listed.dated
    with pytest.raises(PriceError, match="changes a list price"):
        price(text, "openai", "gpt-99")


def test_free_is_declared() -> None:
    """What is declared free costs nothing, for any tokens, calls and units."""
    found = price('[prices."ollama:*"]\nfree = true', "ollama", "llama3")
    assert found.cost(Usage(input_tokens=MILLION, units=(("gb", Decimal(1)),)), calls=9) == 0
    assert found.at_most() == 0
    assert found.list_cost(Usage(input_tokens=1)) == 0
    zero = price('[prices."ollama:*"]\nper_call = 0', "ollama", "llama3")
    assert zero.cost(Usage(input_tokens=MILLION)) == zero.at_most() == 0


@pytest.mark.parametrize(
    ("text", "provider", "resource", "list_cost"),
    [
        ('[prices."claude-max"]\nbilling = "subscription"', "claude-max", "claude-opus-4-6", usd("5")),
        ('[prices."anthropic:*"]\nbilling = "subscription"', "anthropic", "claude-opus-4-6", usd("5")),
        ('[prices."claude-max"]\nbilling = "subscription"\ninput = 3\noutput = 4', "", "claude-max", usd("3")),
        ('[prices."claude-max"]\nbilling = "subscription"', "", "claude-max", None),
    ],
)
def test_subscriptions_cost_nothing_more(text: str, provider: str, resource: str, list_cost: int | None) -> None:
    """A subscription's calls cost 0, and what they would cost by the list is known beside it where there is one."""
    found = price(text, provider, resource)
    usage = Usage(input_tokens=MILLION)
    assert (found.billing, found.cost(usage), found.at_most()) == ("subscription", 0, 0)
    assert found.list_cost(usage) == list_cost


@pytest.mark.parametrize(
    ("provider", "resource", "name"),
    [
        ("anthropic", "claude-haiku-4-5", "anthropic:claude-haiku-4-5"),
        ("anthropic", "claude-haiku-4-5-20251001", "anthropic:claude-haiku-4-5"),
        ("aws", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("anthropic", "claude-haiku-5-5", "anthropic:claude-*"),
        ("anthropic", "sonnet", "anthropic:*"),
        ("azure", "gpt-4o", "azure"),
        ("", "clearbit.enrich", "clearbit.enrich"),
        ("", "clearbit.reveal", "clearbit.*"),
        ("", "hunter.verify", None),
    ],
)
def test_the_most_exact_card_wins(provider: str, resource: str, name: str | None) -> None:
    """Exact names win over globs, longer globs over shorter, and a provider's name alone comes last."""
    names = ["anthropic:claude-haiku-4-5", "claude-haiku-4-5", "anthropic:*", "anthropic:claude-*", "azure"]
    cards = read_prices({key: {"per_call": "1"} for key in [*names, "clearbit.*", "clearbit.enrich"]}, "UTC")
    found = cards.card(provider, resource)
    assert (found.name if found else None) == name


DATED = """
[prices."clearbit.enrich"]
per_call = "0.004"
free_calls_per_month = 1000
[[prices."clearbit.enrich".changes]]
from = 2027-01-01
free = true
[[prices."clearbit.enrich".changes]]
from = "2026-12-01"
per_call = "0.005"
"""


def test_changes_begin_at_midnight() -> None:
    """From the first instant of its day, in the configured zone, a change replaces what it names and keeps the rest."""
    book = PriceBook(card(DATED, "Asia/Tokyo"))
    december = instant(datetime(2026, 12, 1, tzinfo=ZoneInfo("Asia/Tokyo")))
    before, after = (book.price("", "clearbit.enrich", at) for at in (december - 1, december))
    assert before.tariff is not None
    assert after.tariff is not None
    assert (before.tariff.steps[1].usd_per_unit, before.dated) == (Decimal("0.004"), "")
    assert (after.tariff.steps, after.dated) == (
        (Step(Decimal(1000), Decimal(0)), Step(None, Decimal("0.005"))),
        "2026-12-01",
    )
    later = book.price("", "clearbit.enrich", instant(datetime(2027, 6, 1, tzinfo=UTC)))
    assert (later.tariff, later.free, later.dated) == (None, True, "2027-01-01")


def test_unknown_models_may_have_a_declared_price() -> None:
    """The declared price holds for models nobody knows, is marked, and is none for other resources."""
    text = '[prices]\nunknown_model = { input = "15", output = "75", per_call = "0" }'
    found = price(text, "anthropic", "claude-99")
    assert (found.source, found.exact) == ("unknown_model", False)
    assert found.cost(Usage(input_tokens=MILLION, output_tokens=MILLION)) == usd("90")
    with pytest.raises(PriceError):
        price(text, "", "clearbit.enrich")
    assert price(text, "openrouter", "deepseek/deepseek-r1:free").source == "unknown_model"
    assert price(f'{text}\n"openai:*" = {{ multiplier = "0.9" }}', "openai", "gpt-99").source == "unknown_model"
    with pytest.raises(PriceError):
        price('[prices]\nunknown_model = "refuse"', "anthropic", "claude-99")


def test_cards_name_the_units_that_limits_may_count() -> None:
    """Every unit with a price, in tiers or not, now or later, can be limited."""
    cards = card(
        """
        [prices.a]
        per_unit = { rows = 1 }
        [[prices.a.changes]]
        from = "2027-01-01"
        per_unit = { cells = 1 }
        [prices.b]
        tier_unit = "tb"
        tiers = [{ per_unit = 5 }]
        [prices.c]
        per_call = 1
        free_calls_per_month = 5
        """
    )
    assert cards.units() == {"rows", "cells", "tb"}


P = 'prices."x.y"'


@pytest.mark.parametrize(
    ("body", "key", "said"),
    [
        ("per_cal = 1", f"{P}.per_cal", "Did you mean `per_call`"),
        ("zzz = 1", f"{P}.zzz", "one of batch"),
        ("per_call = 0.004", f"{P}.per_call", "as text"),
        ("per_call = nan", f"{P}.per_call", "as text"),
        ("per_call = true", f"{P}.per_call", "as text"),
        ('per_call = "NaN"', f"{P}.per_call", "finite"),
        ('per_call = "inf"', f"{P}.per_call", "finite"),
        ('per_call = "-0.1"', f"{P}.per_call", "negative"),
        ("per_call = -1", f"{P}.per_call", "negative"),
        ('per_call = "cheap"', f"{P}.per_call", "plain number"),
        ('per_call = "1000001"', f"{P}.per_call", "believed"),
        ('per_call = "1e-40"', f"{P}.per_call", "digits"),
        ("per_call = [1]", f"{P}.per_call", "as text"),
        ("per_call = 1\nper_unit = 5", f"{P}.per_unit", "no table"),
        ("per_call = 1\nper_unit = {}", f"{P}.per_unit", "no unit"),
        ('per_unit = { "per row" = 1 }', f'{P}.per_unit."per row"', "no name for a unit"),
        ("per_unit = { tokens = 1 }", f"{P}.per_unit.tokens", "no name for a unit"),
        ("per_unit = { rows = 0.1 }", f"{P}.per_unit.rows", "as text"),
        ("free_calls_per_month = 5", f"{P}.free_calls_per_month", "per_call too"),
        ("per_call = 1\nfree_calls_per_month = 1.5", f"{P}.free_calls_per_month", "whole number"),
        ("per_call = 1\nfree_calls_per_month = -1", f"{P}.free_calls_per_month", "whole number"),
        ("per_call = 1\nfree_calls_per_month = true", f"{P}.free_calls_per_month", "whole number"),
        ("tiers = []", f"{P}.tiers", "at least one table"),
        ("tiers = [{ up_to = 5, per_call = 1 }]", f"{P}.tiers", "the last step"),
        (
            "tiers = [{ up_to = 5, per_call = 1 }, { up_to = 5, per_call = 1 }, { per_call = 1 }]",
            f"{P}.tiers",
            "rising",
        ),
        ("tiers = [{ up_to = 5 }, { per_call = 1 }]", f"{P}.tiers[0]", "`per_call` is missing"),
        ("tiers = [{ upto = 5, per_call = 1 }, { per_call = 1 }]", f"{P}.tiers[0].upto", "`up_to`"),
        ("tiers = [{ up_to = 0, per_call = 1 }, { per_call = 1 }]", f"{P}.tiers[0].up_to", "whole number"),
        ("tiers = [{ per_call = 1 }]\nper_call = 1", f"{P}.tiers", "cannot both"),
        ("tiers = [{ per_call = 1 }]\ntier_unit = 'rows'", f"{P}.tiers[0].per_call", "per_unit, up_to"),
        ("tiers = [{ per_unit = 1 }]\ntier_unit = 'rows'\nper_unit = { rows = 1 }", f"{P}.per_unit.rows", "already"),
        ("tiers = [{ per_unit = 1 }]\ntier_unit = 'tokens'", f"{P}.tier_unit", "no unit"),
        ("per_call = 1\ntier_unit = 'rows'", f"{P}.tier_unit", "no tiers"),
        ("input = 1", P, "`output` is missing"),
        ("cache_read = 1", P, "`input` is missing"),
        ("long_context = { above = 5, input = 1, output = 1 }", f"{P}.long_context", "beside it"),
        ("input = 1\noutput = 5\nlong_context = { input = 1, output = 1 }", f"{P}.long_context", "from where on"),
        ("input = 1\noutput = 5\nlong_context = { above = 9, output = 1 }", f"{P}.long_context", "`input` is missing"),
        ("input = 1\noutput = 5\nlong_context = { above = 9, inpt = 1 }", f"{P}.long_context.inpt", "`input`"),
        ("input = 1\noutput = 5\nmultiplier = 2", f"{P}.input", "cannot both"),
        ("per_call = 1\nfree = true", f"{P}.per_call", "cannot both"),
        ("free = false", f"{P}.free", "free = true"),
        ('free = "true"', f"{P}.free", "free = true"),
        ("multiplier = 0", f"{P}.multiplier", "free = true"),
        ("multiplier = 1000", f"{P}.multiplier", "believed"),
        ("per_call = 1\nbatch = 0.5", f"{P}.batch", "as text"),
        ("per_call = 1\nservice_tiers = { flex = 0.5 }", f"{P}.service_tiers.flex", "as text"),
        ("per_call = 1\nbilling = 'subscripton'", f"{P}.billing", "`subscription`"),
        ("per_call = 1\nfree_calls_per_month = 1\nbilling = 'subscription'", P, "subscription"),
        ("", P, "nothing here is a price"),
        ("billing = 'metered'", P, "nothing here is a price"),
        ("context_window = 5000", P, "nothing here is a price"),
        ("input = 1\noutput = 1\ncontext_window = '5'", f"{P}.context_window", "whole number"),
        ("per_call = 1\nchanges = [{ per_call = 2 }]", f"{P}.changes[0]", "from which day"),
        ("per_call = 1\nchanges = [{ from = '2026-12-01' }]", f"{P}.changes[0]", "nothing new"),
        ("per_call = 1\nchanges = [{ from = 'soon', per_call = 2 }]", f"{P}.changes[0].from", "no day"),
        ("per_call = 1\nchanges = [{ from = '2026-02-30', per_call = 2 }]", f"{P}.changes[0].from", "calendar"),
        ("per_call = 1\nchanges = [{ from = 2026-02-03T00:00:00, per_call = 2 }]", f"{P}.changes[0].from", "no day"),
        ("per_call = 1\nchanges = [{ from = '2026-12-01', per_cal = 2 }]", f"{P}.changes[0].per_cal", "`per_call`"),
        (
            "per_call = 1\nchanges = [{ from = '2026-12-01', per_call = 2 }, { from = 2026-12-01, per_call = 3 }]",
            f"{P}.changes[1].from",
            "two changes",
        ),
    ],
)
def test_faults_are_named(body: str, key: str, said: str) -> None:
    """A fault in the rate card is an error that names the key and says what to write."""
    with pytest.raises(ConfigError) as caught:
        card(f"[{P}]\n{body}")
    assert (caught.value.key, said in str(caught.value)) == (key, True), str(caught.value)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("refuze", "prices.unknown_model"),
        (5, "prices.unknown_model"),
        (True, "prices.unknown_model"),
        ({}, "prices.unknown_model"),
        ({"input": "0", "output": "0"}, "prices.unknown_model"),
        ({"input": "15", "output": "0"}, "prices.unknown_model"),
        ({"per_call": "0"}, "prices.unknown_model"),
        ({"free": True}, "prices.unknown_model.free"),
        ({"input": "15"}, "prices.unknown_model"),
        ({"input": 15.0, "output": "75"}, "prices.unknown_model.input"),
        ({"input": "15", "ouput": "75"}, "prices.unknown_model.ouput"),
    ],
)
def test_unknown_models_are_never_free(value: Any, key: str) -> None:
    """The price for unknown models is refused where it is misread or could come to nothing."""
    with pytest.raises(ConfigError) as caught:
        read_prices({"unknown_model": value}, "UTC")
    assert caught.value.key == key


@pytest.mark.parametrize("table", [{"x": 5}, {"": {"per_call": 1}}, {"x\n": {"per_call": 1}}])
def test_cards_are_tables_with_names(table: dict[str, Any]) -> None:
    """What is no table, or has no name, is no card."""
    with pytest.raises(ConfigError):
        read_prices(table, "UTC")
