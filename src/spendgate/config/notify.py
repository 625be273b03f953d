"""The `[notify]` tables: who is told what. A secret is named by its environment variable, never needed in the file."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from spendgate.alerts.routes import EVENT_KINDS, MAX_TIMEOUT_S, Route, RouteKind, Security, Smtp
from spendgate.clock import SECOND
from spendgate.config.tables import Document, Table, show

SECTION = "notify"
MAIL = "notify.mail"
SECURITIES: tuple[Security, ...] = ("none", "starttls", "tls")
PORTS: dict[Security, int] = {"none": 25, "starttls": 587, "tls": 465}
LOCAL = ("localhost", "127.0.0.1", "::1")

Made = TypeVar("Made")


def read_routes(document: Document) -> tuple[Route, ...]:
    """The routes of a document: one per webhook, command and mail of each `[notify]` or `[[notify]]` table.

    Raises:
        ConfigError: a route could never deliver.
    """
    stated = document.data.get(SECTION, [])
    listed = isinstance(stated, list)
    items = stated if listed else [stated]
    routes: list[Route] = []
    for position, data in enumerate(items):
        path = (SECTION, position) if listed else (SECTION,)
        routes += _routes(Table.at(document, path, SECTION, data))
    return tuple(routes)


def in_clear(routes: Iterable[Route]) -> list[str]:
    """The hosts of webhooks that are told without encryption, off this machine."""
    parts = [urlsplit(route.target[0]) for route in routes if route.kind == "webhook"]
    return [part.hostname for part in parts if part.scheme == "http" and part.hostname and not is_local(part.hostname)]


def is_local(host: str) -> bool:
    """Whether a host's name or address is this machine.

    >>> is_local("127.0.0.2"), is_local("localhost"), is_local("hooks.example.com")
    (True, True, False)
    """
    return host in LOCAL or (host.startswith("127.") and host.replace(".", "").isdigit())


def _routes(table: Table) -> list[Route]:
    kinds: tuple[RouteKind, ...] = ("webhook", "command", "mail")
    routes = [_route(table, kind) for kind in kinds if kind in table]
    if table.data and not routes:
        raise table.fault("", "it names nobody to tell", "webhook, command or mail")
    return routes


def _route(table: Table, kind: RouteKind) -> Route:
    events = ", ".join(sorted(EVENT_KINDS))
    on = table.names("on", f"a list of {events}", sorted(EVENT_KINDS))
    if not on:
        raise table.fault("on", "the list is empty, so nobody would ever be told", f"some of {events}")
    timeout_s = table.span("timeout", int(MAX_TIMEOUT_S * SECOND)) / SECOND
    name = table.text("name")
    if kind == "mail":
        mail = Table.at(table.document, (*table.path, "mail"), MAIL, table.data["mail"])
        to, smtp = _mail(mail)
        return _made(mail, "to", lambda: Route("mail", to, frozenset(on), timeout_s, smtp=smtp, name=name))
    if kind == "command":
        command = table.words("command", 'a program and its arguments, such as ["sh", "-c", "..."]')
        return _made(table, kind, lambda: Route("command", command, frozenset(on), timeout_s, name=name))
    headers = _headers(table)
    target = (table.text("webhook"),)
    return _made(table, kind, lambda: Route("webhook", target, frozenset(on), timeout_s, headers, name=name))


def _headers(table: Table) -> tuple[tuple[str, str], ...]:
    stated: Any = table.value("headers")
    if not isinstance(stated, dict) or not all(isinstance(value, str) for value in stated.values()):
        expected = 'names and texts, such as { Authorization = "env:HOOK_AUTH" }'
        raise table.fault("headers", f"{show(stated)} does not fit", expected)
    return tuple(stated.items())


def _mail(table: Table) -> tuple[tuple[str, ...], Smtp]:
    """The addresses of a mail and the server that takes it."""
    if "to" not in table:
        raise table.fault("to", "the mail has nobody to go to", 'to = ["ops@example.com"]')
    to = table.names("to", 'a list of addresses, such as ["ops@example.com"]')
    host = table.text("host")
    # Off this machine a message is encrypted unless the file says otherwise.
    security: Security = "none" if host in LOCAL else "starttls"
    if "security" in table:
        security = table.choice("security", SECURITIES)
    port = table.whole("port", 1, 65_535) if "port" in table else PORTS[security]
    variable = table.text("password_env")
    if variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        # Not repeated in the message: it may be the password itself.
        raise table.fault("password_env", "this names no environment variable", 'a name, such as "SMTP_PASSWORD"')
    password = f"env:{variable}" if variable else ""
    user, sender = table.text("user"), table.text("from")
    return to, _made(table, "", lambda: Smtp(host, port, security, user, password, sender))


def _made(table: Table, name: str, make: Callable[[], Made]) -> Made:
    """What `make` makes; where it refuses, the error of the configuration that says so."""
    try:
        return make()
    except ValueError as error:
        raise table.fault(name, str(error)) from None
