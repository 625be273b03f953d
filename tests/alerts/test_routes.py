"""What can be a route, and what a route must never show."""

from typing import Any

import pytest

from spendgate.alerts.routes import DEFAULT_ON, EVENT_KINDS, Route, Smtp, resolve


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"kind": "pigeon", "target": ("coop",)}, "webhook, mail, command"),
        ({"kind": "webhook", "target": ("ftp://example.com",)}, "https://"),
        ({"kind": "webhook", "target": ("https://",)}, "name a host"),
        ({"kind": "webhook", "target": ("https://example.com/\n",)}, "https://"),
        ({"kind": "webhook", "target": ("https://a.example", "https://b.example")}, "one url"),
        ({"kind": "webhook", "target": ("https://a.example",), "headers": (("X-A", "1\r\nX-B: 2"),)}, "HTTP header"),
        ({"kind": "mail", "target": ("ops",)}, "ops@example.com"),
        ({"kind": "mail", "target": ("ops@example.com\nBcc: all@example.com",)}, "mail address"),
        ({"kind": "command", "target": ()}, "no target"),
        ({"kind": "command", "target": ("true",), "on": frozenset({"blockd"})}, "blocked"),
        ({"kind": "command", "target": ("true",), "on": frozenset()}, "name one or more"),
        ({"kind": "command", "target": ("true",), "timeout_s": 0}, "more than 0"),
        ({"kind": "command", "target": ("true",), "timeout_s": float("nan")}, "more than 0"),
        ({"kind": "command", "target": ("true",), "timeout_s": 3600}, "at most 60"),
    ],
)
def test_a_route_that_could_never_deliver_is_refused(arguments: dict[str, Any], remedy: str) -> None:
    """A slip in a route is an error when it is made, and the message says what to write instead."""
    with pytest.raises(ValueError, match=remedy):
        Route(**arguments)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"host": ""}, "host name"),
        ({"port": 0}, "25, 465 or 587"),
        ({"security": "ssl"}, "starttls"),
        ({"host": "smtp.example.com", "user": "me", "password": "secret"}, "in the clear"),
        ({"sender": "me"}, "no mail address"),
    ],
)
def test_a_mail_server_that_could_never_take_a_mail_is_refused(arguments: dict[str, Any], remedy: str) -> None:
    """A slip in the mail server is an error when it is made; a password never travels unencrypted to another host."""
    with pytest.raises(ValueError, match=remedy):
        Smtp(**arguments)


def test_a_route_never_shows_its_secrets() -> None:
    """Neither the label nor the repr of a route has the path of a webhook, its headers, or a password in it."""
    hook = Route("webhook", ("https://hooks.example.com/s3cret",), headers=(("Authorization", "s3cret"),))
    mail = Route("mail", ("ops@example.com",), smtp=Smtp(user="me", password="s3cret"))
    assert "s3cret" not in repr(hook) + hook.label + repr(mail) + mail.label
    with pytest.raises(ValueError, match="url must start") as refused:
        Route("webhook", ("hooks.example.com/s3cret",))
    assert "s3cret" not in str(refused.value)


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` is what the environment says at that moment; where it is absent, the error names the variable."""
    monkeypatch.setenv("HOOK", "https://example.com/now")
    assert resolve("env:HOOK") == "https://example.com/now"
    monkeypatch.delenv("HOOK")
    with pytest.raises(ValueError, match="HOOK"):
        resolve("env:HOOK")


def test_a_trip_wakes_somebody_by_default() -> None:
    """A route that names no kinds is told of what needs a person, and of nothing else."""
    assert {"blocked", "escalation", "finding", "tripped", "warned", "lost"} == DEFAULT_ON
    assert DEFAULT_ON < EVENT_KINDS
