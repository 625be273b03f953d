"""From the bytes of a paid exchange to what it asks for and what its answer bills.

Nothing here raises for what a request or an answer contains. What cannot be read is `unread`, and says why: then the
whole hold counts.

>>> asked = understand(Request("POST", "https://api.openai.com/v1/embeddings", body=b'{"model": "m", "input": "hi"}'))
>>> reader = answer_reader(asked, 200, {})
>>> reader.feed(b'{"model": "m", "usage": {"prompt_tokens": 1}}')
>>> reader.end(True).bills[0].usage
Usage(input_tokens=1, ...)
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from spendgate.wire import apis, decoding, hosts, management, statuses
from spendgate.wire.exchange import Answer, Asked, Reading, Request
from spendgate.wire.fields import inside, load, model_name, table
from spendgate.wire.framing import Framing, framing

MODEL_IN_FORM = re.compile(
    rb'name="model"\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]{1,400})'
    rb'|name="session"\r?\n(?:[^\r\n]+\r?\n)*\r?\n[^\r\n]{0,9999}?"model"\s*:\s*"([^"\\\r\n]{1,400})"'
)
"""The model of a form with files, such as a transcription's, or of a call's session."""


def understand(request: Request, default: str = "") -> Asked | None:
    """What a request asks to be paid for.

    Args:
        request: the request as it is about to be sent, its body not encoded.
        default: the provider's id where the host is not known, as the wrapper of an SDK states it for a base URL.

    Returns:
        What is asked for; `unread` where a paid host is spoken to in a way that is not understood. None for a host that
        is not known to cost money when there is no `default` either.
    """
    provider = hosts.provider_at(request.url) or default
    if not provider:
        return None
    try:
        return _understood(provider, request)
    except Exception as fault:  # noqa: BLE001 - our mistake must not become the caller's: the call is held, and said
        return Asked("", provider, kind="unread", problem=f"the request could not be read: {type(fault).__name__}")


def answer_reader(asked: Asked, status: int, headers: Mapping[str, str]) -> "AnswerReader":
    """Begins to read the answer to what was asked.

    Args:
        asked: what `understand` made of the request.
        status: the HTTP status of the answer.
        headers: its headers; the case of their names does not matter.
    """
    return AnswerReader(asked, status, {name.lower(): value for name, value in headers.items()})


class AnswerReader:
    """Reads one answer on the side: `feed` it every piece as it comes by, and `end` it once.

    At most one document or one event of a stream is held in memory.
    """

    def __init__(self, asked: Asked, status: int, headers: Mapping[str, str]) -> None:
        self._asked = asked
        self._answer = _by_status(asked, status)
        self._problem = ""
        self._reading: Reading | None = None
        self._framing: Framing | None = None
        self._decoder: decoding.Decoder | None = None
        if self._answer is None:
            self._begin(headers)

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body, in pieces of any size, as they came over the line."""
        if self._reading is None or self._framing is None or self._decoder is None or self._problem:
            return
        try:
            for piece in self._decoder.feed(chunk):
                for data, event in self._framing.feed(piece):
                    self._reading.document(data, event)
        except Exception as fault:  # noqa: BLE001 - the caller gets his answer whatever we make of it
            self._fail(fault)

    def end(self, complete: bool) -> Answer:
        """What the answer bills. `complete` is False where the body broke off or was closed before its end.

        Asking again gives the same answer.
        """
        if self._answer is None:
            self._answer = self._ended(complete)
            self._reading = self._framing = self._decoder = None
        return self._answer

    def _begin(self, headers: Mapping[str, str]) -> None:
        api = apis.named(self._asked.provider, self._asked.api)
        if api is None:
            self._problem = f"{self._asked.api or 'its API'} is not read"
            return
        encoding = headers.get("content-encoding", "")
        self._decoder = decoding.decoder(encoding)
        if self._decoder is None:
            self._problem = f"its content-encoding {encoding[:40]!r} cannot be undone here"
        self._framing = framing(headers.get("content-type", ""))
        try:
            self._reading = api.reading(self._asked, headers)
        except Exception as fault:  # noqa: BLE001 - as in feed
            self._fail(fault)

    def _ended(self, complete: bool) -> Answer:
        if self._reading is not None and self._framing is not None and not self._problem:
            try:
                for data, event in self._framing.end():
                    self._reading.document(data, event)
            except Exception as fault:  # noqa: BLE001 - as in feed
                self._fail(fault)
        if self._reading is None or (self._problem and not self._asked.streams):
            return self._failed(complete)
        try:
            answer = self._reading.answer(complete and not self._problem)
        except Exception as fault:  # noqa: BLE001 - as in feed
            self._fail(fault)
            return self._failed(complete)
        if self._asked.kind == "unread" and (answer.kind != "billed" or not complete or not answer.bills[0].model):
            return _not_understood(self._asked)  # a whole answer says what it used, whatever it was asked
        return self._failed(complete) if self._problem and (answer.cut or answer.kind != "billed") else answer

    def _failed(self, complete: bool) -> Answer:
        """The answer where there is nothing to read from."""
        reason = self._problem if complete else f"it broke off, and {self._problem or 'nothing can be read from it'}"
        if self._asked.kind == "collects":
            return Answer("later", id=self._asked.earlier, reason=reason)
        if self._asked.kind == "unread":
            return _not_understood(self._asked)
        return Answer("unread", reason=reason)

    def _fail(self, fault: Exception) -> None:
        known = isinstance(fault, ValueError)
        self._problem = str(fault) if known else f"it could not be read: {type(fault).__name__}"


