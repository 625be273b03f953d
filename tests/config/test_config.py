"""spendgate.toml as settings: every table but the limits, the environment, and where the file is looked for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spendgate.config import TEMPLATE, Settings, find, load, origins, read
from spendgate.config.keys import KEYS
from spendgate.errors import ConfigError
from spendgate.ledger import LAPSE_AFTER, LAPSE_AFTER_BATCH, MAX_LAPSE_AFTER
from spendgate.limits import LimitSet
from spendgate.windows import spell_span
from tests.conftest import ROOT

SECOND = 1_000_000
DAY = 86_400 * SECOND
FILE = "/etc/app/spendgate.toml"
LIMIT = '[[limits]]\nusd = "1"\nwindow = "1h"\n'


def uncommented(text: str) -> str:
    """The text with its commented-out examples put into force."""
    return re.sub(r"^#(?=[^ #\n])", "", text, flags=re.MULTILINE)


def test_an_empty_file_means_the_defaults() -> None:
    """What a file does not say is as the documentation says: shut when in doubt, UTC, SQLite beside the file."""
    found = read("", FILE, {})
    assert (found.service, found.mode, found.timezone, found.limits_from) == ("", "enforce", "UTC", "file")
    assert (found.lapse_after, found.lapse_after_batch) == (LAPSE_AFTER, LAPSE_AFTER_BATCH)
    assert (found.default_max_input_tokens, found.default_max_output_tokens) == (0, 16_384)
    assert (found.limits, found.notify, found.mirror) == (LimitSet(()), (), None)
    store = found.store
    assert (store.url, store.path) == ("sqlite:////etc/app/.spendgate/ledger.db", Path("/etc/app/.spendgate/ledger.db"))
    assert (store.unavailable, store.synchronous, store.on_lost_tail) == ("refuse", "normal", "refuse")
    assert (store.timeout, store.keep) == (5 * SECOND, 400 * DAY)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ('[gate]\nservice = "web"', "service", "web"),
        ('[gate]\nmode = "observe"', "mode", "observe"),
        ('[gate]\ntimezone = "Europe/Berlin"', "timezone", "Europe/Berlin"),
        ('[gate]\nlapse_after = "2m30s"', "lapse_after", 150 * SECOND),
        ('[gate]\nlapse_after_batch = "7d"', "lapse_after_batch", MAX_LAPSE_AFTER),
        ('[gate]\nlimits_from = "ledger"', "limits_from", "ledger"),
        ("[estimate]\nmax_input_tokens = 5000", "default_max_input_tokens", 5000),
        ("[estimate]\nmax_output_tokens = 1", "default_max_output_tokens", 1),
        ('[store]\nurl = "memory:"', "store.path", None),
        ('[store]\nurl = "sqlite:///a/b.db"', "store.path", Path("/etc/app/a/b.db")),
        ('[store]\nurl = "sqlite:////var/b.db"', "store.path", Path("/var/b.db")),
        ('[store]\nunavailable = "allow"', "store.unavailable", "allow"),
        ('[store]\nsynchronous = "full"', "store.synchronous", "full"),
        ('[store]\ntimeout = "10m"', "store.timeout", 600 * SECOND),
        ('[store]\non_lost_tail = "charge"', "store.on_lost_tail", "charge"),
        ('[store]\nkeep = "36500d"', "store.keep", 36_500 * DAY),
        ("[mirror]", "mirror.dir", Path("/etc/app/.spendgate/log")),
        ('[mirror]\ndir = "/var/log/spend"', "mirror.dir", Path("/var/log/spend")),
        ('[mirror]\nkeep = "7d"', "mirror.keep", 7 * DAY),
    ],
)
def test_each_key_arrives(text: str, field: str, value: object) -> None:
    """Every key of the file ends up in the settings; paths are relative to the file's folder."""
    found: Any = read(text, FILE, {})
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("text", "key", "line", "nearest"),
    [
        ('timezone = "UTC"', "timezone", 1, "gate.timezone"),
        ('url = "memory:"', "url", 1, "store.url"),
        ('[gates]\nmode = "off"', "gates", 1, "gate"),
        ('[gate]\nmod = "off"', "gate.mod", 2, "mode"),
        ('[gate]\n\nmode = "of"', "gate.mode", 3, "off"),
        ("[gate]\nmode = false", "gate.mode", 2, ""),
        ('[gate]\nmode = ["off"]', "gate.mode", 2, ""),
        ("[gate]\nservice = 1", "gate.service", 2, ""),
        ('[gate]\ntimezone = "Europe/Berln"', "gate.timezone", 2, "Europe/Berlin"),
        ('[gate]\ntimezone = "Europe"', "gate.timezone", 2, "Europe/Rome"),
        ('[gate]\ntimezone = "../../etc/passwd"', "gate.timezone", 2, ""),
        ('[gate]\ntimezone = ""', "gate.timezone", 2, ""),
        ('[gate]\nlapse_after = "0s"', "gate.lapse_after", 2, ""),
        ('[gate]\nlapse_after = "8d"', "gate.lapse_after", 2, ""),
        ("[gate]\nlapse_after = 900", "gate.lapse_after", 2, ""),
        ('[gate]\nlapse_after = "' + "x" * 999 + '"', "gate.lapse_after", 2, ""),
        ("gate = 1", "gate", 1, ""),
        ("[[gate]]", "gate", 1, ""),
        ('[store]\nur = "memory:"', "store.ur", 2, "url"),
        ('[store]\nkeep = "0d"', "store.keep", 2, ""),
        ("[store]\nkeep = 400", "store.keep", 2, ""),
        ('[store]\nkeep = "400"', "store.keep", 2, ""),
        ('[store]\ntimeout = "11m"', "store.timeout", 2, ""),
        ("[estimate]\nmax_output_tokens = 0", "estimate.max_output_tokens", 2, ""),
        ("[estimate]\nmax_output_tokens = 1.5", "estimate.max_output_tokens", 2, ""),
        ("[estimate]\nmax_input_tokens = -1", "estimate.max_input_tokens", 2, ""),
        ("[estimate]\nmax_input_tokens = true", "estimate.max_input_tokens", 2, ""),
        ('[mirror]\ndir = ""', "mirror.dir", 2, ""),
        ('[mirror]\ndri = "x"', "mirror.dri", 2, "dir"),
        ('[prices."clearbit.enrich"]\n\nper_cal = "0.1"', 'prices."clearbit.enrich".per_cal', 3, "per_call"),
        ("[prices.a]\nper_call = 0.1", "prices.a.per_call", 2, ""),
        ("prices = 1", "prices", 1, ""),
        ('[notify]\nwebhok = "https://a.b"', "notify.webhok", 2, "webhook"),
        ('[notify]\nwebhook = "ftp://a.b"', "notify.webhook", 2, ""),
        ('[notify]\nwebhook = "https://a.b"\non = ["blokced"]', "notify.on", 3, "blocked"),
        ('[notify]\nwebhook = "https://a.b"\non = []', "notify.on", 3, ""),
        ('[notify]\nwebhook = "https://a.b"\ntimeout = "2m"', "notify.timeout", 3, ""),
        ('[notify]\nwebhook = "https://a.b"\nheaders = { A = 1 }', "notify.headers", 3, ""),
        ('[notify]\ntimeout = "5s"', "notify", 1, ""),
        ("[notify]\ncommand = []", "notify.command", 2, ""),
        ('[notify]\ncommand = "sh -c x"', "notify.command", 2, ""),
        ('[notify.mail]\nhost = "a.b"', "notify.mail.to", 1, ""),
        ('[notify]\nmail = { to = ["nobody"] }', "notify.mail.to", 2, ""),
        ('[notify]\nmail = { to = ["a@b.c"], prot = 25 }', "notify.mail.prot", 2, "port"),
        ('[notify]\nmail = { to = ["a@b.c"], port = 0 }', "notify.mail.port", 2, ""),
        ('[[notify]]\nwebhook = "https://a.b"\n[[notify]]\nwebhok = "x"', "notify[1].webhok", 4, "webhook"),
    ],
)
def test_a_fault_is_named_with_file_line_and_key(text: str, key: str, line: int, nearest: str) -> None:
    """Unknown keys and values of another kind are refused, wherever they are, and the nearest name is offered."""
    with pytest.raises(ConfigError) as caught:
        read(text, FILE, {})
    error = caught.value
    assert (error.file, error.line, error.key, error.nearest) == (FILE, line, key, nearest)
    assert str(error).startswith(f"{FILE}:{line}: `{key}`: ")
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[gate]\nmode = "off', 2),
        ("[gate\n", 1),
        ("a = [1,\n2", 2),
        ('[gate]\nmode = "off"\nmode = "off"', 3),
        ("[gate]\n[gate]", 2),
        ("mode: off", 1),
    ],
)
def test_what_is_not_toml_is_an_error_with_its_line(text: str, line: int) -> None:
    """A syntax error says on which line it is."""
    with pytest.raises(ConfigError, match="this is not TOML") as caught:
        read(text, FILE, {})
    assert caught.value.line == line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db/spend",
        "redis://:hunter2@cache",
        "sqlite://hunter2.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///~/hunter2.db",
        "sqlite:///hunter2.db?mode=ro",
        "sqlite:///:memory:",
        "hunter2.db",
        "",
    ],
)
@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_store_that_this_version_has_not_is_refused(url: str, where: str) -> None:
    """Only sqlite and memory are stores here; the message says so and never repeats what may hold a password."""
    text, env = (f'[store]\nurl = "{url}"', {}) if where == "file" else ("", {"SPENDGATE_STORE_URL": url})
    if not url and env:
        return  # an empty variable is as good as none
    with pytest.raises(ConfigError) as caught:
        read(text, FILE, env)
    assert caught.value.key == ("store.url" if where == "file" else "SPENDGATE_STORE_URL")
    assert "memory:" in caught.value.expected
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "field", "value"),
    [
        ({"SPENDGATE_SERVICE": "cron"}, "service", "cron"),
        ({"SPENDGATE_SERVICE": ""}, "service", "web"),
        ({"SPENDGATE_MODE": "off"}, "mode", "off"),
        ({"SPENDGATE_MODE": ""}, "mode", "observe"),
        ({"SPENDGATE_STORE_URL": "memory:"}, "store.url", "memory:"),
        ({"SPENDGATE_STORE_URL": "sqlite:///x.db"}, "store.path", Path("/etc/app/x.db")),
        ({"SPENDGATE_STORE_URL": ""}, "store.path", Path("/srv/l.db")),
    ],
)
def test_the_environment_overrides_the_file(env: Mapping[str, str], field: str, value: object) -> None:
    """Service, mode and store may come from the environment; an empty variable is as good as none."""
    found: Any = read('[gate]\nservice = "web"\nmode = "observe"\n[store]\nurl = "sqlite:////srv/l.db"', FILE, env)
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize("env", [{"SPENDGATE_MODE": "Enforce"}, {"SPENDGATE_SERVICE": "a\nb"}])
def test_a_fault_in_the_environment_names_its_variable(env: Mapping[str, str]) -> None:
    """A variable that means nothing is an error, not a default."""
    with pytest.raises(ConfigError) as caught:
        read("", FILE, env)
    assert caught.value.key == next(iter(env))


