"""`spendgate limits`: in words, in force, applied, and looked back at."""

import re

from tests.cli.conftest import CONFIG, Desk
from tests.conftest import ROOT


def test_a_config_in_words(desk: Desk) -> None:
    """Each limit is a sentence; a sound configuration is exit code 0."""
    assert desk.ok("limits", "check").splitlines()[0] == (
        "hourly: each service may spend $5.00 in any 1h; warns at 80 %; refuses beyond."
    )
    found = desk.json("limits", "check")
    assert [limit["amount"] for limit in found["limits"]] == ["5.00", "80.00"]
    assert found["remarks"] == []


def test_a_missing_total_is_a_problem(desk: Desk) -> None:
    """A budget for each service without a total is pointed out, with exit code 1."""
    desk.configure('[[limits]]\nname = "hourly"\nusd = "5"\nwindow = "1h"\nper = ["service"]\n')
    result = desk.run("limits", "check")
    assert result.exit_code == 1
    assert "problem: hourly has no total beside" in result.stdout
    found = desk.json("limits", "check", code=1)
    assert found["remarks"][0]["severity"] == "problem"


def test_check_needs_no_ledger_and_makes_none(desk: Desk) -> None:
    """Explaining a configuration touches nothing."""
    desk.ok("limits", "check")
    desk.ok("limits", "show")
    desk.ok("limits", "history")
    assert [path.name for path in desk.folder.iterdir()] == ["spendgate.toml"]


def test_apply_says_what_changed(desk: Desk) -> None:
    """Applying puts the file's limits in force and says what is new, changed and gone."""
    assert desk.run("limits", "apply").stderr.startswith("In force from now on, as version 1: 2 limits.")
    assert "already" in desk.run("limits", "apply").stderr
    desk.configure(CONFIG.replace('"5.00"', '"6.00"').replace('name = "total"', 'name = "all"'))
    dry = desk.run("limits", "apply", "--dry-run")
    assert "Nothing was changed" in dry.stderr
    shown = desk.run("limits", "apply").stdout
    assert dry.stdout == shown
    assert "changed hourly: each service may spend $6.00" in shown
    assert "Before: each service may spend $5.00" in shown
    assert "added all: " in shown
    assert "removed total: " in shown
    found = desk.json("limits", "apply")
    assert found == {"applied": False, "version": 2, "changes": []}


def test_the_order_in_the_file_is_no_change(desk: Desk) -> None:
    """The same limits in another order are those in force: nothing to apply, nothing that differs, no warning."""
    desk.ok("limits", "apply")
    head, *tables = CONFIG.split("[[limits]]")
    desk.configure("[[limits]]".join([head, *(f"{table.rstrip()}\n\n" for table in reversed(tables))]))
    assert desk.json("limits", "apply") == {"applied": False, "version": 1, "changes": []}
    assert not desk.json("limits", "show")["file_differs"]
    assert "not those of the file" not in desk.run("doctor").stdout


def test_show_says_since_when_and_who(desk: Desk) -> None:
    """The limits in force carry their version, instant, program and file; a file that differs is pointed out."""
    desk.ok("limits", "apply")
    shown = desk.run("limits", "show")
    assert shown.stdout.startswith("Version 1, in force since 2026-03-02 12:00:00 UTC by ")
    assert "spendgate.toml" in shown.stdout
    assert shown.stderr == ""
    desk.configure(CONFIG.replace('"5.00"', '"6.00"'))
    assert "changed hourly" in desk.run("limits", "show").stderr
    found = desk.json("limits", "show")
    assert found["file_differs"] is True
    assert found["in_force"]["limits"][0]["amount"] == "5.00"


def test_limits_kept_by_the_ledger_change_by_apply_alone(desk: Desk) -> None:
    """With `limits_from = "ledger"` a program leaves the limits in force as they are; `apply` changes them."""
    desk.spend("1")
    desk.configure(f'[gate]\nlimits_from = "ledger"\n{CONFIG.replace("5.00", "6.00")}')
    desk.spend("1")
    assert desk.json("limits", "show")["in_force"]["version"] == 1
    desk.ok("limits", "apply")
    assert desk.json("limits", "show")["in_force"]["version"] == 2


def test_history_lists_every_change(desk: Desk) -> None:
    """Every version is there, oldest first, each with what it changed."""
    desk.ok("limits", "apply")
    desk.clock.advance(60)
    desk.configure(CONFIG.replace('"5.00"', '"6.00"'))
    desk.ok("limits", "apply")
    text = desk.ok("limits", "history")
    assert text.index("Version 1") < text.index("added hourly") < text.index("Version 2") < text.index("changed hourly")
    found = desk.json("limits", "history")["versions"]
    assert [(one["version"], one["since"]) for one in found] == [
        (1, "2026-03-02T12:00:00Z"),
        (2, "2026-03-02T12:01:00Z"),
    ]


def test_lowering_below_what_is_spent_blocks_at_once(desk: Desk) -> None:
    """After `apply` every process refuses what no longer fits."""
    desk.spend("3")
    desk.configure(CONFIG.replace('"5.00"', '"2.00"'))
    desk.ok("limits", "apply")
    desk.fails("hold", "--service", "research", "--at-most", "0.01", code=1)


def test_the_example_of_the_readme_is_sound(desk: Desk) -> None:
    """The configuration that the README shows has no problem, not even a hint."""
    found = re.search(
        r"<!-- file: spendgate.toml -->\n```toml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    desk.configure(found[1])
    assert desk.json("limits", "check")["remarks"] == []


def test_a_webhook_in_the_clear_is_hinted_at(desk: Desk) -> None:
    """A webhook over http is pointed out, unless it stays on this machine."""
    desk.configure(f'{CONFIG}\n[notify]\nwebhook = "http://hooks.example.com/T0/secret"\n')
    (remark,) = desk.json("limits", "check")["remarks"]
    assert (remark["severity"], "hooks.example.com" in remark["text"], "secret/" in remark["text"]) == (
        "hint",
        True,
        False,
    )
    assert any("not encrypted" in one["text"] for one in desk.json("doctor")["findings"])
    desk.configure(f'{CONFIG}\n[notify]\nwebhook = "http://127.0.0.1:8080/"\n')
    assert desk.json("limits", "check")["remarks"] == []
