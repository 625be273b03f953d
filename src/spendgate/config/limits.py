"""The `[[limits]]` of the configuration: strict, because a slip in a limit must never turn out as no limit.

Amounts are text or whole numbers and exact: a limit is never rounded up to more than it says.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from spendgate.call import FIELDS, MAX_NAME
from spendgate.config.keys import NAMES
from spendgate.config.tables import MAX_SPELLING, Document, Table, nearest, show
from spendgate.errors import AmountError
from spendgate.limits import WHOLE_UNITS, AtLimit, Limit, LimitSet, in_units, parse_rate, unit_scale
from spendgate.money import MAX_LIMIT_NANOS, MAX_QUANTITY, decimal, scaled
from spendgate.windows import Calendar, Window, parse_window

SECTION = "limits"
PLAIN_KEYS = tuple(name for name in NAMES[SECTION] if name not in ("usd", *WHOLE_UNITS, "UNIT"))
"""The keys of a limit that are no amounts."""
SELECTORS = f"{', '.join(FIELDS)} or tags.NAME"


def read_limits(document: Document, timezone: str, units: frozenset[str]) -> LimitSet:
    """The limits of a document; `units` are those that its rate card names.

    Raises:
        ConfigError: a limit does not say exactly what it limits.
    """
    stated = document.data.get(SECTION, [])
    if not isinstance(stated, list) or not all(isinstance(item, dict) for item in stated):
        raise document.fault((SECTION,), "limits are a list of tables", "[[limits]] in two brackets above each limit")
    limits: list[Limit] = []
    for position, data in enumerate(stated):
        table = Table(document, (SECTION, position), SECTION, data)
        limit = _limit(table, timezone, units)
        if limit.name in (earlier.name for earlier in limits):
            problem = f"two limits have the name {show(limit.name)}"
            raise table.fault("name", problem, "a name of its own for each limit")
        limits.append(limit)
    return LimitSet(tuple(limits))


def _limit(table: Table, timezone: str, units: frozenset[str]) -> Limit:
    unit, amount = _amount(table, units)
    window = _window(table, timezone)
    match = read_match(table)
    per = _per(table)
    at_limit: AtLimit = table.choice("at_limit", ("refuse", "throttle", "observe"))
    return Limit(
        name=_name(table, (unit, str(window), *per, *(pattern for _, pattern in match))),
        unit=unit,
        amount=amount,
        window=window,
        match=match,
        per=per,
        warn_at=_warn_at(table),
        at_limit=at_limit,
        throttle_every=_throttle(table, at_limit),
        pace_from=_pace_from(table, window),
    )


def _name(table: Table, parts: tuple[str, ...]) -> str:
    """The stated name, or one made of what the limit is about, such as `usd-1h-service`."""
    if "name" not in table:
        return "-".join(parts)[:MAX_NAME]
    name = table.text("name", MAX_NAME)
    if not name.strip():
        raise table.fault("name", "the name is empty", "a name, or no such key: then one is made")
    return name


def _amount(table: Table, units: frozenset[str]) -> tuple[str, int]:
    """The unit that is limited, and how much of it in smallest parts."""
    known = ("usd", *WHOLE_UNITS, *sorted(units - set(PLAIN_KEYS)))
    stated = [name for name in table.data if name not in PLAIN_KEYS]
    for name in stated:
        if name not in known:
            problem = "this is neither a key of a limit nor a unit that the rate card names"
            expected = f"one of {', '.join((*known, *PLAIN_KEYS))}"
            raise table.fault(name, problem, expected, nearest(name, (*known, *PLAIN_KEYS)))
    if len(stated) != 1:
        problem = f"a limit has one amount, this one has {len(stated) or 'none'}"
        raise table.fault(stated[1] if stated else "", problem, f"exactly one of {', '.join(known)}")
    unit = stated[0]
    return unit, _parts(table, unit)


def _parts(table: Table, unit: str) -> int:
    value = table.data[unit]
    whole = unit in WHOLE_UNITS
    expected = "a whole number, such as 20000" if whole else 'text, such as "5.00", or a whole number'
    if isinstance(value, float):
        raise table.fault(unit, f"{value} is a floating-point number, which is not exact", _instead(unit, value))
    try:
        most = MAX_QUANTITY if whole else MAX_LIMIT_NANOS
        parts = scaled(value, unit_scale(unit), unit, most)
        exact = in_units(parts, unit) == decimal(value)
    except AmountError as error:
        raise table.fault(unit, f"{show(value)} is no amount: {error.remedy}", expected) from None
    if not exact:
        digits = "a fraction" if whole else f"more than {len(str(unit_scale(unit))) - 1} digits after the point"
        raise table.fault(unit, f"{show(value)} has {digits}", expected)
    return parts


def _instead(unit: str, value: float) -> str:
    """How to write an amount that was written as a floating-point number."""
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return 'text, such as "5.00"'
    if unit in WHOLE_UNITS and exact == int(exact):
        return f"a whole number: write {unit} = {int(exact)}"
    cents = exact.quantize(Decimal("0.01")) if abs(exact) < MAX_QUANTITY else exact
    return f'text: write {unit} = "{cents if unit == "usd" and cents == exact else exact:f}"'


def _window(table: Table, timezone: str) -> Window:
    expected = 'a span such as "1h" or "24h", or "day", "week" or "month"'
    if "window" not in table:
        raise table.fault("window", "the limit does not say over which time it counts", expected)
    text = table.text("window", MAX_SPELLING)
    try:
        return parse_window(text, timezone)
    except ValueError as error:
        raise table.fault("window", str(error), expected, nearest(text, ("day", "week", "month"))) from None


def read_match(table: Table) -> tuple[tuple[str, str], ...]:
    """The (field, glob) pairs that must all fit, in the order of their fields."""
    stated = table.value("match")
    if not isinstance(stated, Mapping):
        raise table.fault("match", f"{show(stated)} is no table", 'fields and globs: { resource = "clearbit.*" }')
    inner = Table(table.document, (*table.path, "match"), SECTION, dict(stated))
    pairs: dict[str, str] = {}
    for name, value in stated.items():
        if name == "tags" and isinstance(value, Mapping):
            tags = Table(table.document, (*inner.path, "tags"), SECTION, dict(value))
            globs = [(f"tags.{tag}", _glob(tags, tag, glob)) for tag, glob in value.items()]
        else:
            globs = [(_selector(inner, name, name), _glob(inner, name, value))]
        for selector, glob in globs:
            if selector in pairs:
                raise inner.fault(name, f"{selector} is matched twice", "one glob for each field")
            pairs[selector] = glob
    return tuple(sorted(pairs.items()))


def _glob(table: Table, name: str, value: object) -> str:
    if isinstance(value, list):
        raise table.fault(name, "a list is no glob", 'one glob, such as "claude-*"; write a limit for each')
    if not isinstance(value, str) or len(value) > MAX_NAME or not value.isprintable():
        raise table.fault(name, f"{show(value)} is no glob", 'text, such as "clearbit.*"')
    return value


def _selector(table: Table, name: object, key: str) -> str:
    """A field that calls are chosen or counted by."""
    if isinstance(name, str) and (name in FIELDS or (name.startswith("tags.") and len(name) > len("tags."))):
        return name
    known = (*FIELDS, "tags.NAME")
    raise table.fault(key, f"{show(name)} is no field of a call", SELECTORS, nearest(str(name), known))


def _per(table: Table) -> tuple[str, ...]:
    expected = f'a list of {SELECTORS}, such as ["service"]'
    for name in table.names("per", expected):
        _selector(table, name, "per")
    return table.names("per", expected)


def _share(table: Table, name: str, value: object, expected: str) -> Decimal:
    """A share of the limit, from 0 to 1. TOML's floating-point numbers will do: `0.8` is read as it is written."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidOperation
        share = Decimal(str(value))
        if not (share.is_finite() and 0 <= share <= 1):
            raise InvalidOperation
    except InvalidOperation:
        raise table.fault(name, f"{show(value)} is no share", expected) from None
    return share