def test_routes_are_one_per_target() -> None:
    """A notify table with a webhook, a command and a mail makes three routes that share events and timeout."""
    text = (
        '[notify]\nname = "us"\nwebhook = "env:HOOK"\nheaders = { Authorization = "env:AUTH" }\n'
        'command = ["sh", "-c", "exit 0"]\non = ["tripped"]\ntimeout = "3s"\n'
        'mail = { to = ["a@b.c"], host = "smtp.b.c", user = "me", password_env = "PW", from = "x@b.c" }'
    )
    webhook, command, mail = read(text, FILE, {}).notify
    assert [route.kind for route in (webhook, command, mail)] == ["webhook", "command", "mail"]
    assert {(route.name, route.on, route.timeout_s) for route in (webhook, command, mail)} == {
        ("us", frozenset({"tripped"}), 3.0)
    }
    assert (webhook.target, webhook.headers) == (("env:HOOK",), (("Authorization", "env:AUTH"),))
    assert command.target == ("sh", "-c", "exit 0")
    smtp = mail.smtp
    assert (mail.target, smtp.host, smtp.port, smtp.security) == (("a@b.c",), "smtp.b.c", 587, "starttls")
    assert (smtp.user, smtp.password, smtp.sender) == ("me", "env:PW", "x@b.c")


