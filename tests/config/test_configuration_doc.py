"""docs/configuration.md is held to the keys that the reader knows, and its examples to the reader."""

import re

import pytest

from spendgate.alerts.routes import EVENT_KINDS
from spendgate.config import read
from spendgate.config.keys import KEYS
from spendgate.pricing.ratecard import ADDRESS
from spendgate.pricing.terms import KEYS as PRICE_KEYS
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROWS = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in TEXT.splitlines() if line[:2] == "| "]
BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def quoted(text: str) -> list[str]:
    """The words of a text that stand in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def test_every_key_is_documented_with_its_type_and_default() -> None:
    """The tables of the document and the table of keys say the same, in the same order."""
    documented = [
        (quoted(row[0])[0], row[1], "".join(quoted(row[2]))) for row in ROWS if len(row) == 4 and "." in row[0]
    ]
    assert documented == [(key.path, key.kind, key.default) for key in KEYS]


def test_every_price_key_is_documented() -> None:
    """The keys of a card are those that the rate card reads."""
    documented = [name for row in ROWS if len(row) == 3 for name in quoted(row[0])]
    assert sorted(documented) == sorted((*PRICE_KEYS, *ADDRESS))


def test_every_variable_is_documented() -> None:
    """The variables that override a key are told, with the key."""
    documented = {quoted(row[0])[0]: quoted(row[1]) for row in ROWS if row[0].startswith("`SPENDGATE_")}
    assert documented.pop("SPENDGATE_CONFIG") == []
    assert documented == {key.env: [key.path] for key in KEYS if key.env}


def test_every_event_is_documented() -> None:
    """The kinds of events that a route may ask for are told."""
    (row,) = (row for row in ROWS if row[0] == "event")
    assert {name.strip('"') for name in quoted(row[1])} == EVENT_KINDS


@pytest.mark.parametrize("text", BLOCKS)
def test_every_example_is_valid(text: str) -> None:
    """A reader who copies an example has a configuration that is accepted."""
    assert read(text)
