"""`spendgate once`: an exit code that lets one script go on."""

from tests.cli.conftest import Desk


def test_the_first_script_goes_on(desk: Desk) -> None:
    """Exit code 0 for the first, 1 for the same again, 0 again when the span is over."""
    assert desk.ok("once", "mail", "7", "--within", "1h") == ""
    said = desk.fails("once", "mail", "7", "--within", "1h", code=1)
    assert "mail was done already for this key" in said
    desk.ok("once", "mail", "8")
    desk.clock.advance(3600)
    desk.ok("once", "mail", "7")


def test_it_says_the_same_in_json(desk: Desk) -> None:
    """--json says whether this was the first, with the same exit codes, and never the key."""
    assert desk.json("once", "mail", "7") == {"first": True, "action": "mail", "within": "24h"}
    assert desk.json("once", "mail", "7", code=1) == {"first": False, "action": "mail", "within": "24h"}


def test_it_shares_with_programs(desk: Desk) -> None:
    """What a program has done, a script does not do again."""
    with desk.gate() as gate:
        assert gate.once("mail", "7")
    desk.fails("once", "mail", "7", code=1)


def test_wrong_use_is_exit_code_two(desk: Desk) -> None:
    """A span that is none, an empty key, or a damaged ledger is exit code 2, so that `&&` does not go on."""
    assert "no span of time" in desk.fails("once", "mail", "7", "--within", "soon")
    assert "must not be empty" in desk.fails("once", "mail", "")
    (desk.folder / ".spendgate" / "ledger.db").write_bytes(b"no database" * 1000)
    desk.fails("once", "mail", "7")