@pytest.mark.parametrize(
    ("mail", "security", "port"),
    [
        ("", "none", 25),
        ('host = "smtp.b.c"', "starttls", 587),
        ('host = "smtp.b.c", security = "tls"', "tls", 465),
        ('host = "smtp.b.c", security = "none", port = 2525', "none", 2525),
    ],
)
def test_mail_leaves_the_machine_encrypted(mail: str, security: str, port: int) -> None:
    """Unless the file says otherwise, only a mail server on this machine is spoken to in the clear."""
    (route,) = read(f'[notify]\nmail = {{ to = ["a@b.c"]{", " if mail else ""}{mail} }}', FILE, {}).notify
    assert (route.smtp.security, route.smtp.port) == (security, port)


def test_several_notify_tables_make_routes_of_their_own() -> None:
    """Different events may go to different people."""
    text = '[[notify]]\nwebhook = "https://a.b"\n[[notify]]\ncommand = ["beep"]\non = ["lost"]'
    first, second = read(text, FILE, {}).notify
    assert (first.kind, second.kind, second.on) == ("webhook", "command", frozenset({"lost"}))


def test_the_nearest_file_going_up_is_found(tmp_path: Path) -> None:
    """A program below its configuration finds it; a nearer one comes first."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "spendgate.toml").write_text('[gate]\nservice = "outer"')
    assert load(cwd=below, env={}).service == "outer"
    (tmp_path / "a" / "spendgate.toml").write_text('[gate]\nservice = "inner"')
    found = load(cwd=below, env={})
    assert (found.service, found.file) == ("inner", tmp_path / "a" / "spendgate.toml")
    assert found.store.path == tmp_path / "a" / ".spendgate" / "ledger.db"


@pytest.mark.parametrize("kind", ["folder", "dangling"])
def test_what_cannot_be_read_is_not_passed_over(tmp_path: Path, kind: str) -> None:
    """A folder or a link to nowhere of that name is an error: a parent's limits are no stand-in."""
    below = tmp_path / "a"
    below.mkdir()
    (tmp_path / "spendgate.toml").write_text('[gate]\nservice = "outer"')
    if kind == "folder":
        (below / "spendgate.toml").mkdir()
    else:
        (below / "spendgate.toml").symlink_to("shared.toml")
    assert find(below, {}) == below / "spendgate.toml"
    with pytest.raises(ConfigError, match="directory" if kind == "folder" else r"a link to shared\.toml"):
        load(cwd=below, env={})


