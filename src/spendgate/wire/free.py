"""Requests that a provider's own API bills nothing for, such as counting tokens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spendgate.wire.exchange import Answer, Asked, Request
from spendgate.wire.fields import word


@dataclass(frozen=True, slots=True)
class Free:
    """A POST to some paths, which is free whatever it is answered."""

    name: str
    path: re.Pattern[str]

    def speaks(self, method: str, path: str) -> bool:
        return method == "POST" and self.path.search(path) is not None

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - the protocol's
        return Asked(self.name, provider, word(body.get("model")), kind="free")

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> "FreeReading":  # noqa: ARG002 - the protocol's
        return FreeReading()


class FreeReading:
    """Reads nothing: the request says it all."""

    def document(self, data: Any, event: str = "") -> None:
        """Nothing that is answered is billed."""

    def answer(self, complete: bool) -> Answer:  # noqa: ARG002 - the protocol's
        return Answer("free", reason="this request is not billed")
