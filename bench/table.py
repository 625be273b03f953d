"""The figures as Markdown tables: the few that a user cares for in the README, the others in docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.figures import Figure, Result

README = Path(__file__).parents[1] / "README.md"
PAGE = README.parent / "docs" / "benchmarks.md"
PLAIN = {
    "store_against_bare": "a booking, against bare SQLite transactions that read and write the same rows",
    "flat": "a booking in a ledger of 10,000,000 entries, against one of 1,000",
    "added_us": "a call of the OpenAI SDK through `gate.wrap`: what that adds",
    "dict_dearest_us": "a lookup of a watched dictionary, in the dearest way to ask: what watching adds",
    "ttlcache_dearest_us": "the same of `cachetools`",
    "redis_hit_us": "a hit of Redis on loopback: what watching adds",
}
"""The figures of the README, by name, in plain words."""
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def table(results: dict[str, Result], only_shown: bool = True) -> str:
    """The figures, and below them where and when they were measured."""
    found = [one for kept in results.values() for one in kept.figures if one.shown or not only_shown]
    return _table([(one.text, one) for one in found], results)


def plain_table(results: dict[str, Result]) -> str:
    """The few figures of the README, in plain words."""
    found = {one.name: one for kept in results.values() for one in kept.figures}
    return _table([(text, found[name]) for name, text in PLAIN.items() if name in found], results)


def _table(named: Sequence[tuple[str, Figure]], results: dict[str, Result]) -> str:
    rows = [f"| {text} | {spell(one)} | {wanted(one)} |" for text, one in named]
    if not rows:
        return ""
    return "\n".join(["| what | measured | wanted |", "|---|---|---|", *rows, "", *conditions(results.values())])


def conditions(results: Iterable[Result]) -> list[str]:
    """Where and when; usually one line."""
    lines = [f"{one.machine}; {one.python}, SQLite {one.sqlite}; {one.at}." for one in results]
    return [f"Measured on {line}" for line in dict.fromkeys(lines)]


def spell(one: Figure) -> str:
    """A figure with its interval."""
    text = amount(one.value, one.unit)
    if one.low is None or one.high is None:
        return text
    return f"{text} ({amount(one.low, one.unit)} to {amount(one.high, one.unit)})"


def wanted(one: Figure) -> str:
    """What was wanted of a figure, and whether it is so."""
    if one.wanted is None:
        return ""
    bound = f"{'at least' if one.at_least else 'at most'} {amount(one.wanted, one.unit)}"
    return bound if one.kept else f"**missed:** {bound}"


def amount(value: float, unit: str) -> str:
    """A number in its unit, with as many digits as mean something.

    >>> amount(1.8345, "x"), amount(0.0123, "ms"), amount(0.874, "share"), amount(65000, "x"), amount(1234.5, "per_s")
    ('1.83×', '0.012 ms', '87 %', '65,000×', '1,230/s')
    """
    if unit == "share":
        return f"{value:.0%}".replace("%", " %")
    if unit == "count":
        return f"{value:,.0f}"
    text = _digits(value)
    return {"x": f"{text}×", "ms": f"{text} ms", "us": f"{text} µs", "per_s": f"{text}/s", "gb": f"{text} GB"}[unit]


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}") if abs(value) >= 1 else float(f"{value:.2g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"


def put(text: str, found: str) -> str:
    """A document with the table between its markers.

    Raises:
        ValueError: the document has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END} to write the table between")
    return f"{before}{BEGIN}\n{found}\n{END}{after}" if found else f"{before}{BEGIN}\n{END}{after}"


def write_pages(results: dict[str, Result], readme: Path = README, page: Path = PAGE) -> None:
    """Puts the tables into the README and the page of all figures, where there are such files."""
    for path, found in ((readme, plain_table(results)), (page, table(results))):
        if path.exists():
            path.write_text(put(path.read_text(encoding="utf-8"), found), encoding="utf-8")
