"""`spendgate prices`: what things cost, and what has no exact price."""

from tests.cli.conftest import CONFIG, Desk


def test_a_model_of_the_price_list(desk: Desk) -> None:
    """A model's price comes with its source, its day, and what a call sets aside that states nothing."""
    found = desk.json("prices", "show", "claude-haiku-4-5", "--provider", "anthropic")
    assert found["prices"]["input"] == "$1.00 / 1M tokens"
    assert found["source"].startswith("genai-prices ")
    assert found["exact"] is True
    assert found == desk.json("prices", "show", "anthropic:claude-haiku-4-5")
    text = desk.ok("prices", "show", "anthropic:claude-haiku-4-5")
    assert "$5.00 / 1M tokens" in text
    assert "A call that states nothing sets aside $" in text


def test_a_price_of_ones_own(desk: Desk) -> None:
    """The rate card comes before the list."""
    found = desk.json("prices", "show", "clearbit.enrich")
    assert (found["source"], found["prices"], found["at_most"]) == ("rate card", {"call": "$0.004 / call"}, "0.004")


def test_prices_need_no_configuration(empty: Desk) -> None:
    """List prices can be looked up anywhere."""
    assert empty.json("prices", "show", "anthropic:claude-haiku-4-5")["provider"] == "anthropic"
    assert empty.json("prices", "list", "claude-haiku-4-5")["prices"]


def test_an_unknown_model_names_the_nearest(desk: Desk) -> None:
    """What has no price is exit code 1, with the closest names."""
    assert "claude-haiku-4-5" in desk.fails("prices", "show", "claude-hiaku-4-5", "--provider", "anthropic", code=1)


def test_the_list_can_be_filtered(desk: Desk) -> None:
    """A filter is a part of a name or a glob, whatever the case."""
    assert desk.json("prices", "list", "CLEARBIT")["prices"] == [
        {"name": "clearbit.enrich", "provider": "", "source": "rate card"}
    ]
    names = [one["name"] for one in desk.json("prices", "list", "claude-haiku-*")["prices"]]
    assert names
    assert all(name.startswith("claude-haiku-") for name in names)
    assert "Nothing" in desk.run("prices", "list", "no-such-thing").stderr


def test_an_exact_ledger(desk: Desk) -> None:
    """Where every price is exact the check is exit code 0."""
    with desk.gate() as gate, gate.call("clearbit.enrich", service="n"):
        pass
    assert "Every price in the ledger is exact: 1 resource." in desk.ok("prices", "check")


def test_what_is_unpriced_is_found(desk: Desk) -> None:
    """Calls without a price are named with what they count as, and the exit code is 1."""
    with desk.gate() as gate, gate.call("mystery", service="n", at_most="0.5"):
        pass
    result = desk.run("prices", "check")
    assert result.exit_code == 1
    assert "mystery" in result.stdout
    found = desk.json("prices", "check", code=1)
    assert found["unpriced"] == [{"name": "mystery", "provider": "", "calls": 1, "usd": "0.50"}]
    assert found["never_used"] == ["clearbit.enrich"]


def test_a_stated_cost_is_no_finding(desk: Desk) -> None:
    """A resource without a price whose calls all stated their cost is mentioned, not complained about."""
    desk.spend("0.5", resource="mystery")
    found = desk.json("prices", "check")
    assert (found["unpriced"], found["unknown_now"]) == ([], [{"name": "mystery", "provider": ""}])
    assert "must state at_most" in desk.ok("prices", "check")


def test_what_fits_only_a_pattern_is_shown(desk: Desk) -> None:
    """A model that was matched by a pattern is listed as such."""
    desk.configure(CONFIG)
    with desk.gate() as gate:
        call = gate.reserve(
            service="n", provider="anthropic", resource="claude-haiku-4-5-turbo", input_tokens=10, max_output_tokens=10
        )
        call.settle(usage={"input_tokens": 10, "output_tokens": 10})
    found = desk.json("prices", "check")
    assert [one["name"] for one in found["by_pattern"]] == ["claude-haiku-4-5-turbo"]


def test_a_price_that_nothing_has_used(desk: Desk) -> None:
    """A name on the rate card that no call ever had is pointed out: it may be misspelt."""
    desk.spend("1", resource="clearbit.enirch")
    assert "clearbit.enrich" in desk.ok("prices", "check")
