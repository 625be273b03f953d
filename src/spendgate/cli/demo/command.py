"""`spendgate demo`: plays both incidents, and says what each line of defence came to."""

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from spendgate.cli.printing import iso, json_option, print_json, say, show
from spendgate.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgate.cli.demo.running import Outcome
    from spendgate.cli.demo.screen import Screen
    from spendgate.cli.demo.story import Defence

SPEED = 1_200.0
NIGHT, CACHE = INCIDENTS = ("night", "cache")


@click.command()
@click.option(
    "--speed", type=click.FloatRange(60, 3_000), default=SPEED, show_default=True, help="How many times as fast."
)
@click.option("--quick", is_flag=True, help="Only the first 20 minutes of each night.")
@click.option("--only", type=click.Choice(INCIDENTS), help="One of the two incidents.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep the configuration and the ledger of the gated night here, to look at them.",
)
@json_option
@click.pass_context
def demo(ctx: click.Context, *, speed: float, quick: bool, only: str | None, keep: Path | None, as_json: bool) -> None:
    """Watch a runaway being stopped, and a dead cache being found, live, on this machine.

    \b
    Examples:
      spendgate demo
      spendgate demo --only cache
      spendgate demo --keep night && spendgate --config night/spendgate.toml status

    A paid API on loopback and six worker processes play the night that cost $912: at 01:02 one worker is sent a
    malformed answer and retries for ever, on dearer and dearer models. First without a gate, then with one: with
    limits, and with the retry budget, the locked model or loop detection alone.

    Then the cache key that cost $80,000: a pipeline before a paid API, eleven good months, and a deploy that puts a
    timestamp into the key. Nothing leaves this machine, and every figure is what happened.
    """  # noqa: D301 - click reads the \b itself
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.UsageError(f"--keep {keep}: there is something in it already; name a new folder")
    data: dict[str, object] = {}
    well = True
    if only != CACHE:
        well = _night(speed, quick=quick, keep=keep, data=data if as_json else None)
    if only != NIGHT:
        well = _cache(data if as_json else None) and well
    if as_json:
        print_json(data)
    else:
        show(f"In your own project, begin with:  {click.style('spendgate init', bold=True)}")
    if keep is not None and only != CACHE:
        say(f"The gated night is kept:  spendgate --config {keep / 'spendgate.toml'} report --since all")
    if not well:
        ctx.exit(1)


def _night(speed: float, *, quick: bool, keep: Path | None, data: dict[str, object] | None) -> bool:
    """Plays the night, and prints it or puts it into `data`. Whether all went as it must."""
    from rich.console import Console

    from spendgate.cli.demo import closing
    from spendgate.cli.demo.lines import others, plain
    from spendgate.cli.demo.screen import screen_for
    from spendgate.cli.demo.story import MAIL_AT, QUICK_END_AT

    until_at = QUICK_END_AT if quick else MAIL_AT
    with ExitStack() as stack:
        previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        stack.callback(signal.signal, signal.SIGTERM, previous)
        screen = screen_for(Console(stderr=True), speed, until_at)
        stack.callback(screen.close)
        outcomes = _play(screen, speed, until_at, keep)
    if data is None:
        closing.report(outcomes, speed)
    else:
        data |= {"speed": speed, "until": iso(outcomes[0].ended_at)}
        data["nights"] = [plain(outcome) for outcome in outcomes]
    return all(outcome.agree and others(outcome).unharmed for outcome in outcomes)


def _cache(data: dict[str, object] | None) -> bool:
    """Plays the cache key, and prints it or puts it into `data`. Whether everything noticed it, and the books agree."""
    from spendgate.cli.demo.pipeline import closing, playing, screen

    with TemporaryDirectory(prefix="spendgate-demo-") as folder, screen.shown() as progress:
        outcome = playing.play(Path(folder), progress)
    if data is None:
        closing.report(outcome)
    else:
        data["cache"] = closing.plain(outcome)
    return outcome.complete


def _play(screen: "Screen", speed: float, until_at: int, keep: Path | None) -> "list[Outcome]":
    from spendgate.cli.demo.story import ALONE, TOGETHER

    return [
        *_play_at_once(ALONE, screen, speed, until_at, keep),
        *_play_at_once(TOGETHER, screen, speed, until_at, keep),
    ]


def _play_at_once(
    defences: "Sequence[Defence]", screen: "Screen", speed: float, until_at: int, keep: Path | None
) -> "list[Outcome]":
    """Plays nights at the same time, each with an API, workers and a ledger of its own."""
    from spendgate.cli.demo.running import LOOK_EVERY_S, Night
    from spendgate.cli.demo.story import LIMITS

    with ExitStack() as stack:
        nights = []
        for defence in defences:
            screen.begin(defence)
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="spendgate-demo-")))
            if keep is not None and defence == LIMITS:
                keep.mkdir(parents=True, exist_ok=True)
                folder = keep
            nights.append(stack.enter_context(Night(defence, folder, speed, until_at)))
        for night in nights:
            night.begin()
        running = list(nights)
        while running:
            SystemClock().sleep(LOOK_EVERY_S)
            for night in list(running):
                for seen in night.watch():
                    screen.show(night.defence, seen)
                    break
                else:
                    running.remove(night)
                    screen.show(night.defence, night.look())
        return [night.outcome() for night in nights]
