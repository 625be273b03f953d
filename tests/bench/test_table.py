"""The figures, and the table that the README shows."""

from pathlib import Path

import pytest

from bench.figures import Figure, Result, figure, machine, read, result, write
from bench.measure import Spread
from bench.table import BEGIN, END, PAGE, PLAIN, README, amount, plain_table, put, spell, table, wanted, write_pages

RATIO = figure("bare", "reserve + settle", "x", Spread(1.834, 1.79, 1.91), wanted=2.0)
SLOW = Figure("wait", "longest wait", "ms", 120.4, wanted=100.0)
FAIR = Figure("share", "slowest", "share", 0.874, wanted=0.8, at_least=True)
HIDDEN = Figure("size", "size", "gb", 1.53, shown=False)
RESULT = Result("2026-11-22", "2 cores", "CPython 3.11.7", "3.54.1", 0.5, 60, (RATIO, SLOW, FAIR, HIDDEN))


def test_pages_show_what_was_measured() -> None:
    """The tables in the README and on the page of all figures are those that numbers.json gives, to the letter."""
    for path, found in ((README, plain_table(read())), (PAGE, table(read()))):
        text = path.read_text(encoding="utf-8")
        assert put(text, found) == text


def test_the_readme_has_few_figures_and_hides_no_missed_target() -> None:
    """The README has at most six figures, all of them measured, and every one that is not as wanted is among them."""
    every = {one.name: one for kept in read().values() for one in kept.figures}
    assert len(PLAIN) <= 6
    assert set(PLAIN) <= set(every)
    assert {one.name for one in every.values() if one.kept is False} <= set(PLAIN)


def test_numbers_are_measured_as_promised() -> None:
    """Whatever is claimed comes from at least thirty alternations."""
    assert all(kept.alternations >= 30 for kept in read().values())


def test_every_ratio_has_its_interval() -> None:
    """A ratio that is claimed is a median inside its interval."""
    for kept in read().values():
        for one in kept.figures:
            if one.unit == "x":
                assert one.low is not None
                assert one.high is not None
                assert one.low <= one.value <= one.high


def test_results_are_kept_and_read_again(tmp_path: Path) -> None:
    """What is written to numbers.json is what is read from it, rounded to four digits."""
    path = tmp_path / "numbers.json"
    write({"bookings": RESULT}, path)
    assert read(path) == {"bookings": RESULT}
    assert read(tmp_path / "none.json") == {}


def test_a_figure_knows_whether_it_is_as_wanted() -> None:
    """A bound is not to be exceeded, or with `at_least` not to be missed; without one nothing is claimed."""
    assert [one.kept for one in (RATIO, SLOW, FAIR, HIDDEN)] == [True, False, True, None]
    assert [wanted(one) for one in (RATIO, SLOW, FAIR, HIDDEN)] == [
        "at most 2×",
        "**missed:** at most 100 ms",
        "at least 80 %",
        "",
    ]


def test_a_ratio_is_shown_with_its_interval() -> None:
    """The interval stands beside the median."""
    assert spell(RATIO) == "1.83× (1.79× to 1.91×)"
    assert spell(SLOW) == "120 ms"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.8345, "x", "1.83×"),
        (65_432.1, "x", "65,400×"),
        (0.0123, "ms", "0.012 ms"),
        (9.996, "ms", "10 ms"),
        (0, "ms", "0 ms"),
        (999.9, "us", "1,000 µs"),
        (0.874, "share", "87 %"),
        (1234.5, "per_s", "1,230/s"),
        (1.53, "gb", "1.53 GB"),
        (31.0, "count", "31"),
    ],
)
def test_numbers_have_as_many_digits_as_mean_something(value: float, unit: str, text: str) -> None:
    """Three digits, two below one, and thousands apart."""
    assert amount(value, unit) == text


def test_the_table_leaves_out_what_is_not_shown() -> None:
    """The README shows the figures that matter; the bench prints all of them."""
    assert "1.53 GB" not in table({"a": RESULT})
    assert "1.53 GB" in table({"a": RESULT}, only_shown=False)
    assert table({}) == ""


def test_conditions_are_said_once() -> None:
    """Benches that ran under the same conditions share a line that tells them."""
    assert (
        table({"a": RESULT, "b": RESULT}).count("Measured on 2 cores; CPython 3.11.7, SQLite 3.54.1; 2026-11-22.") == 1
    )


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    """Whatever stands between the markers is replaced, and nothing else; written again, nothing changes."""
    path = tmp_path / "README.md"
    path.write_text(f"# A\n\n{BEGIN}\nold\n{END}\n\nrest\n", encoding="utf-8")
    none = tmp_path / "none.md"
    write_pages({"a": RESULT}, none, path)
    text = path.read_text(encoding="utf-8")
    assert text == f"# A\n\n{BEGIN}\n{table({'a': RESULT})}\n{END}\n\nrest\n"
    write_pages({"a": RESULT}, none, path)
    assert path.read_text(encoding="utf-8") == text
    write_pages({}, none, path)
    assert path.read_text(encoding="utf-8") == f"# A\n\n{BEGIN}\n{END}\n\nrest\n"


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written where there is no place for it; no README is fine."""
    path = tmp_path / "README.md"
    path.write_text("# A\n", encoding="utf-8")
    with pytest.raises(ValueError, match="<!-- bench -->"):
        write_pages({"a": RESULT}, path, tmp_path / "none.md")
    assert path.read_text(encoding="utf-8") == "# A\n"
    write_pages({"a": RESULT}, tmp_path / "none.md", tmp_path / "none.md")
    assert not (tmp_path / "none.md").exists()


def test_a_result_says_where_it_was_measured() -> None:
    """Machine, Python, SQLite and date stand beside the figures."""
    found = result((RATIO,), 30, 0.123456)
    assert found.machine == machine()
    assert "cores of" in found.machine
    assert found.python.startswith("CPython 3.")
    assert found.sqlite.startswith("3.")
    assert found.load == 0.12