def _warn_at(table: Table) -> tuple[Decimal, ...]:
    expected = "a list of shares above 0 and at most 1, such as [0.8]"
    stated: Any = table.value("warn_at")
    if not isinstance(stated, list):
        raise table.fault("warn_at", f"{show(stated)} is no list", expected)
    shares = tuple(_share(table, "warn_at", value, expected) for value in stated)
    if 0 in shares or len(set(shares)) < len(shares):
        raise table.fault("warn_at", "a share is 0 or stands here twice", expected)
    return shares


def _throttle(table: Table, at_limit: AtLimit) -> int:
    """The pause between calls beyond the limit, in microseconds; 0 where the limit does not throttle."""
    if at_limit != "throttle":
        if "throttle_to" in table:
            raise table.fault(
                "throttle_to", f'it means nothing beside at_limit = "{at_limit}"', 'at_limit = "throttle"'
            )
        return 0
    expected = 'a rate such as throttle_to = "10/min"'
    if "throttle_to" not in table:
        raise table.fault("at_limit", "the limit does not say how fast calls may go on", expected)
    try:
        return parse_rate(table.text("throttle_to", MAX_SPELLING))
    except ValueError as error:
        raise table.fault("throttle_to", str(error), expected) from None


def _pace_from(table: Table, window: Window) -> Decimal | None:
    if "pace_from" not in table:
        return None
    expected = "a share from 0 to below 1, such as 0.8"
    share = _share(table, "pace_from", table.data["pace_from"], expected)
    if share == 1:
        raise table.fault("pace_from", "at 1 nothing is left to spread", expected)
    if not isinstance(window, Calendar):
        problem = "a rolling window has no end to spread what is left over"
        raise table.fault("pace_from", problem, 'window = "day", "week" or "month"')
    return share
