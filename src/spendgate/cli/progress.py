"""A sign of life on stderr while something long runs: what has been done so far, where a person looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Shows `text` while the block runs, followed by what it is called with; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{text} ...") as status:
        yield lambda so_far: status.update(f"{text}: {so_far}")
