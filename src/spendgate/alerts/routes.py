"""Where a message goes: one route per webhook, mailbox or command. Plain data that the configuration builds.

A secret never has to stand in the configuration: `env:NAME` in a webhook's URL or headers, or in the mail server's
password, is read from the environment at the moment of delivery.

>>> route = Route("webhook", ("https://hooks.example.com/T0/secret",))
>>> route.label, sorted(route.on)
('webhook hooks.example.com', ['blocked', 'escalation', 'finding', 'lost', 'tripped', 'warned'])
"""

import math
import os
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

RouteKind = Literal["webhook", "mail", "command"]
Security = Literal["none", "starttls", "tls"]

ROUTE_KINDS = ("webhook", "mail", "command")
SECURITIES = ("none", "starttls", "tls")
EVENT_KINDS = frozenset(
    {"allowing", "blocked", "clock", "escalation", "finding", "limits", "locked", "lost", "observed", "reset"}
    | {"skipped", "tripped", "warned"}
)
"""Every kind of event that a route may ask for."""
DEFAULT_ON = frozenset({"blocked", "escalation", "finding", "lost", "tripped", "warned"})
"""What wakes somebody unless the route says otherwise."""
DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 60.0

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server that a mail route hands its messages to. `sender` empty means `spendgate@` this host."""

    host: str = "localhost"
    port: int = 25
    security: Security = "none"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""

    def __post_init__(self) -> None:
        if not self.host or not self.host.isprintable() or " " in self.host:
            raise ValueError(f"{self.host!r} is no mail server; write a host name such as smtp.example.com")
        if not 0 < self.port < 1 << 16:
            raise ValueError(f"port {self.port} does not exist; mail servers listen on 25, 465 or 587")
        if self.security not in SECURITIES:
            raise ValueError(f"security {self.security!r} is none of {', '.join(SECURITIES)}")
        if self.user and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError('a password would travel in the clear; set security = "starttls" or "tls"')
        if self.sender and not _ADDRESS.fullmatch(self.sender):
            raise ValueError(f"{self.sender!r} is no mail address")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach somebody, and what is worth reaching them for.

    `target` is the URL of a webhook, the addresses of a mail, or a command's program and arguments: no shell reads it
    unless it names one (`["sh", "-c", "..."]`). `on` are kinds of events; an attempt gives up after `timeout_s`.

    Raises:
        ValueError: the route could never deliver: the message says what to write instead.
    """

    kind: RouteKind
    target: tuple[str, ...] = field(repr=False)
    on: frozenset[str] = DEFAULT_ON
    timeout_s: float = DEFAULT_TIMEOUT_S
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    smtp: Smtp = Smtp()
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ROUTE_KINDS:
            raise ValueError(f"{self.kind!r} is no kind of route; there are {', '.join(ROUTE_KINDS)}")
        unknown = sorted(self.on - EVENT_KINDS)
        if unknown or not self.on:
            raise ValueError(f"on = {unknown or []}: name one or more of {', '.join(sorted(EVENT_KINDS))}")
        if not (math.isfinite(self.timeout_s) and 0 < self.timeout_s <= MAX_TIMEOUT_S):
            raise ValueError(f"timeout_s = {self.timeout_s}: write more than 0 and at most {MAX_TIMEOUT_S:.0f} seconds")
        if not self.target or not all(self.target):
            raise ValueError(f"the {self.kind} has no target")
        if self.kind == "webhook":
            _check_webhook(self.target, self.headers)
        elif self.kind == "mail":
            _check_addresses(self.target)

    @property
    def label(self) -> str:
        """What to call the route in front of people: its name, or its kind and what is no secret of its target."""
        if self.name:
            return self.name
        if self.kind == "webhook":
            return f"webhook {urlsplit(self.target[0]).hostname or self.target[0]}"
        if self.kind == "mail":
            return f"mail {', '.join(self.target)}"
        return f"command {self.target[0]}"


def resolve(text: str) -> str:
    """The text itself, or what the environment says where it reads `env:NAME`.

    Raises:
        ValueError: the environment has no such variable, or it is empty.

    >>> resolve("https://example.com")
    'https://example.com'
    """
    found = _ENV.fullmatch(text)
    if not found:
        return text
    value = os.environ.get(found[1], "")
    if not value:
        raise ValueError(f"a notify route reads the environment variable {found[1]}, and that is not set")
    return value


def check_url(url: str) -> str:
    """A webhook's URL as it was given.

    Raises:
        ValueError: it is no http or https address. The message does not repeat it: it may be a secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError("the webhook's url must start with https:// or http:// and name a host")
    return url


def _check_webhook(target: tuple[str, ...], headers: tuple[tuple[str, str], ...]) -> None:
    if len(target) != 1:
        raise ValueError("a webhook has one url; write a route of its own for each")
    if not _ENV.fullmatch(target[0]):
        check_url(target[0])
    for name, value in headers:
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.isprintable():
            raise ValueError(f"{name!r} is no HTTP header; names have letters, digits and hyphens, values one line")


def _check_addresses(target: tuple[str, ...]) -> None:
    for address in target:
        if not _ADDRESS.fullmatch(address) or not address.isprintable():
            raise ValueError(f"{address!r} is no mail address; write one such as ops@example.com")