def test_a_named_file_comes_before_the_environment_and_the_folder(tmp_path: Path) -> None:
    """What is passed to load wins over SPENDGATE_CONFIG, and that over the nearest file."""
    for name in ("spendgate.toml", "env.toml", "named.toml"):
        (tmp_path / name).write_text(f'[gate]\nservice = "{name}"')
    env = {"SPENDGATE_CONFIG": "env.toml"}
    assert find(tmp_path, env) == tmp_path / "env.toml"
    assert load(cwd=tmp_path, env={}).service == "spendgate.toml"
    assert load(cwd=tmp_path, env=env).service == "env.toml"
    assert load("named.toml", cwd=tmp_path, env=env).service == "named.toml"


def test_without_a_file_the_error_names_the_way_out(tmp_path: Path) -> None:
    """No configuration is an error that says which command writes one."""
    with pytest.raises(ConfigError, match="spendgate init"):
        load(cwd=tmp_path, env={})
    with pytest.raises(ConfigError, match="spendgate init") as caught:
        load(cwd=tmp_path, env={"SPENDGATE_CONFIG": "gone.toml"})
    assert (caught.value.file, caught.value.key) == (str(tmp_path / "gone.toml"), "SPENDGATE_CONFIG")


@pytest.mark.parametrize(("content", "says"), [(b"\xff\xfe", "UTF-8"), (None, "cannot be read")])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None, says: str) -> None:
    """What is no text, or no file, is refused with its name."""
    file = tmp_path / "x.toml"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        load(file, env={})
    assert caught.value.file == str(file)


def test_a_byte_order_mark_is_not_in_the_way(tmp_path: Path) -> None:
    """Files of editors that mark UTF-8 are read like others."""
    file = tmp_path / "spendgate.toml"
    file.write_bytes(b"\xef\xbb\xbf" + LIMIT.replace("\n", "\r\n").encode())
    assert len(load(file, env={}).limits.limits) == 1