def _by_status(asked: Asked, status: int) -> Answer | None:
    """The answer where the body does not matter."""
    kind = statuses.kind(status)
    if asked.kind == "free":
        return Answer("free", reason="this request is not billed")
    if asked.kind == "collects" and kind != "read":
        return Answer("later", id=asked.earlier, reason=f"it was asked after, and the answer was {status}")
    if kind != "read":
        return Answer(kind, reason=f"the answer was {status}")
    if asked.kind == "unread" and not asked.answer_tells:
        return _not_understood(asked)
    return None


def _not_understood(asked: Asked) -> Answer:
    return Answer("unread", reason=asked.problem or "the request was not understood")


def _understood(provider: str, request: Request) -> Asked:
    url = urlsplit(request.url)
    method, path = request.method.upper(), url.path
    api = apis.find(provider, method, path)
    if api is None:
        socket = request.headers.get("upgrade", "") or (url.scheme if url.scheme in {"ws", "wss"} else "")
        if management.is_free(provider, method, path, socket):
            return Asked("", provider, kind="free")
        problem = f"{method} {_shown(path)} is not known"
        return Asked("", provider, _named(request), kind="unread", problem=problem)
    body, problem = _body(request) if method == "POST" else ({}, "")
    asked = api.asked(provider, request, body)
    # What a free or collecting request sends does not matter.
    if not problem or asked.kind != "paid":
        return asked
    return replace(asked, kind="unread", problem=problem, answer_tells=True)


def _body(request: Request) -> tuple[Mapping[str, Any], str]:
    """The JSON object that a request sends, or what it sends instead."""
    if not request.body or request.body.isspace():
        return {}, "the request has no body, or one that is streamed"
    try:
        body = load(request.body)
    except ValueError as fault:
        return {}, f"the body is no JSON: {fault}"
    return (body, "") if isinstance(body, dict) else ({}, "the body is no JSON object")


def _named(request: Request) -> str:
    """The model that a body names which is not understood otherwise; empty where it names none."""
    form = MODEL_IN_FORM.search(request.body)
    if form:
        return model_name((form[1] or form[2]).decode("utf-8", "replace"))[0]
    if not request.body.lstrip().startswith(b"{"):
        return ""
    try:
        body = table(load(request.body))
        return model_name(body.get("model") or inside(body, "session", "model"))[0]
    except ValueError:
        return ""


def _shown(path: str) -> str:
    short = "".join(letter for letter in path if letter.isprintable())
    return short if len(short) <= 80 else f"{short[:77]}..."
