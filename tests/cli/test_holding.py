"""`spendgate hold`, `settle` and `void`: the gate for shell scripts."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import CONFIG, Desk


def test_a_call_from_hold_to_settle(desk: Desk) -> None:
    """The id on stdout is all a script needs; the same settle again is the same answer."""
    hold_id = desk.ok("hold", "--service", "nightly", "--at-most", "0.02").strip()
    assert "$0.003 of $0.02" in desk.run("settle", hold_id, "--cost", "0.003").stderr
    again = desk.json("settle", hold_id, "--cost", "0.003")
    assert again == {"id": hold_id, "cost": "0.003", "reserved": "0.02", "overrun": False, "late": False}


def test_another_amount_is_refused(desk: Desk) -> None:
    """A reservation ends once: another cost, or a void after the settle, is an error and changes nothing."""
    hold_id = desk.ok("hold", "--service", "nightly", "--at-most", "0.02").strip()
    desk.ok("settle", hold_id, "--cost", "0.003")
    assert "Nothing was changed" in desk.fails("settle", hold_id, "--cost", "0.004")
    assert "Nothing was changed" in desk.fails("void", hold_id)
    assert desk.json("settle", hold_id, "--cost", "0.003")["cost"] == "0.003"


def test_a_void_frees_the_money(desk: Desk) -> None:
    """What was set aside is free again after a void."""
    hold_id = desk.ok("hold", "--service", "nightly", "--at-most", "5").strip()
    assert desk.run("hold", "--service", "nightly", "--at-most", "0.01").exit_code == 1
    desk.ok("void", hold_id)
    desk.ok("hold", "--service", "nightly", "--at-most", "0.01")


def test_a_refusal_is_exit_code_one(desk: Desk) -> None:
    """Where a limit leaves no room nothing is printed on stdout, the reason on stderr, and the exit code is 1."""
    result = desk.run("hold", "--service", "nightly", "--at-most", "5.01")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "limit 'hourly' for service=nightly" in result.stderr


def test_an_unknown_price_is_refused(desk: Desk) -> None:
    """Without a price and without --at-most a limit in dollars cannot be kept: exit code 1."""
    assert "no price is known" in desk.fails("hold", "--service", "nightly", "--resource", "unheard.of", code=1)


def test_a_hold_says_what_or_how_much(desk: Desk) -> None:
    """Neither a resource nor an amount is wrong use; an amount alone needs no price, now or later."""
    assert "--at-most" in (said := desk.fails("hold", "--service", "nightly"))
    assert "--resource" in said
    desk.ok("settle", desk.ok("hold", "--service", "nightly", "--at-most", "0.02").strip(), "--cost", "0.01")
    assert desk.json("prices", "check")["unknown_now"] == []


def test_calls_and_tiers_are_priced(desk: Desk) -> None:
    """A hold for several calls sets several prices aside, and a service tier its own price."""
    assert desk.json("hold", "--service", "n", "--resource", "clearbit.enrich", "--calls", "3")["at_most"] == "0.012"
    desk.configure(f'{CONFIG}service_tiers = {{ priority = "2" }}\n')
    tier = ["--resource", "clearbit.enrich", "--service-tier"]
    assert desk.json("hold", "--service", "n", *tier, "priority")["at_most"] == "0.008"


def test_no_input_is_stated_as_zero(desk: Desk) -> None:
    """An input of 0 tokens is a statement, not the model's whole context."""
    model = ["--provider", "anthropic", "--resource", "claude-haiku-4-5", "--max-output-tokens", "100"]
    assert desk.json("hold", "--service", "n", *model, "--input-tokens", "0")["at_most"] == "0.0005"


def test_the_rate_card_stands_in_for_amounts(desk: Desk) -> None:
    """A resource of the rate card needs neither --at-most nor --cost."""
    hold_id = desk.ok("hold", "--service", "nightly", "--resource", "clearbit.enrich").strip()
    assert desk.json("settle", hold_id)["cost"] == "0.004"


def test_units_and_usage_are_priced(desk: Desk) -> None:
    """What was used is priced as it is for programs: units by the rate card, tokens by the list."""
    hold_id = desk.ok("hold", "--service", "n", "--resource", "clearbit.enrich", "--at-most", "0.1").strip()
    assert desk.json("settle", hold_id, "--units", "3")["cost"] == "0.012"
    model = ["--provider", "anthropic", "--resource", "claude-haiku-4-5", "--input-tokens", "2000"]
    hold_id = desk.ok("hold", "--service", "n", *model, "--max-output-tokens", "500").strip()
    usage = '{"input_tokens": 1000, "output_tokens": 200}'
    assert desk.json("settle", hold_id, "--usage", usage)["cost"] == "0.002"
    hold_id = desk.ok("hold", "--service", "n", *model, "--max-output-tokens", "500").strip()
    assert desk.run("settle", hold_id, "--usage", "-", stdin=usage).exit_code == 0


def test_tags_and_tasks_reach_the_ledger(desk: Desk) -> None:
    """What a call is for is kept with it."""
    said = ["--task", "t-1", "--key", "k", "--attempt", "2", "--tag", "customer=acme", "--tag", "plan=a=b"]
    hold_id = desk.ok("hold", "--service", "n", "--at-most", "0.1", *said).strip()
    with desk.gate() as gate:
        entry = gate.store.entry(hold_id)
    assert entry is not None
    assert (entry.call.task, entry.call.key, entry.call.attempt) == ("t-1", "k", 2)
    assert dict(entry.call.tags) == {"customer": "acme", "plan": "a=b"}