def test_the_template_is_what_init_promises() -> None:
    """A fresh configuration allows each service $5 an hour, $15 in six, $50 a day, and $80 a day over all."""
    found = [(x.amount // 10**9, str(x.window), x.per, x.at_limit) for x in read(TEMPLATE).limits.limits]
    each = ("service",)
    assert found == [
        (5, "1h", each, "refuse"),
        (15, "6h", each, "refuse"),
        (50, "24h", each, "refuse"),
        (80, "24h", (), "refuse"),
    ]


def test_every_example_of_the_template_is_valid() -> None:
    """Each commented-out example may be put into force, alone or with all others."""
    settings = read(uncommented(TEMPLATE))
    assert settings.mirror
    assert settings.notify
    assert settings.prices.card("", "clearbit.enrich")
    assert settings.services.of("my-service").learns
    blocks = TEMPLATE.split("\n\n")
    examples = [number for number, block in enumerate(blocks) if uncommented(block) != block]
    assert len(examples) == 7
    for number in examples:
        text = "\n\n".join(uncommented(block) if number == at else block for at, block in enumerate(blocks))
        assert isinstance(read(text), Settings)


def test_the_example_file_is_valid_and_shows_every_key() -> None:
    """spendgate.example.toml is accepted, and has every key that a file may have."""
    text = (ROOT / "spendgate.example.toml").read_text(encoding="utf-8")
    settings = read(text, FILE, {})
    assert {limit.at_limit for limit in settings.limits.limits} == {"refuse", "throttle", "observe"}
    assert {route.kind for route in settings.notify} == {"webhook", "command", "mail"}
    names = r'^(limits)\..*\.|^(notify|fresh)\[\d\]\.|^(services)\.(?:"[^"]*"|[^.]*)\.'
    shown = {re.sub(names, r"\1\2\3.", row.key) for row in origins(text, FILE)}
    missing = {key.path for key in KEYS if key.name != "UNIT"} - {"notify.mail", "services.fallback"} - shown
    assert not missing


def test_every_setting_has_an_origin() -> None:
    """Defaults, lines of the file and variables are told apart."""
    text = f'[gate]\nservice = "web"\nmode = "off"\n{LIMIT}[prices.x]\nper_call = "1"\n'
    found = {row.key: (row.value, row.origin) for row in origins(text, "s.toml", {"SPENDGATE_MODE": "observe"})}
    assert found["gate.service"] == ("web", "s.toml:2")
    assert found["gate.mode"] == ("observe", "env SPENDGATE_MODE")
    assert found["gate.timezone"] == ("UTC", "default")
    assert found["limits.usd-1h.usd"] == ("1", "s.toml:5")
    assert found["limits.usd-1h.at_limit"] == ("refuse", "default")
    assert found["prices.x.per_call"] == ("1", "s.toml:8")
    assert {key.path for key in KEYS if key.table in ("gate", "store", "estimate")} <= found.keys()


def test_secrets_are_not_shown() -> None:
    """Addresses of webhooks, their headers and passwords in URLs are masked; names of variables are not."""
    text = (
        '[notify]\nwebhook = "https://hooks.example.com/T0/hunter2"\ncommand = ["curl", "https://u:hunter2@a.b/c"]\n'
        'headers = { A = "Bearer hunter2", B = "env:HOOK_AUTH" }\n'
        '[notify.mail]\nto = ["a@b.c"]\nhost = "smtp.b.c"\npassword_env = "PW"\n'
    )
    found = {row.key: row.value for row in origins(text)}
    assert "hunter2" not in str(found)
    assert found["notify.webhook"] == "https://hooks.example.com/***"
    assert found["notify.headers"] == {"A": "***", "B": "env:HOOK_AUTH"}
    assert found["notify.mail.password_env"] == "PW"


def test_stated_defaults_are_the_ledgers() -> None:
    """The defaults in the table of keys are those that the ledger documents."""
    defaults = {key.path: key.default for key in KEYS}
    assert defaults["gate.lapse_after"] == f'"{spell_span(LAPSE_AFTER)}"'
    assert defaults["gate.lapse_after_batch"] == f'"{spell_span(LAPSE_AFTER_BATCH)}"'
