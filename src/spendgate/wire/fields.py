"""Takes values out of JSON that others wrote: whatever stands there, what comes out is of its type or is refused.

>>> load(b'{"cost": 0.1}')["cost"]
Decimal('0.1')
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from spendgate.call import MAX_NAME
from spendgate.money import MAX_QUANTITY


class UnreadableError(ValueError):
    """What an answer says about its usage makes no sense; the text says what."""


def load(data: bytes | str) -> Any:
    """JSON as data; numbers with a fraction are `Decimal`, so that amounts stay exact.

    Raises:
        ValueError: it is no JSON, is nested too deeply, or has NaN or infinity in it.
    """
    try:
        if isinstance(data, str):
            return _JSON.decode(data)
        encoding = "utf-8" if _PLAIN.match(data) else json.detect_encoding(data)
        return _JSON.decode(data.decode(encoding, "surrogatepass"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def table(value: Any) -> Mapping[str, Any]:
    """An object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """A list of JSON; an empty one for anything else."""
    return value if isinstance(value, list) else []


def inside(value: Any, *names: str) -> Any:
    """What stands under one name after the other; None where the way ends.

    >>> inside({"a": {"b": 1}}, "a", "b"), inside({"a": 3}, "a", "b")
    (1, None)
    """
    for name in names:
        value = table(value).get(name)
    return value


def whole(value: Any) -> int | None:
    """A count from 0 to the most that is believed; None for anything else.

    >>> whole(7), whole(Decimal("7.0")), whole(-1), whole(True), whole("7")
    (7, 7, None, None, None)
    """
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 16 and value == int(value):
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_QUANTITY else None


def stated(source: Mapping[str, Any], *names: str) -> int | None:
    """The count under the first of these names that has one; None where none of them is there.

    Raises:
        UnreadableError: what stands there is no count.
    """
    for name in names:
        value = source.get(name)
        if value is not None:
            count = whole(value)
            if count is None:
                raise UnreadableError(f"its {name} is {show(value)}, which is no count")
            return count
    return None


def word(value: Any) -> str:
    """A short name, such as a model's or a service tier's; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable() else ""


def model_name(value: Any) -> tuple[str, str]:
    r"""A model's name as a call can carry it, and what is wrong with it.

    >>> model_name("gpt-4o"), model_name(None)
    (('gpt-4o', ''), ('', ''))
    >>> model_name("a\nb")
    ('ab', 'the name of its model has characters that cannot be printed')
    """
    if value is None or value == "":
        return "", ""
    if not isinstance(value, str):
        return "", "the name of its model is no text"
    if len(value) <= MAX_NAME and value.isprintable():
        return value, ""
    short = "".join(letter for letter in value[: 2 * MAX_NAME] if letter.isprintable())[:MAX_NAME]
    if len(value) > MAX_NAME:
        return short, f"the name of its model has {len(value):,} characters, the most is {MAX_NAME}"
    return short, "the name of its model has characters that cannot be printed"


def text_bytes(value: Any) -> int:
    """Bytes of UTF-8 in all the texts of a value; names of its fields do not count.

    >>> text_bytes(["naïve", {"type": "x", "n": 3}])
    7
    """
    found, rest = 0, [value]
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            found += len(part) if part.isascii() else len(part.encode("utf-8", "surrogatepass"))
        elif isinstance(part, dict):
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)
    return found


def show(value: Any) -> str:
    """A value in a message, cut short."""
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


_PLAIN = re.compile(rb"[{\[][^\0]")
"""How JSON in UTF-8 begins when it is an object or a list: other encodings have zeros there, or a mark before it."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
