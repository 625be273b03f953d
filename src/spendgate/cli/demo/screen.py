"""What is to be seen while a night goes on: its clock, and the dollars of both nights growing."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from spendgate.cli.chart import sparkline
from spendgate.cli.demo.lines import cents
from spendgate.cli.demo.running import Seen, hour
from spendgate.cli.demo.story import BEGINS_AT, GOES_WRONG_AT, NOTHING, Defence
from spendgate.clock import HOUR, MINUTE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

TITLES = {
    "nothing": "without a gate",
    "limits": "with spendgate",
    "retries": "retry budget",
    "tier": "tier lock",
    "loops": "loop detection",
}
"""What the nights are called. The last three have one defence each, and no limit."""
SPARKS = 30
BAR = 50


class Screen(Protocol):
    """Who is shown the nights as they go."""

    def begin(self, defence: Defence) -> None:
        """A night begins: its processes are being started."""

    def show(self, defence: Defence, seen: Seen) -> None:
        """This is to be seen now of a night."""

    def close(self) -> None:
        """No more will come."""


class PlainScreen:
    """A line at each hour of the night, for logs and pipes."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._next_at: dict[str, int] = {}

    def begin(self, defence: Defence) -> None:
        """Announces a night."""
        self._next_at[defence.name] = BEGINS_AT + HOUR
        self._console.print(f"{hour(BEGINS_AT)}  {TITLES[defence.name]}: a paid API and six workers start")

    def show(self, defence: Defence, seen: Seen) -> None:
        """Writes a line when an hour is over."""
        if seen.at >= self._next_at[defence.name]:
            self._next_at[defence.name] += HOUR
            state = f"  {seen.state}" if seen.state else ""
            text = f"{hour(seen.at)}  {TITLES[defence.name]}: {cents(seen.usd)}, {seen.calls:,} calls{state}"
            self._console.print(text, soft_wrap=True)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class _Track:
    """What was seen of one night, and the highest bill in each of its stretches."""

    seen: Seen
    is_gated: bool = False
    heights: list[int] = field(default_factory=lambda: [0] * SPARKS)


class LiveScreen:
    """The same few lines of the terminal, drawn again and again."""

    def __init__(self, console: "Console", speed: float, until_at: int) -> None:
        from rich.live import Live

        self._speed = speed
        self._until_at = until_at
        self._tracks: dict[str, _Track] = {}
        self._playing = ""
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def begin(self, defence: Defence) -> None:
        """Adds a night."""
        if not self._playing or defence.config == "" or not self._tracks[self._playing].is_gated:
            self._playing = defence.name
        self._tracks[defence.name] = _Track(Seen(BEGINS_AT, 0, 0), is_gated=bool(defence.config))
        self._live.update(self._drawn(), refresh=True)

    def show(self, defence: Defence, seen: Seen) -> None:
        """Draws a moment of a night."""
        track = self._tracks[defence.name]
        track.seen = seen
        stretch = (seen.at - BEGINS_AT) * SPARKS // (self._until_at - BEGINS_AT + MINUTE)
        track.heights[stretch] = seen.usd
        self._live.update(self._drawn(), refresh=True)

    def close(self) -> None:
        """Clears the screen's lines."""
        self._live.stop()

    def _drawn(self) -> "Text":
        from rich.text import Text

        lines = [
            Text("spendgate demo", style="bold") + Text(f"   time runs {self._speed:,.0f} times as fast", "not bold")
        ]
        lines += [Text(), self._clock(), Text()]
        top = max(max(track.heights) for track in self._tracks.values())
        lines += [self._row(name, track, top) for name, track in self._tracks.items()]
        return Text("\n").join([*lines, Text(), Text(self._caption(), style="dim"), Text()])

    def _clock(self) -> "Text":
        from rich.text import Text

        at = self._tracks[self._playing].seen.at
        done = (at - BEGINS_AT) * BAR // (self._until_at - BEGINS_AT)
        bar = Text("━" * done, style="cyan") + Text("─" * (BAR - done), style="dim")
        return Text.assemble((f"{hour(at)}  ", "bold cyan"), bar, (f"  {hour(self._until_at)}", "dim"))

    def _row(self, name: str, track: _Track, top: int) -> "Text":
        from rich.text import Text

        seen, colour = track.seen, "red" if name == NOTHING.name else "green"
        reached = (seen.at - BEGINS_AT) * SPARKS // (self._until_at - BEGINS_AT + MINUTE) + 1
        return Text.assemble(
            f"{TITLES[name]:15}",
            (f"{cents(seen.usd):>10}", f"bold {colour}"),
            (f"{seen.calls:>8,} calls  ", "dim"),
            (sparkline(_carried(track.heights[:reached]), top), colour),
        )

    def _caption(self) -> str:
        seen = self._tracks[self._playing].seen
        if not seen.calls:
            return "A paid API and six workers start."
        if seen.at < GOES_WRONG_AT:
            return "Six workers are awake. A run is four calls and costs $0.07."
        if seen.state:
            return f"{seen.state}. The loop keeps asking."
        return "At 01:02 worker 3 was sent a malformed answer. It retries without end, on dearer models."


def _carried(heights: list[int]) -> list[int]:
    """A bill never sinks: a stretch that nobody looked at is as high as the one before."""
    high = 0
    return [high := max(high, height) for height in heights]


def screen_for(console: "Console", speed: float, until_at: int) -> Screen:
    """The screen that fits: live in a terminal, plain lines elsewhere."""
    return LiveScreen(console, speed, until_at) if console.is_terminal else PlainScreen(console)
