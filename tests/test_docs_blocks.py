from pathlib import Path

import pytest
from sybil import Document
from sybil.example import SybilFailure

from tests.docs_blocks import Step, complaint, console_blocks, file_blocks, is_run, plain, play, python_blocks, steps


def test_steps_pair_commands_with_their_output() -> None:
    """Each `$ ` line starts a command, and the lines below it are its output."""
    assert steps("$ spendgate init\nwrote spendgate.toml\n\n$ spendgate status\n") == [
        Step("spendgate init", "wrote spendgate.toml\n"),
        Step("spendgate status", ""),
    ]


def test_a_backslash_continues_a_command() -> None:
    """A command that ends in a backslash goes on in the next line."""
    assert steps("$ echo a \\\n> b\na b") == [Step("echo a \\\nb", "a b")]


def test_output_before_any_command_is_an_error() -> None:
    """A block that does not begin with a command is refused, so that nothing is shown unchecked."""
    with pytest.raises(ValueError, match="begins with a command"):
        steps("spendgate init\n")


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("spendgate init", True),
        ("id=$(spendgate hold --service S)", True),
        ("NO_COLOR=1 spendgate status", True),
        ("cat log.jsonl | spendgate import -", True),
        ("pip install spendgate", False),
        ("git clone spendgate && cd spendgate", False),
        ("make demo", False),
    ],
)
def test_only_blocks_that_call_spendgate_are_run(command: str, run: bool) -> None:
    """Installing and building are shown, spendgate is run."""
    assert is_run([Step(command, "")]) is run


def test_commands_share_one_shell() -> None:
    """A variable set by one command is there for the next, and so is its exit code."""
    todo = steps("$ a=b\n$ echo $a; echo c >&2; false\nb\nc\n$ echo $?\n1\n$ printf d\nd\n")
    results = play(todo)
    assert results == [("", 0), ("b\nc\n", 1), ("1\n", 0), ("d", 0)]
    assert complaint(todo, results) is None


def test_a_failing_command_must_be_shown_to_fail() -> None:
    """A command that fails unannounced fails the document, even where its output is right."""
    todo = steps("$ echo a; false\na\n")
    assert "exit code 1" in (complaint(todo, play(todo)) or "")


def test_commands_after_the_end_of_the_shell_are_missed() -> None:
    """A command that was never reached is reported, not passed."""
    todo = steps("$ exit 0\n$ echo a\na\n")
    assert "$ exit 0" not in (complaint(todo, play(todo)) or "")
    assert "not run" in (complaint(todo, play(todo)) or "")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a", "a  \n\n", True),
        ("spent $... of $5.00", "spent $0.31 of $5.00", True),
        ("first\n...\nlast", "first\n2\n3\nlast", True),
        ("spent $... of $5.00", "spent $0.31 of $50.00", False),
        ("", "a warning\n", False),
        ("a", "", False),
    ],
)
def test_output_is_compared_with_ellipsis(shown: str, printed: str, same: bool) -> None:
    """Three dots stand for anything; all else must be as shown, but for blanks at the ends."""
    assert (complaint([Step("x", shown)], [(printed, 0)]) is None) is same


def test_plain_drops_only_outer_space() -> None:
    """Indentation and inner empty lines count."""
    assert plain("\n a \n\nb\t\n\n") == " a\n\nb\n"


PAGE = """\
<!-- file: conf/spendgate.toml -->
```toml
a = 1
```

```python
from pathlib import Path
kept = Path("conf/spendgate.toml").read_text()
```

<!-- file: script.py -->
```python
this is not run
```

```console
$ spendgate() { cat conf/spendgate.toml; }; spendgate
a = ...
```

```console
$ make demo
```
"""


def parsed(tmp_path: Path, text: str) -> Document:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return Document.parse(str(page), file_blocks, python_blocks, console_blocks)


def test_blocks_of_a_page_work_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named block becomes a file that the Python and console blocks below it find."""
    monkeypatch.chdir(tmp_path)
    page = parsed(tmp_path, PAGE)
    for example in page.examples():
        example.evaluate()
    assert page.namespace["kept"] == "a = 1\n"
    assert (tmp_path / "script.py").read_text() == "this is not run\n"
    assert len(list(page.examples())) == 5


def test_wrong_output_fails_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that shows something else than what is printed fails, and says both."""
    monkeypatch.chdir(tmp_path)
    (example,) = parsed(tmp_path, "```console\n$ (spendgate() { echo b; }; spendgate)\na\n```\n").examples()
    with pytest.raises(SybilFailure, match="Expected:\n    a\nGot:\n    b\n"):
        example.evaluate()


@pytest.mark.parametrize("name", ["/etc/spendgate.toml", "../spendgate.toml"])
def test_files_stay_in_the_working_directory(tmp_path: Path, name: str) -> None:
    """A page writes nothing outside its own directory."""
    (example,) = parsed(tmp_path, f"<!-- file: {name} -->\n```toml\n```\n").examples()
    with pytest.raises(ValueError, match="not below"):
        example.evaluate()
