"""What is to be seen while the first incident is played: how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from spendgate.cli.demo.pipeline.playing import Progress


@contextmanager
def shown() -> Iterator[Progress]:
    """A bar in a terminal, a line for each part of the story elsewhere."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        begun: set[str] = set()

        def write(part: str, _: float) -> None:
            if part not in begun:
                begun.add(part)
                console.print(f"the cache key: {part}", soft_wrap=True)

        yield write
        return
    with Bar(console=console, transient=True) as bar:
        known: dict[str, int] = {}

        def draw(part: str, share: float) -> None:
            if part not in known:
                known[part] = bar.add_task(part, total=1.0)
            bar.update(known[part], completed=share)  # type: ignore[arg-type]

        yield draw