@pytest.mark.parametrize(
    "args",
    [
        ["--at-most", "NaN"],
        ["--at-most", "-1"],
        ["--at-most", "inf"],
        ["--at-most", "1e30"],
        ["--at-most", "2000000"],
        ["--at-most", "five"],
        ["--at-most", "1", "--tag", "customer"],
        ["--at-most", "1", "--tag", "a=1", "--tag", "a=2"],
        ["--at-most", "1", "--attempt", "0"],
        ["--at-most", "1", "--wait", "soon"],
        ["--at-most", "1", "--wait", "-1"],
        ["--at-most", "1", "--unit", "rows=many"],
        ["--at-most", "1", "--resource", ""],
        ["--at-most", "1", "--task", "x" * 300],
        ["--at-most", "1", "--input-tokens", "-5"],
    ],
)
def test_bad_amounts_are_refused_at_the_door(desk: Desk, args: list[str]) -> None:
    """What is no amount, no name or no count is exit code 2, and nothing is set aside."""
    desk.fails("hold", "--service", "n", *args)
    assert all(one["held"] == "0.00" for one in desk.json("status")["limits"])


@pytest.mark.parametrize(
    "args",
    [
        ["--cost", "NaN"],
        ["--cost", "-0.01"],
        ["--cost", "0x10"],
        ["--usage", "{"],
        ["--usage", "[]"],
        ["--usage", '{"input_tokens": NaN}'],
        ["--usage", '{"input_tokens": -1}'],
        ["--usage", '{"input_tokens": true}'],
        ["--usage", '{"inptu_tokens": 1}'],
        ["--units", "-1"],
        ["--units", "rows=1", "--units", "rows=2"],
    ],
)
def test_bad_settles_leave_it_held(desk: Desk, args: list[str]) -> None:
    """A settle with what is no amount is exit code 2, and the reservation can still be settled."""
    hold_id = desk.ok("hold", "--service", "n", "--at-most", "0.02").strip()
    desk.fails("settle", hold_id, *args)
    assert desk.json("settle", hold_id, "--cost", "0.01")["cost"] == "0.01"


@pytest.mark.parametrize("hold_id", ["1-deadbeef", "x", "", "99999999999999999999-00", "1; DROP TABLE entries"])
def test_an_unknown_id_is_said(desk: Desk, hold_id: str) -> None:
    """An id that the ledger does not know is exit code 2."""
    assert "is not known" in desk.fails("settle", hold_id, "--cost", "1")
    assert "is not known" in desk.fails("void", hold_id)


def test_with_the_gate_off_scripts_go_on(desk: Desk) -> None:
    """With the gate off `hold` prints a mark that `settle` and `void` take, so a script needs no case for it."""
    desk.configure('[gate]\nmode = "off"\n[[limits]]\nusd = "1"\nwindow = "day"\n')
    assert desk.ok("hold", "--service", "n", "--at-most", "100") == "-\n"
    desk.ok("settle", "-", "--cost", "1")
    desk.ok("void", "-")


def test_a_late_settle_says_so(desk: Desk) -> None:
    """What is settled after it lapsed is corrected where it lapsed, and said to be late."""
    hold_id = desk.ok("hold", "--service", "n", "--at-most", "0.02").strip()
    desk.clock.advance(16 * 60)
    assert desk.json("settle", hold_id, "--cost", "0.03") | {"id": ""} == {
        "id": "",
        "cost": "0.03",
        "reserved": "0.02",
        "overrun": True,
        "late": True,
    }


def test_waiting_takes_the_clocks_time(desk: Desk) -> None:
    """With --wait a call takes its turn when a window has room again, and gives up where it will not."""
    desk.configure('[[limits]]\nname = "slow"\nusd = "1"\nwindow = "1m"\n')
    desk.spend("1")
    before = desk.clock.now()
    desk.fails("hold", "--service", "n", "--at-most", "1", "--wait", "30", code=1)
    assert desk.clock.now() == before
    desk.ok("hold", "--service", "n", "--at-most", "1", "--wait", "90")
    assert desk.clock.now() > before


def test_a_script_in_a_real_shell(desk: Desk) -> None:
    """The documented lines work in sh: the id is caught, a refusal stops the script."""
    script = (
        'id=$("$PY" -m spendgate hold --service s --at-most 4.99) || exit 9\n'
        '"$PY" -m spendgate settle "$id" --cost 4.99\n'
        '"$PY" -m spendgate hold --service s --at-most 0.02 || exit 1\n'
    )
    environment = {"PY": sys.executable, "PATH": "/usr/bin:/bin"}
    command = ["sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=desk.folder, env=environment, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "leaves no room" in done.stderr


def test_hold_says_what_it_set_aside(desk: Desk) -> None:
    """With --json the id comes with the amount."""
    found = desk.json("hold", "--service", "n", "--at-most", "0.020")
    assert found == {"id": found["id"], "at_most": "0.02", "service": "n"}
    assert json.loads(json.dumps(found)) == found
