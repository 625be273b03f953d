"""Hands one message to one route, within the route's time. Every failure is a `SinkError` that names no secret."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http.client import HTTPException
from typing import assert_never

from spendgate.alerts.message import Message
from spendgate.alerts.routes import Route, check_url, resolve
from spendgate.clock import moment

_ERROR_CHARS = 300


class SinkError(Exception):
    """The message did not arrive; the text says why, for `spendgate doctor`."""


def deliver(route: Route, message: Message) -> None:
    """Delivers one message, once.

    Raises:
        SinkError: it was not accepted, or not within the route's `timeout_s`.
    """
    try:
        if route.kind == "webhook":
            _webhook(route, message)
        elif route.kind == "mail":
            _mail(route, message)
        elif route.kind == "command":
            _command(route, message)
        else:
            assert_never(route.kind)
    except (OSError, ValueError, HTTPException, smtplib.SMTPException) as error:
        raise SinkError(_said(error)) from None


def _opener() -> urllib.request.OpenerDirector:
    """Follows no redirect: a webhook's address is often its password, and stays where it was meant for."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
    ):
        opener.add_handler(handler())
    return opener


def _webhook(route: Route, message: Message) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "spendgate"}
    headers |= {name: resolve(value) for name, value in route.headers}
    request = urllib.request.Request(  # noqa: S310 - check_url lets http and https pass, nothing else
        check_url(resolve(route.target[0])), data=json.dumps(message.payload).encode(), headers=headers, method="POST"
    )
    try:
        with _opener().open(request, timeout=route.timeout_s):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise SinkError(f"the webhook answered {error.code} {error.reason}") from None


def _mail(route: Route, message: Message) -> None:
    smtp = route.smtp
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = smtp.sender or f"spendgate@{socket.getfqdn()}"
    mail["To"] = ", ".join(route.target)
    mail["Date"] = format_datetime(moment(message.at))
    mail["Message-ID"] = make_msgid(domain="spendgate.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text + "\n")
    password = resolve(smtp.password)
    context = ssl.create_default_context() if smtp.security != "none" else None
    with _connect(route, context) as server:
        if smtp.security == "starttls":
            server.starttls(context=context)
        if smtp.user:
            server.login(smtp.user, password)
        refused = server.send_message(mail)
    if refused:
        raise SinkError(f"the mail server refused {', '.join(sorted(refused))}")


def _connect(route: Route, context: ssl.SSLContext | None) -> smtplib.SMTP:
    smtp = route.smtp
    if smtp.security == "tls":
        return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=route.timeout_s, context=context)
    return smtplib.SMTP(smtp.host, smtp.port, timeout=route.timeout_s)


def _command(route: Route, message: Message) -> None:
    """Runs the command with files for its ends: a grandchild that keeps a pipe open cannot keep us waiting."""
    told = {"SPENDGATE_EVENT": message.kind, "SPENDGATE_SCOPE": message.scope, "SPENDGATE_LIMIT": message.limit}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(json.dumps(message.payload).encode() + b"\n")
        given.seek(0)
        process = subprocess.Popen(
            list(route.target),
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, **told},
            start_new_session=True,
        )
        try:
            code = process.wait(route.timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise SinkError(f"the command did not end within {route.timeout_s:g} s and was killed") from None
        if code != 0:
            said.seek(0)
            why = said.read(_ERROR_CHARS * 4).decode(errors="replace").strip()
            raise SinkError(f"the command ended with exit code {code}" + f": {_short(why)}" * bool(why))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the command and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _said(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        words = reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
        return _short(f"the mail server answered {error.smtp_code} {words}")
    return _short(str(error) or type(error).__name__)


def _short(text: str) -> str:
    return " ".join(text.split())[:_ERROR_CHARS]
