"""What was measured, where and when, kept in numbers.json."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bench.measure import Spread

NUMBERS = Path(__file__).with_name("numbers.json")
Unit = Literal["x", "ms", "us", "share", "per_s", "gb", "count"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what it says. `wanted` is what it must not exceed, or, with `at_least`, not fall below.

    Ratios hold on other machines too, milliseconds are this machine's. What is `shown` stands in docs/benchmarks.md;
    the README has a few of these.
    """

    name: str
    text: str
    unit: Unit
    value: float
    low: float | None = None
    high: float | None = None
    wanted: float | None = None
    at_least: bool = False
    shown: bool = True

    @property
    def kept(self) -> bool | None:
        """Whether the figure is as wanted; None where nothing is."""
        if self.wanted is None:
            return None
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted


@dataclass(frozen=True, slots=True)
class Result:
    """What one bench found, and under which conditions."""

    at: str
    machine: str
    python: str
    sqlite: str
    load: float
    alternations: int
    figures: tuple[Figure, ...]


def figure(name: str, text: str, unit: Unit, spread: Spread, **more: Any) -> Figure:
    """A figure that has an interval."""
    return Figure(name, text, unit, spread.middle, spread.low, spread.high, **more)


def result(figures: tuple[Figure, ...], alternations: int, load: float) -> Result:
    """The figures with today's conditions. `load` is how busy the machine was before the bench began."""
    import apsw

    at = datetime.now(UTC).strftime("%Y-%m-%d")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Result(at, machine(), python, apsw.sqlite_lib_version(), round(load, 2), alternations, figures)


def machine() -> str:
    """The machine in a line: cores, processor, memory, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{cores} cores of {_processor()}, {gb:.0f} GB, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def read(path: Path = NUMBERS) -> dict[str, Result]:
    """The results by bench; empty where nothing was measured yet."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Result(**{**kept, "figures": tuple(Figure(**one) for one in kept["figures"])})
        for name, kept in found.items()
    }


def write(results: dict[str, Result], path: Path = NUMBERS) -> None:
    """Keeps the results, numbers rounded to four digits."""
    plain = {name: _rounded(asdict(kept)) for name, kept in results.items()}
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
