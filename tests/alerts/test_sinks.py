"""Sinks against real servers and commands."""

import email
import email.policy
import json
import os
import sys
from pathlib import Path

import pytest

from spendgate.alerts.message import Message, compose
from spendgate.alerts.routes import Route, Smtp
from spendgate.alerts.sinks import SinkError, deliver
from spendgate.ledger import Event
from tests.alerts.servers import Hook, Mailbox, listening, receiving

AT = 1_793_000_000_000_000


@pytest.fixture
def message() -> Message:
    data = {"unit": "usd", "window": "1h", "amount": 5_000_000_000, "spent": 5_000_000_000, "held": 0}
    return compose(Event(AT, "blocked", "hourly", "service=zürich", data))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def program(*lines: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "\n".join(lines))


def test_a_webhook_gets_the_payload_as_json(message: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook is posted the payload, with the route's headers, secrets filled in from the environment."""
    monkeypatch.setenv("HOOK_AUTH", "Bearer s3cret")
    with listening(Hook()) as hook:
        deliver(Route("webhook", (f"{hook.url}/in",), headers=(("Authorization", "env:HOOK_AUTH"),)), message)
    ((path, headers, body),) = hook.posts
    assert path == "/in"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer s3cret"
    assert json.loads(body) == message.payload


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_webhook_that_refuses_is_a_failure(message: Message, status: int) -> None:
    """An answer that is no success is a failure that names the status, and nothing is sent twice."""
    with listening(Hook(status)) as hook, pytest.raises(SinkError, match=str(status)):
        deliver(Route("webhook", (hook.url,)), message)
    assert len(hook.posts) == 1


def test_a_webhook_is_not_followed_elsewhere(message: Message) -> None:
    """A redirect is a failure: neither message nor headers go where the answer points."""
    with listening(Hook(302)) as hook, pytest.raises(SinkError, match="302"):
        deliver(Route("webhook", (hook.url,), headers=(("Authorization", "s3cret"),)), message)
    assert [path for path, _, _ in hook.posts] == ["/"]


def test_a_webhook_that_never_answers_is_given_up(message: Message) -> None:
    """A silent server is a failure once the route's time is up."""
    with listening(Hook(silent=True)) as hook:
        with pytest.raises(SinkError, match="no answer in time"):
            deliver(Route("webhook", (hook.url,), timeout_s=0.1), message)
        assert hook.reached.wait(60)


def test_a_failure_names_no_secret(message: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said about a failed webhook has neither its path nor its headers in it."""
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/s3cret")
    with pytest.raises(SinkError) as failed:
        deliver(Route("webhook", ("env:HOOK",)), message)
    assert "s3cret" not in str(failed.value)
    monkeypatch.setenv("HOOK", "file:///etc/s3cret")
    with pytest.raises(SinkError) as failed:
        deliver(Route("webhook", ("env:HOOK",)), message)
    assert "s3cret" not in str(failed.value)


def test_a_mail_has_a_subject_and_plain_text(message: Message) -> None:
    """A mail carries the message as plain text, to everybody the route names, dated by the event."""
    with receiving(Mailbox()) as mailbox:
        smtp = Smtp("127.0.0.1", mailbox.port, sender="gate@example.com")
        deliver(Route("mail", ("ops@example.com", "cfo@example.com"), smtp=smtp), message)
    assert mailbox.recipients == ["ops@example.com", "cfo@example.com"]
    mail = email.message_from_bytes(mailbox.messages[0], policy=email.policy.default)
    assert mail["Subject"] == message.subject
    assert mail["From"] == "gate@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.isoformat() == "2026-10-26T07:33:20+00:00"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == message.text.splitlines()


def test_a_refused_recipient_is_a_failure(message: Message) -> None:
    """A mail that reaches only some of its recipients is a failure that names the others."""
    with receiving(Mailbox(refuses=("cfo@",))) as mailbox:
        smtp = Smtp("127.0.0.1", mailbox.port, sender="gate@example.com")
        with pytest.raises(SinkError, match=r"cfo@example\.com"):
            deliver(Route("mail", ("ops@example.com", "cfo@example.com"), smtp=smtp), message)
    assert len(mailbox.messages) == 1


def test_a_mail_server_that_is_not_there_is_a_failure(message: Message) -> None:
    """A mail nobody takes is a failure that says why."""
    with pytest.raises(SinkError, match="refused"):
        deliver(Route("mail", ("ops@example.com",), smtp=Smtp("127.0.0.1", 1)), message)


def test_a_command_gets_the_payload_on_stdin(message: Message, tmp_path: Path) -> None:
    """A command gets JSON on stdin and kind, scope and limit in its environment; no shell reads its words."""
    out = tmp_path / "$(told) *.json"
    lines = (
        "import json, os, sys",
        "names = ('SPENDGATE_EVENT', 'SPENDGATE_SCOPE', 'SPENDGATE_LIMIT')",
        "told = {'stdin': json.load(sys.stdin), 'env': [os.environ[name] for name in names]}",
        "open(sys.argv[1], 'w').write(json.dumps(told))",
    )
    deliver(Route("command", (*program(*lines), str(out))), message)
    told = json.loads(out.read_text())
    assert told == {"stdin": message.payload, "env": ["blocked", "service=zürich", "hourly"]}


def test_a_command_that_fails_says_why(message: Message) -> None:
    """A command's exit code and what it wrote to stderr are in the failure."""
    with pytest.raises(SinkError, match="exit code 3: no pager today"):
        deliver(
            Route("command", program("import sys", "print('no pager today', file=sys.stderr)", "sys.exit(3)")), message
        )


def test_a_command_that_is_not_there_is_a_failure(message: Message) -> None:
    """A program that does not exist is a failure that names it."""
    with pytest.raises(SinkError, match="no-such-pager"):
        deliver(Route("command", ("no-such-pager",)), message)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_a_command_that_hangs_is_killed_with_its_children(message: Message, tmp_path: Path) -> None:
    """A command that does not end in its time is killed with whatever it started: their end of a pipe closes."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    child = "import signal; signal.pause()"
    lines = (
        "import os, signal, subprocess, sys",
        f"held = os.open({str(pipe)!r}, os.O_WRONLY)",
        "os.write(held, b'started')",
        f"subprocess.Popen([sys.executable, '-c', {child!r}], pass_fds=[held])",
        "signal.pause()",
    )
    with pytest.raises(SinkError, match="killed"):
        deliver(Route("command", program(*lines), timeout_s=2), message)
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as end:
        assert end.read() in (b"started", b"")
