"""`spendgate config` and `spendgate notify`."""

from tests.cli.conftest import CONFIG, Desk


def test_every_setting_with_its_origin(desk: Desk) -> None:
    """Each setting is shown with its value, and on request where it came from."""
    assert 'gate.mode = "enforce"\n' in desk.ok("config", "show")
    lines = desk.ok("config", "show", "--origin").splitlines()
    (line,) = [line for line in lines if line.startswith("limits.hourly.usd ")]
    assert line.split()[1:] == ['"5.00"', f"{desk.folder / 'spendgate.toml'}:4"]
    found = {one["key"]: one for one in desk.json("config", "show")["settings"]}
    assert found["gate.mode"] == {"key": "gate.mode", "value": "enforce", "origin": "default"}


def test_secrets_are_masked(desk: Desk) -> None:
    """What stands in an address is nobody's business."""
    desk.configure(
        f'{CONFIG}\n[notify]\nwebhook = "https://hooks.example.com/T0/hush"\nheaders = {{ X-Key = "k3y" }}\n'
    )
    for args in (["config", "show"], ["config", "show", "--origin"], ["config", "show", "--json"]):
        assert "hush" not in (text := desk.ok(*args))
        assert "k3y" not in text


def test_routes_are_tried(desk: Desk) -> None:
    """Every route gets a test message; one that fails makes exit code 1 and is named."""
    told = desk.folder / "told"
    desk.configure(f'{CONFIG}\n[[notify]]\nname = "file"\ncommand = ["sh", "-c", "cat > {told}"]\n')
    assert "sent      file" in desk.ok("notify", "test")
    assert "spendgate notify test" in told.read_text(encoding="utf-8")
    desk.configure(f'{CONFIG}\n[[notify]]\nname = "bad"\ncommand = ["false"]\n')
    found = desk.json("notify", "test", code=1)
    assert found["deliveries"][0]["route"] == "bad"
    assert found["deliveries"][0]["error"]


def test_no_route_is_a_finding(desk: Desk) -> None:
    """Where nobody would be told, that is said with exit code 1."""
    assert "[notify]" in desk.fails("notify", "test", code=1)
